//! What is deleted, and when. Uploaded highlights go after their time, and under
//! pressure before it, oldest first; what is not uploaded is never deleted to make
//! room. Pure.
//!
//! Not here: what makes room first (`storage::budget`), how it is deleted (`store`).

use super::machine::Rest;
use crate::base::Wall;
use crate::storage::budget::{self, Spare, SpareKind, StorageRoom};

/// What the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionRules {
    pub keep_uploaded_ms: u64,
    /// Counts without targets only; `None`: for ever.
    pub keep_ms: Option<u64>,
    pub has_targets: bool,
    /// Room that presses need: below it they are refused.
    pub reserve_bytes: u64,
}

/// A highlight on the disk at which nobody is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// `None`: something is still to be done with it.
    pub rest: Option<Rest>,
    /// Wall time of the press, milliseconds since 1970; `None` if nobody knows.
    pub pressed_unix_ms: Option<i64>,
    /// Wall time of its last change; `None` if nobody knows.
    pub changed_unix_ms: Option<i64>,
    pub bytes: u64,
}

/// Whether the wall clock can be trusted with what is deleted: synchronised, or set
/// and without a jump for an hour.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady {
    /// Monotonic and wall time when the wall last began to run evenly.
    since: Option<(u64, i64)>,
}

impl Steady {
    const ENOUGH_NS: u64 = 3_600_000_000_000;
    const JUMP_NS: i128 = 60_000_000_000;

    /// Milliseconds since 1970, if they are to be believed.
    pub fn unix_ms(&mut self, mono_ns: u64, wall: Wall) -> Option<i64> {
        let (mono_then, wall_then) = *self.since.get_or_insert((mono_ns, wall.unix_ns));
        let passed_ns = mono_ns.saturating_sub(mono_then);
        let drift = i128::from(wall.unix_ns) - i128::from(wall_then) - i128::from(passed_ns);
        let jumped = drift.abs() > Steady::JUMP_NS;
        if jumped {
            self.since = Some((mono_ns, wall.unix_ns));
        }
        let steady = !jumped && wall.is_set() && passed_ns >= Steady::ENOUGH_NS;
        (wall.synchronised || steady).then_some(wall.unix_ns / 1_000_000)
    }
}

/// Indices of what goes now, the first to go first. `now_unix_ms`: `None` while nobody
/// vouches for the wall clock; then nothing goes because of its age.
pub fn what_goes(
    kept: &[Kept],
    now_unix_ms: Option<i64>,
    room: Option<StorageRoom>,
    rules: &RetentionRules,
) -> Vec<usize> {
    let over = |kept: &Kept| now_unix_ms.is_some_and(|now| is_over(kept, now, rules));
    let mut goes: Vec<usize> = (0..kept.len()).filter(|at| over(&kept[*at])).collect();
    goes.sort_by_key(|at| kept[*at].pressed_unix_ms);
    let Some(room) = room else { return goes };
    let freed: u64 = goes.iter().map(|at| kept[*at].bytes).sum();
    let room = StorageRoom {
        free_bytes: room.free_bytes.saturating_add(freed),
        ..room
    };
    let uploaded = |at: &usize| kept[*at].rest == Some(Rest::Uploaded) && !goes.contains(at);
    let spare: Vec<usize> = (0..kept.len()).filter(uploaded).collect();
    let offered: Vec<Spare> = spare
        .iter()
        .map(|at| Spare {
            kind: SpareKind::UploadedHighlight,
            born_unix_ms: kept[*at].pressed_unix_ms,
            bytes: kept[*at].bytes,
        })
        .collect();
    let more = budget::what_makes_room(&offered, room, rules.reserve_bytes);
    goes.extend(more.into_iter().map(|at| spare[at]));
    goes
}

/// Whether its time is over.
fn is_over(kept: &Kept, now_unix_ms: i64, rules: &RetentionRules) -> bool {
    let older = |since: Option<i64>, keep_ms: u64| {
        since.is_some_and(|since| {
            let age_ms = now_unix_ms.saturating_sub(since);
            u64::try_from(age_ms).is_ok_and(|age_ms| age_ms >= keep_ms)
        })
    };
    if !rules.has_targets
        && let Some(keep_ms) = rules.keep_ms
    {
        let since = kept.pressed_unix_ms.or(kept.changed_unix_ms);
        return older(since, keep_ms);
    }
    match kept.rest {
        Some(Rest::Uploaded | Rest::Dropped) => older(kept.changed_unix_ms, rules.keep_uploaded_ms),
        // Nothing of it will ever be uploaded.
        Some(Rest::NoClip) if rules.has_targets => {
            let since = kept.pressed_unix_ms.or(kept.changed_unix_ms);
            older(since, rules.keep_uploaded_ms)
        }
        _ => false,
    }
}

/// Days until presses are refused if highlights go on to come as they did:
/// `recent_bytes` in the last `recent_ms`.
pub fn days_left(
    room: StorageRoom,
    spare: u64,
    rules: &RetentionRules,
    recent_bytes: u64,
    recent_ms: u64,
) -> u64 {
    const DAY_MS: u128 = 86_400_000;
    if recent_bytes == 0 {
        return u64::MAX;
    }
    let free = room.free_bytes.saturating_add(spare);
    let left = u128::from(free.saturating_sub(rules.reserve_bytes));
    let per_day = (u128::from(recent_bytes) * DAY_MS / u128::from(recent_ms.max(1))).max(1);
    u64::try_from(left / per_day).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400_000;
    const NOW: i64 = 1_795_000_000_000;
    const GB: u64 = 1_000_000_000;

    fn rules() -> RetentionRules {
        RetentionRules {
            keep_uploaded_ms: 7 * DAY.unsigned_abs(),
            keep_ms: None,
            has_targets: true,
            reserve_bytes: GB,
        }
    }

    fn kept(rest: Rest, days: i64) -> Kept {
        Kept {
            rest: Some(rest),
            pressed_unix_ms: Some(NOW - days * DAY),
            changed_unix_ms: Some(NOW - days * DAY),
            bytes: GB,
        }
    }

    fn room(free: u64) -> Option<StorageRoom> {
        Some(StorageRoom {
            free_bytes: free * GB,
            total_bytes: 100 * GB,
        })
    }

    #[test]
    fn uploaded_ones_go_after_their_time_and_no_others() {
        let all = [
            kept(Rest::Uploaded, 8),
            kept(Rest::Uploaded, 6),
            kept(Rest::Failed, 80),
            kept(Rest::Suspect, 80),
            kept(Rest::Dropped, 8),
            kept(Rest::NoClip, 8),
            kept(Rest::Ready, 80),
        ];
        assert_eq!(what_goes(&all, Some(NOW), room(50), &rules()), [0, 4, 5]);
        assert!(
            what_goes(&all, None, room(50), &rules()).is_empty(),
            "no clock"
        );
    }

    #[test]
    fn without_targets_all_go_after_keep_and_none_where_it_is_off() {
        let without = RetentionRules {
            has_targets: false,
            ..rules()
        };
        let all = [
            kept(Rest::Ready, 31),
            kept(Rest::Ready, 29),
            kept(Rest::NoClip, 31),
        ];
        assert!(what_goes(&all, Some(NOW), room(1), &without).is_empty());
        let keep = RetentionRules {
            keep_ms: Some(30 * DAY.unsigned_abs()),
            ..without
        };
        assert_eq!(what_goes(&all, Some(NOW), room(50), &keep), [0, 2]);
    }

    #[test]
    fn under_pressure_uploaded_ones_go_oldest_first_until_there_is_room() {
        let all = [
            kept(Rest::Uploaded, 1),
            kept(Rest::Failed, 50),
            kept(Rest::Uploaded, 3),
            kept(Rest::Uploaded, 2),
            kept(Rest::Dropped, 3),
        ];
        assert!(what_goes(&all, Some(NOW), room(11), &rules()).is_empty());
        assert_eq!(what_goes(&all, Some(NOW), room(9), &rules()), [2, 3]);
        assert_eq!(what_goes(&all, None, room(0), &rules()), [2, 3, 0]);
        let narrow = RetentionRules {
            reserve_bytes: 20 * GB,
            ..rules()
        };
        assert_eq!(what_goes(&all, None, room(38), &narrow), [2, 3]);
    }

    #[test]
    fn what_goes_by_age_counts_as_room() {
        let all = [kept(Rest::Uploaded, 9), kept(Rest::Uploaded, 2)];
        assert_eq!(what_goes(&all, Some(NOW), room(10), &rules()), [0]);
    }

    #[test]
    fn the_days_left_are_told_from_what_came() {
        let week = 7 * DAY.unsigned_abs();
        let room = room(15).expect("room");
        assert_eq!(days_left(room, 0, &rules(), 14 * GB, week), 7);
        assert_eq!(days_left(room, 6 * GB, &rules(), 14 * GB, week), 10);
        assert_eq!(days_left(room, 0, &rules(), 0, week), u64::MAX);
    }

    #[test]
    fn a_clock_that_nobody_keeps_is_believed_after_an_hour_without_a_jump() {
        const MINUTE: u64 = 60_000_000_000;
        let mut steady = Steady::default();
        let mut at = |minutes: u64, ahead_days: i64, synchronised| {
            let mono_ns = minutes * MINUTE;
            let unix_ms = NOW + ahead_days * DAY + i64::try_from(minutes).expect("few") * 60_000;
            let unix_ns = unix_ms * 1_000_000;
            let wall = Wall {
                unix_ns,
                synchronised,
            };
            steady.unix_ms(mono_ns, wall).is_some()
        };
        assert!(!at(1, 0, false) && !at(59, 0, false));
        assert!(at(61, 0, false));
        // Somebody set it three years ahead.
        assert!(!at(62, 1_000, false) && !at(100, 1_000, false));
        assert!(at(101, 1_000, true), "NTP vouches for it");
        assert!(at(123, 1_000, false));
    }

    fn any_rest() -> impl Strategy<Value = Rest> {
        use Rest::{Dropped, Failed, NoClip, Ready, Suspect, Uploaded};
        prop::sample::select(vec![Uploaded, Ready, Failed, Dropped, NoClip, Suspect])
    }

    proptest! {
        #[test]
        fn what_is_not_uploaded_never_makes_room(
            all in prop::collection::vec((any_rest(), 0_i64..7), 0..40), free in 0_u64..100,
        ) {
            let all: Vec<Kept> = all.into_iter().map(|(rest, days)| kept(rest, days)).collect();
            let goes = what_goes(&all, Some(NOW), room(free), &rules());
            prop_assert!(goes.iter().all(|at| all[*at].rest == Some(Rest::Uploaded)));
            let mut once = goes.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), goes.len());
        }
    }
}
