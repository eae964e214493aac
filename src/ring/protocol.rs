//! The ring's protocol: how one writer and any number of readers share words
//! of memory without a lock, and without a reader ever believing torn bytes.
//!
//! Three words rule: `floor_entry` and `floor_byte` (the oldest position and
//! the oldest byte still whole) and `head` (the next position). Positions and
//! bytes are counters that never wrap; a slot is the counter modulo size.
//!
//! * Writing: raise the floors past everything about to be overwritten
//!   (relaxed), release fence, write bytes and entry (relaxed), publish `head`
//!   (release).
//! * Reading: load `head`, acquire fence, copy (relaxed), acquire fence, load
//!   the floors. The copy is whole if it is still at or above them.
//!
//! Why it holds. *Old enough*: who sees `head` > `pos` synchronises with its
//! publication and sees what was written to `pos`, or something newer. *Not too
//! new*: if a copied word came from a later write, that write stood behind a
//! release fence, before which the floors were raised past the copied place;
//! the reader's acquire fence after the copy synchronises with that fence, so
//! its loads of the floors see them raised, and the copy is thrown away.
//!
//! A fourth word, `bell`, counts what was published, for those who sleep.
//!
//! * Publishing: store `head` (or whatever else is news), then raise the bell
//!   (release), then wake whoever sleeps on it.
//! * Sleeping: load the bell, acquire fence, look for news; where there is
//!   none, have the kernel let us sleep while the bell is still that value.
//!
//! Why nobody sleeps through news: who loads the bell that was raised for it
//! sees the news. Who loads the one before sleeps on the one before, and the
//! kernel compares once more, in one step with going to sleep.
//!
//! Readers load relaxed and then fence, never `load(Acquire)`: only relaxed
//! atomic loads are defined on memory that is mapped read-only.
//!
//! This file leans on `core` alone, and is generic over the words, because
//! `tests/ring_model` compiles it again: under loom, and under Miri. There,
//! each `intact("…")` is taken out in turn, and the model must notice.
//!
//! Not here: what the words mean (`layout`), where they live (`shm`).

use core::sync::atomic::{AtomicU64, Ordering, fence};

/// False for the one piece that a test of the model takes out.
macro_rules! intact {
    ($name:literal) => {
        !cfg!(hindsight_break = $name)
    };
}

/// A shared word that can be loaded.
pub trait LoadWord {
    /// Relaxed.
    fn load(&self) -> u64;
    fn fence_acquire();
}

/// A shared word that can be stored to. Only the writer has such.
pub trait StoreWord: LoadWord {
    /// Relaxed.
    fn store(&self, value: u64);
    fn store_release(&self, value: u64);
    fn fence_release();
}

impl LoadWord for AtomicU64 {
    #[inline]
    fn load(&self) -> u64 {
        AtomicU64::load(self, Ordering::Relaxed)
    }
    #[inline]
    fn fence_acquire() {
        fence(Ordering::Acquire);
    }
}

impl StoreWord for AtomicU64 {
    #[inline]
    fn store(&self, value: u64) {
        AtomicU64::store(self, value, Ordering::Relaxed);
    }
    #[inline]
    fn store_release(&self, value: u64) {
        AtomicU64::store(self, value, Ordering::Release);
    }
    #[inline]
    fn fence_release() {
        fence(Ordering::Release);
    }
}

/// Words of the control block.
pub const HEAD: usize = 0;
pub const FLOOR_ENTRY: usize = 1;
pub const FLOOR_BYTE: usize = 2;
/// A count in its low half, which wraps; the high half stays 0.
pub const BELL: usize = 3;

/// The words of an entry that the protocol itself needs. An entry names its
/// own position; bytes of an AU start at the counter `START` and are `LEN`
/// (low half of the word) long.
pub const POS: usize = 0;
pub const START: usize = 1;
pub const LEN: usize = 2;

/// Bytes of a word. Every AU starts on a word.
pub const WORD: u64 = 8;

/// Why a copy is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyFault {
    /// At or after `head`.
    NotYet,
    /// Below a floor.
    Overtaken,
    /// Whole, but not what a writer writes.
    Damaged,
}

/// A ring's shared words; `E` words make an entry. `index` and `data` are not empty.
pub struct Ring<'a, W, const E: usize> {
    pub control: &'a [W],
    pub index: &'a [W],
    pub data: &'a [W],
}

impl<W, const E: usize> Ring<'_, W, E> {
    /// Entries of the index.
    pub fn entries(&self) -> u64 {
        widen(self.index.len() / E)
    }

    /// Bytes of the data.
    pub fn data_bytes(&self) -> u64 {
        widen(self.data.len()) * WORD
    }

    fn slot(&self, pos: u64) -> &[W] {
        let at = narrow(pos % self.entries()) * E;
        &self.index[at..at + E]
    }

    /// The place of `words` words from the byte counter `start`: before the
    /// data's end, and the rest from its beginning.
    fn place(&self, start: u64, words: usize) -> (&[W], &[W]) {
        let at = narrow(start / WORD % widen(self.data.len()));
        let first = words.min(self.data.len() - at);
        (&self.data[at..at + first], &self.data[..words - first])
    }
}

impl<W: LoadWord, const E: usize> Ring<'_, W, E> {
    /// The next position; everything below it is published to the caller.
    pub fn head(&self) -> u64 {
        let head = self.control[HEAD].load();
        if intact!("head_acquire_fence") {
            W::fence_acquire();
        }
        head
    }

    /// The bell, and that all is published to the caller for which it was raised.
    pub fn bell(&self) -> u32 {
        let bell = self.control[BELL].load();
        if intact!("bell_acquire_fence") {
            W::fence_acquire();
        }
        low_half(bell)
    }

    /// The bell to sleep on until `pos` may be there; `None` if it is.
    pub fn bell_before(&self, pos: u64) -> Option<u32> {
        if intact!("bell_before_head") {
            let bell = self.bell();
            (self.control[HEAD].load() <= pos).then_some(bell)
        } else {
            let awaited = self.control[HEAD].load() <= pos;
            awaited.then(|| self.bell())
        }
    }

    /// Lowest position that could be held; says nothing of its bytes.
    pub fn floor(&self, head: u64) -> u64 {
        let floor = self.control[FLOOR_ENTRY].load();
        floor.max(head.saturating_sub(self.entries())).min(head)
    }

    /// Whatever stands in the slot of `pos`.
    pub fn slot_of(&self, pos: u64) -> [u64; E] {
        let mut entry = [0; E];
        for (word, shared) in entry.iter_mut().zip(self.slot(pos)) {
            *word = shared.load();
        }
        entry
    }

    /// The entry at `pos`, whole, with its bytes whole when looked at.
    pub fn entry(&self, pos: u64) -> Result<[u64; E], CopyFault> {
        if pos >= self.head() {
            return Err(CopyFault::NotYet);
        }
        let entry = self.slot_of(pos);
        if intact!("entry_acquire_fence") {
            W::fence_acquire();
        }
        if intact!("entry_floor_check") && self.control[FLOOR_ENTRY].load() > pos {
            return Err(CopyFault::Overtaken);
        }
        if entry[POS] != pos {
            return Err(CopyFault::Damaged);
        }
        if self.control[FLOOR_BYTE].load() > entry[START] {
            return Err(CopyFault::Overtaken);
        }
        Ok(entry)
    }

    /// Appends `len` bytes from the byte counter `start` to `into`, which
    /// stays as it was on error. Both numbers come out of [`Ring::entry`].
    pub fn bytes(&self, start: u64, len: usize, into: &mut Vec<u8>) -> Result<(), CopyFault> {
        if widen(len) > self.data_bytes() || !start.is_multiple_of(WORD) {
            return Err(CopyFault::Damaged);
        }
        let words = len.div_ceil(8);
        let before = into.len();
        into.resize(before + words * 8, 0);
        let (first, second) = self.place(start, words);
        let copies = into[before..].chunks_exact_mut(8);
        for (bytes, shared) in copies.zip(first.iter().chain(second)) {
            bytes.copy_from_slice(&shared.load().to_le_bytes());
        }
        if intact!("bytes_acquire_fence") {
            W::fence_acquire();
        }
        if intact!("bytes_floor_check") && self.control[FLOOR_BYTE].load() > start {
            into.truncate(before);
            return Err(CopyFault::Overtaken);
        }
        into.truncate(before + len);
        Ok(())
    }

    /// The oldest position whose entry and bytes are whole; `head` if none is.
    /// Starts of entries rise with their positions, so halving finds it.
    pub fn oldest(&self) -> u64 {
        let mut high = self.head();
        let mut low = self.floor(high);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entry(middle) {
                Ok(_) => high = middle,
                Err(_) => low = middle + 1,
            }
        }
        low
    }
}

impl<W: StoreWord, const E: usize> Ring<'_, W, E> {
    /// After news; whoever sleeps on the bell is to be woken after this.
    pub fn raise_bell(&self) {
        let bell = u64::from(low_half(self.control[BELL].load()).wrapping_add(1));
        if intact!("bell_release") {
            self.control[BELL].store_release(bell);
        } else {
            self.control[BELL].store(bell);
        }
    }
}

/// What the writer knows of its ring. The shared words are for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteCursor {
    pub head: u64,
    /// Byte counter after the newest AU, a multiple of [`WORD`].
    pub byte_head: u64,
    pub floor_entry: u64,
    pub floor_byte: u64,
}

impl WriteCursor {
    /// Appends an AU, raises the bell and returns the AU's position. `data` fits the ring; `POS`,
    /// `START` and the low half of `LEN` are filled in here.
    pub fn append<W: StoreWord, const E: usize>(
        &mut self,
        ring: &Ring<'_, W, E>,
        mut entry: [u64; E],
        data: &[u8],
    ) -> u64 {
        let pos = self.head;
        let len = widen(data.len());
        entry[POS] = pos;
        entry[START] = self.byte_head;
        entry[LEN] = (entry[LEN] & !0xffff_ffff) | len;
        let end = self.byte_head + len.next_multiple_of(WORD);

        if !intact!("floors_before_bytes") {
            put_bytes(ring, self.byte_head, data);
        }
        self.raise_floors(ring, end);
        if intact!("floors_release_fence") {
            W::fence_release();
        }
        if intact!("floors_before_bytes") {
            put_bytes(ring, self.byte_head, data);
        }
        if !intact!("head_after_entry") {
            ring.control[HEAD].store_release(pos + 1);
        }
        for (word, shared) in entry.iter().zip(ring.slot(pos)) {
            shared.store(*word);
        }
        if !intact!("bell_after_head") {
            ring.raise_bell();
        }
        if intact!("head_release") {
            ring.control[HEAD].store_release(pos + 1);
        } else {
            ring.control[HEAD].store(pos + 1);
        }
        if intact!("bell_after_head") {
            ring.raise_bell();
        }
        self.head = pos + 1;
        self.byte_head = end;
        pos
    }

    fn raise_floors<W: StoreWord, const E: usize>(&mut self, ring: &Ring<'_, W, E>, end: u64) {
        let (entries, bytes) = (ring.entries(), ring.data_bytes());
        let next = self.head + u64::from(intact!("floor_entry_high_enough"));
        let entry = next.saturating_sub(entries);
        if entry > self.floor_entry && intact!("floor_entry_raised") {
            self.floor_entry = entry;
            ring.control[FLOOR_ENTRY].store(entry);
        }
        let short = if intact!("floor_byte_high_enough") {
            0
        } else {
            WORD
        };
        let byte = end.saturating_sub(bytes + short);
        if byte > self.floor_byte && intact!("floor_byte_raised") {
            self.floor_byte = byte;
            ring.control[FLOOR_BYTE].store(byte);
        }
    }
}

fn put_bytes<W: StoreWord, const E: usize>(ring: &Ring<'_, W, E>, start: u64, data: &[u8]) {
    let (first, second) = ring.place(start, data.len().div_ceil(8));
    let (head, tail) = data.split_at(data.len().min(first.len() * 8));
    put_words(first, head);
    put_words(second, tail);
}

fn put_words<W: StoreWord>(words: &[W], data: &[u8]) {
    let (whole, rest) = data.as_chunks::<8>();
    for (shared, bytes) in words.iter().zip(whole) {
        shared.store(u64::from_le_bytes(*bytes));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words[whole.len()].store(u64::from_le_bytes(last));
    }
}

/// Writes a slot of a table whose slots are named by their first word, a
/// number that is never used twice and never 0. A reader sees the old slot,
/// the new one, or none.
pub fn put_slot<W: StoreWord>(slot: &[W], name: u64, words: &[u64]) {
    if intact!("slot_unnamed_first") {
        slot[0].store(0);
    }
    if intact!("slot_release_fence") {
        W::fence_release();
    }
    for (shared, word) in slot[1..].iter().zip(words) {
        shared.store(*word);
    }
    if intact!("slot_release") {
        slot[0].store_release(name);
    } else {
        slot[0].store(name);
    }
}

/// Copies the slot named `name` into `words`; false if it is (no longer) there.
pub fn get_slot<W: LoadWord>(slot: &[W], name: u64, words: &mut [u64]) -> bool {
    if name == 0 || slot[0].load() != name {
        return false;
    }
    if intact!("slot_acquire_fence") {
        W::fence_acquire();
    }
    for (word, shared) in words.iter_mut().zip(&slot[1..]) {
        *word = shared.load();
    }
    if intact!("slot_second_fence") {
        W::fence_acquire();
    }
    !intact!("slot_second_look") || slot[0].load() == name
}

fn low_half(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or(0)
}

fn widen(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// For numbers below the length of a slice, which are `usize` already.
fn narrow(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}
