//! Opening hours and daily windows: is it open at a moment, and if not, when it opens next.
//!
//! A span is a stretch of time: it begins when the clock on the venue's wall shows its
//! beginning for the first time that day, and ends when it shows its end. The hour that a
//! change of the clocks repeats is not opened twice, and one that it leaves out costs
//! nobody his opening.
//!
//! Pure. Not here: how hours are written (`config`), who is told (`trigger`, `upload`).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::clock::Wall;

/// Longest time that weekly hours can be closed, and a day.
const LOOK_AHEAD_DAYS: i64 = 9;

/// Hours of a week, in the venue's local time. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenHours {
    pub spans: Vec<OpenSpan>,
}

/// On each of `days` from `from_min` to `to_min` past midnight; past the next
/// midnight where `to_min` ≤ `from_min` (equal: 24 hours).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenSpan {
    /// Monday first: the day on which it opens.
    pub days: [bool; 7],
    /// 0..=1439
    pub from_min: u16,
    /// 0..=1440
    pub to_min: u16,
}

/// Venue-local, every day; past midnight where `to_min` ≤ `from_min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    pub from_min: u16,
    pub to_min: u16,
}

/// What hours say about a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    Open,
    Closed {
        now: Zoned,
        /// `None`: nobody can tell.
        opens: Option<Zoned>,
    },
    /// Nobody has set the clock in this boot: it tells nothing.
    ClockNotSet,
}

impl From<DailyWindow> for OpenHours {
    fn from(window: DailyWindow) -> OpenHours {
        let DailyWindow { from_min, to_min } = window;
        let days = [true; 7];
        OpenHours {
            spans: vec![OpenSpan {
                days,
                from_min,
                to_min,
            }],
        }
    }
}

impl OpenHours {
    pub fn at(&self, wall: Wall, timezone: &TimeZone) -> Opening {
        if !wall.is_set() {
            return Opening::ClockNotSet;
        }
        let now = Timestamp::from_nanosecond(i128::from(wall.unix_ns));
        let now = now
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_zoned(timezone.clone());
        if self.is_open(&now) {
            return Opening::Open;
        }
        let opens = self.next_opening(&now);
        Opening::Closed { now, opens }
    }

    fn is_open(&self, now: &Zoned) -> bool {
        // One that began yesterday may go on past midnight, and to the same time of today.
        let days = [-1i64, 0].map(|days| now.date().saturating_add(days.days()));
        let spans = days.iter().flat_map(|day| self.of_day(*day, now));
        spans
            .into_iter()
            .any(|(from, to)| from <= *now && *now < to)
    }

    fn next_opening(&self, now: &Zoned) -> Option<Zoned> {
        let days = (0..LOOK_AHEAD_DAYS).map(|days| now.date().saturating_add(days.days()));
        days.flat_map(|day| self.of_day(day, now))
            .map(|(from, _)| from)
            .filter(|from| from > now)
            .min()
    }

    /// From when to when it is open by the spans that begin on `day`.
    fn of_day(&self, day: Date, like: &Zoned) -> Vec<(Zoned, Zoned)> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0);
        let begins = |span: &&OpenSpan| span.days[weekday];
        let spans = self.spans.iter().filter(begins);
        let timezone = like.time_zone();
        let bounds = |span: &OpenSpan| {
            let past_midnight = span.to_min <= span.from_min;
            let last = match past_midnight {
                true => day.tomorrow().ok()?,
                false => day,
            };
            let from = at_minute(day, span.from_min, timezone)?;
            Some((from, at_minute(last, span.to_min, timezone)?))
        };
        spans.filter_map(bounds).collect()
    }
}

/// So many minutes past midnight by the clock on the wall, of which a day may have
/// fewer or more than 1440.
fn at_minute(day: Date, minutes: u16, timezone: &TimeZone) -> Option<Zoned> {
    let clock = day
        .at(0, 0, 0, 0)
        .checked_add(i64::from(minutes).minutes())
        .ok()?;
    clock.to_zoned(timezone.clone()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const DAILY: [bool; 7] = [true; 7];
    const WEEKEND: [bool; 7] = [false, false, false, false, false, true, true];
    const WEEKDAYS: [bool; 7] = [true, true, true, true, true, false, false];

    fn span(days: [bool; 7], from: &str, to: &str) -> OpenSpan {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':').unwrap();
            hour.parse::<u16>().unwrap() * 60 + minute.parse::<u16>().unwrap()
        };
        OpenSpan {
            days,
            from_min: minutes(from),
            to_min: minutes(to),
        }
    }

    fn set(unix_ns: i128) -> Wall {
        Wall {
            unix_ns: unix_ns.try_into().unwrap(),
            synchronised: true,
        }
    }

    /// Whether a press is taken at each of these times, written with their offset.
    fn taken(spans: &[OpenSpan], zone: &str, times: &[&str]) -> Vec<bool> {
        let hours = OpenHours {
            spans: spans.to_vec(),
        };
        let timezone = TimeZone::get(zone).unwrap();
        let open = |time: &&str| {
            let at: Timestamp = time.parse().unwrap();
            hours.at(set(at.as_nanosecond()), &timezone) == Opening::Open
        };
        times.iter().map(open).collect()
    }

    #[test]
    fn it_opens_at_the_first_minute_and_closes_at_the_last() {
        let spans = [span(DAILY, "07:00", "23:30")];
        let times = [
            "2026-11-21T06:59:59-03:00",
            "2026-11-21T07:00:00-03:00",
            "2026-11-21T23:29:59-03:00",
            "2026-11-21T23:30:00-03:00",
        ];
        assert_eq!(
            taken(&spans, "America/Sao_Paulo", &times),
            [false, true, true, false]
        );
    }

    #[test]
    fn past_midnight_the_day_on_which_it_opened_counts() {
        // Saturday and Sunday, each until two the next morning.
        let spans = [
            span(WEEKDAYS, "07:00", "23:30"),
            span(WEEKEND, "08:00", "02:00"),
        ];
        let times = [
            "2026-11-21T01:00:00-03:00",
            "2026-11-22T01:59:59-03:00",
            "2026-11-22T02:00:00-03:00",
            "2026-11-23T01:00:00-03:00",
            "2026-11-24T01:00:00-03:00",
        ];
        assert_eq!(
            taken(&spans, "America/Sao_Paulo", &times),
            [false, true, false, true, false]
        );
    }

    #[test]
    fn twenty_four_hours_and_an_end_at_24_00_are_whole() {
        let times = [
            "2026-11-21T00:00:00-03:00",
            "2026-11-21T23:59:59-03:00",
            "2026-11-22T05:00:00-03:00",
            "2026-11-23T05:59:59-03:00",
            "2026-11-23T06:00:00-03:00",
        ];
        let zone = "America/Sao_Paulo";
        let to_24 = [span(WEEKEND, "00:00", "24:00")];
        assert_eq!(
            taken(&to_24, zone, &times),
            [true, true, true, false, false]
        );
        let round_the_clock = [span(WEEKEND, "06:00", "06:00")];
        assert_eq!(
            taken(&round_the_clock, zone, &times),
            [false, true, true, true, false]
        );
    }

    #[test]
    fn an_hour_that_the_clocks_repeat_is_not_opened_twice() {
        // 2026-10-25: at 03:00 summer time it is 02:00 again.
        let spans = [span(DAILY, "20:00", "02:30")];
        let times = [
            "2026-10-25T02:29:00+02:00",
            "2026-10-25T02:31:00+02:00",
            "2026-10-25T02:15:00+01:00",
            "2026-10-25T02:31:00+01:00",
        ];
        assert_eq!(
            taken(&spans, "Europe/Berlin", &times),
            [true, false, false, false]
        );
        // What spans it is open all the while.
        let spans = [span(DAILY, "20:00", "05:00")];
        assert_eq!(taken(&spans, "Europe/Berlin", &times), [true; 4]);
    }

    #[test]
    fn an_hour_that_the_clocks_leave_out_costs_nobody_his_opening() {
        // 2026-03-29: after 01:59 comes 03:00.
        let times = [
            "2026-03-29T01:59:00+01:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-29T03:30:00+02:00",
            "2026-03-29T22:00:00+02:00",
        ];
        let within = [span(DAILY, "02:15", "22:30")];
        assert_eq!(
            taken(&within, "Europe/Berlin", &times),
            [false, false, true, true]
        );
        let until = [span(DAILY, "20:00", "02:15")];
        assert_eq!(
            taken(&until, "Europe/Berlin", &times),
            [true, true, false, true]
        );
    }

    #[test]
    fn while_it_is_closed_it_says_when_it_opens() {
        let hours = OpenHours {
            spans: vec![span(WEEKDAYS, "07:00", "22:00")],
        };
        let timezone = TimeZone::get("America/Sao_Paulo").unwrap();
        let opens = |time: &str| {
            let at: Timestamp = time.parse().unwrap();
            match hours.at(set(at.as_nanosecond()), &timezone) {
                Opening::Closed { opens, .. } => opens.unwrap().timestamp().to_string(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(opens("2026-11-20T05:00:00-03:00"), "2026-11-20T10:00:00Z");
        assert_eq!(opens("2026-11-20T23:00:00-03:00"), "2026-11-23T10:00:00Z");
    }

    #[test]
    fn while_the_clock_was_never_set_nobody_can_tell() {
        let hours = OpenHours {
            spans: vec![span(DAILY, "07:00", "08:00")],
        };
        let never = Wall {
            unix_ns: 12_000_000_000,
            synchronised: false,
        };
        assert_eq!(hours.at(never, &TimeZone::UTC), Opening::ClockNotSet);
        let kept = Wall {
            synchronised: true,
            ..never
        };
        assert!(matches!(
            hours.at(kept, &TimeZone::UTC),
            Opening::Closed { .. }
        ));
    }

    fn any_span() -> impl Strategy<Value = OpenSpan> {
        (any::<[bool; 7]>(), 0u16..1440, 0u16..=1440).prop_map(|(days, from_min, to_min)| {
            OpenSpan {
                days,
                from_min,
                to_min,
            }
        })
    }

    /// The minutes of a week at which it is open, one by one; Monday first.
    fn week(spans: &[OpenSpan]) -> Vec<bool> {
        let mut week = vec![false; 7 * 1440];
        for span in spans {
            let (from, to) = (usize::from(span.from_min), usize::from(span.to_min));
            let length = if to > from {
                to - from
            } else {
                to + 1440 - from
            };
            for day in (0..7).filter(|day| span.days[*day]) {
                let start = day * 1440 + from;
                (start..start + length).for_each(|minute| week[minute % (7 * 1440)] = true);
            }
        }
        week
    }

    proptest! {
        /// Where no clock changes, against a list of all minutes.
        #[test]
        fn each_minute_of_a_week_is_as_the_hours_say(
            spans in proptest::collection::vec(any_span(), 1..4),
            minutes in proptest::collection::vec(0usize..7 * 1440, 40),
        ) {
            let monday: Timestamp = "2026-11-16T00:00:00-03:00".parse().unwrap();
            let timezone = TimeZone::fixed(jiff::tz::offset(-3));
            let week = week(&spans);
            let hours = OpenHours { spans };
            for minute in minutes {
                let at = monday.as_nanosecond() + i128::try_from(minute).unwrap() * 60_000_000_000;
                let opening = hours.at(set(at), &timezone);
                prop_assert_eq!(opening == Opening::Open, week[minute], "minute {}: {:?}", minute, opening);
            }
        }
    }
}
