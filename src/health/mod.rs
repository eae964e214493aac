//! Snapshots in, one verdict out. Pure.
//!
//! Not here: how the snapshots are taken (`app` asks the rooms), how the verdict
//! is told (`web`). Called by: app.

use serde::Serialize;

/// How the house is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Healthy,
    /// Something is not as it should be, but presses give clips.
    Degraded,
    /// Presses give no clips.
    Unhealthy,
}

/// One thing that is not as it should be, for the staff of a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub what: String,
    /// The camera's name and id, a folder, or "clock".
    #[serde(rename = "where")]
    pub place: String,
    pub what_to_do: String,
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub status: Status,
    /// Worst first; empty when healthy.
    pub reasons: Vec<Reason>,
}
