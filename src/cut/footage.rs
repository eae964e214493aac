//! What a cut is made of: anything that holds access units in the order of their arrival.
//! A ring, a recording on the disk, or both one after the other.
//!
//! Positions count on by one from access unit to access unit; epochs and generations of
//! parameters never come again with another meaning.
//!
//! Not here: who holds it (`ring`, `record`), what is made of it (`plan`, `machine`).

use std::borrow::Cow;

use super::sentence::NoFootage;
use super::track_index::TrackIndex;
use crate::media::{AuMeta, TrackParams};

/// Why a position could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FootageReadError {
    /// `pos` ≥ head: to be asked again.
    #[error("not written yet")]
    NotYet,
    /// What was there is gone; the oldest position held is `oldest`.
    #[error("overtaken: the oldest held is {oldest}")]
    Overtaken { oldest: u64 },
    /// Nothing is added to it any more.
    #[error("this ring has ended")]
    Ended,
    /// What stands there makes no sense, or the disk refused.
    #[error("{0}")]
    Unreadable(String),
}

/// The facts of access units, by position or by time.
pub trait Index {
    /// Oldest position held; equal to `head` when empty.
    fn oldest(&self) -> u64;

    /// Position after the newest.
    fn head(&self) -> u64;

    fn meta(&self, pos: u64) -> Result<AuMeta, FootageReadError>;

    /// Every entry held from `from` on, in their order.
    fn each(&self, from: u64, mut each: impl FnMut(u64, Result<AuMeta, FootageReadError>)) {
        (from.max(self.oldest())..self.head()).for_each(|pos| each(pos, self.meta(pos)));
    }

    /// The first position that arrived at this instant or later; `head` if none has.
    fn position_at(&self, arrival_mono_ns: u64) -> u64 {
        let (mut from, mut to) = (self.oldest(), self.head());
        while from < to {
            let middle = from + (to - from) / 2;
            match self.meta(middle) {
                Ok(au) if au.arrival_mono_ns >= arrival_mono_ns => to = middle,
                // What was overwritten meanwhile is older than what is held.
                _ => from = middle + 1,
            }
        }
        from
    }

    /// All of it, as plans are made of it.
    fn by_track(&self) -> Result<Cow<'_, TrackIndex>, NoFootage> {
        let mut held = TrackIndex::default();
        let mut unreadable = None;
        self.each(self.oldest(), |pos, entry| match entry {
            Ok(au) => held.see(pos, &au),
            // Overwritten while we looked: what is left goes on.
            Err(FootageReadError::NotYet | FootageReadError::Overtaken { .. }) => {}
            Err(other) => {
                unreadable.get_or_insert(other);
            }
        });
        match unreadable {
            Some(why) => Err(NoFootage::Unreadable {
                error: why.to_string(),
            }),
            None => Ok(Cow::Owned(held)),
        }
    }
}

/// The access units themselves.
pub trait Payload {
    /// Appends the bytes of the access unit at `pos` to `into`; on an error nothing is appended.
    fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, FootageReadError>;

    /// The parameters that access units of this generation are decoded with.
    fn params(&self, generation: u32) -> Result<TrackParams, FootageReadError>;
}
