//! What retina says, in words for venue staff, and without secrets.
//!
//! Called by: `session`, `camera`, `probe`.

use base64::Engine;

use crate::config::checked::{Camera, Credentials};

/// Why an attempt failed or a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub text: String,
    /// The camera refuses the user name or password.
    pub password: bool,
}

impl Reason {
    pub fn new(text: impl Into<String>) -> Reason {
        Reason {
            text: text.into(),
            password: false,
        }
    }

    /// Of an error of retina's, while doing `what` ("connecting", …).
    pub fn of(error: &retina::Error, what: &str, camera: &Camera) -> Reason {
        match error.status_code() {
            Some(status) => of_status(status, error, what, camera),
            None => Reason::new(hide(
                &sentence(&format!("{what} failed: {}", first_line(error))),
                camera.credentials.as_ref(),
            )),
        }
    }
}

fn of_status(status: u16, error: &retina::Error, what: &str, camera: &Camera) -> Reason {
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
        // A good answer that makes no sense.
        200..=299 => hide(
            &sentence(&format!("{what} failed: {}", first_line(error))),
            camera.credentials.as_ref(),
        ),
        _ => format!("{what} failed: the camera answers {status}"),
    };
    Reason {
        text,
        password: matches!(status, 401 | 403),
    }
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
    use crate::config::checked::Secret;

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
