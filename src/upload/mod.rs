//! Folder, S3, signed URL: what to send (pure) and adapters (thin).
//!
//! A highlight is uploaded as a [`bundle`]: the video, the vertical one, the thumbnail, and
//! last a copy of the sidecar: where that is, all is. What all adapters share stands in
//! [`Shared`]: the venue's name, the hours, the limit of bandwidth.
//!
//! Not here: which highlight is next, when it is tried again (`queue`).

pub mod attempt;
pub mod bundle;
pub mod folder;
pub mod hash;
pub mod hours;
pub mod http;
pub mod naming;
pub mod probe;
pub mod rate;
pub mod s3;
#[cfg(test)]
mod samples;
pub mod sentence;
pub mod signed_url;
mod transport;
mod types;

use std::sync::Arc;

pub use attempt::{Adapter, Attempt, Flow, Meter};
pub use bundle::{Bundle, Content, FileRole, Item};
pub use types::{Limits, Shared, UploadError};

use crate::base::sentence::CatalogueEntry;
use crate::base::{Clock, Stop};
use crate::config::TargetKind;
use crate::config::template::KeyTemplate;
use crate::config::{self, Config};
use crate::queue::work::{Failure, Job, Notebook, UploadTarget, Uploaded};
use rate::Limiter;

/// All that the room says to people.
pub const CATALOGUES: &[&[CatalogueEntry]] = &[
    sentence::UploadSentence::CATALOGUE,
    sentence::FolderUploadSentence::CATALOGUE,
    sentence::ServerSentence::CATALOGUE,
    sentence::S3UploadSentence::CATALOGUE,
    sentence::BackendSentence::CATALOGUE,
];

/// The targets of the configuration, ready to be handed to the queue. Reads certificates;
/// opens no connection.
pub fn targets(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn UploadTarget>>, UploadError> {
    patient(config, clock, Limits::default())
}

/// [`targets`] that wait as long for servers as `limits` says.
pub fn patient(
    config: &Config,
    clock: Arc<dyn Clock>,
    limits: Limits,
) -> Result<Vec<Arc<dyn UploadTarget>>, UploadError> {
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
) -> Result<Arc<dyn UploadTarget>, UploadError> {
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

impl UploadTarget for Ready {
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
        let bundle = Bundle::of(job, &self.template, &shared.venue)?;
        let total_bytes = bundle.total_bytes();
        let tried = job.sidecar.uploads.iter().find(|u| u.target == self.id);
        let attempt = Attempt {
            job,
            bundle: &bundle,
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
