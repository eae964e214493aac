//! One attempt at one step of a job: what it needs to know, and how it may fail.
//!
//! Not here: the steps (`steps`, `export`, `commit`, `rebuild`).

use std::io;

use super::engine::Engine;
use super::jobs::ExportJob;
use super::store::OpenStorage;
use crate::base::Sentence;
use crate::cut::Plan;
use crate::storage::HighlightPaths;

/// Why an attempt did not give a clip.
#[derive(Debug)]
pub enum StepError {
    /// Told to leave; the next start goes on.
    Left,
    /// The disk refused.
    Disk { what: String, full: bool },
    /// There is nothing to make a clip of, and never will be.
    Nothing(Sentence),
}

impl StepError {
    pub fn disk(what: &str, error: &io::Error) -> StepError {
        StepError::Disk {
            what: format!("{what}: {error}"),
            full: crate::disk::files::is_full(error),
        }
    }

    /// To be tried again, as what the disk refused is.
    pub fn in_program() -> StepError {
        StepError::Disk {
            what: "the export was interrupted by an error in the program".to_owned(),
            full: false,
        }
    }
}

/// Everything that one attempt needs to know.
pub struct ExportAttempt<'a> {
    pub engine: &'a Engine,
    pub store: &'a OpenStorage,
    pub job: &'a ExportJob,
    pub names: &'a HighlightPaths,
}

impl ExportAttempt<'_> {
    pub fn plan(&self) -> &Plan {
        &self.job.about().plan
    }
}
