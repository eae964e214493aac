//! The hours in which uploads may begin. Pure.
//!
//! What has begun within them is brought to its end. While the box's clock was never set,
//! nobody knows the hour: it waits, and says so.

use jiff::tz::TimeZone;

use super::sentence::UploadSentence;
use crate::base::hours::{DailyWindow, OpenHours, Opening};
use crate::base::quantity::TimeOfDay;
use crate::base::{Coded, Wall};
use crate::queue::work::Failure;

/// How soon to look again whether the clock has been set.
const CLOCK_LOOK_MS: u64 = 60_000;

/// `Ok` within the window; else [`Failure::Deferred`] until it opens.
pub fn open(window: DailyWindow, wall: Wall, timezone: &TimeZone) -> Result<(), Failure> {
    let (from_minute, to_minute) = (TimeOfDay(window.from_min), TimeOfDay(window.to_min));
    let outside = UploadSentence::OutsideHours {
        from_minute,
        to_minute,
    };
    let needs_clock = UploadSentence::HoursNeedClock {
        from_minute,
        to_minute,
    };
    match OpenHours::from(window).at(wall, timezone) {
        Opening::Open => Ok(()),
        Opening::Closed { now, opens } => {
            let wait_ms = opens.map_or(CLOCK_LOOK_MS, |at| {
                let ms = at.timestamp().as_millisecond() - now.timestamp().as_millisecond();
                u64::try_from(ms).unwrap_or(CLOCK_LOOK_MS).max(1)
            });
            Err(Failure::Deferred {
                why: outside.sentence(),
                again_in_ms: wait_ms,
            })
        }
        Opening::ClockNotSet => Err(Failure::Unavailable {
            why: needs_clock.sentence(),
            retry_after_ms: Some(CLOCK_LOOK_MS),
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::Timestamp;

    use super::*;

    fn at(text: &str) -> Wall {
        let stamp: Timestamp = text.parse().unwrap();
        Wall {
            unix_ns: i64::try_from(stamp.as_nanosecond()).unwrap(),
            synchronised: true,
        }
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn wait_ms(window: DailyWindow, wall: Wall) -> Option<u64> {
        match open(window, wall, &berlin()) {
            Ok(()) => None,
            Err(Failure::Deferred { again_in_ms, .. }) => Some(again_in_ms),
            Err(other) => panic!("{other:?}"),
        }
    }

    const NIGHT: DailyWindow = DailyWindow {
        from_min: 0,
        to_min: 7 * 60,
    };
    const LATE: DailyWindow = DailyWindow {
        from_min: 22 * 60 + 30,
        to_min: 6 * 60,
    };

    #[test]
    fn within_the_hours_it_begins_and_outside_it_waits_until_they_begin() {
        assert_eq!(wait_ms(NIGHT, at("2026-11-21T00:00:00+01:00")), None);
        assert_eq!(wait_ms(NIGHT, at("2026-11-21T06:59:59+01:00")), None);
        let until_midnight = wait_ms(NIGHT, at("2026-11-21T07:00:00+01:00"));
        assert_eq!(until_midnight, Some(17 * 3_600_000));
        let second = wait_ms(NIGHT, at("2026-11-21T23:59:59+01:00"));
        assert_eq!(second, Some(1_000));
    }

    #[test]
    fn hours_past_midnight_are_one_stretch() {
        for inside in ["22:30:00", "23:59:00", "00:00:00", "05:59:00"] {
            let wall = at(&format!("2026-11-21T{inside}+01:00"));
            assert_eq!(wait_ms(LATE, wall), None, "{inside}");
        }
        let wait = wait_ms(LATE, at("2026-11-21T06:00:00+01:00"));
        assert_eq!(wait, Some(16 * 3_600_000 + 1_800_000));
        let always = DailyWindow {
            from_min: 300,
            to_min: 300,
        };
        assert_eq!(wait_ms(always, at("2026-11-21T12:00:00+01:00")), None);
    }

    #[test]
    fn the_day_on_which_clocks_change_is_as_long_as_it_is() {
        // 2026-03-29: 02:00 becomes 03:00.
        let early = DailyWindow {
            from_min: 2 * 60 + 30,
            to_min: 4 * 60,
        };
        let wait = wait_ms(early, at("2026-03-29T01:00:00+01:00")).unwrap();
        assert!((3_600_000..=5_400_000).contains(&wait), "{wait}");
        let noon = DailyWindow {
            from_min: 12 * 60,
            to_min: 13 * 60,
        };
        let wait = wait_ms(noon, at("2026-03-29T00:00:00+01:00"));
        assert_eq!(wait, Some(11 * 3_600_000));
    }

    #[test]
    fn while_the_clock_was_never_set_it_waits_and_says_why() {
        let never = Wall {
            unix_ns: 3_600_000_000_000,
            synchronised: false,
        };
        let failure = open(NIGHT, never, &berlin()).unwrap_err();
        let Failure::Unavailable { why, .. } = &failure else {
            panic!("{failure:?}")
        };
        assert!(why.text.contains("clock was never set"), "{why}");
    }
}
