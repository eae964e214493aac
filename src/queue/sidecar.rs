//! The sidecar: the JSON beside a clip, the one durable record of the
//! highlight's state. Its schema is `schemas/sidecar.schema.json`.
//!
//! Fields may be added, and none changes its meaning: a box that goes back to an older version reads
//! what it knows and leaves out the rest.
//!
//! Not here: how a cut is described in it (`highlight`), when it is read and checked.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::sentence::QueueSentence;
use crate::base::{Arg, BootId, CameraId, Coded, PressId, Sentence, Source, Wall};
pub use crate::cut::{Certainty, Damaged, Ended, Gap, GapReason};
use crate::media::{Alignment, Codec};

/// A sidecar is no larger, whatever its gaps.
pub const LARGEST_SIDECAR: u64 = 1 << 24;

/// How far the highlight is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A whole clip, waiting to be finished.
    Queued,
    /// FFmpeg is at work on it, or was when the box lost its power.
    Finishing,
    /// Ready to be uploaded, also where nothing had to be marked.
    Watermarked,
    /// On its way to at least one target.
    Uploading,
    /// Every target has proved that it holds it.
    Uploaded,
    /// `stage` is tried again; `last_error` says why.
    QueuedRetry,
    /// Given up at `stage` after `attempts`, with the whole of `last_error`; kept.
    Failed,
    /// Two readers disagree about the clip: kept, reported, never uploaded. `reason` is the difference.
    Suspect,
    /// There is no clip. `reason` says why.
    None,
}

impl Status {
    /// Whether a whole clip is described.
    pub fn has_whole_clip(self) -> bool {
        !matches!(self, Status::Suspect | Status::None)
    }
}

/// What is tried, or was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Finish,
    Upload,
}

/// The marked video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkedMeta {
    pub codec: Codec,
    pub width: u16,
    pub height: u16,
    pub fps: f64,
    pub duration_sec: f64,
    pub audio_codec: Option<Codec>,
    pub size_bytes: u64,
    /// 64 hex digits.
    pub sha256: String,
}

/// What was removed of a highlight that had been whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removed {
    /// The unmarked clip, once the marked one was proved (`keep_raw = false`); `file_name`,
    /// `size_bytes` and `sha256` say what it was.
    Raw,
    /// Everything: its time was over. Who reads this sees a removal that was cut short.
    All,
}

/// How far one upload target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    Waiting,
    Uploading,
    /// The far side has proved that it holds all files.
    Uploaded,
    Failed,
}

/// One upload target's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetState {
    /// The target's id in the configuration.
    pub target: String,
    pub status: UploadStatus,
    /// Only those that the far side answered.
    pub attempts: u32,
    pub last_error: Option<String>,
    /// With `last_error`, which is made of these; not in sidecars of versions that had no codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_code: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_error_args: BTreeMap<String, Arg>,
    /// RFC 3339 with the venue's offset.
    pub updated_at: String,
    /// Where the video is: a path or an object's key; never a signed URL.
    pub place: Option<String>,
    /// The adapter's own, to go on from after a restart (a multipart upload's id, say);
    /// `null` when nothing is under way. No secrets, no signed URLs.
    pub resume: Option<serde_json::Value>,
}

/// Text, code and arguments of an error as one; one without a code is of an earlier version.
fn error_of(
    text: Option<&String>,
    code: Option<&String>,
    args: &BTreeMap<String, Arg>,
) -> Option<Sentence> {
    let text = text?.clone();
    Some(match code {
        Some(code) => Sentence {
            code: code.clone(),
            args: args.clone(),
            text,
        },
        None => QueueSentence::Earlier { text }.sentence(),
    })
}

type ErrorFields = (Option<String>, Option<String>, BTreeMap<String, Arg>);

fn error_fields(error: Option<Sentence>) -> ErrorFields {
    match error {
        Some(Sentence { code, args, text }) => (Some(text), Some(code), args),
        None => Default::default(),
    }
}

impl TargetState {
    pub fn error(&self) -> Option<Sentence> {
        let code = self.last_error_code.as_ref();
        error_of(self.last_error.as_ref(), code, &self.last_error_args)
    }

    pub fn set_error(&mut self, error: Option<Sentence>) {
        (self.last_error, self.last_error_code, self.last_error_args) = error_fields(error);
    }
}

/// `type` of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Highlight,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
pub struct MappingFacts {
    pub press_90k: i64,
    pub anchor_90k: i64,
    pub anchor_mono_ns: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requested {
    pub pre_seconds: f64,
    pub post_seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SidecarCamera {
    pub id: CameraId,
    pub name: String,
}

/// The file, in the order of its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    #[serde(rename = "type")]
    pub kind: Kind,
    pub status: Status,
    /// With `suspect` and `none`.
    pub reason: Option<String>,
    /// Of `reason`; sidecars of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reason_args: BTreeMap<String, Arg>,
    /// RFC 3339 with the venue's offset: the press.
    pub created_at: String,
    pub press_id: PressId,
    pub camera: SidecarCamera,
    pub source: Source,
    /// Which button, where it was one.
    #[serde(default)]
    pub button: Option<String>,
    /// What people call the place the camera looks at.
    #[serde(default)]
    pub court: Option<String>,
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
    /// The same, those that have a code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub note_codes: Vec<Sentence>,
    /// With `queued_retry` and `failed`.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// Of the finishing, or of the target that has the most: only those that FFmpeg ran,
    /// or that the far side answered.
    #[serde(default)]
    pub attempts: u32,
    #[serde(default)]
    pub last_error: Option<String>,
    /// With `last_error`, which is made of these; not in sidecars of versions that had no codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error_code: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_error_args: BTreeMap<String, Arg>,
    /// RFC 3339 with the venue's offset: the last change of what stands from `stage` on.
    #[serde(default)]
    pub updated_at: Option<String>,
    /// File names in the sidecar's folder; `None`: not made.
    #[serde(default)]
    pub wm_path: Option<String>,
    #[serde(default)]
    pub vertical_path: Option<String>,
    #[serde(default)]
    pub thumbnail_path: Option<String>,
    /// Of `wm_path`.
    #[serde(default)]
    pub meta_wm: Option<MarkedMeta>,
    /// In the order of the configuration.
    #[serde(default)]
    pub uploads: Vec<TargetState>,
    #[serde(default)]
    pub removed: Option<Removed>,
    /// With `failed`: somebody took it out of the queue.
    #[serde(default)]
    pub dropped: bool,
}

impl Sidecar {
    /// A press of this boot gets the wall time that it really had, now that
    /// the clock is set: `wall` was read at `mono_ns`.
    pub fn correct_clock(&mut self, wall: Wall, mono_ns: u64, timezone: &TimeZone) {
        let since_press_ns = i128::from(mono_ns) - i128::from(self.clock.press_mono_ns);
        let at_press = i128::from(wall.unix_ns) - since_press_ns;
        self.created_at = rfc3339(i64::try_from(at_press).unwrap_or(wall.unix_ns), timezone);
        self.clock.wall_synchronised = wall.synchronised;
    }

    /// `reason` with its code, where it has one.
    pub fn reason_sentence(&self) -> Option<Sentence> {
        Some(Sentence {
            code: self
                .reason_code
                .clone()
                .unwrap_or_else(|| "clip_reason".to_owned()),
            args: self.reason_args.clone(),
            text: self.reason.clone()?,
        })
    }

    pub fn error(&self) -> Option<Sentence> {
        let code = self.last_error_code.as_ref();
        error_of(self.last_error.as_ref(), code, &self.last_error_args)
    }

    pub fn set_error(&mut self, error: Option<Sentence>) {
        (self.last_error, self.last_error_code, self.last_error_args) = error_fields(error);
    }

    /// The file's bytes: JSON for people, ending with a newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and lists only: nothing here can fail to be JSON.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Sidecar, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// What a sidecar must be beyond its shape; `None` if it is.
    pub fn contradiction(&self) -> Option<String> {
        let has_clip = [
            self.file_name.is_some(),
            self.size_bytes.is_some(),
            self.sha256.is_some(),
            self.meta.is_some(),
            self.ended.is_some(),
        ];
        let has_reason = self.reason.as_ref().is_some_and(|r| !r.trim().is_empty());
        match self.status {
            Status::None if !has_reason => Some("status \"none\" without a reason".to_owned()),
            Status::None if has_clip.contains(&true) => {
                Some("status \"none\", but it describes a clip".to_owned())
            }
            Status::Suspect if !has_reason => {
                Some("status \"suspect\" without a reason".to_owned())
            }
            Status::None => None,
            _ if has_clip.contains(&false) => {
                Some("a clip without file_name, size_bytes, sha256, meta or ended".to_owned())
            }
            _ => None,
        }
    }
}

/// A wall time to the millisecond, with the venue's offset.
pub fn rfc3339(unix_ns: i64, timezone: &TimeZone) -> String {
    let ms = unix_ns.div_euclid(1_000_000);
    let stamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let offset = timezone.to_offset(stamp);
    format!("{:.3}", stamp.display_with_offset(offset))
}
