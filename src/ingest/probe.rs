//! A short look at a camera, for `check`.
//!
//! Not here: the ring; nothing is stored. Called by: app.

use std::time::Duration;

use serde::Serialize;

use crate::config::checked::Camera;

/// What a camera sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Probe {
    /// "H.264" or "H.265".
    pub codec: String,
    pub width: u16,
    pub height: u16,
    pub fps: f64,
    /// Of all tracks taken.
    pub bitrate_bps: u64,
    /// Distances between key frames; `None` where fewer than two were seen.
    pub shortest_gop_ms: Option<u64>,
    pub longest_gop_ms: Option<u64>,
    pub key_frames: u64,
    /// "AAC 48000 Hz, 2 channels".
    pub audio: Option<String>,
    /// Tracks of both kinds reported their clock; audio is aligned by it.
    pub sender_reports: bool,
    pub b_frames: bool,
    pub lost_packets: u64,
    /// How long was looked at.
    pub watched_ms: u64,
    /// Sentences for people: audio left out, recovery points only, …
    pub warnings: Vec<String>,
}

/// Why nothing can be said of a camera; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProbeError(pub String);

/// Connects, watches until two whole GOPs were seen or `limit` is over, and
/// leaves. Blocks; makes its own runtime.
pub fn probe(camera: &Camera, limit: Duration) -> Result<Probe, ProbeError> {
    let _ = (camera, limit);
    todo!()
}
