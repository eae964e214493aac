//! Why the demo cannot run, or has failed.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::PressError;
use crate::cut::Ended;
use crate::service::error::ServiceError;

#[derive(Debug, thiserror::Error)]
pub(super) enum DemoError {
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("there is no place {what}: {}: {error}", base.display())]
    NoPlace {
        what: &'static str,
        base: PathBuf,
        error: io::Error,
    },
    #[error("cannot start the built-in camera: {0}")]
    Camera(io::Error),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    /// The demo's own configuration is wrong.
    #[error("{0}")]
    Config(String),
    #[error("{0}")]
    Service(#[from] ServiceError),
    #[error("it was interrupted")]
    Interrupted,
    #[error("no picture came from the built-in camera")]
    NoPicture,
    #[error("{0}")]
    Press(#[from] PressError),
    #[error("no camera took it")]
    NobodyTook,
    #[error("its clip was not written in time")]
    NotWritten,
    #[error("the clip was not delivered in time: {0}")]
    NotDelivered(String),
    #[error("no clip: {0}")]
    NoClip(String),
    #[error("{}: {what}", path.display())]
    Fault { path: PathBuf, what: String },
    #[error("{}: no clip with a sidecar is there", .0.display())]
    Gone(PathBuf),
    #[error("the clip plays {is_ms} ms and should play {asked_ms} ms")]
    Length { is_ms: u64, asked_ms: u64 },
    #[error("{}: the clip has {gaps} gaps and {damaged} damaged stretches and ended by {ended:?}", path.display())]
    Incomplete {
        path: PathBuf,
        gaps: usize,
        damaged: usize,
        ended: Option<Ended>,
    },
}

impl DemoError {
    /// What became of a file.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> DemoError {
        let path = path.to_owned();
        |error| DemoError::File { path, error }
    }
}
