//! What retina says, in words for venue staff, and without secrets.
//!
//! Called by: `session`, `camera`, `probe`.

use base64::Engine;

use crate::config::{Camera, Credentials};

/// Why an attempt failed or a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionError {
    pub text: String,
    /// The camera refuses the user name or password.
    pub password: bool,
}

impl ConnectionError {
    pub fn new(text: impl Into<String>) -> ConnectionError {
        ConnectionError {
            text: text.into(),
            password: false,
        }
    }

    /// Of an error of retina's, while doing `what` ("connecting", …).
    pub fn of(error: &retina::Error, what: &str, camera: &Camera) -> ConnectionError {
        match error.status_code() {
            Some(status) => of_status(status, error, what, camera),
            None => ConnectionError::new(hide(
                &unreachable(&first_line(error), camera)
                    .unwrap_or_else(|| sentence(&format!("{what} failed: {}", first_line(error)))),
                camera.credentials.as_ref(),
            )),
        }
    }
}

/// Where nobody answered the call at all: which address, and what to look at there.
fn unreachable(line: &str, camera: &Camera) -> Option<String> {
    let why = line.strip_prefix("Unable to connect to RTSP server: ")?;
    let host = camera.url.host_str().unwrap_or_default();
    let port = camera.url.port().unwrap_or(554);
    let hint = if why.contains("refused") {
        "is RTSP switched on in it, and the port in url right?"
    } else if why.contains("lookup") {
        "no such name; is it spelt right in url? An address like 192.0.2.10 needs no look-up"
    } else {
        "is it powered, is its cable in, is the address in url right?"
    };
    let why = why.split(" (os error").next().unwrap_or_default();
    Some(format!(
        "nothing answers at {host}:{port} ({}): {hint}",
        sentence(why).to_lowercase()
    ))
}

fn of_status(status: u16, error: &retina::Error, what: &str, camera: &Camera) -> ConnectionError {
    // Retina's words where a description names no stream at all.
    let empty = status == 200 && first_line(error).contains("No parseable streams");
    let text = match status {
        _ if empty => "the camera offers no stream at all: check the path in url".to_owned(),
        401 | 403 if camera.credentials.is_none() => format!(
            "the camera wants a user name and password ({status}): set username and password_file"
        ),
        401 | 403 => format!(
            "the camera refuses the user name or password ({status}): check username and password"
        ),
        404 => "the camera has no stream of this name (404): check the path in url".to_owned(),
        300..=399 => format!(
            "the camera sends us elsewhere ({status}): put the address it really streams from into url"
        ),
        453 => "the camera has no bandwidth left (453): too many viewers?".to_owned(),
        461 => "the camera does not offer this transport (461): set transport to the other of tcp and udp".to_owned(),
        503 => "the camera is busy (503): too many viewers?".to_owned(),
        200..=299 => nonsense(&first_line(error), what, camera),
        _ => format!("{what} failed: the camera answers {status}"),
    };
    ConnectionError {
        text,
        password: matches!(status, 401 | 403),
    }
}

/// A good answer that cannot be understood.
fn nonsense(line: &str, what: &str, camera: &Camera) -> String {
    // "200 OK response to PLAY CSeq=5: the reason"
    let reason = line
        .split_once("CSeq=")
        .and_then(|(_, behind)| behind.split_once(": "))
        .map_or(line, |(_, reason)| reason);
    let mut text = sentence(&format!("{what} failed: {reason}"));
    // RTP-Info separates tracks by commas, and cameras do not escape their own.
    if camera.url.path().contains(',') {
        text += "; a comma in the path of url may be what confuses it: choose another name for the stream";
    }
    hide(&text, camera.credentials.as_ref())
}

/// The context that follows (addresses, hex dumps) is for retina's authors.
fn first_line(error: &retina::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

/// Short, printable, no closing punctuation.
fn sentence(text: &str) -> String {
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
            latency_ms: 0,
        };
        let line = "200 OK response to PLAY CSeq=5: bad thing: here";
        let text = nonsense(line, "starting the stream", &camera);
        assert_eq!(text, "starting the stream failed: bad thing: here");
        camera.url.set_path("/a,b");
        assert!(nonsense(line, "starting the stream", &camera).contains("comma"));
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
            latency_ms: 0,
        };
        let told =
            |why: &str| unreachable(&format!("Unable to connect to RTSP server: {why}"), &camera);
        assert_eq!(
            told("No route to host (os error 113)").unwrap(),
            "nothing answers at 192.0.2.1:554 (no route to host): \
             is it powered, is its cable in, is the address in url right?"
        );
        let refused = told("Connection refused (os error 111)").unwrap();
        assert!(refused.contains("is RTSP switched on"), "{refused}");
        let name = told("failed to lookup address information: Name or service not known");
        assert!(name.unwrap().contains("no such name"));
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
        let text = sentence(&long);
        assert_eq!(text.chars().count(), 201);
        assert!(!text.contains(|c: char| c.is_control()));
        assert_eq!(
            sentence("connecting failed: refused. "),
            "connecting failed: refused"
        );
    }
}
