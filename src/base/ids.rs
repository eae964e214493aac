//! Names of cameras, presses and boots, safe in file names and topics.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

/// A camera's id: 1 to 32 of `a-z 0-9 _ -`, starting with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraId(String);

impl CameraId {
    /// Longest id, in bytes.
    pub const MAX_LEN: usize = 32;

    /// The rule in words, for error messages.
    pub const RULE: &'static str =
        "1 to 32 characters out of a-z, 0-9, '-' and '_', the first a letter or a digit";

    pub fn new(text: &str) -> Result<CameraId, BadId> {
        let bytes = text.as_bytes();
        let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = (1..=Self::MAX_LEN).contains(&bytes.len())
            && plain(&bytes[0])
            && bytes.iter().all(|b| plain(b) || *b == b'-' || *b == b'_')
            // "all" is the API's word for every camera.
            && text != "all";
        if good {
            Ok(CameraId(text.to_owned()))
        } else {
            Err(BadId(text.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CameraId {
    type Error = BadId;
    fn try_from(text: String) -> Result<CameraId, BadId> {
        CameraId::new(&text)
    }
}

impl From<CameraId> for String {
    fn from(id: CameraId) -> String {
        id.0
    }
}

/// A text that cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an id")]
pub struct BadId(pub String);

/// The kernel's random id of this boot: 16 bytes, written as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub [u8; 16]);

impl BootId {
    /// Reads `/proc/sys/kernel/random/boot_id`.
    pub fn of_this_boot() -> std::io::Result<BootId> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        text.trim().replace('-', "").parse().map_err(|_| {
            std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                format!("/proc/sys/kernel/random/boot_id holds {text:?}, not a boot id"),
            )
        })
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl std::str::FromStr for BootId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<BootId, BadId> {
        let bad = || BadId(text.to_owned());
        if text.len() != 32 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 16];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(BootId(bytes))
    }
}

impl Serialize for BootId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BootId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<BootId, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A press's name: unique, and sortable within a boot without a wall clock.
///
/// `<boot:8 hex>-<mono ms:11 hex>-<counter:4 hex><random:4 hex>`. The
/// monotonic instant sorts within a boot and across restarts of the service,
/// the counter within a millisecond, and the random part keeps two processes apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PressId(String);

impl PressId {
    pub fn new(boot: BootId, mono_ns: u64) -> PressId {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed) & 0xffff;
        let [a, b, c, d, ..] = boot.0;
        PressId(format!(
            "{:08x}-{:011x}-{counter:04x}{:04x}",
            u32::from_be_bytes([a, b, c, d]),
            mono_ns / 1_000_000,
            fastrand::u16(..)
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PressId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PressId {
    type Error = BadId;
    fn try_from(text: String) -> Result<PressId, BadId> {
        let shape = [8, 11, 8];
        let good = text.split('-').map(str::len).eq(shape)
            && text
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        if good {
            Ok(PressId(text))
        } else {
            Err(BadId(text))
        }
    }
}

impl From<PressId> for String {
    fn from(id: PressId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn camera_ids_are_safe_in_file_names_and_topics() {
        for good in ["court1", "a", "0", "north-2_b"] {
            assert_eq!(CameraId::new(good).unwrap().as_str(), good);
        }
        let long = "a".repeat(33);
        for bad in ["", "-a", "_a", "A", "a b", "../x", "a/b", "ä", "all", &long] {
            assert!(CameraId::new(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn press_ids_sort_by_instant_then_by_counter_and_read_back() {
        let boot = BootId([0xab; 16]);
        let ids: Vec<PressId> = [5_000_000, 5_000_000, 6_000_000, 999_000_000_000]
            .map(|ns| PressId::new(boot, ns))
            .to_vec();
        let mut sorted = ids.clone();
        sorted.sort();
        assert_eq!(ids, sorted);
        let back = PressId::try_from(ids[0].to_string()).unwrap();
        assert_eq!(back, ids[0]);
        assert!(PressId::try_from("../../etc-passwd-x".to_owned()).is_err());
    }

    #[test]
    fn this_boot_has_an_id_that_reads_back() {
        let boot = BootId::of_this_boot().unwrap();
        assert_eq!(boot.to_string().parse::<BootId>().unwrap(), boot);
    }
}
