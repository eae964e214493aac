//! What the queue itself says to people about a job; what the others say stands in their rooms.

use std::fmt;
use std::path::Path;

use crate::base::Sentence;

crate::sentences! {
    /// Why a job waits, was given up or was taken out.
    pub enum QueueSentence {
        WorkerPanicked {} = "queue_worker_panicked": "an error inside hindsight; its log says more",
        DiskFailed { path: String, doing: String, error: String } = "queue_disk_failed": "{path}: {doing}: {error}",
        Dropped {} = "queue_job_dropped": "taken out of the queue by hand",
        DroppedAfter { error: Sentence } = "queue_job_dropped_after_error":
            "taken out of the queue by hand; before that: {error}",
        /// Of a sidecar from before errors had codes.
        Earlier { text: String } = "queue_earlier_error": "{text}",
    }
}

crate::sentences! {
    /// Why a wish was not fulfilled.
    pub enum QueueError {
        Unknown { job: String } = "queue_job_unknown":
            "no job has \"{job}\" in its id; \"hindsight queue\" shows all",
        Ambiguous { job: String, count: usize } = "queue_job_ambiguous":
            "\"{job}\" fits {count} jobs of different presses; give more of the id",
        Disk { path: String, error: String } = "queue_highlight_unreadable": "{path}: {error}",
        NotOpen {} = "queue_storage_not_open": "the storage is not open yet",
        Locked { path: String } = "queue_storage_in_use":
            "{path} is in use by another hindsight that does not answer; ask it, or stop it",
    }
}

impl QueueError {
    pub(super) fn disk(path: &Path, error: impl fmt::Display) -> QueueError {
        QueueError::Disk {
            path: path.display().to_string(),
            error: error.to_string(),
        }
    }
}

impl std::error::Error for QueueError {}
