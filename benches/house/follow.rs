//! From the publication of an AU to its bytes in another process: woken by the ring's bell,
//! against looking every 20 ms. And what publishing costs the writer, with nobody asleep and
//! with four followers asleep.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId, Clock, RealClock};
use hindsight::media::{Alignment, AuFlags, AuMeta, Track};
use hindsight::ring::{Follower, ReadError, Resume, RingEvent, RingReader, RingSpec, RingWriter};

use crate::Row;
use crate::process::{Running, median, role};

const AUS: u64 = 500;
/// A frame of 4 Mbit/s at 25 a second.
const AU_BYTES: usize = 20_000;
/// Fewer than a follower waits for.
const PUSHES: usize = 400;
const POLL: Duration = Duration::from_millis(20);

pub fn bench() -> Vec<Row> {
    let dir = tempfile::Builder::new()
        .prefix("hindsight-bench-follow-")
        .tempdir_in("/dev/shm")
        .unwrap();
    let spec = RingSpec::sized(dir.path(), camera(), BootId([1; 16]), 10, 8_000_000);
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    writer.begin_epoch();
    let alone_s = publishing_s(&mut writer);
    let folder = dir.path().display().to_string();
    let start = |how: &str| role("follower", &[how.to_owned(), folder.clone()]);
    let (bell, poll) = (start("bell"), start("poll"));
    // Both have attached.
    std::thread::sleep(Duration::from_millis(500));
    for n in 0..AUS {
        push(&mut writer);
        // Not in step with who looks every 20 ms.
        std::thread::sleep(Duration::from_millis(13 + n * 7 % 15));
    }
    let (bell, poll) = (delays_s(bell), delays_s(poll));
    let sleepers: Vec<Running> = (0..4).map(|_| start("bell")).collect();
    std::thread::sleep(Duration::from_millis(500));
    let followed_s = publishing_s(&mut writer);
    drop(sleepers);
    rows(&bell, &poll, alone_s, followed_s)
}

fn camera() -> CameraId {
    CameraId::new("bench").unwrap()
}

fn push(writer: &mut RingWriter) {
    let meta = AuMeta {
        track: Track::Video,
        flags: AuFlags::default(),
        generation: 1,
        epoch: 1,
        pts: 0,
        pts_90k: 0,
        alignment: Alignment::Arrival,
        arrival_mono_ns: RealClock.mono_ns(),
        lost_packets: 0,
        dropped_bytes: 0,
        len: 0,
    };
    writer.push(&meta, &[7; AU_BYTES]);
}

/// Of one publication, at a pace that lets followers fall asleep in between.
fn publishing_s(writer: &mut RingWriter) -> f64 {
    let mut each = Vec::new();
    for _ in 0..PUSHES {
        let begun = Instant::now();
        push(writer);
        each.push(begun.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_micros(200));
    }
    median(&each)
}

fn delays_s(mut follower: Running) -> Vec<f64> {
    let lines = BufReader::new(follower.0.stdout.take().unwrap()).lines();
    lines.map(|line| line.unwrap().parse().unwrap()).collect()
}

/// The child: writes how long each AU took to get here.
pub fn play(arguments: &[String]) {
    let (how, dir) = (arguments[0].as_str(), Path::new(&arguments[1]));
    let delays = match how {
        "bell" => woken(dir),
        _ => looking(dir),
    };
    delays.iter().for_each(|delay| println!("{delay}"));
}

fn since_s(meta: &AuMeta) -> f64 {
    let ns = RealClock.mono_ns().saturating_sub(meta.arrival_mono_ns);
    Duration::from_nanos(ns).as_secs_f64()
}

fn woken(dir: &Path) -> Vec<f64> {
    let mut follower = Follower::open(dir, &camera(), Resume::NewestKey).unwrap();
    let (mut bytes, mut delays) = (Vec::new(), Vec::new());
    while delays.len() < usize::try_from(AUS).unwrap() {
        bytes.clear();
        match follower.next(&mut bytes) {
            RingEvent::AccessUnit { meta, .. } => delays.push(since_s(&meta)),
            RingEvent::NotYet => drop(follower.wait(Duration::from_secs(1))),
            _ => {}
        }
    }
    delays
}

fn looking(dir: &Path) -> Vec<f64> {
    let reader = RingReader::open(dir, &camera()).unwrap();
    let (mut bytes, mut delays) = (Vec::new(), Vec::new());
    let mut pos = reader.head();
    while delays.len() < usize::try_from(AUS).unwrap() {
        bytes.clear();
        match reader.read(pos, &mut bytes) {
            Ok(meta) => {
                pos += 1;
                delays.push(since_s(&meta));
            }
            Err(ReadError::Overtaken { oldest }) => pos = oldest,
            Err(_) => std::thread::sleep(POLL),
        }
    }
    delays
}

fn rows(bell: &[f64], poll: &[f64], alone_s: f64, followed_s: f64) -> Vec<Row> {
    let worst = |delays: &[f64]| {
        let mut sorted = delays.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() * 99 / 100] * 1e3
    };
    let ms = |delays: &[f64]| format!("{:.3} ms, p99 {:.3}", median(delays) * 1e3, worst(delays));
    vec![
        Row {
            what: "AU published → read in another process".into(),
            measured: format!("woken by the bell; looking every 20 ms: {}", ms(poll)),
            value: ms(bell),
            must: "",
            aim: "",
        },
        Row {
            what: "publishing an AU of 20 kB".into(),
            measured: format!("nobody follows; four asleep: {:.1} µs", followed_s * 1e6),
            value: format!("{:.1} µs", alone_s * 1e6),
            must: "",
            aim: "",
        },
    ]
}
