//! What an earlier run left: presses in the journal, clips without sidecar,
//! unfinished files; and sidecars whose wall clock was wrong.
//!
//! | sidecar | clip | then |
//! |---|---|---|
//! | there | | nothing |
//! | | there | the sidecar is made from the clip |
//! | | | exported again if the ring holds it, else what was written, else a sidecar that says why |
//!
//! Not here: the exports themselves (`export`), `verify`, which mends nothing.
//! Called by: the room's face (`mod`) at start; engine.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::close::{Clip, outcome};
use super::engine::{Core, Job, Stage};
use super::export::{Attempt, Trouble};
use super::journal::{Held, Taken};
use super::names::{self, Names};
use super::sidecar::Sidecar;
use super::store::{NotOpen, Store};
use super::{Outcome, StartError, inside};

/// A sidecar is no larger, whatever its gaps.
pub const LARGEST_SIDECAR: u64 = 1 << 24;

impl Core {
    /// Opens the storage and takes up what is pending. False if it must be tried again.
    pub fn open_store(self: &Arc<Core>) -> Result<bool, StartError> {
        if self.store.get().is_some() {
            return Ok(true);
        }
        let (store, held) = match Store::open(&self.tuning.disk, &self.settings.storage) {
            Ok(opened) => opened,
            Err(NotOpen::Never(error)) => return Err(error),
            Err(NotOpen::Trouble(text)) => {
                let mut state = self.state();
                if state.trouble.as_ref() != Some(&text) {
                    log::error!(target: "hindsight", event = "error_storage"; "{text}; no press is taken until that is mended");
                }
                state.trouble = Some(text);
                return Ok(false);
            }
        };
        let store = self.store.get_or_init(|| store);
        if std::mem::take(&mut self.state().trouble).is_some() {
            log::info!(target: "hindsight", event = "system_storage"; "{} can be used now", store.root.display());
        }
        self.take_up(store, held);
        Ok(true)
    }

    fn take_up(self: &Arc<Core>, store: &Store, held: Held) {
        if held.unread_bytes > 0 {
            log::warn!(
                target: "hindsight", event = "error_journal";
                "{} bytes of the journal were torn or damaged; a press whose writing was cut short was not acknowledged",
                held.unread_bytes
            );
        }
        let mut needed = HashSet::new();
        for taken in held.pending {
            let taken = Arc::new(taken);
            let mut jobs = Vec::new();
            let mut done = Vec::new();
            for (camera, about) in taken.cameras.iter().enumerate() {
                let names = Names::of(&store.root, &taken.press, &about.id);
                match left_behind(store, &names) {
                    Left::Sidecar(outcome) => done.push((camera, *outcome)),
                    Left::Job(stage) => {
                        needed.extend([names.part.clone(), names.facts.clone()]);
                        jobs.push(Job::new(taken.clone(), camera, None, Arc::default(), stage));
                    }
                }
            }
            say_taken_up(&taken, jobs.len());
            self.register(taken, jobs, done);
        }
        store.sweep(&needed);
    }

    /// The wall clock was set: sidecars of this boot that were written before get the right time.
    pub fn correct_clocks(&self) {
        let Some(store) = self.store.get() else {
            return;
        };
        // From here on sidecars are written with the right time.
        self.no_sidecar_on_its_way();
        let mut corrected = 0;
        for path in self.sidecars_of_this_boot(store) {
            match self.correct(store, &path) {
                Ok(true) => corrected += 1,
                Ok(false) => {}
                Err(error) => {
                    log::warn!(target: "hindsight", event = "error_disk"; "{}: correcting its time: {error}", path.display());
                }
            }
        }
        if corrected > 0 {
            log::info!(target: "hindsight", event = "clip_clock_corrected"; "the clock is synchronised: the times of {corrected} highlights were corrected");
        }
    }

    fn sidecars_of_this_boot(&self, store: &Store) -> Vec<PathBuf> {
        let boot = self.settings.boot_id.to_string();
        let presses = subfolders(&names::highlights(&store.root))
            .into_iter()
            .flat_map(|day| subfolders(&day))
            .filter(|press| file_name(press).starts_with(&boot[..8]));
        presses.flat_map(|press| sidecars_in(&press)).collect()
    }

    fn correct(&self, store: &Store, path: &Path) -> io::Result<bool> {
        let bytes = store.disk.read_file(path, LARGEST_SIDECAR)?;
        let Ok(mut sidecar) = Sidecar::from_bytes(&bytes) else {
            return Ok(false);
        };
        let ours = sidecar.clock.boot_id == self.settings.boot_id;
        if !ours || sidecar.clock.wall_synchronised {
            return Ok(false);
        }
        let wall = self.clock.wall();
        sidecar.correct_clock(wall, self.clock.mono_ns(), &self.settings.timezone);
        let temp = format!("{}.{}.clock", sidecar.press_id, sidecar.camera.id);
        let temp = names::tmp(&store.root).join(temp);
        store
            .disk
            .write_atomically(&temp, path, &sidecar.to_bytes())?;
        Ok(true)
    }
}

fn say_taken_up(taken: &Taken, unfinished: usize) {
    if unfinished > 0 {
        log::info!(
            target: "hindsight", event = "clip_taken_up", press = taken.press.id.as_str();
            "an earlier run left press {} with {unfinished} of {} clips unfinished: they are finished now",
            taken.press.id, taken.cameras.len()
        );
    }
}

enum Left {
    Sidecar(Box<Outcome>),
    Job(Stage),
}

/// What is on the disk of one camera of a press.
fn left_behind(store: &Store, names: &Names) -> Left {
    let read = store.disk.read_file(&names.sidecar, LARGEST_SIDECAR);
    if let Some(sidecar) = read.ok().and_then(|b| Sidecar::from_bytes(&b).ok()) {
        return Left::Sidecar(Box::new(outcome(&sidecar, &names.folder, &names.sidecar)));
    }
    // The export looks for the clip itself, and again after an error.
    Left::Job(Stage::Export)
}

impl Attempt<'_> {
    /// A committed clip whose sidecar was not written: from what it says about itself.
    pub fn rebuild(&self, suspect: bool) -> Result<Clip, Trouble> {
        let path = self.names.clip_as(suspect);
        let failed = |e: io::Error| Trouble::disk("reading the finished clip", &e);
        let file = self.store.disk.open_read(path).map_err(failed)?;
        let size_bytes = file.len().map_err(failed)?;
        let Some(report) = inside::extract(&file).map_err(failed)? else {
            return Err(Trouble::Disk {
                what: format!("{} says nothing about itself", path.display()),
                full: false,
            });
        };
        Ok(Clip {
            report,
            suspect: suspect.then(|| {
                "two readers disagree about this clip; in which way was lost in a restart"
                    .to_owned()
            }),
            size_bytes,
            hash: None,
        })
    }
}

pub fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

pub fn sidecars_in(press: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(press).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect()
}

pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
