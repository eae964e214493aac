//! Decode times for a stream whose end nobody knows. Pure.
//!
//! A frame's decode time is the presentation time of its rank, less the
//! deepest reordering: as in a clip, but known only when so many frames later
//! nothing can come that would have to stand before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::media::reorder::{self, Reorder};
use crate::media::{TrackParams, params};

/// Fewer frames than these say little.
const ENOUGH: usize = 30;
/// A frame's time at 25 a second, where only its parameters are known.
const USUAL_FRAME_90K: i64 = 3_600;

/// How far decoding runs ahead of showing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pacing {
    /// Frames that must be known before one's rank is.
    pub depth: usize,
    pub lead_90k: i64,
}

impl Pacing {
    /// As seen in presentation times in decoding order.
    pub fn of(pts_90k: &[i64]) -> Pacing {
        let mut reorder = Reorder::default();
        pts_90k.iter().for_each(|pts| reorder.add(*pts));
        let mut shown = pts_90k.to_vec();
        shown.sort_unstable();
        Pacing {
            depth: reorder.depth(),
            lead_90k: reorder::lead(&shown, pts_90k),
        }
    }

    /// As the newest frames show it; where they are few, no less than the parameters say.
    pub fn judged(newest_pts_90k: &[i64], video: &TrackParams) -> Pacing {
        let seen = Pacing::of(newest_pts_90k);
        if newest_pts_90k.len() >= ENOUGH {
            return seen;
        }
        let picture = params::picture(video.codec, &video.config).ok();
        let said = picture.and_then(|picture| usize::try_from(picture.reorder?).ok());
        let depth = said.unwrap_or(0).min(reorder::MAX_DEPTH).max(seen.depth);
        let lead_90k = i64::try_from(depth).unwrap_or(0) * USUAL_FRAME_90K;
        Pacing {
            depth,
            lead_90k: lead_90k.max(seen.lead_90k),
        }
    }
}

/// A frame with its decode time, which is strictly later than that of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paced<T> {
    pub dts: i64,
    pub pts: i64,
    pub item: T,
}

/// Holds frames until their decode time is sure.
#[derive(Debug)]
pub(super) struct Pacer<T> {
    pacing: Pacing,
    waiting: VecDeque<(i64, T)>,
    times: BinaryHeap<Reverse<i64>>,
    last: Option<i64>,
}

impl<T> Pacer<T> {
    pub fn new(pacing: Pacing) -> Pacer<T> {
        Pacer {
            pacing,
            waiting: VecDeque::new(),
            times: BinaryHeap::new(),
            last: None,
        }
    }

    /// The next frame in decoding order; gives the one that is sure by now.
    pub fn push(&mut self, pts: i64, item: T) -> Option<Paced<T>> {
        self.waiting.push_back((pts, item));
        self.times.push(Reverse(pts));
        (self.waiting.len() > self.pacing.depth)
            .then(|| self.pop())
            .flatten()
    }

    /// All that waits: nothing follows, or nothing that belongs to it.
    pub fn drain(&mut self) -> Vec<Paced<T>> {
        std::iter::from_fn(|| self.pop()).collect()
    }

    fn pop(&mut self) -> Option<Paced<T>> {
        let (pts, item) = self.waiting.pop_front()?;
        let Reverse(time) = self.times.pop()?;
        let rising = self.last.map_or(i64::MIN, |last| last + 1);
        let dts = (time - self.pacing.lead_90k).max(rising);
        self.last = Some(dts);
        Some(Paced { dts, pts, item })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I P B B P B B …, 3600 ticks a frame.
    fn with_b_frames(groups: i64) -> Vec<i64> {
        let mut frames = vec![0];
        for group in 0..groups {
            frames.extend([3, 1, 2].map(|frame| group * 3 + frame));
        }
        frames.iter().map(|frame| frame * 3600).collect()
    }

    #[test]
    fn reordering_is_seen_in_the_frames() {
        assert_eq!(Pacing::of(&[0, 3600, 7200]), Pacing::default());
        let pacing = Pacing {
            depth: 1,
            lead_90k: 3600,
        };
        assert_eq!(Pacing::of(&with_b_frames(5)), pacing);
        assert_eq!(Pacing::of(&[]), Pacing::default());
    }

    #[test]
    fn decode_times_of_a_stream_rise_evenly_and_never_pass_the_presentation() {
        let pts = with_b_frames(40);
        let mut pacer = Pacer::new(Pacing::of(&pts));
        let mut paced: Vec<_> = pts.iter().filter_map(|&pts| pacer.push(pts, ())).collect();
        paced.extend(pacer.drain());
        assert_eq!(paced.len(), pts.len());
        assert!(paced.iter().all(|frame| frame.dts <= frame.pts));
        let distances = paced.windows(2).map(|pair| pair[1].dts - pair[0].dts);
        assert!(
            distances.clone().all(|ticks| ticks == 3600),
            "{:?}",
            distances.collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_stream_that_turns_out_to_reorder_deeper_still_rises() {
        let mut pacer = Pacer::new(Pacing::default());
        let dts: Vec<i64> = with_b_frames(4)
            .into_iter()
            .filter_map(|pts| Some(pacer.push(pts, ())?.dts))
            .collect();
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{dts:?}");
    }
}
