//! The house as `web` sees it: presses in; status, health and highlights out.
//!
//! What may hang on a disk is looked at by the monitor, once a second, so that
//! `/health` answers also when the disk does not.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::panel::Panel;
use super::report::{self, Weight};
use super::work::Work;
use super::{say, words};
use crate::base::hours::OpenHours;
use crate::base::{
    CameraId, Clock, Counted, Notice, PressAck, PressError, PressId, PressRequest, Pulse, Sentence,
    Stop, StopLevel, Wall, notice,
};
use crate::config::Config;
use crate::config::board::Window;
use crate::health::{self, CameraFacts, House, Pictures, StorageFacts, Verdict, WorkFacts};
use crate::highlight::{self, Highlights, Listed, Outcome};
use crate::ingest::{CameraState, Ingest, Phase};
use crate::queue::{QueueError, Which};
use crate::ring::RingReader;
use crate::trigger::hours;
use crate::web::{Parts, Port, QueueCommand, QueueRefusal};

/// A camera that sent nothing for so long has no pictures to give.
const STALE_NS: u64 = 3_000_000_000;
/// A clip that is not on the disk so long after its window is late.
const LATE_MS: u64 = 60_000;
/// A change that so many looks have seen is worth a line in the log: at the start
/// all cameras are being called, and some are lost for a moment every day.
const LOOKS: u32 = 5;
/// Between two looks of the monitor.
const LOOK: Duration = Duration::from_secs(1);

/// What of the configuration is needed here.
pub(crate) struct Facts {
    pub cameras: Vec<(CameraId, String)>,
    pub ring_dir: PathBuf,
    pub storage: PathBuf,
    /// What one press of all cameras needs at most.
    pub press_bytes: u64,
    /// `None`: always.
    pub open: Option<OpenHours>,
    pub timezone: TimeZone,
    /// Where what is wrong with the box is written down, if anywhere.
    pub notices: Option<PathBuf>,
}

impl Facts {
    pub fn of(config: &Config) -> Facts {
        let window_ms = config.longest_window_ms();
        let cameras = config.cameras.len() as u64;
        let press_bits = (window_ms / 1000 + 1) * config.ring.max_bitrate_bps * cameras;
        Facts {
            cameras: config
                .cameras
                .iter()
                .map(|c| (c.id.clone(), c.name.clone()))
                .collect(),
            ring_dir: config.ring.dir.clone(),
            storage: config.storage.path.clone(),
            press_bytes: press_bits / 8,
            open: config.venue.open.clone(),
            timezone: config.venue.timezone.clone(),
            notices: config.notices.clone(),
        }
    }
}

pub(crate) struct Doorway {
    facts: Facts,
    ingest: Arc<Ingest>,
    highlights: Arc<Highlights>,
    work: Arc<Work>,
    panel: Arc<Panel>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    seen: Mutex<Seen>,
    refused: Mutex<Counted>,
    /// Presses outside of the opening hours.
    closed: AtomicU64,
    /// Of the monitor.
    pulse: Arc<Pulse>,
}

/// What the monitor saw last.
struct Seen {
    at_mono_ns: u64,
    highlights: Option<highlight::Status>,
    work: WorkFacts,
    notices: Vec<Notice>,
    /// What was made of it.
    verdict: Option<Verdict>,
}

/// Presses, whoever brings them.
impl Doorway {
    /// `others`: windows that a gesture may still give it; empty: it is decided.
    pub fn take(&self, request: &PressRequest, others: &[Window]) -> Result<PressAck, PressError> {
        let answer = match self.closed(request.instant_mono_ns) {
            Some(why) => Err(PressError::Closed(why)),
            None => {
                let durable = |ack: &PressAck| self.panel.feed.taken(ack);
                self.highlights.press_undecided(request, others, &durable)
            }
        };
        if answer.is_err() {
            self.panel.feed.refused();
        }
        self.tell(request, &answer);
        answer
    }

    /// The gesture of an undecided press is known.
    pub fn decide(&self, press: &PressId, window: Window) {
        let (pre, post) = (say::seconds(window.pre_ms), say::seconds(window.post_ms));
        match self.highlights.decide(press, window) {
            Ok(()) => {
                log::info!(target: "hindsight", event = "clip_decided", press = press.as_str();
                "press {press} saves the {pre} before it and the {post} after it")
            }
            Err(error) => {
                log::warn!(target: "hindsight", event = "clip_decided", press = press.as_str();
                "{error}")
            }
        }
    }

    /// Why the venue takes no press at that instant.
    fn closed(&self, instant_mono_ns: u64) -> Option<String> {
        let hours = self.facts.open.as_ref()?;
        let wall = self.clock.wall();
        let since_ns = self.clock.mono_ns().saturating_sub(instant_mono_ns);
        let at_press = Wall {
            unix_ns: wall.unix_ns.saturating_sub_unsigned(since_ns),
            ..wall
        };
        let why = hours::closed(hours, &self.facts.timezone, at_press)?.to_string();
        self.closed.fetch_add(1, Relaxed);
        Some(why)
    }

    fn tell(&self, request: &PressRequest, answer: &Result<PressAck, PressError>) {
        let text = words::one_line(&words::answered(answer, request.post_ms));
        match (answer, &request.button) {
            (Ok(ack), None) => log::info!(target: "hindsight", event = "clip_requested",
                press = ack.press.id.as_str(), cameras = ack.press.cameras.len(), refused = ack.refused.len();
                "{text}"),
            (Ok(ack), Some(button)) => {
                log::info!(target: "hindsight", event = "clip_requested", button = button.as_str(),
                    press = ack.press.id.as_str(), cameras = ack.press.cameras.len(), refused = ack.refused.len();
                    "button {button}: {text}");
            }
            // Somebody hit it with his hand: each is told.
            (Err(_), Some(button)) => {
                log::warn!(target: "hindsight", event = "clip_refused", button = button.as_str();
                    "button {button}: {text}");
            }
            (Err(_), None) => {
                let now = self.clock.mono_ns();
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(times) = refused.happened(now) {
                    log::warn!(target: "hindsight", event = "clip_refused", times; "{text}");
                }
            }
        }
    }
}

impl Doorway {
    pub fn new(
        facts: Facts,
        ingest: Arc<Ingest>,
        highlights: Arc<Highlights>,
        work: Arc<Work>,
        panel: Arc<Panel>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Doorway {
        let seen = Mutex::new(Seen {
            at_mono_ns: clock.mono_ns(),
            highlights: None,
            work: WorkFacts::default(),
            notices: Vec::new(),
            verdict: None,
        });
        Doorway {
            facts,
            ingest,
            highlights,
            work,
            panel,
            clock,
            stop,
            seen,
            refused: Mutex::default(),
            closed: AtomicU64::new(0),
            pulse: Arc::new(Pulse::new("monitor")),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The monitor: looks at the house until it ends, and logs when its health has
    /// changed for good.
    pub fn watch(&self) {
        let mut told = Told::default();
        loop {
            let status = self.highlights.status();
            let work = self.work.facts();
            let notices = self.facts.notices.as_deref().map(notice::read);
            *self.seen() = Seen {
                at_mono_ns: self.clock.mono_ns(),
                highlights: Some(status),
                work,
                notices: notices.unwrap_or_default(),
                verdict: None,
            };
            self.pulse.beat();
            let house = self.house();
            let verdict = health::judge(&house);
            self.seen().verdict = Some(verdict.clone());
            self.panel.feed.look(&house, &verdict, self.clock.mono_ns());
            if told.changed_for_good(verdict.status) {
                tell(&verdict);
                if verdict.status == health::Status::Unhealthy {
                    report::fault(Weight::House, "the house is unhealthy");
                }
            }
            if self.stop.wait(StopLevel::Now, LOOK) {
                return;
            }
        }
    }

    pub fn states(&self) -> Vec<CameraState> {
        self.ingest.states()
    }

    /// What the monitor made of the house last, without looking again.
    pub fn last_verdict(&self) -> Option<Verdict> {
        // Who watches over the monitor must not wait for what it holds.
        self.seen.try_lock().ok()?.verdict.clone()
    }

    /// The loops that must turn: cameras, presses, and the monitor's own.
    pub fn pulses(&self) -> Vec<Arc<Pulse>> {
        let others = [self.highlights.pulse(), self.pulse.clone()];
        let all = self.ingest.pulses().iter().cloned().chain(others);
        all.collect()
    }

    fn verdict(&self) -> Verdict {
        health::judge(&self.house())
    }

    fn house(&self) -> House {
        let now = self.clock.mono_ns();
        let states = self.ingest.states();
        let cameras = self.facts.cameras.iter().map(|(id, name)| {
            let state = states.iter().find(|state| state.camera == *id);
            CameraFacts {
                id: id.to_string(),
                name: name.clone(),
                pictures: state.map_or(Pictures::Connecting, |s| pictures(s, now)),
                warnings: state.map(|s| s.warnings.clone()).unwrap_or_default(),
            }
        });
        let cameras = cameras.collect();
        let seen = self.seen();
        let silent_ms = now.saturating_sub(seen.at_mono_ns) / 1_000_000;
        let status = seen.highlights.as_ref();
        let storage = status.map(|status| &status.storage);
        let (late_clips, trouble) = status.map_or((0, None), |s| late(s, now));
        House {
            cameras,
            storage: StorageFacts {
                path: self.facts.storage.display().to_string(),
                trouble: storage.and_then(|s| s.trouble.clone()),
                free_bytes: storage.map_or(u64::MAX, |s| s.free_bytes),
                press_bytes: self.facts.press_bytes,
                silent_ms,
            },
            clock_set: self.clock.wall().is_set(),
            late_clips,
            trouble,
            board: self.panel.troubles(),
            work: seen.work.clone(),
            notices: seen.notices.clone(),
        }
    }

    /// What ingest knows of each camera, the presses that are not done, and counts.
    fn captures(&self, status: &highlight::Status) -> Value {
        let now = self.clock.mono_ns();
        let states = self.ingest.states();
        let cameras = self.facts.cameras.iter().map(|(id, name)| {
            let state = states.iter().find(|state| state.camera == *id);
            let last = state.and_then(|state| state.last_au_mono_ns);
            let mut camera = object(json!(state));
            camera.remove("camera");
            camera.insert("camera_id".to_owned(), json!(id));
            camera.insert("name".to_owned(), json!(name));
            let ago_ms = last.map(|last| now.saturating_sub(last) / 1_000_000);
            camera.insert("last_au_ago_ms".to_owned(), json!(ago_ms));
            Value::Object(camera)
        });
        json!({
            "cameras": cameras.collect::<Vec<_>>(),
            "pending": status.pending,
            "presses_taken": status.presses_taken,
            "presses_refused": status.presses_refused + self.closed.load(Relaxed),
            "clips_committed": status.clips_committed,
            "clips_suspect": status.clips_suspect,
            "clips_none": status.clips_none,
        })
    }

    /// What each ring holds, and who of this process reads it.
    fn buffers(&self, status: &highlight::Status) -> Value {
        let buffers = self.facts.cameras.iter().map(|(id, _)| {
            let mut buffer = match RingReader::open(&self.facts.ring_dir, id) {
                Ok(ring) => {
                    let mut buffer = json!(ring.stats());
                    buffer["memory_bytes"] = ring.file_bytes().into();
                    buffer
                }
                Err(error) => json!({"trouble": error.to_string()}),
            };
            buffer["camera_id"] = json!(id);
            buffer["readers"] = readers(status, id);
            buffer
        });
        buffers.collect()
    }
}

/// Whether a camera's pictures come.
fn pictures(state: &CameraState, now_mono_ns: u64) -> Pictures {
    let why = || state.reason.clone();
    let silent_ns = state
        .last_au_mono_ns
        .map(|last| now_mono_ns.saturating_sub(last));
    match (state.state, silent_ns) {
        (Phase::Streaming, Some(ns)) if ns >= STALE_NS => Pictures::Stale { ms: ns / 1_000_000 },
        (Phase::Streaming, _) => Pictures::Coming,
        (Phase::Connecting, _) => Pictures::Connecting,
        (Phase::Waiting, _) => Pictures::Missing { why: why() },
        (Phase::RefusedPassword, _) => Pictures::WrongPassword,
        (Phase::GivenUp, _) => Pictures::GivenUp { why: why() },
    }
}

/// How many clips should have been on the disk by now, and what keeps the first.
fn late(status: &highlight::Status, now_mono_ns: u64) -> (usize, Option<String>) {
    let late = status.pending.iter().filter(|pending| {
        let press = &pending.press;
        let due_ms = press.instant_mono_ns / 1_000_000 + press.post_ms + LATE_MS;
        now_mono_ns / 1_000_000 > due_ms
    });
    let exports = late.flat_map(|pending| &pending.exports);
    let unfinished = exports.filter(|export| export.phase != highlight::Phase::Done);
    let unfinished: Vec<_> = unfinished.collect();
    let trouble = unfinished.iter().find_map(|export| export.trouble.clone());
    (unfinished.len(), trouble)
}

/// The exports that follow the ring of `camera`.
fn readers(status: &highlight::Status, camera: &CameraId) -> Value {
    let mut readers = Vec::new();
    for pending in &status.pending {
        let exports = pending.exports.iter();
        let here = exports.filter(|e| e.camera_id == *camera && e.phase != highlight::Phase::Done);
        readers.extend(here.map(|export| {
            json!({
                "kind": "export",
                "press_id": pending.press.id,
                "phase": export.phase,
                "written_bytes": export.written_bytes,
                "window_ends_in_ms": export.window_ends_in_ms,
            })
        }));
    }
    readers.into()
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

/// `/highlights/…` for a path below the storage's folder of that name.
fn link(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let (_, below) = text.rsplit_once("/highlights/")?;
    Some(format!("/highlights/{below}"))
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "camera_id": outcome.camera_id,
        "status": outcome.status,
        "reason": outcome.reason,
        "ended": outcome.ended,
        "duration_ms": outcome.duration_ms,
        "size_bytes": outcome.size_bytes,
        "clip": outcome.clip.as_deref().and_then(link),
        "sidecar": link(&outcome.sidecar),
    })
}

fn listed(listed: Listed) -> Value {
    let below = |name: &Option<String>| {
        let (folder, _) = listed.sidecar_file.rsplit_once('/')?;
        Some(format!("/highlights/{folder}/{}", name.as_ref()?))
    };
    let facts = &listed.sidecar;
    let clip = listed
        .clip
        .as_ref()
        .map(|clip| format!("/highlights/{clip}"));
    json!({
        "video": below(&facts.wm_path).or_else(|| clip.clone()),
        "vertical": below(&facts.vertical_path),
        "thumbnail": below(&facts.thumbnail_path),
        "clip": clip,
        "sidecar": format!("/highlights/{}", listed.sidecar_file),
        "facts": listed.sidecar,
    })
}

impl Port for Doorway {
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.take(request, &[])
    }

    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Value>> {
        let outcomes = self.highlights.wait(press, limit)?;
        Some(outcomes.iter().map(outcome).collect())
    }

    fn status(&self) -> Parts {
        // Not the monitor's: whoever pressed wants to see that press.
        let status = self.highlights.status();
        let wall = self.clock.wall();
        let mut health = object(json!(self.verdict()));
        let mut add = |key: &str, value| health.insert(key.to_owned(), value);
        add("storage", json!(status.storage));
        add("disk_errors", json!(status.disk_errors));
        add("last_disk_error", json!(status.last_disk_error));
        add(
            "clock",
            json!({"set": wall.is_set(), "synchronised": wall.synchronised}),
        );
        add("version", env!("CARGO_PKG_VERSION").into());
        Parts {
            status: match self.stop.level() {
                StopLevel::Running => "running",
                StopLevel::Finish | StopLevel::Now => "stopping",
            },
            captures: self.captures(&status),
            buffers: self.buffers(&status),
            queue: json!(self.work.queue.status()),
            board: self.panel.status(),
            health: Value::Object(health),
        }
    }

    fn health(&self) -> Value {
        json!(self.verdict())
    }

    fn highlights(&self, limit: usize) -> Vec<Value> {
        let list = self.highlights.list(limit);
        list.into_iter().map(listed).collect()
    }

    fn queue(&self, limit: usize) -> Value {
        let mut jobs = self.work.queue.list();
        jobs.truncate(limit);
        json!({"status": self.work.queue.status(), "jobs": jobs})
    }

    fn change_queue(&self, command: &QueueCommand) -> Result<Vec<String>, QueueRefusal> {
        let queue = &self.work.queue;
        let done = match command {
            QueueCommand::Retry(id) => queue.retry(&Which::Id(id.clone())),
            QueueCommand::RetryFailed => queue.retry(&Which::Failed),
            QueueCommand::Drop(id) => queue.drop_job(id),
        };
        done.map_err(|error| match &error {
            QueueError::Unknown(_) => QueueRefusal::Unknown(said(&error, "queue_job_unknown")),
            QueueError::Ambiguous(..) => {
                QueueRefusal::Ambiguous(said(&error, "queue_job_ambiguous"))
            }
            _ => QueueRefusal::Unavailable(said(&error, "queue_unavailable")),
        })
    }
}

fn said(error: &QueueError, code: &str) -> Sentence {
    Sentence {
        code: code.to_owned(),
        args: Default::default(),
        text: error.to_string(),
    }
}

/// The fields of something that is an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
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
