//! What the files of this room have in common: a version, and rules that hold in each.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Of all files of this room.
pub(super) const VERSION: u32 = 1;

/// One file's content.
pub(super) trait StoredFile: Serialize + DeserializeOwned {
    const FILE: &'static str;
    /// More is no file of ours.
    const MOST_BYTES: u64;

    fn version(&self) -> u32;

    /// The first rule that it breaks.
    fn broken_rule(&self) -> Option<&'static str>;

    /// What stands in no file, from the record that this one takes the place of.
    fn carry_over(&mut self, _older: &Self) {}
}

/// Why bytes are no such record.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordFault {
    #[error("it is no JSON of ours: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it is of version {0}, and this hindsight knows version {VERSION}")]
    Version(u32),
    #[error("{0}")]
    Rule(&'static str),
}

pub(super) fn read<R: StoredFile>(bytes: &[u8]) -> Result<R, RecordFault> {
    #[derive(serde::Deserialize)]
    struct Head {
        version: u32,
    }
    // First, since another version may well have other keys.
    let head: Head = serde_json::from_slice(bytes)?;
    if head.version != VERSION {
        return Err(RecordFault::Version(head.version));
    }
    let record: R = serde_json::from_slice(bytes)?;
    match record.broken_rule() {
        Some(rule) => Err(RecordFault::Rule(rule)),
        None => Ok(record),
    }
}

pub(super) fn written<R: StoredFile>(record: &R) -> Result<Vec<u8>, RecordFault> {
    debug_assert_eq!(record.version(), VERSION);
    let mut bytes = serde_json::to_vec_pretty(record)?;
    bytes.push(b'\n');
    Ok(bytes)
}
