//! The configuration that the program trusts: every value has been checked.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use url::Url;

use crate::base::CameraId;

/// All of it.
#[derive(Clone, Debug)]
pub struct Config {
    pub venue: Venue,
    pub storage: Storage,
    pub ring: RingSettings,
    pub highlight: Highlight,
    pub trigger: Trigger,
    pub reconnect: Reconnect,
    /// At least one; ids are unique.
    pub cameras: Vec<Camera>,
    pub http: Http,
    pub log: Log,
}

#[derive(Clone, Debug)]
pub struct Venue {
    pub name: String,
    pub timezone: TimeZone,
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

#[derive(Clone, Debug)]
pub struct Camera {
    pub id: CameraId,
    pub name: String,
    /// `rtsp://`, without credentials.
    pub url: Url,
    pub credentials: Option<Credentials>,
    pub transport: Transport,
    /// How much later than reality its picture arrives.
    pub latency_ms: u64,
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
