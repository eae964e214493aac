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
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commit::{NamedClip, outcome};
use super::engine::Engine;
use super::export::{ExportAttempt, StepError};
use super::jobs::{ExportJob, Step};
use super::journal::{CameraRecord, JournalContents, PressRecord, Witness};
use super::sidecar::Sidecar;
use super::source::witnesses;
use super::store::{NotOpen, OpenStorage};
use super::{Outcome, StartError, embedded_report};
use crate::cut::Plan;
use crate::cut::{self, CutReport, Ended};
use crate::media::Codec;
use crate::mp4::{self, Inspected};
use crate::queue::sidecar::LARGEST_SIDECAR;
use crate::storage::HighlightPaths;
use crate::storage::listing::{file_name, sidecars_in, subfolders};

impl Engine {
    /// Opens the storage and takes up what is pending. False if it must be tried again.
    pub fn open_store(self: &Arc<Engine>) -> Result<bool, StartError> {
        if self.store.get().is_some() {
            return Ok(true);
        }
        let (store, held) = match OpenStorage::open(&self.tuning.disk, &self.settings.storage) {
            Ok(opened) => opened,
            Err(NotOpen::Never(error)) => return Err(error),
            Err(NotOpen::Trouble(text)) => {
                self.cannot_open(text);
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
        let core = Arc::downgrade(self);
        queue.opened(store.sidecars.clone(), move |press| {
            let core = core.upgrade();
            let store = core.as_ref().and_then(|core| core.store.get());
            store.is_some_and(|store| store.journal.settled(press))
        });
    }

    /// Why presses are refused; said once.
    pub fn cannot_open(&self, text: String) {
        let mut state = self.state();
        if state.trouble.as_ref() != Some(&text) {
            log::error!(target: "hindsight", event = "error_storage"; "{text}; no press is taken until that is mended");
        }
        state.trouble = Some(text);
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

    fn sidecars_of_this_boot(&self, store: &OpenStorage) -> Vec<PathBuf> {
        let boot = self.settings.boot_id.to_string();
        let presses = subfolders(&store.layout.highlights())
            .into_iter()
            .flat_map(|day| subfolders(&day))
            .filter(|press| file_name(press).starts_with(&boot[..8]));
        presses.flat_map(|press| sidecars_in(&press)).collect()
    }

    /// As a change among those of the queue, which may be at work on it.
    fn correct(&self, store: &OpenStorage, path: &Path) -> io::Result<bool> {
        let mut corrected = false;
        store.sidecars.change(path, |sidecar| {
            let ours = sidecar.clock.boot_id == self.settings.boot_id;
            corrected = ours && !sidecar.clock.wall_synchronised;
            if corrected {
                let wall = self.clock.wall();
                sidecar.correct_clock(wall, self.clock.mono_ns(), &self.settings.timezone);
            }
            corrected
        })?;
        Ok(corrected)
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
                            Step::Export,
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

/// What became of one camera of a press, if its sidecar is there; durable on return:
/// who wrote it may have died, or failed, between its rename and the directory's sync.
pub fn its_sidecar(store: &OpenStorage, names: &HighlightPaths) -> io::Result<Option<Outcome>> {
    let bytes = match store.disk.read_file(&names.sidecar, LARGEST_SIDECAR) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    // One that is damaged is written anew.
    let Ok(sidecar) = Sidecar::from_bytes(&bytes) else {
        return Ok(None);
    };
    store.disk.sync_dir(&names.folder)?;
    Ok(Some(outcome(&sidecar, &names.folder, &names.sidecar)))
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

impl ExportAttempt<'_> {
    /// A committed clip whose sidecar was not written: from what it says about
    /// itself, else from its index.
    pub fn rebuild(&self, suspect: bool) -> Result<NamedClip, StepError> {
        let path = self.names.clip_as(suspect);
        let failed = |e: io::Error| StepError::disk("reading the finished clip", &e);
        let file = self.store.disk.open_read(path).map_err(failed)?;
        let size_bytes = file.len().map_err(failed)?;
        let lost = "in which way was lost in a restart";
        let mut reason = suspect.then(|| format!("two readers disagree about this clip; {lost}"));
        let report = match embedded_report::extract(&file).map_err(failed)? {
            Some(report) => report,
            None => {
                let reader = io::BufReader::new(file.reader().map_err(failed)?);
                let seen = mp4::inspect(reader, size_bytes);
                seen.map(|seen| from_index(&seen, self.job.about()))
                    .unwrap_or_else(|error| {
                        reason = Some(error.to_string());
                        from_plan(self.job.about())
                    })
            }
        };
        Ok(NamedClip {
            report,
            // One that cannot be read keeps its name: it is committed.
            suspect: reason,
            named_suspect: suspect,
            size_bytes,
            hash: None,
        })
    }
}

/// What is certain of a clip of which nothing else is left.
fn from_plan(camera: &CameraRecord) -> CutReport {
    let plan = &camera.plan;
    let anchor = plan.mappings.first();
    CutReport {
        codec: Codec::H264,
        width: 0,
        height: 0,
        audio_codec: None,
        fps: 0.0,
        duration_sec: 0.0,
        pre_seconds: 0.0,
        post_seconds: 0.0,
        ended: Ended::Restart,
        gaps: Vec::new(),
        damaged: Vec::new(),
        certainty: plan.certainty,
        press_90k: plan.press_90k,
        anchor_90k: anchor.map_or(0, |m| m.anchor_90k),
        anchor_mono_ns: anchor.map_or(0, |m| m.anchor_mono_ns),
        alignment: None,
        epochs: Vec::new(),
        notes: vec!["what was known of gaps and damaged frames was lost in a restart".to_owned()],
        end_of_window_mono_ns: None,
        first_frame_mono_ns: 0,
        frames_shown: 0,
    }
}

fn from_index(seen: &Inspected, camera: &CameraRecord) -> CutReport {
    let video = seen.tracks.first();
    let entry = video.and_then(|track| track.entries.first());
    let shown = video.map_or(0, |track| track.shown().count());
    let duration_sec = seen.duration_90k as f64 / 90_000.0;
    let pre_sec = (camera.plan.window.pre_ms as f64 / 1000.0).min(duration_sec);
    let audio = seen.tracks.get(1).and_then(|track| track.entries.first());
    CutReport {
        codec: entry.map_or(Codec::H264, |e| e.codec),
        width: entry.map_or(0, |e| e.width),
        height: entry.map_or(0, |e| e.height),
        audio_codec: audio.map(|e| e.codec),
        fps: shown as f64 / duration_sec.max(0.001),
        duration_sec,
        pre_seconds: pre_sec,
        post_seconds: duration_sec - pre_sec,
        frames_shown: shown as u64,
        ..from_plan(camera)
    }
}
