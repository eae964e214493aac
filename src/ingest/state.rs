//! What ingest knows of its cameras, for status and health.
//!
//! Not here: what it means (`health`). Called by: app, through [`super::Ingest::states`].

use serde::Serialize;

use crate::base::CameraId;

/// Where a camera's connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being called, or connected and not yet sending pictures.
    #[default]
    Connecting,
    /// Pictures come.
    Streaming,
    /// Lost or never reached; tried again at `next_try_in_ms`.
    Waiting,
    /// It answers, but not to this user name and password; tried again, rarely.
    RefusedPassword,
    /// `reconnect.max_attempts` is spent: not tried again until a restart.
    GivenUp,
}

/// A snapshot of one camera. Plain data; nothing in it is secret.
#[derive(Clone, Debug, Serialize)]
pub struct CameraState {
    pub camera: CameraId,
    pub state: Phase,
    /// Since when `state` holds, `CLOCK_MONOTONIC`.
    pub since_mono_ns: u64,
    /// Arrival of the newest stored access unit; `None` before the first.
    pub last_au_mono_ns: Option<u64>,
    /// Why it is not streaming, or what is odd while it is; for people. Empty if all is well.
    pub reason: String,
    /// Connections tried since the start.
    pub attempts: u64,
    /// Connections that came to streaming since the start.
    pub connections: u64,
    /// While waiting: until the next try.
    pub next_try_in_ms: Option<u64>,
    /// "H.264 1920x1080", once known.
    pub video: Option<String>,
    /// "AAC 48000 Hz, 2 channels", once known; `None` also where it has none that we take.
    pub audio: Option<String>,
    /// RTP packets lost since the start.
    pub lost_packets: u64,
    /// Access units stored since the start, of both tracks.
    pub access_units: u64,
    /// Access units left out because no key frame had come yet.
    pub skipped_access_units: u64,
    /// Access units too large for the ring.
    pub too_large_access_units: u64,
    /// Bytes stored since the start.
    pub bytes: u64,
    /// Number of the newest epoch.
    pub epochs: u32,
    /// Bits per second of all tracks over the last seconds; 0 while unknown.
    pub bitrate_bps: u64,
    /// Longest distance between key frames of this connection.
    pub longest_gop_ms: u64,
    /// How the ring was found at the start: "created", "adopted …", "replaced …".
    pub ring: String,
    /// What to change at the camera or in the config so that clips come out
    /// whole: key frames too far apart, or more bits than the ring is sized for.
    pub warnings: Vec<String>,
}
