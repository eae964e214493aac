//! A press becomes a clip: journal, window, export, commit, sidecar, verify.
//!
//! Not here: RTSP and rings (`ingest`, `ring`), MP4 boxes (`mp4`), file
//! primitives (`disk`).

mod admission;
mod attempt;
mod clock_correction;
mod commit;
mod day;
mod embedded_report;
mod engine;
mod events;
mod export;
mod gesture_window;
mod housekeeping;
mod index_cache;
mod jobs;
pub mod journal;
mod leaving;
mod list;
mod rebuild;
mod recover;
mod ring_footage;
mod sample_log;
mod schedule;
pub mod sentence;
pub mod sidecar;
mod source;
mod status;
mod steps;
mod store;
mod types;
pub mod verify;
mod wall;
mod workers;
mod writing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Clock, Heartbeat, PressAck, PressError, PressId, PressRequest, Stop};
use crate::config;
use engine::Engine;
pub use events::Event;
pub use gesture_window::NotDecided;
use housekeeping::LEAVING;
pub use types::{
    CameraSettings, ExportPhase, ListedHighlight, Outcome, PendingExport, PendingPress, Settings,
    StartError, Status, StorageState, Tuning,
};

/// The press that cannot get lost: takes presses, brings each to an end.
pub struct Highlights {
    engine: Arc<Engine>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

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
        let engine = Arc::new(Engine::new(settings, tuning, clock, stop));
        for camera in &engine.settings.cameras {
            // Known from now on; a ring that is not there yet is asked for again.
            let _ = engine.rings.of(&camera.id);
        }
        engine.open_store()?;
        let keeper = std::thread::Builder::new()
            .name("highlights".to_owned())
            .spawn({
                let engine = engine.clone();
                move || housekeeping::keep(&engine)
            })
            .map_err(|source| StartError::Io {
                path,
                what: "cannot start the thread that looks after it",
                source,
            })?;
        Ok(Highlights {
            engine,
            keeper: Some(keeper),
        })
    }

    /// Takes a press. Blocks until it is durable (a disk sync), seldom longer.
    pub fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.engine.press(request, &[], &|_| {})
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
        self.engine.press(request, others, durable)
    }

    /// Gives an undecided press its window and lets its exports begin. Blocks until
    /// that is durable, where it is another than the plain one.
    pub fn decide(&self, press: &PressId, window: config::PressWindow) -> Result<(), NotDecided> {
        self.engine.decide(press, window)
    }

    /// Blocks until every camera of the press has its sidecar; `None` if that
    /// took longer than `limit`, or no such press is known to this run.
    pub fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Outcome>> {
        let until = Instant::now() + limit;
        let mut state = self.engine.state();
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
            state = self.engine.wait_for_change(state, left);
        }
    }

    /// It beats while the room is looked after and its state can be reached.
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        self.engine.heartbeat.clone()
    }

    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// The newest highlights on the disk, newest first.
    pub fn list(&self, limit: usize) -> Vec<ListedHighlight> {
        list::newest(&self.engine.settings.storage, limit)
    }

    /// From now on; a receiver that does not keep up loses the newest, nobody waits for it.
    pub fn events(&self) -> crossbeam_channel::Receiver<Event> {
        self.engine.events.subscribe().events().clone()
    }

    /// After `Stop` was raised: returns when the exports have ended or left;
    /// tells `say` what it waits for.
    pub fn drain(&self, say: impl FnMut(&str)) {
        housekeeping::drain(&self.engine, say);
    }
}

impl Drop for Highlights {
    /// Whoever still works leaves; what is unfinished stays in the journal.
    fn drop(&mut self) {
        self.engine.leaving.quit();
        self.engine.notify();
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has said so.
            let _ = keeper.join();
        }
        housekeeping::leave(&self.engine, LEAVING);
        // The storage's lock goes with the last thread that knows the storage.
        let until = Instant::now() + LEAVING;
        while Arc::strong_count(&self.engine) > 1 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
