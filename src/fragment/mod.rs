//! Access units in, fragments of MP4 out, for streams and files whose end nobody knows. Pure.
//!
//! A [`Packager`] begins with a key frame and keeps one timeline over all that a camera does:
//! a hole keeps its length, another epoch stands as long after the one before as it came
//! after it. An init segment comes first; a fragment never holds frames from before and
//! from after a key frame. PCM travels as FLAC.
//!
//! ```ignore
//! let mut packager = Packager::new(tracks, Pacing::judged(&newest_pts_90k, &video), target_90k);
//! out.write(&packager.init_segment()?);
//! // For each access unit:
//! if packager.needs(&meta) {
//!     packager.learn(meta.generation, &params)?;
//! }
//! if let Some(fragment) = packager.push(pos, &meta, &bytes)? {
//!     out.write(&fragment.bytes);
//! }
//! ```
//!
//! Not here: where access units come from (`ring`), boxes (`mp4`), clips (`cut`).

mod lossless;
mod pace;
mod packager;
mod samples;
mod types;

pub use pace::Pacing;
pub use packager::Packager;
pub use types::{Fragment, FragmentError, StreamTracks, TrackRun};
