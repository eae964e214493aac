//! What people see of the queue: `GET /status`, `GET /queue`, health.
//!
//! Reads only.

use serde::Serialize;

use super::core::Core;
use super::maintenance::DiskUsage;
use super::sidecar::{self, Sidecar, Stage, UploadStatus};
use super::state::{TrackedJob, View, job_id};
use crate::base::{CameraId, PressId, Sentence};

/// A snapshot for status and health.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// What was there at the start is known.
    pub ready: bool,
    pub counts: JobCounts,
    /// What is being worked on.
    pub current: Vec<Current>,
    /// Finishing, and targets, that wait for something.
    pub waiting: Vec<WaitingLane>,
    /// Of the disk, what no deletion could free, in percent.
    pub disk_used_percent: u64,
    /// At the present rate, until presses are refused; `None`: no end in sight.
    pub disk_days_left: Option<u64>,
}

/// Highlights by what is to be done with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobCounts {
    pub to_finish: u64,
    pub to_upload: u64,
    pub failed: u64,
    /// Nothing more is to be done.
    pub done: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Current {
    pub id: String,
    pub press_id: PressId,
    pub camera_id: CameraId,
    pub stage: Stage,
    pub target: Option<String>,
    pub permille: u16,
    pub since_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitingLane {
    pub stage: Stage,
    pub target: Option<String>,
    pub why: Sentence,
    pub since_ms: u64,
    /// By the house's own rules (hours): nothing is wrong.
    pub planned: bool,
}

/// A job, for a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedJob {
    pub id: String,
    pub press_id: PressId,
    pub camera_id: CameraId,
    pub status: sidecar::Status,
    pub stage: Option<Stage>,
    pub attempts: u32,
    pub last_error: Option<Sentence>,
    /// Since the press; `None` if nobody knows.
    pub age_ms: Option<u64>,
    pub updated_at: Option<String>,
    /// Of the finishing.
    pub permille: Option<u16>,
    pub uploads: Vec<ListedUpload>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedUpload {
    pub target: String,
    pub status: UploadStatus,
    pub attempts: u32,
    pub last_error: Option<Sentence>,
    pub permille: Option<u16>,
}

/// Stage and target of a lane.
fn lane_of(core: &Core, lane: usize) -> (Stage, Option<String>) {
    match lane.checked_sub(1) {
        None => (Stage::Finish, None),
        Some(at) => (Stage::Upload, core.rules.targets.get(at).cloned()),
    }
}

pub fn status(core: &Core, disk: DiskUsage) -> Status {
    let now_mono_ns = core.clock.mono_ns();
    let ms_since = |mono_ns: u64| now_mono_ns.saturating_sub(mono_ns) / 1_000_000;
    let state = core.state();
    let mut counts = JobCounts {
        done: u64::try_from(state.resting.len()).unwrap_or(u64::MAX),
        ..JobCounts::default()
    };
    let mut current = Vec::new();
    for job in state.jobs.values() {
        *counts.of(job) += 1;
        current.extend(job.at_work().map(|(lane, permille, since)| {
            let (stage, target) = lane_of(core, lane);
            Current {
                id: job_id(&job.press, &job.camera),
                press_id: job.press.clone(),
                camera_id: job.camera.clone(),
                stage,
                target,
                permille,
                since_ms: ms_since(since),
            }
        }));
    }
    let lanes = state.lanes.iter().enumerate();
    let waiting = lanes.filter_map(|(lane, of)| {
        let held = of.held.as_ref().filter(|_| state.is_wanted(lane))?;
        let (stage, target) = lane_of(core, lane);
        Some(WaitingLane {
            stage,
            target,
            why: held.why.clone(),
            since_ms: ms_since(held.since_mono_ns),
            planned: held.calm,
        })
    });
    Status {
        ready: state.ready,
        counts,
        current,
        waiting: waiting.collect(),
        disk_used_percent: disk.used_percent,
        disk_days_left: disk.days_left,
    }
}

impl JobCounts {
    fn of(&mut self, job: &TrackedJob) -> &mut u64 {
        use sidecar::Status;
        match (job.view.status, job.view.stage) {
            _ if job.kept.rest.is_some() => &mut self.failed,
            (Status::Queued | Status::Finishing, _)
            | (Status::QueuedRetry, Some(Stage::Finish)) => &mut self.to_finish,
            _ => &mut self.to_upload,
        }
    }
}

pub fn list(core: &Core) -> Vec<ListedJob> {
    let now = i64::try_from(core.clock.mono_ns()).unwrap_or(i64::MAX);
    let state = core.state();
    let mut jobs: Vec<&TrackedJob> = state.jobs.values().collect();
    jobs.sort_by_key(|job| std::cmp::Reverse((job.born_mono_ns, job.kept.pressed_unix_ms)));
    let listed = jobs.into_iter().map(|job| {
        let age_ns = now.checked_sub(job.born_mono_ns);
        let age_ms = age_ns.map(|ns| u64::try_from(ns / 1_000_000).unwrap_or(0));
        let at_work: Vec<(usize, u16, u64)> = job.at_work().collect();
        let permille = |lane: usize| {
            let found = at_work.iter().find(|(at, ..)| *at == lane);
            found.map(|(_, permille, _)| *permille)
        };
        listed(core, job, age_ms, &permille)
    });
    listed.collect()
}

/// A job of a storage on which nobody works.
pub fn still(sidecar: &Sidecar, age_ms: Option<u64>) -> ListedJob {
    let uploads = sidecar.uploads.iter().map(|upload| ListedUpload {
        target: upload.target.clone(),
        status: upload.status,
        attempts: upload.attempts,
        last_error: upload.error(),
        permille: None,
    });
    ListedJob {
        id: job_id(&sidecar.press_id, &sidecar.camera.id),
        press_id: sidecar.press_id.clone(),
        camera_id: sidecar.camera.id.clone(),
        status: sidecar.status,
        stage: sidecar.stage,
        attempts: sidecar.attempts,
        last_error: sidecar.error(),
        age_ms,
        updated_at: sidecar.updated_at.clone(),
        permille: None,
        uploads: uploads.collect(),
    }
}

fn listed(
    core: &Core,
    job: &TrackedJob,
    age_ms: Option<u64>,
    permille: &dyn Fn(usize) -> Option<u16>,
) -> ListedJob {
    let View {
        status,
        stage,
        attempts,
        last_error,
        updated_at,
        uploads,
    } = &job.view;
    let owned = |error: &Option<std::sync::Arc<Sentence>>| error.as_deref().cloned();
    let uploads = uploads.iter().map(|upload| {
        let lane = core.rules.targets.iter().position(|t| *t == upload.target);
        ListedUpload {
            target: upload.target.clone(),
            status: upload.status,
            attempts: upload.attempts,
            last_error: owned(&upload.last_error),
            permille: lane.and_then(|at| permille(at + 1)),
        }
    });
    ListedJob {
        id: job_id(&job.press, &job.camera),
        press_id: job.press.clone(),
        camera_id: job.camera.clone(),
        status: *status,
        stage: *stage,
        attempts: *attempts,
        last_error: owned(last_error),
        age_ms,
        updated_at: updated_at.clone(),
        permille: permille(0),
        uploads: uploads.collect(),
    }
}
