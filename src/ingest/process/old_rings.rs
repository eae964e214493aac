//! Rings of the time before this start: a process that cannot adopt one puts another in its place, and
//! pending presses are still to be exported from the old one. Held open by the service meanwhile.
//!
//! Not here: adopting (`ring`).

use nix::sys::statvfs::statvfs;

use crate::base::CameraId;
use crate::ring::{RingReader, RingSpec};

use super::super::settings::Settings;

/// What has the rings' names before anybody may replace it.
pub fn before(settings: &Settings) -> Vec<(CameraId, RingReader)> {
    let mut free = free_bytes(settings);
    let mut held = Vec::new();
    for camera in &settings.cameras {
        let Ok(ring) = RingReader::open(&settings.ring.dir, &camera.id) else {
            continue;
        };
        // Where there is room for one only, the old one has to go, which it cannot while it is held.
        let new = new_bytes(settings, &camera.id, &ring);
        if let Some(left) = free.checked_sub(new) {
            free = left;
            held.push((camera.id.clone(), ring));
        }
    }
    held
}

/// Of these, those whose place another has taken.
pub fn replaced(before: Vec<(CameraId, RingReader)>) -> Vec<(CameraId, RingReader)> {
    let gone = |(_, ring): &(CameraId, RingReader)| ring.ended();
    before.into_iter().filter(gone).collect()
}

fn free_bytes(settings: &Settings) -> u64 {
    statvfs(&settings.ring.dir).map_or(0, |of| {
        // Narrower on a machine of 32 bits.
        #[allow(clippy::useless_conversion)]
        let (blocks, size) = (
            u64::from(of.blocks_available()),
            u64::from(of.fragment_size()),
        );
        blocks.saturating_mul(size)
    })
}

/// Of the ring that would take its place; nothing where it will be adopted.
fn new_bytes(settings: &Settings, camera: &CameraId, ring: &RingReader) -> u64 {
    let wanted = RingSpec::sized(
        &settings.ring.dir,
        camera.clone(),
        settings.boot_id,
        settings.ring.seconds,
        settings.ring.max_bitrate_bps,
    );
    let as_wanted = ring.boot_id() == settings.boot_id
        && ring.data_bytes() == wanted.data_bytes
        && ring.entries() == wanted.entries;
    if as_wanted { 0 } else { wanted.file_bytes() }
}
