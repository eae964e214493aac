//! Marking a clip of 50 s in 1080p: our whole finishing against a bare FFmpeg that only marks, one after the
//! other in turns, and once against MoviePy, which takes the picture through Python. Processor time of all
//! involved.

use std::path::{Path, PathBuf};
use std::process::Command;

use hindsight::base::Stop;
use hindsight::config::{Corner, Encoder, Finish, Logo};
use hindsight::finish::{FfmpegFinisher, Limits, Settings};
use hindsight::mp4::{self, ClipIndex, ClipTrack, Sample};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::work::{Finisher, Job};
use nix::sys::resource::{UsageWho, getrusage};

use crate::Row;
use crate::clip::footage_file;
use crate::coded::load;
use crate::process::{median, work_dir};

const ROUNDS: usize = 2;
const FRAMES: usize = 50 * 25;
/// The clip does not begin with a key frame.
const SKIPPED: usize = 10;
const CRF: u8 = 23;
const PRESET: &str = "veryfast";
const MOVIEPY: &str = "moviepy==2.2.1";

#[derive(Default)]
struct Series {
    ours: Vec<f64>,
    wall: Vec<f64>,
    bare: Vec<f64>,
    moviepy: Vec<f64>,
}

pub fn bench() -> Vec<Row> {
    let dir = work_dir().join("finish");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(dir.join("tmp")).unwrap();
    let clip = dir.join("bench.mp4");
    make_clip(&clip);
    let logo = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/logo.png");
    let (bare, python) = (dir.join("bare.mp4"), dir.join("moviepy.mp4"));
    let moviepy = moviepy();
    let maker = maker(&logo);
    // The first clip also asks what this FFmpeg can do.
    maker.describe(&Stop::default()).unwrap();
    let mut series = Series::default();
    let mut ours = PathBuf::new();
    for _ in 0..ROUNDS {
        let (spent, made, wall) = ours_once(&maker, &dir);
        ours = made;
        series.ours.push(spent);
        series.wall.push(wall);
        series
            .bare
            .push(spent_by(|| run(&mut bare_mark(&clip, &logo, &bare))));
        println!(
            "a round: ours {:.1} s, bare {:.1} s of processor",
            median(&series.ours[series.ours.len() - 1..]),
            median(&series.bare[series.bare.len() - 1..]),
        );
    }
    if let Some(program) = &moviepy {
        let spent = spent_by(|| run(&mut moviepy_mark(program, &clip, &logo, &python)));
        series.moviepy.push(spent);
    }
    let quality = [&ours, &bare, &python].map(|made| made.exists().then(|| ssim(made, &clip)));
    let rows = rows(&series, quality, [&ours, &bare, &python]);
    let _ = std::fs::remove_dir_all(&dir);
    rows
}

/// `quality`: how like the clip each of the `files` still is; `None`: it was not made.
fn rows(series: &Series, quality: [Option<f64>; 3], files: [&Path; 3]) -> Vec<Row> {
    let megabytes = |file: &Path| {
        let bytes = std::fs::metadata(file).map_or(0, |facts| facts.len());
        bytes as f64 / 1e6
    };
    let (ours, bare) = (median(&series.ours), median(&series.bare));
    let mut rows = vec![Row {
        what: "marking 50 s of 1080p with its thumbnail, against a bare FFmpeg mark".to_owned(),
        measured: format!(
            "{ours:.1} s of processor ({:.1} s by the clock) against {bare:.1} s; SSIM {:.4} and {:.4}, {:.1} and {:.1} MB ({ROUNDS} rounds, {PRESET}, crf {CRF})",
            median(&series.wall),
            quality[0].unwrap_or(f64::NAN),
            quality[1].unwrap_or(f64::NAN),
            megabytes(files[0]),
            megabytes(files[1])
        ),
        value: format!("{:.2}×", ours / bare),
        must: "≤ 1.05×",
        aim: "≤ 1.0×",
    }];
    if let [Some(our_ssim), _, Some(their_ssim)] = quality {
        let moviepy = median(&series.moviepy);
        rows.push(Row {
            what: "the same against MoviePy".to_owned(),
            measured: format!(
                "{ours:.1} s against {moviepy:.1} s of processor; SSIM {our_ssim:.4} and {their_ssim:.4}, {:.1} and {:.1} MB",
                megabytes(files[0]),
                megabytes(files[2])
            ),
            value: format!("{:.2}×", ours / moviepy),
            must: "≤ 0.7×",
            aim: "≤ 0.5×",
        });
    }
    rows
}

/// Fifty seconds of the footage, cut as the highlight room cuts.
fn make_clip(to: &Path) {
    let footage = load(&footage_file());
    let frames = &footage.frames[..SKIPPED + FRAMES];
    let mut data = Vec::new();
    let samples = frames
        .iter()
        .map(|frame| {
            let offset = data.len() as u64;
            data.extend_from_slice(&frame.bytes);
            Sample {
                offset,
                size: u32::try_from(frame.bytes.len()).unwrap(),
                pts: frame.pts,
                sync: frame.key,
                entry: 0,
            }
        })
        .collect();
    let track = ClipTrack {
        entries: vec![footage.video.clone()],
        samples,
        start: frames[SKIPPED].pts,
        end: frames[SKIPPED].pts + 50 * 90_000,
    };
    let index = ClipIndex {
        tracks: vec![track],
        created_unix_s: 0,
    };
    let placed = mp4::place(100_000, data.len() as u64, &index).unwrap();
    std::fs::write(to, [&placed.front[..], &data, &placed.tail].concat()).unwrap();
}

fn maker(logo: &Path) -> FfmpegFinisher {
    FfmpegFinisher::new(Settings {
        finish: Finish {
            logos: vec![Logo {
                file: logo.to_path_buf(),
                corner: Corner::TopRight,
                rel_width: 0.2,
                margin_px: 24,
                opacity: 0.6,
            }],
            crf: CRF,
            preset: Some(PRESET.to_owned()),
            encoder: Encoder::Libx264,
            ..Finish::default()
        },
        venue: "Bench".to_owned(),
        timezone: jiff::tz::TimeZone::UTC,
        reserve_bytes: 0,
        limits: Limits::default(),
    })
}

/// Processor time, the marked video, and the time by the clock.
fn ours_once(maker: &FfmpegFinisher, dir: &Path) -> (f64, PathBuf, f64) {
    let sidecar = sidecar();
    let tmp = dir.join("tmp");
    let job = Job {
        folder: dir,
        sidecar: &sidecar,
        tmp: &tmp,
    };
    let began = std::time::Instant::now();
    let mut made = None;
    let spent = spent_by(|| {
        let finished = maker.finish(&job, &|_| {}, &Stop::default()).unwrap();
        assert!(finished.thumbnail.is_some());
        made = finished.marked;
    });
    (spent, made.unwrap().0, began.elapsed().as_secs_f64())
}

fn sidecar() -> Sidecar {
    let sidecar = serde_json::json!({
        "type": "highlight", "status": "queued", "reason": null,
        "created_at": "2026-11-21T18:42:05.123+01:00", "press_id": "6f1c2a9e-00000abcdef-00017f3a",
        "camera": {"id": "bench", "name": "Bench"}, "source": "demo",
        "file_name": "bench.mp4", "size_bytes": 1, "sha256": "00",
        "meta": {"codec": "h264", "width": 1920, "height": 1080, "fps": 25.0, "duration_sec": 50.0, "audio_codec": null},
        "pre_seconds": 40.0, "post_seconds": 10.0,
        "requested": {"pre_seconds": 40.0, "post_seconds": 10.0},
        "ended": "complete", "gaps": [], "damaged": [],
        "clock": {"boot_id": "6f1c2a9e1b7e4c3a9d270d5a4b3c2e1f", "wall_synchronised": true, "press_mono_ns": 1,
            "latency_ms": 0, "mapping": null, "certainty": null, "alignment": null},
        "notes": []
    });
    Sidecar::from_bytes(sidecar.to_string().as_bytes()).unwrap()
}

/// What somebody types who wants the same mark and nothing else.
fn bare_mark(clip: &Path, logo: &Path, to: &Path) -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-v", "error", "-y", "-i"])
        .arg(clip)
        .arg("-i")
        .arg(logo);
    ffmpeg.args([
        "-filter_complex",
        "[1]scale=384:-2,format=rgba,colorchannelmixer=aa=0.6[l];[0][l]overlay=W-w-24:24",
    ]);
    ffmpeg.args([
        "-c:v",
        "libx264",
        "-preset",
        PRESET,
        "-crf",
        &CRF.to_string(),
    ]);
    ffmpeg
        .args(["-pix_fmt", "yuv420p", "-movflags", "+faststart"])
        .arg(to);
    ffmpeg
}

/// MoviePy in an environment of its own, from the package index; none, and a loud line, where it cannot be had.
fn moviepy() -> Option<PathBuf> {
    let place = work_dir().join("moviepy");
    let python = place.join("bin/python");
    let here = || {
        let asked = Command::new(&python)
            .args(["-c", "import moviepy"])
            .output();
        asked.is_ok_and(|out| out.status.success())
    };
    if !here() {
        println!("getting MoviePy (once)…");
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&place)
            .output();
        let got = Command::new(place.join("bin/pip"))
            .args(["install", "--quiet", MOVIEPY])
            .output();
        if !made.is_ok_and(|out| out.status.success()) || got.is_err() || !here() {
            println!("SKIPPED: {MOVIEPY} cannot be had here; nothing is compared with it");
            return None;
        }
    }
    Some(python)
}

const SCRIPT: &str = "
import sys
from moviepy import CompositeVideoClip, ImageClip, VideoFileClip
clip, logo, to, preset, crf = sys.argv[1:]
video = VideoFileClip(clip)
mark = ImageClip(logo).with_duration(video.duration).resized(width=384).with_opacity(0.6)
mark = mark.with_position((video.w - 384 - 24, 24))
CompositeVideoClip([video, mark]).write_videofile(
    to, codec='libx264', preset=preset, audio=False, logger=None,
    ffmpeg_params=['-crf', crf, '-pix_fmt', 'yuv420p', '-movflags', '+faststart'])
";

fn moviepy_mark(python: &Path, clip: &Path, logo: &Path, to: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).arg(clip).arg(logo).arg(to);
    // The same FFmpeg for all.
    command
        .args([PRESET, &CRF.to_string()])
        .env("IMAGEIO_FFMPEG_EXE", "ffmpeg");
    command
}

fn run(command: &mut Command) {
    let out = command.output().expect("the bench needs ffmpeg");
    let log = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {log}");
}

/// Processor seconds of this process and of all children that it waited for.
fn spent_by(work: impl FnOnce()) -> f64 {
    let spent = || {
        let of = |who| {
            let usage = getrusage(who).unwrap();
            let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6;
            seconds(usage.user_time()) + seconds(usage.system_time())
        };
        of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
    };
    let before = spent();
    work();
    spent() - before
}

/// How like the clip it still is, mark included.
fn ssim(made: &Path, clip: &Path) -> f64 {
    let out = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostats", "-i"])
        .arg(made)
        .arg("-i")
        .arg(clip)
        .args([
            "-lavfi",
            "[0:v]settb=1/90000[a];[1:v]settb=1/90000[b];[a][b]ssim",
            "-f",
            "null",
            "-",
        ])
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&out.stderr);
    let all = log
        .rsplit("All:")
        .next()
        .and_then(|text| text.split_whitespace().next());
    all.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
}
