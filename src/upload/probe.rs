//! Whether the targets of the configuration can be reached, before there is anything to send.
//! Nothing stays behind.
//!
//! Not here: sending (`folder`, `s3`, `signed_url`).

use std::sync::Arc;

use super::types::{Limits, UploadError};
use super::{folder, s3, shared, signed_url};
use crate::base::{Clock, Stop};
use crate::config::Config;
use crate::config::{self, TargetKind};
use crate::queue::work::Failure;

/// What came of asking one target.
#[derive(Debug)]
pub struct ProbeResult {
    /// The target's in the configuration.
    pub id: String,
    /// What it is and where: no secrets.
    pub what: String,
    /// A few words; or what is wrong and what would be right.
    pub answer: Result<String, TargetProbeError>,
}

/// Why a target is no use as it stands.
#[derive(Debug, thiserror::Error)]
pub enum TargetProbeError {
    #[error(transparent)]
    Target(#[from] UploadError),
    #[error(transparent)]
    Asked(#[from] Failure),
    #[error("an error inside hindsight while asking it")]
    Crashed,
}

/// Asks all at once; one that does not answer takes as long as `limits` allows.
pub fn probe(
    config: &Config,
    clock: &Arc<dyn Clock>,
    limits: Limits,
    stop: &Stop,
) -> Vec<ProbeResult> {
    let ask = |target: &config::TargetSettings| ProbeResult {
        id: target.id.clone(),
        what: what(&target.kind),
        answer: one(config, target, clock, limits, stop),
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = config
            .targets
            .iter()
            .map(|target| (target, scope.spawn(move || ask(target))))
            .collect();
        let crashed = |target: &config::TargetSettings| ProbeResult {
            id: target.id.clone(),
            what: what(&target.kind),
            answer: Err(TargetProbeError::Crashed),
        };
        asked
            .into_iter()
            .map(|(target, thread)| thread.join().unwrap_or_else(|_| crashed(target)))
            .collect()
    })
}

fn what(kind: &TargetKind) -> String {
    match kind {
        TargetKind::Folder(folder) => format!("folder {}", folder.path.display()),
        TargetKind::S3(s3) => {
            let server = s3.endpoint.origin().ascii_serialization();
            format!("bucket {} at {server}", s3.bucket)
        }
        TargetKind::SignedUrl(signed) => {
            format!("backend at {}", signed.url.origin().ascii_serialization())
        }
    }
}

fn one(
    config: &Config,
    target: &config::TargetSettings,
    clock: &Arc<dyn Clock>,
    limits: Limits,
    stop: &Stop,
) -> Result<String, TargetProbeError> {
    let id = &target.id;
    let answer = match &target.kind {
        TargetKind::Folder(folder) => {
            let shared = Arc::new(shared(config, clock.clone()));
            folder::FolderAdapter::new(folder).probe(&shared, limits, stop)
        }
        TargetKind::S3(s3) => {
            let adapter = s3::S3Adapter::new(id, s3, limits)?;
            adapter.probe(&**clock, stop)
        }
        TargetKind::SignedUrl(signed) => {
            let adapter = signed_url::SignedUrlAdapter::new(id, signed, limits)?;
            adapter.probe(stop)
        }
    };
    Ok(answer?)
}
