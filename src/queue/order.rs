//! Who is next. Jobs younger than ten minutes go newest first, for somebody stands
//! there and waits; all others oldest first, and every fourth slot goes to the
//! oldest, so that a busy evening starves nobody. Pure.

/// Younger than this, somebody waits for it.
pub const YOUNG_NS: i64 = 600_000_000_000;
/// Every so many slots the oldest is taken.
pub const FAIR: u64 = 4;

/// A job that could be taken now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadyJob {
    /// The press on this boot's `CLOCK_MONOTONIC`; of an earlier boot it is below 0,
    /// and `i64::MIN` where nothing is known.
    pub born_mono_ns: i64,
    /// The press's label, milliseconds since 1970: decides between those born alike.
    pub label_ms: i64,
    /// The caller's own name for it.
    pub key: usize,
}

/// The one to take in slot number `slot`, counted up by the caller at each taking.
pub fn next(
    ready: impl Iterator<Item = ReadyJob>,
    now_mono_ns: i64,
    slot: u64,
) -> Option<ReadyJob> {
    let fair = slot % FAIR == FAIR - 1;
    let (mut newest_young, mut oldest): (Option<ReadyJob>, Option<ReadyJob>) = (None, None);
    for job in ready {
        let young = now_mono_ns.saturating_sub(job.born_mono_ns) < YOUNG_NS;
        if young && newest_young.is_none_or(|best| job > best) {
            newest_young = Some(job);
        }
        if oldest.is_none_or(|best| job < best) {
            oldest = Some(job);
        }
    }
    match fair {
        true => oldest,
        false => newest_young.or(oldest),
    }
}

/// The press on this boot's monotonic clock, in nanoseconds. `label_ns` is its wall
/// time, `wall_ns` the wall clock now, `None` where nobody vouches for them.
pub fn born_elsewhere(now_mono_ns: i64, wall_ns: Option<i64>, label_ns: Option<i64>) -> i64 {
    match (wall_ns, label_ns) {
        // A label ahead of the clock says nothing.
        (Some(wall), Some(label)) if label <= wall => {
            now_mono_ns.saturating_sub(wall.saturating_sub(label))
        }
        _ => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000_000_000;
    const NOW: i64 = 1_000 * MINUTE;

    fn born(minutes_ago: &[i64]) -> Vec<ReadyJob> {
        let jobs = minutes_ago.iter().enumerate();
        jobs.map(|(key, ago)| ReadyJob {
            born_mono_ns: NOW - ago * MINUTE,
            label_ms: 0,
            key,
        })
        .collect()
    }

    /// Minutes ago, in the order of taking.
    fn order(minutes_ago: &[i64], from_slot: u64) -> Vec<i64> {
        let mut left = born(minutes_ago);
        let mut taken = Vec::new();
        let mut slot = from_slot;
        while let Some(job) = next(left.iter().copied(), NOW, slot) {
            left.retain(|other| other.key != job.key);
            taken.push(minutes_ago[job.key]);
            slot += 1;
        }
        taken
    }

    #[test]
    fn young_ones_go_newest_first_then_the_others_oldest_first() {
        assert_eq!(order(&[30, 2, 1, 5], 0), [1, 2, 5, 30]);
        assert_eq!(order(&[11, 30, 20], 0), [30, 20, 11]);
    }

    #[test]
    fn every_fourth_slot_goes_to_the_oldest() {
        assert_eq!(
            order(&[1, 2, 3, 4, 5, 6, 60, 50], 0),
            [1, 2, 3, 60, 4, 5, 6, 50]
        );
        assert_eq!(order(&[1, 2, 60], 3), [60, 1, 2]);
    }

    #[test]
    fn a_press_of_an_earlier_boot_has_its_age_by_the_wall_and_else_is_the_oldest() {
        assert_eq!(born_elsewhere(500, Some(9_000), Some(8_000)), -500);
        assert_eq!(born_elsewhere(500, Some(9_000), Some(9_001)), i64::MIN);
        assert_eq!(born_elsewhere(500, None, Some(8_000)), i64::MIN);
    }

    proptest! {
        #[test]
        fn nobody_starves(others in prop::collection::vec(0_i64..9, 1..40), slot in 0_u64..100) {
            // However many young ones there are, the oldest is among the next four.
            let mut ages = vec![500];
            ages.extend(others);
            let at = order(&ages, slot).iter().position(|ago| *ago == 500);
            prop_assert!(at.is_some_and(|at| at < 4));
        }

        #[test]
        fn everybody_is_taken_once(ages in prop::collection::vec(0_i64..2_000, 0..60), slot in 0_u64..9) {
            let mut taken = order(&ages, slot);
            let mut all = ages;
            taken.sort_unstable();
            all.sort_unstable();
            prop_assert_eq!(taken, all);
        }

        #[test]
        fn outside_the_fair_slots_no_young_one_waits_for_an_older(ages in prop::collection::vec(0_i64..2_000, 1..60)) {
            let first = order(&ages, 0)[0];
            let youngest = *ages.iter().min().expect("one");
            let right = if youngest < 10 { youngest } else { *ages.iter().max().expect("one") };
            prop_assert_eq!(first, right);
        }
    }
}
