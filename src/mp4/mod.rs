//! The muxer, pure: sample facts in, bytes and offsets out. No I/O of its own.
//!
//! Clips have their index first and an edit list; fragments are for live readers.
//!
//! Parameters that change within a clip: a second sample entry is enough for
//! FFmpeg 5.1 and GStreamer 1.22, even where the picture's size changes.
//! Chromium 156 stops at the change (it knows the first entry only), unless the
//! first key frame after it carries the new parameter sets in band as well
//! ([`parameter_sets`] in front of its own NAL units): then all three play it
//! to the frame. `tests/players` holds both.
//!
//! Not here: files (`disk`, `highlight`), which samples (`cut`).

mod boxes;
mod clip;
mod fragment;
mod inspect;
mod inspected;
mod read_back;
mod tables;
mod timing;
mod tree;
mod types;

pub use boxes::parameter_sets;
pub use clip::{data_offset, place, reserve_for};
pub use fragment::{FragmentRun, FragmentSample, fragment, init_segment};
pub use inspect::{inspect, inspect_encoded};
pub use inspected::{Inspected, InspectedSample, InspectedTrack};
pub use read_back::{read_back, second_opinion};
pub(crate) use types::rescale;
pub use types::{ClipIndex, ClipTrack, Mp4Error, Placed, Sample};

#[cfg(test)]
mod tests;
