//! What the queue asks of those who do the work, and what they answer.
//!
//! Not here: the order of jobs and what is kept of an answer (`store`, `machine`).

use std::path::{Path, PathBuf};

use super::sidecar::{MarkedMeta, Sidecar};
use crate::base::{Coded, Sentence, Stop};

/// A highlight, as those who work on it see it.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The folder that holds the clip and all that is made of it.
    pub folder: &'a Path,
    pub sidecar: &'a Sidecar,
    /// `<storage>/tmp`, on the same file system: unfinished files stand here under names that begin
    /// with `<press id>-<camera>.`; swept at start.
    pub tmp: &'a Path,
}

impl Job<'_> {
    /// The unmarked clip; `None` where it is gone or never was.
    pub fn clip(&self) -> Option<PathBuf> {
        if self.sidecar.removed.is_some() {
            return None;
        }
        let name = self.sidecar.file_name.as_ref()?;
        Some(self.folder.join(name))
    }

    /// What people are to see: the marked video, or the clip itself where nothing was marked.
    pub fn video(&self) -> Option<PathBuf> {
        let name = self.sidecar.wm_path.as_ref();
        Some(self.folder.join(name.or(self.sidecar.file_name.as_ref())?))
    }
}

/// What finishing made: whole files, synced, in `Job::tmp`; the queue renames them into the folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    /// With its facts, of which the hash was taken from the file as it is on the disk.
    pub marked: Option<(PathBuf, MarkedMeta)>,
    pub vertical: Option<PathBuf>,
    pub thumbnail: Option<PathBuf>,
    /// Sentences for people, for the sidecar's notes.
    pub notes: Vec<String>,
}

/// Why a piece of work was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nobody answered (no route, DNS, refused, timeout, TLS), or the answer was "later" (429, 5xx), or
    /// what is needed is not there (FFmpeg missing, disk full, share not mounted): tried again for ever,
    /// does not count.
    #[error("{why}")]
    Unavailable {
        why: Sentence,
        /// What the far side asked for.
        retry_after_ms: Option<u64>,
    },
    /// The house's own rules (hours of the upload) say "later": nothing is wrong, nobody is alarmed,
    /// does not count.
    #[error("{why}")]
    Deferred { why: Sentence, again_in_ms: u64 },
    /// It was tried and went wrong: counts.
    #[error("{why}")]
    Failed { why: Sentence },
    /// It will never work: the job ends.
    #[error("{why}")]
    Permanent { why: Sentence },
    /// Told to stop.
    #[error("stopped")]
    Cancelled,
}

impl Failure {
    /// Waits until it is there; `retry_after_ms` is not asked for.
    pub fn unavailable(why: impl Coded) -> Failure {
        Failure::Unavailable {
            why: why.sentence(),
            retry_after_ms: None,
        }
    }

    pub fn failed(why: impl Coded) -> Failure {
        Failure::Failed {
            why: why.sentence(),
        }
    }

    pub fn permanent(why: impl Coded) -> Failure {
        Failure::Permanent {
            why: why.sentence(),
        }
    }

    /// `None`: told to stop.
    pub fn why(&self) -> Option<&Sentence> {
        match self {
            Failure::Unavailable { why, .. }
            | Failure::Deferred { why, .. }
            | Failure::Failed { why }
            | Failure::Permanent { why } => Some(why),
            Failure::Cancelled => None,
        }
    }
}

/// Makes the marked video, the vertical one and the thumbnail (`finish`).
pub trait Finisher: Send + Sync {
    /// Blocks. `progress` hears permille, at most some times a second. Leaves within 2 s of
    /// `StopLevel::Finish`, and nothing but files in `Job::tmp`.
    fn finish(
        &self,
        job: &Job<'_>,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Finished, Failure>;
}

/// What an upload notes while it runs, so that a restart can go on.
pub trait Notebook {
    /// Durable when it returns. `resume` is what [`UploadTarget::upload`] gets next time.
    fn note(&self, resume: Option<serde_json::Value>) -> Result<(), Failure>;
}

/// What a target has proved to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Where the video is: a path or an object's key; never a signed URL.
    pub place: String,
}

/// One place that highlights are uploaded to (`upload`).
pub trait UploadTarget: Send + Sync {
    /// Its id in the configuration.
    fn id(&self) -> &str;

    /// Uploads all files of the highlight, the copy of the sidecar last, and proves it. Blocks.
    /// Idempotent: what is there already and proved is not sent again. Leaves within 2 s of
    /// `StopLevel::Finish`.
    fn upload(
        &self,
        job: &Job<'_>,
        resume: Option<&serde_json::Value>,
        notebook: &dyn Notebook,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Uploaded, Failure>;
}
