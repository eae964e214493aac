//! ReasonDetail the service cannot start.

use crate::highlight::StartError;
use crate::ingest::IngestError;
use crate::upload::UploadError;
use crate::web::WebError;

/// ReasonDetail the service cannot start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("cannot read this boot's id: {0}")]
    Boot(std::io::Error),
    #[error("{0}")]
    Ingest(#[from] IngestError),
    #[error("{0}")]
    Highlights(#[from] StartError),
    #[error("{0}")]
    Upload(#[from] UploadError),
    #[error("{0}")]
    Web(#[from] WebError),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}
