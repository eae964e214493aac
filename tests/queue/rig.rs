//! A storage with real clips that wait, a queue on it, and scripted workers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use hindsight::base::{
    Backoff, BootId, Clock, Coded, PressId, RealClock, Sentence, Stop, StopLevel,
};
use hindsight::config;
use hindsight::disk::{Disk, Lock};
use hindsight::highlight::verify::verify;
use hindsight::queue::sentence::QueueSentence;
use hindsight::queue::sidecar::{MarkedMeta, Sidecar, Status};
use hindsight::queue::store::{Sidecars, hash_of};
use hindsight::queue::work::{Failure, Finished, Finisher, Job, Notebook, UploadTarget, Uploaded};
use hindsight::queue::{Event, Inbox, Queue, Settings, inbox};
use hindsight::storage::StorageLayout;
use serde_json::Value;

use crate::feeder::SECOND;
use crate::highlights::{Place, now};
use crate::roomy::roomy;

/// How long a test waits for an event before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);
pub const DAY: &str = "2026-11-21";

/// A clip that highlights made, and its sidecar.
pub struct Original {
    pub bytes: Vec<u8>,
    pub sidecar: Sidecar,
}

/// Made once by each test program.
pub fn original() -> &'static Original {
    static MADE: OnceLock<Original> = OnceLock::new();
    MADE.get_or_init(|| {
        let place = Place::new(&["court1"]);
        let _camera = place.camera("court1", 6);
        let service = place.start();
        let press = service.press(&place.request(now() - 2 * SECOND, 1_000, 0));
        let outcome = service.outcomes(&press).remove(0);
        service.leave();
        let sidecar = std::fs::read(&outcome.sidecar).unwrap();
        Original {
            bytes: std::fs::read(outcome.clip.unwrap()).unwrap(),
            sidecar: Sidecar::from_bytes(&sidecar).unwrap(),
        }
    })
}

/// The n-th press of a test.
pub fn press_id(n: u32) -> PressId {
    PressId::try_from(format!("0000abcd-{n:011x}-{n:08x}")).unwrap()
}

/// A storage, and a folder beside it for what is not the queue's.
pub struct Yard {
    pub disk: tempfile::TempDir,
}

impl Yard {
    /// With so many highlights that wait, pressed one second after the other, the last just now.
    pub fn new(count: u32) -> Yard {
        let yard = Yard {
            disk: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        };
        for folder in ["storage/highlights", "storage/tmp", "far"] {
            std::fs::create_dir_all(yard.disk.path().join(folder)).unwrap();
        }
        for n in 0..count {
            yard.add(n, u64::from(count - n) * SECOND);
        }
        yard
    }

    pub fn storage(&self) -> PathBuf {
        self.disk.path().join("storage")
    }

    /// What is not the queue's.
    pub fn far(&self) -> PathBuf {
        self.disk.path().join("far")
    }

    pub fn sidecar(&self, n: u32) -> PathBuf {
        let press = press_id(n);
        self.storage()
            .join(format!("highlights/{DAY}/{press}/court1.json"))
    }

    /// A highlight of this boot that waits, pressed so long ago.
    pub fn add(&self, n: u32, ago_ns: u64) -> PathBuf {
        self.add_as(n, |sidecar| {
            sidecar.clock.boot_id = BootId::of_this_boot().unwrap();
            sidecar.clock.press_mono_ns = now().saturating_sub(ago_ns);
        })
    }

    /// One whose sidecar is as `change` makes it.
    pub fn add_as(&self, n: u32, change: impl FnOnce(&mut Sidecar)) -> PathBuf {
        let path = self.sidecar(n);
        let mut sidecar = original().sidecar.clone();
        sidecar.press_id = press_id(n);
        change(&mut sidecar);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.with_extension("mp4"), &original().bytes).unwrap();
        std::fs::write(&path, sidecar.to_bytes()).unwrap();
        path
    }

    pub fn read(&self, n: u32) -> Sidecar {
        Sidecar::from_bytes(&std::fs::read(self.sidecar(n)).unwrap()).unwrap()
    }

    pub fn start(&self, maker: &Arc<Maker>, targets: &[Arc<Far>]) -> Service {
        self.start_with(roomy(), maker, targets, |_| {})
    }

    pub fn start_with(
        &self,
        disk: Disk,
        maker: &Arc<Maker>,
        targets: &[Arc<Far>],
        change: impl FnOnce(&mut Settings),
    ) -> Service {
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        Service::start(&self.storage(), disk, maker, targets, clock, change)
    }

    /// What lies in the temporary folder.
    pub fn temporaries(&self) -> Vec<String> {
        names_in(&self.storage().join("tmp"))
    }

    /// Nothing below the storage that must not be, nothing left over.
    pub fn is_clean(&self, when: &str) {
        let report = verify(&[self.storage()]);
        assert!(report.faults.is_empty(), "{when}: {:#?}", report.faults);
        assert!(report.notes.is_empty(), "{when}: {:#?}", report.notes);
        assert_eq!(self.temporaries(), [""; 0], "{when}");
    }
}

pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A running queue on a storage that is open.
pub struct Service {
    pub queue: Queue,
    pub stop: Stop,
    pub inbox: Inbox,
    pub events: crossbeam_channel::Receiver<Event>,
}

impl Service {
    pub fn start(
        storage: &Path,
        disk: Disk,
        maker: &Arc<Maker>,
        targets: &[Arc<Far>],
        clock: Arc<dyn Clock>,
        change: impl FnOnce(&mut Settings),
    ) -> Service {
        let (inbox, mail) = inbox();
        let stop = Stop::default();
        let mut settings = settings(maker.marks);
        change(&mut settings);
        let targets = targets
            .iter()
            .map(|far| far.clone() as Arc<dyn UploadTarget>);
        let finisher = maker.clone() as Arc<dyn Finisher>;
        let queue = Queue::start(
            settings,
            mail,
            finisher,
            targets.collect(),
            clock,
            stop.clone(),
        )
        .unwrap();
        let events = queue.events();
        // As highlights do: what an earlier run left in `tmp` is swept, then the storage is open.
        for name in names_in(&storage.join("tmp")) {
            std::fs::remove_file(storage.join("tmp").join(name)).unwrap();
        }
        let lock = Lock::take(&storage.join("lock")).unwrap().unwrap();
        let sidecars = Sidecars::new(disk, StorageLayout::new(storage), Arc::new(lock));
        inbox.opened(Arc::new(sidecars), |_| true);
        Service {
            queue,
            stop,
            inbox,
            events,
        }
    }

    /// Waits until nothing is left to do but what was given up.
    pub fn settled(&self) {
        until("nothing is left to do", || {
            let status = self.queue.status();
            status.ready && status.counts.to_finish + status.counts.to_upload == 0
        });
    }

    pub fn leave(self) {
        self.stop.raise(StopLevel::Finish);
        self.queue.join();
    }
}

pub fn settings(marks: bool) -> Settings {
    Settings {
        queue: config::QueueSettings::default(),
        finish_jobs: 1,
        marks,
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

/// What a worker is to answer at its n-th call (from 1) for a job; `None`: it does its work.
type Answer = Box<dyn Fn(&Job<'_>, u32, &Stop) -> Option<Failure> + Send + Sync>;

/// Finishes: a thumbnail, and a marked video that plays as long as the clip does.
pub struct Maker {
    pub marks: bool,
    pub answer: Answer,
    pub calls: AtomicU32,
    /// Jobs in the order of their finishing, once each time.
    pub made: Mutex<Vec<String>>,
    /// The same, for those who come after a kill.
    pub log: Option<PathBuf>,
}

impl Maker {
    pub fn new() -> Maker {
        Maker {
            marks: true,
            answer: Box::new(|_, _, _| None),
            calls: AtomicU32::new(0),
            made: Mutex::default(),
            log: None,
        }
    }

    pub fn answering(
        answer: impl Fn(&Job<'_>, u32, &Stop) -> Option<Failure> + Send + Sync + 'static,
    ) -> Arc<Maker> {
        Arc::new(Maker {
            answer: Box::new(answer),
            ..Maker::new()
        })
    }

    pub fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }

    pub fn made(&self) -> Vec<String> {
        self.made.lock().unwrap().clone()
    }
}

pub fn name_of(job: &Job<'_>) -> String {
    format!("{}-{}", job.sidecar.press_id, job.sidecar.camera.id)
}

fn disk_said(error: &std::io::Error) -> Failure {
    Failure::Unavailable {
        why: said(&error.to_string()),
        retry_after_ms: None,
    }
}

fn note(log: Option<&PathBuf>, line: &str) {
    if let Some(log) = log {
        let mut file = std::fs::OpenOptions::new();
        let mut file = file.create(true).append(true).open(log).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

impl Finisher for Maker {
    fn finish(
        &self,
        job: &Job<'_>,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Finished, Failure> {
        let call = self.calls.fetch_add(1, SeqCst) + 1;
        if let Some(failure) = (self.answer)(job, call, stop) {
            return Err(failure);
        }
        progress(500);
        let disk = Disk::default();
        let write = |end: &str, bytes: &[u8]| {
            let path = job.tmp.join(format!("{}.{end}", name_of(job)));
            let file = disk.create(&path)?;
            file.write_all_at(bytes, 0)?;
            file.sync()?;
            Ok(path)
        };
        let clip = std::fs::read(job.clip().unwrap()).map_err(|e| disk_said(&e))?;
        let thumbnail = write("jpg", b"\xff\xd8 a picture \xff\xd9").map_err(|e| disk_said(&e))?;
        let marked = match self.marks {
            true => Some(write("marked.mp4", &clip).map_err(|e| disk_said(&e))?),
            false => None,
        };
        let meta = job.sidecar.meta.clone().unwrap();
        let marked = marked.map(|path| {
            let sha256 = hash_of(&disk, &path).unwrap();
            let facts = MarkedMeta {
                codec: meta.codec,
                width: meta.width,
                height: meta.height,
                fps: meta.fps,
                duration_sec: meta.duration_sec,
                audio_codec: meta.audio_codec,
                size_bytes: clip.len() as u64,
                sha256,
            };
            (path, facts)
        });
        self.made.lock().unwrap().push(name_of(job));
        note(self.log.as_ref(), &name_of(job));
        Ok(Finished {
            marked,
            thumbnail: Some(thumbnail),
            ..Finished::default()
        })
    }
}

/// A target: a folder in which each highlight is one file.
pub struct Far {
    pub id: String,
    pub folder: PathBuf,
    pub answer: Answer,
    pub calls: AtomicU32,
    /// What it was given to go on from, at each call.
    pub resumes: Mutex<Vec<Option<Value>>>,
    /// What it notes while it runs.
    pub notes: Option<Value>,
}

impl Far {
    pub fn new(yard: &Yard, id: &str) -> Far {
        Far::into_folder(&yard.far(), id)
    }

    pub fn into_folder(folder: &Path, id: &str) -> Far {
        Far {
            id: id.to_owned(),
            folder: folder.to_owned(),
            answer: Box::new(|_, _, _| None),
            calls: AtomicU32::new(0),
            resumes: Mutex::default(),
            notes: None,
        }
    }

    pub fn answering(
        yard: &Yard,
        id: &str,
        answer: impl Fn(&Job<'_>, u32, &Stop) -> Option<Failure> + Send + Sync + 'static,
    ) -> Arc<Far> {
        Arc::new(Far {
            answer: Box::new(answer),
            ..Far::new(yard, id)
        })
    }

    pub fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }

    /// Every upload that was done, in their order.
    pub fn done(&self) -> Vec<String> {
        let log = self.folder.join(format!("{}.log", self.id));
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl UploadTarget for Far {
    fn id(&self) -> &str {
        &self.id
    }

    fn upload(
        &self,
        job: &Job<'_>,
        resume: Option<&Value>,
        notebook: &dyn Notebook,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Uploaded, Failure> {
        let call = self.calls.fetch_add(1, SeqCst) + 1;
        self.resumes.lock().unwrap().push(resume.cloned());
        if let Some(noted) = &self.notes {
            notebook.note(Some(noted.clone()))?;
        }
        if let Some(failure) = (self.answer)(job, call, stop) {
            return Err(failure);
        }
        progress(1000);
        let name = name_of(job);
        let place = self.folder.join(format!("{}-{name}.mp4", self.id));
        std::fs::copy(job.video().unwrap(), &place).map_err(|e| disk_said(&e))?;
        let log = self.folder.join(format!("{}.log", self.id));
        note(Some(&log), &name);
        Ok(Uploaded {
            place: place.display().to_string(),
        })
    }
}

pub fn refused() -> Option<Failure> {
    Some(Failure::Unavailable {
        why: said("connection refused"),
        retry_after_ms: None,
    })
}

/// Any sentence.
pub fn said(text: &str) -> Sentence {
    let text = text.to_owned();
    QueueSentence::Earlier { text }.sentence()
}

pub fn wrong(why: &str) -> Option<Failure> {
    Some(Failure::Failed { why: said(why) })
}

/// How many of the first `count` are in that state.
pub fn in_state(yard: &Yard, count: u32, status: Status) -> usize {
    (0..count)
        .filter(|n| yard.read(*n).status == status)
        .count()
}
