//! How a cut is described in its clip's sidecar, or that there is no clip.
//!
//! Not here: the sidecar itself (`queue`), when it is written (`commit`).

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::base::quantity::ToFloat;
use crate::base::{CameraId, Press, Sentence};
use crate::cut::CutReport;
pub use crate::queue::sidecar::*;

/// What the exporter knows of a press and a camera.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub press: &'a Press,
    pub camera_name: &'a str,
    /// What people call the place it looks at.
    pub court: Option<&'a str>,
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
        suspect: Option<&Sentence>,
    ) -> Sidecar {
        Sidecar {
            status: match suspect {
                Some(_) => Status::Suspect,
                None => Status::Queued,
            },
            reason: suspect.map(|why| why.text.clone()),
            reason_code: suspect.map(|why| why.code.clone()),
            reason_args: suspect.map(|why| why.args.clone()).unwrap_or_default(),
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
            notes: report.notes.iter().map(|note| note.text.clone()).collect(),
            note_codes: report.notes.clone(),
            ..Sidecar::blank(about)
        }
    }

    /// Instead of a clip.
    pub fn without_clip(about: &About<'_>, reason: &Sentence) -> Sidecar {
        Sidecar {
            reason: Some(reason.text.clone()),
            reason_code: Some(reason.code.clone()),
            reason_args: reason.args.clone(),
            ..Sidecar::blank(about)
        }
    }

    /// Of a press, and nothing else.
    fn blank(about: &About<'_>) -> Sidecar {
        let press = about.press;
        Sidecar {
            kind: Kind::Highlight,
            status: Status::None,
            reason: None,
            reason_code: None,
            reason_args: BTreeMap::new(),
            created_at: rfc3339(press.wall_unix_ns, about.timezone),
            press_id: press.id.clone(),
            camera: SidecarCamera {
                id: about.camera_id.clone(),
                name: about.camera_name.to_owned(),
            },
            source: press.source,
            button: press.button.clone(),
            court: about.court.map(str::to_owned),
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
            note_codes: Vec::new(),
            stage: None,
            attempts: 0,
            last_error: None,
            last_error_code: None,
            last_error_args: BTreeMap::new(),
            updated_at: None,
            wm_path: None,
            vertical_path: None,
            thumbnail_path: None,
            meta_wm: None,
            uploads: Vec::new(),
            removed: None,
            dropped: false,
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
    ms.to_float() / 1000.0
}
