//! A press becomes a clip: journal, window, export, commit, sidecar, verify.
//!
//! Not here: RTSP and rings (`ingest`, `ring`), MP4 boxes (`mp4`), file
//! primitives (`disk`).
//! Called by: app.

mod admission;
mod commit;
mod day;
mod embedded_report;
mod engine;
mod export;
mod gesture_window;
mod housekeeping;
mod index_cache;
mod jobs;
pub mod journal;
mod list;
mod recover;
mod ring_footage;
mod sample_log;
pub mod sidecar;
mod source;
mod steps;
mod store;
pub mod verify;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::base::{
    BootId, CameraId, Clock, Heartbeat, Press, PressAck, PressError, PressId, PressRequest, Stop,
};
use crate::config;
use crate::cut::Ended;
use crate::queue::Inbox;
use crate::ring::RingReader;
use engine::Engine;
pub use gesture_window::NotDecided;
pub use jobs::Tuning;
use sidecar::Sidecar;

/// What the room must know of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraSettings {
    pub id: CameraId,
    pub name: String,
    /// What people call the place it looks at.
    pub court: String,
    /// How much later than reality its picture arrives.
    pub latency_ms: u64,
}

/// What the room is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[storage] path`; `highlights/`, `tmp/` and the journal are below it.
    pub storage: PathBuf,
    pub ring_dir: PathBuf,
    /// Of the venue: for folders and `created_at`.
    pub timezone: TimeZone,
    pub cameras: Vec<CameraSettings>,
    pub boot_id: BootId,
    /// How long open windows may run on after the first signal to stop.
    pub stop_grace_ms: u64,
    /// Rings that were replaced at this start; pending presses are exported from
    /// them. Let go, and their memory with them, when no press needs them any more.
    pub old_rings: Vec<(CameraId, RingReader)>,
    /// Where fewer bytes are free, presses are refused, so that there is room to finish
    /// what there is.
    pub reserve_bytes: u64,
    /// Told of every sidecar that is written.
    pub queue: Option<Inbox>,
}

/// Why the room cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{path}: {what}: {source}")]
    Io {
        path: PathBuf,
        what: &'static str,
        source: std::io::Error,
    },
    #[error(
        "{path} is in use by another hindsight: only one service may write to a storage; stop the other, or give this one another [storage] path"
    )]
    Locked { path: PathBuf },
    #[error("{path} cannot be read as a journal of presses: {why}")]
    Journal { path: PathBuf, why: String },
}

/// What became of one camera of a press.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub press_id: PressId,
    pub camera_id: CameraId,
    pub status: sidecar::Status,
    pub ended: Option<Ended>,
    /// Absolute; `None` without clip.
    pub clip: Option<PathBuf>,
    /// Absolute.
    pub sidecar: PathBuf,
    /// With `suspect` and `none`.
    pub reason: Option<String>,
    /// As played; 0 without clip.
    pub duration_ms: u64,
    pub size_bytes: u64,
}

/// What others want to hear of as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The clip has its final name and survives a power cut.
    Committed {
        press_id: PressId,
        camera: CameraId,
        /// Absolute.
        path: PathBuf,
        /// Arrival of the AU that completed the last track, or the press where
        /// the window was over by then; `None` where no AU completed it.
        end_of_window_mono_ns: Option<u64>,
        committed_mono_ns: u64,
        duration_ms: u64,
        /// Sentences for people.
        notes: Vec<String>,
    },
    /// The press ended without a clip of this camera; its sidecar says why.
    NoClip {
        press_id: PressId,
        camera: CameraId,
        reason: String,
    },
    /// Every camera of the press has its sidecar.
    Retired { press_id: PressId },
}

/// How far one camera of a pending press is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportPhase {
    /// For one of the places among those who write.
    Waiting,
    /// Its window runs, or its data is being written.
    Writing,
    /// Index, sync, rename, hash, sidecar.
    Closing,
    /// The disk refused; tried again.
    Retrying,
    /// It has its sidecar.
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PendingExport {
    pub camera_id: CameraId,
    pub phase: ExportPhase,
    pub written_bytes: u64,
    /// Milliseconds until its window has ended; 0 where it has.
    pub window_ends_in_ms: u64,
    /// With `Retrying`: what the disk said.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PendingPress {
    pub press: Press,
    pub exports: Vec<PendingExport>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StorageState {
    pub path: PathBuf,
    /// `None`: it is there and can be written.
    pub trouble: Option<String>,
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// A snapshot for status and health.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub storage: StorageState,
    /// Acknowledged presses that are not retired, oldest first.
    pub pending: Vec<PendingPress>,
    /// Since this start.
    pub presses_taken: u64,
    pub presses_refused: u64,
    pub clips_committed: u64,
    pub clips_suspect: u64,
    pub clips_none: u64,
    /// Errors of the disk since this start.
    pub disk_errors: u64,
    pub last_disk_error: Option<String>,
}

/// A highlight on the disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedHighlight {
    /// Below `highlights/`, with `/`; `None` without clip.
    pub clip: Option<String>,
    /// Below `highlights/`, with `/`.
    pub sidecar_file: String,
    pub sidecar: Sidecar,
}

/// The press that cannot get lost: takes presses, brings each to an end.
pub struct Highlights {
    core: Arc<Engine>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

/// How long those who work may take to notice that they are told to leave.
const LEAVING: Duration = Duration::from_secs(2);

impl Highlights {
    /// Locks the storage, brings what earlier runs left to an end (in the
    /// background where it takes time), and is ready for presses. A storage that
    /// is not there or cannot be written is no error: presses are refused
    /// until it can be used.
    pub fn start(
        settings: Settings,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Result<Highlights, StartError> {
        Highlights::start_with(settings, clock, stop, Tuning::default())
    }

    /// As [`Highlights::start`], with what tests set otherwise.
    pub fn start_with(
        settings: Settings,
        clock: Arc<dyn Clock>,
        stop: Stop,
        tuning: Tuning,
    ) -> Result<Highlights, StartError> {
        let path = settings.storage.clone();
        let core = Arc::new(Engine::new(settings, tuning, clock, stop));
        for camera in &core.settings.cameras {
            // Known from now on; a ring that is not there yet is asked for again.
            let _ = core.rings.of(&camera.id);
        }
        core.open_store()?;
        let keeper = std::thread::Builder::new()
            .name("highlights".to_owned())
            .spawn({
                let core = core.clone();
                move || housekeeping::keep(&core)
            })
            .map_err(|source| StartError::Io {
                path,
                what: "cannot start the thread that looks after it",
                source,
            })?;
        Ok(Highlights {
            core,
            keeper: Some(keeper),
        })
    }

    /// Takes a press. Blocks until it is durable (a disk sync), seldom longer.
    pub fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.core.press(request, &[], &|_| {})
    }

    /// Takes a press whose gesture is not known yet, with the plain window of the
    /// request; `others` are those that [`Highlights::decide`] may give it instead. Its
    /// exports wait for that, a few seconds; where it does not come, or the service
    /// ends before, the plain window holds. No others: as [`Highlights::press`].
    ///
    /// `durable` is told as soon as it is, before anything is begun for it: somebody
    /// stands before a light.
    pub fn press_undecided(
        &self,
        request: &PressRequest,
        others: &[config::PressWindow],
        durable: &dyn Fn(&PressAck),
    ) -> Result<PressAck, PressError> {
        self.core.press(request, others, durable)
    }

    /// Gives an undecided press its window and lets its exports begin. Blocks until
    /// that is durable, where it is another than the plain one.
    pub fn decide(&self, press: &PressId, window: config::PressWindow) -> Result<(), NotDecided> {
        self.core.decide(press, window)
    }

    /// Blocks until every camera of the press has its sidecar; `None` if that
    /// took longer than `limit`, or no such press is known to this run.
    pub fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Outcome>> {
        let until = Instant::now() + limit;
        let mut state = self.core.state();
        loop {
            let known = state.presses.iter();
            let known = known.rev().find(|known| known.taken.press.id == *press)?;
            if known.retired {
                let exports = known.exports.iter();
                return Some(exports.filter_map(|e| e.outcome.clone()).collect());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.core.wait_for_change(state, left);
        }
    }

    /// It beats while the room is looked after and its state can be reached.
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        self.core.heartbeat.clone()
    }

    pub fn status(&self) -> Status {
        self.core.status()
    }

    /// The newest highlights on the disk, newest first.
    pub fn list(&self, limit: usize) -> Vec<ListedHighlight> {
        list::newest(&self.core.settings.storage, limit)
    }

    /// From now on; a receiver that does not keep up loses the newest, nobody waits for it.
    pub fn events(&self) -> crossbeam_channel::Receiver<Event> {
        self.core.listen()
    }

    /// After `Stop` was raised: returns when the exports have ended or left;
    /// tells `say` what it waits for.
    pub fn drain(&self, say: impl FnMut(&str)) {
        housekeeping::drain(&self.core, say);
    }
}

impl Drop for Highlights {
    /// Whoever still works leaves; what is unfinished stays in the journal.
    fn drop(&mut self) {
        self.core.quit();
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has said so.
            let _ = keeper.join();
        }
        housekeeping::leave(&self.core, LEAVING);
        // The storage's lock goes with the last thread that knows the storage.
        let until = Instant::now() + LEAVING;
        while Arc::strong_count(&self.core) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
