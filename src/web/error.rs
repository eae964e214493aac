//! Why the API cannot be served.

use std::net::SocketAddr;

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
