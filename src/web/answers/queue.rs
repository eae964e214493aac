//! `GET /queue`, and the queue in `/status`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::said::SaidAnswer;
use crate::base::sentence::Arg;
use crate::base::{CameraId, PressId};

/// What is done with clips.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QueueView {
    /// What was there at the start is known.
    pub ready: bool,
    pub counts: QueueCounts,
    /// What is being worked on.
    pub current: Vec<CurrentJob>,
    /// Finishing, and targets, that wait for something.
    pub waiting: Vec<WaitingStage>,
    /// Of the disk, what no deletion could free.
    #[cfg_attr(test, schemars(range(min = 0, max = 100)))]
    pub disk_used_percent: u64,
    /// Until presses are refused, at the present rate.
    pub disk_days_left: Option<u64>,
}

/// Highlights by what is to be done with them; failed ones were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QueueCounts {
    pub to_finish: u64,
    pub to_upload: u64,
    pub failed: u64,
    pub done: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CurrentJob {
    pub id: String,
    pub press_id: PressId,
    pub camera_id: CameraId,
    pub stage: JobStage,
    pub target: Option<String>,
    #[cfg_attr(test, schemars(range(min = 0, max = 1000)))]
    pub permille: u16,
    pub since_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WaitingStage {
    pub stage: JobStage,
    pub target: Option<String>,
    /// In English, for people; made of the two below.
    pub why: String,
    pub why_code: String,
    pub why_args: BTreeMap<String, Arg>,
    pub since_ms: u64,
    /// By the hours of the config: nothing is wrong.
    pub planned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum JobStage {
    Finish,
    Upload,
}

/// What is still to be done with highlights, and what was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QueueAnswer {
    pub status: QueueView,
    /// Newest first.
    pub jobs: Vec<JobView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JobView {
    pub id: String,
    pub press_id: PressId,
    pub camera_id: CameraId,
    pub status: JobStatus,
    pub stage: Option<JobStage>,
    pub attempts: u32,
    /// In English, for people; made of the two below.
    pub last_error: Option<String>,
    pub last_error_code: Option<String>,
    pub last_error_args: BTreeMap<String, Arg>,
    /// Since the press; null if nobody knows.
    pub age_ms: Option<u64>,
    pub updated_at: Option<String>,
    /// Of the finishing.
    #[cfg_attr(test, schemars(range(min = 0, max = 1000)))]
    pub permille: Option<u16>,
    pub uploads: Vec<JobUpload>,
}

/// As in the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum JobStatus {
    Queued,
    Finishing,
    Watermarked,
    Uploading,
    Uploaded,
    QueuedRetry,
    Failed,
    Suspect,
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JobUpload {
    pub target: String,
    pub status: JobUploadStatus,
    pub attempts: u32,
    /// In English, for people; made of the two below.
    pub last_error: Option<String>,
    pub last_error_code: Option<String>,
    pub last_error_args: BTreeMap<String, Arg>,
    #[cfg_attr(test, schemars(range(min = 0, max = 1000)))]
    pub permille: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum JobUploadStatus {
    Waiting,
    Uploading,
    Uploaded,
    Failed,
}

/// To a change of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QueueChanged {
    #[serde(flatten)]
    pub said: SaidAnswer,
    /// Ids of the jobs that were changed.
    pub jobs: Vec<String>,
}
