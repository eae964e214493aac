//! What the service and a process that reads cameras say to each other.
//!
//! Cameras are numbered as in [`ReaderBegin`]; a process knows no others.
//!
//! Not here: bytes (`wire`), order and sense (`conversation`).

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::base::{BootId, CameraId, Sentence};
use crate::cage::CageReport;
use crate::config::{Camera, CameraSound, Credentials, Reconnect, RingSettings, Secret, Transport};
use crate::ring::RingOpened;

use super::super::settings::{Limits, Settings};
use super::super::state::{Counters, Words};

/// Characters of a text that people see.
pub const LONGEST_TEXT: usize = 600;
/// Of a sentence's argument, and of a codec's description.
pub const LONGEST_ARG: usize = 300;

/// A camera's number within its process.
pub type CameraIndex = u16;

/// What a process is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ToChild {
    /// First, and once.
    Begin(Box<ReaderBegin>),
    /// What was found for [`FromChild::Resolve`].
    Resolved {
        camera: CameraIndex,
        found: Resolved,
    },
    /// Leave politely. An end of the channel says the same.
    Stop {},
}

/// What was found for a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolved {
    /// At least one.
    Addresses(Vec<IpAddr>),
    /// Why none.
    Nothing(String),
}

/// All that a process has to know, secrets included.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderBegin {
    cameras: Vec<CameraToRead>,
    ring_dir: PathBuf,
    ring_seconds: u32,
    max_bitrate_bps: u64,
    reconnect_initial_ms: u64,
    reconnect_max_ms: u64,
    reconnect_max_attempts: Option<u32>,
    window_ms: u64,
    boot_id: BootId,
    connect_ms: u64,
    stall_ms: u64,
    tick_ms: u64,
    /// What it may take before it ends itself.
    pub memory_bytes: u64,
    /// Lines below this level are not sent.
    pub log_level: log::LevelFilter,
}

// Passwords stand in it.
impl std::fmt::Debug for ReaderBegin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "orders for {} cameras", self.cameras.len())
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CameraToRead {
    id: CameraId,
    name: String,
    court: String,
    url: Url,
    credentials: Option<(String, String)>,
    udp: bool,
    sound: CameraSound,
    latency_ms: u64,
    /// What an earlier process said of the relay.
    relay: Option<Sentence>,
}

/// What a process says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FromChild {
    /// How it found a camera's ring: once each, in order.
    Ring {
        camera: CameraIndex,
        found: RingFound,
    },
    /// It cannot have the ring, and ends.
    NoRing { camera: CameraIndex, error: String },
    /// All rings are open, and it has locked itself in. Once; now it reads cameras.
    Caged(CageReport),
    /// Its loop turns.
    Beat { used_bytes: u64 },
    Words {
        camera: CameraIndex,
        words: Box<Words>,
    },
    Counters {
        camera: CameraIndex,
        counters: Counters,
    },
    /// For the log.
    Line(LogLine),
    /// It wants to connect, and knows only a name.
    Resolve { camera: CameraIndex },
    /// It reads this camera no more and has let go of its ring: too much work for a process that others share.
    GaveBack { camera: CameraIndex, why: Heavy },
}

/// Why a camera cannot share a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heavy {
    Memory,
    Work,
}

/// How a ring was found, for another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RingFound {
    Created,
    Adopted { entries: u64 },
    Replaced { why: String },
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// `None`: it is of no camera in particular.
    pub camera: Option<CameraIndex>,
    pub level: log::Level,
    pub event: String,
    pub text: String,
}

/// Printable, and at most so many characters.
pub fn short(text: &str, longest: usize) -> String {
    let shown = text.chars().flat_map(|c| match c.is_control() {
        true => c.escape_default().to_string().chars().collect::<Vec<_>>(),
        false => vec![c],
    });
    shown.take(longest).collect()
}

impl From<&RingOpened> for RingFound {
    fn from(opened: &RingOpened) -> RingFound {
        match opened {
            RingOpened::Created => RingFound::Created,
            RingOpened::Adopted { entries_held } => RingFound::Adopted {
                entries: *entries_held,
            },
            RingOpened::Replaced { why, .. } => RingFound::Replaced {
                why: short(&why.to_string(), LONGEST_TEXT),
            },
        }
    }
}

impl ReaderBegin {
    /// For the cameras at these places of the settings, in this order.
    pub fn of(
        settings: &Settings,
        cameras: &[usize],
        limits: &Limits,
        memory_bytes: u64,
    ) -> ReaderBegin {
        let cameras = cameras.iter().filter_map(|at| settings.cameras.get(*at));
        ReaderBegin {
            cameras: cameras.map(CameraToRead::of).collect(),
            ring_dir: settings.ring.dir.clone(),
            ring_seconds: settings.ring.seconds,
            max_bitrate_bps: settings.ring.max_bitrate_bps,
            reconnect_initial_ms: settings.reconnect.initial_ms,
            reconnect_max_ms: settings.reconnect.max_ms,
            reconnect_max_attempts: settings.reconnect.max_attempts,
            window_ms: settings.window_ms,
            boot_id: settings.boot_id,
            connect_ms: ms(limits.connect),
            stall_ms: ms(limits.stall),
            tick_ms: ms(limits.tick),
            memory_bytes,
            log_level: log::max_level(),
        }
    }

    /// What was said of the relay by the processes that read them before, in their order.
    pub fn remember(&mut self, relays: impl Iterator<Item = Option<Sentence>>) {
        for (camera, relay) in self.cameras.iter_mut().zip(relays) {
            camera.relay = relay;
        }
    }

    /// Of the camera of this number.
    pub fn relay(&self, camera: CameraIndex) -> Option<Sentence> {
        let camera = self.cameras.get(usize::from(camera));
        camera.and_then(|camera| camera.relay.clone())
    }

    /// As ingest takes them.
    pub fn settings(&self) -> (Settings, Limits) {
        let settings = Settings {
            cameras: self.cameras.iter().map(CameraToRead::camera).collect(),
            ring: RingSettings {
                dir: self.ring_dir.clone(),
                seconds: self.ring_seconds,
                max_bitrate_bps: self.max_bitrate_bps,
            },
            reconnect: Reconnect {
                initial_ms: self.reconnect_initial_ms,
                max_ms: self.reconnect_max_ms,
                max_attempts: self.reconnect_max_attempts,
            },
            window_ms: self.window_ms,
            boot_id: self.boot_id,
        };
        let limits = Limits {
            connect: Duration::from_millis(self.connect_ms),
            stall: Duration::from_millis(self.stall_ms),
            tick: Duration::from_millis(self.tick_ms),
        };
        (settings, limits)
    }
}

fn ms(of: Duration) -> u64 {
    u64::try_from(of.as_millis()).unwrap_or(u64::MAX)
}

impl CameraToRead {
    /// Names every field, so that a new one is not forgotten here.
    fn of(camera: &Camera) -> CameraToRead {
        let Camera {
            id,
            name,
            court,
            url,
            credentials,
            transport,
            sound,
            latency_ms,
        } = camera.clone();
        let credentials = credentials.map(|known| {
            let password = known.password.reveal().to_owned();
            (known.username, password)
        });
        CameraToRead {
            id,
            name,
            court,
            url,
            credentials,
            udp: transport == Transport::Udp,
            sound,
            latency_ms,
            relay: None,
        }
    }

    fn camera(&self) -> Camera {
        let credentials = self.credentials.as_ref();
        Camera {
            id: self.id.clone(),
            name: self.name.clone(),
            court: self.court.clone(),
            url: self.url.clone(),
            credentials: credentials.map(|(username, password)| Credentials {
                username: username.clone(),
                password: Secret::new(password.as_str()),
            }),
            transport: match self.udp {
                true => Transport::Udp,
                false => Transport::Tcp,
            },
            sound: self.sound,
            latency_ms: self.latency_ms,
        }
    }
}
