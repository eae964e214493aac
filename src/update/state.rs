//! Which slot is started: 512 bytes that U-Boot and this program both read and write. Pure.
//!
//! They are U-Boot's environment with a checksum: CRC-32 (IEEE, little endian) over bytes 4 to
//! 512, then `key=value` ended by a zero byte each, one more zero byte, zeros to the end.
//!
//! | key | value |
//! |---|---|
//! | `slot` | `a` or `b`: the confirmed one |
//! | `try` | `a` or `b`: an update that is not confirmed yet; `none` |
//! | `left` | how often U-Boot still tries it, 0 to 3 |
//!
//! Where `try` names a slot and `left` is above 0, U-Boot takes one off `left` and starts that
//! slot; else it starts `slot`. Two copies are kept; the first counts where its checksum holds,
//! else the second.
//!
//! Not here: the files (`store`).

use std::fmt;

use serde::Deserialize;

/// One of the two systems on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    A,
    B,
}

impl Slot {
    pub fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }

    /// As the files and the kernel's command line have it.
    pub fn named(name: &str) -> Option<Slot> {
        match name {
            "a" => Some(Slot::A),
            "b" => Some(Slot::B),
            _ => None,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::A => "a",
            Slot::B => "b",
        })
    }
}

/// How often U-Boot tries a new system before it goes back.
pub const TRIES: u8 = 2;
/// The most that the files may say.
const MOST_TRIES: u8 = 3;

/// What the files say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// The confirmed one.
    pub slot: Slot,
    /// One that is not confirmed yet.
    pub tried: Option<Slot>,
    /// How often it is still started; 0 where it did not come up.
    pub left: u8,
}

/// Why a copy does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCopy {
    #[error("is {0} bytes long and must be 512")]
    Length(usize),
    #[error("its checksum does not hold")]
    Checksum,
    #[error("says {key}={value:?} and must say {wanted}")]
    Value {
        key: &'static str,
        value: String,
        wanted: &'static str,
    },
}

impl SlotState {
    /// Of a copy, in bytes.
    pub const LEN: usize = 512;

    /// Nothing is tried.
    pub fn settled(slot: Slot) -> SlotState {
        SlotState {
            slot,
            tried: None,
            left: 0,
        }
    }

    /// The other slot is tried.
    pub fn trying_other(slot: Slot) -> SlotState {
        SlotState {
            slot,
            tried: Some(slot.other()),
            left: TRIES,
        }
    }

    /// The slot that U-Boot starts next.
    pub fn starts(&self) -> Slot {
        match self.tried {
            Some(tried) if self.left > 0 => tried,
            _ => self.slot,
        }
    }

    pub fn encode(&self) -> [u8; SlotState::LEN] {
        let tried = self
            .tried
            .map_or("none".to_owned(), |slot| slot.to_string());
        let text = format!("slot={}\0try={tried}\0left={}\0\0", self.slot, self.left);
        let mut bytes = [0; SlotState::LEN];
        bytes[4..4 + text.len()].copy_from_slice(text.as_bytes());
        let checksum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Result<SlotState, BadCopy> {
        if bytes.len() != SlotState::LEN {
            return Err(BadCopy::Length(bytes.len()));
        }
        let (checksum, entries) = bytes.split_at(4);
        if checksum != crc32fast::hash(entries).to_le_bytes() {
            return Err(BadCopy::Checksum);
        }
        let slot = entry(entries, "slot");
        let tried = entry(entries, "try");
        let left = entry(entries, "left");
        let wrong = |key, value: &str, wanted| BadCopy::Value {
            key,
            value: value.to_owned(),
            wanted,
        };
        Ok(SlotState {
            slot: Slot::named(&slot).ok_or_else(|| wrong("slot", &slot, "a or b"))?,
            tried: match tried.as_str() {
                "none" => None,
                name => Some(Slot::named(name).ok_or_else(|| wrong("try", name, "a, b or none"))?),
            },
            left: match left.parse() {
                Ok(left) if left <= MOST_TRIES => left,
                _ => return Err(wrong("left", &left, "0 to 3")),
            },
        })
    }

    /// What the two copies say together.
    pub fn of_copies(copies: &[Result<SlotState, BadCopy>; 2]) -> Option<SlotState> {
        copies.iter().find_map(|copy| copy.clone().ok())
    }
}

/// The value of `key`; empty where it is missing.
fn entry(entries: &[u8], key: &str) -> String {
    entries
        .split(|byte| *byte == 0)
        .take_while(|entry| !entry.is_empty())
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn slots() -> impl Strategy<Value = Slot> {
        prop_oneof![Just(Slot::A), Just(Slot::B)]
    }

    fn states() -> impl Strategy<Value = SlotState> {
        (slots(), proptest::option::of(slots()), 0..=MOST_TRIES)
            .prop_map(|(slot, tried, left)| SlotState { slot, tried, left })
    }

    /// As `mkenvimage` or U-Boot's `env export -c` would lay `text` out.
    fn laid_out(text: &str) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        bytes.extend(text.as_bytes());
        bytes.resize(SlotState::LEN, 0);
        let checksum = crc32fast::hash(&bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    #[test]
    fn the_bytes_are_those_that_u_boot_writes() {
        // Made with Python's zlib.crc32 over the same text.
        let bytes = SlotState::trying_other(Slot::A).encode();
        assert!(bytes[4..].starts_with(b"slot=a\0try=b\0left=2\0\0"));
        assert!(bytes[25..].iter().all(|byte| *byte == 0));
        assert_eq!(&bytes[..4], &0x7490_25ac_u32.to_le_bytes());
    }

    #[test]
    fn the_order_of_the_entries_and_strange_ones_do_not_matter() {
        let bytes = laid_out("filesize=200\0left=1\0slot=b\0try=a\0\0");
        let wanted = SlotState {
            slot: Slot::B,
            tried: Some(Slot::A),
            left: 1,
        };
        assert_eq!(SlotState::decode(&bytes), Ok(wanted));
    }

    #[test]
    fn what_stands_behind_the_end_is_not_read() {
        let bytes = laid_out("slot=a\0try=none\0\0left=1\0");
        assert_eq!(
            SlotState::decode(&bytes).unwrap_err().to_string(),
            "says left=\"\" and must say 0 to 3"
        );
    }

    #[test]
    fn a_copy_that_says_something_else_does_not_count() {
        for (text, wanted) in [
            (
                "slot=c\0try=none\0left=0\0\0",
                "says slot=\"c\" and must say a or b",
            ),
            (
                "slot=a\0try=\0left=0\0\0",
                "says try=\"\" and must say a, b or none",
            ),
            (
                "slot=a\0try=b\0left=4\0\0",
                "says left=\"4\" and must say 0 to 3",
            ),
            (
                "slot=a\0try=b\0left=-1\0\0",
                "says left=\"-1\" and must say 0 to 3",
            ),
        ] {
            let error = SlotState::decode(&laid_out(text)).unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
        assert_eq!(SlotState::decode(&[]), Err(BadCopy::Length(0)));
        assert_eq!(SlotState::decode(&[0; 513]), Err(BadCopy::Length(513)));
        assert_eq!(SlotState::decode(&[0; 512]), Err(BadCopy::Checksum));
    }

    #[test]
    fn u_boot_starts_the_tried_slot_while_tries_are_left() {
        let trying = SlotState::trying_other(Slot::A);
        assert_eq!(trying.starts(), Slot::B);
        assert_eq!(SlotState { left: 0, ..trying }.starts(), Slot::A);
        assert_eq!(SlotState::settled(Slot::B).starts(), Slot::B);
        let odd = SlotState {
            left: 3,
            ..SlotState::settled(Slot::A)
        };
        assert_eq!(odd.starts(), Slot::A, "nothing is tried");
    }

    proptest! {
        #[test]
        fn a_state_survives_its_bytes(state in states()) {
            prop_assert_eq!(SlotState::decode(&state.encode()), Ok(state));
        }

        #[test]
        fn a_copy_with_any_byte_changed_does_not_count(state in states(), at in 0_usize..512, by in 1_u8..) {
            let mut bytes = state.encode();
            bytes[at] ^= by;
            prop_assert_eq!(SlotState::decode(&bytes), Err(BadCopy::Checksum));
        }

        #[test]
        fn the_first_copy_counts_where_it_holds_else_the_second(first in states(), second in states()) {
            let bad = || Err(BadCopy::Checksum);
            prop_assert_eq!(SlotState::of_copies(&[Ok(first), Ok(second)]), Some(first));
            prop_assert_eq!(SlotState::of_copies(&[bad(), Ok(second)]), Some(second));
            prop_assert_eq!(SlotState::of_copies(&[Ok(first), bad()]), Some(first));
            prop_assert_eq!(SlotState::of_copies(&[bad(), bad()]), None);
        }
    }
}
