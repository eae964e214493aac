//! What the queue itself says to people about a job; what the others say stands in their rooms.

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

use crate::base::Sentence;
