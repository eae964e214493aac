//! A storage with a highlight that waits, and a real queue that uploads it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::base::{Backoff, BootId, RealClock, Stop, StopLevel};
use hindsight::config;
use hindsight::disk::{Disk, Lock};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::store::Sidecars;
use hindsight::queue::work::{Failure, Finished, Finisher, Job, UploadTarget};
use hindsight::queue::{Queue, Settings, inbox};
use hindsight::storage::StorageLayout;
use serde_json::json;

use crate::waiting::{PRESS, footage, sidecar};

/// How long a test waits for an event before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The storage, in a folder of its own.
pub struct Storage(pub PathBuf);

impl Storage {
    /// With a marked video of so many bytes and a thumbnail.
    pub fn new(root: PathBuf, video_bytes: usize) -> Storage {
        let storage = Storage(root);
        for folder in [storage.folder(), storage.0.join("tmp")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let video = footage(video_bytes);
        std::fs::write(storage.video(), &video).unwrap();
        std::fs::write(storage.folder().join("court1.jpg"), b"a picture").unwrap();
        let about = sidecar(&video, json!({ "thumbnail_path": "court1.jpg" }));
        std::fs::write(storage.sidecar(), about.to_bytes()).unwrap();
        storage
    }

    fn folder(&self) -> PathBuf {
        self.0.join("highlights/2026-11-21").join(PRESS)
    }

    pub fn video(&self) -> PathBuf {
        self.folder().join("court1.mp4")
    }

    pub fn sidecar(&self) -> PathBuf {
        self.folder().join("court1.json")
    }

    pub fn read(&self) -> Sidecar {
        Sidecar::from_bytes(&std::fs::read(self.sidecar()).unwrap()).unwrap()
    }

    /// Numbers of the parts that are noted as held.
    pub fn noted_parts(&self) -> Vec<u64> {
        let about = self.read();
        let resume = about.uploads.first().and_then(|u| u.resume.clone());
        let parts = resume.and_then(|noted| noted["parts"].as_array().cloned());
        let parts = parts.unwrap_or_default().into_iter();
        parts.map(|part| part["number"].as_u64().unwrap()).collect()
    }

    /// Nothing unfinished lies about.
    pub fn is_clean(&self, when: &str) {
        let left: Vec<_> = std::fs::read_dir(self.0.join("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{when}: {left:?}");
    }
}

/// Nothing is to be finished here.
struct Nobody;

impl Finisher for Nobody {
    fn finish(&self, _: &Job<'_>, _: &dyn Fn(u16), _: &Stop) -> Result<Finished, Failure> {
        panic!("asked to finish what is finished");
    }
}

/// A running queue on a storage that is open.
pub struct Service {
    pub queue: Queue,
    stop: Stop,
}

impl Service {
    pub fn start(storage: &Path, disk: Disk, target: Arc<dyn UploadTarget>) -> Service {
        let (inbox, mail) = inbox();
        let stop = Stop::default();
        let settings = Settings {
            queue: config::QueueSettings::default(),
            finish_jobs: 1,
            marks: true,
            vertical: false,
            timezone: jiff::tz::TimeZone::UTC,
            boot_id: BootId::of_this_boot().unwrap(),
            reserve_bytes: 0,
            backoff: Backoff {
                first_ms: 4,
                cap_ms: 40,
                spread_percent: 50,
            },
            seed: 1,
        };
        let (clock, targets) = (Arc::new(RealClock), vec![target]);
        let queue = Queue::start(
            settings,
            mail,
            Arc::new(Nobody),
            targets,
            clock,
            stop.clone(),
        );
        // As highlights do: what an earlier run left in `tmp` is swept, then the storage is open.
        for entry in std::fs::read_dir(storage.join("tmp")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        let lock = Lock::take(&storage.join("lock")).unwrap().unwrap();
        let sidecars = Sidecars::new(disk, StorageLayout::new(storage), Arc::new(lock));
        inbox.opened(Arc::new(sidecars), |_| true);
        Service {
            queue: queue.unwrap(),
            stop,
        }
    }

    pub fn is_settled(&self) -> bool {
        let status = self.queue.status();
        status.ready && status.counts.to_finish + status.counts.to_upload == 0
    }

    /// Waits until nothing is left to do but what was given up.
    pub fn settled(&self) {
        until("nothing is left to do", || self.is_settled());
    }

    pub fn leave(self) {
        self.stop.raise(StopLevel::Finish);
        self.queue.join();
    }
}

/// Waits for an event; panics if it does not come.
pub fn until(what: &str, done: impl Fn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}
