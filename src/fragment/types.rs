//! What comes out of a packager, and what can go wrong in it.

use crate::media::{Codec, FlacError, Track, TrackParams};
use crate::mp4::Mp4Error;

/// The parameters that a stream starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamTracks {
    pub video: TrackParams,
    pub audio: Option<TrackParams>,
}

/// Frames that are written in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// `moof` and `mdat`.
    pub bytes: Vec<u8>,
    /// Of each track that has frames in it; video first.
    pub runs: Vec<TrackRun>,
    /// Whether its first video frame is a key frame: a player can begin here.
    pub starts_with_key: bool,
    /// Decode time of its first run, from the stream's beginning.
    pub start_90k: u64,
    /// Of its first run.
    pub duration_90k: u64,
    /// The lowest position among its access units.
    pub first_position: u64,
}

/// The frames of one track in a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackRun {
    pub track: Track,
    pub samples: usize,
    /// Decode time of the first, in the track's ticks from the stream's beginning.
    pub start: u64,
    /// Of all, in the track's ticks.
    pub duration: u64,
    pub bytes: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum FragmentError {
    /// No player goes on over this: another stream has to begin.
    #[error("the coding changed, now {now:?}: it cannot go on in this stream")]
    CodingChanged { now: Codec },
    #[error(transparent)]
    Mp4(#[from] Mp4Error),
    #[error(transparent)]
    Flac(#[from] FlacError),
}
