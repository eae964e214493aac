//! The service as `web` sees it: status, health, highlights and queue.
//!
//! Not here: how the health is judged (`monitor` has it done), how presses are taken (`press_gate`).

use std::path::PathBuf;
use std::sync::Arc;

use super::monitor::{Monitor, Rooms};
use super::press_gate::PressGate;
use super::views;
use crate::base::{CameraId, Coded, StopLevel};
use crate::config::Config;
use crate::highlight;
use crate::queue::{QueueError, Which};
use crate::ring::RingReader;
use crate::web::answers::captures::CapturesView;
use crate::web::answers::health::{ClockView, HealthAnswer, HealthView};
use crate::web::answers::highlights::HighlightList;
use crate::web::answers::queue::QueueAnswer;
use crate::web::answers::status::{ServicePhase, StatusSnapshot};
use crate::web::{self, QueueChange, QueueRefusal};

/// Sees all rooms.
pub(crate) struct StatusView {
    cameras: Vec<(CameraId, String)>,
    ring_dir: PathBuf,
    gate: Arc<PressGate>,
    monitor: Arc<Monitor>,
    rooms: Rooms,
}

impl StatusView {
    pub fn new(
        config: &Config,
        gate: Arc<PressGate>,
        monitor: Arc<Monitor>,
        rooms: Rooms,
    ) -> StatusView {
        let cameras = config.cameras.iter();
        StatusView {
            cameras: cameras.map(|c| (c.id.clone(), c.name.clone())).collect(),
            ring_dir: config.ring.dir.clone(),
            gate,
            monitor,
            rooms,
        }
    }

    /// What ingest knows of each camera, the presses that are not done, and counts.
    fn captures(&self, status: &highlight::Status) -> CapturesView {
        let now = self.rooms.clock.mono_ns();
        let mut states = self.rooms.ingest.states();
        let cameras = self.cameras.iter().filter_map(|(id, name)| {
            let at = states.iter().position(|state| state.camera == *id)?;
            Some(views::camera(name, states.swap_remove(at), now))
        });
        CapturesView {
            cameras: cameras.collect(),
            pending: views::pending(status),
            presses_taken: status.presses_taken,
            presses_refused: status.presses_refused + self.gate.refused_as_closed(),
            clips_committed: status.clips_committed,
            clips_suspect: status.clips_suspect,
            clips_none: status.clips_none,
        }
    }

    fn health_view(&self, status: &highlight::Status) -> HealthView {
        let wall = self.rooms.clock.wall();
        let (last_disk_error, last_disk_error_code, last_disk_error_args) =
            views::parts(status.last_disk_error.clone());
        HealthView {
            health: views::health(self.monitor.verdict()),
            storage: views::storage(&status.storage),
            disk_errors: status.disk_errors,
            last_disk_error,
            last_disk_error_code,
            last_disk_error_args,
            clock: ClockView {
                set: wall.is_set(),
                synchronised: wall.synchronised,
            },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl web::Status for StatusView {
    fn status(&self) -> StatusSnapshot {
        // Not the monitor's: whoever pressed wants to see that press.
        let status = self.rooms.highlights.status();
        let rings = self.cameras.iter().map(|(id, _)| {
            let ring = RingReader::open(&self.ring_dir, id);
            views::ring(id, ring, &status)
        });
        StatusSnapshot {
            status: match self.rooms.stop.level() {
                StopLevel::Running => ServicePhase::Running,
                StopLevel::Finish | StopLevel::Now => ServicePhase::Stopping,
            },
            captures: self.captures(&status),
            buffers: rings.collect(),
            queue: views::queue(self.rooms.delivery.queue.status()),
            board: self.rooms.panel.status(),
            health: self.health_view(&status),
        }
    }

    fn health(&self) -> HealthAnswer {
        views::health(self.monitor.verdict())
    }
}

impl web::Library for StatusView {
    fn highlights(&self, limit: usize) -> HighlightList {
        let list = self.rooms.highlights.list(limit);
        HighlightList {
            highlights: list.into_iter().filter_map(views::highlight).collect(),
        }
    }
}

impl web::Jobs for StatusView {
    fn queue(&self, limit: usize) -> QueueAnswer {
        let queue = &self.rooms.delivery.queue;
        let mut jobs = queue.list();
        jobs.truncate(limit);
        QueueAnswer {
            status: views::queue(queue.status()),
            jobs: jobs.into_iter().map(views::job).collect(),
        }
    }

    fn change(&self, change: &QueueChange) -> Result<Vec<String>, QueueRefusal> {
        let queue = &self.rooms.delivery.queue;
        let done = match change {
            QueueChange::Retry(id) => queue.retry(&Which::Id(id.clone())),
            QueueChange::RetryFailed => queue.retry(&Which::Failed),
            QueueChange::Drop(id) => queue.drop_job(id),
        };
        done.map_err(|error| match error {
            QueueError::Unknown { .. } => QueueRefusal::Unknown(error.sentence()),
            QueueError::Ambiguous { .. } => QueueRefusal::Ambiguous(error.sentence()),
            _ => QueueRefusal::Unavailable(error.sentence()),
        })
    }
}
