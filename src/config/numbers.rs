//! Numbers, rates and lengths of time, within a range. A bad one is reported and its default stands in.
//!
//! Not here: how they are written (`units`).

use std::fmt;
use std::ops::RangeInclusive;

use super::checker::{Checker, ValueSentence};
use super::units::{BadUnit, BitsPerSecond, decimal, duration_ms, rate_bps, show_ms};
use super::written::{Cell, Table, Value};
use crate::base::sentence::{Arg, ToArg};

crate::sentences! {
    /// What is wrong with a quantity; follows `key = value`.
    pub enum QuantitySentence {
        TooLong { most_ms: WrittenTime } = "config_too_long": "is too long; at most {most_ms}",
        TooShort { least_ms: WrittenTime } = "config_too_short": "is too short; at least {least_ms}",
        NoUnit { number: String } = "config_no_unit":
            "has no unit; if seconds are meant, write \"{number}s\"",
        NoUnitMillis { number: String } = "config_no_unit_milliseconds":
            "has no unit; write milliseconds like \"{number}ms\"",
        NotADuration { example_ms: WrittenTime } = "config_not_a_duration":
            "is no length of time; write it like {example_ms}",
        NotWhole { what: &'static str, example: u64 } = "config_not_a_whole_number":
            "is not a whole number {what}; write it like {example}",
        NotANumber { example: String } = "config_not_a_number": "is no number; write it like {example}",
        OutOfRange { least: String, most: String } = "config_out_of_range":
            "is out of reach; write {least} to {most}",
        NotARate {} = "config_not_a_rate":
            "is no bit rate; write bits per second like \"8M\" or \"800k\"",
        RateOutOfRange { least_bps: BitsPerSecond, most_bps: BitsPerSecond } = "config_rate_out_of_range":
            "bits per second is out of reach; write \"{least_bps}\" to \"{most_bps}\", as in \"8M\"",
    }
}

/// A length of time as it would stand in one source: the predecessors' file has seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenTime {
    ms: u64,
    seconds: bool,
}

impl WrittenTime {
    fn at(cell: &Cell, ms: u64) -> WrittenTime {
        let seconds = cell.place.is_env_file();
        WrittenTime { ms, seconds }
    }
}

impl fmt::Display for WrittenTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.ms;
        match self.seconds {
            true if ms.is_multiple_of(1000) => write!(f, "{}", ms / 1000),
            true => {
                let seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
                f.write_str(seconds.trim_end_matches('0'))
            }
            false => write!(f, "\"{}\"", show_ms(ms)),
        }
    }
}

impl ToArg for WrittenTime {
    fn to_arg(&self) -> Arg {
        self.ms.to_arg()
    }
}

/// Why what was read is no length of time within `range`, and what would be right.
fn no_duration(
    cell: &Cell,
    read: Result<u64, (BadUnit, String)>,
    range: &RangeInclusive<u64>,
    example_ms: u64,
) -> QuantitySentence {
    let right = |ms: u64| WrittenTime::at(cell, ms);
    match read {
        Ok(ms) if ms > *range.end() => QuantitySentence::TooLong {
            most_ms: right(*range.end()),
        },
        Ok(_) => QuantitySentence::TooShort {
            least_ms: right(*range.start()),
        },
        Err((BadUnit::NoUnit, number)) if !number.starts_with('-') => {
            let number = number.trim().to_owned();
            match decimal(&number, 1000) {
                Some(ms) if !range.contains(&ms) => QuantitySentence::NoUnitMillis { number },
                _ => QuantitySentence::NoUnit { number },
            }
        }
        Err(_) => QuantitySentence::NotADuration {
            example_ms: right(example_ms),
        },
    }
}

impl Checker<'_> {
    /// A length of time within `range`.
    pub fn duration_ms(
        &mut self,
        table: &Table,
        key: &str,
        range: RangeInclusive<u64>,
        example_ms: u64,
        default: u64,
    ) -> u64 {
        let Some(cell) = table.get(key) else {
            return default;
        };
        let read = match &cell.value {
            Value::Text(text) => duration_ms(text).map_err(|bad| (bad, text.clone())),
            Value::Whole(number) => Err((BadUnit::NoUnit, number.to_string())),
            Value::Other(text) => duration_ms(text).map_err(|bad| (bad, text.clone())),
            Value::List(_) => Err((BadUnit::Shape, String::new())),
        };
        match read {
            Ok(ms) if range.contains(&ms) => ms,
            read => {
                let why = no_duration(cell, read, &range, example_ms);
                self.found.reject(cell, why);
                default
            }
        }
    }

    /// A whole number within `range`, in the type where it is kept.
    pub fn whole<N: TryFrom<u64>>(
        &mut self,
        table: &Table,
        key: &str,
        range: RangeInclusive<u64>,
        what: &'static str,
        example: u64,
    ) -> Option<N> {
        let cell = table.get(key)?;
        let read = match &cell.value {
            Value::Whole(number) => Some(i128::from(*number)),
            // From the environment everything comes as text.
            Value::Text(text) if !cell.place.is_toml() => text.trim().parse().ok(),
            _ => None,
        };
        let in_range = |number: i128| {
            let number = u64::try_from(number).ok();
            let number = number.filter(|number| range.contains(number))?;
            N::try_from(number).ok()
        };
        let why = match read {
            Some(number) => match in_range(number) {
                Some(number) => return Some(number),
                None => QuantitySentence::OutOfRange {
                    least: range.start().to_string(),
                    most: range.end().to_string(),
                },
            },
            None => match cell.text().and_then(|text| text.parse::<u64>().ok()) {
                Some(number) => {
                    let bare = number.to_string();
                    self.found
                        .reject(cell, ValueSentence::NeedlessQuotes { bare });
                    return None;
                }
                None => QuantitySentence::NotWhole { what, example },
            },
        };
        self.found.reject(cell, why);
        None
    }

    /// A number within `range`, with or without a point.
    pub fn number(
        &mut self,
        table: &Table,
        key: &str,
        range: RangeInclusive<f64>,
        default: f64,
    ) -> f64 {
        let Some(cell) = table.get(key) else {
            return default;
        };
        let in_file = cell.place.is_toml();
        let read = match &cell.value {
            Value::Whole(number) => i32::try_from(*number).ok().map(f64::from),
            Value::Other(text) => text.parse::<f64>().ok(),
            Value::Text(text) if !in_file => text.trim().parse().ok(),
            _ => None,
        };
        match (read, cell.text()) {
            (Some(number), _) if range.contains(&number) => return number,
            (Some(_), _) => {
                let (least, most) = (range.start().to_string(), range.end().to_string());
                self.found
                    .reject(cell, QuantitySentence::OutOfRange { least, most });
            }
            (None, Some(text)) if text.parse::<f64>().is_ok() => {
                let bare = text.to_owned();
                self.found
                    .reject(cell, ValueSentence::NeedlessQuotes { bare });
            }
            _ => {
                let example = default.to_string();
                self.found
                    .reject(cell, QuantitySentence::NotANumber { example });
            }
        }
        default
    }

    /// Bits per second within `range`.
    pub fn rate_bps(
        &mut self,
        table: &Table,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let cell = table.get(key)?;
        let read = match &cell.value {
            Value::Text(text) => rate_bps(text).ok(),
            Value::Whole(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let why = match read {
            Some(bps) if range.contains(&bps) => return Some(bps),
            Some(_) => QuantitySentence::RateOutOfRange {
                least_bps: BitsPerSecond(*range.start()),
                most_bps: BitsPerSecond(*range.end()),
            },
            None => QuantitySentence::NotARate {},
        };
        self.found.reject(cell, why);
        None
    }
}
