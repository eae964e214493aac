//! The shared-memory ring: a camera's last seconds, preallocated.
//!
//! One writer, any number of readers in any process, who map the file
//! read-only and register nowhere. The writer never waits and never fails.
//!
//! Not here: RTSP (`ingest`), what a window is (`highlight`).
//! Called by: ingest (writes), highlight, tap, app (read).

use std::path::{Path, PathBuf};

pub mod layout;
pub mod picture;
mod protocol;
mod reader;
mod shm;
mod writer;

#[cfg(test)]
mod tests;

use crate::base::{BootId, CameraId};

use layout::Layout;
pub use picture::{Limit, RingStats, picture};
pub use reader::RingReader;
pub use shm::require_tmpfs;
pub use writer::RingWriter;

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
    /// 50 audio frames a second, and for the bytes that filling up words costs.
    pub fn sized(
        dir: &Path,
        camera: CameraId,
        boot_id: BootId,
        seconds: u32,
        max_bitrate_bps: u64,
    ) -> RingSpec {
        let entries = u64::from(seconds) * (60 + 50);
        let bytes = u64::from(seconds).saturating_mul(max_bitrate_bps.div_ceil(8));
        let layout = Layout::new(bytes.saturating_add(entries * protocol::WORD), entries);
        RingSpec {
            dir: dir.to_owned(),
            camera,
            boot_id,
            data_bytes: layout.data_bytes,
            entries: layout.entries,
        }
    }

    /// `<dir>/hindsight-<camera>`.
    pub fn path(&self) -> PathBuf {
        path_of(&self.dir, &self.camera)
    }

    /// All of the file: header, index, bytes.
    pub fn file_bytes(&self) -> u64 {
        self.layout().file_bytes()
    }

    /// The sizes as they become: at least 2 entries, bytes in whole pages.
    fn layout(&self) -> Layout {
        Layout::new(self.data_bytes, self.entries)
    }

    /// Who holds its lock writes the ring. Camera ids have no dot, so it is no ring's name.
    fn lock_path(&self) -> PathBuf {
        self.dir.join(format!("hindsight-{}.lock", self.camera))
    }

    /// Where the ring is made before it gets its name.
    fn new_path(&self) -> PathBuf {
        self.dir.join(format!("hindsight-{}.new", self.camera))
    }
}

fn path_of(dir: &Path, camera: &CameraId) -> PathBuf {
    dir.join(format!("hindsight-{camera}"))
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
    #[error(
        "{path} has no room for a ring of {} MB, only {} MB are free: lower [ring] seconds or max_bitrate, or make that tmpfs larger",
        .needed.div_ceil(1_000_000), .free / 1_000_000
    )]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
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
