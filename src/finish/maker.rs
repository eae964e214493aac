//! The one who finishes: a clip in, whole and checked files out.
//!
//! Not here: what FFmpeg is told (`plan`), how it is run (`run`).
//! Called by: app, the queue's workers.

use jiff::tz::TimeZone;

use crate::base::Stop;
use crate::config::delivery::Finish;
use crate::queue::work::{Failure, Finished, Finisher, Job};

/// What the maker must know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub finish: Finish,
    /// The venue's name, for the text.
    pub venue: String,
    pub timezone: TimeZone,
    /// So much of the storage stays free for clips; a job that would take of it waits.
    pub reserve_bytes: u64,
    pub limits: Limits,
}

/// How long FFmpeg may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub base_ms: u64,
    /// For each second that the clip plays.
    pub each_second_ms: u64,
    /// Without any progress.
    pub stalled_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            base_ms: 60_000,
            each_second_ms: 20_000,
            stalled_ms: 120_000,
        }
    }
}

/// Runs FFmpeg. Any number of threads may call it at once.
#[derive(Debug)]
pub struct Maker {
    settings: Settings,
}

impl Maker {
    pub fn new(settings: Settings) -> Maker {
        Maker { settings }
    }

    /// What is missing on this machine, for health: one sentence with its cure.
    pub fn problem(&self) -> Option<String> {
        None
    }
}

impl Finisher for Maker {
    fn finish(
        &self,
        job: &Job<'_>,
        progress: &dyn Fn(u16),
        _stop: &Stop,
    ) -> Result<Finished, Failure> {
        progress(1000);
        match job.clip() {
            Some(_) if !self.settings.finish.marks() && !self.settings.finish.vertical => {
                Ok(Finished::default())
            }
            _ => Err(Failure::Wait {
                why: "marking is not built yet".to_owned(),
                retry_after_ms: None,
            }),
        }
    }
}
