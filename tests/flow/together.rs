//! Picture and sound together, cameras together.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hindsight::base::{Clock, RealClock};
use hindsight::demo::{DemoCamera, Script, StartAt};
use serde_json::json;

use crate::frames::read_frame_numbers;
use crate::gst::Peer;
use crate::media::{Recipe, adts, clip_for_peer};
use crate::numbers;
use crate::service::{Place, Told, camera};

/// Instants at which the picture turns white, in seconds: frames whose number is a full second's.
pub fn flashes(clip: &Path, fps: u32) -> Vec<f64> {
    read_frame_numbers(clip)
        .into_iter()
        .filter(|(_, number)| number % fps == 0)
        .map(|(time, _)| time)
        .collect()
}

/// Instants at which a beep begins, in seconds.
pub fn beeps(clip: &Path) -> Vec<f64> {
    const RATE: usize = 48_000;
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clip)
        .args([
            "-map",
            "0:a",
            "-af",
            "aresample=async=1:min_hard_comp=0.001:first_pts=0",
        ])
        .args(["-ac", "1", "-ar", "48000", "-f", "f32le", "-"])
        .output()
        .unwrap();
    let samples: Vec<f32> = out
        .stdout
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect();
    let mut found = Vec::new();
    let mut silent_since = 0;
    for (n, sample) in samples.iter().enumerate() {
        if sample.abs() > 0.2 {
            if n - silent_since > RATE / 2 {
                found.push(n as f64 / RATE as f64);
            }
            silent_since = n;
        }
    }
    found
}

#[test]
fn a_beep_stays_with_its_flash() {
    let recipe = Recipe {
        beep: true,
        b_frames: 2,
        ..Recipe::default()
    };
    // A mount for each: the server would make two streams of one.
    let mount =
        |path| json!({"path": path, "clips": [clip_for_peer(recipe)], "audio": adts(recipe)});
    let peer = Peer::start(&[mount("/tcp"), mount("/udp")]);
    let cameras = camera("tcp", &peer.url("/tcp"), "")
        + &camera("udp", &peer.url("/udp"), "transport = \"udp\"");
    let place = Place::new(&Told::default(), &cameras);
    let mut service = place.start();
    service.wait_until_held(&["tcp", "udp"], 12.0);
    let mut presses = Vec::new();
    for _ in 0..3 {
        let (status, answer) = service.press(&json!({"pre": 6, "post": 0.5}), true);
        assert_eq!(status, 200, "{answer}");
        presses.push(answer["press_id"].as_str().unwrap().to_owned());
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..700)));
    }
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
    for press_id in &presses {
        for id in ["tcp", "udp"] {
            let clip = place.clip(press_id, id).unwrap();
            let (flashes, beeps) = (flashes(&clip, recipe.fps), beeps(&clip));
            let mut compared = 0;
            for flash in flashes.iter().filter(|t| (0.6..6.2).contains(*t)) {
                let apart = beeps
                    .iter()
                    .map(|b| (b - flash).abs())
                    .fold(f64::MAX, f64::min);
                assert!(
                    apart <= 0.040,
                    "{id}: flash at {flash:.3}, beeps at {beeps:.3?}"
                );
                compared += 1;
            }
            assert!(
                compared >= 4,
                "{id}: flashes {flashes:.3?}, beeps {beeps:.3?}"
            );
        }
    }
}

#[test]
fn cameras_of_different_delay_show_the_same_moment() {
    let start_at = StartAt::MonoNs(RealClock.mono_ns());
    let start = |delay_ms| {
        DemoCamera::start(Script {
            start_at,
            delay_ms,
            audio: false,
            ..Script::default()
        })
        .unwrap()
    };
    let (prompt, late) = (start(0), start(400));
    let cameras = camera("prompt", prompt.url().as_str(), "latency = \"0ms\"")
        + &camera("late", late.url().as_str(), "latency = \"400ms\"");
    let place = Place::new(&Told::default(), &cameras);
    let mut service = place.start();
    service.wait_until_held(&["prompt", "late"], 5.0);
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..300)));
        let (status, answer) = service.press(&json!({"pre": 2, "post": 1}), true);
        assert_eq!(status, 200, "{answer}");
        let press_id = answer["press_id"].as_str().unwrap();
        let [a, b] = ["prompt", "late"].map(|id| numbers(&place.clip(press_id, id).unwrap()));
        let (first, last) = ((a[0], b[0]), (a[a.len() - 1], b[b.len() - 1]));
        let pattern = hindsight::demo::footage::PATTERN_FRAMES;
        let apart = |(x, y): (u32, u32)| x.abs_diff(y).min(pattern - x.abs_diff(y));
        assert!(
            apart(first) <= 1 && apart(last) <= 1,
            "first {first:?}, last {last:?}"
        );
        assert!(
            a.len().abs_diff(90) <= 1 && b.len().abs_diff(90) <= 1,
            "{} and {}",
            a.len(),
            b.len()
        );
    }
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}
