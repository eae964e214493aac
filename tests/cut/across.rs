//! Footage that begins in one place and goes on in another, as a recording and a ring do:
//! it is cut as if it were one. The cut knows nothing of it.

use hindsight::cut::{
    Cut, Ended, FinishedCut, FootageReadError, Index, Offer, Payload, Plan, plan,
};
use hindsight::media::{AuMeta, TrackParams};

use crate::camera::{ON_MONO_NS, SECOND_NS, Spec, film, window};

/// The newer holds what arrived from its oldest on, whatever the older holds of it, too.
struct Joined<A, B> {
    older: A,
    newer: B,
}

impl<A: Index, B: Index> Joined<A, B> {
    /// Position at which the newer begins, in the numbers of the older.
    fn seam(&self) -> u64 {
        let first = self.newer.meta(self.newer.oldest()).unwrap();
        self.older.position_at(first.arrival_mono_ns)
    }

    /// The newer's own number of a position.
    fn in_newer(&self, pos: u64) -> Option<u64> {
        Some(pos.checked_sub(self.seam())? + self.newer.oldest())
    }
}

impl<A: Index, B: Index> Index for Joined<A, B> {
    fn oldest(&self) -> u64 {
        self.older.oldest()
    }
    fn head(&self) -> u64 {
        self.seam() + self.newer.head() - self.newer.oldest()
    }
    fn meta(&self, pos: u64) -> Result<AuMeta, FootageReadError> {
        match self.in_newer(pos) {
            Some(pos) => self.newer.meta(pos),
            None => self.older.meta(pos),
        }
    }
}

impl<A: Index + Payload, B: Index + Payload> Payload for Joined<A, B> {
    fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, FootageReadError> {
        match self.in_newer(pos) {
            Some(pos) => self.newer.read(pos, into),
            None => self.older.read(pos, into),
        }
    }
    fn params(&self, generation: u32) -> Result<TrackParams, FootageReadError> {
        let newer = self.newer.params(generation);
        newer.or_else(|_| self.older.params(generation))
    }
}

/// The clip and its data.
fn cut(footage: &(impl Index + Payload), plan: &Plan) -> (FinishedCut, Vec<u8>) {
    let mut cut = Cut::new(plan);
    let mut data = Vec::new();
    for pos in plan.first_pos..footage.head() {
        let before = data.len();
        let au = footage.read(pos, &mut data).unwrap();
        if !au.flags.gap && cut.needs_params(au.generation) {
            let params = footage.params(au.generation).unwrap();
            cut.params(au.generation, &params);
        }
        let prefix = cut.prefix(&au);
        let offset = u64::try_from(before + prefix.len()).unwrap();
        match cut.offer(pos, &au, offset) {
            Offer::Take => drop(data.splice(before..before, prefix)),
            Offer::Hear => cut.hear(&au, &data.split_off(before)),
            Offer::Note | Offer::Leave => data.truncate(before),
        }
    }
    (cut.finish(Ended::Complete).unwrap(), data)
}

#[test]
fn footage_split_over_two_sources_gives_the_same_plan_and_the_same_bytes() {
    let spec = Spec {
        b_frames: 2,
        audio: true,
        jitter_ns: 30_000_000,
        ..Spec::default()
    };
    let whole = film(&spec);
    let window = window(ON_MONO_NS + 60 * SECOND_NS, 40_000, 10_000);
    let planned = plan(&whole, &window).unwrap();
    let expected = cut(&whole, &planned);
    assert!(expected.1.len() > 100_000, "{} bytes", expected.1.len());
    // Before the window, in it, at its end; with a ring that holds more of the same.
    for (seam_s, more_s) in [(10, 0), (25, 0), (40, 15), (60, 0), (69, 60)] {
        let seam_mono_ns = ON_MONO_NS + seam_s * SECOND_NS;
        let older = whole.at(seam_mono_ns + more_s * SECOND_NS);
        let mut newer = whole.forget_before(seam_mono_ns + 1);
        for position in [&mut newer.base, &mut newer.oldest, &mut newer.head] {
            *position += 1_000_000;
        }
        let joined = Joined { older, newer };
        assert_eq!(joined.head(), whole.head(), "seam at {seam_s} s");
        assert_eq!(plan(&joined, &window).unwrap(), planned);
        assert_eq!(cut(&joined, &planned), expected);
    }
}

#[test]
fn what_arrived_at_an_instant_is_found() {
    let ring = film(&Spec::default());
    for pos in [ring.oldest(), ring.oldest() + 77, ring.head() - 1] {
        let at = ring.meta(pos).unwrap().arrival_mono_ns;
        assert_eq!(ring.position_at(at), pos);
        assert_eq!(ring.position_at(at + 1), pos + 1);
    }
    assert_eq!(ring.position_at(0), ring.oldest());
}
