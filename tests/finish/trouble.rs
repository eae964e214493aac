//! FFmpeg that hangs, crashes, lies, fills the disk or is not there; and being told to stop.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hindsight::base::{Stop, StopLevel};
use hindsight::config::{Corner, Finish};
use hindsight::finish::Limits;
use hindsight::queue::work::Failure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::{Storage, logo, maker, maker_within, plain, png, program};
use crate::source::{self, TICKS_PER_FRAME};

/// How long an event may take before it is missed.
const PATIENCE: Duration = Duration::from_secs(60);

fn storage() -> Storage {
    let tracks = source::make(source::recipe());
    Storage::with(&tracks, 60 * TICKS_PER_FRAME, 110 * TICKS_PER_FRAME)
}

/// Marks with a program in FFmpeg's place that answers probes truly.
fn with(storage: &Storage, script: &str) -> Finish {
    let script = format!(
        "case \" $* \" in *lavfi*) exec ffmpeg \"$@\";; esac\nout=\"${{@: -1}}\"\n{script}"
    );
    Finish {
        ffmpeg: program(storage.dir.path(), &script),
        ..marks(storage)
    }
}

fn marks(storage: &Storage) -> Finish {
    let file = png(storage.dir.path(), "logo.png", (480, 160), [255; 4]);
    Finish {
        logos: vec![logo(&file, Corner::BottomRight, 0.2, 0.6)],
        ..plain()
    }
}

fn short() -> Limits {
    Limits {
        base_ms: 9_000,
        each_second_ms: 100,
        stalled_ms: 60_000,
    }
}

/// The error of an attempt that counts; nothing is left behind.
fn counted(storage: &Storage, finish: Finish, limits: Limits) -> String {
    let failure = storage.finish(&maker_within(finish, limits), &Stop::default());
    assert_eq!(storage.left(), Vec::<String>::new());
    match failure {
        Err(Failure::Failed { why }) => why.text,
        other => panic!("{other:?}"),
    }
}

/// The reason of a job that waits; nothing is left behind.
fn waits(storage: &Storage, finish: Finish) -> String {
    let maker = maker(finish);
    let failure = storage.finish(&maker, &Stop::default());
    assert_eq!(storage.left(), Vec::<String>::new());
    match failure {
        Err(Failure::Unavailable { why, .. }) => {
            assert_eq!(maker.problem(), Some(why.clone()));
            why.text
        }
        other => panic!("{other:?}"),
    }
}

fn until<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = seen() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pid_in(file: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(file).ok()?;
    let pid = text.strip_suffix('\n')?.parse().ok()?;
    Some(Pid::from_raw(pid))
}

fn gone(pid: Pid) -> bool {
    // A zombie without a parent of its own is gone as well.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn without_ffmpeg_jobs_wait_and_health_knows() {
    let storage = storage();
    let finish = Finish {
        ffmpeg: "/nowhere/ffmpeg".into(),
        ..marks(&storage)
    };
    let why = waits(&storage, finish);
    assert_eq!(
        why,
        "/nowhere/ffmpeg cannot be started: there is no such program: apt install ffmpeg, or set finish.ffmpeg"
    );
}

#[test]
fn without_ffmpeg_and_without_a_mark_the_clip_goes_on_without_a_thumbnail() {
    let storage = storage();
    let finished = storage.finished(Finish {
        ffmpeg: "/nowhere/ffmpeg".into(),
        ..plain()
    });
    assert_eq!((finished.marked, finished.thumbnail), (None, None));
    assert!(
        finished.notes[0].contains("no thumbnail: "),
        "{:?}",
        finished.notes
    );
    assert_eq!(storage.left(), Vec::<String>::new());
}

#[test]
fn a_hung_ffmpeg_costs_an_attempt_and_says_what_it_last_said() {
    let storage = storage();
    let finish = with(
        &storage,
        "echo half >\"$out\"; echo I hang >&2; sleep 1000 & wait",
    );
    let why = counted(&storage, finish, short());
    assert!(
        why.contains("it had not finished after 10 s: I hang"),
        "{why}"
    );
}

#[test]
fn one_that_stands_still_costs_an_attempt() {
    let storage = storage();
    let finish = with(&storage, "echo out_time_us=1000; exec sleep 1000");
    let limits = Limits {
        stalled_ms: 1_000,
        ..Limits::default()
    };
    let why = counted(&storage, finish, limits);
    assert!(why.contains("it made no progress for 1 s"), "{why}");
}

#[test]
fn one_that_works_without_progress_is_given_its_whole_time() {
    let storage = storage();
    let finish = with(&storage, "while :; do :; done");
    let limits = Limits {
        stalled_ms: 200,
        base_ms: 2_000,
        each_second_ms: 0,
    };
    let why = counted(&storage, finish, limits);
    assert!(why.contains("it had not finished after 2 s"), "{why}");
}

#[test]
fn a_crash_costs_an_attempt() {
    let storage = storage();
    let why = counted(&storage, with(&storage, "kill -SEGV $$"), Limits::default());
    assert!(why.contains("killed by SIGSEGV"), "{why}");
}

#[test]
fn one_that_gives_up_costs_an_attempt_with_its_own_words() {
    let storage = storage();
    let script = "printf 'first line\\n\\x1b[31mError: \\xff bad\\n' >&2; exit 69";
    let why = counted(&storage, with(&storage, script), Limits::default());
    assert!(
        why.starts_with("FFmpeg gave up with code 69: first line; "),
        "{why}"
    );
    assert!(!why.contains('\u{1b}'));
}

#[test]
fn garbage_is_seen_and_costs_an_attempt() {
    let storage = storage();
    let videos = "for a in \"$@\"; do case $a in *.mp4) [ -e \"$a\" ] || made=$a;; esac; done\n";
    let scripts = [
        ("exit 0", "made no marked video"),
        (
            "head -c 100000 /dev/urandom >\"$made\"; cp \"$made\" \"$out\"",
            "marked video that is none",
        ),
        // Half of what it should have made.
        (
            "ffmpeg \"$@\"; truncate -s -2000 \"$made\"",
            "marked video that is none",
        ),
        // A whole video, but of something else.
        (
            "ffmpeg -v error -y -f lavfi -i testsrc2=s=320x180:d=1 -movie_timescale 90000 -movflags +faststart -fflags +bitexact -c:v libx264 -f mp4 \"$made\"; ffmpeg \"${@/#$made/\\/dev\\/null}\"",
            "not what was asked for",
        ),
        (
            "ffmpeg \"$@\"; echo no picture >\"$out\"",
            "thumbnail that is none",
        ),
    ];
    for (script, wanted) in scripts {
        let why = counted(
            &storage,
            with(&storage, &format!("{videos}{script}")),
            Limits::default(),
        );
        assert!(why.contains(wanted), "{script}: {why}");
    }
}

#[test]
fn one_that_writes_without_end_is_ended_before_the_disk_is_full() {
    let storage = storage();
    let script = "exec dd if=/dev/zero of=\"$out\" bs=1M";
    let why = counted(&storage, with(&storage, script), Limits::default());
    assert!(why.contains("a file grew beyond 64 MB"), "{why}");
}

#[test]
fn a_disk_that_is_full_makes_the_job_wait() {
    let storage = storage();
    let script = "echo 'av_interleaved_write_frame(): No space left on device' >&2; exit 1";
    let why = waits(&storage, with(&storage, script));
    assert!(why.contains("the disk is full: "), "{why}");
}

/// Marks on a file system of so many kilobytes, in a mount namespace of the test's own.
#[test]
fn a_really_full_disk_makes_the_job_wait_and_room_lets_it_go_on() {
    let storage = storage();
    let inner = "trouble::inside_a_small_file_system";
    for flags in ["-m", "-rm"] {
        let allowed = Command::new("unshare").args([flags, "true"]).status();
        if allowed.is_ok_and(|status| status.success()) {
            let status = Command::new("unshare")
                .arg(flags)
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", inner, "--nocapture"])
                .env(SMALL, storage.dir.path())
                .status();
            assert!(status.unwrap().success());
            return;
        }
    }
    println!("SKIPPED: this machine lets nobody mount");
}

const SMALL: &str = "HINDSIGHT_TEST_SMALL";

#[test]
fn inside_a_small_file_system() {
    if std::env::var_os(SMALL).is_none() {
        return;
    }
    let storage = storage();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2M", "none"])
        .arg(storage.tmp())
        .status();
    assert!(mounted.unwrap().success());
    let filler = storage.tmp().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write(&[1; 4096]).is_ok() {}
    // One page is enough for a beginning.
    let length = file.metadata().unwrap().len();
    file.set_len(length - 4096).unwrap();
    drop(file);
    // Nothing is kept free, so that FFmpeg itself meets the end of the disk.
    let maker = hindsight::finish::FfmpegFinisher::new(hindsight::finish::Settings {
        finish: marks(&storage),
        venue: String::new(),
        timezone: jiff::tz::TimeZone::UTC,
        reserve_bytes: 0,
        limits: Limits::default(),
    });
    let full = storage.finish(&maker, &Stop::default());
    assert!(matches!(full, Err(Failure::Unavailable { .. })), "{full:?}");
    assert_eq!(storage.left(), ["filler"]);
    std::fs::remove_file(filler).unwrap();
    assert!(storage.finish(&maker, &Stop::default()).is_ok());
}

#[test]
fn room_that_is_kept_for_clips_is_not_taken() {
    let storage = storage();
    let maker = hindsight::finish::FfmpegFinisher::new(hindsight::finish::Settings {
        finish: marks(&storage),
        venue: String::new(),
        timezone: jiff::tz::TimeZone::UTC,
        reserve_bytes: u64::MAX,
        limits: Limits::default(),
    });
    let failure = storage.finish(&maker, &Stop::default()).unwrap_err();
    assert!(
        matches!(&failure, Failure::Unavailable { why, .. } if why.text.contains("are kept for clips"))
    );
}

#[test]
fn a_logo_that_vanished_makes_the_job_wait() {
    let storage = storage();
    let finish = marks(&storage);
    let file: PathBuf = finish.logos[0].file.clone();
    std::fs::remove_file(&file).unwrap();
    let why = waits(&storage, finish.clone());
    assert!(
        why.starts_with(&format!("the logo {}: ", file.display())),
        "{why}"
    );
    std::fs::write(&file, "GIF89a").unwrap();
    let why = waits(&storage, finish);
    assert!(why.contains("no PNG"), "{why}");
}

#[test]
fn an_encoder_that_does_not_work_here_makes_the_job_wait() {
    let storage = storage();
    let script =
        "case \" $* \" in *libx264*) echo no such encoder >&2; exit 1;; esac; exec ffmpeg \"$@\"";
    let finish = Finish {
        ffmpeg: program(storage.dir.path(), script),
        ..marks(&storage)
    };
    let why = waits(&storage, finish);
    assert_eq!(
        why,
        "this FFmpeg cannot encode with libx264: no such encoder"
    );
}

#[test]
fn told_to_stop_it_leaves_at_once_and_nothing_stays() {
    let storage = storage();
    let (pid, child) = (
        storage.dir.path().join("pid"),
        storage.dir.path().join("child"),
    );
    let script = format!(
        "echo half >\"$out\"; sleep 1000 & echo $! >{}; echo $$ >{}; wait",
        child.display(),
        pid.display()
    );
    let maker = maker(with(&storage, &script));
    let stop = Stop::default();
    let left = std::thread::scope(|scope| {
        let at_work = scope.spawn(|| storage.finish(&maker, &stop));
        until("it runs", || pid_in(&pid));
        stop.raise(StopLevel::Finish);
        at_work.join().unwrap()
    });
    assert_eq!(left, Err(Failure::Cancelled));
    assert_eq!(storage.left(), Vec::<String>::new());
    for file in [pid, child] {
        let pid = pid_in(&file).unwrap();
        until("it is gone with all that it started", || {
            gone(pid).then_some(())
        });
    }
    let again = storage.finish(&maker, &stop);
    assert_eq!(again, Err(Failure::Cancelled));
}

#[test]
fn a_real_ffmpeg_killed_from_outside_costs_one_attempt_and_the_next_is_whole() {
    let storage = storage();
    let pid = storage.dir.path().join("pid");
    // Slow enough to be hit: it reads at the speed of playing.
    let script = format!(
        "args=(); for a in \"$@\"; do [ \"$a\" = -reinit_filter ] && args+=(-re); args+=(\"$a\"); done\n\
        echo $$ >{}; exec ffmpeg \"${{args[@]}}\"",
        pid.display()
    );
    let finish = with(&storage, &script);
    let maker = maker(finish);
    let killed = std::thread::scope(|scope| {
        let at_work = scope.spawn(|| storage.finish(&maker, &Stop::default()));
        let pid = until("it runs", || pid_in(&pid));
        until("it writes", || (!storage.left().is_empty()).then_some(()));
        kill(pid, Signal::SIGKILL).unwrap();
        at_work.join().unwrap()
    });
    let why = killed.unwrap_err().to_string();
    assert_eq!(why, "FFmpeg was killed by SIGKILL");
    assert_eq!(storage.left(), Vec::<String>::new());
    assert!(storage.finish(&maker, &Stop::default()).is_ok());
}

const DYING: &str = "HINDSIGHT_TEST_DYING";

/// Not a test of its own: what the next one kills.
#[test]
fn at_work_until_killed() {
    let Some(pid) = std::env::var_os(DYING) else {
        return;
    };
    let storage = storage();
    let script = format!("echo $$ >{}; exec sleep 1000", Path::new(&pid).display());
    let _ = storage.finish(&maker(with(&storage, &script)), &Stop::default());
}

#[test]
fn ffmpeg_dies_with_the_one_who_runs_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut us = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trouble::at_work_until_killed"])
        .env(DYING, &file)
        .spawn()
        .unwrap();
    let pid = until("it runs", || pid_in(&file));
    assert!(!gone(pid));
    us.kill().unwrap();
    us.wait().unwrap();
    until("it is gone", || gone(pid).then_some(()));
}

#[test]
fn it_is_humble_and_sees_no_secret() {
    let storage = storage();
    let seen = storage.dir.path().join("seen");
    let script = format!(
        "{{ cut -d' ' -f19 /proc/$$/stat; ionice -p $$; cat /proc/$$/oom_score_adj; env; tr '\\0' '\\n' </proc/$$/cmdline; }} >{}; exit 1",
        seen.display()
    );
    counted(&storage, with(&storage, &script), Limits::default());
    let seen = std::fs::read_to_string(seen).unwrap();
    let mut lines = seen.lines();
    assert_eq!(lines.next().map(str::trim), Some("10"), "{seen}");
    assert_eq!(lines.next(), Some("idle"), "{seen}");
    assert_eq!(lines.next(), Some("700"), "{seen}");
    assert!(!seen.contains("CARGO_"), "{seen}");
}
