//! SHA-256 of what is sent, in pieces: nothing is ever whole in memory.
//!
//! Called by: the adapters.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::parcel::unreadable;
use super::{Content, Flow, Item};
use crate::queue::work::Failure;

pub type Hash = [u8; 32];

const PIECE: usize = 256 << 10;

/// Of an item, whatever its sidecar says.
pub fn of_item(item: &Item, flow: &Flow<'_>) -> Result<Hash, Failure> {
    match &item.content {
        Content::Bytes(bytes) => Ok(of_bytes(bytes)),
        Content::File(path) => {
            let file = File::open(path).map_err(|error| unreadable(path, &error))?;
            of_range(path, &file, 0, item.size_bytes, || flow.leave())
        }
    }
}

pub fn of_bytes(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Of `len` bytes from `offset` on; `go_on` is asked before each piece.
pub fn of_range(
    path: &Path,
    file: &File,
    offset: u64,
    len: u64,
    go_on: impl Fn() -> Result<(), Failure>,
) -> Result<Hash, Failure> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    while done < len {
        go_on()?;
        let want = usize::try_from(len - done).unwrap_or(PIECE).min(PIECE);
        let read = file.read_exact_at(&mut piece[..want], offset + done);
        read.map_err(|error| unreadable(path, &error))?;
        hasher.update(&piece[..want]);
        done += u64::try_from(want).unwrap_or(u64::MAX);
    }
    Ok(hasher.finalize().into())
}

/// 64 hex digits.
pub fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What [`hex`] wrote; `None` if it is anything else.
pub fn from_hex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pieces_of_a_file_hash_like_the_bytes_and_hex_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let bytes: Vec<u8> = (0..PIECE * 2 + 7).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        let len = u64::try_from(bytes.len()).unwrap();
        let hash = of_range(&path, &file, 5, len - 5, || Ok(())).unwrap();
        assert_eq!(hash, of_bytes(&bytes[5..]));
        assert_eq!(from_hex(&hex(&hash)), Some(hash));
        assert_eq!(from_hex("zz"), None);
        let short = of_range(&path, &file, 0, len + 1, || Ok(()));
        assert!(matches!(short, Err(Failure::Wait { .. })));
    }
}
