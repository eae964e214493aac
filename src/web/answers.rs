//! What the API answers to a press.
//!
//! Not here: what it says of the service (`snapshot`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::sentence::Arg;
use crate::base::{CameraId, PressId, Refusal};

/// The cameras of a press, as they were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AskedCameras {
    All(AllCameras),
    One(CameraId),
    Several(Vec<CameraId>),
}

/// The word for all cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum AllCameras {
    #[serde(rename = "all")]
    All,
}

/// To a press that was understood, whether it was taken or not.
#[derive(Clone, Debug, Serialize)]
pub struct PressAnswer {
    /// At least one camera took the press, and it is durable.
    pub success: bool,
    /// In English, for people.
    pub message: String,
    pub code: String,
    pub args: BTreeMap<String, Arg>,
    /// The press, RFC 3339 with the venue's offset.
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
    pub clips: Option<Vec<serde_json::Value>>,
}
