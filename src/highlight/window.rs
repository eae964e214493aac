//! A window on a camera's ring becomes a plan: where reading starts and which
//! media times the clip begins and ends at.
//!
//! Pure: reads an index of access units, decides, writes nothing. It looks only
//! at what had arrived before the press, so the answer is the same before and
//! after a restart.
//!
//! Not here: the bytes (`cut` says which, `export` moves them).
//! Called by: highlight (at the press, to accept or refuse; at the export).

use serde::{Deserialize, Serialize};

use super::mapping::{Certainty, Mapping};
use crate::media::AuMeta;
use crate::ring::{ReadError, RingReader};

/// The index of a ring: entries in the order of their arrival.
pub trait Index {
    /// Oldest position held; equal to `head` when empty.
    fn oldest(&self) -> u64;
    /// Position after the newest.
    fn head(&self) -> u64;
    fn meta(&self, pos: u64) -> Result<AuMeta, ReadError>;
}

impl Index for RingReader {
    fn oldest(&self) -> u64 {
        RingReader::oldest(self)
    }
    fn head(&self) -> u64 {
        RingReader::head(self)
    }
    fn meta(&self, pos: u64) -> Result<AuMeta, ReadError> {
        RingReader::meta(self, pos)
    }
}

/// What is wished for, of one camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `CLOCK_MONOTONIC` at the press, in nanoseconds.
    pub press_mono_ns: u64,
    /// How much later than reality the camera's picture arrives. The instant
    /// looked up is press + latency.
    pub latency_ms: u64,
    pub pre_ms: u64,
    pub post_ms: u64,
}

/// What to read, and what of it is shown. Journal it: after a restart the ring
/// may hold less than at the press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub window: Window,
    /// Where a reader of the ring starts.
    pub first_pos: u64,
    /// Where decoding starts: the first whole key frame at or behind it.
    pub key_pos: u64,
    /// The press on the timeline of the press's epoch (`mappings[0]`), 90 kHz.
    pub press_90k: i64,
    /// What is to be shown, `[start, end)`, on the same timeline. The clip
    /// starts with the frame on screen at `start_90k`.
    pub start_90k: i64,
    pub end_90k: i64,
    /// The press's epoch first, then the earlier ones that the ring holds.
    /// Epochs that begin after the press get theirs while they are read.
    pub mappings: Vec<Mapping>,
    pub certainty: Certainty,
    /// The ring also held audio near the window.
    pub audio: bool,
    /// How many video access units may stand before one that is shown earlier.
    pub reorder_depth: usize,
    /// How much of `pre` the ring does not hold, 90 kHz ticks.
    pub short_90k: i64,
    /// Milliseconds without an access unit before the press, if 3000 or more.
    pub stale_ms: Option<u64>,
}

/// Why a camera has nothing to show. For people.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoFootage {
    #[error("no picture of this camera has arrived yet")]
    Empty,
    #[error(
        "the newest picture held is {0:.1} s older than the window asked for: is the camera connected?"
    )]
    TooOld(f64),
    #[error("the oldest picture held is {0:.1} s newer than the window asked for")]
    TooNew(f64),
    #[error("no key frame of the window was received, so nothing of it can be decoded")]
    NoKeyFrame,
    #[error("the ring cannot be read: {0}")]
    Unreadable(String),
}

/// Plans the cut of `window` from what `index` holds.
pub fn plan(index: &impl Index, window: &Window) -> Result<Plan, NoFootage> {
    let _ = (index, window);
    todo!()
}
