//! What a camera serves, how, and what goes wrong when; and what it logs.
//!
//! Not here: serving (`camera`), what each fault does (`fault`).

use std::sync::Arc;

use super::fault::{CameraFault, When};
use super::footage::Footage;

/// When the camera's time (frame 0 of the first loop) begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// With the first PLAY: its client sees frame 0 first.
    FirstPlay,
    /// At this instant of `CLOCK_MONOTONIC`, in nanoseconds; it may be past. Cameras that share it show the same moment.
    MonoNs(u64),
    /// For each session apart, at moments spread evenly over the loop: many cameras behind
    /// one address, out of step with each other as real ones are. For benches.
    EachPlay,
}

/// Where a session enters the live stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// At the next key frame.
    NextKey,
    /// At the frame that is due, wherever in the GOP that is.
    MidGop,
    /// At the key frame before: what is past comes in one burst.
    Burst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Basic,
    Digest,
    /// By SHA-256, and the answer must name it.
    DigestSha256,
}

/// How long a nonce of Digest is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceLife {
    Connection,
    /// For one request.
    Once,
    /// For so long; who plays and signs with old ones is hung up on.
    Ms(u64),
}

/// Who may watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub username: String,
    pub password: String,
    pub scheme: Scheme,
    pub nonce: NonceLife,
}

/// What to serve, how, and what goes wrong when. The default serves the
/// bundled pattern with audio on an ephemeral port of loopback, without faults.
#[derive(Clone, Debug)]
pub struct Script {
    pub footage: Arc<Footage>,
    pub login: Option<Login>,
    /// How long after its capture a frame is sent: the camera's latency.
    pub delay_ms: u64,
    pub start_at: StartAt,
    pub join: Join,
    /// RTP timestamps at the start of the camera's time. Near `u32::MAX` they wrap soon.
    pub video_start_timestamp: u32,
    pub audio_start_timestamp: u32,
    /// Whether the audio of the footage is offered at all.
    pub audio: bool,
    /// Whether a track for talking to the camera is listed, before its own sound.
    pub back_channel: bool,
    /// Milliseconds between RTCP sender reports; `None`: none.
    pub sender_reports_ms: Option<u64>,
    /// How wrong the camera's wall clock is.
    pub wall_offset_ms: i64,
    /// Whether the answer to PLAY has an RTP-Info header.
    pub rtp_info: bool,
    /// Whether the SDP has the parameter sets.
    pub parameters_in_sdp: bool,
    /// Whether each key frame is preceded by the parameter sets.
    pub parameters_in_band: bool,
    /// Port to listen on; 0: any.
    pub port: u16,
    /// Of all chance (loss, SSRCs).
    pub seed: u64,
    /// Whether to keep [`Sent`] entries; benches need none.
    pub keep_log: bool,
    pub faults: Vec<(When, CameraFault)>,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            footage: Footage::pattern(),
            login: None,
            delay_ms: 0,
            start_at: StartAt::FirstPlay,
            join: Join::NextKey,
            video_start_timestamp: 900_000,
            audio_start_timestamp: 4_800_000,
            audio: true,
            back_channel: false,
            sender_reports_ms: Some(2_000),
            wall_offset_ms: 0,
            rtp_info: true,
            parameters_in_sdp: true,
            parameters_in_band: false,
            port: 0,
            seed: 1,
            keep_log: true,
            faults: Vec::new(),
        }
    }
}

/// A video frame that was sent, in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number drawn in it.
    pub frame_number: u32,
    /// Its RTP timestamp, extended to 64 bits as the session's client would: it starts below
    /// 2³² and runs on over wraps, loops and jumps.
    pub pts_90k: i64,
    /// When the camera "saw" it.
    pub capture_mono_ns: u64,
    /// Directly before its first packet was written.
    pub sent_mono_ns: u64,
    /// Counts the camera's sessions from 0.
    pub session: u32,
    pub key: bool,
    /// Whether all its packets were sent (no loss was scripted into it).
    pub whole: bool,
}

/// A request that came, in the order of coming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    pub method: String,
    /// Counts the camera's connections from 0.
    pub connection: u32,
    pub mono_ns: u64,
}
