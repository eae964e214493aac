//! What all threads of the queue share: the jobs, the storage once it is open, and
//! who is told of what happens.
//!
//! Not here: the turns themselves (`workers`), the deleting (`maintenance`).

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::inbox::OpenedStorage;
use super::machine::{self, JobRules};
use super::retention;
use super::scan::{self, ScanError};
use super::sentence::QueueSentence;
use super::sidecar::{Sidecar, rfc3339};
use super::state::{AttemptResult, ClaimedJob, JobTable, Now};
use super::store::Sidecars;
use super::types::{Event, Settings};
use super::work::{Finisher, UploadTarget};
use crate::base::{Clock, Coded, Fanout, Stop, StopLevel, lock};
use crate::disk::files::for_people;

const EVENTS: usize = 1024;
/// Longest sleep of who waits for somebody's turn to come.
const NAP: Duration = Duration::from_secs(1);

pub struct Core {
    pub settings: Settings,
    pub rules: JobRules,
    pub finisher: Arc<dyn Finisher>,
    pub targets: Vec<Arc<dyn UploadTarget>>,
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
    pub open: OnceLock<OpenedStorage>,
    state: Mutex<JobTable>,
    changed: Condvar,
    pub events: Fanout<Event>,
}

impl Core {
    pub fn new(
        settings: Settings,
        finisher: Arc<dyn Finisher>,
        targets: Vec<Arc<dyn UploadTarget>>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Core {
        let rules = JobRules {
            targets: targets.iter().map(|t| t.id().to_owned()).collect(),
            max_attempts: settings.queue.max_attempts,
            keep_raw: settings.queue.keep_raw,
        };
        let state = JobTable::new(rules.clone(), settings.backoff, settings.seed);
        Core {
            settings,
            rules,
            finisher,
            targets,
            clock,
            stop,
            open: OnceLock::new(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            events: Fanout::new(EVENTS),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, JobTable> {
        lock(&self.state)
    }

    /// Wakes everybody who waits for a turn.
    pub fn wake(&self) {
        // Under the lock: nobody is between his look and his sleep.
        let _state = self.state();
        self.changed.notify_all();
    }

    pub fn keep_rules(&self) -> retention::RetentionRules {
        retention::RetentionRules {
            keep_uploaded_ms: self.settings.queue.keep_uploaded_ms,
            keep_ms: self.settings.queue.keep_ms,
            has_targets: !self.targets.is_empty(),
            reserve_bytes: self.settings.reserve_bytes,
        }
    }

    pub fn leaving(&self) -> bool {
        self.stop.level() >= StopLevel::Finish
    }

    pub fn now(&self) -> Now {
        Now {
            mono_ns: self.clock.mono_ns(),
            wall: self.clock.wall(),
            boot_id: self.settings.boot_id,
        }
    }

    /// RFC 3339 with the venue's offset.
    pub fn stamp(&self) -> String {
        rfc3339(self.clock.wall().unix_ns, &self.settings.timezone)
    }

    /// Waits for the next turn in a lane; `None`: the queue ends.
    pub fn take(&self, lane: usize) -> Option<(Arc<Sidecars>, ClaimedJob)> {
        let mut state = self.state();
        loop {
            if self.leaving() {
                return None;
            }
            let now_mono_ns = self.clock.mono_ns();
            if let Some(open) = self.open.get()
                && let Some(taken) = state.take(lane, now_mono_ns)
            {
                return Some((open.sidecars.clone(), taken));
            }
            state = match state.next_due(lane, now_mono_ns) {
                Some(ns) => {
                    // A little late, so that a clock that moves in steps is past it.
                    let nap = Duration::from_nanos(ns) + Duration::from_millis(1);
                    let waited = self.changed.wait_timeout(state, nap.min(NAP));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// A turn is over: what became of the job, and of its lane.
    pub fn ended(&self, lane: usize, taken: &ClaimedJob, turn: &AttemptResult) {
        // A disk that cannot be read shows itself at the next turn.
        let _ = self.look_again(&taken.path);
        let mut state = self.state();
        state.ended(lane, &taken.path, turn, self.clock.mono_ns());
        self.changed.notify_all();
    }

    /// Reads a highlight anew; true if it is to be settled or removed first. What cannot
    /// be read is known as it was.
    pub fn look_again(&self, path: &Path) -> Result<bool, ScanError> {
        let Some(open) = self.open.get() else {
            return Ok(false);
        };
        let seen = scan::one(path, &open.sidecars.disk);
        let now = self.now();
        let mut state = self.state();
        let chore = match seen {
            Ok(seen) => Ok(state.know(&seen, &now)),
            // Somebody deleted it.
            Err(_) if !path.exists() => {
                state.forget(path);
                Ok(false)
            }
            Err(error) => Err(error),
        };
        self.changed.notify_all();
        chore
    }

    /// Applies an event to a sidecar on the disk.
    pub fn change(
        &self,
        sidecars: &Sidecars,
        path: &Path,
        event: &machine::JobEvent,
    ) -> Result<Sidecar, AttemptResult> {
        let stamp = self.stamp();
        let changed = sidecars.change(path, |sidecar| {
            machine::apply(sidecar, event, &self.rules, &stamp)
        });
        changed.map_err(|error| self.disk_trouble(path, "its sidecar", &error))
    }

    /// What a failing disk means for a turn.
    pub fn disk_trouble(&self, path: &Path, what: &str, error: &io::Error) -> AttemptResult {
        if matches!(error.kind(), ErrorKind::NotFound) && !path.exists() {
            self.state().forget(path);
            return AttemptResult::Cancelled;
        }
        let why = QueueSentence::DiskFailed {
            path: path.display().to_string(),
            doing: what.to_owned(),
            error: for_people(error),
        };
        log::warn!(target: "hindsight", event = "error_disk"; "{why}");
        AttemptResult::Unavailable {
            why: why.sentence(),
            asked_ms: None,
        }
    }
}
