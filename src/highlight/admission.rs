//! Takes a press: it is noted, and while the disk works on that: is there footage, is
//! there room. When the note is durable the press is acknowledged, and only then anything
//! else happens. After a refused press the next is asked for first, and noted then.
//!
//! Not here: what becomes of it (`workers`).

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::engine::Engine;
use super::jobs::{ExportJob, ExportProgress, JobStep};
use super::journal::{CameraRecord, DraftRecord, NotDurable, PressRecord, Witness};
use super::sentence::{AdmissionSentence, WholeSeconds};
use super::source::witnesses;
use super::store::OpenStorage;
use super::types::CameraSettings;
use crate::base::{
    CameraId, Coded, Press, PressAck, PressError, PressId, PressRequest, Refusal, Sentence, lock,
};
use crate::config;
use crate::cut::estimate;
use crate::cut::{self, Index, NoFootage, Plan, Tenths, Window};
use crate::ring::RingReader;
use crate::storage::sentence::StorageSentence;
use crate::storage::{UNDATED, budget};

/// A camera that can take the press.
struct Ready {
    camera: CameraRecord,
    ring: RingReader,
    bytes: u64,
}

/// What the cameras answered.
#[derive(Default)]
struct Answers {
    ready: Vec<Ready>,
    refused: Vec<Refusal>,
    notes: Vec<Refusal>,
}

impl Engine {
    /// `others`: the windows that its gesture may give the press instead of the
    /// request's; empty: it is decided. `durable` is told before anything else is done.
    pub fn press(
        self: &Arc<Engine>,
        request: &PressRequest,
        others: &[config::PressWindow],
        durable: &dyn Fn(&PressAck),
    ) -> Result<PressAck, PressError> {
        self.state().taking += 1;
        let result = self.take(request, others, durable);
        let mut state = self.state();
        state.taking -= 1;
        match &result {
            Ok(_) => state.counts.taken += 1,
            Err(_) => state.counts.refused += 1,
        }
        drop(state);
        self.notify();
        result
    }

    fn take(
        self: &Arc<Engine>,
        request: &PressRequest,
        others: &[config::PressWindow],
        durable: &dyn Fn(&PressAck),
    ) -> Result<PressAck, PressError> {
        if self.leaving.is_stopping() {
            return Err(PressError::Stopping);
        }
        let store = self.usable_store()?;
        // A row of refused presses does not wear the disk.
        let asked = match self.refusing.load(Relaxed) {
            true => Some(self.answers(store, request, others)?),
            false => None,
        };
        let mut press = self.made(request);
        // The disk works on it while the cameras are asked.
        let noted = self.note(store, &press)?;
        let answers = asked.map_or_else(|| self.answers(store, request, others), Ok);
        self.refusing.store(answers.is_err(), Relaxed);
        let answers = answers.inspect_err(|_| store.journal.retire(&press.id))?;
        press.cameras = answers.ready.iter().map(|r| r.camera.id.clone()).collect();
        let taken = Arc::new(PressRecord {
            cameras: answers.ready.iter().map(|r| r.camera.clone()).collect(),
            press: press.clone(),
        });
        let ack = PressAck {
            press,
            refused: answers.refused,
            notes: answers.notes,
        };
        let whole = store.journal.take(noted, taken.clone());
        let whole = whole.map_err(|not| not_taken(&not))?;
        durable(&ack);
        store.journal.complete(whole);
        self.set_to_work(&taken, answers.ready, !others.is_empty());
        Ok(ack)
    }

    fn note(&self, store: &OpenStorage, press: &Press) -> Result<DraftRecord, PressError> {
        let known = press.cameras.iter().filter_map(|id| self.camera(id));
        let noted = PressRecord {
            cameras: known
                .map(|camera| {
                    let window =
                        window_of(press.instant_mono_ns, press.pre_ms, press.post_ms, camera);
                    taken_camera(camera, Plan::unmade(window), Vec::new())
                })
                .collect(),
            press: press.clone(),
        };
        store
            .journal
            .note(&noted)
            .map_err(|not| match store.check() {
                // It says better what is wrong with a disk that is gone.
                Err(trouble) => PressError::Storage(trouble),
                Ok(_) => not_taken(&not),
            })
    }

    /// Is there footage, is there room.
    fn answers(
        &self,
        store: &OpenStorage,
        request: &PressRequest,
        others: &[config::PressWindow],
    ) -> Result<Answers, PressError> {
        let space = store.check().map_err(PressError::Storage)?;
        let answers = self.ask(request, others);
        if answers.ready.is_empty() {
            return Err(PressError::NoCamera(answers.refused));
        }
        let needed: u64 = answers.ready.iter().map(|ready| ready.bytes).sum();
        self.room(store, space.free, needed)?;
        Ok(answers)
    }

    fn camera(&self, id: &CameraId) -> Option<&CameraSettings> {
        self.settings.cameras.iter().find(|c| c.id == *id)
    }

    fn usable_store(&self) -> Result<&OpenStorage, PressError> {
        self.store.get().ok_or_else(|| {
            let trouble = self.state().trouble.clone();
            PressError::Storage(trouble.unwrap_or_else(|| StorageSentence::NotOpen {}.sentence()))
        })
    }

    fn room(&self, store: &OpenStorage, free: u64, needed: u64) -> Result<(), PressError> {
        let promised = self.promised_bytes();
        let wanted = budget::press_needs(needed, promised, self.settings.reserve_bytes);
        if free >= wanted {
            return Ok(());
        }
        let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
        let path = store.layout.root().display().to_string();
        let (free_mb, needed_mb) = (free / 1_000_000, megabytes(wanted));
        let said = match megabytes(promised) {
            0 => AdmissionSentence::NoRoom {
                path,
                free_mb,
                needed_mb,
            },
            promised_mb => AdmissionSentence::NoRoomNow {
                path,
                free_mb,
                needed_mb,
                promised_mb,
            },
        };
        Err(PressError::DiskFull(said.sentence()))
    }

    fn ask(&self, request: &PressRequest, others: &[config::PressWindow]) -> Answers {
        let mut answers = Answers::default();
        for camera_id in &request.cameras {
            let says = |why: Sentence| Refusal::new(camera_id.clone(), why);
            match self.ready(camera_id, request, others) {
                Ok(ready) => {
                    answers.notes.extend(note(&ready.camera.plan).map(says));
                    answers.ready.push(ready);
                }
                Err(reason) => answers.refused.push(says(reason)),
            }
        }
        answers
    }

    fn ready(
        &self,
        id: &CameraId,
        request: &PressRequest,
        others: &[config::PressWindow],
    ) -> Result<Ready, Sentence> {
        let camera = self.camera(id);
        let camera = camera.ok_or_else(|| {
            let camera_id = id.clone();
            AdmissionSentence::CameraUnknown { camera_id }.sentence()
        })?;
        let known = self.rings.known(id).map_err(|error| {
            let error = error.to_string();
            AdmissionSentence::RingUnreadable { error }.sentence()
        })?;
        let mut index = lock(&known);
        let window = window_of(
            request.instant_mono_ns,
            request.pre_ms,
            request.post_ms,
            camera,
        );
        let ring = index.ring().clone();
        let decided = match index.follow() {
            Ok(()) => decide(&*index, &window, others),
            // It says what is wrong, or what can be had all the same.
            Err(_) => decide(&ring, &window, others),
        };
        let decided = decided.map_err(|none| none.sentence())?;
        Ok(Ready {
            bytes: decided.bytes,
            camera: taken_camera(camera, decided.plan, decided.witnesses),
            ring,
        })
    }

    fn made(&self, request: &PressRequest) -> Press {
        let boot_id = self.settings.boot_id;
        let wall = self.clock.wall();
        let wall_unix_ns = self.wall.unix_ns_at(wall, request.instant_mono_ns);
        let date = wall.is_set().then(|| self.days.date(wall_unix_ns));
        Press {
            id: PressId::new(boot_id, request.instant_mono_ns),
            boot_id,
            instant_mono_ns: request.instant_mono_ns,
            pre_ms: request.pre_ms,
            post_ms: request.post_ms,
            source: request.source,
            button: request.button.clone(),
            cameras: request.cameras.clone(),
            folder: date.flatten().unwrap_or_else(|| UNDATED.to_owned()),
            wall_unix_ns,
            wall_synchronised: wall.synchronised,
        }
    }

    fn set_to_work(
        self: &Arc<Engine>,
        taken: &Arc<PressRecord>,
        ready: Vec<Ready>,
        undecided: bool,
    ) {
        let limit_mono_ns = self
            .clock
            .mono_ns()
            .saturating_add(self.tuning.undecided_ns);
        let jobs = ready.into_iter().enumerate().map(|(camera, ready)| {
            let progress = Arc::new(ExportProgress::default());
            progress.expect(ready.bytes);
            let ring = Some(ready.ring);
            let mut job = ExportJob::new(taken.clone(), camera, ring, progress, JobStep::Export);
            if undecided {
                (job.undecided, job.not_before_mono_ns) = (true, limit_mono_ns);
            }
            job
        });
        self.register(taken.clone(), jobs.collect(), Vec::new());
    }
}

fn not_taken(not: &NotDurable) -> PressError {
    log::error!(target: "hindsight", event = "error_press"; "{not}");
    match not.full {
        true => PressError::DiskFull(not_durable(not)),
        false => PressError::Storage(not_durable(not)),
    }
}

fn not_durable(not: &NotDurable) -> Sentence {
    AdmissionSentence::NotDurable {
        path: not.path.display().to_string(),
        error: not.what.clone(),
    }
    .sentence()
}

fn taken_camera(camera: &CameraSettings, plan: Plan, witnesses: Vec<Witness>) -> CameraRecord {
    CameraRecord {
        id: camera.id.clone(),
        name: camera.name.clone(),
        court: Some(camera.court.clone()),
        plan,
        witnesses,
    }
}

fn window_of(press_mono_ns: u64, pre_ms: u64, post_ms: u64, camera: &CameraSettings) -> Window {
    Window {
        press_mono_ns,
        latency_ms: camera.latency_ms,
        pre_ms,
        post_ms,
    }
}

/// What a ring's index says of a press.
struct Decided {
    plan: Plan,
    witnesses: Vec<Witness>,
    /// What the largest of the windows that the clip may get will need.
    bytes: u64,
}

fn decide(
    index: &impl Index,
    window: &Window,
    others: &[config::PressWindow],
) -> Result<Decided, NoFootage> {
    let plan = cut::plan(index, window)?;
    Ok(Decided {
        witnesses: witnesses(index, plan.first_pos),
        bytes: most_bytes(index, &plan, others),
        plan,
    })
}

fn most_bytes(index: &impl Index, plan: &Plan, others: &[config::PressWindow]) -> u64 {
    let bytes = |plan: &Plan| estimate(index, plan.first_pos, plan.window.end_mono_ns()).bytes;
    let plain = plan.window;
    let widest = others.iter().fold(plain, |widest, other| Window {
        pre_ms: widest.pre_ms.max(other.pre_ms),
        post_ms: widest.post_ms.max(other.post_ms),
        ..widest
    });
    let wider = (widest != plain).then(|| cut::plan(index, &widest).ok());
    let wider = wider.flatten().map_or(0, |plan| bytes(&plan));
    bytes(plan).max(wider)
}

/// What a person should know of a camera that took the press all the same.
fn note(plan: &Plan) -> Option<Sentence> {
    let stale = plan.stale_ms.map(|ms| {
        let silent_ms = WholeSeconds(ms);
        AdmissionSentence::Stale { silent_ms }.sentence()
    });
    let short = (plan.short_90k > 0).then(|| {
        let missing_ms = Tenths::of_90k(plan.short_90k);
        AdmissionSentence::Short { missing_ms }.sentence()
    });
    match (stale, short) {
        (Some(one), Some(other)) => Some(AdmissionSentence::Both { one, other }.sentence()),
        (stale, short) => stale.or(short),
    }
}
