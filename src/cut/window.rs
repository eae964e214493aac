//! What is wished for, and the plan of its cut: where reading starts and which
//! media times the clip begins and ends at.
//!
//! Not here: how a plan is made (`plan`), the bytes (`machine` says which, `highlight` moves them).

use serde::{Deserialize, Serialize};

use super::mapping::Mapping;
use super::types::Certainty;
use crate::media::{AuMeta, TICKS_90K, Track};

/// What is wished for, of one camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `CLOCK_MONOTONIC` at the press, in nanoseconds.
    pub press_mono_ns: u64,
    /// How much later than reality the camera's picture arrives. The instant
    /// looked up is press + latency.
    pub latency_ms: u64,
    pub pre_ms: u64,
    pub post_ms: u64,
}

/// What to read, and what of it is shown. Journal it: after a restart the ring
/// may hold less than at the press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub window: Window,
    /// Where a reader of the ring starts.
    pub first_pos: u64,
    /// Where decoding starts: the first whole key frame at or behind it.
    pub key_pos: u64,
    /// The press on the timeline of the press's epoch (`mappings[0]`), 90 kHz.
    pub press_90k: i64,
    /// What is to be shown, `[start, end)`, on the same timeline. The clip
    /// starts with the frame on screen at `start_90k`.
    pub start_90k: i64,
    pub end_90k: i64,
    /// The press's epoch first, then the earlier ones that the ring holds.
    /// Epochs that begin after the press get theirs while they are read.
    pub mappings: Vec<Mapping>,
    pub certainty: Certainty,
    /// The ring also held audio near the window.
    pub audio: bool,
    /// How many video access units may stand before one that is shown earlier.
    pub reorder_depth: usize,
    /// How much of `pre` the ring does not hold, 90 kHz ticks.
    pub short_90k: i64,
    /// Milliseconds without an access unit before the press, if 3000 or more.
    pub stale_ms: Option<u64>,
}

impl Window {
    /// The instant that is looked up: when the picture captured at the press arrives.
    pub fn instant_mono_ns(&self) -> u64 {
        self.press_mono_ns.saturating_add(ms_to_ns(self.latency_ms))
    }

    /// When the window ends, by the monotonic clock.
    pub fn end_mono_ns(&self) -> u64 {
        self.instant_mono_ns()
            .saturating_add(ms_to_ns(self.post_ms))
    }
}

impl Plan {
    /// Of a press that was noted, before its camera was asked.
    pub fn unmade(window: Window) -> Plan {
        Plan {
            window,
            first_pos: 0,
            key_pos: 0,
            press_90k: 0,
            start_90k: 0,
            end_90k: 1,
            mappings: Vec::new(),
            certainty: Certainty::Extrapolated,
            audio: false,
            reorder_depth: 0,
            short_90k: 0,
            stale_ms: None,
        }
    }

    /// Whether a ring was asked for it.
    pub fn is_made(&self) -> bool {
        !self.mappings.is_empty()
    }

    /// The press's epoch against the monotonic clock; what the timeline of the clip refers to.
    pub fn reference(&self) -> Option<&Mapping> {
        self.mappings.first()
    }
}

/// Sound is read from so much before the window's start: what the snap to a
/// frame and a better alignment may move, and two frames of sound.
pub(super) const AUDIO_LEAD_90K: i64 = 3 * TICKS_90K / 2;

pub(super) const fn ms_to_ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

pub(super) fn ms_to_90k(ms: u64) -> i64 {
    i64::try_from(ms.saturating_mul(90)).map_or(FARTHEST_90K, |ticks| ticks.min(FARTHEST_90K))
}

/// Times beyond this are no times but damage; below it sums do not overflow.
const FARTHEST_90K: i64 = 1 << 57;

/// Whether an entry's times can be what a camera sent.
pub(super) fn is_plausible(au: &AuMeta) -> bool {
    [au.pts, au.pts_90k]
        .iter()
        .all(|t| t.unsigned_abs() <= FARTHEST_90K.unsigned_abs())
}

/// A whole key frame: decoding can start here.
pub(super) fn is_sound_key(au: &AuMeta) -> bool {
    au.track == Track::Video && au.flags.key && !au.flags.tainted && !au.flags.gap
}
