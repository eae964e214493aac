//! Facts of a clip, and what its index is made into.
//!
//! Not here: how it is written (`clip`, `fragment`) and read (`inspect`, `read_back`).

use crate::media::TrackParams;

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
    #[error("cannot read the MP4: two samples are shown at tick {tick}")]
    ShownAtOnce { tick: u64 },
}

/// `ticks` of `from` per second in ticks of `to` per second, to the nearest;
/// `None` where it does not fit.
pub(crate) fn rescale(ticks: u64, from: u32, to: u32) -> Option<u64> {
    let scaled = u128::from(ticks) * u128::from(to) + u128::from(from) / 2;
    u64::try_from(scaled / u128::from(from.max(1))).ok()
}
