//! From presentation times in decoding order to the times an index needs.
//!
//! Pure arithmetic; not here: boxes (`boxes`), edit lists as bytes (`clip`).
//!
//! Times of the index count from 0, the first decode time. Decode times are the
//! presentation times sorted and shifted back by the deepest reordering, so
//! that they rise strictly and never pass the presentation.

use super::types::Mp4Error;
use crate::media::reorder;

/// Nobody's camera runs for 400 000 years; beyond it sums could overflow.
const FARTHEST: i64 = 1 << 60;

/// Times of one track, in its ticks, in decoding order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timing {
    /// Strictly rising, from 0.
    pub dts: Vec<u64>,
    /// Presentation (composition) times: each ≥ its decode time, no two equal.
    pub cts: Vec<u64>,
    /// How long the sample that is decoded last lasts.
    pub last_delta: u64,
    /// Largest presentation time plus how long that sample is shown.
    pub media_end: u64,
    /// Ticks of the clip that pass before the first sample is there.
    pub lead: u64,
    /// What is shown: `[shown_from, shown_to)` of the presentation times.
    pub shown_from: u64,
    pub shown_to: u64,
}

impl Timing {
    /// How long each sample lasts in decoding.
    pub fn deltas(&self) -> impl Iterator<Item = u64> + '_ {
        let inner = self.dts.windows(2).map(|pair| pair[1] - pair[0]);
        let last = (!self.dts.is_empty()).then_some(self.last_delta);
        inner.chain(last)
    }

    /// From decoding to presentation.
    pub fn offsets(&self) -> impl Iterator<Item = u64> + '_ {
        self.dts.iter().zip(&self.cts).map(|(dts, cts)| cts - dts)
    }
}

/// Video: samples before `start` are squeezed to one tick each, in the order in
/// which they would be shown; those shown keep their distances, the last of
/// them lasts to `end`; those behind it (needed to decode others) are squeezed
/// likewise. Chromium counts what it decodes but does not show into the clip's
/// length, so the less of it the better.
pub(super) fn video(pts: &[i64], start: i64, end: i64) -> Result<Timing, Mp4Error> {
    check(pts, start, end)?;
    let mut order: Vec<usize> = (0..pts.len()).collect();
    order.sort_by_key(|&i| (pts[i], i));
    let skipped = order.partition_point(|&i| pts[i] < start);
    let squeezed_from = start - signed(skipped)?;
    let shown = order.partition_point(|&i| pts[i] < end.max(start));

    let mut sorted = Vec::with_capacity(pts.len());
    let mut shown_at = vec![0; pts.len()];
    for (rank, &i) in order.iter().enumerate() {
        let wanted = if rank < skipped {
            squeezed_from + signed(rank)?
        } else if rank < shown {
            pts[i]
        } else {
            end.max(start) + signed(rank - shown)?
        };
        let time = later_than(sorted.last(), wanted);
        sorted.push(time);
        shown_at[i] = time;
    }
    let reorder = reorder::lead(&sorted, &shown_at);
    let last_delta = sorted.last().map_or(1, |last| (end - last).max(1));
    from_times(&sorted, &shown_at, reorder, last_delta, start, end)
}

/// How long the last frame of sound lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As long as most do.
    Usual,
    /// To the end: FLAC.
    Exact,
}

/// Audio: never reordered, never squeezed.
pub(super) fn audio(pts: &[i64], start: i64, end: i64, ending: Ending) -> Result<Timing, Mp4Error> {
    check(pts, start, end)?;
    let mut times: Vec<i64> = Vec::with_capacity(pts.len());
    for &wanted in pts {
        times.push(later_than(times.last(), wanted));
    }
    let last_delta = match (ending, times.last()) {
        (Ending::Exact, Some(last)) => (end - last).max(1),
        _ => usual_distance(&times),
    };
    let until = times.last().map_or(start, |last| last + last_delta);
    from_times(&times, &times, 0, last_delta, start, end.min(until))
}

fn from_times(
    sorted: &[i64],
    shown_at: &[i64],
    reorder: i64,
    last_delta: i64,
    start: i64,
    end: i64,
) -> Result<Timing, Mp4Error> {
    let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) else {
        return Ok(Timing::default());
    };
    let shown_from = start.max(first);
    let shown_to = end.max(shown_from);
    let in_media = |time: i64| unsigned(time - first + reorder);
    Ok(Timing {
        dts: sorted
            .iter()
            .map(|time| unsigned(time - first))
            .collect::<Result<_, _>>()?,
        cts: shown_at
            .iter()
            .map(|&time| in_media(time))
            .collect::<Result<_, _>>()?,
        last_delta: unsigned(last_delta)?,
        media_end: in_media((last + last_delta).max(shown_to))?,
        lead: unsigned(shown_from - start)?,
        shown_from: in_media(shown_from)?,
        shown_to: in_media(shown_to)?,
    })
}

/// `wanted`, or one tick after `previous` where that has been passed already.
fn later_than(previous: Option<&i64>, wanted: i64) -> i64 {
    previous.map_or(wanted, |previous| wanted.max(previous + 1))
}

/// The distance that most neighbours have; 1024 (a frame of AAC) where there are none.
fn usual_distance(times: &[i64]) -> i64 {
    let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    distances
        .chunk_by(|a, b| a == b)
        .max_by_key(|same| same.len())
        .map_or(1024, |same| same[0])
}

fn check(pts: &[i64], start: i64, end: i64) -> Result<(), Mp4Error> {
    let near = |time: &i64| (-FARTHEST..FARTHEST).contains(time);
    match pts.iter().chain([&start, &end]).find(|time| !near(time)) {
        Some(time) => Err(Mp4Error::Unwritable(format!(
            "{time} ticks are no time of a clip"
        ))),
        None => Ok(()),
    }
}

fn unsigned(ticks: i64) -> Result<u64, Mp4Error> {
    u64::try_from(ticks).map_err(|_| Mp4Error::Unwritable(format!("a time of {ticks} ticks")))
}

fn signed(count: usize) -> Result<i64, Mp4Error> {
    i64::try_from(count).map_err(|_| Mp4Error::Unwritable(format!("{count} samples in a track")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Presentation times of I P B B P B B … in decoding order.
    fn with_b_frames(frames: i64, ticks: i64) -> Vec<i64> {
        let mut order = vec![0];
        let mut anchor = 3;
        while anchor < frames {
            order.extend([anchor, anchor - 2, anchor - 1]);
            anchor += 3;
        }
        order.into_iter().map(|frame| frame * ticks).collect()
    }

    #[test]
    fn without_b_frames_decode_times_are_presentation_times() {
        let timing = video(&[900, 4500, 8100], 900, 11_000).unwrap();
        assert_eq!(timing.dts, [0, 3600, 7200]);
        assert_eq!(timing.cts, timing.dts);
        assert_eq!(timing.last_delta, 2900);
        assert_eq!((timing.shown_from, timing.shown_to), (0, 10_100));
    }

    #[test]
    fn skipped_frames_take_one_tick_each_and_shown_ones_keep_their_distances() {
        let pts = with_b_frames(10, 3600);
        let timing = video(&pts, 5 * 3600, 9 * 3600).unwrap();
        let shown_at = |frame: i64| {
            let i = pts.iter().position(|&pts| pts == frame * 3600).unwrap();
            i64::try_from(timing.cts[i]).unwrap() - i64::try_from(timing.shown_from).unwrap()
        };
        let squeezed: Vec<i64> = (0..10).map(shown_at).collect();
        assert_eq!(squeezed, [-5, -4, -3, -2, -1, 0, 3600, 7200, 10800, 14400]);
        assert_eq!(timing.shown_to - timing.shown_from, 4 * 3600);
    }

    #[test]
    fn frames_behind_the_end_take_one_tick_each_too() {
        let pts = with_b_frames(10, 3600);
        let timing = video(&pts, 0, 7 * 3600 + 900).unwrap();
        let shown_at = |frame: i64| {
            let i = pts.iter().position(|&pts| pts == frame * 3600).unwrap();
            i64::try_from(timing.cts[i] - timing.shown_from).unwrap()
        };
        let shown: Vec<i64> = (6..10).map(shown_at).collect();
        assert_eq!(shown, [21_600, 25_200, 26_100, 26_101]);
        assert_eq!(timing.shown_to - timing.shown_from, 26_100);
    }

    #[test]
    fn a_hole_keeps_its_length() {
        let timing = video(&[0, 3600, 93_600, 97_200], 0, 100_000).unwrap();
        assert_eq!(
            timing.deltas().collect::<Vec<_>>(),
            [3600, 90_000, 3600, 2800]
        );
    }

    #[test]
    fn repeated_and_backward_times_still_rise_by_a_tick() {
        let timing = audio(&[0, 1024, 1024, 1000, 3072], 0, 4000, Ending::Usual).unwrap();
        assert_eq!(timing.dts, [0, 1024, 1025, 1026, 3072]);
        let timing = video(&[0, 3600, 3600, 7200], 0, 10_800).unwrap();
        assert_eq!(timing.cts, [0, 3600, 3601, 7200]);
    }

    #[test]
    fn audio_that_begins_late_leads_in_and_audio_that_ends_early_ends() {
        let timing = audio(&[5000, 6024, 7048], 4000, 20_000, Ending::Usual).unwrap();
        assert_eq!(timing.lead, 1000);
        assert_eq!((timing.shown_from, timing.shown_to), (0, 3072));
    }

    #[test]
    fn sound_without_padding_ends_when_its_last_sample_does() {
        let timing = audio(&[0, 800, 1600], 0, 1_723, Ending::Exact).unwrap();
        assert_eq!(timing.deltas().collect::<Vec<_>>(), [800, 800, 123]);
        assert_eq!((timing.media_end, timing.shown_to), (1_723, 1_723));
        assert_eq!(audio(&[40], 0, 60, Ending::Exact).unwrap().last_delta, 20);
    }

    #[test]
    fn impossible_times_are_refused() {
        assert!(video(&[0, i64::MAX], 0, 1).is_err());
        assert!(audio(&[i64::MIN], 0, 1, Ending::Usual).is_err());
    }

    proptest! {
        #[test]
        fn decode_times_rise_and_never_pass_the_presentation(
            pts in proptest::collection::vec(-50_000i64..50_000, 1..200),
            start in -60_000i64..60_000, len in 1i64..100_000,
        ) {
            let end = start + len;
            let audio = |ending| audio(&pts, start, end, ending).unwrap();
            for timing in [video(&pts, start, end).unwrap(), audio(Ending::Usual), audio(Ending::Exact)] {
                prop_assert_eq!(timing.dts[0], 0);
                prop_assert!(timing.dts.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(timing.dts.iter().zip(&timing.cts).all(|(dts, cts)| dts <= cts));
                let mut sorted = timing.cts.clone();
                sorted.sort_unstable();
                sorted.dedup();
                prop_assert_eq!(sorted.len(), timing.cts.len());
                prop_assert!(timing.shown_to <= timing.media_end);
                prop_assert!(timing.deltas().all(|delta| delta > 0));
            }
        }

        #[test]
        fn shown_frames_keep_their_distances_exactly(
            steps in proptest::collection::vec(2i64..9000, 2..200), skip in 0usize..150,
            jitter in -1i64..=1,
        ) {
            let mut pts: Vec<i64> = steps.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let start = pts[skip.min(pts.len() - 1)];
            let end = pts[pts.len() - 1] + 3000;
            for pair in pts.chunks_exact_mut(2) {
                pair.swap(0, 1);
            }
            let timing = video(&pts, start, end + jitter).unwrap();
            for (cts, pts) in timing.cts.iter().zip(&pts) {
                let from_start = i64::try_from(*cts).unwrap() - i64::try_from(timing.shown_from).unwrap();
                if *pts >= end + jitter {
                    prop_assert!(from_start >= end + jitter - start);
                } else if *pts >= start {
                    prop_assert_eq!(from_start, pts - start);
                } else {
                    prop_assert!((-200..0).contains(&from_start));
                }
            }
            prop_assert_eq!(timing.shown_to - timing.shown_from, u64::try_from(end + jitter - start).unwrap());
        }
    }
}
