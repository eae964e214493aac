//! What retina says, in sentences for venue staff, and without secrets.
//!
//! Not here: the sentences themselves (`sentence`).

use base64::Engine;

use super::relay::quirk;
use super::sentence::{CaptureSentence, RtspStep};
use crate::config::{Camera, Credentials};

/// Of an error of retina's, while doing `step`.
pub fn of(error: &retina::Error, step: RtspStep, camera: &Camera) -> CaptureSentence {
    let line = first_line(error);
    // Where a description names no stream at all there may be nothing to mend.
    let nothing = line.contains("No parseable streams (and 0 ");
    if let Some(what) = quirk::of_refusal(&line, error.status_code()).filter(|_| !nothing) {
        return CaptureSentence::Misspeaks { step, what };
    }
    if let Some(status) = error.status_code() {
        return of_status(status, &line, step, camera);
    }
    unreachable(&line, camera).unwrap_or_else(|| CaptureSentence::StepFailed {
        step,
        error: told(&line, camera),
    })
}

/// The error of one packet: the session goes on behind it. Retina says so by what it names.
pub fn is_of_one_packet(error: &retina::Error) -> bool {
    let text = error.to_string();
    text.lines().any(|line| line.starts_with("pkt: "))
        || text.starts_with("Received interleaved data on unassigned channel")
}

/// Of an error while the camera was called.
pub fn of_connecting(error: &std::io::Error, camera: &Camera) -> CaptureSentence {
    let line = format!("{CONNECTING}{error}");
    unreachable(&line, camera).unwrap_or(CaptureSentence::Closed {})
}

/// Retina's words.
const CONNECTING: &str = "Unable to connect to RTSP server: ";

/// Where nobody answered at all: which address, and what to look at there.
fn unreachable(line: &str, camera: &Camera) -> Option<CaptureSentence> {
    let why = line.strip_prefix(CONNECTING)?;
    let host = camera.url.host_str().unwrap_or_default().to_owned();
    let port = camera.url.port().unwrap_or(554);
    let error = why.split(" (os error").next().unwrap_or_default();
    let error = told(error, camera).to_lowercase();
    Some(if why.contains("refused") {
        CaptureSentence::RefusesConnection { host, port, error }
    } else if why.contains("lookup") {
        CaptureSentence::NameUnknown { host, port, error }
    } else {
        CaptureSentence::Unreachable { host, port, error }
    })
}

fn of_status(status: u16, line: &str, step: RtspStep, camera: &Camera) -> CaptureSentence {
    match status {
        // Retina's words where a description names no stream at all.
        200 if line.contains("No parseable streams") => CaptureSentence::OffersNothing {},
        401 if line.contains("without WWW-Authenticate") => CaptureSentence::NoSignIn { status },
        401 | 403 if camera.credentials.is_none() => CaptureSentence::WantsPassword { status },
        401 | 403 => CaptureSentence::RefusesPassword { status },
        404 => CaptureSentence::NoSuchStream {},
        300..=399 => CaptureSentence::Redirects { status },
        453 => CaptureSentence::NoBandwidth {},
        461 => CaptureSentence::NoTransport {},
        503 => CaptureSentence::Busy {},
        200..=299 => nonsense(line, step, camera),
        _ => CaptureSentence::AnswersStatus { step, status },
    }
}

/// A good answer that cannot be understood.
fn nonsense(line: &str, step: RtspStep, camera: &Camera) -> CaptureSentence {
    // "200 OK response to PLAY CSeq=5: the reason"
    let reason = line
        .split_once("CSeq=")
        .and_then(|(_, behind)| behind.split_once(": "))
        .map_or(line, |(_, reason)| reason);
    let error = told(reason, camera);
    // RTP-Info separates tracks by commas, and cameras do not escape their own.
    match camera.url.path().contains(',') {
        true => CaptureSentence::CommaInPath { step, error },
        false => CaptureSentence::StepFailed { step, error },
    }
}

fn told(text: &str, camera: &Camera) -> String {
    // Before it is cut: half a password is one, too.
    let text = camera.without_credentials_of(text);
    one_line(&hide(&text, camera.credentials.as_ref()))
}

/// The context that follows (addresses, hex dumps) is for retina's authors.
fn first_line(error: &retina::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Short, printable, no closing punctuation.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST + 1)
        .collect();
    if plain.chars().count() > LONGEST {
        plain = plain.chars().take(LONGEST).collect::<String>() + "…";
    }
    plain
        .trim_end_matches(|c: char| c.is_whitespace() || c == ':' || c == '.')
        .to_owned()
}

/// A camera that answers nonsense may send our own words back.
fn hide(text: &str, credentials: Option<&Credentials>) -> String {
    let Some(credentials) = credentials else {
        return text.to_owned();
    };
    let password = credentials.password.reveal();
    let basic = base64::engine::general_purpose::STANDARD
        .encode(format!("{}:{password}", credentials.username));
    [password, &basic]
        .iter()
        .filter(|secret| !secret.is_empty())
        .fold(text.to_owned(), |text, secret| {
            text.replace(*secret, "<hidden>")
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::Secret;

    #[test]
    fn an_answer_that_makes_no_sense_is_told_without_numbers_and_a_comma_is_named() {
        let mut camera = Camera {
            id: crate::base::CameraId::new("court1").unwrap(),
            name: String::new(),
            court: String::new(),
            url: "rtsp://192.0.2.1/a".parse().unwrap(),
            credentials: None,
            transport: crate::config::Transport::Tcp,
            sound: crate::config::CameraSound::Auto,
            latency_ms: 0,
        };
        let line = "200 OK response to PLAY CSeq=5: bad thing: here";
        let said = nonsense(line, RtspStep::Play {}, &camera);
        assert_eq!(
            said.to_string(),
            "starting the stream failed: bad thing: here"
        );
        camera.url.set_path("/a,b");
        let said = nonsense(line, RtspStep::Play {}, &camera);
        assert!(matches!(said, CaptureSentence::CommaInPath { .. }));
    }

    #[test]
    fn where_nobody_answers_the_address_and_what_to_look_at_are_named() {
        let camera = Camera {
            id: crate::base::CameraId::new("court1").unwrap(),
            name: String::new(),
            court: String::new(),
            url: "rtsp://192.0.2.1/a".parse().unwrap(),
            credentials: None,
            transport: crate::config::Transport::Tcp,
            sound: crate::config::CameraSound::Auto,
            latency_ms: 0,
        };
        let told = |why: &str| {
            let line = format!("Unable to connect to RTSP server: {why}");
            unreachable(&line, &camera).unwrap()
        };
        assert_eq!(
            told("No route to host (os error 113)").to_string(),
            "nothing answers at 192.0.2.1:554 (no route to host): \
             is it powered, is its cable in, is the address in url right?"
        );
        let refused = told("Connection refused (os error 111)");
        assert!(matches!(refused, CaptureSentence::RefusesConnection { .. }));
        let name = told("failed to lookup address information: Name or service not known");
        assert!(matches!(name, CaptureSentence::NameUnknown { .. }));
        assert_eq!(unreachable("Timed out", &camera), None);
    }

    fn credentials(password: &str) -> Credentials {
        Credentials {
            username: "viewer".to_owned(),
            password: Secret::new(password),
        }
    }

    #[test]
    fn what_a_camera_echoes_of_our_credentials_is_hidden() {
        let text = "odd: canary42 and dmlld2VyOmNhbmFyeTQy, said viewer";
        assert_eq!(
            hide(text, Some(&credentials("canary42"))),
            "odd: <hidden> and <hidden>, said viewer"
        );
        assert_eq!(hide(text, None), text);
        assert_eq!(hide("as it is", Some(&credentials(""))), "as it is");
    }

    #[test]
    fn a_reason_is_one_short_printable_line() {
        let long = format!("bad\u{7}\nthings: {}", "x".repeat(500));
        let text = one_line(&long);
        assert_eq!(text.chars().count(), 201);
        assert!(!text.contains(|c: char| c.is_control()));
        assert_eq!(
            one_line("connecting failed: refused. "),
            "connecting failed: refused"
        );
    }
}
