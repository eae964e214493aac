//! From the button to the clip: edge → journal → light → clip, on a simulated board.
//! The service runs inside the test, which pushes the buttons and sees the lights.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hindsight::base::{Clock, RealClock};
use hindsight::board::sim::SimHandle;
use hindsight::config::{self, Sources};
use hindsight::demo::{DemoCamera, Script};
use hindsight::service::embedded::EmbeddedService;
use serde_json::{Value, json};

use crate::gst::Peer;
use crate::media::{Recipe, adts, clip_for_peer};
use crate::oracle::{compare, expected};
use crate::service::{PATIENCE, Place, Told, camera};
use crate::{numbers, plays_s};

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// Lights, by their place in the config.
const BUSY: usize = 0;
const FAULT: usize = 1;

const LIGHTS: &str = "[[led]]\npin = 22\nrole = \"busy\"\n[[led]]\npin = 23\nrole = \"fault\"\n";

fn now() -> u64 {
    RealClock.mono_ns()
}

/// A `[[button]]` table.
fn button(id: &str, pin: u32, more: &str) -> String {
    format!("[[button]]\nid = \"{id}\"\npin = {pin}\n{more}\n")
}

/// A service whose rings hold so much of every camera.
struct Court {
    place: Place,
    service: EmbeddedService,
    sim: SimHandle,
}

impl Court {
    /// `set` as on the command line.
    fn open(set: &[String], buttons: &str, cameras: &[(&str, String)], seconds: f64) -> Court {
        let told = Told {
            more: "[board]\nbackend = \"sim\"".to_owned(),
            ..Told::default()
        };
        let tables: String = cameras
            .iter()
            .map(|(id, url)| camera(id, url, &format!("court = \"Court of {id}\"")))
            .collect();
        let place = Place::new(&told, &format!("{tables}{buttons}{LIGHTS}"));
        let sources = Sources {
            file: Some(place.config.clone()),
            set: set.to_vec(),
            ..Sources::default()
        };
        let config = config::load(&sources).unwrap().config;
        let service = EmbeddedService::start(&config).unwrap();
        let sim = service.sim().unwrap().clone();
        let court = Court {
            place,
            service,
            sim,
        };
        court.wait_for("full enough rings", |status| {
            let buffers = status["buffers"].as_array().unwrap();
            let held = |b: &Value| b["seconds_held"].as_f64().is_some_and(|s| s >= seconds);
            buffers.iter().all(held)
        });
        court
    }

    fn status(&self) -> Value {
        let url = format!("http://{}/status", self.service.addr());
        let mut answer = ureq::get(url).call().unwrap();
        answer.body_mut().read_json().unwrap()
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let limit = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < limit, "no {what}: {status:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many presses were taken and all are done.
    fn settled(&self, presses: u64) {
        self.wait_for("end of all presses", |status| {
            let captures = &status["captures"];
            let pending = captures["pending"].as_array().unwrap();
            captures["presses_taken"] == presses && pending.is_empty()
        });
    }

    /// Pushes a button at `at_mono_ns` and lets it go.
    fn push(&self, button: usize, at_mono_ns: u64, held_ns: u64) {
        self.sim.edge(button, true, at_mono_ns);
        self.sim.edge(button, false, at_mono_ns + held_ns);
    }

    /// The sidecars of a camera, by the instant of their press.
    fn sidecars(&self, camera: &str) -> BTreeMap<u64, Value> {
        let mut found = BTreeMap::new();
        let highlights = self.place.storage().join("highlights");
        for day in std::fs::read_dir(highlights).unwrap() {
            for press in std::fs::read_dir(day.unwrap().path()).unwrap() {
                let path = press.unwrap().path().join(format!("{camera}.json"));
                let Ok(text) = std::fs::read_to_string(path) else {
                    continue;
                };
                let sidecar: Value = serde_json::from_str(&text).unwrap();
                let at = sidecar["clock"]["press_mono_ns"].as_u64().unwrap();
                assert!(found.insert(at, sidecar).is_none(), "two presses at {at}");
            }
        }
        found
    }
}

/// Every core has more to do than it can, until this is dropped.
struct Busy {
    over: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Busy {
    fn with_everything() -> Busy {
        let over = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().unwrap().get();
        let spin = || {
            let over = over.clone();
            std::thread::spawn(move || while !over.load(Relaxed) {})
        };
        Busy {
            threads: (0..2 * cores).map(|_| spin()).collect(),
            over,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[test]
fn on_a_machine_with_no_time_left_a_button_is_answered_and_its_clip_cut_at_the_edge_to_the_frame() {
    let recipe = |b_frames| Recipe {
        b_frames,
        beep: true,
        ..Recipe::default()
    };
    let mounts = [
        ("plain", "/plain", recipe(0)),
        ("reordered", "/b", recipe(2)),
    ];
    let peer = Peer::start(
        &mounts.map(|(_, path, recipe)| {
            json!({"path": path, "clips": [clip_for_peer(recipe)], "audio": adts(recipe)})
        }),
    );
    let cameras = mounts.map(|(id, path, _)| (id, peer.url(path)));
    let buttons = button("north", 17, "cooldown = \"0s\"")
        + &button(
            "south",
            27,
            "cooldown = \"0s\"\ncameras = [\"reordered\"]\npre = \"2s\"",
        );
    let court = Court::open(&[], &buttons, &cameras, 8.0);
    let busy = Busy::with_everything();
    let mut pushed = Vec::new();
    for n in 0..10 {
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..300)));
        // The kernel's time of an edge is older than our waking.
        let at = now() - fastrand::u64(0..25) * MS;
        court.push(n % 2, at, 90 * MS);
        let light = court.sim.wait(BUSY, true, at, PATIENCE);
        assert!(light.is_some(), "push {n} was not answered");
        pushed.push((n % 2, at));
        court.settled(pushed.len() as u64);
        // The light must be dark before the next push, to be seen to answer it.
        let dark = Instant::now() + PATIENCE;
        while court.sim.lit(BUSY) == Some(true) {
            assert!(Instant::now() < dark, "the light stays on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    drop(busy);
    let (mut exact, mut near, mut wrong) = (0, 0, Vec::new());
    for (id, mount, _) in &mounts {
        let sidecars = court.sidecars(id);
        let log = peer.log(mount);
        for (button, at) in &pushed {
            let (name, pre_ms) = [("north", 3_000), ("south", 2_000)][*button];
            if (*id, *button) == ("plain", 1) {
                assert!(!sidecars.contains_key(at), "{name} has one camera");
                continue;
            }
            let sidecar = &sidecars[at];
            assert_eq!(sidecar["button"], name, "{sidecar:#}");
            assert_eq!(sidecar["source"], "button", "{sidecar:#}");
            assert_eq!(sidecar["court"], format!("Court of {id}"), "{sidecar:#}");
            let press_id = sidecar["press_id"].as_str().unwrap();
            let clip = court.place.clip(press_id, id).unwrap();
            let want = expected(&log, *at, *at, pre_ms, 1_000);
            match compare(&log, &want, &numbers(&clip)) {
                Ok(true) => exact += 1,
                Ok(false) => near += 1,
                Err(why) => wrong.push(format!("{id} {press_id}: {why}")),
            }
            let plays_s = plays_s(&clip);
            assert!((plays_s - want.plays_90k as f64 / 90_000.0).abs() < 0.045);
        }
    }
    println!("{exact} exact, {near} off by one at a border too near to tell");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(exact + near, 15);
    assert!(exact >= 8, "too few could be told: {exact}");
    assert_eq!(court.place.verify(), "");
}

/// One camera, the built-in one, and these buttons.
fn small_court(set: &[String], buttons: &str) -> (DemoCamera, Court) {
    let source = DemoCamera::start(Script::default()).unwrap();
    let cameras = [("court", source.url().to_string())];
    let court = Court::open(set, buttons, &cameras, 8.0);
    (source, court)
}

#[test]
fn long_double_and_repeated_presses_get_the_clips_that_their_button_says() {
    let gestures = "long_pre = \"5s\"\ndouble_pre = \"1s\"\ndouble_post = \"2s\"";
    let (_source, court) = small_court(&[], &button("north", 17, gestures));
    let requested = |at: u64| {
        let sidecar = &court.sidecars("court")[&at];
        assert_eq!(sidecar["ended"], "complete", "{sidecar:#}");
        let wanted = &sidecar["requested"];
        (
            wanted["pre_seconds"].as_f64().unwrap(),
            wanted["post_seconds"].as_f64().unwrap(),
        )
    };
    // Three times within the cooldown (as long as `post`) is one clip.
    let plain = now();
    for ms in [0, 600, 900] {
        court.push(0, plain + ms * MS, 80 * MS);
    }
    court.settled(1);
    assert_eq!(requested(plain), (3.0, 1.0));
    let long = plain + 4 * S;
    while now() < long + S {
        std::thread::sleep(Duration::from_millis(10));
    }
    court.push(0, long, 1_200 * MS);
    court.settled(2);
    assert_eq!(requested(long), (5.0, 1.0));
    let double = long + 4 * S;
    while now() < double {
        std::thread::sleep(Duration::from_millis(10));
    }
    court.push(0, double, 80 * MS);
    court.push(0, double + 300 * MS, 80 * MS);
    court.settled(3);
    assert_eq!(requested(double), (1.0, 2.0));
    assert_eq!(court.sidecars("court").len(), 3);
    assert_eq!(court.service.stop(), 0);
    assert_eq!(court.place.verify(), "");
}

/// Opening hours that are hours away.
fn closed_now() -> String {
    let zone = jiff::tz::TimeZone::get("America/Sao_Paulo").unwrap();
    let later = jiff::Timestamp::now().to_zoned(zone);
    let hour = (later.hour() + 12) % 24;
    format!("{hour:02}:00-{hour:02}:30")
}

#[test]
fn while_the_venue_is_closed_button_and_api_refuse_visibly() {
    let source = DemoCamera::start(Script::default()).unwrap();
    let cameras = [("court", source.url().to_string())];
    let court = Court::open(
        &[format!("venue.open={}", closed_now())],
        &button("north", 17, ""),
        &cameras,
        3.0,
    );
    let at = now();
    // Twice: a refused press begins no cooldown.
    for ms in [0, 500] {
        court.push(0, at + ms * MS, 80 * MS);
    }
    let light = court.sim.wait(FAULT, true, at, PATIENCE);
    assert!(light.is_some(), "nobody saw that it was refused");
    court.wait_for("two refusals", |status| {
        status["captures"]["presses_refused"] == 2
    });
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let url = format!("http://{}/save-clip", court.service.addr());
    let mut answer = agent.post(url).send_json(json!({})).unwrap();
    assert_eq!(answer.status().as_u16(), 409);
    let answer: Value = answer.body_mut().read_json().unwrap();
    let said = answer["message"].as_str().unwrap();
    assert!(said.starts_with("the venue is closed; it opens "), "{said}");
    let captures = &court.status()["captures"];
    assert_eq!(captures["presses_refused"], 3, "{captures:#}");
    assert_eq!(captures["presses_taken"], 0, "{captures:#}");
}

#[test]
fn held_to_stop_the_box_the_press_is_saved_first_and_the_exit_code_says_why() {
    let (_source, court) = small_court(&[], &button("north", 17, "shutdown_hold = \"4s\""));
    let at = now() - 2 * S;
    court.sim.edge(0, true, at);
    let limit = Instant::now() + PATIENCE;
    while !court.service.is_stopping() {
        assert!(Instant::now() < limit, "it does not stop");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(court.service.stop(), 10);
    let place = &court.place;
    let highlights = place.storage().join("highlights");
    let day = std::fs::read_dir(highlights)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let press = std::fs::read_dir(day.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let sidecar = std::fs::read_to_string(press.path().join("court.json")).unwrap();
    let sidecar: Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["clock"]["press_mono_ns"], at);
    assert_eq!(sidecar["ended"], "complete", "{sidecar:#}");
    assert_eq!(place.verify(), "");
}

#[test]
fn a_stuck_button_is_one_press_and_a_fault_until_it_is_let_go() {
    let (_source, court) = small_court(
        &["ring.seconds=55".to_owned()],
        &button("north", 17, "post = \"32s\""),
    );
    // By the time that we hear of it.
    let at = now() - 31 * S;
    court.sim.edge(0, true, at);
    court.wait_for("press and trouble of the button", |status| {
        let trouble = &status["board"]["buttons"][0]["trouble"];
        trouble.is_string() && status["captures"]["presses_taken"] == 1
    });
    assert!(court.sim.wait(FAULT, true, at, PATIENCE).is_some());
    court.sim.edge(0, false, now());
    court.wait_for("well button", |status| {
        status["board"]["buttons"][0]["trouble"].is_null()
    });
    court.push(0, now(), 80 * MS);
    court.wait_for("next press", |status| {
        status["captures"]["presses_taken"] == 2
    });
}
