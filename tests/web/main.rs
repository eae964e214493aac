//! The API over real sockets, with a house behind it that does what the test says.

#![allow(clippy::unwrap_used)]

mod access;
mod bounds;
mod box_with_users;
mod house;
mod local;
mod matrix;
mod samples;

use std::fs;

use hindsight::base::{Arg, PressError, Refusal, Sentence};
use hindsight::web::WebError;
use serde_json::{Value, json};

use house::{Answer, Fake, PRESS_ID, Running, conforms, id, settings, start, start_with};

const TOKEN: &str = "a-token-of-the-venue";

fn post(running: &Running, path: &str, body: &str) -> Answer {
    running.send(&format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn get(running: &Running, path: &str) -> Answer {
    running.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
}

fn said(text: &str) -> Sentence {
    Sentence {
        code: "test_said".to_owned(),
        args: [("ms".to_owned(), Arg::Number(5))].into(),
        text: text.to_owned(),
    }
}

#[test]
fn a_press_is_answered_with_its_id_its_time_and_who_refused() {
    let running = start(Fake {
        refused: vec![Refusal::new(id("goal"), said("its ring is empty"))],
        ..Fake::default()
    });
    let answer = post(&running, "/save-clip", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    conforms("press", &body);
    assert_eq!(body["press_id"], PRESS_ID);
    assert_eq!(body["camera_id"], "all");
    assert_eq!(body["message"], "taken: 1 camera, refused: 1");
    assert_eq!(
        body["refused"],
        json!([{
            "camera_id": "goal",
            "reason": "its ring is empty",
            "code": "test_said",
            "args": {"ms": 5},
        }])
    );
    // The fake's wall clock says 2026-11-21 12:00 UTC; the venue is in São Paulo.
    assert_eq!(body["trigger_time"], "2026-11-21T09:00:00.000-03:00");
    assert!(body.get("clips").is_none());
}

#[test]
fn who_waits_gets_the_clips() {
    let running = start(Fake::default());
    let answer = post(
        &running,
        "/save-clip?wait=true",
        r#"{"camera_id": ["goal"], "duration": 5}"#,
    );
    let body = answer.json();
    conforms("press", &body);
    assert_eq!(body["camera_id"], json!(["goal"]));
    assert_eq!(body["clips"][0]["camera_id"], "court1");
    let pressed = running.fake.pressed();
    assert_eq!((pressed[0].pre_ms, pressed[0].post_ms), (5000, 0));
    assert_eq!(pressed[0].cameras, [id("goal")]);
}

#[test]
fn an_address_alone_can_say_what_a_press_wants() {
    let running = start(Fake::default());
    let request = "POST /save-clip?camera_id=goal&duration=2 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answer = running.send(request);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["camera_id"], "goal");
    let pressed = running.fake.pressed();
    assert_eq!(pressed[0].cameras, [id("goal")]);
    assert_eq!((pressed[0].pre_ms, pressed[0].post_ms), (2000, 0));
}

#[test]
fn a_press_that_nobody_takes_says_why_with_the_right_status() {
    let refused = vec![Refusal::new(id("court1"), said("its ring is empty"))];
    let table = [
        (
            PressError::NoCamera(refused),
            503,
            "no camera took the press",
        ),
        (
            PressError::Closed(said("the venue is closed")),
            409,
            "the venue is closed",
        ),
        (
            PressError::Stopping,
            503,
            "the service is stopping and takes no more presses",
        ),
        (PressError::DiskFull(said("no room")), 507, "no room"),
        (PressError::Storage(said("not mounted")), 507, "not mounted"),
    ];
    for (error, status, message) in table {
        let running = start(Fake {
            error: Some(error),
            ..Fake::default()
        });
        let answer = post(&running, "/save-clip", "{}");
        let body = answer.json();
        conforms("press", &body);
        assert_eq!(answer.status, status);
        assert_eq!(body["message"], message);
        assert_eq!(body["press_id"], Value::Null);
    }
}

#[test]
fn what_cannot_be_understood_is_answered_with_a_reason() {
    let running = start(Fake::default());
    let json = "content-type: application/json\r\n";
    let sized = |head: &str, body: &str| {
        format!("{head}{json}content-length: {}\r\n\r\n{body}", body.len())
    };
    let post = "POST /save-clip HTTP/1.1\r\nhost: localhost\r\n";
    let table = [
        (sized(post, "{"), 400, "not JSON"),
        (
            sized(post, r#"{"camera_id":"court9"}"#),
            400,
            "no camera \\\"court9\\\"",
        ),
        (sized(post, r#"{"duration":0}"#), 400, "more than 0"),
        (sized(post, r#"{"duration":-1}"#), 400, "0 seconds or more"),
        (sized(post, r#"{"duration":3600}"#), 400, "the rings hold"),
        (sized(post, "\u{1}\u{2}"), 400, "not JSON"),
        (
            format!("{post}content-length: 2\r\n\r\n{{}}"),
            415,
            "application/json",
        ),
        (
            format!("{post}{json}content-length: 99999\r\n\r\n"),
            413,
            "larger",
        ),
        (
            format!(
                "{post}{json}transfer-encoding: chunked\r\n\r\n1770\r\n{}\r\n0\r\n\r\n",
                " ".repeat(6000)
            ),
            413,
            "larger",
        ),
        (
            "POST /save-clip?wait=perhaps HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "true or false",
        ),
        (
            "POST /save-clip?wait=1&wait=0 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "true or false",
        ),
        (
            "POST /save-clip?camera=goal HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "?camera= means nothing here; known are: camera_id, duration, pre, post, wait",
        ),
        (
            "POST /save-clip?duration=2 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: 14\r\n\r\n{\"duration\":3}"
                .to_owned(),
            400,
            "is given twice, and not the same",
        ),
        (
            "GET /status?limit=1 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "?limit= means nothing here; this address takes nothing",
        ),
        (
            "GET /queue?most=1 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "known are: limit",
        ),
        (
            "GET /save-clip HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            405,
            "wants POST",
        ),
        (
            "DELETE /status HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            405,
            "wants GET",
        ),
        (
            "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            404,
            "there is no /",
        ),
        (
            "GET /saveclip HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            404,
            "POST /save-clip",
        ),
        (
            "GET /highlights?limit=0 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "1 to 1000",
        ),
        (
            "GET /highlights?limit=x HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            400,
            "1 to 1000",
        ),
        (
            "GET /highlights/%ff/x/y HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            404,
            "no such highlight",
        ),
        (
            "GET /status HTTP/1.1\r\n\r\n".to_owned(),
            403,
            "names no host",
        ),
    ];
    for (request, status, message) in table {
        let answer = running.send(&request);
        assert_eq!(answer.status, status, "{request}\n{answer:?}");
        conforms("press", &answer.json());
        assert!(answer.body.contains(message), "{request}\n{answer:?}");
    }
    assert!(running.fake.pressed().is_empty());
    assert_eq!(
        get(&running, "/nothing").header("x-content-type-options"),
        "nosniff"
    );
}

#[test]
fn a_configured_token_is_needed_for_everything_but_health() {
    let running = start_with(Fake::default(), |settings| {
        settings.token = Some(hindsight::config::Secret::new(TOKEN));
    });
    let ask = |method: &str, path: &str, bearer: &str| {
        running.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: box.venue.example\r\nauthorization: {bearer}\r\n\r\n"
        ))
    };
    let right = format!("Bearer {TOKEN}");
    let paths = [
        ("POST", "/save-clip"),
        ("GET", "/status"),
        ("GET", "/highlights"),
        ("GET", "/highlights/2026-11-21/x/court1.mp4"),
        ("GET", "/nothing"),
    ];
    for (method, path) in paths {
        for wrong in ["Bearer wrong", "Bearer", "", TOKEN] {
            let answer = ask(method, path, wrong);
            assert_eq!(answer.status, 401, "{method} {path} with {wrong:?}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            assert!(!answer.body.contains(TOKEN));
        }
        assert_ne!(ask(method, path, &right).status, 401, "{method} {path}");
    }
    assert_eq!(running.fake.pressed().len(), 1);
    let stranger = get(&running, "/health");
    assert_eq!(stranger.status, 200);
    conforms("health", &stranger.json());
    assert_eq!(
        stranger.json()["reasons"],
        json!([{"code": "disk_nearly_full", "what": "the disk is nearly full"}])
    );
    let known = ask("GET", "/health", &right).json();
    conforms("health", &known);
    assert_eq!(known["reasons"][0]["where"], "/data");
}

#[test]
fn without_a_token_foreign_hosts_and_pages_are_refused() {
    let running = start(Fake::default());
    let ask = |method: &str, headers: &str| {
        running
            .send(&format!("{method} HTTP/1.1\r\n{headers}\r\n\r\n"))
            .status
    };
    assert_eq!(ask("GET /status", "host: localhost:8080"), 200);
    assert_eq!(ask("GET /status", "host: evil.example"), 403);
    assert_eq!(ask("GET /health", "host: evil.example"), 403);
    assert_eq!(
        ask("GET http://evil.example/status", "host: localhost"),
        403
    );
    assert_eq!(
        ask(
            "POST /save-clip",
            "host: localhost\r\norigin: http://evil.example"
        ),
        403
    );
    assert_eq!(
        ask("POST /save-clip", "host: localhost\r\norigin: null"),
        403
    );
    assert_eq!(
        ask(
            "POST /save-clip",
            "host: localhost\r\ncontent-type: text/plain\r\ncontent-length: 0"
        ),
        415
    );
    assert!(running.fake.pressed().is_empty());
    assert_eq!(
        ask(
            "POST /save-clip",
            "host: localhost\r\norigin: http://localhost"
        ),
        200
    );
}

#[test]
fn it_does_not_start_open_to_all_nor_where_another_listens() {
    let running = start(Fake::default());
    let mut taken = settings();
    taken.listen = running.addr;
    let error = house::serve(taken, Fake::default()).unwrap_err();
    assert!(matches!(error, WebError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("is another hindsight running?"));
    let mut open = settings();
    open.listen = "0.0.0.0:0".parse().unwrap();
    let error = house::serve(open, Fake::default()).unwrap_err();
    assert!(matches!(error, WebError::OpenToAll(_)), "{error}");
    assert!(error.to_string().contains("token_file"));
    let mut elsewhere = settings();
    elsewhere.listen = "192.0.2.1:8080".parse().unwrap();
    elsewhere.token = Some(hindsight::config::Secret::new(TOKEN));
    let error = house::serve(elsewhere, Fake::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("must be an address of this machine"),
        "{error}"
    );
}

#[test]
fn presses_over_http_can_be_switched_off() {
    let running = start_with(Fake::default(), |settings| settings.presses = false);
    let answer = post(&running, "/save-clip", "{}");
    assert_eq!(answer.status, 403);
    assert!(running.fake.pressed().is_empty());
}

#[test]
fn status_and_highlights_are_what_the_house_says() {
    let running = start(Fake::default());
    let status = get(&running, "/status").json();
    assert_eq!(status["status"], "running");
    assert_eq!(status["timestamp"], "2026-11-21T09:00:00.000-03:00");
    conforms("status", &status);
    assert_eq!(status["captures"]["cameras"][0]["camera_id"], "court1");
    assert_eq!(status["buffers"][1]["trouble"], "there is no ring");
    assert_eq!(status["health"]["status"], "degraded");
    for path in ["/highlights", "/highlights/", "/highlights?limit=7"] {
        let list = get(&running, path).json();
        assert_eq!(list["highlights"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(list["highlights"][0]["facts"], json!({"type": "highlight"}));
    }
}

#[test]
fn files_are_served_whole_in_parts_and_as_heads() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("2026-11-21").join(PRESS_ID);
    fs::create_dir_all(&folder).unwrap();
    let clip: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(folder.join("court1.mp4"), &clip).unwrap();
    fs::write(folder.join("court1.json"), "{}\n").unwrap();
    fs::write(place.path().join("secret.json"), "secret").unwrap();
    std::os::unix::fs::symlink(place.path().join("secret.json"), folder.join("linked.json"))
        .unwrap();
    let running = start_with(Fake::default(), |settings| {
        settings.highlights = place.path().to_owned();
    });
    let path = format!("/highlights/2026-11-21/{PRESS_ID}/court1.mp4");
    let ask = |method: &str, more: &str| {
        running.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n"
        ))
    };

    let whole = ask("GET", "");
    assert_eq!(
        (whole.status, whole.header("content-type")),
        (200, "video/mp4")
    );
    assert_eq!(whole.bytes, clip);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let head = ask("HEAD", "");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, "1000000")
    );
    assert!(head.bytes.is_empty());

    let part = ask("GET", "range: bytes=300000-699999\r\n");
    assert_eq!(part.status, 206);
    assert_eq!(part.header("content-range"), "bytes 300000-699999/1000000");
    assert_eq!(part.bytes, clip[300_000..700_000]);
    let tail = ask("GET", "range: bytes=-10\r\n");
    assert_eq!(tail.bytes, clip[999_990..]);
    let behind = ask("GET", "range: bytes=1000000-\r\n");
    assert_eq!(behind.status, 416);
    assert_eq!(behind.header("content-range"), "bytes */1000000");
    conforms("press", &behind.json());

    let etag = whole.header("etag").to_owned();
    assert_eq!(
        ask("GET", &format!("if-none-match: {etag}\r\n")).status,
        304
    );
    let changed = ask("GET", "if-range: \"other\"\r\nrange: bytes=0-1\r\n");
    assert_eq!((changed.status, changed.bytes.len()), (200, clip.len()));

    let sidecar = get(&running, &path.replace(".mp4", ".json"));
    assert_eq!(
        (sidecar.header("content-type"), sidecar.body.as_str()),
        ("application/json", "{}\n")
    );
    let hidden = [
        "linked.json",
        "../../secret.json",
        "%2e%2e/%2e%2e/secret.json",
        "..%2f..%2fsecret.json",
        "court1.mp4%00",
        "court2.mp4",
        "",
    ];
    for name in hidden {
        let answer = get(&running, &path.replace("court1.mp4", name));
        assert_eq!(answer.status, 404, "{name}: {answer:?}");
        assert!(!answer.body.contains("secret"), "{name}");
    }
    assert_eq!(get(&running, "/highlights/../secret.json").status, 404);
}

#[test]
fn after_the_stop_the_port_is_free_again() {
    let running = start(Fake::default());
    assert_eq!(get(&running, "/health").status, 200);
    let addr = running.addr;
    let idle = running.connect();
    running.stop();
    drop(idle);
    let mut again = settings();
    again.listen = addr;
    house::serve(again, Fake::default()).unwrap().stop();
}

#[test]
fn the_queue_is_shown_and_a_job_is_tried_again_or_dropped() {
    let running = start(Fake::default());
    let shown = get(&running, "/queue?limit=5");
    let jobs = shown.json()["jobs"].as_array().unwrap().len();
    assert_eq!((shown.status, jobs), (200, 5));
    assert_eq!(get(&running, "/queue?limit=0").status, 400);
    let known = r#"{"id": "known"}"#;
    for path in ["/queue/retry", "/queue/drop"] {
        let answer = post(&running, path, known);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.json()["jobs"], json!(["known"]));
        let answer = post(&running, path, r#"{"id": "other"}"#);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        let said = answer.json();
        assert!(said["message"].as_str().unwrap().contains("other"));
        assert_eq!(said["code"], "queue_job_unknown");
        assert_eq!(said["args"], json!({"job": "other"}));
        assert_eq!(get(&running, path).status, 405, "{path}");
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"id": 5}"#,
            r#"{"id": "a", "failed": true}"#,
        ] {
            let answer = post(&running, path, bad);
            assert_eq!(answer.status, 400, "{path} {bad}: {answer:?}");
        }
    }
    let answer = post(&running, "/queue/retry", r#"{"failed": true}"#);
    assert_eq!(answer.json()["jobs"], json!([]));
    assert_eq!(
        post(&running, "/queue/drop", r#"{"failed": true}"#).status,
        400
    );
}
