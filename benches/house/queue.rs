//! What the queue itself costs: per job, beyond FFmpeg and the network; and at a
//! start with ten thousand highlights that are done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hindsight::base::{BootId, RealClock, Stop, StopLevel};
use hindsight::config;
use hindsight::disk::{Disk, Lock};
use hindsight::queue::sidecar::{MarkedMeta, Sidecar, Status};
use hindsight::queue::store::Sidecars;
use hindsight::queue::work::{Failure, Finished, Finisher, Job, Notebook, UploadTarget, Uploaded};
use hindsight::queue::{BACKOFF, Event, Inbox, Queue, Settings, inbox};
use hindsight::storage::StorageLayout;

use crate::Row;
use crate::process::{median, rss_anon_mb, work_dir};

const JOBS: u32 = 60;
const DONE: u32 = 10_000;

pub fn bench() -> Vec<Row> {
    let mut rows = vec![overhead()];
    rows.extend(start());
    rows
}

/// Whoever works takes no time, and what they take is not the queue's.
#[derive(Default)]
struct Nobody {
    busy_ns: AtomicU64,
}

impl Nobody {
    fn timed<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        let ns = u64::try_from(began.elapsed().as_nanos()).expect("not so long");
        self.busy_ns.fetch_add(ns, SeqCst);
        done
    }
}

impl Finisher for Nobody {
    fn finish(&self, job: &Job<'_>, _: &dyn Fn(u16), _: &Stop) -> Result<Finished, Failure> {
        self.timed(|| {
            let name = |end: &str| job.tmp.join(format!("{}.{end}", job.sidecar.press_id));
            let (marked, thumbnail) = (name("marked.mp4"), name("jpg"));
            std::fs::write(&marked, b"marked").unwrap();
            std::fs::write(&thumbnail, b"picture").unwrap();
            let meta = job.sidecar.meta.clone().unwrap();
            let facts = MarkedMeta {
                codec: meta.codec,
                width: meta.width,
                height: meta.height,
                fps: meta.fps,
                duration_sec: meta.duration_sec,
                audio_codec: meta.audio_codec,
                size_bytes: 6,
                sha256: "0".repeat(64),
            };
            Ok(Finished {
                marked: Some((marked, facts)),
                thumbnail: Some(thumbnail),
                ..Finished::default()
            })
        })
    }
}

impl UploadTarget for Nobody {
    fn id(&self) -> &str {
        "nobody"
    }

    fn upload(
        &self,
        _: &Job<'_>,
        _: Option<&serde_json::Value>,
        _: &dyn Notebook,
        _: &dyn Fn(u16),
        _: &Stop,
    ) -> Result<Uploaded, Failure> {
        Ok(Uploaded {
            place: "nowhere".to_owned(),
        })
    }
}

struct Running {
    queue: Queue,
    inbox: Inbox,
    stop: Stop,
    nobody: Arc<Nobody>,
}

fn run(storage: &Path) -> Running {
    let (inbox, mail) = inbox();
    let stop = Stop::default();
    let nobody = Arc::new(Nobody::default());
    let settings = Settings {
        queue: config::QueueSettings::default(),
        finish_jobs: 1,
        marks: true,
        vertical: false,
        timezone: jiff::tz::TimeZone::UTC,
        boot_id: BootId([1; 16]),
        reserve_bytes: 0,
        backoff: BACKOFF,
        seed: 1,
    };
    let queue = Queue::start(
        settings,
        mail,
        nobody.clone() as Arc<dyn Finisher>,
        vec![nobody.clone() as Arc<dyn UploadTarget>],
        Arc::new(RealClock),
        stop.clone(),
    );
    let lock = Lock::take(&storage.join("lock")).unwrap().unwrap();
    let sidecars = Sidecars::new(Disk::default(), StorageLayout::new(storage), Arc::new(lock));
    inbox.opened(Arc::new(sidecars), |_| true);
    Running {
        queue: queue.unwrap(),
        inbox,
        stop,
        nobody,
    }
}

impl Running {
    fn ready(&self) {
        while !self.queue.status().ready {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn leave(self) {
        self.stop.raise(StopLevel::Finish);
        self.queue.join();
    }
}

/// As highlights write it: a clip of 50 s with two holes.
fn sidecar(n: u32) -> Sidecar {
    let gap = r#"{"track": "video", "start_sec": 1.5, "end_sec": 2.25, "reason": "lost", "lost_packets": 12,
        "lost_access_units": 0, "dropped_bytes": 0}"#;
    let text = format!(
        r#"{{"type": "highlight", "status": "queued", "reason": null, "created_at": "2026-11-21T12:00:00.000-03:00",
        "press_id": "0000abcd-{n:011x}-{n:08x}", "camera": {{"id": "court1", "name": "Court 1"}}, "source": "button",
        "file_name": "court1.mp4", "size_bytes": 4, "sha256": "{hash}", "meta": {{"codec": "h264", "width": 1920,
        "height": 1080, "fps": 25.0, "duration_sec": 50.0, "audio_codec": "aac"}}, "pre_seconds": 40.0,
        "post_seconds": 10.0, "requested": {{"pre_seconds": 40.0, "post_seconds": 10.0}}, "ended": "complete",
        "gaps": [{gap}, {gap}], "damaged": [], "clock": {{"boot_id": "{boot}", "wall_synchronised": true,
        "press_mono_ns": 1, "latency_ms": 0, "mapping": null, "certainty": "certain", "alignment": null}},
        "notes": []}}"#,
        hash = "0123456789abcdef".repeat(4),
        boot = "01".repeat(16),
    );
    Sidecar::from_bytes(text.as_bytes()).expect("a sidecar")
}

fn add(storage: &Path, n: u32, change: impl FnOnce(&mut Sidecar)) -> PathBuf {
    let mut sidecar = sidecar(n);
    change(&mut sidecar);
    let day = format!("2026-11-{:02}", n % 28 + 1);
    let folder = storage.join("highlights").join(day);
    let folder = folder.join(sidecar.press_id.as_str());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("court1.mp4"), b"clip").unwrap();
    let path = folder.join("court1.json");
    std::fs::write(&path, sidecar.to_bytes()).unwrap();
    path
}

fn storage() -> tempfile::TempDir {
    let storage = tempfile::tempdir_in(work_dir()).unwrap();
    std::fs::create_dir(storage.path().join("highlights")).unwrap();
    std::fs::create_dir(storage.path().join("tmp")).unwrap();
    storage
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// One job after the other, from the sidecar's name to `uploaded`.
fn overhead() -> Row {
    let storage = storage();
    let running = run(storage.path());
    running.ready();
    let events = running.queue.events();
    let (mut each, mut bare) = (Vec::new(), Vec::new());
    for n in 0..JOBS {
        let path = add(storage.path(), n, |_| {});
        let busy_ns = running.nobody.busy_ns.load(SeqCst);
        let began = Instant::now();
        running.inbox.new_job(&path);
        while !matches!(
            events.recv_timeout(Duration::from_secs(60)),
            Ok(Event::Done { .. })
        ) {}
        let took = began.elapsed();
        let busy_ns = running.nobody.busy_ns.load(SeqCst) - busy_ns;
        each.push(ms(took.saturating_sub(Duration::from_nanos(busy_ns))));
        bare.push(atomic_write(storage.path()));
    }
    running.leave();
    let worst = each.iter().copied().fold(0.0, f64::max);
    Row {
        what: "queue: a job, beyond FFmpeg and network".to_owned(),
        measured: format!(
            "worst {worst:.1} ms; one durable write of a sidecar on the same disk: {:.1} ms",
            median(&bare)
        ),
        value: format!("{:.1} ms", median(&each)),
        must: "20 ms",
        aim: "",
    }
}

fn atomic_write(storage: &Path) -> f64 {
    let bytes = sidecar(0).to_bytes();
    let began = Instant::now();
    let (temp, to) = (storage.join("tmp/bare"), storage.join("bare"));
    Disk::default()
        .write_atomically(&temp, &to, &bytes)
        .unwrap();
    ms(began.elapsed())
}

/// Ten thousand that are done.
fn start() -> [Row; 2] {
    let storage = storage();
    for n in 0..DONE {
        let path = add(storage.path(), n, |sidecar| {
            sidecar.status = Status::Uploaded;
            sidecar.wm_path = Some("court1.marked.mp4".to_owned());
            sidecar.thumbnail_path = Some("court1.jpg".to_owned());
        });
        std::fs::write(path.with_extension("marked.mp4"), b"marked").unwrap();
        std::fs::write(path.with_extension("jpg"), b"picture").unwrap();
    }
    let own = std::process::id();
    let (mut times, mut growth) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let before = rss_anon_mb(own);
        let began = Instant::now();
        let running = run(storage.path());
        running.ready();
        times.push(began.elapsed().as_secs_f64());
        growth.push(rss_anon_mb(own) - before);
        assert_eq!(running.queue.status().counts.done, u64::from(DONE));
        running.leave();
    }
    let most = growth.iter().copied().fold(0.0, f64::max);
    [
        Row {
            what: "queue: start with 10,000 done".to_owned(),
            measured: "until every job is known; 40,000 files in 10,000 folders, in the page cache"
                .to_owned(),
            value: format!("{:.2} s", median(&times)),
            must: "2 s",
            aim: "",
        },
        Row {
            what: "queue: memory for them".to_owned(),
            measured: "growth of RssAnon, the largest of 3 starts".to_owned(),
            value: format!("{most:.1} MB"),
            must: "20 MB",
            aim: "",
        },
    ]
}
