//! What a cut was told of its access units, in the order of the ring: all that `finish` looks at.
//!
//! Not here: which access units are taken (`machine`), what is shown (`finish`).

use std::collections::BTreeMap;

use super::window::Plan;
use crate::media::{AuMeta, TrackParams};
use crate::mp4;

/// The plan, and all that was taken or noted for it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub plan: Plan,
    pub params: BTreeMap<u32, TrackParams>,
    pub events: Vec<Event>,
    /// Bytes of the packets of PCM, one behind the other.
    pub pcm: Vec<u8>,
}

impl Told {
    /// Where the data of the clip ends that was taken.
    pub fn data_end(&self) -> u64 {
        let ends = self.events.iter().map(|event| match event {
            Event::Taken { au, offset } => offset.saturating_add(u64::from(au.len)),
            Event::Heard { .. } | Event::Noted { .. } | Event::Lost { .. } => 0,
        });
        ends.max().unwrap_or(0)
    }
}

/// RASL pictures of the key frame that decoding begins with: they need what is
/// not here. They come before every picture that is shown behind the key frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leading {
    key_90k: Option<i64>,
}

impl Leading {
    pub fn of(key: &AuMeta) -> Leading {
        Leading {
            key_90k: key.flags.open_gop.then_some(key.pts_90k),
        }
    }

    /// Whether the next AU in decoding order is one of them.
    pub fn lacks_reference(&mut self, au: &AuMeta) -> bool {
        let Some(key_90k) = self.key_90k else {
            return false;
        };
        if au.flags.rasl && au.pts_90k <= key_90k {
            return true;
        }
        if au.flags.key || au.pts_90k > key_90k {
            self.key_90k = None;
        }
        false
    }
}

/// The parameters that a decoder of the clip has: those of the last key frame.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InForce(Option<u32>);

impl InForce {
    /// Parameter sets that must stand in front of this AU: a key frame that
    /// changes them. Chromium knows only the first sample entry of a clip.
    pub fn sets_before(self, au: &AuMeta, params: &BTreeMap<u32, TrackParams>) -> Vec<u8> {
        if !au.flags.key || self.fits(au, params) {
            return Vec::new();
        }
        let new = params.get(&au.generation);
        new.and_then(|new| mp4::parameter_sets(new).ok())
            .unwrap_or_default()
    }

    pub fn fits(self, au: &AuMeta, params: &BTreeMap<u32, TrackParams>) -> bool {
        let same =
            |known| known == au.generation || params.get(&known) == params.get(&au.generation);
        self.0.is_none_or(same)
    }

    pub fn follow(&mut self, au: &AuMeta) {
        if au.flags.key {
            self.0 = Some(au.generation);
        }
    }
}

/// What `finish` looks at, in the order of the ring.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Taken {
        au: AuMeta,
        offset: u64,
    },
    /// A packet of PCM; the offset is one in `Told::pcm`.
    Heard {
        au: AuMeta,
        offset: u64,
    },
    /// A gap, or the proof that its track is complete.
    Noted {
        au: AuMeta,
    },
    Lost {
        entries: u64,
    },
}
