//! Opening hours and daily windows: "07:00-23:30", "mon-fri 07:00-23:30, sat sun 08:00-02:00". Pure.

use crate::base::hours::{DailyWindow, OpenSpan};

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const MIDNIGHT: u16 = 24 * 60;

crate::sentences! {
    /// What is wrong with which piece of the hours; within another sentence.
    pub enum HoursSentence {
        NothingBetweenCommas {} = "config_hours_nothing_between_commas":
            "has nothing between two commas",
        NoHoursBehind { days: String } = "config_hours_only_days": "has no hours behind \"{days}\"",
        DaysForSome {} = "config_hours_days_for_some":
            "names days for some of its hours only; write them before each",
        NoHours { text: String } = "config_hours_no_hours": "has no hours in \"{text}\"",
        BeginsAtMidnight {} = "config_hours_begin_at_24":
            "begins at \"24:00\"; write \"00:00\"",
        NoTime { text: String } = "config_hours_no_time": "has \"{text}\", which is no time of day",
        NoDay { word: String } = "config_hours_no_day": "has \"{word}\", which is no day of the week",
    }
}

/// The spans, or what is wrong with which piece.
pub fn open_hours(text: &str) -> Result<Vec<OpenSpan>, HoursSentence> {
    let text = text.replace(['–', '—'], "-");
    let pieces: Vec<&str> = text.split(',').map(str::trim).collect();
    let mut spans = Vec::new();
    let mut with_days = 0;
    for piece in &pieces {
        let words: Vec<&str> = piece.split_whitespace().collect();
        let Some((times, days)) = words.split_last() else {
            return Err(HoursSentence::NothingBetweenCommas {});
        };
        if day(times.split('-').next().unwrap_or("")).is_some() {
            return Err(HoursSentence::NoHoursBehind {
                days: (*piece).to_owned(),
            });
        }
        let (from_min, to_min) = span(times)?;
        with_days += usize::from(!days.is_empty());
        spans.push(OpenSpan {
            days: days_of(days)?,
            from_min,
            to_min,
        });
    }
    if with_days != 0 && with_days != pieces.len() {
        return Err(HoursSentence::DaysForSome {});
    }
    Ok(spans)
}

/// The window, or what is wrong with it.
pub fn daily_window(text: &str) -> Result<DailyWindow, HoursSentence> {
    let text = text.replace(['–', '—'], "-");
    let (from_min, to_min) = span(text.trim())?;
    Ok(DailyWindow { from_min, to_min })
}

/// `07:00-23:30` as minutes past midnight.
fn span(text: &str) -> Result<(u16, u16), HoursSentence> {
    let Some((from, to)) = text.split_once('-') else {
        return Err(HoursSentence::NoHours {
            text: text.to_owned(),
        });
    };
    let (from, to) = (minute(from)?, minute(to)?);
    if from == MIDNIGHT {
        return Err(HoursSentence::BeginsAtMidnight {});
    }
    Ok((from, to))
}

fn minute(text: &str) -> Result<u16, HoursSentence> {
    let read = || {
        let (hours, minutes) = text.trim().split_once(':')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let plausible = (1..=2).contains(&hours.len()) && minutes.len() == 2;
        if !plausible || !digits(hours) || !digits(minutes) {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        let minute = hours * 60 + minutes;
        (minutes < 60 && minute <= MIDNIGHT).then_some(minute)
    };
    read().ok_or_else(|| HoursSentence::NoTime {
        text: text.trim().to_owned(),
    })
}

/// All days where none are named.
fn days_of(words: &[&str]) -> Result<[bool; 7], HoursSentence> {
    let mut days = [words.is_empty(); 7];
    for word in words {
        let unknown = || HoursSentence::NoDay {
            word: (*word).to_owned(),
        };
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (
            day(first).ok_or_else(unknown)?,
            day(last).ok_or_else(unknown)?,
        );
        let count = (last + 7 - first) % 7;
        for offset in 0..=count {
            days[(first + offset) % 7] = true;
        }
    }
    Ok(days)
}

/// Monday is 0. Three letters are enough.
fn day(word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    let mut days = DAYS.iter();
    days.position(|day| word.len() >= 3 && day.starts_with(&word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ALL: [bool; 7] = [true; 7];
    const WEEK: [bool; 7] = [true, true, true, true, true, false, false];
    const END: [bool; 7] = [false, false, false, false, false, true, true];

    fn opens(text: &str) -> Vec<([bool; 7], u16, u16)> {
        let spans = open_hours(text).unwrap();
        spans
            .iter()
            .map(|span| (span.days, span.from_min, span.to_min))
            .collect()
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        assert_eq!(opens("07:00-23:30"), [(ALL, 420, 1410)]);
        assert_eq!(
            opens(" 7:00 - 23:30 ".replace(' ', "").as_str()),
            [(ALL, 420, 1410)]
        );
        assert_eq!(opens("00:00-24:00"), [(ALL, 0, 1440)]);
        assert_eq!(
            opens("mon-fri 07:00–23:30, Sat-Sunday 08:00-02:00"),
            [(WEEK, 420, 1410), (END, 480, 120)]
        );
        assert_eq!(opens("sat sun 08:00-02:00"), [(END, 480, 120)]);
        let over_the_week = [true, false, false, false, false, true, true];
        assert_eq!(opens("sat-mon 08:00-09:00"), [(over_the_week, 480, 540)]);
        assert_eq!(
            opens("08:00-12:00,14:00-20:00"),
            [(ALL, 480, 720), (ALL, 840, 1200)]
        );
        let night = daily_window("22:00-06:00").unwrap();
        assert_eq!((night.from_min, night.to_min), (1320, 360));
    }

    #[test]
    fn hours_that_are_none_say_which_piece_is_wrong() {
        for (text, why) in [
            ("", "has nothing between two commas"),
            ("07:00-23:30,", "has nothing between two commas"),
            ("always", "has no hours in \"always\""),
            ("7-23", "has \"7\", which is no time of day"),
            ("07:00-25:00", "has \"25:00\", which is no time of day"),
            ("07:00-24:01", "has \"24:01\", which is no time of day"),
            ("07:60-08:00", "has \"07:60\", which is no time of day"),
            ("24:00-08:00", "begins at \"24:00\"; write \"00:00\""),
            ("mon,tue 07:00-08:00", "has no hours behind \"mon\""),
            ("mon-fri", "has no hours behind \"mon-fri\""),
            (
                "seg-sex 07:00-08:00",
                "has \"seg-sex\", which is no day of the week",
            ),
            (
                "mon-fri 08:00-12:00, 14:00-18:00",
                "names days for some of its hours only; write them before each",
            ),
        ] {
            assert_eq!(open_hours(text).unwrap_err().to_string(), why, "{text:?}");
        }
    }
}
