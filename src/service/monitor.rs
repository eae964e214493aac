//! The monitor: looks at every room once a second, has health judge what it saw, and tells lights, log and
//! reports.
//!
//! What may hang on a disk is looked at here alone, so that `/health` answers also when the disk does not.
//!
//! Not here: the verdict itself (`health`), who watches over the monitor (`watchdog`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::delivery::Delivery;
use super::panel::Panel;
use super::report::{self, Weight};
use crate::base::{CameraId, Clock, Heartbeat, Notice, Sentence, Stop, StopLevel, lock, notice};
use crate::config::Config;
use crate::health::{
    self, CameraInputs, DeliveryInputs, HealthInputs, Pictures, ReasonDetail, StorageInputs,
    Verdict,
};
use crate::highlight::{self, Highlights};
use crate::ingest::{CameraState, ConnectionPhase, Ingest};

/// A camera that sent nothing for so long has no pictures to give.
const STALE_NS: u64 = 3_000_000_000;
/// A clip that is not on the disk so long after its window is late.
const LATE_MS: u64 = 60_000;
/// A change that so many looks have seen is worth a line in the log: at the start
/// all cameras are being connected, and some are lost for a moment every day.
const LOOKS: u32 = 5;
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Monitor {
    cameras: Vec<(CameraId, String)>,
    storage: PathBuf,
    /// What one press of all cameras needs at most.
    press_bytes: u64,
    /// Where what is wrong with the box is written down, if anywhere.
    notices: Option<PathBuf>,
    rooms: Rooms,
    seen: Mutex<Seen>,
    heartbeat: Arc<Heartbeat>,
}

/// What is looked at.
#[derive(Clone)]
pub(crate) struct Rooms {
    pub ingest: Arc<Ingest>,
    pub highlights: Arc<Highlights>,
    pub delivery: Arc<Delivery>,
    pub panel: Arc<Panel>,
    pub clock: Arc<dyn Clock>,
    pub stop: Stop,
}

/// What was seen last.
struct Seen {
    at_mono_ns: u64,
    highlights: Option<highlight::Status>,
    work: DeliveryInputs,
    notices: Vec<Notice>,
    /// What was made of it.
    verdict: Option<Verdict>,
}

impl Monitor {
    pub fn new(config: &Config, rooms: Rooms) -> Monitor {
        let seen = Mutex::new(Seen {
            at_mono_ns: rooms.clock.mono_ns(),
            highlights: None,
            work: DeliveryInputs::default(),
            notices: Vec::new(),
            verdict: None,
        });
        let cameras = config.cameras.iter();
        Monitor {
            cameras: cameras.map(|c| (c.id.clone(), c.name.clone())).collect(),
            storage: config.storage.path.clone(),
            press_bytes: config.press_bytes(),
            notices: config.notices.clone(),
            rooms,
            seen,
            heartbeat: Arc::new(Heartbeat::new("monitor")),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Looks until the service ends, and logs when its health has
    /// changed for good.
    pub fn watch(&self) {
        let mut told = Told::default();
        loop {
            let status = self.rooms.highlights.status();
            let work = self.rooms.delivery.facts();
            let notices = self.notices.as_deref().map(notice::read);
            *self.seen() = Seen {
                at_mono_ns: self.rooms.clock.mono_ns(),
                highlights: Some(status),
                work,
                notices: notices.unwrap_or_default(),
                verdict: None,
            };
            self.heartbeat.beat();
            let inputs = self.inputs();
            let verdict = health::judge(&inputs);
            self.seen().verdict = Some(verdict.clone());
            self.rooms
                .panel
                .feed
                .look(&inputs, &verdict, self.rooms.clock.mono_ns());
            if told.changed_for_good(verdict.status) {
                tell(&verdict);
                if verdict.status == health::Status::Unhealthy {
                    report::fault(Weight::House, "the house is unhealthy");
                }
            }
            if self.rooms.stop.wait(StopLevel::Now, LOOK) {
                return;
            }
        }
    }

    /// What the monitor made of the house last, without looking again.
    pub fn last_verdict(&self) -> Option<Verdict> {
        // Who watches over the monitor must not wait for what it holds.
        self.seen.try_lock().ok()?.verdict.clone()
    }

    /// The loops that must turn: cameras, presses, and the monitor's own.
    pub fn heartbeats(&self) -> Vec<Arc<Heartbeat>> {
        let others = [self.rooms.highlights.heartbeat(), self.heartbeat.clone()];
        let all = self.rooms.ingest.heartbeats().iter().cloned().chain(others);
        all.collect()
    }

    /// Judges what is known now.
    pub fn verdict(&self) -> Verdict {
        health::judge(&self.inputs())
    }

    fn inputs(&self) -> HealthInputs {
        let now = self.rooms.clock.mono_ns();
        let states = self.rooms.ingest.states();
        let cameras = self.cameras.iter().map(|(id, name)| {
            let state = states.iter().find(|state| state.camera == *id);
            CameraInputs {
                id: id.to_string(),
                name: name.clone(),
                pictures: state.map_or(Pictures::Connecting, |s| pictures(s, now)),
                warnings: state
                    .map(|s| {
                        s.warning_sentences
                            .iter()
                            .cloned()
                            .map(ReasonDetail::from)
                            .collect()
                    })
                    .unwrap_or_default(),
            }
        });
        let cameras = cameras.collect();
        let seen = self.seen();
        let silent_ms = now.saturating_sub(seen.at_mono_ns) / 1_000_000;
        let status = seen.highlights.as_ref();
        let storage = status.map(|status| &status.storage);
        let (late_clips, trouble) = status.map_or((0, None), |s| late(s, now));
        HealthInputs {
            cameras,
            storage: StorageInputs {
                path: self.storage.display().to_string(),
                trouble: storage.and_then(|s| s.trouble.clone()).map(Into::into),
                free_bytes: storage.map_or(u64::MAX, |s| s.free_bytes),
                press_bytes: self.press_bytes,
                silent_ms,
            },
            clock_set: self.rooms.clock.wall().is_set(),
            late_clips,
            trouble: trouble.map(Into::into),
            board: self.rooms.panel.troubles(),
            work: seen.work.clone(),
            notices: seen.notices.clone(),
        }
    }
}

/// Whether a camera's pictures come.
fn pictures(state: &CameraState, now_mono_ns: u64) -> Pictures {
    let why = || match state.reason_sentence.clone() {
        Some(said) => said.into(),
        None => ReasonDetail::from(state.reason.clone()),
    };
    let silent_ns = state
        .last_au_mono_ns
        .map(|last| now_mono_ns.saturating_sub(last));
    match (state.state, silent_ns) {
        (ConnectionPhase::Streaming, Some(ns)) if ns >= STALE_NS => {
            Pictures::Stale { ms: ns / 1_000_000 }
        }
        (ConnectionPhase::Streaming, _) => Pictures::Coming,
        (ConnectionPhase::Connecting, _) => Pictures::Connecting,
        (ConnectionPhase::Waiting, _) => Pictures::Missing { why: why() },
        (ConnectionPhase::RefusedPassword, _) => Pictures::WrongPassword,
        (ConnectionPhase::GivenUp, _) => Pictures::GivenUp { why: why() },
    }
}

/// How many clips should have been on the disk by now, and what keeps the first.
fn late(status: &highlight::Status, now_mono_ns: u64) -> (usize, Option<Sentence>) {
    let late = status.pending.iter().filter(|pending| {
        let press = &pending.press;
        let due_ms = press.instant_mono_ns / 1_000_000 + press.post_ms + LATE_MS;
        now_mono_ns / 1_000_000 > due_ms
    });
    let exports = late.flat_map(|pending| &pending.exports);
    let unfinished = exports.filter(|export| export.phase != highlight::ExportPhase::Done);
    let unfinished: Vec<_> = unfinished.collect();
    let trouble = unfinished.iter().find_map(|export| export.trouble.clone());
    (unfinished.len(), trouble)
}

/// What was told of the health last, and how often it was seen to be another since.
struct Told {
    status: health::Status,
    looks: u32,
}

impl Default for Told {
    fn default() -> Told {
        let status = health::Status::Healthy;
        Told { status, looks: 0 }
    }
}

impl Told {
    /// Whether `seen` is to be told now.
    fn changed_for_good(&mut self, seen: health::Status) -> bool {
        self.looks = if seen == self.status {
            0
        } else {
            self.looks + 1
        };
        let lasts = self.looks >= LOOKS;
        if lasts {
            *self = Told {
                status: seen,
                looks: 0,
            };
        }
        lasts
    }
}

fn tell(verdict: &Verdict) {
    let status = format!("{:?}", verdict.status).to_lowercase();
    let reasons = verdict.reasons.iter();
    let reasons = reasons.map(|r| format!("{}: {} ({})", r.place, r.what, r.what_to_do));
    let reasons = reasons.collect::<Vec<_>>().join("; ");
    if verdict.status == health::Status::Healthy {
        log::info!(target: "hindsight", event = "system_health", status = status.as_str(); "all is well");
    } else {
        log::warn!(target: "hindsight", event = "system_health", status = status.as_str(); "{status}: {reasons}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use health::Status::{Healthy, Unhealthy};

    #[test]
    fn health_is_told_when_it_lasts_and_a_recovery_right_after_that_too() {
        let mut told = Told::default();
        let mut looks = |status, times: u32| {
            let told: Vec<bool> = (0..times).map(|_| told.changed_for_good(status)).collect();
            told.iter().filter(|told| **told).count()
        };
        assert_eq!(looks(Unhealthy, LOOKS - 1), 0);
        assert_eq!(looks(Healthy, 3), 0, "it did not last");
        assert_eq!(looks(Unhealthy, LOOKS), 1);
        assert_eq!(looks(Healthy, 3 * LOOKS), 1);
        assert_eq!(looks(Healthy, 3 * LOOKS), 0);
    }
}
