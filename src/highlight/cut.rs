//! The cut as a state machine: access units in ring order in, a clip's index
//! and the facts for its sidecar out.
//!
//! What it takes is decided while the window still runs; what is shown, and
//! when, is decided in `finish` from the taken access units alone. So the facts
//! an exporter noted beside its temporary file, played back through
//! [`Cut::replay`], give the same clip.
//!
//! Not here: bytes and files (`export`), boxes (`mp4`).
//! Called by: export, recovery.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mapping::Certainty;
use super::window::{NoFootage, Plan};
use crate::media::{Alignment, AuMeta, Codec, Track, TrackParams};
use crate::mp4::ClipIndex;

/// What becomes of an offered access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Its bytes belong at the offset it was offered with.
    Take,
    /// It has no bytes for the clip, but says something about it (a gap, the
    /// proof of its end): note the fact.
    Note,
    Leave,
}

/// One thing that a cut was told; everything a salvage needs, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Params {
        generation: u32,
        params: TrackParams,
    },
    /// An AU that was taken. Also every AU with `flags.gap` (it has no bytes).
    Taken {
        pos: u64,
        au: AuMeta,
        offset: u64,
    },
    Lost {
        from_pos: u64,
        to_pos: u64,
    },
}

/// Why a clip ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// At the end of its window.
    Complete,
    /// The camera's picture ended before, and did not return in time.
    Camera,
    /// The camera changed its picture's parameters in a way that one clip cannot hold.
    ParametersChanged,
    /// The service was told to stop.
    Stopped,
    /// The service was restarted, and the ring held no more.
    Restart,
    /// The power went; this is what had reached the disk.
    Power,
}

/// Why something is missing from a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Packets were lost between camera and box.
    Lost,
    /// The camera sent nothing.
    Silent,
    /// The connection or the camera's clock began anew.
    Reconnected,
    /// The exporter was slower than the ring.
    Overtaken,
    /// A frame was too large for the ring.
    TooLarge,
    /// Parameters of the picture or the sound changed.
    ParametersChanged,
    /// The ring did not reach back that far.
    NotHeld,
}

/// A hole. Times in seconds from the clip's first frame, as played; what lies
/// outside the clip is before 0 or after its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    pub track: Track,
    pub start_sec: f64,
    pub end_sec: f64,
    pub reason: GapReason,
    /// RTP packets, as far as known.
    pub lost_packets: u64,
    /// With `too_large`: size of the frame that was left out.
    pub dropped_bytes: u64,
}

/// Frames that are shown but perhaps smeared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Damaged {
    pub start_sec: f64,
    pub end_sec: f64,
    pub frames: u64,
}

/// Facts of a finished clip, for its sidecar.
#[derive(Clone, Debug, PartialEq)]
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

/// The cut of one plan.
#[derive(Clone, Debug)]
pub struct Cut {
    #[allow(dead_code)]
    plan: Plan,
    params: BTreeMap<u32, TrackParams>,
}

impl Cut {
    pub fn new(plan: &Plan) -> Cut {
        Cut {
            plan: plan.clone(),
            params: BTreeMap::new(),
        }
    }

    /// True if parameters of this generation must be told before its AUs are offered.
    pub fn needs_params(&self, generation: u32) -> bool {
        !self.params.contains_key(&generation)
    }

    pub fn params(&mut self, generation: u32, params: &TrackParams) {
        self.params.insert(generation, params.clone());
    }

    /// Offers the AU at `pos`; AUs come in ring order, from `plan.first_pos`.
    /// `offset` is where its bytes would lie in the clip's data.
    pub fn offer(&mut self, pos: u64, au: &AuMeta, offset: u64) -> Offer {
        let _ = (pos, au, offset);
        todo!()
    }

    /// The ring's writer was faster: `[from_pos, to_pos)` will never be offered.
    pub fn lost(&mut self, from_pos: u64, to_pos: u64) {
        let _ = (from_pos, to_pos);
        todo!()
    }

    /// Plays back what an exporter noted.
    pub fn replay(&mut self, fact: &Fact) {
        let _ = fact;
        todo!()
    }

    /// Every track was proved complete by an AU, or an AU arrived later than
    /// the limits allow: read no further. Holds whether the AUs are read live or long after.
    pub fn done(&self) -> bool {
        todo!()
    }

    /// The latest instant to wait for, `CLOCK_MONOTONIC` in nanoseconds: 300 ms after the
    /// first track was complete, else 3 s after the mapped end.
    pub fn deadline_mono_ns(&self) -> u64 {
        todo!()
    }

    /// `done`, or past the deadline. To be asked with an instant taken *before* the
    /// reader looked at the ring's head and found nothing more to offer.
    pub fn complete(&self, drained_mono_ns: u64) -> bool {
        self.done() || drained_mono_ns > self.deadline_mono_ns()
    }

    /// Expected instant of the window's end, `CLOCK_MONOTONIC` in nanoseconds: poll tightly near it.
    pub fn wake_hint_mono_ns(&self) -> u64 {
        todo!()
    }

    /// Decides the clip. `ended`: what made the exporter stop reading
    /// (`Complete` becomes `Camera` or `ParametersChanged` where that is so).
    pub fn finish(self, ended: Ended) -> Result<Finished, NoFootage> {
        let _ = ended;
        todo!()
    }
}
