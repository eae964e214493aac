//! `hindsight verify`: the integrity checker of clips, sidecars and presses.
//!
//! Reads, never writes, and may run beside the service. Not here: recovery,
//! which mends.

mod checker;
mod clip;
mod made;
mod presses;
mod walk;

use std::path::PathBuf;

use checker::StorageChecker;
pub use checker::{Finding, Report};

/// Checks every clip, sidecar and press at or below each path. A clip that is
/// given by itself needs no sidecar.
pub fn verify(paths: &[PathBuf]) -> Report {
    let mut checker = StorageChecker::default();
    for path in paths {
        checker.path(path);
    }
    checker.report
}
