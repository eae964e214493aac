//! The sidecar: the JSON beside a clip, the one durable record of the
//! highlight's state. Its schema is `schemas/sidecar.schema.json`.
//!
//! Not here: when it is written (`close`), read (`recover`, `list`), checked (`verify`).
//! Called by: those.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::cut::{CutReport, Damaged, Ended, Gap};
use super::mapping::Certainty;
use crate::base::{BootId, CameraId, Press, PressId, Source, Wall};
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
    pub timezone: &'a TimeZone,
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
        Sidecar {
            status: match suspect {
                Some(_) => Status::Suspect,
                None => Status::Queued,
            },
            reason: suspect,
            file_name: Some(file.file_name),
            size_bytes: Some(file.size_bytes),
            sha256: Some(file.sha256),
            meta: Some(Meta {
                codec: report.codec,
                width: report.width,
                height: report.height,
                fps: report.fps,
                duration_sec: report.duration_sec,
                audio_codec: report.audio_codec,
            }),
            pre_seconds: report.pre_seconds,
            post_seconds: report.post_seconds,
            ended: Some(report.ended),
            gaps: report.gaps.clone(),
            damaged: report.damaged.clone(),
            clock: ClockFacts {
                mapping: Some(MappingFacts {
                    press_90k: report.press_90k,
                    anchor_90k: report.anchor_90k,
                    anchor_mono_ns: report.anchor_mono_ns,
                }),
                certainty: Some(report.certainty),
                alignment: report.alignment,
                ..clock(about)
            },
            notes: report.notes.clone(),
            ..Sidecar::without_clip(about, String::new())
        }
    }

    /// Instead of a clip.
    pub fn without_clip(about: &About<'_>, reason: String) -> Sidecar {
        let press = about.press;
        Sidecar {
            kind: Kind::Highlight,
            status: Status::None,
            reason: Some(reason),
            created_at: rfc3339(press.wall_unix_ns, about.timezone),
            press_id: press.id.clone(),
            camera: CameraFacts {
                id: about.camera_id.clone(),
                name: about.camera_name.to_owned(),
            },
            source: press.source,
            file_name: None,
            size_bytes: None,
            sha256: None,
            meta: None,
            pre_seconds: 0.0,
            post_seconds: 0.0,
            requested: Requested {
                pre_seconds: seconds(press.pre_ms),
                post_seconds: seconds(press.post_ms),
            },
            ended: None,
            gaps: Vec::new(),
            damaged: Vec::new(),
            clock: clock(about),
            notes: Vec::new(),
        }
    }

    /// A press of this boot gets the wall time that it really had, now that
    /// the clock is set: `wall` was read at `mono_ns`.
    pub fn correct_clock(&mut self, wall: Wall, mono_ns: u64, timezone: &TimeZone) {
        let since_press_ns = i128::from(mono_ns) - i128::from(self.clock.press_mono_ns);
        let at_press = i128::from(wall.unix_ns) - since_press_ns;
        self.created_at = rfc3339(i64::try_from(at_press).unwrap_or(wall.unix_ns), timezone);
        self.clock.wall_synchronised = wall.synchronised;
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
            Status::Queued | Status::Suspect if has_clip.contains(&false) => {
                Some("a clip without file_name, size_bytes, sha256, meta or ended".to_owned())
            }
            _ => None,
        }
    }
}

fn clock(about: &About<'_>) -> ClockFacts {
    ClockFacts {
        boot_id: about.press.boot_id,
        wall_synchronised: about.press.wall_synchronised,
        press_mono_ns: about.press.instant_mono_ns,
        latency_ms: about.latency_ms,
        mapping: None,
        certainty: None,
        alignment: None,
    }
}

fn seconds(ms: u64) -> f64 {
    // Exact for any window that a ring can hold.
    ms as f64 / 1000.0
}

/// A wall time to the millisecond, with the venue's offset.
pub fn rfc3339(unix_ns: i64, timezone: &TimeZone) -> String {
    let ms = unix_ns.div_euclid(1_000_000);
    let stamp = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let offset = timezone.to_offset(stamp);
    format!("{:.3}", stamp.display_with_offset(offset))
}
