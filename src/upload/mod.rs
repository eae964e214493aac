//! Folder, S3, signed URL: what to send (pure) and adapters (thin).
//!
//! A highlight is uploaded as a [`parcel`]: the video, the vertical one, the thumbnail, and
//! last a copy of the sidecar: where that is, all is. What all adapters share stands in
//! [`Shared`]: the venue's name, the hours, the limit of bandwidth.
//!
//! Not here: which highlight is next, when it is tried again (`queue`).

pub mod attempt;
pub mod folder;
pub mod hash;
pub mod hours;
pub mod http;
pub mod naming;
pub mod parcel;
pub mod rate;
pub mod reach;
pub mod s3;
pub mod signed_url;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

pub use attempt::{Attempt, Flow, Meter};
pub use parcel::{Content, Item, Parcel, Part};

use crate::base::hours::DailyWindow;
use crate::base::{Clock, Stop};
use crate::config::TargetKind;
use crate::config::template::KeyTemplate;
use crate::config::{self, Config};
use crate::queue::work::{Failure, Job, Notebook, Target, Uploaded};
use http::Limits;
use rate::Limiter;

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

/// A kind of target: sends a parcel, and proves that it is there.
pub trait Adapter: Send + Sync {
    /// Blocks. Idempotent: what is there already and proved is not sent again. Leaves within
    /// 2 s of `StopLevel::Finish`.
    fn send(&self, attempt: &Attempt<'_>) -> Result<Uploaded, Failure>;
}

/// The targets of the configuration, ready to be handed to the queue. Reads certificates;
/// opens no connection.
pub fn targets(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn Target>>, UploadError> {
    patient(config, clock, Limits::default())
}

/// [`targets`] that wait as long for servers as `limits` says.
pub fn patient(
    config: &Config,
    clock: Arc<dyn Clock>,
    limits: Limits,
) -> Result<Vec<Arc<dyn Target>>, UploadError> {
    let shared = Arc::new(shared(config, clock));
    let each = config.targets.iter();
    each.map(|target| ready(target, &shared, limits)).collect()
}

fn shared(config: &Config, clock: Arc<dyn Clock>) -> Shared {
    Shared {
        venue: config.venue.name.clone(),
        timezone: config.venue.timezone.clone(),
        window: config.upload.window,
        limiter: Limiter::new(config.upload.max_rate_bps),
        clock,
        max_attempts: config.queue.max_attempts,
    }
}

fn ready(
    target: &config::TargetSettings,
    shared: &Arc<Shared>,
    limits: Limits,
) -> Result<Arc<dyn Target>, UploadError> {
    let (template, adapter): (KeyTemplate, Box<dyn Adapter>) = match &target.kind {
        TargetKind::Folder(folder) => (
            folder.key.clone(),
            Box::new(folder::FolderAdapter::new(folder)),
        ),
        TargetKind::S3(s3) => (
            s3.key.clone(),
            Box::new(s3::S3Adapter::new(&target.id, s3, limits)?),
        ),
        TargetKind::SignedUrl(signed) => (
            signed_url::names(),
            Box::new(signed_url::SignedUrlAdapter::new(
                &target.id, signed, limits,
            )?),
        ),
    };
    Ok(Arc::new(Ready {
        id: target.id.clone(),
        template,
        adapter,
        shared: Arc::clone(shared),
    }))
}

/// A target, as the queue sees it.
struct Ready {
    id: String,
    template: KeyTemplate,
    adapter: Box<dyn Adapter>,
    shared: Arc<Shared>,
}

impl Target for Ready {
    fn id(&self) -> &str {
        &self.id
    }

    fn upload(
        &self,
        job: &Job<'_>,
        resume: Option<&serde_json::Value>,
        notebook: &dyn Notebook,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Uploaded, Failure> {
        let shared = &self.shared;
        if let Some(window) = shared.window {
            hours::open(window, shared.clock.wall(), &shared.timezone)?;
        }
        let parcel = Parcel::of(job, &self.template, &shared.venue)?;
        let total_bytes = parcel.total_bytes();
        let tried = job.sidecar.uploads.iter().find(|u| u.target == self.id);
        let attempt = Attempt {
            job,
            parcel: &parcel,
            resume,
            notebook,
            last: tried.map_or(0, |u| u.attempts).saturating_add(1) >= shared.max_attempts,
            flow: Flow::new(shared, stop, total_bytes, progress),
            shared,
        };
        attempt.flow.leave()?;
        self.adapter.send(&attempt)
    }
}
