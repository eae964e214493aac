//! The live stream out of a ring, as FFmpeg plays it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId, Stop, StopLevel};
use hindsight::media::{Alignment, AuFlags, AuMeta, Track, pcm};
use hindsight::ring::{RingError, RingSpec, RingWriter};
use hindsight::tap;

use crate::frames;
use crate::media::{Codec, Recipe};
use crate::source::{Au, Coded, TICKS_PER_FRAME, make, recipe};

/// A ring on tmpfs that goes when the test does.
struct Bench {
    dir: tempfile::TempDir,
    camera: CameraId,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            dir: tempfile::tempdir_in("/dev/shm").unwrap(),
            camera: CameraId::new("court1").unwrap(),
        }
    }

    fn writer(&self, data_bytes: u64, entries: u64) -> RingWriter {
        let spec = RingSpec {
            dir: self.dir.path().into(),
            camera: self.camera.clone(),
            boot_id: BootId([7; 16]),
            data_bytes,
            entries,
        };
        // A program that another test has just started may hold a copy of the last writer's lock until it runs.
        let (mut writer, _) = loop {
            match RingWriter::open(&spec) {
                Err(RingError::Locked { .. }) => std::thread::sleep(Duration::from_millis(5)),
                opened => break opened.unwrap(),
            }
        };
        writer.begin_epoch();
        writer
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("stream.mp4")
    }

    fn tap(&self, out: impl Write + Send + 'static) -> Running {
        let stop = Stop::default();
        let (dir, camera) = (self.dir.path().to_owned(), self.camera.clone());
        let thread = {
            let stop = stop.clone();
            std::thread::spawn(move || tap::run(&dir, &camera, out, &stop))
        };
        Running { stop, thread }
    }
}

struct Running {
    stop: Stop,
    thread: std::thread::JoinHandle<Result<(), tap::TapError>>,
}

impl Running {
    fn end(self) {
        self.stop.raise(StopLevel::Finish);
        self.thread.join().unwrap().unwrap();
    }
}

/// A file that counts what was written to it, and can be held shut.
#[derive(Clone)]
struct Counted {
    file: Arc<std::fs::File>,
    written: Arc<AtomicUsize>,
    shut: Arc<(Mutex<bool>, Condvar)>,
}

impl Counted {
    fn new(path: &Path) -> Counted {
        Counted {
            file: Arc::new(std::fs::File::create(path).unwrap()),
            written: Arc::default(),
            shut: Arc::default(),
        }
    }

    fn shut(&self, shut: bool) {
        *self.shut.0.lock().unwrap() = shut;
        self.shut.1.notify_all();
    }

    /// Until so much has been written.
    fn wait_for(&self, bytes: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.written.load(SeqCst) < bytes {
            assert!(
                Instant::now() < until,
                "{} of {bytes} bytes",
                self.written.load(SeqCst)
            );
            std::thread::yield_now();
        }
    }
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let guard = self.shut.0.lock().unwrap();
        drop(self.shut.1.wait_while(guard, |shut| *shut).unwrap());
        let written = self.file.as_ref().write(buf)?;
        self.written.fetch_add(written, SeqCst);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// All AUs of some tracks with their metas, in the order in which a camera sends them.
fn sent(tracks: &[Coded], epoch: u32, late_90k: i64) -> Vec<(usize, AuMeta, Au)> {
    let mut all = Vec::new();
    for (track, coded) in tracks.iter().enumerate() {
        let video = coded.params.track() == Track::Video;
        let mut sent_90k = 0;
        for au in &coded.aus {
            let pts_90k = au.pts * 90_000 / i64::from(coded.params.timescale);
            sent_90k = sent_90k.max(pts_90k);
            let meta = AuMeta {
                track: coded.params.track(),
                flags: AuFlags {
                    key: au.key || !video,
                    ..AuFlags::default()
                },
                generation: 0,
                epoch,
                pts: au.pts,
                pts_90k,
                alignment: Alignment::Arrival,
                arrival_mono_ns: u64::try_from((sent_90k + late_90k) * 100_000 / 9).unwrap(),
                lost_packets: 0,
                dropped_bytes: 0,
                len: 0,
            };
            all.push((track, meta, au.clone()));
        }
    }
    all.sort_by_key(|(_, meta, _)| meta.arrival_mono_ns);
    all
}

/// The camera's next AUs go into the ring.
fn push(writer: &mut RingWriter, tracks: &[Coded], sent: &[(usize, AuMeta, Au)]) {
    for (track, meta, au) in sent {
        let meta = AuMeta {
            generation: writer.set_params(&tracks[*track].params),
            ..*meta
        };
        writer.push(&meta, &au.bytes);
    }
}

const LARGE: (u64, u64) = (8 << 20, 4096);

fn numbers(seen: &[(f64, u32)]) -> Vec<u32> {
    seen.iter().map(|(_, number)| *number).collect()
}

/// Times stand as far apart as the numbers, 25 a second.
fn assert_real_time(seen: &[(f64, u32)]) {
    for (at, number) in seen {
        let wanted = f64::from(number - seen[0].1) * 0.04;
        assert!(
            (at - seen[0].0 - wanted).abs() < 0.002,
            "frame {number} at {at}, not {wanted} s"
        );
    }
}

fn plays_all_from_the_newest_key_frame(recipe: Recipe) {
    let bench = Bench::new();
    let tracks = make(recipe);
    let all = sent(&tracks, 1, 0);
    let mut writer = bench.writer(LARGE.0, LARGE.1);
    // Frames 0 to 69 or so: the newest key frame is 50.
    let already = all
        .iter()
        .position(|(_, meta, _)| meta.pts_90k > 70 * TICKS_PER_FRAME)
        .unwrap();
    push(&mut writer, &tracks, &all[..already]);
    let out = Counted::new(&bench.file());
    let tap = bench.tap(out.clone());
    out.wait_for(1000);
    push(&mut writer, &tracks, &all[already..]);
    tap.end();
    let seen = frames::read_frame_numbers(&bench.file());
    assert_eq!(numbers(&seen), (50..200).collect::<Vec<_>>());
    assert_real_time(&seen);
}

#[test]
fn the_tap_plays_all_of_h264_with_b_frames_and_audio() {
    plays_all_from_the_newest_key_frame(Recipe {
        beep: true,
        ..recipe()
    });
}

/// 8 s of L16 in packets of 20 ms, and its samples.
fn pcm_track() -> (Coded, Vec<i32>) {
    let sample = |tick: i64| i16::try_from(tick * 7 % 30_011 - 15_000).unwrap();
    let packet = |n: i64| Au {
        pts: n * 160,
        key: true,
        bytes: (n * 160..(n + 1) * 160)
            .flat_map(|tick| sample(tick).to_be_bytes())
            .collect(),
    };
    let coded = Coded {
        params: pcm::params(hindsight::media::Codec::L16, 8_000, 1).unwrap(),
        aus: (0..400).map(packet).collect(),
    };
    (coded, (0..64_000).map(|tick| sample(tick).into()).collect())
}

#[test]
fn the_tap_plays_sound_that_comes_as_pcm_to_the_sample() {
    let bench = Bench::new();
    let mut tracks = make(recipe());
    let (sound, meant) = pcm_track();
    tracks.push(sound);
    let all = sent(&tracks, 1, 0);
    let mut writer = bench.writer(LARGE.0, LARGE.1);
    push(&mut writer, &tracks, &all[..200]);
    let out = Counted::new(&bench.file());
    let tap = bench.tap(out.clone());
    out.wait_for(1000);
    push(&mut writer, &tracks, &all[200..]);
    tap.end();
    let seen = frames::read_frame_numbers(&bench.file());
    assert_real_time(&seen);
    let first = usize::try_from(seen[0].1).unwrap() * 320;
    let heard = crate::lossless::ffmpeg(&["-i", bench.file().to_str().unwrap(), "-map", "0:a"]);
    let begins = (first..first + 800).find(|at| heard.starts_with(&meant[*at..*at + 500]));
    let begins = begins.expect("it begins with the picture");
    let rest = &meant[begins..];
    assert!(heard.starts_with(rest), "{} of {}", heard.len(), rest.len());
    // The last block is filled up.
    assert!(heard[rest.len()..].iter().all(|sample| *sample == 0));
    assert!(heard.len() < rest.len() + 800);
}

#[test]
fn the_tap_plays_all_of_h265_with_b_frames() {
    plays_all_from_the_newest_key_frame(Recipe {
        codec: Codec::H265,
        ..recipe()
    });
}

#[test]
fn a_change_of_parameters_goes_on_in_the_same_stream() {
    let bench = Bench::new();
    for codec in [Codec::H264, Codec::H265] {
        let before = make(Recipe {
            codec,
            seconds: 4,
            ..recipe()
        });
        let after = Recipe {
            codec,
            seconds: 4,
            first: 100,
            width: 640,
            height: 360,
            ..recipe()
        };
        let mut after = make(after);
        after[0]
            .aus
            .iter_mut()
            .for_each(|au| au.pts += 100 * TICKS_PER_FRAME);
        let mut writer = bench.writer(LARGE.0, LARGE.1);
        push(&mut writer, &before, &sent(&before, 1, 0)[..90]);
        let out = Counted::new(&bench.file());
        let tap = bench.tap(out.clone());
        out.wait_for(1000);
        push(&mut writer, &before, &sent(&before, 1, 0)[90..]);
        push(&mut writer, &after, &sent(&after, 1, 0));
        tap.end();
        let seen = frames::read_frame_numbers(&bench.file());
        assert_eq!(numbers(&seen), (50..200).collect::<Vec<_>>());
        assert_real_time(&seen);
        drop(writer);
        std::fs::remove_file(bench.dir.path().join("hindsight-court1")).unwrap();
    }
}

#[test]
fn an_overtaken_tap_goes_on_at_a_key_frame_and_keeps_real_time() {
    let bench = Bench::new();
    let tracks = make(recipe());
    let all = sent(&tracks, 1, 0);
    // Holds about a GOP and a half.
    let mut writer = bench.writer(LARGE.0, 75);
    push(&mut writer, &tracks, &all[..10]);
    let out = Counted::new(&bench.file());
    let tap = bench.tap(out.clone());
    out.wait_for(500);
    out.shut(true);
    push(&mut writer, &tracks, &all[10..170]);
    out.shut(false);
    push(&mut writer, &tracks, &all[170..]);
    tap.end();
    let seen = frames::read_frame_numbers(&bench.file());
    let numbers = numbers(&seen);
    assert_eq!(numbers.last(), Some(&199));
    // A machine with no time left may let it read nothing before the hole: then it begins behind it.
    if numbers[0] != 0 {
        assert_eq!(numbers[0] % 50, 0, "{numbers:?}");
        return assert_real_time(&seen);
    }
    let jumps = numbers.windows(2).map(|pair| (pair[1] - pair[0], pair[1]));
    let (far, to) = jumps.max().unwrap();
    // Which key frame is the newest when it notices depends on the machine; a B-frame before the hole may be missing, too.
    assert!(far > 30 && to % 50 == 0, "{numbers:?}");
    assert_real_time(&seen);
}

#[test]
fn the_tap_goes_on_with_a_ring_that_took_the_place_of_its_own() {
    let bench = Bench::new();
    let tracks = make(recipe());
    let mut writer = bench.writer(LARGE.0, LARGE.1);
    push(&mut writer, &tracks, &sent(&tracks, 1, 0));
    let out = Counted::new(&bench.file());
    let tap = bench.tap(out.clone());
    out.wait_for(1000);
    drop(writer);
    let mut writer = bench.writer(LARGE.0 * 2, LARGE.1);
    // The camera begins anew, 3 s after the last of its frames.
    let late = (200 + 74) * TICKS_PER_FRAME;
    push(&mut writer, &tracks, &sent(&tracks, 1, late)[..50]);
    tap.end();
    let seen = frames::read_frame_numbers(&bench.file());
    let wanted: Vec<u32> = (150..200).chain(0..50).collect();
    // The last group may lack the frames that were to follow.
    assert_eq!(numbers(&seen)[..90], wanted[..90]);
    let pause = seen[50].0 - seen[49].0;
    assert!((pause - 3.0).abs() < 0.1, "{pause} s between the rings");
}

#[test]
fn nobody_reading_any_more_is_a_clean_end() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bench = Bench::new();
    let tracks = make(Recipe {
        seconds: 2,
        ..recipe()
    });
    let mut writer = bench.writer(LARGE.0, LARGE.1);
    push(&mut writer, &tracks, &sent(&tracks, 1, 0));
    bench.tap(Closed).thread.join().unwrap().unwrap();
}

#[test]
fn a_change_of_audio_ends_the_stream_and_a_ring_that_is_not_there_is_an_error() {
    let bench = Bench::new();
    let camera = CameraId::new("nowhere").unwrap();
    assert!(tap::run(bench.dir.path(), &camera, Vec::new(), &Stop::default()).is_err());
    let tracks = make(Recipe {
        beep: true,
        ..recipe()
    });
    let mut other = tracks.clone();
    other[1].params.channels = 2;
    let all = sent(&tracks, 1, 0);
    let mut writer = bench.writer(LARGE.0, LARGE.1);
    push(&mut writer, &tracks, &all[..100]);
    let out = Counted::new(&bench.file());
    let tap = bench.tap(out.clone());
    out.wait_for(1000);
    push(&mut writer, &other, &all[100..]);
    tap.thread.join().unwrap().unwrap();
    assert!(frames::read_frame_numbers(&bench.file()).len() > 20);
}

#[test]
fn ffmpeg_plays_the_stream_from_a_pipe() {
    let bench = Bench::new();
    let tracks = make(Recipe {
        beep: true,
        ..recipe()
    });
    let mut writer = bench.writer(LARGE.0, LARGE.1);
    push(&mut writer, &tracks, &sent(&tracks, 1, 0));
    let mut player = Command::new("ffmpeg")
        .args(["-v", "warning", "-i", "-", "-f", "null", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = Counted::new(&bench.file());
    let tap = bench.tap(Both(out.clone(), player.stdin.take().unwrap()));
    tap.end();
    let output = player.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

struct Both<A, B>(A, B);

impl<A: Write, B: Write> Write for Both<A, B> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.1.write_all(buf)?;
        self.0.write_all(buf)?;
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.1.flush()
    }
}
