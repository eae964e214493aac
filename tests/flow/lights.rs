//! What somebody before the lights sees: of presses from anywhere, of clips, of a
//! camera that goes, and of the service's end.

use std::time::{Duration, Instant};

use hindsight::base::{Clock, RealClock};
use hindsight::board::patterns::{self, ROLES};
use hindsight::config::{self, Sources};
use hindsight::demo::{DemoCamera, Script};
use hindsight::service::embedded::EmbeddedService;
use serde_json::{Value, json};

use crate::service::{PATIENCE, Place, Told, camera};

/// Lights, by their place in the config.
const READY: usize = 0;
const BUSY: usize = 1;
const FAULT: usize = 2;
const STATUS: usize = 3;
const SOUND: usize = 4;

/// A service with one camera and a light of each role.
fn open(url: &str) -> (Place, EmbeddedService) {
    let told = Told {
        more: "[board]\nbackend = \"sim\"".to_owned(),
        ..Told::default()
    };
    let lights: String = ["ready", "busy", "fault", "status", "sound"]
        .iter()
        .zip(17..)
        .map(|(role, pin)| format!("[[led]]\npin = {pin}\nrole = \"{role}\"\n"))
        .collect();
    let court = camera("court", url, "");
    let place = Place::new(&told, &format!("{court}{lights}"));
    let sources = Sources {
        file: Some(place.config.clone()),
        ..Sources::default()
    };
    let service = EmbeddedService::start(&config::load(&sources).unwrap().config).unwrap();
    (place, service)
}

fn status(service: &EmbeddedService) -> Value {
    let url = format!("http://{}/status", service.addr());
    ureq::get(url)
        .call()
        .unwrap()
        .body_mut()
        .read_json()
        .unwrap()
}

/// Waits until every light of `/status` that is named tells what is said of it.
fn until(service: &EmbeddedService, wanted: &[(usize, &str)]) {
    let limit = Instant::now() + PATIENCE;
    loop {
        let status = status(service);
        let leds = &status["board"]["leds"];
        if wanted
            .iter()
            .all(|(led, meaning)| leds[led]["meaning"] == *meaning)
        {
            return;
        }
        assert!(Instant::now() < limit, "no {wanted:?}: {leds:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_press_over_http_and_its_clip_are_seen_and_heard_and_the_end_leaves_no_light_that_lies() {
    let source = DemoCamera::start(Script::default()).unwrap();
    let (place, service) = open(source.url().as_ref());
    let sim = service.sim().unwrap().clone();
    until(
        &service,
        &[(READY, "ready"), (BUSY, "ready"), (FAULT, "ready")],
    );
    let limit = Instant::now() + PATIENCE;
    while sim.row() != [true, false, false, true, false].map(Some) {
        assert!(Instant::now() < limit, "{:?}", sim.row());
        std::thread::sleep(Duration::from_millis(5));
    }
    let from = RealClock.mono_ns();
    let url = format!("http://{}/save-clip", service.addr());
    ureq::post(url)
        .send_json(json!({"pre": 1, "post": 1}))
        .unwrap();
    for (led, lit) in [(READY, false), (BUSY, true), (SOUND, true)] {
        assert!(sim.wait(led, lit, from, PATIENCE).is_some(), "light {led}");
    }
    let beep = sim.wait(SOUND, true, from, PATIENCE).unwrap();
    assert!(beep.at_mono_ns >= service.lights().last_taken_mono_ns());
    until(&service, &[(READY, "clip done")]);
    until(
        &service,
        &[(READY, "ready"), (BUSY, "ready"), (SOUND, "ready")],
    );
    assert_eq!(service.stop(), 0);
    let dead = ROLES.map(|role| Some(patterns::dead_level(role)));
    assert_eq!(sim.row(), dead);
    assert_eq!(place.verify(), "");
}

#[test]
fn without_a_picture_it_is_a_fault_and_a_press_is_refused_on_every_light() {
    let source = DemoCamera::start(Script::default()).unwrap();
    let url = source.url().to_string();
    // Nobody listens there any more.
    source.stop();
    let (_place, service) = open(&url);
    until(&service, &[(FAULT, "fault"), (READY, "fault")]);
    let sim = service.sim().unwrap().clone();
    let limit = Instant::now() + PATIENCE;
    while sim.row()
        != [
            Some(false),
            Some(false),
            Some(true),
            sim.lit(STATUS),
            Some(false),
        ]
    {
        assert!(Instant::now() < limit, "{:?}", sim.row());
        std::thread::sleep(Duration::from_millis(5));
    }
    let from = RealClock.mono_ns();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let save = format!("http://{}/save-clip", service.addr());
    let answer = agent.post(save).send_json(json!({})).unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    for led in [READY, BUSY, SOUND] {
        assert!(sim.wait(led, true, from, PATIENCE).is_some(), "light {led}");
    }
    assert!(sim.wait(FAULT, false, from, PATIENCE).is_some());
    until(
        &service,
        &[(FAULT, "fault"), (READY, "fault"), (SOUND, "ready")],
    );
    let flashes = |led: usize| {
        let log = sim.log();
        let since = log.iter().filter(|c| c.led == led && c.at_mono_ns >= from);
        since.filter(|c| c.lit).count()
    };
    // Three by the pattern; a machine that is busy may be late for one.
    for led in [READY, BUSY, SOUND] {
        assert!(
            (1..=3).contains(&flashes(led)),
            "light {led}: {}",
            flashes(led)
        );
    }
}
