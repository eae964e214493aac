//! From a monotonic instant to a camera's media time, and back.
//!
//! A camera's clock is laid against `CLOCK_MONOTONIC` by the lower envelope of
//! (arrival − presentation time): the least delayed access unit is believed,
//! so network jitter moves nothing. An epoch has one mapping.
//!
//! Not here: which access units are asked (`window`), what is cut (`cut`).
//! Called by: window, cut.

use serde::{Deserialize, Serialize};

/// How far a mapping can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// At least 2 s of access units of the 30 s before the press.
    Certain,
    /// Fewer than 2 s of access units.
    Uncertain,
    /// The camera's epoch had ended, or not begun, at the press: its clock was
    /// carried on over the hole.
    Extrapolated,
}

/// One epoch's clock against `CLOCK_MONOTONIC`: the access unit with
/// presentation time `anchor_90k` is the one that came with the least delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub epoch: u32,
    /// Presentation time of the least delayed access unit, 90 kHz ticks.
    pub anchor_90k: i64,
    /// Its arrival, `CLOCK_MONOTONIC` in nanoseconds.
    pub anchor_mono_ns: u64,
}
