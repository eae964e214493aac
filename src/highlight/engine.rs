//! What everybody who works on presses shares: the settings, the rings, the storage, the
//! presses in memory, and who listens.
//!
//! Not here: who works when (`schedule`, `workers`), the steps of a job (`steps`),
//! taking a press (`admission`).

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::day::Days;
use super::events::{self, Event};
use super::jobs::{ExportJob, PressTable, set_phase};
use super::leaving::Leaving;
use super::source::Rings;
use super::store::OpenStorage;
use super::types::{ExportPhase, Settings, Tuning};
use super::wall::WallLabels;
use crate::base::{Clock, Fanout, Heartbeat, Sentence, Stop, lock};

pub struct Engine {
    pub settings: Settings,
    pub rings: Rings,
    pub days: Days,
    pub tuning: Tuning,
    pub clock: Arc<dyn Clock>,
    pub wall: WallLabels,
    pub leaving: Leaving,
    /// Of the one who looks after the room.
    pub heartbeat: Arc<Heartbeat>,
    /// Set once the storage could be opened.
    pub store: OnceLock<OpenStorage>,
    pub events: Fanout<Event>,
    /// The last press was refused: for want of footage, or of room.
    pub refusing: AtomicBool,
    state: Mutex<PressTable>,
    changed: Condvar,
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
            wall: WallLabels::new(clock.clone(), settings.boot_id),
            leaving: Leaving::new(stop, settings.stop_grace_ms),
            settings,
            tuning,
            clock,
            heartbeat: Arc::new(Heartbeat::new("highlights")),
            store: OnceLock::new(),
            events: Fanout::new(events::CAPACITY),
            refusing: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
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

    pub fn tell(&self, event: &Event) {
        if let Event::Committed { .. } = event {
            self.state().counts.committed += 1;
        }
        self.events.tell(event);
    }

    pub fn phase(&self, job: &ExportJob, phase: ExportPhase, trouble: Option<Sentence>) {
        set_phase(&mut self.state(), job, phase, trouble);
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
