//! The rings in `/status`.

use serde::Serialize;

use super::captures::PendingPhase;
use super::said::TroubleView;
use crate::base::{CameraId, PressId};

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum RingView {
    Open(Box<OpenRingView>),
    /// It cannot be read.
    Unread(UnreadRingView),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnreadRingView {
    pub camera_id: CameraId,
    #[serde(flatten)]
    pub trouble: TroubleView,
    pub readers: Vec<RingReaderView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenRingView {
    pub camera_id: CameraId,
    /// From the arrival of the oldest access unit to that of the newest.
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub seconds_held: f64,
    /// What it would hold when full, at the rate of what it holds.
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub seconds_max: f64,
    pub entries_held: u64,
    pub entries_max: u64,
    pub bytes_held: u64,
    pub bytes_max: u64,
    pub memory_bytes: u64,
    pub video_frames: u64,
    pub audio_frames: u64,
    pub key_frames: u64,
    /// Access units before which packets were lost, and access units too large for the ring.
    pub gaps: u64,
    pub tainted: u64,
    pub bitrate_bps: u64,
    /// Of video; 0 while unknown.
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub fps: f64,
    pub longest_gop_ms: Option<u64>,
    pub shortest_gop_ms: Option<u64>,
    pub last_arrival_mono_ns: Option<u64>,
    /// Different epochs among what is held.
    pub epochs: u64,
    pub limit: RingLimit,
    /// Exports of this service that follow the ring; `hindsight ring` knows other programs too.
    pub readers: Vec<RingReaderView>,
}

/// What runs out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum RingLimit {
    Entries,
    Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RingReaderView {
    pub kind: RingReaderKind,
    pub press_id: PressId,
    pub phase: PendingPhase,
    pub written_bytes: u64,
    pub window_ends_in_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum RingReaderKind {
    Export,
}
