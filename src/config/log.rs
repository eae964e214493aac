//! `[log]`: what is logged, and how.

use log::LevelFilter;

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "log",
    &[
        key("level", Kind::Choice, "\"info\"", "`\"error\"`, `\"warn\"`, `\"info\"`, `\"debug\"`, `\"trace\"`"),
        key("format", Kind::Choice, "\"text\"", "`\"json\"`: one JSON object a line"),
    ],
);

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    pub level: LevelFilter,
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            level: LevelFilter::Info,
            format: LogFormat::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: coloured where stderr is a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

pub fn check(check: &mut Checker<'_>) -> Log {
    let table = check.written.table("log");
    let usual = Log::default();
    // The predecessors' words are understood, but not advertised.
    let spoken = table
        .text("level")
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    let level = match spoken.as_str() {
        "warning" => LevelFilter::Warn,
        "critical" | "fatal" => LevelFilter::Error,
        _ => {
            let levels = [
                ("error", LevelFilter::Error),
                ("warn", LevelFilter::Warn),
                ("info", LevelFilter::Info),
                ("debug", LevelFilter::Debug),
                ("trace", LevelFilter::Trace),
            ];
            check.choice(table, "level", &levels, usual.level)
        }
    };
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = check.choice(table, "format", &formats, usual.format);
    Log { level, format }
}
