//! `[trigger]`: which triggers listen, but for the buttons.

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "trigger",
    &[
        key("mode", Kind::Choice, "\"both\"", "`\"keyboard\"` (ENTER or s), `\"http\"`, or `\"both\"`"),
    ],
);

/// Which triggers listen.
#[derive(Clone, Copy, Debug)]
pub struct Trigger {
    pub keyboard: bool,
    pub http: bool,
}

pub fn check(check: &mut Checker<'_>) -> Trigger {
    let mode = |keyboard, http| Trigger { keyboard, http };
    let choices = [
        ("keyboard", mode(true, false)),
        ("http", mode(false, true)),
        ("both", mode(true, true)),
    ];
    let table = check.written.table("trigger");
    check.choice(table, "mode", &choices, mode(true, true))
}
