//! `GET /status`.

use serde::Serialize;

use super::board::BoardView;
use super::captures::CapturesView;
use super::health::HealthView;
use super::queue::QueueView;
use super::rings::RingView;

/// Times ending in _mono_ns are nanoseconds of the box's `CLOCK_MONOTONIC`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusAnswer {
    /// RFC 3339 with the venue's offset.
    #[cfg_attr(
        test,
        schemars(regex(
            pattern = r"^-?\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}[+-]\d{2}:\d{2}$"
        ))
    )]
    pub timestamp: String,
    #[serde(flatten)]
    pub snapshot: StatusSnapshot,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusSnapshot {
    pub status: ServicePhase,
    pub captures: CapturesView,
    /// In the order of the config.
    pub buffers: Vec<RingView>,
    pub queue: QueueView,
    pub board: BoardView,
    pub health: HealthView,
}

/// stopping: no more presses are taken, open windows run to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ServicePhase {
    Running,
    Stopping,
}
