//! Why ingest does not start.

use crate::base::CameraId;
use crate::ring::RingError;

/// Why ingest did not start. Names the fix.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("{camera}: cannot open its ring: {source}")]
    Ring { camera: CameraId, source: RingError },
    /// The same, of a process that reads it.
    #[error("{camera}: cannot open its ring: {why}")]
    NoRing { camera: CameraId, why: String },
    #[error("cannot start a thread for the cameras: {0}")]
    Thread(std::io::Error),
    #[error("cannot start a process that reads {cameras}: {why}")]
    Process {
        /// Their ids.
        cameras: String,
        why: String,
    },
}
