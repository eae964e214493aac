//! A frame of sound, or a packet of it, with its place in the clip.
//!
//! Not here: how it is found (`sound`).

use crate::media::AuMeta;

/// One frame of sound, placed: ticks of the track from the clip's start.
pub(super) struct PlacedSound {
    pub au: AuMeta,
    pub offset: u64,
    pub ticks: i64,
    /// Ticks.
    pub lasts: i64,
}

impl PlacedSound {
    /// Its bytes, where they are PCM.
    pub fn bytes<'a>(&self, pcm: &'a [u8]) -> &'a [u8] {
        let from = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let len = usize::try_from(self.au.len).unwrap_or(usize::MAX);
        pcm.get(from..from.saturating_add(len)).unwrap_or_default()
    }
}
