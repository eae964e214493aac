//! How to serve, and what strangers can use up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::CameraId;
use crate::config::Secret;

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0: any.
    pub listen: SocketAddr,
    /// Where another listens there, any port will do.
    pub or_any_port: bool,
    pub token: Option<Secret>,
    /// Names under which the box is asked, besides its own and all addresses.
    pub names: Vec<String>,
    /// The folder of the storage, for users and sessions.
    pub storage: PathBuf,
    /// The folder of the socket for the box's own commands (`local_socket::place`).
    pub local_socket: Option<PathBuf>,
    /// All cameras, in the config's order.
    pub cameras: Vec<CameraId>,
    /// The court of each.
    pub courts: BTreeMap<CameraId, String>,
    pub pre_ms: u64,
    pub post_ms: u64,
    /// What a ring holds: the longest window that can be asked for.
    pub ring_ms: u64,
    pub timezone: TimeZone,
    /// The folder `highlights` of the storage.
    pub highlights: PathBuf,
    /// Presses are taken over HTTP (`[trigger] http`).
    pub presses: bool,
    pub limits: Limits,
}

/// What strangers can use up. The defaults are for a venue's network.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; one more displaces the one that was idle longest.
    pub connections: usize,
    /// From the first to the last byte of a request's headers; also how long a
    /// connection may be idle.
    pub headers: Duration,
    /// The same for its body.
    pub body: Duration,
    /// How long a client may take nothing of an answer.
    pub stalled: Duration,
    /// How long a press may take to become durable before the answer is "unknown".
    pub press: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 64,
            headers: Duration::from_secs(10),
            body: Duration::from_secs(5),
            stalled: Duration::from_secs(20),
            press: Duration::from_secs(30),
        }
    }
}
