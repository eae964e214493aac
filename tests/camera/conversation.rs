//! Faults in how the camera answers.

use std::time::Instant;

use hindsight::demo::{CameraFault, DemoCamera, RtspStage, Script, When};

use crate::raw::Raw;
use crate::reader::{PLAIN, Reader};

fn camera(fault: CameraFault) -> DemoCamera {
    DemoCamera::start(Script {
        faults: vec![(When::Start, fault)],
        ..Script::default()
    })
    .unwrap()
}

const STEPS: [(&str, RtspStage); 4] = [
    ("OPTIONS", RtspStage::Options),
    ("DESCRIBE", RtspStage::Describe),
    ("SETUP", RtspStage::Setup),
    ("PLAY", RtspStage::Play),
];

#[test]
fn it_falls_mute_after_any_stage_and_keeps_the_connection_open() {
    let stages = [
        RtspStage::Connect,
        RtspStage::Options,
        RtspStage::Describe,
        RtspStage::Setup,
        RtspStage::Play,
    ];
    for last in stages {
        let camera = camera(CameraFault::MuteAfter(last));
        let mut raw = Raw::connect(&camera);
        for (method, _) in STEPS.iter().filter(|(_, stage)| *stage <= last) {
            assert_eq!(raw.ask(method).status, 200, "{method}, mute after {last:?}");
        }
        raw.say("GET_PARAMETER");
        assert!(raw.is_silent(), "mute after {last:?}");
        assert!(camera.log().is_empty(), "it sends all the same");
    }
}

#[test]
fn it_refuses_with_any_status_from_any_stage_on() {
    for (status, from) in [
        (401, RtspStage::Describe),
        (404, RtspStage::Describe),
        (503, RtspStage::Options),
        (461, RtspStage::Setup),
        (454, RtspStage::Play),
    ] {
        let camera = camera(CameraFault::Refuse { from, status });
        let mut raw = Raw::connect(&camera);
        for (method, stage) in STEPS {
            let answer = raw.ask(method);
            let expected = if stage < from { 200 } else { status };
            assert_eq!(answer.status, expected, "{method}");
            assert_eq!(
                answer.text.contains("WWW-Authenticate: Digest"),
                answer.status == 401
            );
        }
        let error = Reader::connect(&camera, &PLAIN).err().unwrap();
        assert_eq!(error.status_code().unwrap_or(status), status);
    }
}

#[test]
fn it_redirects() {
    let camera = camera(CameraFault::Redirect("rtsp://127.0.0.1:9/elsewhere".into()));
    let answer = Raw::connect(&camera).ask("DESCRIBE");
    assert_eq!(answer.status, 302);
    assert!(
        answer
            .text
            .contains("Location: rtsp://127.0.0.1:9/elsewhere\r\n")
    );
}

#[test]
fn it_answers_nonsense_until_it_is_told_to_behave() {
    let camera = camera(CameraFault::Nonsense);
    let mut raw = Raw::connect(&camera);
    raw.say("DESCRIBE");
    assert!(!raw.bytes().starts_with(b"RTSP/"));
    assert!(Reader::connect(&camera, &PLAIN).is_err());
    camera.inject(CameraFault::Behave);
    Reader::connect(&camera, &PLAIN).unwrap().frames(2);
}

#[test]
fn its_headers_do_not_end() {
    let camera = camera(CameraFault::EndlessHeaders);
    let mut raw = Raw::connect(&camera);
    raw.say("DESCRIBE");
    let mut seen = Vec::new();
    while seen.len() < 500_000 {
        seen.extend(raw.bytes());
    }
    assert!(seen.starts_with(b"RTSP/1.0 200 OK\r\n"));
    assert!(!seen.windows(4).any(|w| w == b"\r\n\r\n"));
}

#[test]
fn it_answers_byte_by_byte_and_still_plays() {
    let camera = camera(CameraFault::SlowBytes { ms: 1 });
    let mut raw = Raw::connect(&camera);
    let asked = Instant::now();
    raw.say("OPTIONS");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.extend(raw.bytes());
    }
    // How many come at once is the reader's luck; that each byte was waited for is not.
    assert!(asked.elapsed().as_millis() >= answer.len() as u128 - 1);
    Reader::connect(&camera, &PLAIN).unwrap().frames(2);
}

#[test]
fn its_listener_closes_and_opens_on_the_same_port() {
    let camera = DemoCamera::start(Script::default()).unwrap();
    let mut raw = Raw::play(&camera);
    let addr = camera.addr();
    camera.inject(CameraFault::CloseListener);
    let refused = std::net::TcpStream::connect(addr).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    raw.packet().expect("who is connected stays");
    camera.inject(CameraFault::OpenListener);
    assert_eq!(camera.addr(), addr);
    Raw::play(&camera).packet().unwrap();
    assert_eq!(camera.connections(), 2);
}

#[test]
fn it_can_start_with_its_listener_closed() {
    let camera = camera(CameraFault::CloseListener);
    assert!(std::net::TcpStream::connect(camera.addr()).is_err());
    camera.inject(CameraFault::OpenListener);
    Raw::play(&camera).packet().unwrap();
}

#[test]
fn it_remembers_who_asked_what() {
    let camera = DemoCamera::start(Script::default()).unwrap();
    let mut raw = Raw::play(&camera);
    raw.ask("GET_PARAMETER");
    raw.ask("TEARDOWN");
    assert!(raw.is_silent(), "nothing comes after TEARDOWN");
    Raw::connect(&camera).ask("OPTIONS");
    let asked: Vec<(String, u32)> = camera
        .asked()
        .into_iter()
        .map(|asked| (asked.method, asked.connection))
        .collect();
    let expected = [
        ("OPTIONS", 0),
        ("DESCRIBE", 0),
        ("SETUP", 0),
        ("PLAY", 0),
        ("GET_PARAMETER", 0),
        ("TEARDOWN", 0),
        ("OPTIONS", 1),
    ];
    assert_eq!(
        asked,
        expected.map(|(method, connection)| (method.to_owned(), connection))
    );
}
