//! The clock of a camera whose pictures are shown in the order in which they are sent: there a
//! time that steps back is a fault of the clock, and mended. Pure.
//!
//! A mended time is later than the one before it by a little less than pictures usually are, so
//! that a step back is made up within a few pictures and one picture's fault harms only
//! that picture. It is never later than the mapping lets it be: it makes no picture look less delayed
//! than the least delayed one was, and so moves no cut.
//!
//! Not here: what is no fault but a clock that was set (`ingest`), whether pictures are in order (`reorder`).

/// Steps by which the usual one is judged.
const STEPS: usize = 5;
/// At 30 a second, where none is known yet.
const FIRST_STEP_90K: i64 = 3_000;
/// A wider step is a hole.
const MOST_90K: i64 = 90_000;
/// A mended time is made of no wider one, so that a clock that is all wrong is soon caught up with.
const MOST_MADE_90K: i64 = 9_000;

/// What became of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedTime {
    pub pts_90k: i64,
    /// It is not what the camera said.
    pub mended: bool,
}

/// Pictures in the order of both decoding and showing.
#[derive(Clone, Debug, Default)]
pub struct InOrder {
    last_90k: Option<i64>,
    /// The last as the camera said it.
    said_90k: i64,
    steps_90k: [i64; STEPS],
    next: usize,
    /// The clock has not yet caught up with what was made of it.
    mending: bool,
    /// The last step went back, so that the next one is wider than usual.
    stepped_back: bool,
}

impl InOrder {
    /// By how much a time is behind the last one; 0 where it is not.
    pub fn back_90k(&self, pts_90k: i64) -> i64 {
        self.last_90k
            .map_or(0, |last| last.saturating_sub(pts_90k).max(0))
    }

    /// Forgets the clock, which was set.
    pub fn begin_epoch(&mut self) {
        *self = InOrder::default();
    }

    /// The next picture. `latest_90k`: what the mapping allows, where it is known.
    pub fn place(&mut self, pts_90k: i64, latest_90k: Option<i64>) -> PlacedTime {
        let Some(last) = self.last_90k else {
            (self.last_90k, self.said_90k) = (Some(pts_90k), pts_90k);
            return PlacedTime {
                pts_90k,
                mended: false,
            };
        };
        let smoothed = last
            .saturating_add(self.usual_90k() * 3 / 4)
            .min(latest_90k.unwrap_or(i64::MAX))
            .max(last.saturating_add(1));
        let mended = pts_90k <= last || (self.mending && pts_90k < smoothed);
        self.mending = mended;
        let placed = if mended { smoothed } else { pts_90k };
        self.last_90k = Some(placed);
        self.learn(pts_90k.saturating_sub(self.said_90k));
        self.said_90k = pts_90k;
        PlacedTime {
            pts_90k: placed,
            mended,
        }
    }

    fn learn(&mut self, step_90k: i64) {
        let rebounds = std::mem::replace(&mut self.stepped_back, step_90k <= 0);
        if rebounds || !(1..=MOST_90K).contains(&step_90k) {
            return;
        }
        self.steps_90k[self.next % STEPS] = step_90k;
        self.next = self.next.wrapping_add(1);
    }

    /// The median of the last steps.
    fn usual_90k(&self) -> i64 {
        let mut known = self.steps_90k;
        let known = &mut known[..self.next.min(STEPS)];
        known.sort_unstable();
        known
            .get(known.len() / 2)
            .copied()
            .unwrap_or(FIRST_STEP_90K)
            .min(MOST_MADE_90K)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const F: i64 = 3_600;

    /// Places 30 pictures of a camera that says these times of its pictures 10 and up.
    fn said(odd: &[i64]) -> Vec<PlacedTime> {
        let mut line = InOrder::default();
        (0..30i64)
            .map(|i| {
                let at = usize::try_from(i - 10).ok();
                let pts = at.and_then(|at| odd.get(at).copied()).unwrap_or(i * F);
                line.place(pts, None)
            })
            .collect()
    }

    #[test]
    fn a_clock_that_steps_back_swaps_or_repeats_is_mended_and_caught_up_with() {
        let table: [(&str, &[i64], &[i64]); 5] = [
            ("good", &[], &[]),
            (
                "one picture 61 ms back",
                &[10 * F - 5_490],
                &[9 * F + 2_700],
            ),
            (
                "two have each other's time",
                &[11 * F, 10 * F],
                &[
                    11 * F,
                    11 * F + 2_700,
                    11 * F + 5_400,
                    11 * F + 8_100,
                    14 * F,
                ],
            ),
            ("two have the same time", &[9 * F], &[9 * F + 2_700]),
            (
                "four back by a frame, then right again",
                &[9 * F, 10 * F, 11 * F, 12 * F],
                &[9 * F + 2_700, 9 * F + 5_400, 9 * F + 8_100, 9 * F + 10_800],
            ),
        ];
        for (name, odd, expected) in table {
            let placed = said(odd);
            for (i, at) in placed.iter().enumerate() {
                let n = i64::try_from(i).unwrap_or(0);
                let wanted = expected.get(i.wrapping_sub(10)).copied().unwrap_or(n * F);
                assert_eq!(at.pts_90k, wanted, "{name}: {i}");
            }
            assert_eq!(placed.iter().any(|p| p.mended), !odd.is_empty(), "{name}");
        }
    }

    #[test]
    fn nothing_is_mended_beyond_what_the_mapping_allows() {
        let mut line = InOrder::default();
        for i in 0..10 {
            line.place(i * F, None);
        }
        assert_eq!(line.place(8 * F, Some(9 * F + 100)).pts_90k, 9 * F + 100);
        // Times rise, whatever else.
        assert_eq!(line.place(8 * F, Some(0)).pts_90k, 9 * F + 101);
    }

    #[test]
    fn uneven_times_that_rise_are_believed() {
        let mut line = InOrder::default();
        for pts in [0, 3_600, 3_601, 9_000, 9_100, 500_000, 500_001] {
            let believed = PlacedTime {
                pts_90k: pts,
                mended: false,
            };
            assert_eq!(line.place(pts, None), believed);
        }
    }

    proptest! {
        #[test]
        fn times_rise_strictly_and_a_clock_that_runs_on_is_reached_again(
            odd in proptest::collection::vec(-40_000i64..40_000, 0..40),
        ) {
            let mut line = InOrder::default();
            let mut last = i64::MIN;
            let odd: Vec<i64> = odd.iter().enumerate().map(|(i, off)| {
                i64::try_from(i).unwrap_or(0) * F + off
            }).collect();
            let from = odd.iter().copied().max().unwrap_or(0) + 1;
            for pts in odd.into_iter().chain((0..400).map(|i| from + i * F)) {
                let placed = line.place(pts, None);
                prop_assert!(placed.pts_90k > last);
                prop_assert!(placed.mended || placed.pts_90k == pts);
                last = placed.pts_90k;
            }
            prop_assert_eq!(last, from + 399 * F);
        }

        #[test]
        fn any_numbers_give_an_answer(
            times in proptest::collection::vec((any::<i64>(), any::<Option<i64>>()), 0..50),
        ) {
            let mut line = InOrder::default();
            for (pts, latest) in times {
                line.back_90k(pts);
                line.place(pts, latest);
            }
        }
    }
}
