//! `POST /save-clip`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::queue::JobStatus;
use super::said::SaidAnswer;
use crate::base::sentence::Arg;
use crate::base::{CameraId, PressId, Refusal};
use crate::cut::Ended;

/// The cameras of a press, as they were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum AskedCameras {
    All(AllCameras),
    One(CameraId),
    Several(Vec<CameraId>),
}

/// The word for all cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum AllCameras {
    #[serde(rename = "all")]
    All,
}

/// To a press that was understood, whether it was taken or not.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend(
    "if" = {"properties": {"success": {"const": true}}},
    "then" = {"properties": {"press_id": {"type": "string"}}},
    "else" = {"properties": {"press_id": {"type": "null"}}},
)))]
pub struct PressAnswer {
    /// `success`: at least one camera took the press, and it is durable.
    #[serde(flatten)]
    pub said: SaidAnswer,
    /// The press, RFC 3339 with the venue's offset.
    #[cfg_attr(
        test,
        schemars(regex(
            pattern = r"^-?\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}[+-]\d{2}:\d{2}$"
        ))
    )]
    pub trigger_time: String,
    /// The same by the box's `CLOCK_MONOTONIC`: when the request's headers had been read.
    pub trigger_mono_ns: u64,
    /// As asked: one id, a list of ids, or "all".
    pub camera_id: AskedCameras,
    /// Null if nobody took it.
    pub press_id: Option<PressId>,
    /// Cameras that did not take it, and why.
    pub refused: Vec<Refusal>,
    /// What should be known of cameras that did take it.
    pub notes: Vec<Refusal>,
    /// With `?wait=true`, when all sidecars are written: what became of each camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clips: Option<Vec<ClipOutcome>>,
}

/// What became of one camera of a press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClipOutcome {
    pub camera_id: CameraId,
    /// queued, or: suspect (kept, never uploaded), none (there is no clip).
    pub status: JobStatus,
    /// With `suspect` and `none`.
    pub reason: Option<String>,
    /// Of `reason`.
    pub reason_code: Option<String>,
    pub reason_args: BTreeMap<String, Arg>,
    pub ended: Option<Ended>,
    /// As played; 0 without clip.
    pub duration_ms: u64,
    pub size_bytes: u64,
    /// Where to GET it; null without clip.
    #[cfg_attr(
        test,
        schemars(regex(pattern = r"^/highlights/[^/]+/[^/]+/[^/]+\.mp4$"))
    )]
    pub clip: Option<String>,
    #[cfg_attr(
        test,
        schemars(regex(pattern = r"^/highlights/[^/]+/[^/]+/[^/]+\.json$"))
    )]
    pub sidecar: Option<String>,
}
