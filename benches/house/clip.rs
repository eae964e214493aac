//! From the end of the window to the committed clip and its sidecar.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId, Clock, PressRequest, RealClock, Source, Stop, StopLevel};
use hindsight::highlight::{CameraSettings, Event, Highlights, Settings};
use hindsight::media::{Alignment, AuFlags, AuMeta, Track};
use hindsight::ring::{RingSpec, RingWriter};
use sha2::{Digest, Sha256};

use crate::Row;
use crate::coded::{Coded, load};
use crate::process::{median, work_dir};

const FPS: u64 = 25;
const FRAME_NS: u64 = 1_000_000_000 / FPS;
const ROUNDS: usize = 5;
const ROUNDS_AT_ONCE: usize = 9;

/// A minute of 1080p25 at 4 Mbps as a camera would send it, made once by FFmpeg.
pub fn footage_file() -> PathBuf {
    let file = work_dir().join("footage-1080p25-4M.mp4");
    if !file.exists() {
        let part = work_dir().join("footage.part.mp4");
        println!("making a minute of 1080p at 4 Mbps (once)…");
        let done = Command::new("ffmpeg")
            .args(["-y", "-v", "error", "-f", "lavfi", "-i"])
            .arg("testsrc2=s=1920x1080:r=25:d=60,noise=alls=8:allf=t")
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "superfast",
                "-tune",
                "zerolatency",
                "-bf",
                "0",
            ])
            .args([
                "-g",
                "25",
                "-keyint_min",
                "25",
                "-sc_threshold",
                "0",
                "-pix_fmt",
                "yuv420p",
            ])
            .args([
                "-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "4M",
            ])
            .args(["-x264-params", "nal-hrd=cbr"])
            .arg(&part)
            .status()
            .expect("the bench needs ffmpeg");
        assert!(done.success(), "ffmpeg could not make the footage");
        std::fs::rename(&part, &file).unwrap();
    }
    file
}

/// Fills a ring with the last minute at once, then goes on in real time.
fn feed(
    spec: RingSpec,
    footage: Coded,
    filled: crossbeam_channel::Sender<()>,
    stop: Arc<AtomicBool>,
) {
    let (mut writer, _) = RingWriter::open(&spec).unwrap();
    let epoch = writer.begin_epoch();
    let generation = writer.set_params(&footage.video);
    let start_ns = RealClock.mono_ns() - 60 * 1_000_000_000;
    for n in 0u64.. {
        let arrival_mono_ns = start_ns + n * FRAME_NS;
        while RealClock.mono_ns() < arrival_mono_ns {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_nanos(
                arrival_mono_ns.saturating_sub(RealClock.mono_ns()),
            ));
        }
        if n == 60 * FPS {
            let _ = filled.send(());
        }
        let frame = &footage.frames[usize::try_from(n).unwrap() % footage.frames.len()];
        let pts = i64::try_from(n * 90_000 / FPS).unwrap();
        let meta = AuMeta {
            track: Track::Video,
            flags: AuFlags {
                key: frame.key,
                ..AuFlags::default()
            },
            generation,
            epoch,
            pts,
            pts_90k: pts,
            alignment: Alignment::Arrival,
            arrival_mono_ns,
            lost_packets: 0,
            dropped_bytes: 0,
            len: 0,
        };
        writer.push(&meta, &frame.bytes);
    }
}

#[derive(Default)]
struct Series {
    ours: Vec<f64>,
    floor: Vec<f64>,
    concat: Vec<f64>,
    sidecar: Vec<f64>,
    hash: Vec<f64>,
}

pub fn bench() -> Vec<Row> {
    let dir = work_dir().join("clip");
    let _ = std::fs::remove_dir_all(&dir);
    let storage = dir.join("storage");
    std::fs::create_dir_all(&storage).unwrap();
    let ring_dir = PathBuf::from(format!("/dev/shm/hindsight-bench-{}", std::process::id()));
    std::fs::create_dir_all(&ring_dir).unwrap();
    let camera = CameraId::new("bench").unwrap();
    let boot_id = BootId::of_this_boot().unwrap();
    let file = footage_file();
    let spec = RingSpec::sized(&ring_dir, camera.clone(), boot_id, 90, 6_000_000);

    let stop_feeding = Arc::new(AtomicBool::new(false));
    let (filled, is_filled) = crossbeam_channel::bounded(1);
    let feeder = {
        let (stop, footage) = (stop_feeding.clone(), load(&file));
        std::thread::spawn(move || feed(spec, footage, filled, stop))
    };
    is_filled.recv().unwrap();

    let stop = Stop::default();
    let settings = Settings {
        storage: storage.clone(),
        ring_dir: ring_dir.clone(),
        timezone: jiff::tz::TimeZone::UTC,
        cameras: vec![CameraSettings {
            id: camera.clone(),
            name: "Bench".to_owned(),
            court: "Bench".to_owned(),
            latency_ms: 0,
        }],
        boot_id,
        stop_grace_ms: 0,
        old_rings: Vec::new(),
        reserve_bytes: 0,
        queue: None,
    };
    let highlights = Highlights::start(settings, Arc::new(RealClock), stop.clone()).unwrap();
    let segments = make_segments(&file, &dir);

    let (mut with_post, mut at_once) = (Series::default(), Series::default());
    for round in 0..ROUNDS_AT_ONCE {
        one_round(
            &highlights,
            &camera,
            (50_000, 0),
            &dir,
            &segments,
            &mut at_once,
        );
        if round < ROUNDS {
            one_round(
                &highlights,
                &camera,
                (40_000, 10_000),
                &dir,
                &segments,
                &mut with_post,
            );
        }
        print!(".");
        let _ = std::io::stdout().flush();
    }
    stop.raise(StopLevel::Now);
    stop_feeding.store(true, Ordering::Relaxed);
    feeder.join().unwrap();
    drop(highlights);
    let _ = std::fs::remove_dir_all(&ring_dir);
    let _ = std::fs::remove_dir_all(&dir);
    rows(&with_post, &at_once)
}

fn rows(with_post: &Series, at_once: &Series) -> Vec<Row> {
    let ms = |v: &[f64]| format!("{:.1} ms", median(v) * 1e3);
    let against = |what: &str, ours: &[f64], other: &[f64], must, aim| Row {
        what: what.to_owned(),
        measured: format!("{} against {} ({} rounds)", ms(ours), ms(other), ours.len()),
        value: format!("{:.2}×", median(ours) / median(other)),
        must,
        aim,
    };
    let faster = |what: &str, ours: &[f64], other: &[f64], aim| Row {
        value: format!("{:.0}× faster", median(other) / median(ours)),
        ..against(what, ours, other, "≥ 20×", aim)
    };
    vec![
        against(
            "window's end → clip, 40+10 s, against write + fsync",
            &with_post.ours,
            &with_post.floor,
            "≤ 1.5×",
            "≤ 0.4×",
        ),
        against(
            "the same with post = 0",
            &at_once.ours,
            &at_once.floor,
            "≤ 1.8×",
            "≤ 1.2×",
        ),
        faster(
            "against FFmpeg's concat of 1 s segments, with post",
            &with_post.ours,
            &with_post.concat,
            "≥ 60×",
        ),
        faster(
            "the same with post = 0",
            &at_once.ours,
            &at_once.concat,
            "≥ 25×",
        ),
        against(
            "clip → sidecar, against hashing the same bytes",
            &at_once.sidecar,
            &at_once.hash,
            "≤ 1.3×",
            "≤ 1.1×",
        ),
    ]
}

fn one_round(
    highlights: &Highlights,
    camera: &CameraId,
    (pre_ms, post_ms): (u64, u64),
    dir: &Path,
    segments: &Path,
    series: &mut Series,
) {
    let events = highlights.events();
    let request = PressRequest {
        cameras: vec![camera.clone()],
        instant_mono_ns: RealClock.mono_ns(),
        pre_ms,
        post_ms,
        source: Source::Demo,
        button: None,
    };
    let ack = highlights.press(&request).unwrap();
    let mut clip = None;
    loop {
        match events
            .recv_timeout(Duration::from_secs(60))
            .expect("an event for the press")
        {
            Event::Committed {
                press_id,
                path,
                end_of_window_mono_ns,
                committed_mono_ns,
                ..
            } if press_id == ack.press.id => {
                series.ours.push(
                    (committed_mono_ns
                        - end_of_window_mono_ns.expect("an AU that ended the window"))
                        as f64
                        / 1e9,
                );
                clip = Some((path, committed_mono_ns));
            }
            Event::Retired { press_id, .. } if press_id == ack.press.id => {
                let (_, committed_mono_ns) = clip.as_ref().expect("a clip before the end");
                series
                    .sidecar
                    .push((RealClock.mono_ns() - committed_mono_ns) as f64 / 1e9);
                break;
            }
            Event::NoClip { reason, .. } => panic!("no clip: {reason}"),
            _ => {}
        }
    }
    let (path, _) = clip.unwrap();
    let started = Instant::now();
    let bytes = std::fs::read(&path).unwrap();
    let digest = Sha256::digest(&bytes);
    series.hash.push(started.elapsed().as_secs_f64());
    std::hint::black_box(digest);

    let copy = dir.join("floor.bin");
    let started = Instant::now();
    let mut file = std::fs::File::create(&copy).unwrap();
    file.write_all(&bytes).unwrap();
    file.sync_all().unwrap();
    series.floor.push(started.elapsed().as_secs_f64());
    drop(file);
    let _ = std::fs::remove_file(&copy);

    let out = dir.join("concat.mp4");
    let started = Instant::now();
    let done = Command::new("ffmpeg")
        .args(["-y", "-v", "error", "-f", "concat", "-safe", "0", "-i"])
        .arg(segments)
        .args(["-c", "copy"])
        .arg(&out)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    series.concat.push(started.elapsed().as_secs_f64());
    assert!(done.success());
    let _ = std::fs::remove_file(&out);
    let _ = std::fs::remove_dir_all(path.parent().unwrap());
}

/// 50 segments of one second, as the predecessors kept them; returns their list.
fn make_segments(footage: &Path, dir: &Path) -> PathBuf {
    let folder = dir.join("segments");
    std::fs::create_dir_all(&folder).unwrap();
    let list = folder.join("list.txt");
    let done = Command::new("ffmpeg")
        .args(["-y", "-v", "error", "-i"])
        .arg(footage)
        .args([
            "-t",
            "50",
            "-c",
            "copy",
            "-f",
            "segment",
            "-segment_time",
            "1",
            "-reset_timestamps",
            "1",
        ])
        .arg(folder.join("%03d.mp4"))
        .status()
        .unwrap();
    assert!(done.success());
    let mut names: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "mp4"))
        .collect();
    names.sort();
    let text: String = names
        .iter()
        .map(|p| format!("file '{}'\n", p.display()))
        .collect();
    std::fs::write(&list, text).unwrap();
    list
}
