//! A camera without a network: it fills a ring with the bundled pattern, as fast
//! as it is told to or in real time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use hindsight::base::{BootId, CameraId, Clock, RealClock};
use hindsight::media::{Alignment, AuFlags, AuMeta, Track, TrackParams};
use hindsight::ring::{RingSpec, RingWriter};

use crate::coded;

pub const SECOND: u64 = 1_000_000_000;

pub fn id(name: &str) -> CameraId {
    CameraId::new(name).unwrap()
}

pub fn now() -> u64 {
    RealClock.mono_ns()
}

struct Unit {
    track: Track,
    key: bool,
    pts: i64,
    pts_90k: i64,
    bytes: Vec<u8>,
}

/// The bundled pattern, over and over, in the order of its sending.
pub struct Pattern {
    video: TrackParams,
    audio: TrackParams,
    units: Vec<Unit>,
    /// Of one loop.
    length_90k: i64,
}

impl Pattern {
    pub fn load() -> Pattern {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pattern.mp4");
        let coded = coded::load(&file);
        let (audio, sound) = coded.audio.expect("the pattern has sound");
        let rate = i64::from(audio.timescale);
        let length_90k = i64::try_from(coded.frames.len()).unwrap() * step(&coded.frames);
        let unit = |track, scale: i64| {
            move |frame: coded::Frame| Unit {
                track,
                key: frame.key || track == Track::Audio,
                pts: frame.pts,
                pts_90k: frame.pts * 90_000 / scale,
                bytes: frame.bytes,
            }
        };
        let mut units: Vec<Unit> = coded
            .frames
            .into_iter()
            .map(unit(Track::Video, 90_000))
            .chain(sound.into_iter().map(unit(Track::Audio, rate)))
            .filter(|unit| unit.pts_90k < length_90k)
            .collect();
        units.sort_by_key(|unit| unit.pts_90k);
        Pattern {
            video: coded.video,
            audio,
            units,
            length_90k,
        }
    }

    /// The `n`-th unit of the endless pattern.
    fn unit(&self, n: usize) -> (&Unit, i64, i64) {
        let unit = &self.units[n % self.units.len()];
        let loops = i64::try_from(n / self.units.len()).unwrap();
        let rate = i64::from(self.audio.timescale);
        let own = match unit.track {
            Track::Video => self.length_90k * loops,
            Track::Audio => self.length_90k * loops * rate / 90_000,
        };
        (unit, unit.pts + own, unit.pts_90k + self.length_90k * loops)
    }
}

fn step(frames: &[coded::Frame]) -> i64 {
    let mut times: Vec<i64> = frames.iter().map(|frame| frame.pts).collect();
    times.sort_unstable();
    times[1] - times[0]
}

/// A camera that fills a ring.
pub struct Feeder {
    writer: RingWriter,
    pattern: Arc<Pattern>,
    generations: [u32; 2],
    epoch: u32,
    next: usize,
    start_mono_ns: u64,
}

impl Feeder {
    /// A camera whose first picture arrives at `start_mono_ns`.
    pub fn new(rings: &Path, camera: &str, seconds: u32, start_mono_ns: u64) -> Feeder {
        let boot = BootId::of_this_boot().unwrap();
        let spec = RingSpec::sized(rings, id(camera), boot, seconds, 4_000_000);
        let (mut writer, _) = RingWriter::open(&spec).unwrap();
        let pattern = Arc::new(Pattern::load());
        let epoch = writer.begin_epoch();
        let generations = [
            writer.set_params(&pattern.video),
            writer.set_params(&pattern.audio),
        ];
        Feeder {
            writer,
            pattern,
            generations,
            epoch,
            next: 0,
            start_mono_ns,
        }
    }

    fn arrival(&self) -> u64 {
        let (_, _, pts_90k) = self.pattern.unit(self.next);
        self.start_mono_ns + u64::try_from(pts_90k).unwrap() * 100_000 / 9
    }

    /// Pushes everything that arrives until then; the last arrival.
    pub fn until(&mut self, mono_ns: u64) -> u64 {
        let mut last = 0;
        while self.arrival() <= mono_ns {
            let arrival_mono_ns = self.arrival();
            let (unit, pts, pts_90k) = self.pattern.unit(self.next);
            let meta = AuMeta {
                track: unit.track,
                flags: AuFlags {
                    key: unit.key,
                    ..AuFlags::default()
                },
                generation: self.generations[usize::from(unit.track == Track::Audio)],
                epoch: self.epoch,
                pts,
                pts_90k,
                alignment: Alignment::SenderReport,
                arrival_mono_ns,
                lost_packets: 0,
                dropped_bytes: 0,
                len: 0,
            };
            self.writer.push(&meta, &unit.bytes);
            self.next += 1;
            last = arrival_mono_ns;
        }
        last
    }

    /// Goes on in real time until the returned guard is dropped.
    pub fn live(mut self) -> Live {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                while !stop.load(SeqCst) {
                    self.until(now());
                    std::thread::sleep(Duration::from_millis(5));
                }
                self
            }
        });
        Live {
            stop,
            thread: Some(thread),
        }
    }
}

pub struct Live {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<Feeder>>,
}

impl Live {
    /// The camera falls silent.
    pub fn pause(mut self) -> Feeder {
        self.stop.store(true, SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
    }
}
