//! Size and place of a ring: which file, how large.
//!
//! Not here: what stands in the file (`layout`).

use std::path::{Path, PathBuf};

use crate::base::{BootId, CameraId};

use super::layout::RingLayout;
use super::protocol;

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
        let layout = RingLayout::new(bytes.saturating_add(entries * protocol::WORD), entries);
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
    pub(super) fn layout(&self) -> RingLayout {
        RingLayout::new(self.data_bytes, self.entries)
    }

    /// Who holds its lock writes the ring. Camera ids have no dot, so it is no ring's name.
    pub(super) fn lock_path(&self) -> PathBuf {
        self.dir.join(format!("hindsight-{}.lock", self.camera))
    }

    /// Where the ring is made before it gets its name.
    pub(super) fn new_path(&self) -> PathBuf {
        self.dir.join(format!("hindsight-{}.new", self.camera))
    }
}

pub(super) fn path_of(dir: &Path, camera: &CameraId) -> PathBuf {
    dir.join(format!("hindsight-{camera}"))
}
