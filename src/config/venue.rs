//! `[venue]`: what the place is called, its time zone, when presses are taken.

use jiff::tz::TimeZone;

use super::checker::{Checker, ValueSentence};
use super::hours::open_hours;
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::near::DidYouMean;
use crate::base::hours::OpenHours;
use crate::base::sentence::Coded;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "venue",
    &[
        key("name", Kind::Text, "\"Hindsight\"", "as people call it"),
        key("timezone", Kind::Text, "", "for dates of folders and times, like `\"America/Sao_Paulo\"`; without it, this machine's"),
        key("open", Kind::Text, "", "presses outside of these hours are refused; without it, always open"),
    ],
);
const OPEN_EXAMPLE: &str = "\"07:00-23:30\" or \"mon-fri 07:00-23:30, sat-sun 08:00-02:00\"";

#[derive(Clone, Debug)]
pub struct Venue {
    pub name: String,
    pub timezone: TimeZone,
    /// `None`: always.
    pub open: Option<OpenHours>,
}

crate::sentences! {
    /// What is wrong with a time zone; follows `key = value`.
    pub enum VenueSentence {
        NoTimeZone {} = "config_no_time_zone":
            "is no time zone; write it like \"America/Sao_Paulo\"",
        TimeZoneLike { near: DidYouMean } = "config_no_time_zone_like": "is no time zone{near}",
    }
}

pub fn check(check: &mut Checker<'_>) -> Venue {
    let table = check.written.table("venue");
    Venue {
        name: check.label(table, "name", "Hindsight"),
        timezone: timezone(check),
        open: open(check),
    }
}

fn timezone(check: &mut Checker<'_>) -> TimeZone {
    let Some(cell) = check.written.get("venue", "timezone") else {
        return TimeZone::system();
    };
    let text = cell.text().unwrap_or("").trim();
    if let Ok(zone) = TimeZone::get(text) {
        return zone;
    }
    let zones = jiff::tz::db().available();
    let known: Vec<String> = zones.map(|name| name.to_string()).collect();
    let near = DidYouMean::of(text, known.iter().map(String::as_str));
    let why = match near.nothing() {
        true => VenueSentence::NoTimeZone {},
        false => VenueSentence::TimeZoneLike { near },
    };
    check.found.reject(cell, why);
    TimeZone::UTC
}

fn open(check: &mut Checker<'_>) -> Option<OpenHours> {
    let cell = check.written.get("venue", "open")?;
    let why = match cell.text().map(open_hours) {
        Some(Ok(spans)) => return Some(OpenHours { spans }),
        Some(Err(why)) => why.sentence(),
        None => ValueSentence::NoText {}.sentence(),
    };
    let example = OPEN_EXAMPLE.to_owned();
    check
        .found
        .reject(cell, ValueSentence::WriteItLike { why, example });
    None
}
