//! A turn: one job is finished, or uploaded to one target, and its sidecar says so.
//!
//! Each step can be repeated by this run or the next; see `store` for the order on the disk.
//! Not here: who gets a turn (`state`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};
use serde_json::Value;

use super::core::Core;
use super::machine::{self, JobEvent as Change};
use super::sentence::QueueSentence;
use super::sidecar::{Removed, Sidecar, Stage, Status, UploadStatus};
use super::state::{AttemptResult, ClaimedJob};
use super::store::Sidecars;
use super::types::Event;
use super::work::{Failure, Finished, Job, Notebook};

/// A turn that is over sooner leaves no trace of its beginning on the disk.
const SHORT: Duration = Duration::from_millis(250);

/// Works in a lane until the queue ends.
pub fn work(core: &Core, lane: usize) {
    while let Some((sidecars, taken)) = core.take(lane) {
        let turn = Turning {
            core,
            sidecars: &sidecars,
            taken: &taken,
        };
        let ended = match lane {
            0 => turn.finish(),
            _ => turn.upload(lane - 1),
        };
        let ended = ended.unwrap_or_else(|trouble| trouble);
        core.ended(lane, &taken, &ended);
    }
}

struct Turning<'a> {
    core: &'a Core,
    sidecars: &'a Sidecars,
    taken: &'a ClaimedJob,
}

/// One who panicked was tried and went wrong.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Failure::failed(QueueSentence::WorkerPanicked {})))
}

impl Turning<'_> {
    fn path(&self) -> &Path {
        &self.taken.path
    }

    fn change(&self, event: &Change) -> Result<Sidecar, AttemptResult> {
        let sidecar = self.core.change(self.sidecars, self.path(), event)?;
        self.core.state().show(self.path(), &sidecar);
        Ok(sidecar)
    }

    /// The sidecar as it is once `beginning` has happened; not written yet.
    fn begun(&self, beginning: &Change) -> Result<Sidecar, AttemptResult> {
        let read = self.sidecars.read(self.path());
        let mut sidecar = read.map_err(|e| self.trouble("its sidecar", &e))?;
        machine::apply(
            &mut sidecar,
            beginning,
            &self.core.rules,
            &self.core.stamp(),
        );
        self.core.state().show(self.path(), &sidecar);
        Ok(sidecar)
    }

    /// Works, and writes down beside it that it has begun, unless it is over by then:
    /// nobody waits for that, and nothing depends on it.
    fn noting<T>(&self, beginning: &Change, work: impl FnOnce() -> T) -> T {
        let (over, waiting) = bounded::<()>(0);
        std::thread::scope(|scope| {
            let note = move || {
                if waiting.recv_timeout(SHORT) == Err(RecvTimeoutError::Timeout) {
                    // What went wrong is told; the end of the turn is written all the same.
                    let _ = self.change(beginning);
                }
            };
            let noting = std::thread::Builder::new().name("note".to_owned());
            let noting = noting.spawn_scoped(scope, note);
            let done = work();
            drop((over, noting));
            done
        })
    }

    fn trouble(&self, what: &str, error: &std::io::Error) -> AttemptResult {
        self.core.disk_trouble(self.path(), what, error)
    }

    fn with_job<T>(&self, sidecar: &Sidecar, work: impl FnOnce(&Job<'_>) -> T) -> T {
        let tmp = self.sidecars.layout.tmp();
        work(&Job {
            folder: self.path().parent().unwrap_or(self.sidecars.layout.root()),
            sidecar,
            tmp: &tmp,
        })
    }

    // ── finishing ──

    fn finish(&self) -> Result<AttemptResult, AttemptResult> {
        let began = Instant::now();
        let sidecar = self.begun(&Change::FinishBegan)?;
        if sidecar.status != Status::Finishing {
            return Ok(AttemptResult::Cancelled);
        }
        self.began(Stage::Finish, None);
        let found = self.noting(&Change::FinishBegan, || match self.found(&sidecar)? {
            Some(found) => Ok(Ok(found)),
            None => self.make(&sidecar),
        })?;
        let finished = match found {
            Ok(finished) => finished,
            Err(failure) => {
                self.change(&Change::FinishEnded(failure.clone()))?;
                return Ok(self.failed(Stage::Finish, None, failure));
            }
        };
        let sidecar = self.change(&finished)?;
        self.finished(&sidecar, began);
        if !self.core.rules.keep_raw && sidecar.wm_path.is_some() {
            // What went wrong is told; the next start tries again.
            let _ = remove_raw(self.core, self.sidecars, self.path(), &sidecar);
        }
        Ok(AttemptResult::Done)
    }

    /// What an earlier run finished and could not write down.
    fn found(&self, sidecar: &Sidecar) -> Result<Option<Change>, AttemptResult> {
        let settings = &self.core.settings;
        let found = self
            .sidecars
            .found(self.path(), sidecar, settings.marks, settings.vertical)
            .map_err(|e| self.trouble("looking for what is finished already", &e))?;
        Ok(found.map(|found| Change::Finished {
            marked: found.marked,
            vertical: found.vertical,
            thumbnail: found.thumbnail,
            notes: Vec::new(),
        }))
    }

    /// Asks the finisher, and gives what it made its names.
    fn make(&self, sidecar: &Sidecar) -> Result<Result<Change, Failure>, AttemptResult> {
        let progress = |permille: u16| self.taken.progress.store(permille.min(1000), Relaxed);
        let made = self.with_job(sidecar, |job| {
            guarded(|| self.core.finisher.finish(job, &progress, &self.core.stop))
        });
        let made = match made {
            Ok(made) => made,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Err(error) = self.sidecars.adopt(self.path(), sidecar, &made) {
            self.sidecars.discard(&made);
            return Err(self.trouble("giving the finished files their names", &error));
        }
        let Finished {
            marked,
            vertical,
            thumbnail,
            notes,
        } = made;
        Ok(Ok(Change::Finished {
            marked: marked.map(|(_, meta)| meta),
            vertical: vertical.is_some(),
            thumbnail: thumbnail.is_some(),
            notes,
        }))
    }

    fn finished(&self, sidecar: &Sidecar, began: Instant) {
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (press, camera) = (&self.taken.press, &self.taken.camera);
        let at = |name: &Option<String>| {
            let name = name.as_ref()?;
            Some(self.path().with_file_name(name))
        };
        self.core.events.tell(&Event::Finished {
            press_id: press.clone(),
            camera: camera.clone(),
            marked: at(&sidecar.wm_path),
            vertical: at(&sidecar.vertical_path),
            thumbnail: at(&sidecar.thumbnail_path),
            notes: sidecar.notes.clone(),
            took_ms,
        });
        if self.core.targets.is_empty() {
            self.done(sidecar.status);
        }
    }

    // ── uploading ──

    fn upload(&self, at: usize) -> Result<AttemptResult, AttemptResult> {
        let began = Instant::now();
        let target = &self.core.targets[at];
        let id = target.id().to_owned();
        let beginning = Change::UploadBegan { target: id.clone() };
        let sidecar = self.begun(&beginning)?;
        let entry = sidecar.uploads.iter().find(|u| u.target == id);
        let Some(entry) = entry.filter(|u| u.status == UploadStatus::Uploading) else {
            return Ok(AttemptResult::Cancelled);
        };
        self.began(Stage::Upload, Some(&id));
        let notes = Notes {
            turn: self,
            target: &id,
        };
        let progress = |permille: u16| self.taken.progress.store(permille.min(1000), Relaxed);
        let answer = self.noting(&beginning, || {
            self.with_job(&sidecar, |job| {
                let resume = entry.resume.as_ref();
                guarded(|| target.upload(job, resume, &notes, &progress, &self.core.stop))
            })
        });
        match answer {
            Ok(uploaded) => {
                let sidecar = self.change(&Change::Proved {
                    target: id.clone(),
                    place: uploaded.place.clone(),
                })?;
                self.uploaded(&sidecar, &id, uploaded.place, began);
                Ok(AttemptResult::Done)
            }
            Err(failure) => {
                self.change(&Change::UploadEnded {
                    target: id.clone(),
                    failure: failure.clone(),
                })?;
                Ok(self.failed(Stage::Upload, Some(id), failure))
            }
        }
    }

    fn uploaded(&self, sidecar: &Sidecar, target: &str, place: String, began: Instant) {
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (press, camera) = (&self.taken.press, &self.taken.camera);
        self.core.events.tell(&Event::Uploaded {
            press_id: press.clone(),
            camera: camera.clone(),
            target: target.to_owned(),
            place,
            took_ms,
        });
        if sidecar.status == Status::Uploaded {
            self.done(sidecar.status);
        }
    }

    // ── told ──

    fn began(&self, stage: Stage, target: Option<&str>) {
        self.core.events.tell(&Event::Began {
            press_id: self.taken.press.clone(),
            camera: self.taken.camera.clone(),
            stage,
            target: target.map(str::to_owned),
        });
    }

    fn done(&self, status: Status) {
        self.core.events.tell(&Event::Done {
            press_id: self.taken.press.clone(),
            camera: self.taken.camera.clone(),
            status,
        });
    }

    /// Tells of a failure; what it means for the turn.
    fn failed(&self, stage: Stage, target: Option<String>, failure: Failure) -> AttemptResult {
        let turn = match &failure {
            Failure::Cancelled => return AttemptResult::Cancelled,
            Failure::Deferred { why, again_in_ms } => {
                return AttemptResult::Deferred {
                    why: why.clone(),
                    again_in_ms: *again_in_ms,
                };
            }
            Failure::Unavailable {
                why,
                retry_after_ms,
            } => AttemptResult::Unavailable {
                why: why.clone(),
                asked_ms: *retry_after_ms,
            },
            Failure::Failed { .. } | Failure::Permanent { .. } => AttemptResult::Again,
        };
        let (press, camera) = (&self.taken.press, &self.taken.camera);
        self.core.events.tell(&Event::Failed {
            press_id: press.clone(),
            camera: camera.clone(),
            stage,
            target,
            failure,
        });
        turn
    }
}

/// What an upload notes goes into the sidecar.
struct Notes<'a> {
    turn: &'a Turning<'a>,
    target: &'a str,
}

impl Notebook for Notes<'_> {
    fn note(&self, resume: Option<Value>) -> Result<(), Failure> {
        let noted = self.turn.change(&Change::Noted {
            target: self.target.to_owned(),
            resume,
        });
        match noted {
            Ok(_) => Ok(()),
            Err(AttemptResult::Unavailable { why, asked_ms }) => Err(Failure::Unavailable {
                why,
                retry_after_ms: asked_ms,
            }),
            Err(_) => Err(Failure::Cancelled),
        }
    }
}

/// Removes the unmarked clip once the marked one is proved; first its sidecar says so.
pub fn remove_raw(
    core: &Core,
    sidecars: &Sidecars,
    path: &Path,
    sidecar: &Sidecar,
) -> Result<(), AttemptResult> {
    let trouble = |error| core.disk_trouble(path, "removing the unmarked clip", &error);
    if sidecar.removed.is_none() {
        let against = sidecars.against_the_marked(path, sidecar);
        if let Some(why) = against.map_err(trouble)? {
            log::error!(target: "hindsight", event = "error_disk"; "the unmarked clip is kept: {why}");
            return Ok(());
        }
        core.change(sidecars, path, &Change::RawGoes)?;
    }
    let sidecar = sidecars.read(path).map_err(trouble)?;
    match sidecar.removed {
        Some(Removed::Raw) => sidecars.remove_raw(path, &sidecar).map_err(trouble),
        _ => Ok(()),
    }
}
