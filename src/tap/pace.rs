//! Decode times for a stream whose end nobody knows. Pure.
//!
//! A frame's decode time is the presentation time of its rank, less the
//! deepest reordering: as in a clip, but known only when so many frames later
//! nothing can come that would have to stand before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// How far decoding runs ahead of showing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reorder {
    /// Frames that must be known before one's rank is.
    pub frames: usize,
    pub ticks: i64,
}

impl Reorder {
    /// As seen in frames in decoding order.
    pub fn of(pts: &[i64]) -> Reorder {
        let mut order: Vec<usize> = (0..pts.len()).collect();
        order.sort_by_key(|&i| (pts[i], i));
        let late = |(rank, &i): (usize, &usize)| i.saturating_sub(rank);
        let deep = |(rank, &i): (usize, &usize)| pts[i] - pts[rank];
        Reorder {
            frames: order.iter().enumerate().map(late).max().unwrap_or(0),
            ticks: order.iter().enumerate().map(deep).max().unwrap_or(0).max(0),
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
    reorder: Reorder,
    waiting: VecDeque<(i64, T)>,
    times: BinaryHeap<Reverse<i64>>,
    last: Option<i64>,
}

impl<T> Pacer<T> {
    pub fn new(reorder: Reorder) -> Pacer<T> {
        Pacer {
            reorder,
            waiting: VecDeque::new(),
            times: BinaryHeap::new(),
            last: None,
        }
    }

    /// The next frame in decoding order; gives the one that is sure by now.
    pub fn push(&mut self, pts: i64, item: T) -> Option<Paced<T>> {
        self.waiting.push_back((pts, item));
        self.times.push(Reverse(pts));
        (self.waiting.len() > self.reorder.frames)
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
        let dts = (time - self.reorder.ticks).max(rising);
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
        assert_eq!(Reorder::of(&[0, 3600, 7200]), Reorder::default());
        let reorder = Reorder {
            frames: 1,
            ticks: 3600,
        };
        assert_eq!(Reorder::of(&with_b_frames(5)), reorder);
        assert_eq!(Reorder::of(&[]), Reorder::default());
    }

    #[test]
    fn decode_times_of_a_stream_rise_evenly_and_never_pass_the_presentation() {
        let pts = with_b_frames(40);
        let mut pacer = Pacer::new(Reorder::of(&pts));
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
        let mut pacer = Pacer::new(Reorder::default());
        let dts: Vec<i64> = with_b_frames(4)
            .into_iter()
            .filter_map(|pts| Some(pacer.push(pts, ())?.dts))
            .collect();
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{dts:?}");
    }
}
