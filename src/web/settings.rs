//! How to serve, and what strangers can use up.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
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
    /// Whom it is not for, though they are the service's user.
    pub refused_peers: RefusedPeers,
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

/// Processes of the service's own user that ask for nothing: those that read cameras, which a camera may
/// have taken over.
#[derive(Clone)]
pub struct RefusedPeers(Arc<dyn Fn(i32) -> bool + Send + Sync>);

impl RefusedPeers {
    /// Those whose pids are so; asked at each connection.
    pub fn new(refused: impl Fn(i32) -> bool + Send + Sync + 'static) -> RefusedPeers {
        RefusedPeers(Arc::new(refused))
    }

    pub(super) fn has(&self, pid: i32) -> bool {
        (self.0)(pid)
    }
}

impl Default for RefusedPeers {
    fn default() -> RefusedPeers {
        RefusedPeers::new(|_| false)
    }
}

impl fmt::Debug for RefusedPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused peers")
    }
}

/// What strangers can use up. The defaults are for a venue's network.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; one more takes the place of one that is not at work.
    pub connections: usize,
    /// Of strangers of one address elsewhere (IPv6: of one /64).
    pub per_origin: usize,
    /// Whether an address is this machine's own: places are kept for it.
    pub this_machine: fn(IpAddr) -> bool,
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

impl Limits {
    /// How many connections are taken before they are heard: so few that none takes the place of another of them.
    pub(super) fn batch(&self) -> usize {
        (self.connections / 8).max(1)
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 64,
            per_origin: 8,
            this_machine: |address| address.is_loopback(),
            headers: Duration::from_secs(10),
            body: Duration::from_secs(5),
            stalled: Duration::from_secs(20),
            press: Duration::from_secs(30),
        }
    }
}
