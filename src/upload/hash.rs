//! Checksums of what is sent, in pieces: nothing is ever whole in memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::attempt::Flow;
use super::bundle::{Content, Item, unreadable};
use crate::queue::work::Failure;

pub type Hash = [u8; 32];

/// Small enough to stay in the processor's cache between the copy and the sums.
const PIECE: usize = 128 << 10;

/// What bytes add up to, one way or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    Sha256(Hash),
    /// Of parts: without instructions for it, SHA-256 takes longer than a fast line.
    Crc32(u32),
}

/// One that is being added up.
pub enum Summing {
    Sha256(Sha256),
    Crc32(crc32fast::Hasher),
}

impl Sum {
    /// One of the same kind, of nothing yet.
    pub fn begin(self) -> Summing {
        match self {
            Sum::Sha256(_) => Summing::Sha256(Sha256::new()),
            Sum::Crc32(_) => Summing::Crc32(crc32fast::Hasher::new()),
        }
    }
}

impl Summing {
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Summing::Sha256(hasher) => hasher.update(bytes),
            Summing::Crc32(hasher) => hasher.update(bytes),
        }
    }

    pub fn finish(self) -> Sum {
        match self {
            Summing::Sha256(hasher) => Sum::Sha256(hasher.finalize().into()),
            Summing::Crc32(hasher) => Sum::Crc32(hasher.finalize()),
        }
    }
}

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

/// Of `len` bytes from `offset` on; `go_on` is asked behind each piece.
pub fn of_range(
    path: &Path,
    file: &File,
    offset: u64,
    len: u64,
    go_on: impl Fn() -> Result<(), Failure>,
) -> Result<Hash, Failure> {
    let mut hasher = Sha256::new();
    pieces(path, file, offset, len, |piece| {
        hasher.update(piece);
        go_on()
    })?;
    Ok(hasher.finalize().into())
}

/// Hands `len` bytes from `offset` on to `each`, piece by piece.
pub fn pieces(
    path: &Path,
    file: &File,
    offset: u64,
    len: u64,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    while done < len {
        let want = usize::try_from(len - done).unwrap_or(PIECE).min(PIECE);
        let read = file.read_exact_at(&mut piece[..want], offset + done);
        read.map_err(|error| unreadable(path, &error))?;
        each(&piece[..want])?;
        done += u64::try_from(want).unwrap_or(u64::MAX);
    }
    Ok(())
}

/// What [`hex`](fn@crate::base::hex)(crate::base::hex) wrote; `None` if it is anything else.
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
    use crate::base::hex;

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
        assert!(matches!(short, Err(Failure::Unavailable { .. })));
    }
}
