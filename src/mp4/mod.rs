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
//! Not here: files (`disk`, `highlight`), which samples (`highlight::window`).
//! Called by: highlight, tap.

mod boxes;
mod clip;
mod fragment;
pub mod inspect;
mod read_back;
mod tables;
mod timing;
mod tree;

use std::io::{Read, Seek};

use crate::media::TrackParams;

pub use fragment::{FragmentRun, FragmentSample, fragment, init_segment};
pub use inspect::{Inspected, InspectedSample, InspectedTrack, inspect, inspect_encoded};
pub use read_back::second_opinion;

/// Ticks per second of a clip as a whole.
pub(crate) const MOVIE_TIMESCALE: u32 = 90_000;

/// One sample as it lies in the clip's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// From the first byte of the data (behind the `mdat` header).
    pub offset: u64,
    pub size: u32,
    /// Presentation time in the track's ticks, already placed on the clip's
    /// timeline. May repeat or jitter; decode times are made from it.
    pub pts: i64,
    /// Decoding can start here.
    pub sync: bool,
    /// Index into `ClipTrack::entries`.
    pub entry: u32,
}

/// One track of a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipTrack {
    /// Sample entries, in the order of their first use; all of one codec.
    pub entries: Vec<TrackParams>,
    /// In decoding order.
    pub samples: Vec<Sample>,
    /// What is shown: `[start, end)` in the track's ticks. Video samples outside
    /// of it are squeezed to one tick each.
    pub start: i64,
    pub end: i64,
}

/// All facts of a clip; what `place` turns into bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipIndex {
    /// Video first.
    pub tracks: Vec<ClipTrack>,
    /// Wall clock of the first shown frame, seconds since 1970, 0 where unknown.
    pub created_unix_s: u64,
}

/// Bytes around the data of a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// To be written at 0; exactly `data_offset(reserve)` long: ftyp, moov
    /// (if it fits), free, the header of mdat.
    pub front: Vec<u8>,
    /// To be written behind the data; empty unless the index did not fit at the front.
    pub tail: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum Mp4Error {
    #[error("a clip needs a video track with at least one frame to show")]
    NothingToShow,
    #[error("cannot write this clip's index: {0}")]
    Unwritable(String),
    #[error("cannot read the MP4: {0}")]
    Unreadable(String),
}

/// Bytes to keep free for the index in the worst case of so many samples:
/// every one in a chunk of its own and of its own duration. Rounded so that
/// the data begins at a page.
pub fn reserve_for(video_samples: u64, audio_samples: u64, params: &[TrackParams]) -> u64 {
    clip::reserve_for(video_samples, audio_samples, params)
}

/// Where the data starts in a file with this reserve.
pub fn data_offset(reserve: u64) -> u64 {
    clip::data_offset(reserve)
}

/// The bytes around `data_len` bytes of data. Audio of which nothing is heard
/// is left out.
///
/// # Errors
/// [`Mp4Error::NothingToShow`] where no video sample lies in `[start, end)`;
/// [`Mp4Error::Unwritable`] where the facts contradict each other.
pub fn place(reserve: u64, data_len: u64, clip: &ClipIndex) -> Result<Placed, Mp4Error> {
    clip::place(reserve, data_len, clip)
}

/// The parameter sets of a video track as NAL units with 4-byte lengths, as
/// they stand before a key frame's own in streams that carry them in band.
pub fn parameter_sets(params: &TrackParams) -> Result<Vec<u8>, Mp4Error> {
    boxes::parameter_sets(params)
}

/// Reads a finished clip back, with our strict reader and with the independent
/// one (`mp4` crate), and compares sample sizes, offsets, times and sync
/// samples of every track with each other and with the facts, as far as that
/// reader can parse. `Ok(None)`: they agree; `Ok(Some(difference))`.
pub fn read_back<R: Read + Seek>(
    file: R,
    size: u64,
    reserve: u64,
    clip: &ClipIndex,
) -> Result<Option<String>, Mp4Error> {
    read_back::read_back(file, size, reserve, clip)
}

/// `ticks` of `from` per second in ticks of `to` per second, to the nearest;
/// `None` where it does not fit.
pub(crate) fn rescale(ticks: u64, from: u32, to: u32) -> Option<u64> {
    let scaled = u128::from(ticks) * u128::from(to) + u128::from(from) / 2;
    u64::try_from(scaled / u128::from(from.max(1))).ok()
}

#[cfg(test)]
mod tests;
