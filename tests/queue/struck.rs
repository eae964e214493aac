//! Kills and full disks, swept over every step between a clip and its upload, and
//! over its removal.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hindsight::disk::{DiskCall, DiskFault, Faults};
use hindsight::queue::Settings;
use hindsight::queue::sidecar::{Removed, Status};
use nix::errno::Errno;

use crate::retention::narrow;
use crate::rig::*;
use crate::roomy::{roomy, roomy_but};
use crate::strike::{Blow, Calls, strike, wait_until_watched};

/// What a child does with the storage.
const KEEPS: &str = "keeps";
const WITHOUT_RAW: &str = "without raw";
const DELETES: &str = "deletes";

fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env("HINDSIGHT_TEST_CHILD", "1");
    command
}

fn env_path(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap())
}

fn run(storage: &Path, beside: &Path, task: &str) -> (Service, Arc<Far>) {
    let maker = Arc::new(Maker {
        log: Some(beside.join("made.log")),
        ..Maker::new()
    });
    let yard = Yard {
        disk: tempfile::tempdir().unwrap(),
    };
    let far = Arc::new(Far {
        folder: beside.to_owned(),
        ..Far::new(&yard, "club")
    });
    let disk = match task {
        DELETES => narrow(),
        _ => roomy(),
    };
    let change = |settings: &mut Settings| settings.queue.keep_raw = task != WITHOUT_RAW;
    let clock = Arc::new(hindsight::base::RealClock);
    let targets = std::slice::from_ref(&far);
    let service = Service::start(storage, disk, &maker, targets, clock, change);
    (service, far)
}

#[test]
fn child_that_brings_a_job_to_its_end() {
    if std::env::var_os("HINDSIGHT_TEST_CHILD").is_none() {
        return;
    }
    wait_until_watched();
    let task = std::env::var("HINDSIGHT_TEST_TASK").unwrap();
    let storage = env_path("HINDSIGHT_TEST_STORAGE");
    let (service, _) = run(&storage, &env_path("HINDSIGHT_TEST_BESIDE"), &task);
    let limit = Instant::now() + Duration::from_secs(30);
    let over = |service: &Service| match task.as_str() {
        DELETES => names_in(&storage.join("highlights")).is_empty(),
        _ => service.queue.status().counts.done == 1 && service.queue.status().ready,
    };
    while !over(&service) && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(1));
    }
    let over = over(&service);
    service.leave();
    std::process::exit(i32::from(!over));
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .count()
}

/// Kills a child at every call; `judge` sees the storage after the next start.
fn sweep(task: &str, make: impl Fn() -> Yard, judge: impl Fn(&Yard, &Path, &str)) {
    let mut killed = 0;
    for n in 1.. {
        let yard = make();
        let beside = yard.far();
        let mut child = again("struck::child_that_brings_a_job_to_its_end");
        child
            .env("HINDSIGHT_TEST_STORAGE", yard.storage())
            .env("HINDSIGHT_TEST_BESIDE", &beside)
            .env("HINDSIGHT_TEST_TASK", task)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let struck = strike(&mut child, &yard.storage(), Calls::Changing, n, Blow::Kill);
        let Some(at) = struck.at else {
            assert_eq!(
                struck.exit_code,
                Some(0),
                "{task}: the child that was not struck"
            );
            break;
        };
        killed += 1;
        judge(&yard, &beside, &format!("{task}: killed at call {n}, {at}"));
    }
    println!("{task}: {killed} kills");
    assert!(killed > 6, "{task}: only {killed} kills");
}

fn one_uploaded() -> Yard {
    let yard = Yard::new(1);
    let (service, _) = run(&yard.storage(), &yard.far(), KEEPS);
    service.settled();
    service.leave();
    assert_eq!(yard.read(0).status, Status::Uploaded);
    yard
}

#[test]
fn a_kill_at_any_call_loses_no_clip_and_finishes_none_twice() {
    sweep(
        KEEPS,
        || Yard::new(1),
        |yard, beside, when| {
            let made = beside.join("made.log");
            let had_its_name = yard.sidecar(0).with_extension("marked.mp4").exists();
            let before = lines(&made);
            let (service, far) = run(&yard.storage(), beside, KEEPS);
            service.settled();
            service.leave();
            let sidecar = yard.read(0);
            assert_eq!(sidecar.status, Status::Uploaded, "{when}");
            assert_eq!(sidecar.attempts, 0, "{when}");
            let again = lines(&made) - before;
            assert!(!had_its_name || again == 0, "{when}: finished twice");
            assert!(far.calls() <= 1, "{when}");
            let files = names_in(yard.sidecar(0).parent().unwrap());
            let right = [
                "court1.jpg",
                "court1.json",
                "court1.marked.mp4",
                "court1.mp4",
            ];
            assert_eq!(files, right, "{when}");
            yard.is_clean(when);
        },
    );
}

#[test]
fn a_kill_at_any_call_leaves_a_clip_marked_or_not() {
    sweep(
        WITHOUT_RAW,
        || Yard::new(1),
        |yard, beside, when| {
            let raw = yard.sidecar(0).with_extension("mp4").exists();
            let marked = yard.sidecar(0).with_extension("marked.mp4").exists();
            assert!(raw || marked, "{when}: no clip is left");
            let (service, _) = run(&yard.storage(), beside, WITHOUT_RAW);
            service.settled();
            until("the unmarked clip", || {
                !yard.sidecar(0).with_extension("mp4").exists()
            });
            service.leave();
            let sidecar = yard.read(0);
            assert_eq!(
                (sidecar.status, sidecar.removed),
                (Status::Uploaded, Some(Removed::Raw)),
                "{when}"
            );
            yard.is_clean(when);
        },
    );
}

#[test]
fn a_kill_at_any_call_of_a_removal_leaves_a_highlight_or_none() {
    sweep(DELETES, one_uploaded, |yard, beside, when| {
        let intact = yard.sidecar(0).exists() && yard.read(0).removed.is_none();
        let report = hindsight::highlight::verify::verify(&[yard.storage()]);
        assert!(report.faults.is_empty(), "{when}: {:#?}", report.faults);
        let (service, far) = run(&yard.storage(), beside, KEEPS);
        service.settled();
        if !intact {
            let folder = yard.sidecar(0).parent().unwrap().to_owned();
            until("the removal", || !yard.sidecar(0).exists());
            let left = folder.exists().then(|| names_in(&folder));
            assert!(left.is_none_or(|left| left.is_empty()), "{when}");
        }
        service.leave();
        assert_eq!(
            (yard.sidecar(0).exists(), far.calls()),
            (intact, 0),
            "{when}"
        );
        yard.is_clean(when);
    });
}

/// Strikes the n-th call, and all after it until it is mended.
struct From {
    n: u64,
    count: AtomicU64,
    struck: AtomicU64,
    once: bool,
    mended: AtomicBool,
}

impl Faults for From {
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

fn sweep_full(once: bool) {
    let mut steps = 0;
    for n in 1.. {
        let yard = Yard::new(1);
        let from = Arc::new(From {
            n,
            count: AtomicU64::new(0),
            struck: AtomicU64::new(0),
            once,
            mended: AtomicBool::new(false),
        });
        let far = Arc::new(Far::new(&yard, "club"));
        let maker = Arc::new(Maker::new());
        let disk = roomy_but(from.clone());
        let service = yard.start_with(disk, &maker, std::slice::from_ref(&far), |_| {});
        if !once {
            until("the disk to refuse, or the end", || {
                let status = service.queue.status();
                from.struck.load(SeqCst) > 2 || (status.ready && status.counts.done == 1)
            });
            from.mended.store(true, SeqCst);
        }
        // A sidecar that could not be read at the start is looked at again at the next.
        until("ready", || service.queue.status().ready);
        service.settled();
        service.leave();
        let service = yard.start(&maker, std::slice::from_ref(&far));
        service.settled();
        service.leave();
        let when = format!("full at call {n}, once: {once}");
        assert_eq!(yard.read(0).status, Status::Uploaded, "{when}");
        assert_eq!(yard.read(0).attempts, 0, "{when}");
        yard.is_clean(&when);
        if from.struck.load(SeqCst) == 0 {
            break;
        }
        steps += 1;
    }
    println!("{steps} steps, once: {once}");
    assert!(steps > 12, "{steps}");
}

#[test]
fn a_disk_that_is_full_at_any_step_once_costs_no_attempt() {
    sweep_full(true);
}

#[test]
fn a_disk_that_is_full_from_any_step_on_costs_no_attempt_once_there_is_room() {
    sweep_full(false);
}
