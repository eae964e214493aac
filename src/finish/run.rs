//! Runs FFmpeg: humble, watched, and never longer than it may.
//!
//! It has a process group of its own, which is killed as a whole: when told to stop, when its time is
//! up, when it stands still, when the disk gets full. It dies with us.
//! Not here: what it is told (`plan`), what is believed of its work (`outcome`).

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::time::{clock_getcpuclockid, clock_gettime};

use super::sentence::FinishingSentence;
use crate::base::quantity::Megabytes;
use crate::base::{Clock, Coded, RealClock, Sentence, Stop, StopLevel, lock};
use crate::disk::Disk;
use crate::spawn::Child;

/// What it may take.
#[derive(Clone, Debug)]
pub struct Bounds {
    pub whole_ms: u64,
    /// Without any progress, and with no more than a thousandth of a processor: one that others
    /// starve is not hung.
    pub stalled_ms: u64,
    /// What it plays, for the progress.
    pub plays_us: u64,
    /// Where it writes, and what must stay free there.
    pub room: Option<(PathBuf, u64)>,
    pub largest_file: u64,
}

crate::sentences! {
    /// How it went wrong.
    pub enum RunError {
        Missing { program: String, why: String } = "finish_ffmpeg_not_started": "{program} cannot be started: {why}",
        Left {} = "finish_stopped": "stopped",
        TooLong { limit_s: u64, said: String } = "finish_ffmpeg_too_long":
            "FFmpeg was ended: it had not finished after {limit_s} s{said}",
        Stalled { stalled_s: u64, said: String } = "finish_ffmpeg_stalled":
            "FFmpeg was ended: it made no progress for {stalled_s} s{said}",
        TooLarge { limit_bytes: Megabytes, said: String } = "finish_ffmpeg_file_too_large":
            "FFmpeg was ended: a file grew beyond {limit_bytes}{said}",
        Killed { signal: String, said: String } = "finish_ffmpeg_killed": "FFmpeg was killed by {signal}{said}",
        GaveUp { code: i64, said: String } = "finish_ffmpeg_gave_up": "FFmpeg gave up with code {code}{said}",
        NoRoom { why: Sentence } = "finish_ffmpeg_no_room": "the disk is full: {why}",
        Full { why: String } = "finish_ffmpeg_disk_full": "the disk is full: {why}",
    }
}

/// How often it is looked at; its end, a stop and its progress are seen within this.
const LOOK: Duration = Duration::from_millis(50);
/// Of what it says on stderr.
const SAID_MOST: usize = 4096;
/// Of what it prints when it is asked about itself.
const PRINTED_MOST: u64 = 1 << 16;
/// How long a killed process may take to be gone before somebody else waits for it.
const REAP_MS: u64 = 1_000;

/// Runs it to its end. `progress` hears permille. True: it complained on the way (about a frame that
/// it could not decode, say), but did its work.
pub fn run(
    program: &Path,
    argv: &[OsString],
    bounds: &Bounds,
    progress: &dyn Fn(u16),
    stop: &Stop,
) -> Result<bool, RunError> {
    if stop.level() >= StopLevel::Finish {
        return Err(RunError::Left {});
    }
    let mut child = start(program, argv, bounds)?;
    let said = said_by(&mut child);
    let steps = steps_of(&mut child);
    let ended = watch(&mut child, bounds, &steps, progress, stop);
    let status = match ended {
        Ok(status) => status,
        Err(end) => {
            put_an_end_to(child);
            return Err(end.into_error(bounds, &said));
        }
    };
    // What it started may have stayed behind.
    let _ = killpg(child.pid, Signal::SIGKILL);
    judge(status, bounds, said)
}

/// What it prints first, to its end: for a program asked about itself.
pub fn first_line(
    program: &Path,
    argv: &[OsString],
    bounds: &Bounds,
    stop: &Stop,
) -> Result<String, RunError> {
    let mut child = start(program, argv, bounds)?;
    let said = said_by(&mut child);
    let printed = child.stdout.take();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut line = Vec::new();
        if let Some(stdout) = printed {
            let mut lines = BufReader::new(stdout.take(PRINTED_MOST));
            // What cannot be read ends here, like what was printed.
            let _ = lines.read_until(b'\n', &mut line);
            let _ = std::io::copy(&mut lines, &mut std::io::sink());
        }
        let _ = tell.send(String::from_utf8_lossy(&line).trim().to_owned());
    });
    let (_, no_steps) = channel();
    match watch(&mut child, bounds, &no_steps, &|_| {}, stop) {
        Ok(_) => Ok(told
            .recv_timeout(Duration::from_secs(1))
            .unwrap_or_default()),
        Err(end) => {
            put_an_end_to(child);
            Err(end.into_error(bounds, &said))
        }
    }
}

fn start(program: &Path, argv: &[OsString], bounds: &Bounds) -> Result<Child, RunError> {
    // Whatever secrets our environment holds are none of its business.
    let mut environment = vec![("LC_ALL", "C".into()), ("AV_LOG_FORCE_NOCOLOR", "1".into())];
    environment.extend(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let child = Child::start(program, argv, &environment, bounds.largest_file);
    let child = child.map_err(|e| RunError::Missing {
        program: program.display().to_string(),
        why: match e.kind() {
            ErrorKind::NotFound => "there is no such program".to_owned(),
            _ => crate::disk::files::for_people(&e),
        },
    })?;
    // Where memory runs out it goes first, not the cameras. A kernel may refuse.
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.pid), "700");
    Ok(child)
}

/// Why it is to end.
enum End {
    Left,
    TooLong,
    Stalled,
    NoRoom(FinishingSentence),
}

impl End {
    fn into_error(self, bounds: &Bounds, said: &Said) -> RunError {
        match self {
            End::Left => RunError::Left {},
            End::TooLong => RunError::TooLong {
                limit_s: bounds.whole_ms.div_ceil(1000),
                said: said.text(),
            },
            End::Stalled => RunError::Stalled {
                stalled_s: bounds.stalled_ms.div_ceil(1000),
                said: said.text(),
            },
            End::NoRoom(why) => RunError::NoRoom {
                why: why.sentence(),
            },
        }
    }
}

fn watch(
    child: &mut Child,
    bounds: &Bounds,
    steps: &Receiver<u64>,
    progress: &dyn Fn(u16),
    stop: &Stop,
) -> Result<ExitStatus, End> {
    let started_ms = now_ms();
    let (mut moved_ms, mut furthest_us, mut room_seen_ms) = (started_ms, 0, 0);
    let mut worked_ms = 0;
    loop {
        // A process that cannot be waited for is gone: nobody else reaps ours.
        if let Ok(Some(status)) = child.try_wait() {
            return Ok(status);
        }
        let now = now_ms();
        for at_us in steps.try_iter() {
            if at_us > furthest_us {
                (furthest_us, moved_ms) = (at_us, now);
                progress(permille(at_us, bounds.plays_us));
            }
        }
        if now - started_ms > bounds.whole_ms {
            return Err(End::TooLong);
        }
        if now - moved_ms > bounds.stalled_ms {
            let so_far_ms = processor_ms(child);
            if so_far_ms.saturating_sub(worked_ms) < bounds.stalled_ms.div_ceil(1000) {
                return Err(End::Stalled);
            }
            (moved_ms, worked_ms) = (now, so_far_ms);
        }
        if now - room_seen_ms > 500 {
            room_seen_ms = now;
            no_room(bounds).map_or(Ok(()), |why| Err(End::NoRoom(why)))?;
        }
        if stop.wait(StopLevel::Finish, LOOK) {
            return Err(End::Left);
        }
    }
}

/// What is wrong with the room where it writes.
pub fn no_room(bounds: &Bounds) -> Option<FinishingSentence> {
    let (folder, reserve) = bounds.room.as_ref()?;
    let free = Disk::default().space(folder).ok()?.free;
    (free < *reserve).then(|| FinishingSentence::NoRoom {
        path: folder.display().to_string(),
        free_bytes: Megabytes(free),
        kept_bytes: Megabytes(*reserve),
    })
}

/// Of 1000; the last bit is the check of what it made.
pub fn permille(at_us: u64, of_us: u64) -> u16 {
    let done = at_us.saturating_mul(990) / of_us.max(1);
    u16::try_from(done.min(990)).unwrap_or(990)
}

/// What all its threads have had of a processor.
fn processor_ms(child: &Child) -> u64 {
    let spent = clock_getcpuclockid(child.pid).and_then(clock_gettime);
    let spent = spent.map_or(Duration::ZERO, Duration::from);
    u64::try_from(spent.as_millis()).unwrap_or(0)
}

fn now_ms() -> u64 {
    RealClock.mono_ns() / 1_000_000
}

fn put_an_end_to(mut child: Child) {
    let _ = killpg(child.pid, Signal::SIGKILL);
    let killed_ms = now_ms();
    while now_ms() - killed_ms < REAP_MS {
        if let Ok(Some(_)) = child.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // Stuck in the kernel (a dead disk): it goes when it can, and is not waited for here.
    std::thread::spawn(move || child.wait());
}

fn judge(status: ExitStatus, bounds: &Bounds, said: Said) -> Result<bool, RunError> {
    let said = said.whole();
    // It may say so and call itself successful: moving the index to the front is not checked.
    if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
        return Err(RunError::Full {
            why: said.trim_start_matches(": ").to_owned(),
        });
    }
    if status.success() {
        return Ok(!said.is_empty());
    }
    match (status.signal(), status.code()) {
        (Some(libc::SIGXFSZ), _) => Err(too_large(bounds, said)),
        // FFmpeg gets EFBIG where the signal is blocked.
        _ if said.contains("File too large") => Err(too_large(bounds, said)),
        (Some(signal), _) => Err(RunError::Killed {
            signal: Signal::try_from(signal).map_or(format!("signal {signal}"), |s| s.to_string()),
            said,
        }),
        (None, code) => Err(RunError::GaveUp {
            code: code.unwrap_or(-1).into(),
            said,
        }),
    }
}

fn too_large(bounds: &Bounds, said: String) -> RunError {
    RunError::TooLarge {
        limit_bytes: Megabytes(bounds.largest_file),
        said,
    }
}

/// The end of what it says on stderr.
struct Said {
    bytes: Arc<Mutex<Vec<u8>>>,
    closed: Receiver<()>,
}

impl Said {
    /// `: …`, in one line; empty if it said nothing.
    fn text(&self) -> String {
        let bytes = lock(&self.bytes);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        match lines.is_empty() {
            true => String::new(),
            false => format!(": {}", lines.join("; ")),
        }
    }

    /// Once it has ended: all of it. A child of its own may hold the pipe; nobody waits for that.
    fn whole(self) -> String {
        let _ = self.closed.recv_timeout(Duration::from_millis(500));
        self.text()
    }
}

fn said_by(child: &mut Child) -> Said {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let (closes, closed) = channel();
    if let Some(mut stderr) = child.stderr.take() {
        let kept = bytes.clone();
        std::thread::spawn(move || {
            let mut part = [0; 1024];
            while let Ok(n @ 1..) = stderr.read(&mut part) {
                let mut kept = lock(&kept);
                kept.extend_from_slice(&part[..n]);
                let too_many = kept.len().saturating_sub(SAID_MOST);
                kept.drain(..too_many);
            }
            let _ = closes.send(());
        });
    }
    Said { bytes, closed }
}

/// How far it is, in microseconds of the clip, each time it says so.
fn steps_of(child: &mut Child) -> Receiver<u64> {
    let (said, steps) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            // A line is short; one that is not comes from something that is not FFmpeg.
            let mut lines = BufReader::new(stdout);
            let mut line = Vec::new();
            while let Ok(1..) = (&mut lines).take(1000).read_until(b'\n', &mut line) {
                let step = step(&line);
                line.clear();
                if step.is_some_and(|at| said.send(at).is_err()) {
                    return;
                }
            }
        });
    }
    steps
}

/// `out_time_us=1234567`.
fn step(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?;
    text.trim().strip_prefix("out_time_us=")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_what_ffmpeg_prints() {
        assert_eq!(step(b"out_time_us=1500000\n"), Some(1_500_000));
        assert_eq!(step(b"out_time_us=N/A\n"), None);
        assert_eq!(step(b"out_time_us=-23000\n"), None);
        assert_eq!(step(b"frame=12\n"), None);
        assert_eq!(step(b"\xff\xfe"), None);
        assert_eq!(permille(25_000_000, 50_000_000), 495);
        assert_eq!(permille(u64::MAX, 0), 990);
    }
}
