//! FFmpeg and GStreamer decode what the camera sends.

use std::process::{Command, Stdio};

use hindsight::demo::picture::read_number;
use hindsight::demo::{DemoCamera, Footage, Script};

use crate::media::{self, Codec, Recipe};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;

/// The numbers in raw gray pictures.
fn read_all(gray: &[u8]) -> Vec<u16> {
    let pictures = gray.chunks_exact(WIDTH * HEIGHT);
    assert!(pictures.remainder().is_empty(), "half a picture");
    let numbers = pictures.map(|picture| read_number(picture, WIDTH, HEIGHT));
    numbers
        .map(|n| n.expect("a picture without number"))
        .collect()
}

/// The numbers that FFmpeg sees in the first `frames` pictures. Panics if it complains.
fn by_ffmpeg(camera: &DemoCamera, transport: &str, frames: u32) -> Vec<u16> {
    let out = Command::new("ffmpeg")
        .args([
            "-v",
            "warning",
            "-rtsp_transport",
            transport,
            "-i",
            camera.url().as_str(),
        ])
        .args(["-an", "-vf", &format!("scale={WIDTH}:{HEIGHT}:flags=area")])
        .args(["-frames:v", &frames.to_string(), "-fps_mode", "passthrough"])
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("ffmpeg is needed: `make test` installs it");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.is_empty(), "ffmpeg: {said}");
    read_all(&out.stdout)
}

fn by_gstreamer(camera: &DemoCamera, protocol: &str, decoder: &str, frames: u32) -> Vec<u16> {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("gray");
    let source = format!(
        "rtspsrc location={} protocols={protocol} latency=200",
        camera.url()
    );
    let sizes = format!("video/x-raw,format=GRAY8,width={WIDTH},height={HEIGHT}");
    let line = format!(
        "{source} ! application/x-rtp,media=video ! {decoder} ! videoconvert ! videoscale ! {sizes} \
         ! identity eos-after={} ! filesink location={}",
        frames + 10,
        raw.display()
    );
    let out = Command::new("gst-launch-1.0")
        .arg("-q")
        .args(line.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .expect("gst-launch-1.0 is needed: `make test` installs it");
    let said = String::from_utf8_lossy(&out.stderr);
    // Told to end, it sometimes breaks off in the middle of its own report and then
    // cannot send its PAUSE: that comes behind the last frame, and says nothing of them.
    let errors = said.lines().filter(|line| line.contains("ERROR"));
    let other = errors.filter(|line| !line.ends_with("Could not write to resource."));
    assert_eq!(other.count(), 0, "gst-launch: {said}");
    assert!(
        out.status.success() || said.contains("gst_rtspsrc_pause"),
        "gst-launch: {said}"
    );
    // When it is told to end, its decoder throws out what it has, with holes.
    let mut numbers = read_all(&std::fs::read(&raw).unwrap());
    numbers.truncate(usize::try_from(frames).unwrap());
    numbers
}

/// Numbers that follow each other, through loops of `count`.
fn assert_without_hole(numbers: &[u16], count: u16, at_least: usize) {
    assert!(numbers.len() >= at_least, "only {} pictures", numbers.len());
    for pair in numbers.windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % count, "{numbers:?}");
    }
}

#[test]
fn ffmpeg_decodes_the_bundled_pattern_over_tcp_from_its_first_frame() {
    let camera = DemoCamera::start(Script::default()).unwrap();
    let numbers = by_ffmpeg(&camera, "tcp", 75);
    assert_eq!(numbers[0], 0);
    assert_without_hole(&numbers, 720, 75);
}

#[test]
fn ffmpeg_decodes_the_bundled_pattern_over_udp() {
    let camera = DemoCamera::start(Script::default()).unwrap();
    assert_without_hole(&by_ffmpeg(&camera, "udp", 75), 720, 75);
}

#[test]
fn gstreamer_decodes_the_bundled_pattern_over_tcp_and_udp() {
    for protocol in ["tcp", "udp"] {
        let camera = DemoCamera::start(Script::default()).unwrap();
        let decoder = "rtph264depay ! h264parse ! avdec_h264";
        let numbers = by_gstreamer(&camera, protocol, decoder, 60);
        assert_without_hole(&numbers, 720, 60);
    }
}

#[test]
fn both_decode_h265_with_b_frames_across_the_loops_seam() {
    let recipe = Recipe {
        codec: Codec::H265,
        seconds: 2,
        b_frames: 2,
        ..Recipe::default()
    };
    let script = || Script {
        footage: Footage::from_mp4(&media::mp4(recipe)).unwrap(),
        ..Script::default()
    };
    let camera = DemoCamera::start(script()).unwrap();
    assert_without_hole(&by_ffmpeg(&camera, "tcp", 75), 50, 75);
    let camera = DemoCamera::start(script()).unwrap();
    let decoder = "rtph265depay ! h265parse ! avdec_h265";
    assert_without_hole(&by_gstreamer(&camera, "tcp", decoder, 75), 50, 75);
}

#[test]
fn ffmpeg_decodes_h264_with_b_frames_and_parameters_only_in_band() {
    let recipe = Recipe {
        seconds: 2,
        b_frames: 2,
        ..Recipe::default()
    };
    let camera = DemoCamera::start(Script {
        footage: Footage::from_mp4(&media::mp4(recipe)).unwrap(),
        parameters_in_sdp: false,
        parameters_in_band: true,
        ..Script::default()
    })
    .unwrap();
    assert_without_hole(&by_ffmpeg(&camera, "tcp", 60), 50, 60);
}

fn probe(camera: &DemoCamera) -> String {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-rtsp_transport", "tcp", "-of", "csv=p=0"])
        .args([
            "-show_entries",
            "stream=codec_name,width,sample_rate,channels",
        ])
        .arg(camera.url().as_str())
        .output()
        .unwrap();
    assert!(
        out.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn ffprobe_finds_the_tracks_that_the_script_offers() {
    let with = |footage, audio| {
        let script = Script {
            footage,
            audio,
            ..Script::default()
        };
        probe(&DemoCamera::start(script).unwrap())
    };
    assert_eq!(with(Footage::pattern(), true), "h264,1280\naac,48000,1\n");
    assert_eq!(with(Footage::pattern(), false), "h264,1280\n");
    for (a_law, name) in [(true, "pcm_alaw"), (false, "pcm_mulaw")] {
        let found = with(Footage::pattern_with_g711(a_law), true);
        assert_eq!(found, format!("h264,1280\n{name},8000,1\n"));
    }
}

/// Instants at which the panel turns white and at which the beep begins, in
/// seconds of the file's timeline.
fn flashes_and_beeps(file: &std::path::Path) -> (Vec<f64>, Vec<f64>) {
    let run = |filters: &[&str]| {
        let out = Command::new("ffmpeg")
            .args(["-v", "info", "-nostdin", "-i"])
            .arg(file)
            .args(filters)
            .args(["-f", "null", "-"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    let number = |line: &str, name: &str| {
        let (_, rest) = line.split_once(name)?;
        let end = rest.find([' ', '\n']).unwrap_or(rest.len());
        rest[..end].parse::<f64>().ok()
    };
    // The panel is black but for the flash: a flash begins where the black ends.
    let said = run(&[
        "-an",
        "-vf",
        "crop=256:96:928:80,blackdetect=d=0.3:pix_th=0.3",
    ]);
    let flashes = said
        .lines()
        .filter_map(|l| number(l, "black_end:"))
        .collect();
    let said = run(&["-vn", "-af", "silencedetect=n=-35dB:d=0.3"]);
    let beeps = said
        .lines()
        .filter_map(|l| number(l, "silence_end: "))
        .collect();
    (flashes, beeps)
}

#[test]
fn the_beep_begins_with_the_flash() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.mkv");
    let camera = DemoCamera::start(Script::default()).unwrap();
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i"])
        .arg(camera.url().as_str())
        .args(["-t", "4.5", "-c", "copy"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(done.success());
    let (flashes, beeps) = flashes_and_beeps(&file);
    // The first flash is in the first picture, after no black.
    assert!(flashes.len() >= 3, "flashes at {flashes:?}");
    for flash in &flashes[..3] {
        let near = beeps.iter().any(|beep| (beep - flash).abs() < 0.025);
        assert!(near, "flashes at {flashes:?}, beeps at {beeps:?}");
    }
}
