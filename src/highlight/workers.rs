//! Brings presses to their end: those who work on jobs, and what they leave to others.
//!
//! Every camera of a press is a job. A job goes through steps, each of which can be
//! repeated; at most so many jobs are at work at once, the others wait, and the one
//! whose footage is overtaken first goes first.
//!
//! Not here: who goes first (`schedule`), the steps (`steps`), taking a press (`admission`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::attempt::{ExportAttempt, StepError};
use super::engine::Engine;
use super::events::Event;
use super::jobs::{
    ExportJob, ExportState, JobStep, PressState, export_of, forget_the_oldest, set_phase,
};
use super::journal::PressRecord;
use super::schedule::{self, Refused, Urgency};
use super::sentence::ClipSentence;
use super::source::slack_ns;
use super::steps::StepResult;
use super::types::{ExportPhase, Outcome};
use crate::base::{Coded, PressId};
use crate::queue::sidecar;
use crate::storage::sentence::StorageSentence;

impl Engine {
    /// Takes a press among those that are brought to their end.
    pub fn register(
        self: &Arc<Engine>,
        taken: Arc<PressRecord>,
        jobs: Vec<ExportJob>,
        done: Vec<(usize, Outcome)>,
    ) {
        let mut exports: Vec<ExportState> = taken
            .cameras
            .iter()
            .map(|_| ExportState {
                phase: ExportPhase::Waiting,
                trouble: None,
                outcome: None,
                progress: Arc::default(),
            })
            .collect();
        for job in &jobs {
            exports[job.camera].progress = job.progress.clone();
        }
        for (camera, outcome) in done {
            exports[camera].phase = ExportPhase::Done;
            exports[camera].outcome = Some(outcome);
        }
        let id = taken.press.id.clone();
        let mut state = self.state();
        state.presses.push(PressState {
            of_earlier_run: jobs.iter().any(|job| job.recovered),
            taken,
            exports,
            retired: false,
        });
        state.waiting.extend(jobs);
        drop(state);
        self.retire_if_done(&id);
        self.kick();
    }

    /// Gives free places to jobs that wait, the most urgent first.
    pub fn kick(self: &Arc<Engine>) {
        let mut state = self.state();
        while state.active < self.tuning.writers && !self.leaving.is_now() {
            let now_mono_ns = self.clock.mono_ns();
            let not_before = |job: &ExportJob| job.not_before_mono_ns;
            let next = schedule::next(&state.waiting, now_mono_ns, not_before, urgency);
            let Some(next) = next else {
                break;
            };
            let mut job = state.waiting.swap_remove(next);
            job.undecided = false;
            state.active += 1;
            set_phase(&mut state, &job, ExportPhase::Writing, None);
            let (send, receive) = bounded::<ExportJob>(1);
            let engine = self.clone();
            let spawned = std::thread::Builder::new()
                .name(format!("export {}", job.about().id))
                .spawn(move || {
                    if let Ok(job) = receive.recv() {
                        engine.work(job);
                    }
                });
            if let Err(error) = spawned {
                // The next kick tries again.
                log::error!(target: "hindsight", event = "error_export"; "cannot start a thread for an export: {error}");
                state.active -= 1;
                state.waiting.push(job);
                break;
            }
            // The thread holds the other end until it has it.
            let _ = send.send(job);
        }
        drop(state);
        self.notify();
    }

    /// Works on a job until it is done, has to wait, or is told to leave.
    fn work(self: &Arc<Engine>, mut job: ExportJob) {
        let left = loop {
            match self.step(&mut job) {
                Ok(None) => {}
                Ok(Some(outcome)) => {
                    self.done(&job, outcome);
                    break None;
                }
                Err(StepError::Left) => break None,
                Err(StepError::Nothing(reason)) => {
                    self.next_stage(&mut job, JobStep::Explain(reason))
                }
                Err(StepError::Disk { what, full }) => {
                    // Where the disk is gone, that is what happened, not "no such file".
                    let gone = self.store.get().and_then(|store| store.check().err());
                    if !self.failed(&mut job, gone.map_or(what, |gone| gone.text), full) {
                        break Some(job);
                    }
                }
            }
        };
        let mut state = self.state();
        state.waiting.extend(left);
        state.active -= 1;
        drop(state);
        self.kick();
    }

    fn next_stage(&self, job: &mut ExportJob, stage: JobStep) {
        job.stage = stage;
        job.failures = 0;
    }

    /// One stage. `Ok(None)`: on to the next.
    fn step(self: &Arc<Engine>, job: &mut ExportJob) -> Result<Option<Outcome>, StepError> {
        let Some(store) = self.store.get() else {
            return Err(StepError::Left);
        };
        if self.leaving.is_now() {
            return Err(StepError::Left);
        }
        let names = store.layout.highlight(&job.taken.press, &job.about().id);
        let mut stage = std::mem::replace(&mut job.stage, JobStep::Export);
        let attempt = ExportAttempt {
            engine: self,
            store,
            job,
            names: &names,
        };
        let done = catch_unwind(AssertUnwindSafe(|| attempt.stage(&mut stage)));
        match done.unwrap_or_else(|_| Err(StepError::in_program())) {
            Ok(StepResult::To(next)) => {
                self.next_stage(job, next);
                Ok(None)
            }
            Ok(StepResult::Done(outcome)) => Ok(Some(*outcome)),
            Err(trouble) => {
                job.stage = stage;
                Err(trouble)
            }
        }
    }

    /// Notes a failure of the disk; true if the job goes on at once with another step.
    fn failed(&self, job: &mut ExportJob, what: String, full: bool) -> bool {
        job.failures += 1;
        job.was_full = full;
        job.trouble = Some(what.clone());
        let retry = schedule::after(Refused {
            failures: job.failures,
            full,
            exporting: matches!(job.stage, JobStep::Export),
            held: self.still_held(job),
        });
        let camera = job.about();
        if retry.said {
            log::warn!(
                target: "hindsight", event = "error_disk",
                camera = camera.id.as_str(), press = job.taken.press.id.as_str();
                "{}: {what}; {}", camera.id,
                if full { "it is finished when there is room" } else { "it is tried again" }
            );
        }
        job.afresh = retry.afresh;
        job.not_before_mono_ns = self.clock.mono_ns() + retry.delay_ms * 1_000_000;
        let mut state = self.state();
        state.counts.disk_errors += 1;
        let trouble = StorageSentence::Refused {
            error: what.clone(),
        }
        .sentence();
        state.counts.last_disk_error = Some(trouble.clone());
        set_phase(&mut state, job, ExportPhase::Retrying, Some(trouble));
        drop(state);
        if retry.given_up {
            job.stage = JobStep::Explain(ClipSentence::DiskFailed { error: what }.sentence());
            job.failures = 0;
        }
        retry.given_up
    }

    /// Whether a ring still holds the beginning of what the job wants: the ring in
    /// which its positions were counted, for another's say nothing.
    fn still_held(&self, job: &ExportJob) -> bool {
        let camera = job.about();
        let found = || self.rings.known_to(&camera.id, &camera.witnesses);
        let ring = match &job.ring {
            Some(ring) => Some(ring.clone()),
            None => job.is_of_boot(self.settings.boot_id).then(found).flatten(),
        };
        let held = ring.is_some_and(|ring| slack_ns(&ring, camera.plan.first_pos).is_some());
        held && camera.plan.is_made()
    }

    fn done(&self, job: &ExportJob, outcome: Outcome) {
        if let Some(queue) = &self.settings.queue {
            queue.new_job(&outcome.sidecar);
        }
        let mut state = self.state();
        match outcome.status {
            sidecar::Status::Suspect => state.counts.suspect += 1,
            sidecar::Status::None => state.counts.none += 1,
            _ => {}
        }
        set_phase(&mut state, job, ExportPhase::Done, None);
        let reason = outcome
            .reason_sentence
            .clone()
            .filter(|_| outcome.clip.is_none());
        if let Some(export) = export_of(&mut state, job) {
            export.outcome = Some(outcome);
        }
        drop(state);
        if let Some(reason) = reason {
            self.tell(&Event::NoClip {
                press_id: job.taken.press.id.clone(),
                camera: job.about().id.clone(),
                reason,
            });
        }
        self.retire_if_done(&job.taken.press.id);
    }

    /// Retires the press once every camera has its sidecar.
    fn retire_if_done(&self, id: &PressId) {
        let mut state = self.state();
        let Some(press) = state
            .presses
            .iter_mut()
            .find(|press| press.taken.press.id == *id && !press.retired)
        else {
            return;
        };
        if press.exports.iter().any(|export| export.outcome.is_none()) {
            return;
        }
        press.retired = true;
        let taken = press.taken.clone();
        forget_the_oldest(&mut state.presses);
        drop(state);
        if let Some(store) = self.store.get() {
            store.journal.retire(id);
            for camera in &taken.cameras {
                store.forget_folder(&store.layout.highlight(&taken.press, &camera.id));
            }
        }
        self.tell(&Event::Retired {
            press_id: id.clone(),
        });
        self.notify();
    }
}

fn urgency(job: &ExportJob) -> Urgency {
    match (&job.stage, &job.ring) {
        (JobStep::Export, Some(ring)) => {
            slack_ns(ring, job.about().plan.first_pos).map_or(Urgency::Overtaken, Urgency::Slack)
        }
        (JobStep::Export, None) => Urgency::Overtaken,
        _ => Urgency::Short,
    }
}
