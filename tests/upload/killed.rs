//! `hindsight run` is killed in mid-upload, at every step of it and at random instants, and
//! started again: it goes on where it was, sends nothing twice that it noted, and leaves nothing
//! behind on the server.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hindsight::queue::sidecar::{Status, UploadStatus};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::proxy::{Blow, Decide, Fate, Proxy, Seen};
use crate::queued::{Storage, until};
use crate::rig::{PRESS, files, s3_lines};
use crate::s3::{KEY_ID, S3, SECRET};
use crate::service::{Place, Service, Told, camera};

/// Three parts.
const VIDEO_BYTES: usize = 17_000_000;

/// A box with one highlight that waits, and what happens to its requests.
struct Court {
    place: Place,
    storage: Storage,
    s3: S3,
    proxy: Proxy,
    fate: Arc<Mutex<Arc<Decide>>>,
    pid: Arc<AtomicI32>,
}

impl Court {
    fn new() -> Option<Court> {
        let s3 = S3::start()?;
        let pass: Arc<Decide> = Arc::new(|_| Fate::Pass);
        let fate = Arc::new(Mutex::new(pass));
        let asked = Arc::clone(&fate);
        let proxy = Proxy::start(&s3.address, None, move |seen| {
            let decide = asked.lock().unwrap().clone();
            decide(seen)
        });
        let told = Told {
            more: s3_lines(&proxy.url(), ""),
            ring_seconds: 20,
            ..Told::default()
        };
        // Nobody films here.
        let place = Place::new(&told, &camera("court1", "rtsp://127.0.0.1:9/none", ""));
        let storage = Storage::new(place.storage(), VIDEO_BYTES);
        Some(Court {
            place,
            storage,
            s3,
            proxy,
            fate,
            pid: Arc::default(),
        })
    }

    fn decide(&self, fate: impl Fn(&Seen) -> Fate + Send + Sync + 'static) {
        *self.fate.lock().unwrap() = Arc::new(fate);
    }

    /// A blow that kills the service of now, once it has started.
    fn blow(&self) -> Blow {
        let pid = Arc::clone(&self.pid);
        Arc::new(move || {
            until("a process to kill", || pid.load(SeqCst) != 0);
            // It may have been killed already, by a connection beside this one.
            let _ = kill(Pid::from_raw(pid.load(SeqCst)), Signal::SIGKILL);
        })
    }

    fn start(&self) -> Service {
        self.pid.store(0, SeqCst);
        let service = self.place.start();
        self.pid.store(service.pid().as_raw(), SeqCst);
        service
    }

    /// Lets it come to its end, and looks at what there is.
    fn goes_on(&self, when: &str) {
        let noted = self.storage.noted_parts();
        let before: Vec<usize> = noted.iter().map(|n| self.part_puts(*n)).collect();
        self.decide(|_| Fate::Pass);
        let mut service = self.start();
        service.wait_for(when, |_| self.storage.read().status == Status::Uploaded);
        self.nothing_is_told(&service);
        assert_eq!(service.stop(), Some(0), "{when}");
        let after: Vec<usize> = noted.iter().map(|n| self.part_puts(*n)).collect();
        assert_eq!(
            before, after,
            "{when}: a part that was noted was sent again"
        );
        self.all_is_well(when);
    }

    fn part_puts(&self, number: u64) -> usize {
        self.proxy.count("PUT", &format!("partNumber={number}&"))
    }

    fn all_is_well(&self, when: &str) {
        let key = format!("Test/2026-11-21/{PRESS}-court1");
        let there = files(&self.s3.object(""));
        let names: Vec<_> = there.iter().map(|(path, _)| path.clone()).collect();
        let wanted = [".jpg", ".json", ".mp4"].map(|end| PathBuf::from(format!("{key}{end}")));
        assert_eq!(names, wanted, "{when}");
        let video = std::fs::read(self.storage.video()).unwrap();
        assert!(there[2].1 == video, "{when}: other bytes");
        assert_eq!(self.s3.open_uploads(), 0, "{when}: an upload is left there");
        assert_eq!(self.s3.open_parts(), 0, "{when}: parts are left there");
        let about = self.storage.read();
        let upload = &about.uploads[0];
        assert_eq!(
            (upload.status, upload.attempts, &upload.resume),
            (UploadStatus::Uploaded, 0, &None),
            "{when}"
        );
        self.storage.is_clean(when);
    }

    /// Neither in the process list nor in the log nor on the disk.
    fn nothing_is_told(&self, service: &Service) {
        let list = std::fs::read(format!("/proc/{}/cmdline", service.pid())).unwrap();
        let small = |(_, bytes): &(PathBuf, Vec<u8>)| bytes.len() < 1_000_000;
        let kept = files(&self.place.storage()).into_iter().filter(small);
        let kept = kept.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned());
        let told = [String::from_utf8_lossy(&list).into_owned(), service.said()];
        for text in told.into_iter().chain(kept) {
            for secret in [SECRET, KEY_ID] {
                assert!(!text.contains(secret), "a secret is told: {text}");
            }
        }
    }
}

/// How many requests an upload without trouble makes, and whose bodies are long.
fn requests() -> Option<Vec<Seen>> {
    let it = Court::new()?;
    it.goes_on("nothing was killed");
    Some(it.proxy.seen())
}

#[test]
fn a_kill_at_any_request_of_an_upload_sends_no_noted_part_twice_and_leaves_nothing_behind() {
    let Some(all) = requests() else { return };
    assert!(all.len() > 12, "{} requests", all.len());
    let mut kills = 0;
    for (nth, seen) in all.iter().enumerate() {
        let long = seen
            .header("content-length")
            .is_some_and(|text| text.len() > 6);
        let moments: &[&str] = match long {
            true => &["before", "in", "behind"],
            false => &["before", "behind"],
        };
        for moment in moments {
            let it = Court::new().unwrap();
            let (blow, at) = (it.blow(), *moment);
            let struck = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&struck);
            it.decide(move |seen| {
                if seen.number != nth {
                    return Fate::Pass;
                }
                counted.fetch_add(1, SeqCst);
                match at {
                    "before" => {
                        blow();
                        Fate::ResetAfter(0)
                    }
                    "in" => Fate::StrikeIn(300_000, Arc::clone(&blow)),
                    _ => Fate::StrikeBehind(Arc::clone(&blow)),
                }
            });
            let mut service = it.start();
            assert_eq!(service.wait_for_end(), None, "it was not killed");
            assert_eq!(struck.load(SeqCst), 1);
            kills += 1;
            let (method, path) = (&seen.method, seen.path.split('&').next().unwrap());
            it.goes_on(&format!("killed {at} request {nth}, {method} {path}"));
        }
    }
    println!("{kills} kills");
}

#[test]
fn kills_at_random_instants_of_one_upload_cost_no_more_than_what_was_on_its_way() {
    let Some(it) = Court::new() else { return };
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut mid = 0;
    // Slow enough for a first kill before the end.
    it.decide(|_| Fate::Slow(Duration::from_millis(6)));
    while mid < 6 {
        let noted = it.storage.noted_parts();
        let before: Vec<usize> = noted.iter().map(|n| it.part_puts(*n)).collect();
        let asked = it.proxy.seen().len();
        let mut service = it.start();
        until("the first request", || it.proxy.seen().len() > asked);
        std::thread::sleep(Duration::from_millis(random.u64(0..700)));
        service.signal(Signal::SIGKILL);
        service.wait_for_end();
        let after: Vec<usize> = noted.iter().map(|n| it.part_puts(*n)).collect();
        assert_eq!(before, after, "a part that was noted was sent again");
        println!("killed with parts {:?} noted", it.storage.noted_parts());
        if it.storage.read().status == Status::Uploaded {
            break;
        }
        mid += 1;
    }
    assert!(mid > 0, "every kill came too late");
    it.goes_on("after the kills");
}
