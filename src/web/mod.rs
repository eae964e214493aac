//! The HTTP API: presses in, status and highlights out.
//!
//! Belongs here: the route table (`table`) and its handlers (`routes`), who may ask (`guard`), the server and its bounds.
//! Not here: what a press becomes (`highlight`), what is healthy (`health`).
//! It sees the rest of the service only through [`ApiBackend`].

pub mod answers;
mod api;
mod api_call;
mod backend;
mod byte_range;
mod connections;
mod error;
mod guard;
mod health_memory;
pub mod local_socket;
mod places;
mod press_query;
mod refusal;
mod route;
mod routes;
#[cfg(test)]
mod schemas;
mod sentence;
mod server;
mod settings;
mod table;
mod url_query;

use std::path::Path;
use std::sync::Arc;

use crate::access::AccessStore;
use crate::base::{Clock, Stop};
use crate::disk::Disk;

use api::Api;
pub use api::Bound;
pub use backend::{ApiBackend, Jobs, Library, Presses, QueueChange, QueueRefusal, Status};
pub use error::WebError;
use guard::identify::Guard;
use guard::own_names::OwnNames;
pub use guard::role::{Access, Role};
pub use guard::sentence::GuardSentence;
use local_socket::LocalSocket;
pub use route::{Route, RouteMethod};
pub use sentence::{DoneSentence, RequestSentence};
pub use server::Server;
pub use settings::{Limits, RefusedPeers, Settings};
pub use table::ROUTES;

/// Binds before it returns; serves on a thread of its own until `stop` is `Now`.
pub fn serve(
    settings: Settings,
    backend: ApiBackend,
    clock: Arc<dyn Clock>,
    stop: Stop,
) -> Result<Server, WebError> {
    let token = settings.token.as_ref().filter(|t| !t.reveal().is_empty());
    if token.is_none() && !settings.listen.ip().is_loopback() {
        return Err(WebError::OpenToAll(settings.listen));
    }
    let listener = server::bind(settings.listen, settings.or_any_port)?;
    let listens_on = listener.local_addr().map_err(WebError::Thread)?;
    // The kernel's own file: it can always be read.
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let store = AccessStore::new(Disk::default(), &settings.storage);
    let guard = Arc::new(Guard::new(
        token,
        OwnNames::new(&hostname, &settings.names),
        listens_on.port(),
        Arc::new(store),
        clock.clone(),
    ));
    let limits = settings.limits;
    let local = settings.local_socket.as_deref().and_then(local_socket);
    let local = local.map(|local| (local, settings.refused_peers.clone()));
    let api = Api::new(settings, backend, clock.clone(), guard.clone());
    server::start(
        (listener, local),
        limits,
        guard,
        table::router(api),
        clock,
        stop,
    )
}

/// Without one the box's commands come by TCP.
fn local_socket(folder: &Path) -> Option<LocalSocket> {
    let bound = LocalSocket::bind(folder);
    bound.inspect_err(|error| {
        log::warn!(target: "hindsight", event = "error_http"; "no socket for this box's own commands: {error}");
    })
    .ok()
}
