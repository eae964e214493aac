//! `[highlight]`: what a press saves.

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::units::Millis;
use super::written::Cell;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "highlight",
    &[
        key("pre", Kind::Duration, "\"40s\"", "saved before the press"),
        key("post", Kind::Duration, "\"10s\"", "saved after the press"),
        key("stop_grace", Kind::Duration, "\"20s\"", "how long open clips may run on when the service stops"),
    ],
);
/// Longest `pre` and `post`, each.
pub const LONGEST_WINDOW_MS: u64 = 30 * 60_000;

#[derive(Clone, Copy, Debug)]
pub struct Highlight {
    pub pre_ms: u64,
    pub post_ms: u64,
    /// How long open windows may run on after the first signal to stop.
    pub stop_grace_ms: u64,
}

impl Highlight {
    pub fn window(&self) -> PressWindow {
        PressWindow {
            pre_ms: self.pre_ms,
            post_ms: self.post_ms,
        }
    }
}

/// What a press saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressWindow {
    pub pre_ms: u64,
    pub post_ms: u64,
}

impl PressWindow {
    pub fn length_ms(&self) -> u64 {
        self.pre_ms + self.post_ms
    }
}

crate::sentences! {
    /// What is wrong with a window; follows `key = value`.
    pub enum WindowSentence {
        NoLength { other: String, other_ms: Millis } = "config_window_no_length":
            "with {other} = \"{other_ms}\" makes clips of no length; together at least \"1s\"",
    }
}

pub fn check(check: &mut Checker<'_>) -> Highlight {
    let table = check.written.table("highlight");
    let window = 0..=LONGEST_WINDOW_MS;
    let pre_ms = check.duration_ms(table, "pre", window.clone(), 40_000, 40_000);
    let post_ms = check.duration_ms(table, "post", window, 10_000, 10_000);
    let cells = ["pre", "post"].map(|key| table.get(key));
    let window = PressWindow { pre_ms, post_ms };
    if let Some(cell) = cells[0].or(cells[1]) {
        has_length(check, cell, cells, window, ("post", post_ms));
    }
    Highlight {
        pre_ms,
        post_ms,
        stop_grace_ms: check.duration_ms(table, "stop_grace", 0..=300_000, 20_000, 20_000),
    }
}

/// Reports at `cell` that the window has no length; `other` is the key that stands beside it.
pub fn has_length(
    check: &mut Checker<'_>,
    cell: &Cell,
    cells: [Option<&Cell>; 2],
    window: PressWindow,
    (other, other_ms): (&str, u64),
) {
    let bad = cells.iter().any(|cell| check.found.was_rejected(*cell));
    if !bad && window.length_ms() < 1000 {
        let why = WindowSentence::NoLength {
            other: other.to_owned(),
            other_ms: Millis(other_ms),
        };
        check.found.reject(cell, why);
    }
}
