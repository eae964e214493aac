//! A new system that has come up, and whether it stays.

use std::fs;
use std::process::Command;
use std::time::SystemTime;

use hindsight::update::{Slot, SlotState};
use serde_json::json;

use crate::rig::{Rig, said};
use crate::server::{Answer, Server, free_address};
use crate::service::{Place, Told, camera};

const LEN: usize = 100_000;

/// Slot b runs, and is tried for the last time but one.
fn on_trial() -> (Rig, SlotState) {
    let rig = Rig::new(Slot::B, LEN);
    let state = SlotState {
        left: 1,
        ..SlotState::trying_other(Slot::A)
    };
    rig.restore(state);
    (rig, state)
}

/// `hindsight update --confirm` on `rig`, with a service at `address`.
fn confirm(rig: &Rig, address: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let config = rig.path("venue.toml");
    let text = format!(
        "[http]\nlisten = \"{address}\"\n[[camera]]\nid = \"c1\"\nurl = \"rtsp://127.0.0.1:1/s\"\n"
    );
    fs::write(&config, text).unwrap();
    run(rig.command().arg("--config").arg(config).args(more))
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    said(&command.arg("--confirm").output().unwrap())
}

const SOON: [&str; 4] = ["--healthy-for", "600ms", "--patience", "20s"];
const IMPATIENT: [&str; 4] = ["--healthy-for", "600ms", "--patience", "600ms"];

/// `reasons`: code and sentence.
fn service_that_is(status: &str, reasons: &[(&str, &str)]) -> Server {
    let server = Server::start(None);
    let reason = |(code, what): &(&str, &str)| json!({ "code": code, "what": what });
    let reasons: Vec<_> = reasons.iter().map(reason).collect();
    let health = json!({ "status": status, "reasons": reasons });
    let bytes = health.to_string().into_bytes();
    server.has("/health", Answer::File(bytes));
    server
}

#[test]
fn a_new_system_whose_service_is_healthy_stays() {
    for (status, reasons) in [
        ("healthy", &[][..]),
        (
            "degraded",
            &[("clock_not_set", "the clock was never set since power-on")],
        ),
        (
            "unhealthy",
            &[
                ("camera_missing", "a camera cannot be reached"),
                ("camera_connecting", "a camera is being called"),
                // No program goes by the words.
                ("disk_nearly_full", "the disk is full"),
            ],
        ),
    ] {
        let (rig, _) = on_trial();
        let server = service_that_is(status, reasons);
        let (code, out, err) = confirm(&rig, &server.address, &SOON);
        assert_eq!(code, Some(0), "{status}: {out}{err}");
        assert!(out.contains("slot b is confirmed"), "{out}");
        assert_eq!(rig.says(), SlotState::settled(Slot::B));
        assert!(server.asked.lock().unwrap().len() > 1);
    }
}

#[test]
fn a_new_system_that_gives_no_clips_by_its_own_fault_has_the_box_restarted() {
    for (code, what) in [
        ("disk_unwritable", "clips cannot be written"),
        ("disk_full", "the disk is full"),
        ("disk_silent", "the disk has not answered for 12 s"),
    ] {
        let (rig, state) = on_trial();
        let server = service_that_is(
            "unhealthy",
            &[
                ("camera_missing", "a camera cannot be reached"),
                (code, what),
            ],
        );
        let (code, out, err) = confirm(&rig, &server.address, &IMPATIENT);
        assert_eq!(code, Some(11), "{out}{err}");
        assert!(
            err.contains("slot b did not become healthy") && err.contains(what),
            "{err}"
        );
        assert!(
            out.contains("tries it 1 time more, then slot a is back"),
            "{out}"
        );
        assert_eq!(rig.says(), state);
    }
}

#[test]
fn a_service_that_does_not_answer_as_it_should_is_not_healthy() {
    let (rig, state) = on_trial();
    let (code, _, err) = confirm(&rig, &free_address(), &IMPATIENT);
    assert_eq!(code, Some(11), "{err}");
    assert!(err.contains("no service answers at"), "{err}");
    for answer in [
        Answer::Status("503 Service Unavailable"),
        Answer::File(b"{}".to_vec()),
        Answer::File(b"a page".to_vec()),
    ] {
        let server = Server::start(None);
        server.has("/health", answer);
        let (code, _, err) = confirm(&rig, &server.address, &IMPATIENT);
        assert_eq!(code, Some(11), "{err}");
    }
    assert_eq!(rig.says(), state);
}

#[test]
fn where_nothing_is_to_be_confirmed_nobody_is_asked_and_nothing_written() {
    let server = service_that_is("healthy", &[]);
    for state in [
        SlotState::settled(Slot::A),
        SlotState::trying_other(Slot::A),
        SlotState {
            left: 0,
            ..SlotState::trying_other(Slot::A)
        },
        SlotState::settled(Slot::B),
    ] {
        let rig = Rig::new(Slot::A, LEN);
        rig.restore(state);
        let touched = || -> [SystemTime; 2] {
            [0, 1].map(|copy| {
                fs::metadata(rig.env_file(copy))
                    .unwrap()
                    .modified()
                    .unwrap()
            })
        };
        let before = (rig.all(), touched());
        let (code, out, _) = confirm(&rig, &server.address, &[]);
        assert_eq!(code, Some(0));
        assert!(out.contains("nothing to confirm"), "{out}");
        assert!((rig.all(), touched()) == before);
    }
    assert!(server.asked.lock().unwrap().is_empty());
}

#[test]
fn damaged_files_are_written_anew_by_a_healthy_system_and_send_nobody_back() {
    let rig = Rig::new(Slot::B, LEN);
    let damage = || {
        rig.say(0, &[0; 512]);
        rig.say(1, b"");
    };
    damage();
    let (code, _, err) = confirm(&rig, &free_address(), &IMPATIENT);
    assert_eq!(code, Some(2), "{err}");
    let server = service_that_is("healthy", &[]);
    let (code, out, err) = confirm(&rig, &server.address, &SOON);
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(rig.says(), SlotState::settled(Slot::B));
}

#[test]
fn the_real_service_is_asked_and_confirms_though_its_only_camera_is_off() {
    let (rig, state) = on_trial();
    let place = Place::new(&Told::default(), &camera("c1", "rtsp://127.0.0.1:9/s", ""));
    let config = place.config.to_str().unwrap();
    let mut service = place.start();
    service.wait_for("a first look", |status| {
        status["health"]["status"] == "unhealthy"
    });
    let mut command = rig.command();
    let (code, out, err) = run(command.args(["--config", config]).args(SOON));
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(rig.says(), SlotState::settled(Slot::B));
    assert_eq!(service.stop(), Some(0));

    rig.restore(state);
    let mut command = rig.command();
    let (code, _, err) = run(command.args(["--config", config]).args(IMPATIENT));
    assert_eq!(code, Some(11), "{err}");
    assert_eq!(rig.says(), state);
}
