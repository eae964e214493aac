//! What happens at a court: the camera is pulled out, changes its settings, the
//! program is killed or told to stop while a window runs.

use std::time::{Duration, Instant};

use hindsight::demo::{CameraFault, DemoCamera, Script};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::gst::Peer;
use crate::media::{Recipe, clip_for_peer};
use crate::service::{PATIENCE, Place, Told, camera};
use crate::{numbers, plays_s};

fn sidecar(place: &Place, press_id: &str, id: &str) -> Value {
    let limit = Instant::now() + PATIENCE;
    loop {
        for day in std::fs::read_dir(place.storage().join("highlights"))
            .into_iter()
            .flatten()
        {
            let path = day
                .unwrap()
                .path()
                .join(press_id)
                .join(format!("{id}.json"));
            if let Ok(text) = std::fs::read_to_string(path) {
                return serde_json::from_str(&text).unwrap();
            }
        }
        assert!(Instant::now() < limit, "no sidecar of {press_id} {id}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn press(service: &crate::service::Service, wish: &Value) -> String {
    let (status, answer) = service.press(wish, false);
    assert_eq!(status, 200, "{answer}");
    answer["press_id"].as_str().unwrap().to_owned()
}

fn steps(numbers: &[u32]) -> Vec<u32> {
    let count = hindsight::demo::footage::PATTERN_FRAMES;
    numbers
        .windows(2)
        .map(|w| (w[1] + count - w[0]) % count)
        .collect()
}

fn gaps(sidecar: &Value) -> Vec<&Value> {
    sidecar["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|g| g["track"] == "video")
        .collect()
}

/// The built-in camera, and a service's place that knows it as "court".
fn court() -> (DemoCamera, Place) {
    let source = DemoCamera::start(Script::default()).unwrap();
    let table = camera("court", source.url().as_str(), "");
    (source, Place::new(&Told::default(), &table))
}

/// A whole clip, however far the queue is with it.
fn is_whole(facts: &Value) -> bool {
    let statuses = ["queued", "finishing", "watermarked"];
    statuses.iter().any(|status| facts["status"] == *status)
}

#[test]
fn a_camera_pulled_out_within_the_window_leaves_a_hole_of_its_length() {
    let (source, place) = court();
    let mut service = place.start();
    service.wait_until_held(&["court"], 6.0);
    source.inject(CameraFault::CloseMidAu);
    service.wait_for("a second connection", |s| {
        s["captures"]["cameras"][0]["connections"] == 2
    });
    std::thread::sleep(Duration::from_secs(2));
    let press_id = press(&service, &json!({"pre": 5, "post": 1}));
    let facts = sidecar(&place, &press_id, "court");
    assert!(is_whole(&facts), "{facts}");
    assert_eq!(facts["ended"], "complete", "{facts}");
    assert!(!gaps(&facts).is_empty(), "{facts}");
    let clip = place.clip(&press_id, "court").unwrap();
    assert!(
        (plays_s(&clip) - 6.0).abs() < 0.08,
        "plays {} s: the hole must keep its length",
        plays_s(&clip)
    );
    let seen = numbers(&clip);
    let holes: Vec<u32> = steps(&seen).into_iter().filter(|s| *s != 1).collect();
    assert_eq!(holes.len(), 1, "{seen:?}");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}

#[test]
fn a_press_on_a_camera_that_is_gone_is_taken_with_what_it_has() {
    let (source, place) = court();
    let mut service = place.start();
    service.wait_until_held(&["court"], 5.0);
    source.stop();
    service.wait_for("the loss", |s| {
        s["captures"]["cameras"][0]["state"] != "streaming"
    });
    std::thread::sleep(Duration::from_millis(3500));
    let (status, answer) = service.press(&json!({"pre": 8, "post": 0}), true);
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer.to_string().contains("court"),
        "the answer says that the camera is stale: {answer}"
    );
    let press_id = answer["press_id"].as_str().unwrap();
    let facts = sidecar(&place, press_id, "court");
    assert_eq!(
        (is_whole(&facts), &facts["ended"]),
        (true, &json!("camera")),
        "{facts}"
    );
    assert!(!numbers(&place.clip(press_id, "court").unwrap()).is_empty());
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}

#[test]
fn a_change_of_parameters_is_shown_to_the_frame_and_said() {
    let small = Recipe {
        seconds: 4,
        ..Recipe::default()
    };
    let large = Recipe {
        seconds: 4,
        width: 640,
        height: 360,
        ..Recipe::default()
    };
    let peer = Peer::start(&[
        json!({"path": "/mix", "clips": [clip_for_peer(small), clip_for_peer(large)]}),
    ]);
    let place = Place::new(&Told::default(), &camera("court", &peer.url("/mix"), ""));
    let mut service = place.start();
    service.wait_until_held(&["court"], 10.0);
    let presses: Vec<String> = (0..6)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(900));
            press(&service, &json!({"pre": 2, "post": 1}))
        })
        .collect();
    let mut changed = 0;
    for press_id in &presses {
        let facts = sidecar(&place, press_id, "court");
        assert!(is_whole(&facts), "{facts}");
        let clip = place.clip(press_id, "court").unwrap();
        let seen = numbers(&clip);
        assert!(steps_of(&seen, 100), "{seen:?}");
        assert_eq!(facts["ended"], "complete", "{facts}");
        assert!(seen.len() >= 75, "3 s are shown: {seen:?}");
        changed += usize::from(facts["notes"].to_string().contains("its picture's size"));
    }
    assert!(changed > 0, "no press was near a change");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}

#[test]
fn rare_key_frames_and_sound_that_is_left_out_are_told_in_log_status_and_check() {
    let rare = Recipe {
        gop_seconds: 12,
        ..Recipe::default()
    };
    let clips = [clip_for_peer(rare)];
    let peer = Peer::start(&[json!({"path": "/rare", "clips": clips, "g711": true})]);
    let told = Told {
        ring_seconds: 19,
        ..Told::default()
    };
    let place = Place::new(
        &told,
        &camera("court", &peer.url("/rare"), "sound = \"off\""),
    );
    let mut service = place.start();
    let warned = |text: &str| text.contains("I-frame interval") && text.contains("H.264+");
    let status = service.wait_for("a warning", |s| {
        warned(&s["captures"]["cameras"][0]["warnings"].to_string())
    });
    assert_eq!(status["health"]["status"], "degraded", "{status}");
    assert!(warned(&status["health"].to_string()), "{status}");
    let said = service.said();
    let line = said
        .lines()
        .find(|line| line.contains("buffer_key_frames_far_apart"));
    assert!(line.is_some_and(warned), "{said}");
    let left_out = said
        .lines()
        .filter(|line| line.contains("camera_track_left_out"));
    let left_out: Vec<&str> = left_out.collect();
    assert_eq!(left_out.len(), 1, "one clear line: {said}");
    assert!(
        left_out[0].contains("G.711 A-law is left out")
            || left_out[0].contains("G.711 µ-law is left out"),
        "{said}"
    );
    let out = place.command("check").output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{said}");
    let wrong = said.lines().find(|line| line.starts_with("WRONG  court: "));
    assert!(wrong.is_some_and(warned), "{said}");
    assert_eq!(service.stop(), Some(0));
}

/// Numbers follow each other, round a loop of `count`.
fn steps_of(numbers: &[u32], count: u32) -> bool {
    !numbers.is_empty() && numbers.windows(2).all(|w| (w[0] + 1) % count == w[1])
}

#[test]
fn a_killed_service_goes_on_with_its_ring_and_finishes_the_press() {
    let (_source, place) = court();
    let mut service = place.start();
    service.wait_until_held(&["court"], 6.0);
    let press_id = press(&service, &json!({"pre": 4, "post": 8}));
    std::thread::sleep(Duration::from_millis(1500));
    service.signal(Signal::SIGKILL);
    service.wait_for_end();
    let mut service = place.start();
    service.wait_for("the ring adopted", |s| s.to_string().contains("adopted"));
    let facts = sidecar(&place, &press_id, "court");
    assert!(is_whole(&facts), "{facts}");
    let clip = place.clip(&press_id, "court").unwrap();
    assert!(
        (plays_s(&clip) - 12.0).abs() < 0.08,
        "plays {} s: {facts}",
        plays_s(&clip)
    );
    let seen = numbers(&clip);
    assert!(
        steps(&seen).iter().filter(|s| **s != 1).count() <= 1,
        "{seen:?}"
    );
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}

#[test]
fn killed_at_random_again_and_again_it_loses_no_press() {
    let seed = std::env::var("HINDSIGHT_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("HINDSIGHT_TEST_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let (_source, place) = court();
    let mut acknowledged = Vec::new();
    for _ in 0..6 {
        let mut service = place.start();
        service.wait_until_held(&["court"], 3.0);
        for _ in 0..chance.u32(1..4) {
            acknowledged.push(press(
                &service,
                &json!({"pre": 2, "post": chance.u32(0..2)}),
            ));
        }
        std::thread::sleep(Duration::from_millis(chance.u64(0..1200)));
        service.signal(Signal::SIGKILL);
        service.wait_for_end();
    }
    let mut service = place.start();
    service.wait_for("no press pending", |s| {
        s["captures"]["pending"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
    assert_eq!(service.stop(), Some(0));
    for press_id in &acknowledged {
        let facts = sidecar(&place, press_id, "court");
        assert!(is_whole(&facts), "{facts}");
        assert!(!numbers(&place.clip(press_id, "court").unwrap()).is_empty());
    }
    assert_eq!(place.verify(), "");
}

#[test]
fn told_to_stop_it_closes_the_open_window_after_its_grace_and_takes_no_more() {
    let source = DemoCamera::start(Script::default()).unwrap();
    let told = Told {
        more: "[trigger]\nmode = \"http\"\n".to_owned(),
        ..Told::default()
    };
    let place = Place::new(&told, &camera("court", source.url().as_str(), ""));
    let text = std::fs::read_to_string(&place.config).unwrap();
    let text = text.replace("[highlight]\n", "[highlight]\nstop_grace = \"2s\"\n");
    std::fs::write(&place.config, text).unwrap();
    let mut service = place.start();
    service.wait_until_held(&["court"], 4.0);
    let press_id = press(&service, &json!({"pre": 2, "post": 20}));
    service.signal(Signal::SIGTERM);
    let limit = Instant::now() + PATIENCE;
    loop {
        let (status, answer) = service.press(&json!({}), false);
        if status == 503 {
            assert!(
                answer["message"].as_str().unwrap().contains("stopping"),
                "{answer}"
            );
            break;
        }
        assert!(Instant::now() < limit, "{status} {answer}");
    }
    assert_eq!(service.wait_for_end(), Some(0), "{}", service.said());
    assert!(
        service.said().contains("court"),
        "it says what it waits for:\n{}",
        service.said()
    );
    let facts = sidecar(&place, &press_id, "court");
    assert_eq!(
        (is_whole(&facts), &facts["ended"]),
        (true, &json!("stopped")),
        "{facts}"
    );
    assert_eq!(place.verify(), "");
}
