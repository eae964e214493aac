//! The shared-memory ring: a camera's last seconds, preallocated.
//!
//! One writer, any number of readers in any process, who map the file
//! read-only and register nowhere. The writer never waits and never fails.
//!
//! Not here: RTSP (`ingest`), what a window is (`highlight`).
//! Called by: ingest (writes), highlight, tap, app (read).

use std::path::{Path, PathBuf};

use crate::base::{BootId, CameraId};
use crate::media::{AuMeta, TrackParams};

/// Size and place of one camera's ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingSpec {
    pub dir: PathBuf,
    pub camera: CameraId,
    pub boot_id: BootId,
    /// Bytes of the area that holds AUs.
    pub data_bytes: u64,
    /// Entries of the index.
    pub entries: u64,
}

impl RingSpec {
    /// `seconds` × `max_bitrate_bps`, with entries for 60 video frames and
    /// 50 audio frames a second.
    pub fn sized(
        dir: &Path,
        camera: CameraId,
        boot_id: BootId,
        seconds: u32,
        max_bitrate_bps: u64,
    ) -> RingSpec {
        let _ = (dir, camera, boot_id, seconds, max_bitrate_bps);
        todo!()
    }
    /// `<dir>/hindsight-<camera>`.
    pub fn path(&self) -> PathBuf {
        todo!()
    }
    /// All of the file: header, index, bytes.
    pub fn file_bytes(&self) -> u64 {
        todo!()
    }
}

/// How a writer found its ring.
#[derive(Debug)]
pub enum Opened {
    /// A new file.
    Created,
    /// The file of an earlier process: what it holds stays readable.
    Adopted { entries_held: u64 },
    /// The file did not fit (size, layout, boot id, damage). It was marked
    /// `ended` and unlinked; `old` still reads it where it could be read.
    Replaced {
        why: String,
        old: Option<RingReader>,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum RingError {
    #[error("{path}: {what}: {source}")]
    Io {
        path: PathBuf,
        what: &'static str,
        source: std::io::Error,
    },
    #[error(
        "{path} is not on tmpfs: a ring would wear out the disk; put [ring] dir on tmpfs, such as /dev/shm"
    )]
    NotTmpfs { path: PathBuf },
    #[error("{path} is written by another process: is a second hindsight running?")]
    Locked { path: PathBuf },
    #[error("{path} cannot be read as a ring: {why}")]
    Damaged { path: PathBuf, why: String },
}

/// What became of a pushed AU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Stored {
        pos: u64,
    },
    /// Larger than a quarter of the byte area: a gap entry stands at `pos` instead.
    TooLarge {
        pos: u64,
        limit: u64,
    },
}

/// The only one who writes. Dropping it leaves the file for the next start.
#[derive(Debug)]
pub struct RingWriter {}

impl RingWriter {
    pub fn open(spec: &RingSpec) -> Result<(RingWriter, Opened), RingError> {
        let _ = spec;
        todo!()
    }
    /// Starts the next epoch and returns its number; the first call after `open` must precede `push`.
    pub fn begin_epoch(&mut self) -> u32 {
        todo!()
    }
    /// Makes `params` known and returns their generation; the same parameters
    /// as the newest of their track give the same generation again.
    pub fn set_params(&mut self, params: &TrackParams) -> u32 {
        let _ = params;
        todo!()
    }
    /// Appends an AU. `meta.len` is ignored (it is `data.len()`). Never waits, never fails.
    pub fn push(&mut self, meta: &AuMeta, data: &[u8]) -> Pushed {
        let _ = (meta, data);
        todo!()
    }
}

/// Why a position could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    Damaged(String),
}

/// Follows a ring. Cheap to clone (one mapping behind it); `Send + Sync`.
#[derive(Clone, Debug)]
pub struct RingReader {}

impl RingReader {
    /// By camera; works on the ring of a dead process.
    pub fn open(dir: &Path, camera: &CameraId) -> Result<RingReader, RingError> {
        let _ = (dir, camera);
        todo!()
    }
    pub fn boot_id(&self) -> BootId {
        todo!()
    }
    /// Position after the newest AU.
    pub fn head(&self) -> u64 {
        todo!()
    }
    /// Oldest position still whole; equal to `head` when empty.
    pub fn oldest(&self) -> u64 {
        todo!()
    }
    /// True once a writer replaced the file.
    pub fn ended(&self) -> bool {
        todo!()
    }
    /// The entry at `pos` without its bytes.
    pub fn meta(&self, pos: u64) -> Result<AuMeta, ReadError> {
        let _ = pos;
        todo!()
    }
    /// The entry at `pos`; its bytes are appended to `into` (left as it was on error).
    pub fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, ReadError> {
        let _ = (pos, into);
        todo!()
    }
    /// Parameters of a generation that an entry still held names.
    pub fn params(&self, generation: u32) -> Result<TrackParams, ReadError> {
        let _ = generation;
        todo!()
    }
}
