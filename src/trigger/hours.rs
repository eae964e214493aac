//! Why the venue takes no press: it is closed, and when it opens.
//!
//! Pure. Not here: what hours mean (`base::hours`), who is told (`service`).

use std::fmt;

use jiff::Zoned;
use jiff::tz::TimeZone;

use crate::base::Wall;
use crate::base::hours::{OpenHours, Opening};
use crate::base::quantity::TimeOfDay;
use crate::base::sentence::{Arg, ToArg};

crate::sentences! {
    /// Why a press is not taken at this hour.
    pub enum ClosedSentence {
        /// It opens on the same day.
        UntilLater { opens_min: TimeOfDay } = "press_closed_until_later": "the venue is closed; it opens at {opens_min}",
        UntilDay { weekday: Weekday, opens_min: TimeOfDay } = "press_closed_until_day": "the venue is closed; it opens on {weekday} at {opens_min}",
        /// Nobody can tell when it opens.
        Closed {} = "press_closed": "the venue is closed",
    }
}

/// By the venue's clock.
fn time_of_day(at: &Zoned) -> TimeOfDay {
    let minutes = i32::from(at.hour()) * 60 + i32::from(at.minute());
    TimeOfDay(u16::try_from(minutes).unwrap_or(0))
}

/// As an argument: 1 is Monday, 7 Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weekday(jiff::civil::Weekday);

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use jiff::civil::Weekday as Day;
        f.write_str(match self.0 {
            Day::Monday => "Monday",
            Day::Tuesday => "Tuesday",
            Day::Wednesday => "Wednesday",
            Day::Thursday => "Thursday",
            Day::Friday => "Friday",
            Day::Saturday => "Saturday",
            Day::Sunday => "Sunday",
        })
    }
}

impl ToArg for Weekday {
    fn to_arg(&self) -> Arg {
        Arg::Number(self.0.to_monday_one_offset().into())
    }
}

/// Why a press is not taken now: `None`, it is. While nobody has set the clock it tells
/// nothing, and all are taken.
pub fn closed(hours: &OpenHours, timezone: &TimeZone, wall: Wall) -> Option<ClosedSentence> {
    let Opening::Closed { now, opens } = hours.at(wall, timezone) else {
        return None;
    };
    Some(match opens {
        None => ClosedSentence::Closed {},
        Some(at) if at.date() == now.date() => ClosedSentence::UntilLater {
            opens_min: time_of_day(&at),
        },
        Some(at) => ClosedSentence::UntilDay {
            weekday: Weekday(at.weekday()),
            opens_min: time_of_day(&at),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::hours::OpenSpan;
    use crate::base::sentence::Coded;

    fn hours() -> OpenHours {
        OpenHours {
            spans: vec![OpenSpan {
                days: [true, true, true, true, true, false, false],
                from_min: 7 * 60,
                to_min: 22 * 60,
            }],
        }
    }

    fn said(time: &str) -> ClosedSentence {
        let at: jiff::Timestamp = time.parse().unwrap();
        let wall = Wall {
            unix_ns: at.as_nanosecond().try_into().unwrap(),
            synchronised: true,
        };
        let timezone = TimeZone::get("America/Sao_Paulo").unwrap();
        closed(&hours(), &timezone, wall).unwrap()
    }

    #[test]
    fn a_refusal_says_when_it_opens() {
        assert_eq!(
            said("2026-11-20T05:00:00-03:00").to_string(),
            "the venue is closed; it opens at 07:00"
        );
        let monday = said("2026-11-20T23:00:00-03:00");
        assert_eq!(
            monday.to_string(),
            "the venue is closed; it opens on Monday at 07:00"
        );
        let args = monday.args();
        assert_eq!(
            (&args["weekday"], &args["opens_min"]),
            (&Arg::Number(1), &Arg::Number(420))
        );
    }

    #[test]
    fn while_the_clock_was_never_set_nobody_is_refused() {
        let never = Wall {
            unix_ns: 12_000_000_000,
            synchronised: false,
        };
        assert_eq!(closed(&hours(), &TimeZone::UTC, never), None);
    }
}
