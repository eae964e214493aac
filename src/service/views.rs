//! What the rooms know of themselves, in the words of the API. Pure: snapshots in, answers out.
//!
//! Not here: who asks the rooms (`status_view`), the answers' types (`web::answers`).

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::{Arg, CameraId, Sentence};
use crate::health::{self, Verdict};
use crate::highlight::{self, Outcome, PendingExport, StorageState};
use crate::ingest::{CameraState, ConnectionPhase};
use crate::queue::sidecar::{self, Stage, UploadStatus};
use crate::queue::{ListedJob, Status as QueueStatus};
use crate::ring::{Limit, RingError, RingReader, RingStats};
use crate::web::answers::captures::{
    CameraPhase, CameraView, ExportView, PendingPhase, PendingView,
};
use crate::web::answers::health::{HealthAnswer, HealthLevel, HealthReason, StorageView};
use crate::web::answers::highlights::{HighlightView, SidecarText};
use crate::web::answers::press::ClipOutcome;
use crate::web::answers::queue::{
    CurrentJob, JobStage, JobStatus, JobUpload, JobUploadStatus, JobView, QueueCounts, QueueView,
    WaitingStage,
};
use crate::web::answers::rings::{
    OpenRingView, RingLimit, RingReaderKind, RingReaderView, RingView, UnreadRingView,
};
use crate::web::answers::said::SentenceCode;

pub(super) fn camera(name: &str, state: CameraState, now_mono_ns: u64) -> CameraView {
    let ago_ns = state
        .last_au_mono_ns
        .map(|last| now_mono_ns.saturating_sub(last));
    CameraView {
        camera_id: state.camera,
        name: name.to_owned(),
        state: match state.state {
            ConnectionPhase::Connecting => CameraPhase::Connecting,
            ConnectionPhase::Streaming => CameraPhase::Streaming,
            ConnectionPhase::Waiting => CameraPhase::Waiting,
            ConnectionPhase::RefusedPassword => CameraPhase::RefusedPassword,
            ConnectionPhase::GivenUp => CameraPhase::GivenUp,
        },
        since_mono_ns: state.since_mono_ns,
        last_au_mono_ns: state.last_au_mono_ns,
        last_au_ago_ms: ago_ns.map(|ns| ns / 1_000_000),
        reason: state.reason,
        reason_code: state.reason_sentence.map(SentenceCode::from),
        attempts: state.attempts,
        connections: state.connections,
        next_try_in_ms: state.next_try_in_ms,
        video: state.video,
        audio: state.audio,
        lost_packets: state.lost_packets,
        access_units: state.access_units,
        skipped_access_units: state.skipped_access_units,
        too_large_access_units: state.too_large_access_units,
        bytes: state.bytes,
        epochs: state.epochs,
        bitrate_bps: state.bitrate_bps,
        longest_gop_ms: state.longest_gop_ms,
        ring: state.ring,
        ring_code: state.ring_sentence.into(),
        relay: state.relay,
        relay_code: state.relay_sentence.map(SentenceCode::from),
        warnings: state.warnings,
        warning_codes: state
            .warning_sentences
            .into_iter()
            .map(SentenceCode::from)
            .collect(),
    }
}

pub(super) fn pending(status: &highlight::Status) -> Vec<PendingView> {
    let pending = status.pending.iter().map(|pending| PendingView {
        press: pending.press.clone(),
        exports: pending.exports.iter().map(export).collect(),
    });
    pending.collect()
}

fn export(export: &PendingExport) -> ExportView {
    ExportView {
        camera_id: export.camera_id.clone(),
        phase: export_phase(export.phase),
        written_bytes: export.written_bytes,
        window_ends_in_ms: export.window_ends_in_ms,
        trouble: export.trouble.clone().into(),
    }
}

fn export_phase(phase: highlight::ExportPhase) -> PendingPhase {
    match phase {
        highlight::ExportPhase::Waiting => PendingPhase::Waiting,
        highlight::ExportPhase::Writing => PendingPhase::Writing,
        highlight::ExportPhase::Closing => PendingPhase::Closing,
        highlight::ExportPhase::Retrying => PendingPhase::Retrying,
        highlight::ExportPhase::Done => PendingPhase::Done,
    }
}

/// What a ring holds, and who of this process reads it.
pub(super) fn ring(
    camera: &CameraId,
    ring: Result<RingReader, RingError>,
    status: &highlight::Status,
) -> RingView {
    let readers = readers(status, camera);
    match ring {
        Ok(ring) => {
            let (stats, memory_bytes) = (ring.stats(), ring.file_bytes());
            RingView::Open(Box::new(open_ring(camera, &stats, memory_bytes, readers)))
        }
        Err(error) => RingView::Unread(UnreadRingView {
            camera_id: camera.clone(),
            trouble: Some(error.sentence()).into(),
            readers,
        }),
    }
}

fn open_ring(
    camera: &CameraId,
    stats: &RingStats,
    memory_bytes: u64,
    readers: Vec<RingReaderView>,
) -> OpenRingView {
    OpenRingView {
        camera_id: camera.clone(),
        seconds_held: stats.seconds_held,
        seconds_max: stats.seconds_max,
        entries_held: stats.entries_held,
        entries_max: stats.entries_max,
        bytes_held: stats.bytes_held,
        bytes_max: stats.bytes_max,
        memory_bytes,
        video_frames: stats.video_frames,
        audio_frames: stats.audio_frames,
        key_frames: stats.key_frames,
        gaps: stats.gaps,
        tainted: stats.tainted,
        bitrate_bps: stats.bitrate_bps,
        fps: stats.fps,
        longest_gop_ms: stats.longest_gop_ms,
        shortest_gop_ms: stats.shortest_gop_ms,
        last_arrival_mono_ns: stats.last_arrival_mono_ns,
        epochs: stats.epochs,
        limit: match stats.limit {
            Limit::Entries => RingLimit::Entries,
            Limit::Bytes => RingLimit::Bytes,
        },
        readers,
    }
}

/// The exports that follow the ring of `camera`.
fn readers(status: &highlight::Status, camera: &CameraId) -> Vec<RingReaderView> {
    let mut readers = Vec::new();
    for pending in &status.pending {
        let exports = pending.exports.iter();
        let here =
            exports.filter(|e| e.camera_id == *camera && e.phase != highlight::ExportPhase::Done);
        readers.extend(here.map(|export| RingReaderView {
            kind: RingReaderKind::Export,
            press_id: pending.press.id.clone(),
            phase: export_phase(export.phase),
            written_bytes: export.written_bytes,
            window_ends_in_ms: export.window_ends_in_ms,
        }));
    }
    readers
}

pub(super) fn health(verdict: Verdict) -> HealthAnswer {
    let reasons = verdict.reasons.into_iter().map(|reason| HealthReason {
        code: reason.code.to_owned(),
        args: Some(reason.args),
        what: reason.what,
        place: Some(reason.place),
        what_to_do: Some(reason.what_to_do),
    });
    HealthAnswer {
        status: match verdict.status {
            health::Status::Healthy => HealthLevel::Healthy,
            health::Status::Degraded => HealthLevel::Degraded,
            health::Status::Unhealthy => HealthLevel::Unhealthy,
        },
        reasons: reasons.collect(),
    }
}

pub(super) fn storage(storage: &StorageState) -> StorageView {
    StorageView {
        path: storage.path.display().to_string(),
        trouble: storage.trouble.clone().into(),
        free_bytes: storage.free_bytes,
        total_bytes: storage.total_bytes,
    }
}

pub(super) fn queue(status: QueueStatus) -> QueueView {
    let current = status.current.into_iter().map(|job| CurrentJob {
        id: job.id,
        press_id: job.press_id,
        camera_id: job.camera_id,
        stage: stage(job.stage),
        target: job.target,
        permille: job.permille,
        since_ms: job.since_ms,
    });
    let waiting = status.waiting.into_iter().map(|lane| WaitingStage {
        stage: stage(lane.stage),
        target: lane.target,
        why: lane.why.text,
        why_code: lane.why.code,
        why_args: lane.why.args,
        since_ms: lane.since_ms,
        planned: lane.planned,
    });
    QueueView {
        ready: status.ready,
        counts: QueueCounts {
            to_finish: status.counts.to_finish,
            to_upload: status.counts.to_upload,
            failed: status.counts.failed,
            done: status.counts.done,
        },
        current: current.collect(),
        waiting: waiting.collect(),
        disk_used_percent: status.disk_used_percent,
        disk_days_left: status.disk_days_left,
    }
}

pub(super) fn job(job: ListedJob) -> JobView {
    let uploads = job.uploads.into_iter().map(|upload| JobUpload {
        target: upload.target,
        status: match upload.status {
            UploadStatus::Waiting => JobUploadStatus::Waiting,
            UploadStatus::Uploading => JobUploadStatus::Uploading,
            UploadStatus::Uploaded => JobUploadStatus::Uploaded,
            UploadStatus::Failed => JobUploadStatus::Failed,
        },
        attempts: upload.attempts,
        last_error_code: upload.last_error.as_ref().map(|error| error.code.clone()),
        last_error_args: upload
            .last_error
            .as_ref()
            .map_or_else(BTreeMap::new, |error| error.args.clone()),
        last_error: upload.last_error.map(|error| error.text),
        permille: upload.permille,
    });
    JobView {
        id: job.id,
        press_id: job.press_id,
        camera_id: job.camera_id,
        status: job_status(job.status),
        stage: job.stage.map(stage),
        attempts: job.attempts,
        last_error_code: job.last_error.as_ref().map(|error| error.code.clone()),
        last_error_args: job
            .last_error
            .as_ref()
            .map_or_else(BTreeMap::new, |error| error.args.clone()),
        last_error: job.last_error.map(|error| error.text),
        age_ms: job.age_ms,
        updated_at: job.updated_at,
        permille: job.permille,
        uploads: uploads.collect(),
    }
}

fn stage(stage: Stage) -> JobStage {
    match stage {
        Stage::Finish => JobStage::Finish,
        Stage::Upload => JobStage::Upload,
    }
}

fn job_status(status: sidecar::Status) -> JobStatus {
    match status {
        sidecar::Status::Queued => JobStatus::Queued,
        sidecar::Status::Finishing => JobStatus::Finishing,
        sidecar::Status::Watermarked => JobStatus::Watermarked,
        sidecar::Status::Uploading => JobStatus::Uploading,
        sidecar::Status::Uploaded => JobStatus::Uploaded,
        sidecar::Status::QueuedRetry => JobStatus::QueuedRetry,
        sidecar::Status::Failed => JobStatus::Failed,
        sidecar::Status::Suspect => JobStatus::Suspect,
        sidecar::Status::None => JobStatus::None,
    }
}

/// `/highlights/…` for a path below the storage's folder of that name.
fn link(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let (_, below) = text.rsplit_once("/highlights/")?;
    Some(format!("/highlights/{below}"))
}

/// Text, code and arguments.
pub(super) fn parts(
    said: Option<Sentence>,
) -> (Option<String>, Option<String>, BTreeMap<String, Arg>) {
    said.map_or_else(Default::default, |said| {
        (Some(said.text), Some(said.code), said.args)
    })
}

pub(super) fn outcome(outcome: Outcome) -> ClipOutcome {
    let (reason, reason_code, reason_args) = parts(outcome.reason_sentence);
    ClipOutcome {
        clip: outcome.clip.as_deref().and_then(link),
        sidecar: link(&outcome.sidecar),
        camera_id: outcome.camera_id,
        status: job_status(outcome.status),
        reason,
        reason_code,
        reason_args,
        ended: outcome.ended,
        duration_ms: outcome.duration_ms,
        size_bytes: outcome.size_bytes,
    }
}

/// `None` for what cannot be told in JSON.
pub(super) fn highlight(listed: highlight::ListedHighlight) -> Option<HighlightView> {
    let below = |name: &Option<String>| {
        let (folder, _) = listed.sidecar_file.rsplit_once('/')?;
        Some(format!("/highlights/{folder}/{}", name.as_ref()?))
    };
    let facts = &listed.sidecar;
    let clip = listed
        .clip
        .as_ref()
        .map(|clip| format!("/highlights/{clip}"));
    Some(HighlightView {
        video: below(&facts.wm_path).or_else(|| clip.clone()),
        vertical: below(&facts.vertical_path),
        thumbnail: below(&facts.thumbnail_path),
        clip,
        sidecar: format!("/highlights/{}", listed.sidecar_file),
        camera: facts.camera.id.clone(),
        facts: SidecarText::of(facts).ok()?,
    })
}
