//! The ring between real processes: a writer at full speed, readers that follow
//! and readers that look where it hurts; all of them stopped, killed, attached
//! in the middle of an adoption. The test binary runs itself as the children.
//!
//! Longer, and at real sizes, by hand:
//! `HINDSIGHT_STRESS_SECONDS=600 HINDSIGHT_STRESS_KB=45000 cargo test --release --test ring_stress`
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId};
use hindsight::media::{Alignment, AuFlags, AuMeta, Codec, Track, TrackParams};
use hindsight::ring::{
    Follower, ReadError, Resume, RingError, RingEvent, RingOpened, RingReader, RingSpec, RingWriter,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ENOUGH_READS: u64 = 100_000;
/// Generous: a loaded machine is not a broken ring.
const PATIENCE: Duration = Duration::from_secs(300);
const ROLE: &str = "HINDSIGHT_STRESS_ROLE";
const FOLDER: &str = "HINDSIGHT_STRESS_FOLDER";
const SIZE: &str = "HINDSIGHT_STRESS_SIZE";

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Small, so that readers are overtaken all the time.
fn ring_kb() -> u64 {
    number("HINDSIGHT_STRESS_KB", 256)
}

fn camera() -> CameraId {
    CameraId::new("stress").unwrap()
}

/// An AU is about 1700 bytes: now the entries run out first, now the bytes.
fn spec(folder: &Path, kb: u64) -> RingSpec {
    RingSpec {
        dir: folder.to_owned(),
        camera: camera(),
        boot_id: BootId([1; 16]),
        data_bytes: kb * 1000,
        entries: kb * 1000 / 1700,
    }
}

fn folder() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("hindsight-stress-")
        .tempdir_in("/dev/shm")
        .unwrap()
}

// ── what is written, and how it is recognised ──

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
    (n ^ (n >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d)
}

/// The AU at `pos`: its position, and noise that differs from AU to AU; 64 B to 8 KB.
fn content(pos: u64, noise: &[u8], into: &mut Vec<u8>) {
    let mixed = mix(pos);
    let magnitude = 64usize << (mixed % 8);
    let len = (magnitude + usize::try_from(mixed >> 32).unwrap() % magnitude).min(8192);
    let from = usize::try_from(mixed >> 8 & 0xffff).unwrap();
    into.clear();
    into.extend_from_slice(&pos.to_le_bytes());
    into.extend_from_slice(&noise[from..from + len - 8]);
}

fn noise() -> Vec<u8> {
    (0..10_000u64).flat_map(|n| mix(n).to_le_bytes()).collect()
}

fn meta(pos: u64, epoch: u32, generation: u32, data: &[u8]) -> AuMeta {
    AuMeta {
        track: if pos.is_multiple_of(2) {
            Track::Video
        } else {
            Track::Audio
        },
        flags: AuFlags {
            key: pos.is_multiple_of(50),
            ..AuFlags::default()
        },
        generation,
        epoch,
        pts: pos.cast_signed(),
        pts_90k: -pos.cast_signed(),
        alignment: Alignment::Arrival,
        arrival_mono_ns: mix(pos),
        lost_packets: crc32fast::hash(data),
        dropped_bytes: 0,
        len: 0,
    }
}

/// Whether `got` and `bytes` are what a writer put at `pos`.
fn is_whole(pos: u64, got: &AuMeta, bytes: &[u8]) -> bool {
    let expected = AuMeta {
        len: u32::try_from(bytes.len()).unwrap(),
        ..meta(pos, got.epoch, got.generation, bytes)
    };
    *got == expected && bytes.starts_with(&pos.to_le_bytes())
}

fn params(n: u64) -> TrackParams {
    TrackParams {
        codec: Codec::H264,
        timescale: 90_000,
        config: vec![u8::try_from(n % 251).unwrap(); 500],
        width: u16::try_from(n % 60_000).unwrap(),
        height: 1,
        pixel_aspect: (1, 1),
        channels: 0,
    }
}

fn are_whole(params: &TrackParams) -> bool {
    params.config.len() == 500 && params.config.iter().all(|b| *b == params.config[0])
}

// ── the children ──

/// Runs as a child of the tests below; on its own it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let folder = std::env::var(FOLDER).unwrap();
    let parent_left = Arc::new(AtomicBool::new(false));
    let told = parent_left.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        told.store(true, SeqCst);
    });
    let on = || !parent_left.load(SeqCst);
    match role.as_str() {
        "writer" => write(Path::new(&folder), number(SIZE, 0), on),
        "follower" => follow(Path::new(&folder), on),
        "sleeper" => sleep(Path::new(&folder), on),
        "cramped" => replace_without_room(Path::new(&folder)),
        "peeker" => peek(Path::new(&folder), on),
        _ => panic!("no such role: {role}"),
    }
}

fn say(line: &str) {
    // The newline before: libtest leaves its own line open.
    let _ = writeln!(std::io::stdout(), "\n> {line}");
}

fn write(folder: &Path, kb: u64, on: impl Fn() -> bool) {
    let (mut writer, opened) = RingWriter::open(&spec(folder, kb)).unwrap();
    let mut pos = RingReader::open(folder, &camera()).unwrap().head();
    let epoch = writer.begin_epoch();
    match opened {
        RingOpened::Created => say(&format!("created {epoch}")),
        RingOpened::Adopted { .. } => say(&format!("adopted {epoch}")),
        RingOpened::Replaced { old, .. } => say(&format!("replaced {epoch} {}", old.is_some())),
    }
    say("ready");
    let noise = noise();
    let mut data = Vec::new();
    let mut generation = writer.set_params(&params(pos));
    while on() {
        for _ in 0..100 {
            if pos.is_multiple_of(500) {
                generation = writer.set_params(&params(pos));
            }
            content(pos, &noise, &mut data);
            writer.push(&meta(pos, epoch, generation, &data), &data);
            pos += 1;
        }
    }
}

/// On a tmpfs of 600 KB. A ring costs some 74 KB besides its data.
fn replace_without_room(folder: &Path) {
    let open = |kb| RingWriter::open(&spec(folder, kb)).map(|(_, opened)| opened);
    assert!(matches!(open(200), Ok(RingOpened::Created)));
    let refused = open(1000).unwrap_err();
    assert!(
        matches!(&refused, RingError::NoSpace { needed, free, .. } if needed > free),
        "{refused}"
    );
    say(&format!("too large: {refused}"));
    // The refusal cost nothing.
    assert!(matches!(open(200), Ok(RingOpened::Adopted { .. })));
    assert!(matches!(
        open(100),
        Ok(RingOpened::Replaced { old: Some(_), .. })
    ));
    assert!(matches!(
        open(400),
        Ok(RingOpened::Replaced { old: None, .. })
    ));
    assert!(matches!(open(400), Ok(RingOpened::Adopted { .. })));
    say("done");
}

#[test]
fn a_ring_that_has_no_room_beside_the_old_one_takes_its_place() {
    let folder = folder();
    let script = "mount -t tmpfs -o size=600k none \"$1\" && exec \"$2\" child --exact --nocapture";
    let child = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .args([folder.path(), &std::env::current_exe().unwrap()])
        .env(ROLE, "cramped")
        .env(FOLDER, folder.path())
        .output();
    let output = child.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("running 1 test") {
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!("SKIPPED: no tmpfs of our own can be mounted here: {why}");
        return;
    }
    assert!(
        text.contains("> done"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Counts of one reader.
#[derive(Clone, Copy, Debug, Default)]
struct Reads {
    valid: u64,
    corrupt: u64,
    overtaken: u64,
    reopened: u64,
}

struct Peeking {
    reader: RingReader,
    bytes: Vec<u8>,
    random: u64,
}

fn peek(folder: &Path, on: impl Fn() -> bool) {
    let open = || RingReader::open(folder, &camera()).unwrap();
    let mut peeking = Peeking {
        reader: open(),
        bytes: Vec::new(),
        random: 1,
    };
    let mut reads = Reads::default();
    say("attached");
    while on() {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            (0..50).for_each(|_| reads.peek(&mut peeking));
            if peeking.reader.ended() {
                peeking.reader = open();
                reads.reopened += 1;
            }
        }
        reads.report();
    }
}

fn follow(folder: &Path, on: impl Fn() -> bool) {
    let mut follower = Follower::open(folder, &camera(), Resume::Oldest).unwrap();
    let mut bytes = Vec::new();
    let mut reads = Reads::default();
    say("attached");
    while on() {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            (0..50).for_each(|_| reads.follow(&mut follower, &mut bytes));
        }
        reads.report();
    }
}

/// One AU after the other, and says before which it sleeps and what woke it.
fn sleep(folder: &Path, on: impl Fn() -> bool) {
    let mut follower = Follower::open(folder, &camera(), Resume::Oldest).unwrap();
    let mut woken = false;
    while on() {
        match follower.next_meta() {
            RingEvent::NotYet => {
                say(&format!("awaits {:03}", follower.pos()));
                woken = follower.wait(PATIENCE);
            }
            RingEvent::AccessUnit { pos, .. } => say(&format!("got {pos:03} {woken}")),
            RingEvent::Reopened { .. } => say(&format!("reopened {woken}")),
            other => say(&format!("corrupt {other:?}")),
        }
    }
}

/// A program that another test starts right now holds the lock of ours until it runs.
fn reopened(spec: &RingSpec) -> RingWriter {
    let until = Instant::now() + PATIENCE;
    loop {
        match RingWriter::open(spec) {
            Ok((writer, _)) => return writer,
            Err(RingError::Locked { .. }) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_follower_in_another_process_is_woken_over_its_read_only_mapping() {
    let folder = folder();
    let (mut writer, _) = RingWriter::open(&spec(folder.path(), 256)).unwrap();
    let sleeper = Running::start("sleeper", folder.path(), 0);
    let mut woken = 0;
    for pos in 0..20 {
        sleeper.wait_for(&format!("awaits {pos:03}"));
        writer.push(&meta(pos, 1, 1, b"data"), b"data");
        let got = sleeper.wait_for(&format!("got {pos:03}"));
        woken += usize::from(got.ends_with("true"));
    }
    // A second may pass on a busy machine; not each time.
    assert!(woken >= 10, "woken {woken} of 20 times");
    sleeper.wait_for("awaits 020");
    drop(writer);
    let _writer = reopened(&spec(folder.path(), 512));
    sleeper.wait_for("reopened");
    sleeper.finish();
}

impl Reads {
    fn report(&self) {
        let Reads {
            valid,
            corrupt,
            overtaken,
            reopened,
        } = self;
        say(&format!("reads {valid} {corrupt} {overtaken} {reopened}"));
    }

    fn parse(line: &str) -> Option<Reads> {
        let mut numbers = line
            .strip_prefix("reads ")?
            .split(' ')
            .map(|n| n.parse().unwrap());
        let mut next = || numbers.next().unwrap();
        Some(Reads {
            valid: next(),
            corrupt: next(),
            overtaken: next(),
            reopened: next(),
        })
    }

    /// One AU after the other.
    fn follow(&mut self, follower: &mut Follower, bytes: &mut Vec<u8>) {
        bytes.clear();
        let before = follower.pos();
        match follower.next(bytes) {
            RingEvent::AccessUnit { pos, meta } => self.judge(follower.reader(), pos, &meta, bytes),
            RingEvent::Overtaken { lost } if follower.pos() == before + lost && lost > 0 => {
                self.overtaken += 1;
            }
            RingEvent::Reopened { .. } => self.reopened += 1,
            RingEvent::NotYet => drop(follower.wait(Duration::from_millis(10))),
            wrong => self.wrong(&format!("{wrong:?} at {before}")),
        }
    }

    /// Where the writer is about to overwrite, mostly.
    fn peek(&mut self, peeking: &mut Peeking) {
        let Peeking {
            reader,
            bytes,
            random,
        } = peeking;
        *random = mix(*random + 1);
        let (oldest, head) = (reader.oldest(), reader.head());
        let pos = match *random % 4 {
            0 => oldest + *random / 4 % (head - oldest).max(1),
            1 => head.saturating_sub(1),
            _ => oldest,
        };
        bytes.clear();
        match reader.read(pos, bytes) {
            Ok(meta) => self.judge(reader, pos, &meta, bytes),
            Err(ReadError::Overtaken { .. }) => self.overtaken += 1,
            Err(ReadError::NotYet | ReadError::Ended) => {}
            Err(ReadError::Damaged(why)) => self.wrong(&why.to_string()),
        }
    }

    fn judge(&mut self, reader: &RingReader, pos: u64, meta: &AuMeta, bytes: &[u8]) {
        if is_whole(pos, meta, bytes) {
            self.valid += 1;
        } else {
            self.wrong(&format!("position {pos}: {meta:?}"));
        }
        if pos.is_multiple_of(16) {
            self.look_at_params(reader, pos, meta.generation);
        }
    }

    /// They are held as long as the AU is.
    fn look_at_params(&mut self, reader: &RingReader, pos: u64, generation: u32) {
        match reader.params(generation) {
            Ok(params) if are_whole(&params) => {}
            Ok(params) => self.wrong(&format!("generation {generation}: {params:?}")),
            Err(e) if reader.meta(pos).is_ok() => self.wrong(&e.to_string()),
            Err(_) => {}
        }
    }

    fn wrong(&mut self, what: &str) {
        self.corrupt += 1;
        say(&format!("corrupt {what}"));
    }
}

// ── the parent ──

struct Running {
    child: Child,
    /// Closing it ends the child, also when this process dies.
    stdin: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(role: &str, folder: &Path, kb: u64) -> Running {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .env(SIZE, kb.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = lines.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix("> ") {
                    into.lock().unwrap().push(line.to_owned());
                }
            }
        });
        let stdin = child.stdin.take();
        Running {
            child,
            stdin,
            lines,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits until a line starts with `start`, and returns it.
    fn wait_for(&self, start: &str) -> String {
        let begun = Instant::now();
        loop {
            let lines = self.lines.lock().unwrap().clone();
            if let Some(line) = lines.iter().find(|line| line.starts_with(start)) {
                return line.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "no {start:?} in {lines:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn reads(&self) -> Reads {
        let lines = self.lines.lock().unwrap();
        if let Some(line) = lines.iter().find(|line| line.starts_with("corrupt")) {
            panic!("{line}");
        }
        lines
            .iter()
            .rev()
            .find_map(|line| Reads::parse(line))
            .unwrap_or_default()
    }

    /// In whatever it is doing.
    fn kill(self) {
        drop(self);
    }

    fn finish(mut self) -> Reads {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
        self.reads()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A killed writer's ring: everything held is whole.
fn check_all(folder: &Path) {
    let reader = RingReader::open(folder, &camera()).unwrap();
    let (oldest, head) = (reader.oldest(), reader.head());
    for pos in oldest..head {
        let mut bytes = Vec::new();
        let meta = reader.read(pos, &mut bytes).unwrap();
        assert!(
            is_whole(pos, &meta, &bytes),
            "position {pos} after a kill: {meta:?}"
        );
        assert!(are_whole(&reader.params(meta.generation).unwrap()));
    }
}

struct Stress {
    folder: tempfile::TempDir,
    kb: u64,
    writer: Running,
    /// These live from start to end.
    readers: Vec<Running>,
    /// This one is killed and started anew.
    mortal: Running,
    epoch: u32,
}

impl Stress {
    fn start() -> Stress {
        let (folder, kb) = (folder(), ring_kb());
        let writer = Running::start("writer", folder.path(), kb);
        writer.wait_for("created 1");
        let reader = |role| Running::start(role, folder.path(), 0);
        Stress {
            readers: vec![reader("follower"), reader("peeker")],
            mortal: reader("follower"),
            kb,
            writer,
            folder,
            epoch: 1,
        }
    }

    /// Kills the writer in whatever push it is, and starts the next together
    /// with a reader.
    fn kill_writer(&mut self, kb: u64) {
        let replaced = kb != self.kb;
        self.kb = kb;
        let folder = self.folder.path();
        let next = Running::start("peeker", folder, 0);
        next.wait_for("attached");
        std::mem::replace(&mut self.mortal, next).kill();
        self.writer.child.kill().unwrap();
        self.writer.child.wait().unwrap();
        check_all(folder);
        self.writer = Running::start("writer", folder, kb);
        let attaching = Running::start("follower", folder, 0);
        self.epoch = if replaced { 1 } else { self.epoch + 1 };
        let epoch = self.epoch;
        let expected = if replaced {
            format!("replaced {epoch} true")
        } else {
            format!("adopted {epoch}")
        };
        self.writer.wait_for(&expected);
        attaching.wait_for("reads");
        assert_eq!(attaching.finish().corrupt, 0);
    }

    fn pause_reader(&self, which: usize, pause: Duration) {
        self.readers[which].signal(Signal::SIGSTOP);
        std::thread::sleep(pause);
        self.readers[which].signal(Signal::SIGCONT);
    }

    fn enough(&self) -> bool {
        let mut reads = self.readers.iter().map(Running::reads);
        reads.all(|r| r.valid >= ENOUGH_READS && r.overtaken >= 1 && r.reopened >= 1)
    }
}

#[test]
fn processes_that_are_killed_paused_and_attached_at_any_time_never_read_a_torn_au() {
    let seconds = Duration::from_secs(number("HINDSIGHT_STRESS_SECONDS", 20));
    let mut stress = Stress::start();
    let begun = Instant::now();
    let mut round = 0;
    while begun.elapsed() < seconds || !stress.enough() {
        assert!(
            begun.elapsed() < seconds + PATIENCE,
            "only {:?}",
            stress
                .readers
                .iter()
                .map(Running::reads)
                .collect::<Vec<_>>()
        );
        round += 1;
        stress.pause_reader(round % 2, Duration::from_millis(200));
        std::thread::sleep(Duration::from_millis(500));
        // Every fourth time the ring changes its size and is replaced.
        let kb = if round % 4 == 0 {
            stress.kb ^ 64
        } else {
            stress.kb
        };
        stress.kill_writer(kb);
    }
    for reader in stress.readers {
        let reads = reader.finish();
        println!("{reads:?} in {round} rounds");
        assert_eq!(reads.corrupt, 0);
        assert!(
            reads.valid >= ENOUGH_READS && reads.overtaken >= 1,
            "{reads:?}"
        );
    }
    stress.mortal.finish();
    stress.writer.finish();
    check_all(stress.folder.path());
}

#[test]
fn a_reader_attaches_wherever_in_its_start_a_writer_is_frozen_or_killed() {
    let folder = folder();
    let mut kb = 256;
    let first = Running::start("writer", folder.path(), kb);
    first.wait_for("created");
    first.kill();
    let begun = Instant::now();
    let probe = Running::start("writer", folder.path(), kb);
    probe.wait_for("adopted");
    let start = begun.elapsed();
    probe.kill();
    // Frozen and let go, or frozen and killed: the next one copes with either.
    for n in 0..60 {
        kb ^= u64::from(n % 2 == 0) * 64;
        let writer = Running::start("writer", folder.path(), kb);
        std::thread::sleep(start * n / 60);
        writer.signal(Signal::SIGSTOP);
        check_all_but_overtaken(folder.path());
        if n % 4 < 2 {
            writer.signal(Signal::SIGCONT);
            writer.wait_for("ready");
        }
        writer.kill();
        check_all(folder.path());
    }
    let last = Running::start("writer", folder.path(), kb);
    last.wait_for("ready");
    last.finish();
}

/// With a writer that is stopped, but perhaps not at once.
fn check_all_but_overtaken(folder: &Path) {
    let reader = RingReader::open(folder, &camera()).unwrap();
    for pos in reader.oldest()..reader.head() {
        let mut bytes = Vec::new();
        match reader.read(pos, &mut bytes) {
            Ok(meta) => assert!(is_whole(pos, &meta, &bytes), "position {pos}: {meta:?}"),
            Err(e) => assert!(
                matches!(e, ReadError::Overtaken { .. }),
                "position {pos}: {e}"
            ),
        }
    }
}
