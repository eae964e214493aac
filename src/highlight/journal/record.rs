//! The journal's bytes: a header, then records, each with its own checksum.
//!
//! ```text
//! header  64 bytes: "HINDSJNL", version u32, zeros, crc32 of the first 60 bytes
//! record  marker 4, version u16, zero u16, length u32, crc32 4, JSON, zeros up to 8
//! ```
//!
//! Numbers are little-endian. The checksum covers version, length, the record's
//! offset and the JSON, so a record counts only where it was written. A reader
//! takes every whole record that it finds, so damage costs what it hit and no more.
//!
//! Pure. Not here: when they are written, and where (`journal`).

use serde::{Deserialize, Serialize};

use crate::base::{CameraId, Press, PressId};
use crate::cut::Plan;

pub const HEADER_LEN: usize = 64;
const MAGIC: &[u8; 8] = b"HINDSJNL";
const FILE_VERSION: u32 = 1;
const RECORD_VERSION: u16 = 1;
/// No byte of it can stand in JSON.
const MARKER: [u8; 4] = [0xf5, 0xfa, 0xfe, 0xfc];
const RECORD_HEADER_LEN: usize = 16;
const ALIGN: usize = 8;
/// Enough for a press of four cameras.
const USUAL_LEN: usize = 4096;

/// An entry of a ring that was there at the press: the same arrival at the
/// same position says that it is the same ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    pub pos: u64,
    pub arrival_mono_ns: u64,
}

/// A camera that took a press, with what its export needs after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraRecord {
    pub id: CameraId,
    pub name: String,
    /// What people call the place it looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub court: Option<String>,
    pub plan: Plan,
    pub witnesses: Vec<Witness>,
}

/// A press as it was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PressRecord {
    pub press: Press,
    pub cameras: Vec<CameraRecord>,
}

/// As it is written, `&PressRecord` and `&PressId`, and as it is read, `PressRecord` and `PressId`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record<T = PressRecord, P = PressId> {
    Taken(T),
    /// A press that was taken before, with the window that its gesture gave it: the last counts.
    Decided(T),
    /// Every camera of the press has its sidecar.
    Retired(P),
}

/// What is written is somebody else's.
pub type RecordRef<'a> = Record<&'a PressRecord, &'a PressId>;

/// What a journal's bytes hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scanned {
    pub records: Vec<Record>,
    /// Bytes that are neither part of a record nor zero: a torn tail or damage.
    pub unread_bytes: u64,
}

impl Scanned {
    /// Presses taken and not retired, in their order.
    pub fn pending(self) -> Vec<PressRecord> {
        let mut held: Vec<PressRecord> = Vec::new();
        for record in self.records {
            match record {
                Record::Taken(taken) => held.push(taken),
                Record::Decided(decided) => {
                    let id = &decided.press.id;
                    match held.iter_mut().find(|taken| taken.press.id == *id) {
                        Some(taken) => *taken = decided,
                        // Damage took its first record.
                        None => held.push(decided),
                    }
                }
                Record::Retired(id) => held.retain(|taken| taken.press.id != id),
            }
        }
        held
    }
}

/// The first bytes of a journal.
pub fn header() -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FILE_VERSION.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn checksum(version: u16, len: u32, offset: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&version.to_le_bytes());
    hasher.update(&len.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// A record, wherever it will stand.
#[derive(Clone)]
pub struct Encoded {
    version: u16,
    /// Room for what is said of it, and its JSON.
    bytes: Vec<u8>,
}

impl Encoded {
    pub fn of(record: &RecordRef) -> Result<Encoded, EncodeError> {
        let mut bytes = Vec::with_capacity(USUAL_LEN);
        bytes.resize(RECORD_HEADER_LEN, 0);
        serde_json::to_writer(&mut bytes, record)?;
        Encoded::checked(RECORD_VERSION, bytes)
    }

    fn checked(version: u16, bytes: Vec<u8>) -> Result<Encoded, EncodeError> {
        u32::try_from(bytes.len())?;
        Ok(Encoded { version, bytes })
    }

    /// As it stands in the file.
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.bytes.len().next_multiple_of(ALIGN)
    }

    /// To be written at `offset`, and zeros up to a multiple of `unit`.
    pub fn at(mut self, offset: u64, unit: usize) -> Vec<u8> {
        let (head, json) = self.bytes.split_at_mut(RECORD_HEADER_LEN);
        // Looked at when it was made.
        let len = u32::try_from(json.len()).unwrap_or(u32::MAX);
        head[..4].copy_from_slice(&MARKER);
        head[4..6].copy_from_slice(&self.version.to_le_bytes());
        head[8..12].copy_from_slice(&len.to_le_bytes());
        let checksum = checksum(self.version, len, offset, json);
        head[12..].copy_from_slice(&checksum.to_le_bytes());
        let whole = self.bytes.len().next_multiple_of(unit.max(ALIGN));
        self.bytes.resize(whole, 0);
        self.bytes
    }
}

/// Appends `record` to `bytes`, of which the first is the first of the file.
pub fn append(bytes: &mut Vec<u8>, record: &RecordRef) -> Result<(), EncodeError> {
    let encoded = Encoded::of(record)?;
    bytes.extend(encoded.at(bytes.len() as u64, ALIGN));
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// Version, payload and end of the whole record at `at`.
fn whole_at(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let head = bytes.get(at..at + RECORD_HEADER_LEN)?;
    if head[..4] != MARKER {
        return None;
    }
    let version = u16::from_le_bytes([head[4], head[5]]);
    let len = u32_at(head, 8)?;
    let from = at + RECORD_HEADER_LEN;
    let to = from.checked_add(usize::try_from(len).ok()?)?;
    let payload = bytes.get(from..to)?;
    let crc = checksum(version, len, u64::try_from(at).ok()?, payload);
    (crc == u32_at(head, 12)?).then(|| (version, payload, to.next_multiple_of(ALIGN)))
}

/// Why bytes are no journal that can be read, and must not be guessed at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalFault {
    #[error("its beginning is not that of a journal, and no press is found in it")]
    NotAJournal,
    #[error(
        "it is of version {found}, this hindsight reads version {FILE_VERSION}; start the hindsight that wrote it, let it finish its presses, then come back"
    )]
    Version { found: u32 },
    #[error(
        "it holds a record of version {found}, this hindsight reads version {RECORD_VERSION}; start the hindsight that wrote it, let it finish its presses, then come back"
    )]
    RecordVersion { found: u16 },
    #[error("it holds a record that this hindsight does not know: {0}")]
    UnknownRecord(String),
}

/// Why a record cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    TooLong(#[from] std::num::TryFromIntError),
}

/// Reads all of a journal.
pub fn scan(bytes: &[u8]) -> Result<Scanned, JournalFault> {
    let mut found = Scanned::default();
    let known = check_header(bytes)?;
    let mut at = HEADER_LEN.min(bytes.len());
    while at < bytes.len() {
        if let Some((version, payload, end)) = whole_at(bytes, at) {
            found.records.push(parse(version, payload)?);
            at = end;
            continue;
        }
        let next = (at + ALIGN).min(bytes.len());
        if bytes[at..next].iter().any(|b| *b != 0) {
            found.unread_bytes += u64::try_from(next - at).unwrap_or(0);
        }
        at = next;
    }
    let blank = found.unread_bytes == 0 && bytes.iter().take(HEADER_LEN).all(|b| *b == 0);
    if !known && found.records.is_empty() && !blank {
        return Err(JournalFault::NotAJournal);
    }
    if !known && !blank {
        found.unread_bytes += HEADER_LEN as u64;
    }
    Ok(found)
}

/// True if the header is whole; an error if it is whole and of another version.
fn check_header(bytes: &[u8]) -> Result<bool, JournalFault> {
    let Some(head) = bytes.get(..HEADER_LEN) else {
        return Ok(false);
    };
    let whole = head[..8] == *MAGIC && u32_at(head, 60) == Some(crc32fast::hash(&head[..60]));
    match u32_at(head, 8) {
        Some(found) if whole && found != FILE_VERSION => Err(JournalFault::Version { found }),
        _ => Ok(whole),
    }
}

fn parse(version: u16, payload: &[u8]) -> Result<Record, JournalFault> {
    if version != RECORD_VERSION {
        return Err(JournalFault::RecordVersion { found: version });
    }
    serde_json::from_slice(payload).map_err(|e| JournalFault::UnknownRecord(e.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::highlight::journal::samples::taken;
    use std::slice;

    fn three() -> (Vec<PressRecord>, Vec<u8>, Vec<usize>) {
        let presses: Vec<PressRecord> = (1..=3).map(|n| taken(n * 1_000_000_000)).collect();
        let mut bytes = header().to_vec();
        let mut starts = Vec::new();
        for press in &presses {
            starts.push(bytes.len());
            append(&mut bytes, &Record::Taken(press)).unwrap();
        }
        starts.push(bytes.len());
        bytes.extend([0; 512]);
        (presses, bytes, starts)
    }

    #[test]
    fn records_read_back_and_a_retired_press_is_pending_no_more() {
        let (presses, mut bytes, starts) = three();
        bytes.truncate(starts[3]);
        assert_eq!(scan(&bytes).unwrap().pending(), presses);
        append(&mut bytes, &Record::Retired(&presses[1].press.id)).unwrap();
        let held = scan(&bytes).unwrap().pending();
        assert_eq!(held, [presses[0].clone(), presses[2].clone()]);
    }

    #[test]
    fn of_an_undecided_press_the_last_decision_counts_and_old_journals_read_as_ever() {
        let plain = taken(7);
        let mut long = plain.clone();
        (long.press.pre_ms, long.cameras[0].plan.window.pre_ms) = (60_000, 60_000);
        let mut bytes = header().to_vec();
        append(&mut bytes, &Record::Taken(&plain)).unwrap();
        assert_eq!(scan(&bytes).unwrap().pending(), slice::from_ref(&plain));
        let damaged_from = HEADER_LEN + 40;
        append(&mut bytes, &Record::Decided(&long)).unwrap();
        assert_eq!(scan(&bytes).unwrap().pending(), slice::from_ref(&long));
        let mut damaged = bytes.clone();
        damaged[damaged_from] ^= 1;
        assert_eq!(scan(&damaged).unwrap().pending(), slice::from_ref(&long));
        append(&mut bytes, &Record::Retired(&plain.press.id)).unwrap();
        assert_eq!(scan(&bytes).unwrap().pending(), []);

        // As it was written before there were buttons and courts.
        let mut old = serde_json::to_value(RecordRef::Taken(&plain)).unwrap();
        let pressed = old["taken"]["press"].as_object_mut().unwrap();
        pressed.remove("button").unwrap();
        old["taken"]["cameras"][0]
            .as_object_mut()
            .unwrap()
            .remove("court")
            .unwrap();
        let Record::<PressRecord>::Taken(old) = serde_json::from_value(old).unwrap() else {
            panic!("another record");
        };
        assert_eq!((old.press.button, &old.cameras[0].court), (None, &None));
    }

    #[test]
    fn a_tail_torn_at_any_byte_costs_the_last_record_only() {
        let (presses, bytes, starts) = three();
        for cut in starts[2]..starts[3] {
            // What was not written yet is zero in a preallocated file, or not there.
            let short = &bytes[..cut];
            let mut zeroed = short.to_vec();
            zeroed.resize(bytes.len(), 0);
            for torn in [short, &zeroed] {
                let held = scan(torn).unwrap().pending();
                assert!(
                    held == presses[..2] || held == presses,
                    "cut at {cut}: {} presses",
                    held.len()
                );
            }
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_costs_at_most_the_record_it_hit_and_is_noticed() {
        let (presses, bytes, starts) = three();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = scan(&flipped).unwrap();
            let unread = found.unread_bytes;
            let held = found.pending();
            let hit = (0..3).find(|n| (starts[*n]..starts[n + 1]).contains(&(bit / 8)));
            for (n, press) in presses.iter().enumerate() {
                let there = held.contains(press);
                assert!(there || hit == Some(n), "bit {bit}: press {n} is lost");
            }
            assert!(held.iter().all(|press| presses.contains(press)));
            assert!(unread > 0 || held.len() == 3, "bit {bit} was not noticed");
        }
    }

    #[test]
    fn another_version_and_a_foreign_file_are_refused_in_words() {
        let mut bytes = header().to_vec();
        let mut empty = vec![0; RECORD_HEADER_LEN];
        empty.extend(b"{}");
        let empty = Encoded::checked(2, empty).unwrap();
        bytes.extend(empty.at(HEADER_LEN as u64, ALIGN));
        let refused = scan(&bytes).unwrap_err().to_string();
        assert!(refused.contains("a record of version 2"), "{refused}");

        let mut newer = header();
        newer[8] = 9;
        let crc = crc32fast::hash(&newer[..60]);
        newer[60..].copy_from_slice(&crc.to_le_bytes());
        let refused = scan(&newer).unwrap_err().to_string();
        assert!(refused.contains("of version 9"), "{refused}");

        let refused = scan(&[b'x'; 400]).unwrap_err().to_string();
        assert!(refused.contains("not that of a journal"), "{refused}");
        assert_eq!(scan(&[]).unwrap(), Scanned::default());
        assert_eq!(scan(&[0; 4096]).unwrap(), Scanned::default());
    }
}
