//! What the room tells as it happens.
//!
//! Not here: who listens; what it says when it is asked (`types`).

use std::path::PathBuf;

use crate::base::{CameraId, PressId, Sentence};

/// So many events a listener may be behind.
pub const CAPACITY: usize = 1024;

/// What others want to hear of as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The clip has its final name and survives a power cut.
    Committed {
        press_id: PressId,
        camera: CameraId,
        /// Absolute.
        path: PathBuf,
        /// Arrival of the AU that completed the last track, or the press where
        /// the window was over by then; `None` where no AU completed it.
        end_of_window_mono_ns: Option<u64>,
        committed_mono_ns: u64,
        duration_ms: u64,
        notes: Vec<Sentence>,
    },
    /// The press ended without a clip of this camera; its sidecar says why.
    NoClip {
        press_id: PressId,
        camera: CameraId,
        reason: Sentence,
    },
    /// Every camera of the press has its sidecar.
    Retired { press_id: PressId },
}
