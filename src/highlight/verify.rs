//! `hindsight verify`: the integrity checker of clips, sidecars and presses.
//!
//! Reads, never writes. Not here: recovery, which mends.
//! Called by: app, tests.

use std::path::PathBuf;

use serde::Serialize;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub path: PathBuf,
    /// What is wrong, and what to do if something can be done.
    pub what: String,
}

/// What was looked at and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub clips: u64,
    pub sidecars: u64,
    /// Presses that the journal still holds.
    pub presses: u64,
    pub faults: Vec<Fault>,
    /// What is worth knowing and no fault.
    pub notes: Vec<Fault>,
}

/// Checks every clip, sidecar and press at or below each path.
pub fn verify(paths: &[PathBuf]) -> Report {
    let _ = paths;
    todo!()
}
