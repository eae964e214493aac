//! The packed bytes into the slot, and what is in the slot then.
//!
//! The decoder is Rust throughout (`ruzstd`), so that nothing of C is built for another processor:
//! on an x86-64 it unpacked 700 MB at 270 MB/s, where C's did 750, and no card writes that fast
//! (`benches/run update` measures again).
//!
//! It needs its window in memory: with `zstd -19` that is 8 MB. What is written is
//! synced bit by bit, so that a slow card does not fill the box's memory with what waits for it.
//!
//! Not here: whether the bytes are to be believed (`image`), the switch (`install`).

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::FrameDecoderError;
use sha2::{Digest, Sha256};

use crate::disk::File;

/// The most memory that the decoder may want: a small box has 512 MB for all.
const MOST_WINDOW: u64 = 32 << 20;
/// Written at once.
const PIECE: usize = 256 << 10;
/// Written between two syncs.
const SYNC_EVERY: u64 = 16 << 20;

/// Why it did not get into the slot.
#[derive(Debug)]
pub enum UnpackError {
    /// The update's file.
    Reading(io::Error),
    Packed(String),
    /// There is more than there should be.
    TooMuch,
    /// The slot.
    Writing(io::Error),
}

/// Unpacks what stands in `packed` from `from` on into `slot`, at most `most` bytes, and has it
/// synced. Returns how many there were, and their SHA-256; `tell` hears how many were written.
pub fn unpack(
    packed: &fs::File,
    from: u64,
    slot: &File,
    most: u64,
    tell: &mut dyn FnMut(u64),
) -> Result<(u64, [u8; 32]), UnpackError> {
    let mut source = BufReader::with_capacity(PIECE, At { file: packed, from });
    let mut sink = Sink {
        slot,
        most,
        hash: Sha256::new(),
        waiting: Vec::with_capacity(PIECE),
        written: 0,
        synced: 0,
        tell,
    };
    let mut buffer = vec![0; PIECE];
    while !source.fill_buf().map_err(UnpackError::Reading)?.is_empty() {
        let frame = StreamingDecoder::new_with_max_window_size(&mut source, MOST_WINDOW);
        let mut frame = frame.map_err(|error| UnpackError::Packed(words(&error)))?;
        loop {
            match frame.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => sink.take(&buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(UnpackError::Packed(error.to_string())),
            }
        }
    }
    sink.end()
}

fn words(error: &FrameDecoderError) -> String {
    match error {
        FrameDecoderError::WindowSizeTooBig { requested, max } => format!(
            "it wants {} MB of memory, at most {} MB may be used; pack it with zstd -19, without --long or --ultra",
            requested >> 20,
            max >> 20
        ),
        other => other.to_string(),
    }
}

/// A file from an offset on.
struct At<'a> {
    file: &'a fs::File,
    from: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(into, self.from)?;
        self.from += n as u64;
        Ok(n)
    }
}

struct Sink<'a> {
    slot: &'a File,
    most: u64,
    hash: Sha256,
    waiting: Vec<u8>,
    written: u64,
    synced: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl Sink<'_> {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), UnpackError> {
        self.hash.update(bytes);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.waiting.len()));
            self.waiting.extend_from_slice(now);
            bytes = later;
            if self.waiting.len() == PIECE {
                self.write()?;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), UnpackError> {
        let behind = self.written + self.waiting.len() as u64;
        if behind > self.most {
            return Err(UnpackError::TooMuch);
        }
        let written = self.slot.write_all_at(&self.waiting, self.written);
        written.map_err(UnpackError::Writing)?;
        self.slot.start_writeback(self.written);
        self.written = behind;
        self.waiting.clear();
        if self.written - self.synced >= SYNC_EVERY {
            self.sync()?;
        }
        (self.tell)(self.written);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), UnpackError> {
        self.slot.sync().map_err(UnpackError::Writing)?;
        self.synced = self.written;
        Ok(())
    }

    fn end(mut self) -> Result<(u64, [u8; 32]), UnpackError> {
        if !self.waiting.is_empty() {
            self.write()?;
        }
        self.sync()?;
        Ok((self.written, self.hash.finalize().into()))
    }
}

/// The SHA-256 of the first `len` bytes that the card itself holds. They must be synced.
pub fn read_back(slot: &File, len: u64, tell: &mut dyn FnMut(u64)) -> io::Result<[u8; 32]> {
    let again = slot.reader()?;
    // Without this the kernel would answer from its memory. Some file systems cannot; then it does.
    let _ = posix_fadvise(&again, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < len {
        let n = usize::try_from(len - at).unwrap_or(usize::MAX).min(PIECE);
        slot.read_exact_at(&mut buffer[..n], at)?;
        hash.update(&buffer[..n]);
        at += n as u64;
        tell(at);
    }
    Ok(hash.finalize().into())
}
