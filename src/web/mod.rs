//! The HTTP API: presses in, status and highlights out.
//!
//! Belongs here: the server and its bounds (`server`), who may ask (`guard`),
//! what was asked (`ask`), the answers (`api`), the highlights' files (`files`).
//! Not here: what a press becomes (`highlight`), what is healthy (`health`).
//! It sees the rest of the house only through [`Port`], which `app` implements.
//! Called by: app.

mod api;
mod ask;
mod files;
mod guard;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use crate::base::{CameraId, Clock, PressAck, PressError, PressId, PressRequest, Stop};
use crate::config::Secret;

pub use server::Server;

/// What the API needs from the house. All calls may block; none is made on the
/// thread that serves the sockets.
pub trait Port: Send + Sync + 'static {
    /// Returns when the press is durable.
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError>;
    /// The sidecars of a press when all are written; `None` when `limit` passed before.
    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Value>>;
    /// What `/status` says.
    fn status(&self) -> Parts;
    /// What `/health` says: `status` and `reasons`, each with `what`; strangers
    /// are told nothing else of a reason.
    fn health(&self) -> Value;
    /// The newest highlights, newest first, with their addresses below `/highlights/`.
    fn highlights(&self, limit: usize) -> Vec<Value>;
    /// What is still to be done with highlights, newest first.
    fn queue(&self, limit: usize) -> Value;
    /// The ids of the jobs that were changed.
    fn change_queue(&self, wish: &QueueWish) -> Result<Vec<String>, QueueRefusal>;
}

/// What somebody wants of the queue. Ids as the queue shows them, or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueWish {
    Retry(String),
    RetryFailed,
    Drop(String),
}

/// Why not, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueRefusal {
    Unknown(String),
    Unclear(String),
    Trouble(String),
}

/// `/status` without its time.
#[derive(Clone, Debug)]
pub struct Parts {
    /// `running` or `stopping`.
    pub status: &'static str,
    /// The cameras, and the presses that are not done.
    pub captures: Value,
    /// The rings.
    pub buffers: Value,
    /// What is done with clips.
    pub queue: Value,
    /// Buttons and lights.
    pub board: Value,
    pub health: Value,
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0: any.
    pub listen: SocketAddr,
    /// Where another listens there, any port will do.
    pub or_any_port: bool,
    pub token: Option<Secret>,
    /// All cameras, in the config's order.
    pub cameras: Vec<CameraId>,
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

fn listen_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for root: give [http] listen another, such as 8080"
        }
        _ => "[http] listen must be an address of this machine",
    }
}

#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error(
        "cannot listen on {listen}: {source}; is another hindsight running? otherwise give [http] listen another port"
    )]
    InUse {
        listen: SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot listen on {listen}: {source}; {}", listen_hint(source))]
    Listen {
        listen: SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot start the web thread: {0}")]
    Thread(std::io::Error),
    #[error(
        "[http] listen = \"{0}\" can be reached from the network, and there is no token: set [http] token_file, or listen on 127.0.0.1"
    )]
    OpenToAll(SocketAddr),
}

/// Binds before it returns; serves on a thread of its own until `stop` is `Now`.
pub fn serve(
    settings: Settings,
    port: Arc<dyn Port>,
    clock: Arc<dyn Clock>,
    stop: Stop,
) -> Result<Server, WebError> {
    let token = settings.token.as_ref().filter(|t| !t.reveal().is_empty());
    if token.is_none() && !settings.listen.ip().is_loopback() {
        return Err(WebError::OpenToAll(settings.listen));
    }
    let guard = guard::Guard::new(token);
    let limits = settings.limits;
    let listener = server::bind(settings.listen, settings.or_any_port)?;
    let api = api::Api::new(settings, port, clock.clone());
    server::start(listener, limits, guard, api.router(), clock, stop)
}
