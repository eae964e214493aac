//! What the queue is started with, what it tells, and why a wish is not fulfilled.
//!
//! Not here: the work that it asks of others (`work`).

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::sidecar::{self, Stage};
use super::work::Failure;
use crate::base::{Backoff, BootId, CameraId, PressId};
use crate::config::QueueSettings;

/// Twice as long each time, never the same for two boxes, at most ten minutes.
pub const BACKOFF: Backoff = Backoff {
    first_ms: 2_000,
    cap_ms: 600_000,
    spread_percent: 50,
};

/// What the room is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub queue: QueueSettings,
    /// Clips that are finished at once.
    pub finish_jobs: usize,
    /// The configuration wants a marked video, and a vertical one.
    pub marks: bool,
    pub vertical: bool,
    /// Of the venue, for times in sidecars.
    pub timezone: TimeZone,
    pub boot_id: BootId,
    /// Room that presses need: below it they are refused.
    pub reserve_bytes: u64,
    pub backoff: Backoff,
    /// Of the jitter.
    pub seed: u64,
}

/// What others want to hear of as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A turn begins.
    Began {
        press_id: PressId,
        camera: CameraId,
        stage: Stage,
        /// With `Stage::Upload`.
        target: Option<String>,
    },
    /// Its files are there; `None`: not made. Absolute paths.
    Finished {
        press_id: PressId,
        camera: CameraId,
        marked: Option<PathBuf>,
        vertical: Option<PathBuf>,
        thumbnail: Option<PathBuf>,
        /// Sentences for people.
        notes: Vec<String>,
        took_ms: u64,
    },
    /// The target has proved that it holds it.
    Uploaded {
        press_id: PressId,
        camera: CameraId,
        target: String,
        place: String,
        took_ms: u64,
    },
    /// A turn came to nothing: what it means for the job, `failure` says.
    Failed {
        press_id: PressId,
        camera: CameraId,
        stage: Stage,
        target: Option<String>,
        failure: Failure,
    },
    /// Nothing more is to be done: `watermarked` without targets, else `uploaded`.
    Done {
        press_id: PressId,
        camera: CameraId,
        status: sidecar::Status,
    },
}

/// Which jobs are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By id, or a part of it that fits one press only.
    Id(String),
    Failed,
}
