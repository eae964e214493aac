//! The venue's date of an instant, by which folders are named.
//!
//! What a time zone says of an instant takes its time, and a press has none to give; so
//! a day that was asked about once is remembered from its beginning to its end.
//!
//! Not here: which clock is believed (`base`).

use crate::base::lock;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The calendar of a venue.
pub struct Days {
    timezone: TimeZone,
    last: Mutex<Option<Day>>,
}

struct Day {
    /// Nanoseconds since 1970 of all of it; 23 to 25 hours.
    unix_ns: Range<i64>,
    date: String,
}

impl Days {
    pub fn new(timezone: TimeZone) -> Days {
        Days {
            timezone,
            last: Mutex::default(),
        }
    }

    /// `YYYY-MM-DD`; `None` of an instant that no calendar has.
    pub fn date(&self, unix_ns: i64) -> Option<String> {
        let mut last = self.last();
        if let Some(day) = last.as_ref().filter(|day| day.unix_ns.contains(&unix_ns)) {
            return Some(day.date.clone());
        }
        let at = Timestamp::from_nanosecond(i128::from(unix_ns)).ok()?;
        let at = at.to_zoned(self.timezone.clone());
        let date = at.date().to_string();
        let begins = at.start_of_day().ok();
        let ends = at.tomorrow().and_then(|next| next.start_of_day()).ok();
        *last = begins.zip(ends).and_then(|(begins, ends)| {
            let ns = |at: Timestamp| i64::try_from(at.as_nanosecond()).ok();
            Some(Day {
                unix_ns: ns(begins.timestamp())?..ns(ends.timestamp())?,
                date: date.clone(),
            })
        });
        Some(date)
    }

    fn last(&self) -> MutexGuard<'_, Option<Day>> {
        lock(&self.last)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE_NS: i64 = 60_000_000_000;

    /// Days of 23, 24 and 25 hours, days that begin at one o'clock, and one that is left out.
    #[test]
    fn the_date_is_what_the_zone_says_whatever_was_asked_before() {
        let zones = [
            ("Europe/Berlin", "2026-03-28T00:00Z", 3),
            ("Europe/Berlin", "2026-10-24T00:00Z", 3),
            ("America/Sao_Paulo", "2018-11-03T00:00Z", 3),
            ("Pacific/Apia", "2011-12-28T00:00Z", 5),
            ("UTC", "1969-12-30T12:00Z", 3),
        ];
        for (zone, from, days) in zones {
            let zone = TimeZone::get(zone).unwrap();
            let from: Timestamp = from.parse().unwrap();
            let from = i64::try_from(from.as_nanosecond()).unwrap();
            let plain = |at: i64| {
                let at = Timestamp::from_nanosecond(i128::from(at)).unwrap();
                at.to_zoned(zone.clone()).date().to_string()
            };
            let calendar = Days::new(zone.clone());
            let mut seen = std::collections::BTreeSet::new();
            for minute in 0..days * 1440 {
                let at = from + minute * MINUTE_NS;
                for at in [at - 1, at] {
                    let date = calendar.date(at).unwrap();
                    assert_eq!(date, plain(at), "{at} in {zone:?}");
                    seen.insert(date);
                }
            }
            assert!(seen.len() as i64 >= days - 1, "{seen:?}");
            // The clock jumps.
            for at in [from, from + 10 * days * 1440 * MINUTE_NS, from, 0] {
                assert_eq!(calendar.date(at).unwrap(), plain(at));
            }
        }
    }

    #[test]
    fn the_ends_of_all_time_have_a_date_too() {
        let calendar = Days::new(TimeZone::UTC);
        for at in [i64::MIN, i64::MAX, i64::MIN] {
            assert!(calendar.date(at).is_some());
        }
    }
}
