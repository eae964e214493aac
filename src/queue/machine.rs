//! What becomes of a sidecar: an event in, the changed sidecar and what is wanted
//! next out. Pure.
//!
//! ```text
//! queued ─▶ finishing ─▶ watermarked ─▶ uploading ─▶ uploaded
//!    ▲          │              ▲             │
//!    └─ queued_retry           └─ queued_retry          either ─▶ failed
//! ```
//!
//! Not here: files and their order on the disk (`store`), who is tried when (`state`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::sentence::QueueSentence;
use super::sidecar::{MarkedMeta, Removed, Sidecar, Stage, Status, TargetState, UploadStatus};
use super::work::Failure;
use crate::base::Coded;
use crate::storage::HighlightFileKind;

/// What the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobRules {
    /// Ids of the upload targets, in the configuration's order.
    pub targets: Vec<String>,
    pub max_attempts: u32,
    /// The unmarked clip stays beside the marked one.
    pub keep_raw: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum JobEvent {
    FinishBegan,
    /// Whole and under their final names.
    Finished {
        marked: Option<MarkedMeta>,
        vertical: bool,
        thumbnail: bool,
        notes: Vec<String>,
    },
    FinishEnded(Failure),
    UploadBegan {
        target: String,
    },
    Noted {
        target: String,
        resume: Option<Value>,
    },
    Proved {
        target: String,
        place: String,
    },
    UploadEnded {
        target: String,
        failure: Failure,
    },
    /// The targets may be others than they were.
    Settled,
    /// The unmarked clip goes.
    RawGoes,
    /// Everything goes.
    Goes,
    /// Somebody wants it tried again, from the beginning of its stage.
    Retried,
    /// Somebody wants it out of the queue.
    Dropped,
    /// Its times are of a clock that was never set: they begin now.
    Stamped,
}

/// What a sidecar asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    Finish,
    /// Ids of the targets that are still to be served.
    Upload(Vec<String>),
    /// Its status is to be brought up to date ([`JobEvent::Settled`]).
    Settle,
    /// A removal is to be brought to its end.
    Remove,
    /// Nothing; it is kept.
    Rest(Rest),
}

/// Why nothing is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rest {
    Uploaded,
    /// Ready, and there is no target.
    Ready,
    /// Given up after its attempts.
    Failed,
    /// Given up by somebody.
    Dropped,
    /// There is no clip, or a suspect one.
    NoClip,
    Suspect,
}

/// What `sidecar` asks for.
pub fn next(sidecar: &Sidecar, rules: &JobRules) -> NextStep {
    if sidecar.removed == Some(Removed::All) {
        return NextStep::Remove;
    }
    if sidecar.dropped {
        return NextStep::Rest(Rest::Dropped);
    }
    match sidecar.status {
        Status::None => NextStep::Rest(Rest::NoClip),
        Status::Suspect => NextStep::Rest(Rest::Suspect),
        Status::Queued | Status::Finishing => NextStep::Finish,
        Status::QueuedRetry if sidecar.stage == Some(Stage::Finish) => NextStep::Finish,
        Status::Failed if sidecar.stage == Some(Stage::Finish) => NextStep::Rest(Rest::Failed),
        Status::Uploaded => NextStep::Rest(Rest::Uploaded),
        Status::Watermarked | Status::Uploading | Status::QueuedRetry | Status::Failed => {
            upload(sidecar, rules)
        }
    }
}

fn upload(sidecar: &Sidecar, rules: &JobRules) -> NextStep {
    let open = |id: &&String| {
        !matches!(
            status_of(sidecar, id),
            UploadStatus::Uploaded | UploadStatus::Failed
        )
    };
    let open: Vec<String> = rules.targets.iter().filter(open).cloned().collect();
    if !open.is_empty() {
        return NextStep::Upload(open);
    }
    let mut settled = sidecar.clone();
    overall(&mut settled, rules);
    match settled.status {
        status if status != sidecar.status => NextStep::Settle,
        Status::Failed => NextStep::Rest(Rest::Failed),
        _ => NextStep::Rest(Rest::Ready),
    }
}

fn asks_for(sidecar: &Sidecar, target: &String, rules: &JobRules) -> bool {
    matches!(next(sidecar, rules), NextStep::Upload(open) if open.contains(target))
}

fn status_of(sidecar: &Sidecar, target: &str) -> UploadStatus {
    let upload = sidecar.uploads.iter().find(|u| u.target == target);
    upload.map_or(UploadStatus::Waiting, |u| u.status)
}

/// Applies `event`; true if the sidecar is another now. `now` is RFC 3339.
pub fn apply(sidecar: &mut Sidecar, event: &JobEvent, rules: &JobRules, now: &str) -> bool {
    let before = sidecar.clone();
    let ours = !sidecar.dropped && sidecar.removed != Some(Removed::All);
    match event {
        JobEvent::Goes => sidecar.removed = Some(Removed::All),
        JobEvent::Retried if sidecar.removed != Some(Removed::All) => retried(sidecar, rules),
        JobEvent::Stamped => {}
        // Somebody decided while this was on its way.
        _ if !ours => return false,
        JobEvent::Dropped => dropped(sidecar, rules),
        JobEvent::RawGoes if sidecar.wm_path.is_some() => sidecar.removed = Some(Removed::Raw),
        JobEvent::FinishBegan if next(sidecar, rules) == NextStep::Finish => {
            sidecar.status = Status::Finishing;
            sidecar.stage = None;
        }
        JobEvent::Finished {
            marked,
            vertical,
            thumbnail,
            notes,
        } => finished(sidecar, marked.as_ref(), *vertical, *thumbnail, notes),
        JobEvent::FinishEnded(failure) => finish_ended(sidecar, failure, rules),
        JobEvent::Settled => overall(sidecar, rules),
        JobEvent::UploadBegan { target } if asks_for(sidecar, target, rules) => {
            entry(sidecar, target, rules, now).status = UploadStatus::Uploading;
            overall(sidecar, rules);
        }
        JobEvent::Noted { target, resume } => {
            entry(sidecar, target, rules, now).resume = resume.clone();
        }
        JobEvent::Proved { target, place } => {
            let upload = entry(sidecar, target, rules, now);
            upload.status = UploadStatus::Uploaded;
            upload.place = Some(place.clone());
            upload.set_error(None);
            upload.resume = None;
            overall(sidecar, rules);
        }
        JobEvent::UploadEnded { target, failure } => {
            upload_ended(entry(sidecar, target, rules, now), failure, rules);
            overall(sidecar, rules);
        }
        JobEvent::RawGoes
        | JobEvent::Retried
        | JobEvent::FinishBegan
        | JobEvent::UploadBegan { .. } => {}
    }
    let changed = *sidecar != before || *event == JobEvent::Stamped;
    if changed {
        stamp(sidecar, &before, now);
    }
    changed
}

fn stamp(sidecar: &mut Sidecar, before: &Sidecar, now: &str) {
    sidecar.updated_at = Some(now.to_owned());
    for upload in &mut sidecar.uploads {
        if !before.uploads.contains(upload) {
            upload.updated_at = now.to_owned();
        }
    }
}

fn finished(
    sidecar: &mut Sidecar,
    marked: Option<&MarkedMeta>,
    vertical: bool,
    thumbnail: bool,
    notes: &[String],
) {
    let camera = sidecar.camera.id.clone();
    sidecar.status = Status::Watermarked;
    sidecar.stage = None;
    sidecar.attempts = 0;
    sidecar.set_error(None);
    sidecar.wm_path = marked.map(|_| HighlightFileKind::Marked.name(&camera));
    sidecar.meta_wm = marked.cloned();
    sidecar.vertical_path = vertical.then(|| HighlightFileKind::Vertical.name(&camera));
    sidecar.thumbnail_path = thumbnail.then(|| HighlightFileKind::Thumbnail.name(&camera));
    for note in notes {
        if !sidecar.notes.contains(note) {
            sidecar.notes.push(note.clone());
        }
    }
}

fn finish_ended(sidecar: &mut Sidecar, failure: &Failure, rules: &JobRules) {
    let (counts, ends, why) = match failure {
        Failure::Cancelled | Failure::Deferred { .. } => {
            let again = sidecar.last_error.is_some();
            sidecar.status = if again {
                Status::QueuedRetry
            } else {
                Status::Queued
            };
            sidecar.stage = again.then_some(Stage::Finish);
            return;
        }
        Failure::Unavailable { why, .. } => (false, false, why),
        Failure::Failed { why } => (true, sidecar.attempts + 1 >= rules.max_attempts, why),
        Failure::Permanent { why } => (true, true, why),
    };
    sidecar.attempts += u32::from(counts);
    sidecar.set_error(Some(why.clone()));
    sidecar.stage = Some(Stage::Finish);
    sidecar.status = match ends {
        true => Status::Failed,
        false => Status::QueuedRetry,
    };
}

fn upload_ended(upload: &mut TargetState, failure: &Failure, rules: &JobRules) {
    let (counts, ends, why) = match failure {
        Failure::Cancelled | Failure::Deferred { .. } => {
            upload.status = UploadStatus::Waiting;
            return;
        }
        Failure::Unavailable { why, .. } => (false, false, why),
        Failure::Failed { why } => (true, upload.attempts + 1 >= rules.max_attempts, why),
        Failure::Permanent { why } => (true, true, why),
    };
    upload.attempts += u32::from(counts);
    upload.set_error(Some(why.clone()));
    upload.status = match ends {
        true => UploadStatus::Failed,
        false => UploadStatus::Waiting,
    };
}

/// A target's entry, made where it is missing; in the configuration's order, those of
/// targets that are gone behind them.
fn entry<'a>(
    sidecar: &'a mut Sidecar,
    target: &str,
    rules: &JobRules,
    now: &str,
) -> &'a mut TargetState {
    let at = match sidecar.uploads.iter().position(|u| u.target == target) {
        Some(at) => at,
        None => {
            let place = |id: &str| rules.targets.iter().position(|t| t == id);
            let mine = place(target).unwrap_or(usize::MAX);
            let before = |u: &TargetState| place(&u.target).is_some_and(|other| other < mine);
            let at = sidecar.uploads.iter().take_while(|u| before(u)).count();
            let new = TargetState {
                target: target.to_owned(),
                status: UploadStatus::Waiting,
                attempts: 0,
                last_error: None,
                last_error_code: None,
                last_error_args: BTreeMap::new(),
                updated_at: now.to_owned(),
                place: None,
                resume: None,
            };
            sidecar.uploads.insert(at, new);
            at
        }
    };
    &mut sidecar.uploads[at]
}

/// The status that follows from those of the targets.
fn overall(sidecar: &mut Sidecar, rules: &JobRules) {
    let uploads = &sidecar.uploads;
    let of = |id: &String| uploads.iter().find(|u| u.target == *id);
    let all: Vec<Option<&TargetState>> = rules.targets.iter().map(of).collect();
    let known = || all.iter().flatten();
    let with = |wanted: UploadStatus| known().any(|u| u.status == wanted);
    let open = |u: &Option<&TargetState>| {
        u.is_none_or(|u| matches!(u.status, UploadStatus::Waiting | UploadStatus::Uploading))
    };
    let (mut stage, mut blamed) = (None, None);
    let status = if all.is_empty() {
        Status::Watermarked
    } else if with(UploadStatus::Uploading) {
        Status::Uploading
    } else if all.iter().any(open) {
        blamed = known().find(|u| u.status == UploadStatus::Waiting && u.last_error.is_some());
        match blamed {
            Some(_) => Status::QueuedRetry,
            None if with(UploadStatus::Uploaded) => Status::Uploading,
            None => Status::Watermarked,
        }
    } else if with(UploadStatus::Failed) {
        blamed = known().find(|u| u.status == UploadStatus::Failed);
        Status::Failed
    } else {
        Status::Uploaded
    };
    if matches!(status, Status::QueuedRetry | Status::Failed) {
        stage = Some(Stage::Upload);
    }
    let error = blamed.and_then(|u| u.error());
    let attempts = known().map(|u| u.attempts).max().unwrap_or(0);
    sidecar.status = status;
    sidecar.stage = stage;
    sidecar.set_error(error);
    sidecar.attempts = attempts;
}

fn retried(sidecar: &mut Sidecar, rules: &JobRules) {
    if !matches!(sidecar.status, Status::Failed | Status::QueuedRetry) {
        return;
    }
    sidecar.dropped = false;
    if sidecar.stage == Some(Stage::Finish) {
        sidecar.status = Status::Queued;
        sidecar.stage = None;
        sidecar.attempts = 0;
        sidecar.set_error(None);
        return;
    }
    for upload in &mut sidecar.uploads {
        if upload.status != UploadStatus::Uploaded {
            upload.status = UploadStatus::Waiting;
            upload.attempts = 0;
            upload.set_error(None);
        }
    }
    overall(sidecar, rules);
}

fn dropped(sidecar: &mut Sidecar, rules: &JobRules) {
    let stage = match next(sidecar, rules) {
        NextStep::Finish | NextStep::Rest(Rest::Failed) if sidecar.stage != Some(Stage::Upload) => {
            Stage::Finish
        }
        NextStep::Finish | NextStep::Upload(_) | NextStep::Rest(Rest::Failed) => Stage::Upload,
        _ => return,
    };
    for upload in &mut sidecar.uploads {
        if upload.status == UploadStatus::Uploading {
            upload.status = UploadStatus::Waiting;
        }
    }
    sidecar.status = Status::Failed;
    sidecar.stage = Some(stage);
    sidecar.dropped = true;
    let dropped = match sidecar.error() {
        Some(error) => QueueSentence::DroppedAfter { error },
        None => QueueSentence::Dropped {},
    };
    sidecar.set_error(Some(dropped.sentence()));
}
