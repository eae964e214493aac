//! What the API needs from the service behind it. All calls may block; none is made on the thread that serves the sockets.

use std::sync::Arc;
use std::time::Duration;

use super::answers::health::HealthAnswer;
use super::answers::highlights::HighlightList;
use super::answers::press::ClipOutcome;
use super::answers::queue::QueueAnswer;
use super::answers::status::StatusSnapshot;
use crate::base::{PressAck, PressError, PressId, PressRequest, Sentence};

pub trait Presses: Send + Sync {
    /// Returns when the press is durable.
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError>;
    /// What became of each camera when all sidecars are written; `None` when `limit` passed before.
    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<ClipOutcome>>;
}

pub trait Status: Send + Sync {
    fn status(&self) -> StatusSnapshot;
    /// Answers also when the disk does not.
    fn health(&self) -> HealthAnswer;
}

pub trait Library: Send + Sync {
    /// The newest highlights, newest first.
    fn highlights(&self, limit: usize) -> HighlightList;
}

pub trait Jobs: Send + Sync {
    /// What is still to be done with highlights, newest first.
    fn queue(&self, limit: usize) -> QueueAnswer;
    /// The ids of the jobs that were changed.
    fn change(&self, change: &QueueChange) -> Result<Vec<String>, QueueRefusal>;
}

#[derive(Clone)]
pub struct ApiBackend {
    pub presses: Arc<dyn Presses>,
    pub status: Arc<dyn Status>,
    pub library: Arc<dyn Library>,
    pub jobs: Arc<dyn Jobs>,
}

/// A change of the queue. Ids as the queue shows them, or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueChange {
    Retry(String),
    RetryFailed,
    Drop(String),
}

/// Why it was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueRefusal {
    /// No job has this in its id.
    Unknown(Sentence),
    /// Jobs of several presses fit.
    Ambiguous(Sentence),
    Unavailable(Sentence),
}
