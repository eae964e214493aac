//! The sidecar: the JSON beside a clip, the one durable record of the
//! highlight's state. Its schema is `schemas/sidecar.schema.json`.
//!
//! Not here: when it is written (`export`, `recovery`).
//! Called by: export, recovery, verify, web's listing.

use serde::{Deserialize, Serialize};

use super::cut::{CutReport, Damaged, Ended, Gap};
use super::mapping::Certainty;
use crate::base::{BootId, CameraId, Press, PressId, Source};
use crate::media::{Alignment, Codec};

/// What is to be done with the clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A whole clip, waiting for what comes next.
    Queued,
    /// Two readers disagree about the clip: kept, reported, never uploaded. `reason` is the difference.
    Suspect,
    /// There is no clip. `reason` says why.
    None,
}

/// `type` of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Highlight,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub codec: Codec,
    pub width: u16,
    pub height: u16,
    pub fps: f64,
    /// As played.
    pub duration_sec: f64,
    /// `None` without sound.
    pub audio_codec: Option<Codec>,
}

/// The camera's clock against the box's, and the box's against the world's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockFacts {
    pub boot_id: BootId,
    pub wall_synchronised: bool,
    pub press_mono_ns: u64,
    pub latency_ms: u64,
    /// `None` where nothing could be mapped (no clip).
    pub mapping: Option<MappingFacts>,
    pub certainty: Option<Certainty>,
    /// How sound was placed on the picture's timeline.
    pub alignment: Option<Alignment>,
}

/// The picture at `anchor_90k` came at `anchor_mono_ns` with the least delay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingFacts {
    pub press_90k: i64,
    pub anchor_90k: i64,
    pub anchor_mono_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    pub pre_seconds: f64,
    pub post_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraFacts {
    pub id: CameraId,
    pub name: String,
}

/// The file, in the order of its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    #[serde(rename = "type")]
    pub kind: Kind,
    pub status: Status,
    /// With `suspect` and `none`.
    pub reason: Option<String>,
    /// RFC 3339 with the venue's offset: the press.
    pub created_at: String,
    pub press_id: PressId,
    pub camera: CameraFacts,
    pub source: Source,
    /// `None` without clip, as `size_bytes`, `sha256`, `meta` and `ended` are.
    pub file_name: Option<String>,
    pub size_bytes: Option<u64>,
    /// 64 hex digits.
    pub sha256: Option<String>,
    pub meta: Option<Meta>,
    /// As played: before and behind the press.
    pub pre_seconds: f64,
    pub post_seconds: f64,
    pub requested: Requested,
    pub ended: Option<Ended>,
    pub gaps: Vec<Gap>,
    pub damaged: Vec<Damaged>,
    pub clock: ClockFacts,
    /// Sentences for people.
    pub notes: Vec<String>,
}

/// What the exporter knows of a press and a camera.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub press: &'a Press,
    pub camera_name: &'a str,
    pub camera_id: &'a CameraId,
    pub latency_ms: u64,
    pub timezone: &'a jiff::tz::TimeZone,
}

/// A clip on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    pub file_name: String,
    pub size_bytes: u64,
    pub sha256: String,
}

impl Sidecar {
    /// Beside a clip; `suspect` is the difference where two readers disagree.
    pub fn for_clip(
        about: &About<'_>,
        file: FileFacts,
        report: &CutReport,
        suspect: Option<String>,
    ) -> Sidecar {
        let _ = (about, file, report, suspect);
        todo!()
    }

    /// Instead of a clip.
    pub fn without_clip(about: &About<'_>, reason: String) -> Sidecar {
        let _ = (about, reason);
        todo!()
    }

    /// The file's bytes: JSON for people, ending with a newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Sidecar, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
