//! `[upload]`: what all targets share.

use super::checker::{Checker, ValueSentence};
use super::hours::daily_window;
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::written::Table;
use crate::base::hours::DailyWindow;
use crate::base::sentence::Coded;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "upload",
    &[
        key("max_rate", Kind::Rate, "", "bits per second of all uploads together; without it, no limit"),
        key("window", Kind::Text, "", "only then, like `\"00:00-07:00\"`; without it, always"),
    ],
);

/// What all targets share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadSettings {
    /// Bits per second of all uploads together; `None`: no limit.
    pub max_rate_bps: Option<u64>,
    /// Only within these hours.
    pub window: Option<DailyWindow>,
}

pub fn check(check: &mut Checker<'_>) -> UploadSettings {
    let table = check.written.table("upload");
    UploadSettings {
        max_rate_bps: check.rate_bps(table, "max_rate", 8_000..=10_000_000_000),
        window: window(check, table),
    }
}

fn window(check: &mut Checker<'_>, table: &Table) -> Option<DailyWindow> {
    let cell = table.get("window")?;
    let why = match cell.text().map(daily_window) {
        Some(Ok(window)) => return Some(window),
        Some(Err(why)) => why.sentence(),
        None => ValueSentence::NoText {}.sentence(),
    };
    let example = "\"00:00-07:00\"".to_owned();
    check
        .found
        .reject(cell, ValueSentence::WriteItLike { why, example });
    None
}
