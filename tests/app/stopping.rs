//! How the service stops, and that there is only one of it.

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::service::{Place, Told};
use crate::{court1, pattern, run, sidecar};

fn told(post: &'static str) -> Told {
    Told {
        pre: "2s",
        post,
        ..Told::default()
    }
}

#[test]
fn the_first_signal_lets_an_open_window_run_to_its_end_and_refuses_new_presses() {
    let camera = pattern();
    let place = Place::new(&told("3s"), &court1(&camera));
    let mut service = place.start();
    service.wait_until_held(&["court1"], 3.0);
    let (status, answer) = service.press(&json!({}), false);
    assert_eq!(status, 200, "{answer}");
    service.signal(Signal::SIGTERM);
    let stopping = service.wait_for("stopping", |s| s["status"] == "stopping");
    assert_eq!(stopping["captures"]["pending"].as_array().unwrap().len(), 1);
    let (status, refused) = service.press(&json!({}), false);
    assert_eq!(
        (status, &refused["success"]),
        (503, &json!(false)),
        "{refused}"
    );
    assert_eq!(service.wait_for_end(), Some(0), "{}", service.said());
    let said = service.said();
    for event in [
        "system_started",
        "clip_requested",
        "system_stopping",
        "clip_refused",
        "clip_saved",
    ] {
        assert!(said.contains(event), "{event}: {said}");
    }
    assert!(said.contains("waiting for 1 clip"), "{said}");
    let clip = place
        .clip(answer["press_id"].as_str().unwrap(), "court1")
        .unwrap();
    let facts = sidecar(&clip);
    assert_eq!(facts["status"], "queued", "{facts}");
    assert_eq!(facts["ended"], "complete", "{facts}");
    let plays_s = facts["meta"]["duration_sec"].as_f64().unwrap();
    assert!((5.0..5.034).contains(&plays_s), "{facts}");
    assert_eq!(place.verify(), "");
}

#[test]
fn who_waits_for_a_clip_hears_of_it_although_the_service_stops() {
    let camera = pattern();
    let place = Place::new(&told("2s"), &court1(&camera));
    let mut service = place.start();
    service.wait_until_held(&["court1"], 3.0);
    let url = format!("http://127.0.0.1:{}/save-clip?wait=true", place.port);
    let waiting = std::thread::spawn(move || {
        let mut answer = ureq::post(url).send_empty().unwrap();
        answer.body_mut().read_json::<serde_json::Value>().unwrap()
    });
    service.wait_for("a press", |s| s["captures"]["presses_taken"] == 1);
    assert_eq!(service.stop(), Some(0));
    let answer = waiting.join().unwrap();
    assert_eq!(answer["clips"][0]["status"], "queued", "{answer}");
}

#[test]
fn a_window_longer_than_the_grace_is_closed_with_what_there_is() {
    let camera = pattern();
    let place = Place::new(&told("15s"), &court1(&camera));
    let text = std::fs::read_to_string(&place.config).unwrap();
    let text = text.replace("[highlight]\n", "[highlight]\nstop_grace = \"1s\"\n");
    std::fs::write(&place.config, text).unwrap();
    let mut service = place.start();
    service.wait_until_held(&["court1"], 3.0);
    let (_, answer) = service.press(&json!({}), false);
    assert_eq!(service.stop(), Some(0));
    let clip = place
        .clip(answer["press_id"].as_str().unwrap(), "court1")
        .unwrap();
    let facts = sidecar(&clip);
    assert_eq!(facts["ended"], "stopped", "{facts}");
    assert!(
        facts["meta"]["duration_sec"].as_f64().unwrap() < 17.0,
        "{facts}"
    );
    assert_eq!(place.verify(), "");
}

#[test]
fn a_second_signal_stops_at_once_and_the_next_start_finishes_the_press() {
    let camera = pattern();
    let place = Place::new(&told("10s"), &court1(&camera));
    let mut service = place.start();
    service.wait_until_held(&["court1"], 3.0);
    let (_, answer) = service.press(&json!({}), false);
    let press_id = answer["press_id"].as_str().unwrap();
    service.signal(Signal::SIGINT);
    service.wait_for("stopping", |s| s["status"] == "stopping");
    service.signal(Signal::SIGINT);
    assert_eq!(service.wait_for_end(), Some(130), "{}", service.said());
    assert!(
        place.clip(press_id, "court1").is_none(),
        "its window was still open"
    );
    assert_eq!(place.verify(), "", "a pending press is no fault");

    let mut service = place.start();
    service.wait_for("no press pending", |s| {
        s["captures"]["pending"]
            .as_array()
            .is_some_and(Vec::is_empty)
    });
    assert_eq!(service.stop(), Some(0));
    let clip = place.clip(press_id, "court1").unwrap();
    assert_eq!(sidecar(&clip)["status"], "queued");
    assert_eq!(place.verify(), "");
}

#[test]
fn a_second_service_is_refused_on_the_same_ring_the_same_storage_and_the_same_port() {
    let camera = pattern();
    let place = Place::new(&told("1s"), &court1(&camera));
    let mut service = place.start();
    service.wait_until_held(&["court1"], 1.0);
    let original = std::fs::read_to_string(&place.config).unwrap();
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let ring = |text: &str| {
        let lines = text.lines().map(|line| match line.starts_with("dir = ") {
            true => format!("dir = \"{}\"", elsewhere.path().display()),
            false => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let port = |text: &str| text.replace(&format!(":{}\"", place.port), ":0\"");
    let storage = |text: &str| {
        let other = place.dir.path().join("other");
        text.replace(place.storage().to_str().unwrap(), other.to_str().unwrap())
    };
    let table = [
        (port(&storage(&original)), "is a second hindsight running?"),
        (port(&ring(&original)), "is in use by another hindsight"),
        (storage(&ring(&original)), "is another hindsight running?"),
    ];
    for (text, message) in table {
        let config = place.dir.path().join("second.toml");
        std::fs::write(&config, &text).unwrap();
        let mut second = std::process::Command::new(env!("CARGO_BIN_EXE_hindsight"));
        let (code, said) = run(second.arg("run").arg("--config").arg(&config));
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(message), "{message}: {said}");
    }
    // The first did not notice.
    let (status, answer) = service.press(&json!({}), true);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["clips"][0]["status"], "queued", "{answer}");
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
}

#[test]
fn lines_on_stdin_press_and_stop() {
    let camera = pattern();
    let place = Place::new(&told("0s"), &court1(&camera));
    let mut child = place
        .command("run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut keys = child.stdin.take().unwrap();
    wait_until_held(&place, 3.0);
    keys.write_all(b"\ns\nq\n").unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("pressed: ").count(), 2, "{said}");
    assert_eq!(place.verify(), "");
    let days = std::fs::read_dir(place.storage().join("highlights")).unwrap();
    let clips = days.flat_map(|day| std::fs::read_dir(day.unwrap().path()).unwrap());
    assert_eq!(clips.count(), 2);
}

#[test]
fn where_log_and_words_go_to_one_place_a_clip_is_told_once_and_json_stays_json() {
    let camera = pattern();
    for (format, json) in [("text", false), ("json", true)] {
        let place = Place::new(&told("0s"), &court1(&camera));
        let both = place.storage().with_file_name("both.log");
        let file = std::fs::File::create(&both).unwrap();
        let mut child = place
            .command("run")
            .args(["--log-format", format])
            .stdin(Stdio::piped())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut keys = child.stdin.take().unwrap();
        wait_until_held(&place, 3.0);
        keys.write_all(b"s\nq\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let said = std::fs::read_to_string(&both).unwrap();
        assert_eq!(said.matches(" clip → ").count(), 1, "{said}");
        let lines = said.lines();
        let parsed = lines.filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
        assert_eq!(parsed.count() == said.lines().count(), json, "{said}");
    }
}

fn wait_until_held(place: &Place, seconds: f64) {
    let limit = std::time::Instant::now() + crate::service::PATIENCE;
    loop {
        let status = ureq::get(format!("http://127.0.0.1:{}/status", place.port)).call();
        let status: Option<serde_json::Value> = status
            .ok()
            .and_then(|mut answer| answer.body_mut().read_json().ok());
        let held = status.and_then(|s| s["buffers"][0]["seconds_held"].as_f64());
        if held.is_some_and(|held| held >= seconds) {
            return;
        }
        assert!(std::time::Instant::now() < limit, "no full ring");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
