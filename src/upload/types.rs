//! What all targets of uploads share: the venue, the limits, what can be wrong with a target.
//!
//! Not here: one attempt (`attempt`), what is sent (`bundle`).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::rate::Limiter;
use crate::base::Clock;
use crate::base::hours::DailyWindow;

/// What is wrong with a target before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error(
        "target {target}: ca_file {file}: {why}; it must hold certificates in PEM form \
         (-----BEGIN CERTIFICATE-----)"
    )]
    CaFile {
        target: String,
        file: PathBuf,
        why: String,
    },
    #[error(
        "target {target}: this system has no certificate authorities, so that no https server can be \
         trusted; install the package ca-certificates, or name a ca_file"
    )]
    NoAuthorities { target: String },
    #[error("target {target}: {why}")]
    Target { target: String, why: String },
}

/// What all targets have in common.
pub struct Shared {
    pub venue: String,
    pub timezone: TimeZone,
    pub window: Option<DailyWindow>,
    /// Of all uploads together.
    pub limiter: Limiter,
    pub clock: Arc<dyn Clock>,
    /// After how many counted attempts the queue gives up.
    pub max_attempts: u32,
}

/// How patient the client is.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// In which not one byte moves.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
        }
    }
}
