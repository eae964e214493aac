//! The configuration that the program trusts: every value has been checked.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use url::Url;

use super::board::{BoardSettings, Button, Led};
use super::delivery::{Finish, QueueSettings, Target, UploadSettings};
use crate::base::CameraId;
use crate::base::hours::OpenHours;

/// All of it.
#[derive(Clone, Debug)]
pub struct Config {
    pub venue: Venue,
    pub storage: Storage,
    pub ring: RingSettings,
    pub highlight: Highlight,
    pub trigger: Trigger,
    pub reconnect: Reconnect,
    /// At least one, but where `Sources` allow none; ids are unique.
    pub cameras: Vec<Camera>,
    pub http: Http,
    pub log: Log,
    pub board: BoardSettings,
    /// Ids are unique, pins are named once among buttons and LEDs.
    pub buttons: Vec<Button>,
    pub leds: Vec<Led>,
    pub finish: Finish,
    pub queue: QueueSettings,
    pub upload: UploadSettings,
    /// Ids are unique.
    pub targets: Vec<Target>,
    /// Where others write down what is wrong with the box (`--notices`); no key of the file.
    pub notices: Option<PathBuf>,
}

impl Config {
    /// The longest window that anybody's press can have: pre and post together.
    pub fn longest_window_ms(&self) -> u64 {
        let of_buttons = self.buttons.iter().flat_map(|button| {
            let more = [button.long, button.double].into_iter().flatten();
            more.chain([button.single])
        });
        of_buttons
            .map(|window| window.pre_ms + window.post_ms)
            .chain([self.highlight.pre_ms + self.highlight.post_ms])
            .max()
            .unwrap_or(0)
    }

    /// What one press of all cameras needs on the disk at most.
    pub fn press_bytes(&self) -> u64 {
        let cameras = u64::try_from(self.cameras.len()).unwrap_or(u64::MAX);
        let bits_per_camera = (self.longest_window_ms() / 1000 + 1) * self.ring.max_bitrate_bps;
        bits_per_camera.saturating_mul(cameras) / 8
    }
}

#[derive(Clone, Debug)]
pub struct Venue {
    pub name: String,
    pub timezone: TimeZone,
    /// `None`: always.
    pub open: Option<OpenHours>,
}

#[derive(Clone, Debug)]
pub struct Storage {
    pub path: PathBuf,
}

#[derive(Clone, Debug)]
pub struct RingSettings {
    /// Folder on tmpfs that holds the ring files.
    pub dir: PathBuf,
    pub seconds: u32,
    /// Bits per second; with `seconds` it sizes the memory.
    pub max_bitrate_bps: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Highlight {
    pub pre_ms: u64,
    pub post_ms: u64,
    /// How long open windows may run on after the first signal to stop.
    pub stop_grace_ms: u64,
}

/// Which triggers listen.
#[derive(Clone, Copy, Debug)]
pub struct Trigger {
    pub keyboard: bool,
    pub http: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Reconnect {
    pub initial_ms: u64,
    pub max_ms: u64,
    /// `None`: for ever.
    pub max_attempts: Option<u32>,
}

#[derive(Clone)]
pub struct Camera {
    pub id: CameraId,
    pub name: String,
    /// What people call the place it looks at; default: its name.
    pub court: String,
    /// `rtsp://`, without credentials.
    pub url: Url,
    pub credentials: Option<Credentials>,
    pub transport: Transport,
    /// How much later than reality its picture arrives.
    pub latency_ms: u64,
}

impl Camera {
    /// The URL as people may see it.
    pub fn shown_url(&self) -> String {
        redacted(self.url.as_str())
    }
}

// Some cameras want their password in the path, so the URL is shown with care.
impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Camera")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("court", &self.court)
            .field("url", &self.shown_url())
            .field("credentials", &self.credentials)
            .field("transport", &self.transport)
            .field("latency_ms", &self.latency_ms)
            .finish()
    }
}

/// A URL, or what somebody took for one, without credentials: neither those in
/// front of the host nor those in the path or query (`user=admin&password=…`).
pub fn redacted(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (hidden, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // Mistyped (`viewer:secret=192.0.2.10`), anything may stand anywhere.
    let authority = if is_host_and_port(authority) {
        authority
    } else {
        "***"
    };
    let path = if path.contains([':', '#']) {
        "/***"
    } else {
        path
    };
    format!(
        "{scheme}{hidden}{authority}{}",
        without_password_fields(path)
    )
}

fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let colons = text.starts_with('[');
    host.chars().all(|c| plain(c) || (colons && c == ':'))
        && port.is_none_or(|port| {
            (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit())
        })
}

fn without_password_fields(text: &str) -> String {
    const FIELDS: [&str; 7] = [
        "password=",
        "passwd=",
        "pass=",
        "pwd=",
        "psw=",
        "token=",
        "auth=",
    ];
    let lower = text.to_ascii_lowercase();
    let mut shown = String::new();
    let mut at = 0;
    while at < text.len() {
        let next = FIELDS
            .iter()
            .filter_map(|field| {
                lower[at..]
                    .find(field)
                    .map(|found| at + found + field.len())
            })
            .min();
        let Some(value_at) = next else { break };
        let value_end = text[value_at..].find(['&', '?', '/', ';']);
        shown.push_str(&text[at..value_at]);
        shown.push_str("***");
        at = value_end.map_or(text.len(), |end| value_at + end);
    }
    shown + &text[at..]
}

#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

#[derive(Clone, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// Bearer token; `None` only on loopback.
    pub token: Option<Secret>,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: log::LevelFilter,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            level: log::LevelFilter::Info,
            format: LogFormat::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: coloured where stderr is a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// A password or token. Does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself; only for the one who sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_holds_no_credentials_wherever_they_stand() {
        for (url, want) in [
            ("rtsp://[2001:db8::1]:554/s", "rtsp://[2001:db8::1]:554/s"),
            ("rtsp://viewer:geheim=192.0.2.10/s", "rtsp://***/s"),
            ("rtsp:/viewer:geheim", "***/***"),
            ("rtsp:///viewer:geheim", "rtsp:///***"),
            (
                "rtsp://192.0.2.10:554/stream1",
                "rtsp://192.0.2.10:554/stream1",
            ),
            ("rtsp://viewer:geheim@cam/s", "rtsp://***@cam/s"),
            ("rtsp://viewer:ge@he/im@cam/s", "rtsp://***@cam/s"),
            ("viewer:geheim@cam/s", "***@cam/s"),
            (
                "rtsp://c/user=a&password=geheim&channel=1",
                "rtsp://c/user=a&password=***&channel=1",
            ),
            (
                "rtsp://c/user=a_PassWord=geheim_channel=1",
                "rtsp://c/user=a_PassWord=***",
            ),
            (
                "rtsp://c/s?pwd=geheim&token=geheim",
                "rtsp://c/s?pwd=***&token=***",
            ),
        ] {
            assert_eq!(redacted(url), want);
        }
    }
}
