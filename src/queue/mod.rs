//! Durable jobs: what is still to be done with a clip, kept in its sidecar.
//!
//! | file | |
//! |---|---|
//! | `sidecar` | the record itself |
//! | `machine` | event in, changed sidecar and what is next out; pure |
//! | `order`, `retention` | who is next, what is deleted; pure |
//! | `state` | the jobs in memory |
//! | `store`, `scan` | files: their order, their reading |
//! | `sentence` | what it says to people about a job |
//! | `types`, `inbox` | what the room is started with, and what goes in and out |
//! | `core`, `workers`, `maintenance` | the threads: turns, and the one who looks after it |
//! | `status` | what people see of it |
//! | `manual` | `retry` and `drop` where no service runs |
//! | `work` | what the queue asks of those who do the work |
//!
//! Not here: FFmpeg (`finish`), the network (`upload`).

mod core;
mod inbox;
pub mod machine;
mod maintenance;
pub mod manual;
mod order;
pub mod retention;
mod scan;
pub mod sentence;
pub mod sidecar;
mod state;
mod status;
pub mod store;
mod types;
pub mod work;
mod workers;

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use self::core::Core;
use crate::base::sentence::CatalogueEntry;
use crate::base::{Clock, Stop, lock};
use crossbeam_channel::Receiver;
pub use inbox::{Inbox, Mail, inbox};
use maintenance::DiskUsage;
pub use sentence::QueueError;
pub use status::{Current, JobCounts, ListedJob, ListedUpload, Status, WaitingLane};
pub use types::{BACKOFF, Event, Settings, Which};
use work::{Finisher, UploadTarget};

/// All that the room says to people.
pub const CATALOGUES: &[&[CatalogueEntry]] = &[
    sentence::QueueSentence::CATALOGUE,
    sentence::QueueError::CATALOGUE,
];

/// The running queue.
pub struct Queue {
    core: Arc<Core>,
    disk: Arc<Mutex<DiskUsage>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Queue {
    /// Starts its threads; they begin when the storage is open. They end at
    /// `StopLevel::Finish`: what is left, the next start takes up.
    pub fn start(
        settings: Settings,
        mail: Mail,
        finisher: Arc<dyn Finisher>,
        targets: Vec<Arc<dyn UploadTarget>>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> io::Result<Queue> {
        let (inbox, mail) = mail.open();
        let finishers = settings.finish_jobs.max(1);
        let core = Arc::new(Core::new(settings, finisher, targets, clock, stop.clone()));
        let queue = Queue {
            core: core.clone(),
            disk: Arc::default(),
            threads: Mutex::default(),
        };
        let disk = queue.disk.clone();
        queue.spawn("queue", move |core| {
            let facts = |facts| *lock(&disk) = facts;
            maintenance::maintain(core, &mail, &facts);
        })?;
        for _ in 0..finishers {
            queue.spawn("finish", |core| workers::work(core, 0))?;
        }
        for at in 0..core.targets.len() {
            let name = format!("upload {}", core.targets[at].id());
            queue.spawn(&name, move |core| workers::work(core, at + 1))?;
        }
        // Maintenance wakes all others.
        stop.tell(move || inbox.wake());
        Ok(queue)
    }

    fn spawn(&self, name: &str, work: impl FnOnce(&Core) + Send + 'static) -> io::Result<()> {
        let core = self.core.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&core))?;
        self.threads().push(thread);
        Ok(())
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        lock(&self.threads)
    }

    /// From now on; a receiver that does not keep up loses the newest, nobody waits for it.
    pub fn events(&self) -> Receiver<Event> {
        self.core.events.subscribe().events().clone()
    }

    /// Room on the disk, as of the last look at it.
    pub fn disk(&self) -> DiskUsage {
        *lock(&self.disk)
    }

    pub fn status(&self) -> Status {
        status::status(&self.core, self.disk())
    }

    /// What waits, is at work or was given up; newest first.
    pub fn list(&self) -> Vec<ListedJob> {
        status::list(&self.core)
    }

    /// Tries jobs again, from the beginning of their stage and at once; their ids.
    pub fn retry(&self, which: &Which) -> Result<Vec<String>, QueueError> {
        self.by_hand(which, &machine::JobEvent::Retried)
    }

    /// Takes a job out of the queue; its files stay until `keep_uploaded` is over.
    pub fn drop_job(&self, id: &str) -> Result<Vec<String>, QueueError> {
        self.by_hand(&Which::Id(id.to_owned()), &machine::JobEvent::Dropped)
    }

    fn by_hand(&self, which: &Which, event: &machine::JobEvent) -> Result<Vec<String>, QueueError> {
        let core = &self.core;
        let open = core.open.get().ok_or(QueueError::NotOpen {})?;
        let chosen = manual::choose(&manual::candidates(core), which)?;
        let mut ids = Vec::new();
        for (id, path) in chosen {
            core.change(&open.sidecars, &path, event)
                .map_err(|_| QueueError::disk(&path, "it cannot be changed"))?;
            core.look_again(&path)
                .map_err(|error| QueueError::disk(&path, error))?;
            core.state().hurry(&path);
            ids.push(id);
        }
        core.wake();
        Ok(ids)
    }

    /// After the stop signal: waits until all have left what they were at.
    pub fn join(&self) {
        let threads = std::mem::take(&mut *self.threads());
        for thread in threads {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
