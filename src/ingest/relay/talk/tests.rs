//! Whole conversations: what each side hears.

#![allow(clippy::unwrap_used)]
use super::super::sign_in::SignInAs;
use super::*;
use proptest::prelude::*;

const OURS: &str = "rtsp://127.0.0.1:4000/0123";
const CAMERA: &str = "rtsp://192.0.2.1/live";

fn talk(password: Option<&str>) -> RelayTalk {
    let known = password.map(|password| SignInAs {
        username: "user".to_owned(),
        password: password.to_owned(),
        basic: false,
    });
    RelayTalk::new(
        OURS.to_owned(),
        CAMERA.to_owned(),
        SignIn::new(known, [1; 16]),
    )
}

/// What the camera hears of this request.
fn asked(talk: &mut RelayTalk, method: &str, uri: &str, cseq: u32, more: &str) -> String {
    let text = format!("{method} {uri} RTSP/1.0\r\nCSeq: {cseq}\r\n{more}\r\n");
    talk.retina_said(text.as_bytes()).unwrap();
    String::from_utf8(std::mem::take(&mut talk.to_camera)).unwrap()
}

/// What retina hears of this answer.
fn heard(talk: &mut RelayTalk, answer: &str) -> String {
    talk.camera_said(answer.as_bytes()).unwrap();
    String::from_utf8_lossy(&std::mem::take(&mut talk.to_retina)).into_owned()
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=control:trackID=0\r\n";

fn described(cseq: u32) -> String {
    format!(
        "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
}

/// Up to PLAY, with a camera that says it so.
fn playing(session: &str) -> RelayTalk {
    let mut talk = talk(None);
    asked(&mut talk, "DESCRIBE", OURS, 1, "");
    heard(&mut talk, &described(1));
    let offer = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    asked(&mut talk, "SETUP", &format!("{CAMERA}/trackID=0"), 2, offer);
    let answer = format!(
        "RTSP/1.0 200 OK\r\nCSeq: 2\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n{session}\r\n"
    );
    let set_up = heard(&mut talk, &answer);
    assert!(set_up.contains("Session: relay;timeout=60\r\n"), "{set_up}");
    asked(&mut talk, "PLAY", OURS, 3, "Session: relay\r\n");
    heard(&mut talk, "RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n");
    talk
}

#[test]
fn retina_sees_an_orderly_camera_and_the_camera_an_orderly_client() {
    let mut talk = talk(None);
    let to_camera = asked(&mut talk, "DESCRIBE", OURS, 7, "User-Agent: us\r\n");
    assert_eq!(
        to_camera,
        format!("DESCRIBE {CAMERA} RTSP/1.0\r\nUser-Agent: us\r\nCSeq: 1\r\n\r\n")
    );
    let to_retina = heard(&mut talk, &described(1));
    assert!(to_retina.contains("CSeq: 7\r\n"), "{to_retina}");
    assert!(
        to_retina.contains(&format!("Content-Base: {CAMERA}\r\n")),
        "{to_retina}"
    );
    let offer = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n";
    let uri = format!("{CAMERA}/trackID=0");
    asked(&mut talk, "SETUP", &uri, 8, offer);
    let answer = "RTSP/1.0 200 OK\r\nCSeq: 2\r\nSession: A;timeout=6\r\nTransport: RTP/AVP/TCP;interleaved=4-5\r\n\r\n";
    let to_retina = heard(&mut talk, answer);
    assert!(
        to_retina.contains("Session: relay;timeout=6\r\n"),
        "{to_retina}"
    );
    assert!(to_retina.contains("interleaved=0-1\r\n"), "{to_retina}");
    let to_camera = asked(&mut talk, "PLAY", OURS, 9, "Session: relay\r\n");
    assert!(to_camera.contains("Session: A\r\n"), "{to_camera}");
    assert!(to_camera.starts_with(&format!("PLAY {CAMERA} RTSP/1.0\r\n")));
    // What comes before the answer comes after it.
    let mut frame = b"$\x04\0\x0d\x80\x60\0\x01\0\0\0\x02\0\0\0\x03x".to_vec();
    talk.camera_said(&frame).unwrap();
    assert!(talk.to_retina.is_empty());
    talk.camera_said(b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n")
        .unwrap();
    frame[1] = 0;
    assert!(talk.to_retina.ends_with(&frame));
    assert_eq!(talk.quirks, Quirks::default());
}

#[test]
fn a_camera_without_session_or_numbers_is_understood() {
    let mut talk = talk(None);
    asked(&mut talk, "DESCRIBE", OURS, 1, "");
    let to_retina = heard(&mut talk, "RTSP/1.0 200\r\n\r\n");
    assert!(to_retina.starts_with("RTSP/1.0 200 OK\r\n") && to_retina.contains("CSeq: 1\r\n"));
    asked(
        &mut talk,
        "SETUP",
        CAMERA,
        2,
        "Transport: RTP/AVP/TCP;interleaved=0-1\r\n",
    );
    let to_retina = heard(&mut talk, "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
    assert!(to_retina.contains("CSeq: 2\r\n") && to_retina.contains("Session: relay;timeout=60"));
    let met = [
        Quirk::NoReasonPhrase {},
        Quirk::OddSequence {},
        Quirk::OddTransport {},
        Quirk::NoSession {},
    ];
    assert_eq!(talk.quirks.all(), met);
}

#[test]
fn a_nonce_for_each_request_is_answered_and_a_wrong_password_is_passed_on() {
    let mut talk = talk(Some("pass"));
    let no = |cseq: u32, nonce: &str, stale: &str| {
        format!(
            "RTSP/1.0 401 No\r\nCSeq: {cseq}\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"{stale}\r\n\r\n"
        )
    };
    asked(&mut talk, "DESCRIBE", OURS, 1, "");
    assert_eq!(heard(&mut talk, &no(1, "a", "")), "");
    let signed = String::from_utf8(std::mem::take(&mut talk.to_camera)).unwrap();
    assert!(
        signed.contains("nonce=\"a\"") && signed.contains("CSeq: 2\r\n"),
        "{signed}"
    );
    assert!(heard(&mut talk, &described(2)).contains("CSeq: 1\r\n"));
    let setup = asked(
        &mut talk,
        "SETUP",
        CAMERA,
        2,
        "Transport: RTP/AVP/TCP;interleaved=0-1\r\n",
    );
    assert!(setup.contains("nonce=\"a\""), "{setup}");
    assert_eq!(heard(&mut talk, &no(3, "b", ", stale=true")), "");
    let again = String::from_utf8(std::mem::take(&mut talk.to_camera)).unwrap();
    assert!(
        again.starts_with("SETUP ") && again.contains("nonce=\"b\""),
        "{again}"
    );
    assert_eq!(talk.quirks.all(), [Quirk::NonceOnce {}]);
    let refused = heard(&mut talk, &no(4, "c", ""));
    assert!(
        refused.starts_with("RTSP/1.0 401 ") && refused.contains("CSeq: 2\r\n"),
        "{refused}"
    );
    assert_eq!(talk.refusal, None);
}

#[test]
fn a_camera_that_wants_the_password_in_the_open_is_told_so() {
    let mut talk = talk(Some("pass"));
    asked(&mut talk, "DESCRIBE", OURS, 1, "");
    let basic = "RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\r\n";
    assert!(heard(&mut talk, basic).starts_with("RTSP/1.0 401 "));
    assert!(talk.to_camera.is_empty());
    assert_eq!(
        talk.refusal,
        Some(CaptureSentence::NoSignIn { status: 401 })
    );
}

#[test]
fn keep_alives_are_answered_at_once_whatever_the_camera_says() {
    let silent = vec![Quirk::SilentKeepAlive {}];
    for (answer, quirks) in [
        ("", silent),
        ("RTSP/1.0 501 No\r\nCSeq: {n}\r\n\r\n", vec![]),
        (
            "RTSP/1.0 200 OK\r\nCSeq: {n}\r\nServer:\r\n\r\n",
            vec![Quirk::HeaderWithoutValue {}],
        ),
        (
            "RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n",
            vec![Quirk::OddKeepAlive {}],
        ),
        ("RTSP/1.0 200 OK\r\n\r\n", vec![Quirk::OddKeepAlive {}]),
    ] {
        let mut talk = playing("Session: A;timeout=60\r\n");
        for number in 4..12_u32 {
            let to_camera = asked(&mut talk, "OPTIONS", CAMERA, number, "Session: relay\r\n");
            assert!(to_camera.contains("Session: A\r\n"), "{to_camera}");
            let own = String::from_utf8(std::mem::take(&mut talk.to_retina)).unwrap();
            assert!(own.starts_with("RTSP/1.0 200 OK\r\n"), "{own}");
            assert!(own.contains(&format!("CSeq: {number}\r\n")), "{own}");
            let sent: u32 = to_camera
                .split_once("CSeq: ")
                .and_then(|(_, behind)| behind.split_once("\r\n"))
                .and_then(|(number, _)| number.parse().ok())
                .unwrap();
            let answer = answer.replace("{n}", &sent.to_string());
            assert_eq!(heard(&mut talk, &answer), "");
        }
        assert!(talk.open.len() <= MOST_OPEN);
        assert_eq!(talk.quirks.all(), quirks, "{answer:?}");
    }
}

#[test]
fn what_the_camera_asks_is_answered_and_retina_hears_nothing_of_it() {
    let mut talk = playing("Session: A\r\n");
    for (method, status) in [("OPTIONS", 200), ("SET_PARAMETER", 200), ("REDIRECT", 501)] {
        let text = format!("{method} {CAMERA} RTSP/1.0\r\nCSeq: 5\r\n\r\n");
        assert_eq!(heard(&mut talk, &text), "");
        let answer = String::from_utf8(std::mem::take(&mut talk.to_camera)).unwrap();
        assert!(
            answer.starts_with(&format!("RTSP/1.0 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("CSeq: 5\r\n"), "{answer}");
    }
}

#[test]
fn a_camera_that_only_sends_by_udp_and_one_that_makes_no_sense_end_the_relay() {
    let mut talk = talk(None);
    asked(
        &mut talk,
        "SETUP",
        CAMERA,
        1,
        "Transport: RTP/AVP/TCP;interleaved=0-1\r\n",
    );
    let udp = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=1-2\r\n\r\n";
    assert_eq!(talk.camera_said(udp), Err(TalkEnd::OnlyUdp));
    let mut talk = super::tests::talk(None);
    asked(&mut talk, "DESCRIBE", OURS, 1, "");
    let end = talk.camera_said(b"what is RTSP?\r\n").unwrap_err();
    assert_eq!(
        talk.why(end).to_string(),
        "connecting failed: what it answers is no RTSP"
    );
}

proptest! {
    #[test]
    fn no_bytes_of_either_side_are_too_odd(
        said in proptest::collection::vec(
            (any::<bool>(), prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                "RTSP/1\\.0 (200|401|501|100) OK\r\n(CSeq: [0-9]\r\n|Session: [a-z;=0-9]{0,9}\r\n|WWW-Authenticate: Digest nonce=[a-z]\r\n|Transport: [ -~]{0,30}\r\n|RTP-Info: [ -~]{0,30}\r\n){0,5}\r\n"
                    .prop_map(String::into_bytes),
                "(DESCRIBE|SETUP|PLAY|OPTIONS|TEARDOWN) [ -~]{1,20} RTSP/1\\.0\r\n(CSeq: [0-9]\r\n|Transport: [ -~]{0,20}\r\n){0,3}\r\n"
                    .prop_map(String::into_bytes),
            ]), 0..40),
    ) {
        let mut talk = talk(Some("pass"));
        for (camera, bytes) in &said {
            let end = match camera {
                true => talk.camera_said(bytes),
                false => talk.retina_said(bytes),
            };
            if let Err(end) = end {
                talk.why(end);
                return Ok(());
            }
            prop_assert!(talk.open.len() <= MOST_OPEN);
        }
    }
}
