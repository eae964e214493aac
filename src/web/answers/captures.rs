//! The cameras, and the presses that are not done, in `/status`.

use serde::Serialize;

use super::said::{SentenceCode, TroubleView};
use crate::base::{CameraId, Press};

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapturesView {
    /// In the order of the config.
    pub cameras: Vec<CameraView>,
    /// Acknowledged presses that are not done, oldest first.
    pub pending: Vec<PendingView>,
    pub presses_taken: u64,
    pub presses_refused: u64,
    pub clips_committed: u64,
    pub clips_suspect: u64,
    pub clips_none: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CameraView {
    pub camera_id: CameraId,
    pub name: String,
    pub state: CameraPhase,
    pub since_mono_ns: u64,
    /// Arrival of the newest stored access unit; null before the first.
    pub last_au_mono_ns: Option<u64>,
    pub last_au_ago_ms: Option<u64>,
    /// Why it is not streaming, or what is odd while it is; empty if all is well.
    pub reason: String,
    pub reason_code: Option<SentenceCode>,
    /// Connections tried since the start.
    pub attempts: u64,
    /// Connections that came to streaming since the start.
    pub connections: u64,
    pub next_try_in_ms: Option<u64>,
    /// "H.264 1920x1080", once known.
    pub video: Option<String>,
    /// "AAC 48000 Hz, 2 channels", once known.
    pub audio: Option<String>,
    pub lost_packets: u64,
    /// Stored since the start.
    pub access_units: u64,
    /// Left out because no key frame had come yet.
    pub skipped_access_units: u64,
    pub too_large_access_units: u64,
    /// Stored since the start.
    pub bytes: u64,
    pub epochs: u32,
    /// Over the last seconds; 0 while unknown.
    pub bitrate_bps: u64,
    /// Longest distance between key frames of this connection.
    pub longest_gop_ms: u64,
    /// How the ring was found at the start.
    pub ring: String,
    pub ring_code: SentenceCode,
    /// "needs the relay, because …": its RTSP has to be mended on the way. No fault: its clips are whole.
    pub relay: Option<String>,
    pub relay_code: Option<SentenceCode>,
    /// What to change at the camera or in the config so that clips come out whole.
    #[cfg_attr(test, schemars(inner(length(min = 1))))]
    pub warnings: Vec<String>,
    /// Of the warnings, in their order.
    pub warning_codes: Vec<SentenceCode>,
}

/// Where a camera's connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum CameraPhase {
    Connecting,
    Streaming,
    Waiting,
    RefusedPassword,
    GivenUp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PendingView {
    pub press: Press,
    pub exports: Vec<ExportView>,
}

/// One camera of a press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExportView {
    pub camera_id: CameraId,
    pub phase: PendingPhase,
    pub written_bytes: u64,
    /// 0 where it has.
    pub window_ends_in_ms: u64,
    /// With `retrying`: what the disk said.
    #[serde(flatten)]
    pub trouble: TroubleView,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum PendingPhase {
    /// For one of the places among those who write.
    Waiting,
    /// Its window runs, or its data is being written.
    Writing,
    Closing,
    /// The disk refused; tried again.
    Retrying,
    Done,
}
