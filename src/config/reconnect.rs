//! `[reconnect]`: how a camera that went away is tried again.

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::units::Millis;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "reconnect",
    &[
        key("initial_delay", Kind::Duration, "\"1s\"", "until the first attempt; then less and less often"),
        key("max_delay", Kind::Duration, "\"30s\"", "between attempts, at most"),
        key("max_attempts", Kind::Whole, "0", "then it is given up; 0: never"),
    ],
);

#[derive(Clone, Copy, Debug)]
pub struct Reconnect {
    pub initial_ms: u64,
    pub max_ms: u64,
    /// `None`: for ever.
    pub max_attempts: Option<u32>,
}

crate::sentences! {
    /// What is wrong with delays; follows `key = value`.
    pub enum ReconnectSentence {
        ShorterThanInitial { initial_ms: Millis } = "config_max_delay_too_short":
            "is shorter than the initial delay; write at least \"{initial_ms}\"",
    }
}

pub fn check(check: &mut Checker<'_>) -> Reconnect {
    let table = check.written.table("reconnect");
    let initial_ms = check.duration_ms(table, "initial_delay", 100..=600_000, 1000, 1000);
    let default = initial_ms.max(30_000);
    let max_ms = check.duration_ms(table, "max_delay", 100..=3_600_000, 30_000, default);
    let attempts = check.whole(table, "max_attempts", 0..=1_000_000, "of attempts", 0);
    if let Some(cell) = table.get("max_delay").filter(|_| max_ms < initial_ms) {
        let initial_ms = Millis(initial_ms);
        let why = ReconnectSentence::ShorterThanInitial { initial_ms };
        check.found.reject(cell, why);
    }
    Reconnect {
        initial_ms,
        max_ms,
        max_attempts: attempts.filter(|attempts| *attempts > 0),
    }
}
