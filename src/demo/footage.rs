//! What the camera serves: coded frames in memory, ready to be cut into packets.
//!
//! Not here: packets (`packet`), time (`stream`).

use std::path::Path;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum FootageError {
    #[error("cannot read the footage {name}: {source}")]
    Io {
        name: String,
        source: std::io::Error,
    },
    #[error("{name} is no footage that the camera can serve: {why}")]
    Unusable { name: String, why: String },
}

/// Coded video and audio that is served in an endless loop. Immutable; shared by sessions.
#[derive(Debug)]
pub struct Footage {}

/// Frames in the bundled pattern; their numbers run from 0 to this less 1.
pub const PATTERN_FRAMES: u32 = 720;

impl Footage {
    /// The bundled pattern: 1280x720, 30 frames a second, a key frame each second, H.264 and AAC.
    pub fn pattern() -> Arc<Footage> {
        todo!()
    }

    /// An MP4 with one track of H.264 or H.265 (B-frames may be) and perhaps one of AAC, as FFmpeg writes it.
    pub fn from_mp4(path: &Path) -> Result<Arc<Footage>, FootageError> {
        let _ = path;
        todo!()
    }

    /// Made-up H.264 that no decoder can show, but of real parameter sets and given size: for benches.
    pub fn synthetic(
        bits_per_second: u64,
        frames_per_second: u32,
        gop_frames: u32,
    ) -> Arc<Footage> {
        let _ = (bits_per_second, frames_per_second, gop_frames);
        todo!()
    }

    /// Video frames in one loop; the numbers drawn in them run from 0 to this less 1.
    pub fn frames(&self) -> u32 {
        todo!()
    }
}
