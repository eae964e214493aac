//! The real FFmpeg in the queue, and SIGKILL: for the whole process and for FFmpeg alone, at calls that
//! change files, of whichever of the two makes them.
//!
//! Some calls of each sweep by default; all of them with `HINDSIGHT_TEST_ALL=1` (minutes).

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::base::{Clock, RealClock, Stop};
use hindsight::config::{Corner, Encoder, Finish, Logo};
use hindsight::disk::Lock;
use hindsight::finish::{FfmpegFinisher, Limits, Settings};
use hindsight::queue::sidecar::Status;
use hindsight::queue::store::Sidecars;
use hindsight::queue::work::UploadTarget;
use hindsight::queue::{Queue, inbox};
use hindsight::storage::StorageLayout;

use crate::rig::*;
use crate::roomy::roomy;
use crate::strike::{Blow, strike_family, wait_until_watched};

/// How many calls of a sweep are struck by default.
const SAMPLES: u64 = 8;

/// As a venue has it: our logo, libx264.
fn finish() -> Finish {
    Finish {
        logos: vec![Logo {
            file: Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/logo.png"),
            corner: Corner::TopRight,
            rel_width: 0.2,
            margin_px: 24,
            opacity: 0.6,
        }],
        preset: Some("ultrafast".to_owned()),
        encoder: Encoder::Libx264,
        ..Finish::default()
    }
}

/// A queue on a storage that FFmpeg finishes for; it uploads into `beside`.
fn start(storage: &Path, beside: &Path) -> (Service, Arc<Far>) {
    let (inbox, mail) = inbox();
    let stop = Stop::default();
    let maker = FfmpegFinisher::new(Settings {
        finish: finish(),
        venue: "Test".to_owned(),
        timezone: jiff::tz::TimeZone::UTC,
        reserve_bytes: 0,
        limits: Limits::default(),
    });
    let far = Arc::new(Far::into_folder(beside, "club"));
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let queue = Queue::start(
        settings(true),
        mail,
        Arc::new(maker),
        vec![far.clone() as Arc<dyn UploadTarget>],
        clock,
        stop.clone(),
    )
    .unwrap();
    let events = queue.events();
    for name in names_in(&storage.join("tmp")) {
        std::fs::remove_file(storage.join("tmp").join(name)).unwrap();
    }
    let lock = Lock::take(&storage.join("lock")).unwrap().unwrap();
    let sidecars = Sidecars::new(roomy(), StorageLayout::new(storage), Arc::new(lock));
    inbox.opened(Arc::new(sidecars), |_| true);
    let service = Service {
        queue,
        stop,
        inbox,
        events,
    };
    (service, far)
}

#[test]
fn child_that_lets_ffmpeg_bring_a_job_to_its_end() {
    if std::env::var_os("HINDSIGHT_TEST_CHILD").is_none() {
        return;
    }
    wait_until_watched();
    let path = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let (service, _) = start(
        &path("HINDSIGHT_TEST_STORAGE"),
        &path("HINDSIGHT_TEST_BESIDE"),
    );
    let limit = Instant::now() + Duration::from_secs(60);
    let over = |service: &Service| {
        let status = service.queue.status();
        status.ready && status.counts.done == 1
    };
    while !over(&service) && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(1));
    }
    let over = over(&service);
    service.leave();
    std::process::exit(i32::from(!over));
}

fn child(yard: &Yard) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "killed::child_that_lets_ffmpeg_bring_a_job_to_its_end",
        ])
        .args(["--nocapture", "--test-threads=1"])
        .env("HINDSIGHT_TEST_CHILD", "1")
        .env("HINDSIGHT_TEST_STORAGE", yard.storage())
        .env("HINDSIGHT_TEST_BESIDE", yard.far())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Strikes one child after the other; `judge` sees each storage as the blow left it.
fn sweep(blow: Blow, judge: impl Fn(&Yard, Option<i32>, &str)) {
    let yard = Yard::new(1);
    let whole = strike_family(&mut child(&yard), &yard.storage(), u64::MAX, blow);
    assert_eq!(whole.exit_code, Some(0), "the child that was not struck");
    is_done(&yard, "not struck");
    let all = std::env::var_os("HINDSIGHT_TEST_ALL").is_some();
    let step = if all {
        1
    } else {
        whole.counted.div_ceil(SAMPLES)
    };
    // Not always the same ones, but those that failed can be named again.
    let first = match std::env::var("HINDSIGHT_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => 1 + u64::from(std::process::id()) % step,
    };
    println!(
        "{} calls, every {step}. from {first} (HINDSIGHT_TEST_SEED={first})",
        whole.counted
    );
    let (mut struck_calls, mut by_ffmpeg) = (0, 0);
    let mut n = first;
    while n <= whole.counted {
        let yard = Yard::new(1);
        let struck = strike_family(&mut child(&yard), &yard.storage(), n, blow);
        if let Some(at) = struck.at {
            struck_calls += 1;
            by_ffmpeg += u32::from(struck.exit_code.is_some());
            nobody_is_left_at(&yard.storage());
            judge(
                &yard,
                struck.exit_code,
                &format!("killed at call {n}, {at}"),
            );
        }
        n += step;
    }
    println!("{struck_calls} kills; {by_ffmpeg} of FFmpeg alone");
    assert!(struck_calls >= SAMPLES / 2, "only {struck_calls} kills");
}

/// No program still works on that storage.
fn nobody_is_left_at(storage: &Path) {
    let storage = storage.to_string_lossy().into_owned();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(!line.contains(&storage), "{:?}: {line}", entry.path());
    }
}

/// Marked, uploaded, whole, and nothing left over.
fn is_done(yard: &Yard, when: &str) {
    let sidecar = yard.read(0);
    assert_eq!(sidecar.status, Status::Uploaded, "{when}");
    let files = names_in(yard.sidecar(0).parent().unwrap());
    let right = [
        "court1.jpg",
        "court1.json",
        "court1.marked.mp4",
        "court1.mp4",
    ];
    assert_eq!(files, right, "{when}");
    yard.is_clean(when);
}

fn marked_file(yard: &Yard) -> Option<u64> {
    let marked = yard.sidecar(0).with_extension("marked.mp4");
    std::fs::metadata(marked).ok().map(|facts| facts.ino())
}

#[test]
fn a_kill_while_the_real_ffmpeg_works_loses_no_clip_and_marks_none_twice() {
    sweep(Blow::Kill, |yard, _, when| {
        assert!(yard.sidecar(0).with_extension("mp4").exists(), "{when}");
        let before = marked_file(yard);
        let (service, far) = start(&yard.storage(), &yard.far());
        service.settled();
        service.leave();
        assert_eq!(yard.read(0).attempts, 0, "{when}");
        assert!(far.calls() <= 1, "{when}");
        // One that had its name is the one that stays.
        assert!(before.is_none() || before == marked_file(yard), "{when}");
        is_done(yard, when);
    });
}

#[test]
fn a_kill_of_the_real_ffmpeg_alone_costs_an_attempt_and_no_clip() {
    sweep(Blow::KillCaller, |yard, ended, when| {
        match ended {
            // It was FFmpeg: the queue went on and brought the job to its end.
            Some(code) => assert_eq!(code, 0, "{when}"),
            None => {
                let (service, _) = start(&yard.storage(), &yard.far());
                service.settled();
                service.leave();
            }
        }
        is_done(yard, when);
    });
}
