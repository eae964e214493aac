//! `[[led]]`: one light, or a buzzer.

use super::checker::Checker;
use super::keys::{Repeats, TableSpec, ValueKind as Kind, key};
use super::pins::{ActiveLevel, Connected, Connections, LEVELS, pin};
use super::written::Table;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::many(
    "led",
    Repeats {
        example_id: "",
        example_key: "pin",
        default_id: "",
    },
    &[
        key("pin", Kind::Whole, "", "its BCM number on a Raspberry Pi (not the header's)"),
        key("active", Kind::Choice, "\"high\"", "`\"high\"`: the pin gives current when the light is on; `\"low\"`"),
        key("role", Kind::Choice, "\"status\"", "one light for all; or `\"ready\"`, `\"busy\"`, `\"fault\"`; `\"sound\"`: a buzzer"),
    ],
);

/// One light, or a buzzer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led {
    /// The BCM number on a Raspberry Pi, the line's offset elsewhere.
    pub pin: u32,
    /// The level while it is lit.
    pub active: ActiveLevel,
    pub role: LedRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedRole {
    Ready,
    Busy,
    Fault,
    /// One light that tells all by its pattern.
    Status,
    /// A buzzer.
    Sound,
}

/// Those that were refused are missing.
pub fn check(check: &mut Checker<'_>, connections: &mut Connections) -> Vec<Led> {
    let leds = check.written.entries("led");
    leds.filter_map(|table| led(check, table, connections))
        .collect()
}

fn led(check: &mut Checker<'_>, table: &Table, connections: &mut Connections) -> Option<Led> {
    let roles = [
        ("ready", LedRole::Ready),
        ("busy", LedRole::Busy),
        ("fault", LedRole::Fault),
        ("status", LedRole::Status),
        ("sound", LedRole::Sound),
    ];
    let role = check.choice(table, "role", &roles, LedRole::Status);
    let active = check.choice(table, "active", &LEVELS, ActiveLevel::High);
    let pin = pin(check, table)?;
    connections.add(Connected::Pin(pin), table, "LED", check);
    Some(Led { pin, active, role })
}
