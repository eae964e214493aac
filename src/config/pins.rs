//! What buttons and LEDs share: pins, levels, and that each is connected to one thing.

use super::checker::Checker;
use super::place::SourceLocation;
use super::written::Table;

/// Lines of the largest GPIO chips; a Raspberry Pi's header has 0 to 27.
const LAST_PIN: u64 = 1023;
pub const LEVELS: [(&str, ActiveLevel); 2] =
    [("low", ActiveLevel::Low), ("high", ActiveLevel::High)];

/// The level of a pin while a button is held, or an LED lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActiveLevel {
    High,
    Low,
}

crate::sentences! {
    /// What is wrong with a pin or a key of a USB device; follows `key = value`.
    pub enum ConnectionSentence {
        Taken { who: &'static str, place: String, what: &'static str } = "config_input_taken":
            "is taken by the {who} at {place}; each needs a {what} of its own",
    }
}

crate::sentences! {
    /// What is missing; a whole sentence.
    pub enum PinSentence {
        Missing { table: String } = "config_no_pin":
            "{table} has no pin; write its BCM number, such as pin = 17",
    }
}

/// What is connected where: pins, and keys of USB devices.
#[derive(Default)]
pub struct Connections {
    inputs: Vec<(Connected, &'static str, SourceLocation)>,
}

#[derive(PartialEq)]
pub enum Connected {
    Pin(u32),
    /// Of the device, or of any.
    Key(Option<String>, String),
}

impl Connected {
    /// The same pin; or the same key of the same device, or of any.
    fn is_same(&self, other: &Connected) -> bool {
        match (self, other) {
            (Connected::Key(a, key_a), Connected::Key(b, key_b)) => {
                let lower =
                    |device: &Option<String>| device.as_ref().map(|name| name.to_lowercase());
                let same = a.is_none() || b.is_none() || lower(a) == lower(b);
                key_a == key_b && same
            }
            _ => self == other,
        }
    }
}

impl Connections {
    /// Reports what is connected already, with both places.
    pub fn add(
        &mut self,
        what: Connected,
        table: &Table,
        who: &'static str,
        check: &mut Checker<'_>,
    ) {
        let key = match what {
            Connected::Pin(_) => "pin",
            Connected::Key(..) => "key",
        };
        let Some(cell) = table.get(key) else { return };
        let mut others = self.inputs.iter();
        if let Some((_, other, place)) = others.find(|(other, ..)| other.is_same(&what)) {
            let why = ConnectionSentence::Taken {
                who: other,
                place: place.to_string(),
                what: key,
            };
            check.found.reject(cell, why);
        }
        self.inputs.push((what, who, cell.place.clone()));
    }
}

pub fn pin(check: &mut Checker<'_>, table: &Table) -> Option<u32> {
    if table.get("pin").is_none() {
        let header = table.spec.header();
        let what = PinSentence::Missing { table: header };
        check.found.problem(&table.place, what);
    }
    check.whole(table, "pin", 0..=LAST_PIN, "(BCM)", 17)
}
