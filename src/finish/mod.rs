//! Watermark, vertical format and thumbnail: an FFmpeg command plan (pure) and its runner (thin).
//!
//! The only place that runs FFmpeg. One process makes all files of a clip in one decode; what it made
//! is read back before anybody sees it.
//! Not here: which clip is next and what is kept of a failure (`queue`), where the result goes (`upload`).

mod clip;
mod even;
mod ffmpeg_finisher;
mod files;
mod graph;
mod level;
mod outcome;
mod pace;
pub mod place;
mod plan;
mod run;
#[cfg(test)]
mod samples;
pub mod sentence;
mod tools;
mod trial;
pub mod words;

pub use ffmpeg_finisher::{FfmpegFinisher, Limits, Settings};
pub use pace::STEPS;
pub use trial::{Picture, Trial};

use crate::base::sentence::CatalogueEntry;

/// All that the room says to people.
pub const CATALOGUES: &[&[CatalogueEntry]] = &[
    sentence::FinishingSentence::CATALOGUE,
    sentence::ToolSentence::CATALOGUE,
    sentence::OutcomeError::CATALOGUE,
    sentence::Difference::CATALOGUE,
    run::RunError::CATALOGUE,
];
