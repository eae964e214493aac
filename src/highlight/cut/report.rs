//! What a cut says about its clip: its length and picture, its place in time, what became of it.
//!
//! Not here: how that is found out (`finish`), the file that it goes into (`sidecar`).
//! Called by: cut, sidecar, export.

use serde::{Deserialize, Serialize};

use crate::media::{Alignment, Codec};
use crate::mp4::ClipIndex;
pub use crate::queue::sidecar::{Certainty, Damaged, Ended, Gap, GapReason};

/// Facts of a finished clip, for its sidecar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutReport {
    pub codec: Codec,
    pub width: u16,
    pub height: u16,
    /// `None` without sound.
    pub audio_codec: Option<Codec>,
    /// From the median distance of shown frames.
    pub fps: f64,
    /// Exactly as played.
    pub duration_sec: f64,
    /// What of the window lies before and behind the press, as played.
    pub pre_seconds: f64,
    pub post_seconds: f64,
    pub ended: Ended,
    pub gaps: Vec<Gap>,
    pub damaged: Vec<Damaged>,
    pub certainty: Certainty,
    /// The mapping in words and numbers: press on the media timeline and its anchor.
    pub press_90k: i64,
    pub anchor_90k: i64,
    pub anchor_mono_ns: u64,
    /// `None` without audio.
    pub alignment: Option<Alignment>,
    pub epochs: Vec<u32>,
    /// Sentences for people.
    pub notes: Vec<String>,
    /// Arrival of the AU that completed the last track: the end of the window.
    /// `None` where no AU did.
    pub end_of_window_mono_ns: Option<u64>,
    /// Monotonic instant of the first shown frame's presentation, by the mapping.
    pub first_frame_mono_ns: u64,
    pub frames_shown: u64,
}

/// A clip, decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// `created_unix_s` is 0: the exporter knows the wall clock.
    pub clip: ClipIndex,
    /// How much of the data the clip uses; what lies behind may be cut off.
    pub data_len: u64,
    pub report: CutReport,
}
