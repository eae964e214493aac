//! From the button's edge to the durable press, and from there to the light; and how
//! often the board's threads wake while nobody touches anything.
//!
//! The whole service runs in here, on a simulated board, with the built-in camera.
//! It finds no FFmpeg: what is made of the clips would keep the machine from being idle.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use hindsight::base::{Clock, RealClock};
use hindsight::board::sim::SimHandle;
use hindsight::config::{self, Sources};
use hindsight::demo::{DemoCamera, Script};
use hindsight::service::embedded::EmbeddedService;

use crate::Row;
use crate::process::{median, work_dir};

const PRESSES: usize = 1_000;
/// Longer than a beep and than a clip takes: each press meets an idle house, and so does
/// each bare sync; a processor that was busy a moment ago answers sooner.
const BETWEEN: Duration = Duration::from_millis(150);
const REST: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(60);
/// The buzzer is silent again when the next press comes: its level always changes.
const SOUND: usize = 0;
const READY: usize = 1;

#[derive(Default)]
struct Series {
    to_durable_s: Vec<f64>,
    to_light_s: Vec<f64>,
    bare_s: Vec<f64>,
    blocks_s: Vec<f64>,
}

pub fn bench() -> Vec<Row> {
    let dir = work_dir().join("button");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("storage")).unwrap();
    let rings = format!("/dev/shm/hindsight-bench-button-{}", std::process::id());
    std::fs::create_dir_all(&rings).unwrap();
    let camera = DemoCamera::start(Script {
        keep_log: false,
        ..Script::default()
    })
    .unwrap();
    let service = service(&dir, &rings, camera.url().as_ref());
    let hand = service.sim().unwrap().clone();
    // Ready, and pictures enough for a press.
    assert!(hand.wait(READY, true, 0, PATIENCE).is_some(), "not ready");
    std::thread::sleep(Duration::from_secs(5));
    let wakes = wake_ups_at_rest();
    let waking_s = waking();
    let series = press(&service, &hand, &dir);
    drop(service);
    camera.stop();
    let _ = std::fs::remove_dir_all(&rings);
    let _ = std::fs::remove_dir_all(&dir);
    rows(&series, waking_s, wakes)
}

fn service(dir: &Path, rings: &str, url: &str) -> EmbeddedService {
    let file = dir.join("hindsight.toml");
    let text = format!(
        "[venue]\nname = \"Bench\"\n[storage]\npath = \"{}\"\n[ring]\ndir = \"{rings}\"\nseconds = 20\nmax_bitrate = \"4M\"\n\
         [highlight]\npre = \"1s\"\npost = \"0s\"\n[finish]\nffmpeg = \"/no/ffmpeg\"\n[http]\nlisten = \"127.0.0.1:0\"\n[board]\nbackend = \"sim\"\n\
         [[camera]]\nid = \"court1\"\nurl = \"{url}\"\n\
         [[button]]\nid = \"court1\"\npin = 5\ncooldown = \"0s\"\n\
         [[led]]\npin = 26\nrole = \"sound\"\n[[led]]\npin = 17\nrole = \"ready\"\n[[led]]\npin = 27\nrole = \"busy\"\n",
        dir.join("storage").display(),
    );
    std::fs::write(&file, text).unwrap();
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    let config = config::load(&sources).unwrap().config;
    let program = Path::new(env!("CARGO_BIN_EXE_hindsight"));
    EmbeddedService::start_with_processes(&config, program).unwrap()
}

fn press(service: &EmbeddedService, hand: &SimHandle, dir: &Path) -> Series {
    let mut series = Series::default();
    let mut bare = Bare::new(dir, 1024);
    let mut blocks = Bare::new(dir, 4096);
    blocks.forget_cached();
    for round in 0..PRESSES {
        let edge_mono_ns = RealClock.mono_ns();
        hand.edge(0, true, edge_mono_ns);
        let beep = hand.wait(SOUND, true, edge_mono_ns, PATIENCE);
        let beep = beep.expect("the press is answered").at_mono_ns;
        let durable = service.lights().last_taken_mono_ns();
        // No hand is gone before it is heard.
        hand.edge(0, false, RealClock.mono_ns());
        let s = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9;
        series.to_durable_s.push(s(edge_mono_ns, durable));
        series.to_light_s.push(s(durable, beep));
        std::thread::sleep(BETWEEN);
        series.bare_s.push(bare.sync());
        std::thread::sleep(BETWEEN);
        series.blocks_s.push(blocks.sync());
        std::thread::sleep(BETWEEN);
        if round % 50 == 0 {
            print!(".");
            let _ = std::io::stdout().flush();
        }
    }
    series
}

/// What nobody can do without: as many bytes as a press is over others of a file that is
/// there, and `fdatasync`.
struct Bare {
    file: File,
    /// 1024, which is a press's record and its end; or a block, as the journal does it.
    bytes: usize,
}

impl Bare {
    fn new(dir: &Path, bytes: usize) -> Bare {
        let path = dir.join("storage").join(format!("bare-{bytes}"));
        let mut file = File::create(path).unwrap();
        file.write_all(&vec![0; bytes * PRESSES]).unwrap();
        file.sync_all().unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        Bare { file, bytes }
    }

    fn forget_cached(&self) {
        let advice = nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED;
        nix::fcntl::posix_fadvise(&self.file, 0, 0, advice).unwrap();
    }

    fn sync(&mut self) -> f64 {
        let bytes = vec![1; self.bytes];
        let started = Instant::now();
        self.file.write_all(&bytes).unwrap();
        self.file.sync_data().unwrap();
        started.elapsed().as_secs_f64()
    }
}

/// How long this machine takes to wake a thread that sleeps, in seconds: what an edge
/// costs before anything of ours is done.
fn waking() -> f64 {
    let (say, hear) = std::sync::mpsc::channel::<Instant>();
    let sleeper = std::thread::spawn(move || {
        let took = |said: Instant| said.elapsed().as_secs_f64();
        hear.into_iter().map(took).collect::<Vec<f64>>()
    });
    for _ in 0..100 {
        std::thread::sleep(BETWEEN / 10);
        say.send(Instant::now()).unwrap();
    }
    drop(say);
    median(&sleeper.join().unwrap())
}

/// How often the threads of buttons and lights waited for something, a second.
fn wake_ups_at_rest() -> f64 {
    let before = board_waits();
    assert!(before.1 >= 3, "the board's threads were not found");
    std::thread::sleep(REST);
    (board_waits().0 - before.0) as f64 / REST.as_secs_f64()
}

/// Their waits so far, and how many threads they are.
fn board_waits() -> (u64, usize) {
    let board = |name: &str| ["lights", "buttons"].contains(&name);
    let mut found = (0, 0);
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        let read = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        if board(read("comm").trim()) {
            let status = read("status");
            let line = status
                .lines()
                .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            found.0 += line.and_then(|l| l.trim().parse::<u64>().ok()).unwrap_or(0);
            found.1 += 1;
        }
    }
    found
}

fn rows(series: &Series, waking_s: f64, wakes: f64) -> Vec<Row> {
    let worst = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
    let ms = |s: f64| format!("{:.2} ms", s * 1e3);
    let (durable, light, bare) = (&series.to_durable_s, &series.to_light_s, &series.bare_s);
    vec![
        Row {
            what: "edge → durable press, against a bare fdatasync".to_owned(),
            measured: format!(
                "{} against {} (worst {} against {}, {} presses; {} written as the journal is; waking a thread takes {} here)",
                ms(median(durable)),
                ms(median(bare)),
                ms(worst(durable)),
                ms(worst(bare)),
                durable.len(),
                ms(median(&series.blocks_s)),
                ms(waking_s)
            ),
            value: format!("{:.2}×", median(durable) / median(bare)),
            must: "≤ 1.3×",
            aim: "≤ 1.1×",
        },
        Row {
            what: "durable press → light, median".to_owned(),
            measured: format!("of {} presses", light.len()),
            value: ms(median(light)),
            must: "≤ 1 ms",
            aim: "≤ 0.2 ms",
        },
        Row {
            what: "durable press → light, worst".to_owned(),
            measured: format!("of {} presses", light.len()),
            value: ms(worst(light)),
            must: "≤ 10 ms",
            aim: "≤ 2 ms",
        },
        Row {
            what: "the board's threads at rest".to_owned(),
            measured: format!("wake-ups a second, over {} s", REST.as_secs()),
            value: format!("{wakes:.1}"),
            must: "0",
            aim: "0",
        },
    ]
}
