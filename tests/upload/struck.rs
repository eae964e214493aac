//! Full disks and kills, swept over every call on the storage that an upload makes: a real queue,
//! a real S3 server, a real backend of signed addresses.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use hindsight::disk::{DiskCall, DiskFault, Faults};
use hindsight::queue::sidecar::{Status, UploadStatus};
use nix::errno::Errno;

use crate::proxy::{Fate, Proxy};
use crate::queued::{Service, Storage, until};
use crate::rig::{s3_lines, target};
use crate::roomy::{roomy, roomy_but};
use crate::s3::S3;
use crate::signed_url::backend::{Backend, SECRET};
use crate::strike::{Blow, Calls, strike, wait_until_watched};
use crate::waiting::PRESS;

/// Two parts.
const LARGE: usize = 16_100_000;
const SMALL: usize = 100_000;

fn storage(video_bytes: usize) -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let storage = Storage::new(dir.path().join("storage"), video_bytes);
    (dir, storage)
}

fn backend() -> Backend {
    Backend::start(jiff::Timestamp::now().as_second())
}

fn backend_lines(backend: &Backend) -> String {
    format!(
        "[[target]]\nid = \"there\"\nkind = \"signed-url\"\nurl = \"http://{}\"\ndevice_id = \"box-17\"\n\
         client_id = \"arena\"\nsecret = \"{SECRET}\"\n",
        backend.addr
    )
}

/// Strikes the n-th call that needs room, and all after it until it is mended.
struct Full {
    n: u64,
    once: bool,
    count: AtomicU64,
    struck: AtomicU64,
    mended: AtomicBool,
}

impl Faults for Full {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        let needs_room = matches!(
            call,
            DiskCall::Open
                | DiskCall::Write
                | DiskCall::Sync
                | DiskCall::Rename
                | DiskCall::SyncDir
        );
        if !needs_room || self.mended.load(SeqCst) {
            return None;
        }
        let at = self.count.fetch_add(1, SeqCst) + 1;
        let hit = at == self.n || (at > self.n && !self.once);
        hit.then(|| {
            self.struck.fetch_add(1, SeqCst);
            DiskFault::Error(Errno::ENOSPC)
        })
    }
}

/// An upload on a disk that is full from the n-th call on, or at it; then there is room. Says
/// whether any call was struck.
fn on_a_full_disk(storage: &Storage, lines: &str, n: u64, once: bool) -> bool {
    let full = Arc::new(Full {
        n,
        once,
        count: AtomicU64::new(0),
        struck: AtomicU64::new(0),
        mended: AtomicBool::new(false),
    });
    let service = Service::start(&storage.0, roomy_but(full.clone()), target(lines));
    until("the disk to refuse, or the end", || {
        full.struck.load(SeqCst) > u64::from(!once) * 2 || service.is_settled()
    });
    full.mended.store(true, SeqCst);
    // A sidecar that could not be read at the start is looked at again at the next.
    until("ready", || service.queue.status().ready);
    service.settled();
    service.leave();
    let service = Service::start(&storage.0, roomy(), target(lines));
    service.settled();
    service.leave();
    full.struck.load(SeqCst) > 0
}

fn is_uploaded(storage: &Storage, when: &str) {
    let about = storage.read();
    assert_eq!(about.status, Status::Uploaded, "{when}");
    let upload = &about.uploads[0];
    assert_eq!(
        (upload.status, upload.attempts, &upload.resume),
        (UploadStatus::Uploaded, 0, &None),
        "{when}"
    );
    storage.is_clean(when);
}

#[test]
fn a_disk_that_is_full_at_any_step_costs_an_upload_to_a_signed_address_no_attempt() {
    for once in [true, false] {
        let mut steps = 0;
        for n in 1.. {
            let (backend, (_dir, storage)) = (backend(), storage(SMALL));
            let struck = on_a_full_disk(&storage, &backend_lines(&backend), n, once);
            let when = format!("full at call {n}, once: {once}");
            is_uploaded(&storage, &when);
            let held = backend.holds();
            let kinds: Vec<&str> = held.iter().map(|(kind, _)| kind.as_str()).collect();
            assert_eq!(kinds, ["video", "thumbnail", "sidecar"], "{when}");
            assert!(
                held[0].1 == std::fs::read(storage.video()).unwrap(),
                "{when}"
            );
            if !struck {
                break;
            }
            steps += 1;
        }
        println!("{steps} steps, once: {once}");
        assert!(steps > 20, "only {steps} steps, once: {once}");
    }
}

#[test]
fn a_disk_that_is_full_at_any_step_costs_an_upload_in_parts_no_attempt() {
    let mut steps = 0;
    for n in 1.. {
        let Some(s3) = S3::start() else { return };
        let (_dir, storage) = storage(LARGE);
        let struck = on_a_full_disk(&storage, &s3_lines(&s3.url(), ""), n, n % 2 == 0);
        let when = format!("full at call {n}");
        is_uploaded(&storage, &when);
        is_there(&s3, &storage, &when);
        if !struck {
            break;
        }
        steps += 1;
    }
    println!("{steps} steps");
    assert!(steps > 12, "only {steps} steps");
}

fn is_there(s3: &S3, storage: &Storage, when: &str) {
    let object = s3.object(&format!("Arena/2026-11-21/{PRESS}-court1.mp4"));
    let video = std::fs::read(storage.video()).unwrap();
    assert!(
        std::fs::read(object).unwrap() == video,
        "{when}: other bytes"
    );
    assert_eq!((s3.open_uploads(), s3.open_parts()), (0, 0), "{when}");
}

#[test]
fn child_that_uploads() {
    if std::env::var_os("HINDSIGHT_TEST_CHILD").is_none() {
        return;
    }
    wait_until_watched();
    let root = std::env::var_os("HINDSIGHT_TEST_STORAGE").unwrap();
    let lines = std::env::var("HINDSIGHT_TEST_LINES").unwrap();
    let service = Service::start(Path::new(&root), roomy(), target(&lines));
    service.settled();
    service.leave();
    std::process::exit(0);
}

/// Kills a child that uploads at its n-th changing call on the storage; where it was, if it was.
fn killed_at(storage: &Storage, lines: &str, n: u64) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "struck::child_that_uploads", "--test-threads=1"])
        .env("HINDSIGHT_TEST_CHILD", "1")
        .env("HINDSIGHT_TEST_STORAGE", &storage.0)
        .env("HINDSIGHT_TEST_LINES", lines)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let struck = strike(&mut child, &storage.0, Calls::Changing, n, Blow::Kill);
    if struck.at.is_none() {
        assert_eq!(struck.exit_code, Some(0), "the child that was not struck");
    }
    struck.at
}

#[test]
fn a_kill_at_any_call_of_an_upload_in_parts_goes_on_where_it_was_noted() {
    let mut kills = 0;
    for n in 1.. {
        // On another thread: whoever traces a child waits for all children that are his own.
        let Some(s3) = std::thread::spawn(S3::start).join().unwrap() else {
            return;
        };
        let proxy = Proxy::start(&s3.address, None, |_| Fate::Pass);
        let (_dir, storage) = storage(LARGE);
        let lines = s3_lines(&proxy.url(), "");
        let Some(at) = killed_at(&storage, &lines, n) else {
            break;
        };
        kills += 1;
        let when = format!("killed at call {n}, {at}");
        let puts = |part: &u64| proxy.count("PUT", &format!("partNumber={part}&"));
        let noted = storage.noted_parts();
        let before: Vec<usize> = noted.iter().map(puts).collect();
        let service = Service::start(&storage.0, roomy(), target(&lines));
        service.settled();
        service.leave();
        let after: Vec<usize> = noted.iter().map(puts).collect();
        assert_eq!(
            before, after,
            "{when}: a part that was noted was sent again"
        );
        is_uploaded(&storage, &when);
        is_there(&s3, &storage, &when);
    }
    println!("{kills} kills");
    assert!(kills > 12, "only {kills} kills");
}

#[test]
fn a_kill_at_any_call_of_an_upload_to_a_signed_address_has_all_there_once() {
    let mut kills = 0;
    for n in 1.. {
        let (backend, (_dir, storage)) = (backend(), storage(SMALL));
        let lines = backend_lines(&backend);
        let Some(at) = killed_at(&storage, &lines, n) else {
            break;
        };
        kills += 1;
        let when = format!("killed at call {n}, {at}");
        let service = Service::start(&storage.0, roomy(), target(&lines));
        service.settled();
        service.leave();
        is_uploaded(&storage, &when);
        let held = backend.holds();
        assert_eq!(held.len(), 3, "{when}");
        assert!(
            held[0].1 == std::fs::read(storage.video()).unwrap(),
            "{when}"
        );
        let kept = std::fs::read(storage.sidecar()).unwrap();
        let kept = String::from_utf8(kept).unwrap();
        assert!(!kept.contains("canary"), "{when}: a signed address is kept");
    }
    println!("{kills} kills");
    assert!(kills > 20, "only {kills} kills");
}
