//! The cut: footage in, an exact plan of samples and edits out.
//!
//! A window on a camera's timeline becomes a plan ([`plan()`]), the access units that the
//! plan wants go through [`Cut`], and what it finishes with is a clip's index and a report.
//! What it reads is anything that is an [`Index`] and a [`Payload`]: a ring, a recording,
//! or one behind the other.
//!
//! Pure: no file, no clock, no thread. Not here: rings (`ring`), bytes and files
//! (`highlight`), boxes (`mp4`).

mod base64_bytes;
mod estimate;
mod finish;
mod footage;
mod gaps;
mod lossless;
mod machine;
mod mapping;
mod pictures;
mod placed_sound;
mod plan;
mod sentence;
mod sound;
mod taken;
mod track_index;
mod types;
mod window;

pub use estimate::{Estimate, estimate};
pub use footage::{FootageReadError, Index, Payload};
pub use machine::{Cut, Fact, Offer};
pub use mapping::{Envelope, Mapping};
pub use plan::plan;
pub use sentence::{CutNote, NoFootage, Tenths};
pub use track_index::TrackIndex;
pub use types::{Certainty, CutReport, Damaged, Ended, FinishedCut, Gap, GapReason};
pub use window::{Plan, Window};
