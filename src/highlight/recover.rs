//! What an earlier run left: presses in the journal, clips without sidecar,
//! unfinished files.
//!
//! | sidecar | clip | then |
//! |---|---|---|
//! | there | | nothing |
//! | | there | the sidecar is made from the clip |
//! | | | exported again if the ring holds it, else what was written, else a sidecar that says why |
//!
//! Not here: the exports themselves (`export`), `verify`, which mends nothing.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::engine::Engine;
use super::jobs::{ExportJob, JobStep};
use super::journal::{CameraRecord, JournalContents, PressRecord, Witness};
use super::rebuild::its_sidecar;
use super::source::witnesses;
use super::store::{NotOpen, OpenStorage};
use super::types::{Outcome, StartError};
use crate::base::Sentence;
use crate::cut::{self, Plan};

impl Engine {
    /// Opens the storage and takes up what is pending. False if it must be tried again.
    pub fn open_store(self: &Arc<Engine>) -> Result<bool, StartError> {
        if self.store.get().is_some() {
            return Ok(true);
        }
        let (store, held) = match OpenStorage::open(&self.tuning.disk, &self.settings.storage) {
            Ok(opened) => opened,
            Err(NotOpen::Never(error)) => return Err(error),
            Err(NotOpen::Trouble(why)) => {
                self.cannot_open(why);
                return Ok(false);
            }
        };
        say_damage(&held);
        // Before anybody works: what is swept must be nobody's.
        let (presses, needed) = self.take_up(&store, held);
        store.sweep(&needed);
        let store = self.store.get_or_init(|| store);
        if std::mem::take(&mut self.state().trouble).is_some() {
            log::info!(target: "hindsight", event = "system_storage"; "{} can be used now", store.layout.root().display());
        }
        for (taken, jobs, done) in presses {
            say_taken_up(&taken, jobs.len());
            self.register(taken, jobs, done);
        }
        self.tell_queue(store);
        Ok(true)
    }

    /// From here on sidecars are the queue's.
    fn tell_queue(self: &Arc<Engine>, store: &OpenStorage) {
        let Some(queue) = &self.settings.queue else {
            return;
        };
        let engine = Arc::downgrade(self);
        queue.opened(store.sidecars.clone(), move |press| {
            let engine = engine.upgrade();
            let store = engine.as_ref().and_then(|engine| engine.store.get());
            store.is_some_and(|store| store.journal.settled(press))
        });
    }

    /// Why presses are refused; said once.
    pub fn cannot_open(&self, why: Sentence) {
        let mut state = self.state();
        if state.trouble.as_ref() != Some(&why) {
            log::error!(target: "hindsight", event = "error_storage"; "{why}; no press is taken until that is mended");
        }
        state.trouble = Some(why);
    }
}

/// A press of an earlier run: what is left to do, and what is done.
type TakenUp = (Arc<PressRecord>, Vec<ExportJob>, Vec<(usize, Outcome)>);

impl Engine {
    fn take_up(
        &self,
        store: &OpenStorage,
        held: JournalContents,
    ) -> (Vec<TakenUp>, HashSet<PathBuf>) {
        let mut needed = HashSet::new();
        let mut presses = Vec::new();
        for taken in held.pending {
            let taken = Arc::new(self.planned(taken));
            let mut jobs = Vec::new();
            let mut done = Vec::new();
            for (camera, about) in taken.cameras.iter().enumerate() {
                let names = store.layout.highlight(&taken.press, &about.id);
                match its_sidecar(store, &names) {
                    Ok(Some(outcome)) => done.push((camera, outcome)),
                    // What could not be read is looked for again by the export.
                    Ok(None) | Err(_) => {
                        needed.extend([names.part, names.facts]);
                        let job = ExportJob::new(
                            taken.clone(),
                            camera,
                            None,
                            Arc::default(),
                            JobStep::Export,
                        );
                        jobs.push(job);
                    }
                }
            }
            presses.push((taken, jobs, done));
        }
        (presses, needed)
    }

    /// A press that was noted and not written down further: its cameras are asked now. Where
    /// they have no answer it stays without a plan, and its end says why; or goes on by the
    /// plan that stands beside what was written of its clip.
    fn planned(&self, mut taken: PressRecord) -> PressRecord {
        let ours = taken.press.boot_id == self.settings.boot_id;
        let cameras = taken.cameras.iter_mut();
        for camera in cameras.filter(|camera| ours && !camera.plan.is_made()) {
            if let Some((plan, witnesses)) = self.asked_again(camera) {
                (camera.plan, camera.witnesses) = (plan, witnesses);
            }
        }
        taken
    }

    /// What the camera's rings say of a window that was wished for before this start.
    fn asked_again(&self, camera: &CameraRecord) -> Option<(Plan, Vec<Witness>)> {
        let rings = self.rings.all_of(&camera.id).into_iter();
        // The oldest first: it was written when the button was pressed.
        let mut of_this_boot = rings.filter(|ring| ring.boot_id() == self.settings.boot_id);
        of_this_boot.find_map(|ring| {
            let plan = cut::plan(&ring, &camera.plan.window).ok()?;
            let witnesses = witnesses(&ring, plan.first_pos);
            Some((plan, witnesses))
        })
    }
}

fn say_damage(held: &JournalContents) {
    if held.unread_bytes > 0 {
        log::warn!(
            target: "hindsight", event = "error_journal";
            "{} bytes of the journal were torn or damaged; a press whose writing was cut short was not acknowledged",
            held.unread_bytes
        );
    }
}

fn say_taken_up(taken: &PressRecord, unfinished: usize) {
    if unfinished > 0 {
        log::info!(
            target: "hindsight", event = "clip_taken_up", press = taken.press.id.as_str();
            "an earlier run left press {} with {unfinished} of {} clips unfinished: they are finished now",
            taken.press.id, taken.cameras.len()
        );
    }
}
