//! The facts of access units that plans are made of, by track.
//!
//! Not here: where they are read (`footage`), what is decided (`plan`).

use std::ops::Deref;

use super::mapping::Mapping;
use super::window::{is_plausible, is_sound_key};
use crate::media::{AuMeta, Track};

/// What is asked of an entry: a ring holds thousands, and somebody stands before a light
/// while all are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexEntry {
    pub pos: u64,
    pub pts_90k: i64,
    pub arrival_mono_ns: u64,
    pub epoch: u32,
    /// Decoding can start here.
    pub key: bool,
}

impl IndexEntry {
    fn of(pos: u64, au: &AuMeta) -> IndexEntry {
        IndexEntry {
            pos,
            pts_90k: au.pts_90k,
            arrival_mono_ns: au.arrival_mono_ns,
            epoch: au.epoch,
            key: is_sound_key(au),
        }
    }

    pub fn as_mapping(&self) -> Mapping {
        Mapping {
            epoch: self.epoch,
            anchor_90k: self.pts_90k,
            anchor_mono_ns: self.arrival_mono_ns,
        }
    }
}

/// What a ring holds of one track, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackEntries {
    all: Vec<IndexEntry>,
    /// How many of them were forgotten since.
    forgotten: usize,
}

impl TrackEntries {
    fn forget_before(&mut self, pos: u64) {
        self.forgotten += self.partition_point(|au| au.pos < pos);
        // Now and then, so that it costs nothing.
        if self.forgotten > self.all.len() / 2 {
            self.all.drain(..self.forgotten);
            self.forgotten = 0;
        }
    }
}

impl Deref for TrackEntries {
    type Target = [IndexEntry];
    fn deref(&self) -> &[IndexEntry] {
        &self.all[self.forgotten..]
    }
}

/// What footage holds, by track, as far as plans are made of it.
#[derive(Clone, Debug, Default)]
pub struct TrackIndex {
    pub(super) video: TrackEntries,
    pub(super) audio: TrackEntries,
}

impl TrackIndex {
    /// The next entry.
    pub fn see(&mut self, pos: u64, au: &AuMeta) {
        if au.flags.gap || !is_plausible(au) {
            return;
        }
        let track = match au.track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        };
        track.all.push(IndexEntry::of(pos, au));
    }

    pub fn forget_before(&mut self, pos: u64) {
        self.video.forget_before(pos);
        self.audio.forget_before(pos);
    }
}
