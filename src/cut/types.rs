//! What a cut says about its clip: its length and picture, its place in time, why it ends, what is missing.
//!
//! Not here: how that is found out (`finish`), the file that it goes into (`queue::sidecar`).

use serde::{Deserialize, Deserializer, Serialize};

use crate::base::Sentence;
use crate::media::{Alignment, Codec, Track};
use crate::mp4::ClipIndex;

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

/// Why a clip ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
pub struct Gap {
    pub track: Track,
    pub start_sec: f64,
    pub end_sec: f64,
    pub reason: GapReason,
    /// RTP packets, as far as known.
    pub lost_packets: u64,
    /// Ring entries that a slow reader missed, or frames left out.
    pub lost_access_units: u64,
    /// With `too_large`: size of the frame that was left out.
    pub dropped_bytes: u64,
}

/// Frames that are shown but perhaps smeared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Damaged {
    pub start_sec: f64,
    pub end_sec: f64,
    pub frames: u64,
}

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
    /// For people. Reports of clips that an earlier version wrote have their texts only.
    #[serde(deserialize_with = "notes")]
    pub notes: Vec<Sentence>,
    /// Arrival of the AU that completed the last track: the end of the window.
    /// `None` where no AU did.
    pub end_of_window_mono_ns: Option<u64>,
    /// Monotonic instant of the first shown frame's presentation, by the mapping.
    pub first_frame_mono_ns: u64,
    pub frames_shown: u64,
}

/// A clip, decided.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedCut {
    /// `created_unix_s` is 0: the exporter knows the wall clock.
    pub clip: ClipIndex,
    /// How much of the data the clip uses; what lies behind may be cut off.
    pub data_len: u64,
    /// The last bytes of the data, which nobody has written yet: sound of cameras that send PCM, as FLAC.
    pub sound: Vec<u8>,
    pub report: CutReport,
}

fn notes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Sentence>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Note {
        Coded(Sentence),
        Text(String),
    }
    let notes: Vec<Note> = Vec::deserialize(from)?;
    let coded = notes.into_iter().map(|note| match note {
        Note::Coded(sentence) => sentence,
        Note::Text(text) => Sentence {
            code: "clip_note".to_owned(),
            args: Default::default(),
            text,
        },
    });
    Ok(coded.collect())
}
