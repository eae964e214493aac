//! What can be wrong with a ring: with its file, its content, a position.

use std::fmt;
use std::path::PathBuf;

use crate::base::{CameraId, Coded, Sentence};

use super::layout::{EntryFault, HeaderFault};

crate::sentences! {
    /// Why a ring cannot be used.
    pub enum RingErrorSentence {
        Failed { path: String, what: &'static str, error: String } = "ring_failed": "{path}: {what}: {error}",
        NotTmpfs { path: String } = "ring_not_on_tmpfs":
            "{path} is not on tmpfs: a ring would wear out the disk; put [ring] dir on tmpfs, such as /dev/shm",
        Locked { path: String } = "ring_in_use":
            "{path} is written by another process: is a second hindsight running?",
        NoRoom { path: String, needed_mb: u64, free_mb: u64 } = "ring_without_room":
            "{path} has no room for a ring of {needed_mb} MB, only {free_mb} MB are free: lower [ring] seconds or max_bitrate, or make that tmpfs larger",
        Damaged { path: String, why: String } = "ring_damaged": "{path} cannot be read as a ring: {why}",
    }
}

#[derive(Debug)]
pub enum RingError {
    Io {
        path: PathBuf,
        what: &'static str,
        source: std::io::Error,
    },
    NotTmpfs {
        path: PathBuf,
    },
    Locked {
        path: PathBuf,
    },
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    Damaged {
        path: PathBuf,
        why: Unreadable,
    },
}

impl RingError {
    fn said(&self) -> RingErrorSentence {
        let shown = |path: &PathBuf| path.display().to_string();
        match self {
            RingError::Io { path, what, source } => RingErrorSentence::Failed {
                path: shown(path),
                what,
                error: source.to_string(),
            },
            RingError::NotTmpfs { path } => RingErrorSentence::NotTmpfs { path: shown(path) },
            RingError::Locked { path } => RingErrorSentence::Locked { path: shown(path) },
            RingError::NoSpace { path, needed, free } => RingErrorSentence::NoRoom {
                path: shown(path),
                needed_mb: needed.div_ceil(1_000_000),
                free_mb: free / 1_000_000,
            },
            RingError::Damaged { path, why } => RingErrorSentence::Damaged {
                path: shown(path),
                why: why.to_string(),
            },
        }
    }

    /// For people.
    pub fn sentence(&self) -> Sentence {
        self.said().sentence()
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said().fmt(f)
    }
}

impl std::error::Error for RingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RingError::Io { source, .. } => Some(source),
            RingError::Damaged { why, .. } => Some(why),
            _ => None,
        }
    }
}

/// Why a file cannot be read as a ring.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("it is too short")]
    TooShort,
    #[error(transparent)]
    Header(#[from] HeaderFault),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Why a writer does not build upon the file that it finds.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    #[error("it cannot be opened: {0}")]
    NotOpened(std::io::Error),
    #[error("it cannot be looked at: {0}")]
    NotLookedAt(std::io::Error),
    #[error("another user owns it or may write to it")]
    NotOurs,
    #[error(transparent)]
    Unreadable(Unreadable),
    #[error("its layout is version {found}, this program's is {expected}")]
    OtherVersion { found: u64, expected: u64 },
    #[error("a writer ended it")]
    Ended,
    #[error("it is of another boot")]
    OtherBoot,
    #[error("it is of camera {0}")]
    OtherCamera(CameraId),
    #[error(
        "its size is {found_bytes} bytes and {found_entries} entries, the config asks for {bytes} and {entries}"
    )]
    OtherSize {
        found_bytes: u64,
        found_entries: u64,
        bytes: u64,
        entries: u64,
    },
    #[error("its counters do not add up")]
    Counters,
    #[error("its entries do not follow each other")]
    EntryOrder,
    #[error("its byte counters do not add up")]
    ByteCounters,
    #[error("its epochs or generations are no such numbers")]
    Numbers,
    #[error(transparent)]
    Entry(#[from] EntryFault),
}

/// Why a position could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not written yet: `pos` ≥ head.
    #[error("not written yet")]
    NotYet,
    /// The writer was faster; the oldest position still whole is `oldest`.
    #[error("overtaken: the oldest held is {oldest}")]
    Overtaken { oldest: u64 },
    /// The file is no longer the camera's ring: open by name again.
    #[error("this ring has ended")]
    Ended,
    #[error("the ring is damaged: {0}")]
    Damaged(#[from] Damage),
}

/// What stands in a ring that no writer would have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("what stands at position {pos} is no entry of it")]
    NotAnEntry { pos: u64 },
    #[error("at position {pos} {fault}")]
    Entry { pos: u64, fault: EntryFault },
    #[error("it holds no codec parameters of generation {generation}")]
    NoParams { generation: u32 },
    #[error("the codec parameters of generation {generation} make no sense")]
    Params { generation: u32 },
}
