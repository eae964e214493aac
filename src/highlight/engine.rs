//! Brings presses to their end: who waits, who writes, who is tried again.
//!
//! Every camera of a press is a job. A job goes through stages, each of which can be
//! repeated; at most so many jobs are at work at once, the others wait, and the one
//! whose footage is overtaken first goes first.
//!
//! Not here: taking a press (`admission`), the stages (`steps`), what an earlier run left (`recover`).
//! Called by: the room's face (`mod`), take, recover, keeper; the stages, to tell how far they are.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::day::Days;
use super::export::{ExportAttempt, StepError, slack_ns};
use super::jobs::{
    ExportJob, ExportState, PressState, PressTable, Step, Tuning, export_of, forget_the_oldest,
    set_phase,
};
use super::journal::PressRecord;
use super::source::Rings;
use super::steps::StepResult;
use super::store::OpenStorage;
use super::{Event, ExportPhase, Outcome, Settings, sidecar};
use crate::base::{Clock, Heartbeat, Press, PressId, Stop, StopLevel};

/// Failures after which a clip is given up whose footage the ring has lost: 6 s,
/// in which a disk that lost its cable for a moment is back.
const GIVE_UP: u32 = 8;
/// Failures after which the unfinished file is not trusted any more.
const AFRESH: u32 = 3;
const EVENTS: usize = 1024;

/// Shared by everybody who works on presses.
pub struct Engine {
    pub settings: Settings,
    pub rings: Rings,
    pub days: Days,
    pub tuning: Tuning,
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
    /// Of the one who looks after the room.
    pub heartbeat: Arc<Heartbeat>,
    /// Set once the storage could be opened.
    pub store: OnceLock<OpenStorage>,
    state: Mutex<PressTable>,
    changed: Condvar,
    listeners: Mutex<Vec<Sender<Event>>>,
    quit: AtomicBool,
    /// The last press was refused: for want of footage, or of room.
    pub refusing: AtomicBool,
    finish_since_mono_ns: OnceLock<u64>,
    /// Held by writers of sidecars; the one who corrects clocks takes it whole.
    clocks: RwLock<()>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub fn new(
        mut settings: Settings,
        tuning: Tuning,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Engine {
        let old_rings = std::mem::take(&mut settings.old_rings);
        Engine {
            rings: Rings::new(settings.ring_dir.clone(), old_rings),
            days: Days::new(settings.timezone.clone()),
            settings,
            tuning,
            clock,
            stop,
            heartbeat: Arc::new(Heartbeat::new("highlights")),
            store: OnceLock::new(),
            state: Mutex::default(),
            changed: Condvar::new(),
            listeners: Mutex::default(),
            quit: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            finish_since_mono_ns: OnceLock::new(),
            clocks: RwLock::new(()),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, PressTable> {
        lock(&self.state)
    }

    /// Wakes who waits for a change of the state.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits for a change, at most `limit`.
    pub fn wait_for_change<'a>(
        &self,
        state: MutexGuard<'a, PressTable>,
        limit: Duration,
    ) -> MutexGuard<'a, PressTable> {
        let waited = self.changed.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub fn listen(&self) -> Receiver<Event> {
        let (send, receive) = bounded(EVENTS);
        lock(&self.listeners).push(send);
        receive
    }

    pub fn tell(&self, event: Event) {
        if let Event::Committed { .. } = &event {
            self.state().counts.committed += 1;
        }
        lock(&self.listeners).retain(|listener| {
            // Who does not keep up loses this one; nobody waits for him.
            !matches!(
                listener.try_send(event.clone()),
                Err(TrySendError::Disconnected(_))
            )
        });
    }

    // ── stopping ──

    pub fn quit(&self) {
        self.quit.store(true, Relaxed);
        self.notify();
    }

    pub fn told_to_leave(&self) -> bool {
        self.quit.load(Relaxed) || self.stop.level() == StopLevel::Now
    }

    /// Open windows may run on no longer.
    pub fn grace_is_over(&self, now_mono_ns: u64) -> bool {
        if self.stop.level() < StopLevel::Finish {
            return false;
        }
        let since = *self.finish_since_mono_ns.get_or_init(|| now_mono_ns);
        let grace_ns = self.settings.stop_grace_ms.saturating_mul(1_000_000);
        now_mono_ns.saturating_sub(since) >= grace_ns
    }

    // ── wall clock ──

    pub fn correcting(&self) -> RwLockReadGuard<'_, ()> {
        self.clocks.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no sidecar is between its making and its name.
    pub fn no_sidecar_on_its_way(&self) {
        drop(self.clocks.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The press with the wall time that it really had, as far as known by now.
    pub fn press_as_known(&self, press: &Press) -> Press {
        let mut press = press.clone();
        let wall = self.clock.wall();
        let ours = press.boot_id == self.settings.boot_id;
        if ours && wall.synchronised && !press.wall_synchronised {
            let since_ns = i128::from(self.clock.mono_ns()) - i128::from(press.instant_mono_ns);
            let at_press = i128::from(wall.unix_ns) - since_ns;
            press.wall_unix_ns = i64::try_from(at_press).unwrap_or(wall.unix_ns);
            press.wall_synchronised = true;
        }
        press
    }

    // ── jobs ──

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
        while state.active < self.tuning.writers && !self.told_to_leave() {
            let Some(next) = self.most_urgent(&state.waiting) else {
                break;
            };
            let mut job = state.waiting.swap_remove(next);
            job.undecided = false;
            state.active += 1;
            set_phase(&mut state, &job, ExportPhase::Writing, None);
            let (send, receive) = bounded::<ExportJob>(1);
            let core = self.clone();
            let spawned = std::thread::Builder::new()
                .name(format!("export {}", job.about().id))
                .spawn(move || {
                    if let Ok(job) = receive.recv() {
                        core.work(job);
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

    fn most_urgent(&self, waiting: &[ExportJob]) -> Option<usize> {
        let now = self.clock.mono_ns();
        waiting
            .iter()
            .enumerate()
            .filter(|(_, job)| job.not_before_mono_ns <= now)
            .min_by_key(|(_, job)| self.urgency(job))
            .map(|(at, _)| at)
    }

    /// Nanoseconds until its footage begins to be overtaken; what needs no ring first.
    fn urgency(&self, job: &ExportJob) -> u64 {
        match (&job.stage, &job.ring) {
            (Step::Export, Some(ring)) => {
                slack_ns(ring, job.about().plan.first_pos).map_or(1, |slack| slack.max(2))
            }
            (Step::Export, None) => 1,
            _ => 0,
        }
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
                Err(StepError::Nothing(reason)) => self.next_stage(&mut job, Step::Explain(reason)),
                Err(StepError::Disk { what, full }) => {
                    // Where the disk is gone, that is what happened, not "no such file".
                    let gone = self.store.get().and_then(|store| store.check().err());
                    if !self.failed(&mut job, gone.unwrap_or(what), full) {
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

    fn next_stage(&self, job: &mut ExportJob, stage: Step) {
        job.stage = stage;
        job.failures = 0;
    }

    /// One stage. `Ok(None)`: on to the next.
    fn step(self: &Arc<Engine>, job: &mut ExportJob) -> Result<Option<Outcome>, StepError> {
        let Some(store) = self.store.get() else {
            return Err(StepError::Left);
        };
        if self.told_to_leave() {
            return Err(StepError::Left);
        }
        let names = store.layout.highlight(&job.taken.press, &job.about().id);
        let mut stage = std::mem::replace(&mut job.stage, Step::Export);
        let attempt = ExportAttempt {
            core: self,
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

    /// Notes a failure of the disk; true if the job goes on at once with another stage.
    fn failed(&self, job: &mut ExportJob, what: String, full: bool) -> bool {
        job.failures += 1;
        job.was_full = full;
        job.trouble = Some(what.clone());
        let camera = job.about();
        // The 1st, 2nd, 4th, 8th time …: it may go on for hours.
        if job.failures.is_power_of_two() {
            log::warn!(
                target: "hindsight", event = "error_disk",
                camera = camera.id.as_str(), press = job.taken.press.id.as_str();
                "{}: {what}; {}", camera.id,
                if full { "it is finished when there is room" } else { "it is tried again" }
            );
        }
        let held = self.still_held(job);
        let exporting = matches!(job.stage, Step::Export);
        job.afresh = exporting && !full && held && job.failures >= AFRESH;
        let delay_ms = match full {
            true => 500 * u64::from(job.failures.min(4)),
            false => 25_u64 << job.failures.min(8),
        };
        job.not_before_mono_ns = self.clock.mono_ns() + delay_ms * 1_000_000;
        let mut state = self.state();
        state.counts.disk_errors += 1;
        state.counts.last_disk_error = Some(what.clone());
        set_phase(&mut state, job, ExportPhase::Retrying, Some(what.clone()));
        drop(state);
        if exporting && !full && !held && job.failures >= GIVE_UP {
            job.stage = Step::Explain(format!("the disk failed: {what}"));
            job.failures = 0;
            return true;
        }
        false
    }

    /// Whether a ring still holds the beginning of what the job wants: the ring in
    /// which its positions were counted, for another's say nothing.
    fn still_held(&self, job: &ExportJob) -> bool {
        let camera = job.about();
        let found = || self.rings.known_to(&camera.id, &camera.witnesses);
        let ring = match &job.ring {
            Some(ring) => Some(ring.clone()),
            None => job.of_this_boot(self).then(found).flatten(),
        };
        let held = ring.is_some_and(|ring| slack_ns(&ring, camera.plan.first_pos).is_some());
        held && camera.plan.is_made()
    }

    pub fn phase(&self, job: &ExportJob, phase: ExportPhase, trouble: Option<String>) {
        set_phase(&mut self.state(), job, phase, trouble);
        self.notify();
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
        let reason = outcome.reason.clone().filter(|_| outcome.clip.is_none());
        if let Some(export) = export_of(&mut state, job) {
            export.outcome = Some(outcome);
        }
        drop(state);
        if let Some(reason) = reason {
            self.tell(Event::NoClip {
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
        self.tell(Event::Retired {
            press_id: id.clone(),
        });
        self.notify();
    }

    /// (at work, waiting for a place or an attempt, waiting after an error).
    pub fn unfinished(&self, state: &PressTable) -> (usize, usize, usize) {
        let retrying = state.waiting.iter().filter(|job| job.failures > 0).count();
        let active = state.active + state.taking;
        (active, state.waiting.len() - retrying, retrying)
    }

    /// Whether jobs wait for their next attempt.
    pub fn has_waiting(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    /// Footage of the time before this start is held only for what that time left undone.
    pub fn let_old_rings_go(&self) {
        let presses = &self.state().presses;
        if !presses.iter().any(|p| p.of_earlier_run && !p.retired) {
            self.rings.let_old_go();
        }
    }

    /// Bytes that exports will probably still write.
    pub fn promised_bytes(&self) -> u64 {
        let state = self.state();
        let exports = state.presses.iter().flat_map(|press| &press.exports);
        exports
            .filter(|export| export.outcome.is_none())
            .map(|export| export.progress.rest())
            .sum()
    }
}
