//! The HTTP API: presses in, status and highlights out.
//!
//! Not here: what a press becomes (`highlight`), what is healthy (`health`).
//! It sees the rest of the house only through [`Port`], which `app` implements.
//! Called by: app.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::base::{CameraId, Clock, PressAck, PressError, PressId, PressRequest, Stop};
use crate::config::Secret;
use crate::health::Verdict;

/// What the API needs from the house. All calls may block; they are made off the async threads.
pub trait Port: Send + Sync + 'static {
    /// Returns when the press is durable.
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError>;
    /// The sidecars of a press when all are written; `None` when `limit` passed before.
    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Value>>;
    /// What `/status` says below `captures` and `buffers`.
    fn captures(&self) -> Value;
    fn buffers(&self) -> Value;
    fn health(&self) -> Verdict;
    /// The newest highlights, newest first, with paths below `highlights/`.
    fn highlights(&self, limit: usize) -> Vec<Value>;
}

/// How to serve.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port 0: any.
    pub listen: SocketAddr,
    pub token: Option<Secret>,
    /// All cameras, in the config's order.
    pub cameras: Vec<CameraId>,
    pub pre_ms: u64,
    pub post_ms: u64,
    /// What a ring holds: the longest window that can be asked for.
    pub ring_ms: u64,
    /// The folder `highlights` of the storage.
    pub highlights: PathBuf,
    /// `[trigger]` allows presses over HTTP.
    pub presses: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        listen: SocketAddr,
        source: std::io::Error,
    },
    #[error("cannot start the web thread: {0}")]
    Thread(std::io::Error),
    #[error(
        "{0} can be reached from the network and no token is configured: set [http] token_file, or listen on 127.0.0.1"
    )]
    OpenToAll(SocketAddr),
}

/// The running server.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    thread: std::thread::JoinHandle<()>,
}

impl Server {
    /// Where it really listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
    /// Waits until it ended, soon after the stop signal reached `Now`.
    pub fn join(self) {
        let _ = self.thread.join();
    }
}

/// Binds before it returns; serves on a thread of its own until `stop` is `Now`.
pub fn serve(
    settings: Settings,
    port: Arc<dyn Port>,
    clock: Arc<dyn Clock>,
    stop: Stop,
) -> Result<Server, WebError> {
    let _ = (settings, port, clock, stop);
    todo!()
}
