//! Durable jobs: what is still to be done with a clip, kept in its sidecar.
//!
//! | file | |
//! |---|---|
//! | `sidecar` | the record itself |
//! | `machine` | event in, changed sidecar and what is next out; pure |
//! | `order`, `backoff`, `keep` | who is next, when again, what is deleted; pure |
//! | `state` | the jobs in memory |
//! | `store`, `scan` | files: their order, their reading |
//! | `core`, `workers`, `tend` | the threads: turns, and the one who looks after it |
//! | `look` | what people see of it |
//! | `hand` | `retry` and `drop` where no service runs |
//! | `work` | what the queue asks of those who do the work |
//!
//! Not here: FFmpeg (`finish`), the network (`upload`).

mod backoff;
mod core;
pub mod hand;
pub mod keep;
mod look;
pub mod machine;
mod order;
mod scan;
pub mod sidecar;
mod state;
pub mod store;
mod tend;
pub mod work;
mod workers;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use jiff::tz::TimeZone;

use self::core::{Core, Open, Settled};
use crate::base::{BootId, CameraId, Clock, PressId, Stop};
use crate::config;
pub use backoff::Backoff;
pub use look::{Counts, Current, Listed, ListedUpload, Status, WaitingLane};
use sidecar::Stage;
use store::Sidecars;
use tend::{DiskFacts, Message};
use work::{Failure, Finisher, Target};

/// What the room is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub queue: config::QueueSettings,
    /// Clips that are finished at once.
    pub finish_jobs: usize,
    /// The configuration wants a marked video, and a vertical one.
    pub marks: bool,
    pub vertical: bool,
    /// Of the venue, for times in sidecars.
    pub timezone: TimeZone,
    pub boot_id: BootId,
    /// Room that presses need: below it they are refused.
    pub reserve_bytes: u64,
    pub backoff: Backoff,
    /// Of the jitter.
    pub seed: u64,
}

/// What others want to hear of as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A turn begins.
    Began {
        press_id: PressId,
        camera: CameraId,
        stage: Stage,
        /// With `Stage::Upload`.
        target: Option<String>,
    },
    /// Its files are there; `None`: not made. Absolute paths.
    Finished {
        press_id: PressId,
        camera: CameraId,
        marked: Option<PathBuf>,
        vertical: Option<PathBuf>,
        thumbnail: Option<PathBuf>,
        /// Sentences for people.
        notes: Vec<String>,
        took_ms: u64,
    },
    /// The target has proved that it holds it.
    Uploaded {
        press_id: PressId,
        camera: CameraId,
        target: String,
        place: String,
        took_ms: u64,
    },
    /// A turn came to nothing: what it means for the job, `failure` says.
    Failed {
        press_id: PressId,
        camera: CameraId,
        stage: Stage,
        target: Option<String>,
        failure: Failure,
    },
    /// Nothing more is to be done: `watermarked` without targets, else `uploaded`.
    Done {
        press_id: PressId,
        camera: CameraId,
        status: sidecar::Status,
    },
}

/// Where the queue hears of new highlights. Nobody who tells it waits.
#[derive(Clone, Debug)]
pub struct Inbox(Sender<Message>);

/// The other end of an [`Inbox`].
pub struct Mail(Inbox, Receiver<Message>);

/// An inbox for whoever writes sidecars, and its mail for [`Queue::start`].
pub fn inbox() -> (Inbox, Mail) {
    let (send, receive) = unbounded();
    let inbox = Inbox(send);
    (inbox.clone(), Mail(inbox, receive))
}

impl Inbox {
    /// The storage can be used. `settled` says whether a press is done with for good.
    pub fn opened(
        &self,
        sidecars: Arc<Sidecars>,
        settled: impl Fn(&PressId) -> bool + Send + Sync + 'static,
    ) {
        let settled: Settled = Arc::new(settled);
        let open = Open { sidecars, settled };
        // Without a queue nobody hears it.
        let _ = self.0.send(Message::Open(Box::new(open)));
    }

    /// A sidecar has been written.
    pub fn new_job(&self, sidecar: &Path) {
        let _ = self.0.send(Message::New(sidecar.to_owned()));
    }
}

/// Which jobs are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// By id, or a part of it that fits one press only.
    Id(String),
    Failed,
}

/// Why a wish was not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    #[error("no job has \"{0}\" in its id; \"hindsight queue\" shows all")]
    Unknown(String),
    #[error("\"{0}\" fits {1} jobs of different presses; give more of the id")]
    Ambiguous(String, usize),
    #[error("{0}: {1}")]
    Disk(PathBuf, String),
    #[error("the storage is not open yet")]
    NotOpen,
    #[error("{0} is in use by another hindsight that does not answer; ask it, or stop it")]
    Locked(PathBuf),
}

/// The running queue.
pub struct Queue {
    core: Arc<Core>,
    disk: Arc<Mutex<DiskFacts>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Queue {
    /// Starts its threads; they begin when the storage is open. They end at
    /// `StopLevel::Finish`: what is left, the next start takes up.
    pub fn start(
        settings: Settings,
        mail: Mail,
        finisher: Arc<dyn Finisher>,
        targets: Vec<Arc<dyn Target>>,
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> io::Result<Queue> {
        let Mail(inbox, mail) = mail;
        let finishers = settings.finish_jobs.max(1);
        let core = Arc::new(Core::new(settings, finisher, targets, clock, stop.clone()));
        let queue = Queue {
            core: core.clone(),
            disk: Arc::default(),
            threads: Mutex::default(),
        };
        let disk = queue.disk.clone();
        queue.spawn("queue", move |core| {
            let facts = |facts| *disk.lock().unwrap_or_else(PoisonError::into_inner) = facts;
            tend::tend(core, &mail, &facts);
        })?;
        for _ in 0..finishers {
            queue.spawn("finish", |core| workers::work(core, 0))?;
        }
        for at in 0..core.targets.len() {
            let name = format!("upload {}", core.targets[at].id());
            queue.spawn(&name, move |core| workers::work(core, at + 1))?;
        }
        // The tender wakes all others.
        stop.tell(move || drop(inbox.0.send(Message::Wake)));
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
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on; a receiver that does not keep up loses the newest, nobody waits for it.
    pub fn events(&self) -> Receiver<Event> {
        self.core.listen()
    }

    /// Room on the disk, as of the last look at it.
    pub fn disk(&self) -> DiskFacts {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn status(&self) -> Status {
        look::status(&self.core, self.disk())
    }

    /// What waits, is at work or was given up; newest first.
    pub fn list(&self) -> Vec<Listed> {
        look::list(&self.core)
    }

    /// Tries jobs again, from the beginning of their stage and at once; their ids.
    pub fn retry(&self, which: &Which) -> Result<Vec<String>, QueueError> {
        self.by_hand(which, &machine::Event::Retried)
    }

    /// Takes a job out of the queue; its files stay until `keep_uploaded` is over.
    pub fn drop_job(&self, id: &str) -> Result<Vec<String>, QueueError> {
        self.by_hand(&Which::Id(id.to_owned()), &machine::Event::Dropped)
    }

    fn by_hand(&self, which: &Which, event: &machine::Event) -> Result<Vec<String>, QueueError> {
        let core = &self.core;
        let open = core.open.get().ok_or(QueueError::NotOpen)?;
        let chosen = hand::choose(&hand::candidates(core), which)?;
        let mut ids = Vec::new();
        for (id, path) in chosen {
            core.change(&open.sidecars, &path, event)
                .map_err(|_| QueueError::Disk(path.clone(), "it cannot be changed".to_owned()))?;
            core.look_again(&path)
                .map_err(|error| QueueError::Disk(path.clone(), error))?;
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
