//! What the API needs from the service behind it.

use std::time::Duration;

use serde_json::Value;

use crate::base::{PressAck, PressError, PressId, PressRequest, Sentence};

/// What the API needs from the house. All calls may block; none is made on the
/// thread that serves the sockets.
pub trait Port: Send + Sync + 'static {
    /// Returns when the press is durable.
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError>;
    /// The sidecars of a press when all are written; `None` when `limit` passed before.
    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Value>>;
    /// What `/status` says.
    fn status(&self) -> Parts;
    /// What `/health` says: `status` and `reasons`, each with `what`; strangers
    /// are told nothing else of a reason.
    fn health(&self) -> Value;
    /// The newest highlights, newest first, with their addresses below `/highlights/`.
    fn highlights(&self, limit: usize) -> Vec<Value>;
    /// What is still to be done with highlights, newest first.
    fn queue(&self, limit: usize) -> Value;
    /// The ids of the jobs that were changed.
    fn change_queue(&self, command: &QueueCommand) -> Result<Vec<String>, QueueRefusal>;
}

/// A change of the queue. Ids as the queue shows them, or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueCommand {
    Retry(String),
    RetryFailed,
    Drop(String),
}

/// Why it was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueRefusal {
    Unknown(Sentence),
    /// Several jobs fit.
    Ambiguous(Sentence),
    Unavailable(Sentence),
}

/// `/status` without its time.
#[derive(Clone, Debug)]
pub struct Parts {
    /// `running` or `stopping`.
    pub status: &'static str,
    /// The cameras, and the presses that are not done.
    pub captures: Value,
    /// The rings.
    pub buffers: Value,
    /// What is done with clips.
    pub queue: Value,
    /// Buttons and lights.
    pub board: Value,
    pub health: Value,
}
