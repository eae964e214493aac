//! A clip as its index describes it.
//!
//! Not here: how it is read (`inspect`).

use std::ops::Range;

use super::types::{MOVIE_TIMESCALE, rescale};
use crate::media::{Track, TrackParams};

/// A clip as its index describes it; everything has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// Video first.
    pub tracks: Vec<InspectedTrack>,
    /// The index stands before the data.
    pub index_first: bool,
    /// Bytes of the file that hold samples.
    pub data: Range<u64>,
    /// How long it plays, in 1/90000 s.
    pub duration_90k: u64,
    /// Seconds since 1970; 0 where unknown.
    pub created_unix_s: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedTrack {
    pub id: u32,
    /// Sample entries, all of one codec and timescale.
    pub entries: Vec<TrackParams>,
    /// In decoding order; at least one.
    pub samples: Vec<InspectedSample>,
    /// The edit list: nothing for so long (1/90000 s) …
    pub lead_90k: u64,
    /// … then from this presentation time (ticks) …
    pub shown_from: u64,
    /// … for so long (1/90000 s).
    pub shown_90k: u64,
}

/// Times are ticks of the track, from its first decode time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InspectedSample {
    /// In the file.
    pub offset: u64,
    pub size: u32,
    pub dts: u64,
    /// Presentation time, before the edit list.
    pub cts: u64,
    pub sync: bool,
    /// Index into `InspectedTrack::entries`.
    pub entry: u32,
}

impl InspectedTrack {
    pub fn track(&self) -> Track {
        self.entries
            .first()
            .map_or(Track::Video, TrackParams::track)
    }

    pub fn timescale(&self) -> u32 {
        self.entries.first().map_or(1, |entry| entry.timescale)
    }

    /// The samples whose presentation begins within what is shown, in decoding order.
    pub fn shown(&self) -> impl Iterator<Item = &InspectedSample> {
        let ticks = rescale(self.shown_90k, MOVIE_TIMESCALE, self.timescale());
        let to = self.shown_from.saturating_add(ticks.unwrap_or(u64::MAX));
        let from = self.shown_from;
        self.samples
            .iter()
            .filter(move |sample| (from..to).contains(&sample.cts))
    }
}
