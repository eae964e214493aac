//! Cameras whose RTSP retina refuses: they are read through the relay, whole, and it is said why.

use std::sync::Arc;
use std::time::Duration;

use hindsight::base::{RealClock, Stop};
use hindsight::config::{Camera, Transport};
use hindsight::demo::{Bend, CameraFault, DemoCamera, Login, NonceLife, Scheme, Script, When};
use hindsight::ingest::{self, CameraState, ConnectionPhase, Limits};
use hindsight::media::Track;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::{Watched, camera, processes, quick, settings, units, wait_for, with_password};

fn bent(bend: Bend) -> Script {
    Script {
        faults: vec![(When::Start, CameraFault::Bend(bend))],
        ..Script::default()
    }
}

/// With one thing in the place of another, in answers to this method.
fn replaced(of: &str, method: &str, text: &str, from: &str, to: &str) -> Option<Vec<u8>> {
    let text = match of == method || of.is_empty() {
        true => text.replacen(from, to, 1),
        false => text.to_owned(),
    };
    Some(with_length(&text))
}

/// With the length that the body has now.
fn with_length(text: &str) -> Vec<u8> {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return text.as_bytes().to_vec();
    };
    let lines = head.split("\r\n").map(|line| {
        match line.to_ascii_lowercase().starts_with("content-length:") {
            true => format!("Content-Length: {}", body.len()),
            false => line.to_owned(),
        }
    });
    let head = lines.collect::<Vec<_>>().join("\r\n");
    format!("{head}\r\n\r\n{body}").into_bytes()
}

fn latin_1(method: &str, text: &str) -> Option<Vec<u8>> {
    let text = replaced("DESCRIBE", method, text, "s=Hindsight demo", "s=K~che demo")?;
    let byte = |byte| if byte == b'~' { 0xfc } else { byte };
    Some(text.into_iter().map(byte).collect())
}

/// An oddity, and the words for it.
const TEXTS: &[(&str, Bend)] = &[
    ("a header without a value", |method, text| {
        replaced(
            "",
            method,
            text,
            "\r\nCSeq",
            "\r\nServer:\r\nX-Empty: \r\nCSeq",
        )
    }),
    ("a line of blanks among the headers", |method, text| {
        replaced(
            "PLAY",
            method,
            text,
            "timeout=60\r\n",
            "timeout=60\r\n \r\n",
        )
    }),
    ("a status without words", |method, text| {
        replaced("", method, text, " OK\r\n", "\r\n")
    }),
    ("names no session", |method, text| {
        let text = replaced("SETUP", method, text, "Session:", "X-No-Session:")?;
        replaced(
            "PLAY",
            method,
            &String::from_utf8_lossy(&text),
            "Session:",
            "X-No-Session:",
        )
    }),
    ("sessions last is written", |method, text| {
        replaced("", method, text, "timeout=60", "timeout = 60")
    }),
    ("sessions last 0 s", |method, text| {
        replaced("", method, text, "timeout=60", "timeout=0")
    }),
    ("not in UTF-8", latin_1),
    ("where the stream begins", |method, text| {
        let seq = text
            .split_once(";seq=")
            .and_then(|(_, behind)| behind.split_once(';'));
        let seq = seq.map_or(String::new(), |(digits, _)| format!(";seq={digits};"));
        replaced("PLAY", method, text, &seq, ";seq=;")
    }),
    ("a negative port", |method, text| {
        replaced("DESCRIBE", method, text, "m=video 0", "m=video -1")
    }),
    ("describes the transport", |method, text| {
        replaced(
            "SETUP",
            method,
            text,
            "unicast;",
            "unicast;server_port=-1--1;",
        )
    }),
    ("by another name", |method, text| {
        replaced(
            "DESCRIBE",
            method,
            text,
            "application/sdp",
            "application/sdp; charset=utf-8",
        )
    }),
    ("not say what it is the answer to", |method, text| {
        let cseq = text
            .split("\r\n")
            .find(|line| line.starts_with("CSeq"))
            .unwrap_or("CSeq");
        replaced("", method, text, cseq, "CSeq: 0")
    }),
    ("ends lines in a way", |_, text| {
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some(format!("{}\n\n{body}", head.replace('\r', "")).into_bytes())
    }),
    ("the first line of its answer", |method, text| {
        replaced("", method, text, "RTSP/1.0 200", "RTSP/1.0  200")
    }),
    ("breaks a header into two lines", |method, text| {
        replaced(
            "",
            method,
            text,
            "\r\nCSeq",
            "\r\nPublic: OPTIONS,\r\n\tPLAY\r\nCSeq",
        )
    }),
];

/// In processes, with patience: a busy machine makes no camera stall, or fall silent.
fn patient(cameras: Vec<Camera>) -> Watched {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let limits = Limits {
        connect: Duration::from_secs(5),
        stall: Duration::from_secs(30),
        ..quick().1
    };
    let settings = settings(dir.path(), cameras, quick().0);
    let clock = Arc::new(RealClock);
    let stop = Stop::default();
    let ingest = ingest::start_in_processes(settings, processes(), clock, stop, limits);
    Watched {
        ingest: Some(ingest.unwrap()),
        dir,
    }
}

fn id(index: usize) -> String {
    format!("odd{index}")
}

/// Streams through the relay, which is said, and no picture is missing.
fn whole(watched: &Watched, id: &str, why: &str) -> CameraState {
    let state = watched.wait_state(id, &format!("a stream, though {why}"), |state| {
        state.state == ConnectionPhase::Streaming && state.relay.is_some()
    });
    let said = state.relay.clone().unwrap();
    assert!(
        said.starts_with("needs the relay, because ") && said.contains(why),
        "{why}: {said}"
    );
    assert_eq!(state.relay_sentence.unwrap().code, "camera_needs_relay");
    let before = state.access_units;
    let state = watched.wait_state(id, "pictures", |state| state.access_units > before + 150);
    let kept = units(&watched.reader(id));
    let epoch = kept[kept.len() - 1].meta.epoch;
    let now = kept.iter().filter(|unit| unit.meta.epoch == epoch);
    let pictures: Vec<i64> = now
        .clone()
        .filter(|unit| unit.meta.track == Track::Video)
        .map(|unit| unit.meta.pts)
        .collect();
    assert!(pictures.len() > 30, "{why}");
    assert!(
        pictures.windows(2).all(|p| p[1] - p[0] == 3_000),
        "{why}: a picture is missing"
    );
    assert!(now.clone().any(|unit| unit.meta.track == Track::Audio));
    assert_eq!(state.lost_packets, 0, "{why}");
    state
}

#[test]
fn text_that_is_refused_elsewhere_is_mended_and_every_picture_comes() {
    let cameras = DemoCamera::start_many(TEXTS.iter().map(|(_, bend)| bent(*bend)).collect());
    let cameras = cameras.unwrap();
    let named = |(index, odd): (usize, &DemoCamera)| camera(&id(index), odd.url());
    let watched = patient(cameras.iter().enumerate().map(named).collect());
    for (index, (why, _)) in TEXTS.iter().enumerate() {
        let state = whole(&watched, &id(index), why);
        assert_eq!((state.connections, state.attempts), (1, 1), "{why}");
        assert_eq!(state.reason, "", "{why}");
    }
    watched.end();
}

#[test]
fn a_camera_that_needs_no_relay_gets_none() {
    let good = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start(vec![camera("good", good.url())]);
    let state = watched.wait_state("good", "pictures", |state| state.access_units > 200);
    assert_eq!((state.relay, good.connections()), (None, 1));
    watched.end();
}

/// Sessions of 2 s, so that keep-alives come soon.
fn short(method: &str, text: &str) -> String {
    let text = replaced("", method, text, "timeout=60", "timeout=2").unwrap_or_default();
    String::from_utf8(text).unwrap_or_default()
}

fn keeps_up(method: &str) -> bool {
    matches!(method, "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER")
}

const KEEP_ALIVES: &[(&str, Bend)] = &[
    ("not answer when it is asked", |method, text| {
        (!keeps_up(method)).then(|| short(method, text).into_bytes())
    }),
    ("a header without a value", |method, text| {
        let of = if keeps_up(method) { method } else { "none" };
        replaced(
            of,
            method,
            &short(method, text),
            "\r\nCSeq",
            "\r\nServer:\r\nCSeq",
        )
    }),
    ("answers oddly when it is asked", |method, text| {
        let of = if keeps_up(method) { method } else { "none" };
        replaced(
            of,
            method,
            &short(method, text),
            "\r\nCSeq: ",
            "\r\nCSeq: 9",
        )
    }),
];

#[test]
fn a_camera_that_sends_is_not_hung_up_on_for_its_keep_alives() {
    let cameras = DemoCamera::start_many(KEEP_ALIVES.iter().map(|(_, bend)| bent(*bend)).collect());
    let cameras = cameras.unwrap();
    let named = |(index, odd): (usize, &DemoCamera)| camera(&id(index), odd.url());
    let watched = patient(cameras.iter().enumerate().map(named).collect());
    for (index, (why, _)) in KEEP_ALIVES.iter().enumerate() {
        let state = whole(&watched, &id(index), why);
        // Learned by one loss; from then on it streams through many keep-alives.
        assert_eq!(state.connections, 2, "{why}");
        let before = state.access_units;
        let later = watched.wait_state(&id(index), "much later", |state| {
            state.access_units > before + 500
        });
        assert_eq!(later.connections, 2, "{why}");
    }
    watched.end();
}

fn locked(scheme: Scheme, nonce: NonceLife) -> Script {
    Script {
        login: Some(Login {
            username: "viewer".to_owned(),
            password: "p@s:s#%41 \u{e4}\\".to_owned(),
            scheme,
            nonce,
        }),
        ..Script::default()
    }
}

fn known(id: &str, camera_: &DemoCamera, password: &str) -> Camera {
    with_password(camera(id, camera_.url()), "viewer", password)
}

const PASSWORD: &str = "p@s:s#%41 \u{e4}\\";

#[test]
fn passwords_are_signed_as_the_camera_wants_them() {
    let table = [
        (
            "the algorithm of the password",
            locked(Scheme::DigestSha256, NonceLife::Connection),
        ),
        (
            "the password anew for each request",
            locked(Scheme::Digest, NonceLife::Once),
        ),
        (
            "the algorithm of the password",
            locked(Scheme::DigestSha256, NonceLife::Once),
        ),
    ];
    let cameras = DemoCamera::start_many(table.iter().map(|(_, script)| script.clone()).collect());
    let cameras = cameras.unwrap();
    let named = |(index, odd): (usize, &DemoCamera)| known(&id(index), odd, PASSWORD);
    let watched = patient(cameras.iter().enumerate().map(named).collect());
    for (index, (why, _)) in table.iter().enumerate() {
        let state = whole(&watched, &id(index), why);
        assert_eq!(state.connections, 1, "{why}");
    }
    watched.end();
}

#[test]
fn a_nonce_that_grows_old_is_renewed_and_the_camera_does_not_hang_up_again() {
    let mut script = locked(Scheme::Digest, NonceLife::Ms(2_500));
    script.faults = vec![(
        When::Start,
        CameraFault::Bend(|method, text| Some(short(method, text).into_bytes())),
    )];
    let odd = DemoCamera::start(script).unwrap();
    let watched = patient(vec![known("odd", &odd, PASSWORD)]);
    let state = whole(&watched, "odd", "the password anew while it streams");
    assert_eq!(state.connections, 2);
    let before = state.access_units;
    let later = watched.wait_state("odd", "much later", |state| {
        state.access_units > before + 500
    });
    assert_eq!(later.connections, 2);
    watched.end();
}

#[test]
fn a_wrong_password_is_one_and_is_not_sent_again_and_again() {
    let cameras = DemoCamera::start_many(vec![
        locked(Scheme::Digest, NonceLife::Connection),
        locked(Scheme::Digest, NonceLife::Once),
        locked(Scheme::DigestSha256, NonceLife::Connection),
    ]);
    let cameras = cameras.unwrap();
    let named = |(index, odd): (usize, &DemoCamera)| known(&id(index), odd, "wrong");
    let watched = Watched::start(cameras.iter().enumerate().map(named).collect());
    for (index, odd) in cameras.iter().enumerate() {
        let state = watched.wait_state(&id(index), "refused", |state| {
            state.state == ConnectionPhase::RefusedPassword && state.attempts >= 3
        });
        assert!(
            state.reason.contains("refuses the user name or password"),
            "{}",
            state.reason
        );
        assert_eq!(state.relay, None);
        // Each call asks once without and once with it; the first was made in both ways.
        let asked = odd
            .asked()
            .iter()
            .filter(|asked| asked.method == "DESCRIBE")
            .count();
        let most = 2 * (usize::try_from(state.attempts).unwrap() + 2);
        assert!(asked <= most, "{asked} requests, at most {most}");
    }
    watched.end();
}

#[test]
fn over_udp_nothing_can_be_mended_and_what_to_change_is_said() {
    let odd = DemoCamera::start(bent(TEXTS[0].1)).unwrap();
    let mut config = camera("odd", odd.url());
    config.transport = Transport::Udp;
    let watched = Watched::start(vec![config]);
    let state = watched.wait_state("odd", "refused", |state| {
        state.state == ConnectionPhase::Waiting && state.attempts >= 2
    });
    assert!(
        state.reason.contains("a header without a value")
            && state.reason.contains("set transport = \"tcp\""),
        "{}",
        state.reason
    );
    watched.end();
}

#[test]
fn a_camera_whose_packets_come_from_another_sender_than_it_said_is_read_through_the_relay() {
    let odd = DemoCamera::start(bent(|method, text| {
        replaced("SETUP", method, text, "ssrc=", "ssrc=11223344;x-old=")
    }))
    .unwrap();
    let watched = patient(vec![camera("odd", odd.url())]);
    let state = whole(&watched, "odd", "from another sender");
    assert_eq!(state.connections, 1);
    watched.end();
}

#[test]
fn frames_that_are_none_of_the_streams_are_left_out_on_the_way() {
    let odd = DemoCamera::start(bent(|method, text| {
        // A sender that never comes: packets have another.
        let text = replaced("SETUP", method, text, "ssrc=", "ssrc=11223344;x-old=")?;
        TEXTS[0].1(method, &String::from_utf8_lossy(&text))
    }))
    .unwrap();
    let watched = patient(vec![camera("odd", odd.url())]);
    watched.wait_state("odd", "pictures", |state| state.access_units > 60);
    let foreign = [
        &[
            0x80, 96, 0x9c, 0x40, 0, 0, 0, 77, 0x5b, 0xf7, 0x3f, 0x70, 0x41,
        ][..],
        &[0; 200],
    ];
    for (rtcp, payload) in [
        (false, foreign.concat()),
        (false, Vec::new()),
        (false, b"\x80".to_vec()),
        (true, Vec::new()),
        (true, b"keepalive!!!".to_vec()),
        (true, b"\x80\xc8\xff\xff".to_vec()),
    ] {
        for _ in 0..20 {
            let payload = payload.clone();
            odd.inject(CameraFault::Stray { rtcp, payload });
        }
    }
    let state = whole(&watched, "odd", "a header without a value");
    assert_eq!((state.connections, state.epochs), (1, 1));
    watched.end();
}

#[test]
fn a_look_at_a_camera_says_that_it_needs_the_relay() {
    let odd = DemoCamera::start(bent(TEXTS[0].1)).unwrap();
    let probe = ingest::probe(&camera("odd", odd.url()), Duration::from_secs(8)).unwrap();
    assert_eq!((probe.width, probe.height), (1_280, 720));
    let said = "needs the relay, because its answer has a header without a value";
    assert!(
        probe.warnings.iter().any(|line| line == said),
        "{:?}",
        probe.warnings
    );
}

#[test]
fn what_the_relay_cannot_mend_is_told_in_words() {
    let odd = DemoCamera::start(bent(|_, _| Some(b"what is RTSP?\r\n\r\n".to_vec()))).unwrap();
    let watched = Watched::start(vec![camera("odd", odd.url())]);
    let state = watched.wait_state("odd", "told", |state| !state.reason.is_empty());
    assert_eq!(
        state.reason,
        "connecting failed: what it answers is no RTSP"
    );
    assert_eq!(state.reason_sentence.unwrap().code, "camera_misspeaks");
    assert_eq!(state.relay, None);
    watched.end();
}

#[test]
fn what_was_learned_of_a_camera_outlives_its_process() {
    let odd = DemoCamera::start(bent(KEEP_ALIVES[0].1)).unwrap();
    let watched = patient(vec![camera("odd", odd.url())]);
    let state = whole(&watched, "odd", KEEP_ALIVES[0].0);
    let pid = watched.pid_of("odd");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let back = watched.wait_state("odd", "back", |now| {
        now.connections > state.connections && now.state == ConnectionPhase::Streaming
    });
    let before = back.access_units;
    let later = watched.wait_state("odd", "much later", |now| now.access_units > before + 400);
    assert_eq!(later.connections, back.connections);
    wait_for("the words for it", || watched.state("odd").relay);
    watched.end();
}
