//! The one who writes a ring: finds or makes its file, appends AUs.
//!
//! Not here: the order of stores (`protocol`), what stands where (`layout`).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::base::{Clock, RealClock};
use crate::media::{AuMeta, Track, TrackParams};

use super::error::{RingError, Unfit};
use super::layout::{self, ENTRY_WORDS, RingHeader, RingLayout};
use super::protocol::{self, Ring, WriteCursor};
use super::reader::{self, RingReader};
use super::shm::{self, WriteMapping};
use super::spec::RingSpec;
use super::sys;

/// How a writer found its ring.
#[derive(Debug)]
pub enum RingOpened {
    /// A new file.
    Created,
    /// The file of an earlier process: what it holds stays readable.
    Adopted { entries_held: u64 },
    /// The file did not fit (size, layout, boot id, damage). It was marked
    /// `ended` and unlinked; `old` still reads it where it could be read.
    Replaced { why: Unfit, old: Option<RingReader> },
}

/// What became of a pushed AU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    Stored {
        pos: u64,
    },
    /// Larger than a quarter of the byte area: a gap entry stands at `pos` instead.
    TooLarge {
        pos: u64,
        limit: u64,
    },
}

/// The only one who writes. Dropping it leaves the file for the next start.
#[derive(Debug)]
pub struct RingWriter {
    mapping: WriteMapping,
    layout: RingLayout,
    cursor: WriteCursor,
    epoch: u32,
    table: Vec<Slot>,
    newest_generation: u32,
    /// The slot of the last AU's generation, by track: where `push` looks first.
    last_slot: [usize; 2],
    path: PathBuf,
    /// Held for its lock.
    _lock: File,
}

/// What the writer knows of a slot of the parameter table.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// 0: free.
    generation: u32,
    params: Option<TrackParams>,
    /// Position after the last AU that named it.
    named_until: u64,
}

impl RingWriter {
    /// Adopts the camera's ring or makes a new one. Waits for no reader and
    /// for no other writer: a second one gets [`RingError::Locked`].
    pub fn open(spec: &RingSpec) -> Result<(RingWriter, RingOpened), RingError> {
        shm::require_tmpfs(&spec.dir)?;
        let path = spec.path();
        let lock = shm::lock_writer(&spec.lock_path(), &path)?;
        shm::remove_leftover(&spec.new_path())?;
        match look(spec, &path)? {
            Found::Nothing => {
                let mapping = make(spec)?;
                give_name(&spec.new_path(), &path)?;
                let writer = RingWriter::new(spec, mapping, Held::default(), lock);
                Ok((writer, RingOpened::Created))
            }
            Found::Fits(mapping, held) => {
                let entries_held = held.cursor.head - held.oldest;
                let writer = RingWriter::new(spec, mapping, held, lock);
                Ok((writer, RingOpened::Adopted { entries_held }))
            }
            Found::Unfit { why, file, old } => {
                let (mapping, old) = replace(spec, file, old)?;
                let writer = RingWriter::new(spec, mapping, Held::default(), lock);
                Ok((writer, RingOpened::Replaced { why, old }))
            }
        }
    }

    fn new(spec: &RingSpec, mapping: WriteMapping, held: Held, lock: File) -> RingWriter {
        let path = spec.path();
        if let Err(e) = mapping.lock() {
            warn_not_locked(&path, &e);
        }
        mapping.words()[layout::WRITER_PID].store(u64::from(std::process::id()), Relaxed);
        RingWriter {
            mapping,
            layout: spec.layout(),
            cursor: held.cursor,
            epoch: held.epoch,
            newest_generation: held.newest_generation,
            table: held.table,
            last_slot: [0; 2],
            path,
            _lock: lock,
        }
    }

    /// Starts the next epoch and returns its number; the first call after `open` must precede `push`.
    pub fn begin_epoch(&mut self) -> u32 {
        self.set_epoch(self.epoch.wrapping_add(1));
        let ring = parts(self.mapping.words(), &self.layout);
        ring.raise_bell();
        sys::wake(&ring.control[protocol::BELL]);
        self.epoch
    }

    fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
        self.mapping.words()[layout::EPOCH].store(u64::from(epoch), Relaxed);
    }

    /// Makes `params` known and returns their generation; parameters that are in
    /// the table already give the same generation again.
    ///
    /// The table holds 32 generations. A generation leaves it only when no AU
    /// held names it and its track has a newer one, as long as that is possible.
    pub fn set_params(&mut self, params: &TrackParams) -> u32 {
        // A camera that sends two kinds by turns needs two, not one for each turn.
        let head = self.cursor.head;
        let mut slots = self.table.iter_mut();
        if let Some(known) = slots.find(|slot| slot.params.as_ref() == Some(params)) {
            known.named_until = head;
            return known.generation;
        }
        self.newest_generation += 1;
        let generation = self.newest_generation;
        let at = self.slot_to_reuse();
        match layout::slot_of(params) {
            Some(words) => {
                let slot = slot_words(self.mapping.words(), at);
                protocol::put_slot(slot, u64::from(generation), &words);
            }
            None => log::error!(target: "hindsight", event = "buffer_params_too_long";
                "{}: {} bytes of codec parameters are more than a ring holds ({}): clips of this camera cannot be made",
                self.path.display(), params.config.len(), layout::MAX_CONFIG),
        }
        self.table[at] = Slot {
            generation,
            params: Some(params.clone()),
            named_until: self.cursor.head,
        };
        generation
    }

    fn newest_of(&self, track: Track) -> Option<&Slot> {
        let of_track = |slot: &&Slot| slot.params.as_ref().is_some_and(|p| p.track() == track);
        let slots = self.table.iter().filter(of_track);
        slots.max_by_key(|slot| slot.generation)
    }

    /// A free slot; else the one that went out of use first, and is not the
    /// newest of its track.
    fn slot_to_reuse(&self) -> usize {
        let current = [Track::Video, Track::Audio]
            .map(|track| self.newest_of(track).map_or(0, |slot| slot.generation));
        let slots = self.table.iter().enumerate();
        slots
            .filter(|(_, slot)| slot.generation == 0 || !current.contains(&slot.generation))
            .min_by_key(|(_, slot)| (slot.generation != 0, slot.named_until, slot.generation))
            .map_or(0, |(at, _)| at)
    }

    /// Appends an AU. `meta.len` is ignored (it is `data.len()`). Never waits, never fails.
    pub fn push(&mut self, meta: &AuMeta, data: &[u8]) -> Pushed {
        if meta.epoch > self.epoch {
            self.set_epoch(meta.epoch);
        }
        let limit = self.layout.max_au();
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let pushed = if bytes <= limit {
            let pos = self.append(meta, data);
            Pushed::Stored { pos }
        } else {
            let mut gap = *meta;
            gap.flags.gap = true;
            gap.flags.key = false;
            gap.dropped_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let pos = self.append(&gap, &[]);
            Pushed::TooLarge { pos, limit }
        };
        self.note_named(meta);
        pushed
    }

    fn append(&mut self, meta: &AuMeta, data: &[u8]) -> u64 {
        let ring = parts(self.mapping.words(), &self.layout);
        let pos = self.cursor.append(&ring, layout::entry_of(meta), data);
        sys::wake(&ring.control[protocol::BELL]);
        pos
    }

    fn note_named(&mut self, meta: &AuMeta) {
        let last = &mut self.last_slot[usize::from(meta.track == Track::Audio)];
        if self.table[*last].generation != meta.generation {
            let found = self
                .table
                .iter()
                .position(|s| s.generation == meta.generation);
            let Some(at) = found else { return };
            *last = at;
        }
        self.table[*last].named_until = self.cursor.head;
    }
}

fn warn_not_locked(path: &Path, error: &std::io::Error) {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        log::warn!(target: "hindsight", event = "buffer_not_locked";
            "{}: memory of the ring cannot be locked ({error}): it may be swapped out; raise LimitMEMLOCK of the service", path.display());
    });
}

/// The parts of a ring's words.
fn parts<'a>(words: &'a [AtomicU64], layout: &RingLayout) -> Ring<'a, AtomicU64, ENTRY_WORDS> {
    reader::parts_of(words, layout)
}

fn slot_words(words: &[AtomicU64], at: usize) -> &[AtomicU64] {
    reader::slot_of_table(words, at)
}

/// What an adopted ring holds.
#[derive(Debug)]
struct Held {
    cursor: WriteCursor,
    oldest: u64,
    epoch: u32,
    newest_generation: u32,
    table: Vec<Slot>,
}

impl Default for Held {
    fn default() -> Held {
        Held {
            cursor: WriteCursor::default(),
            oldest: 0,
            epoch: 0,
            newest_generation: 0,
            table: vec![Slot::default(); layout::SLOTS],
        }
    }
}

enum Found {
    Nothing,
    Fits(WriteMapping, Held),
    Unfit {
        why: Unfit,
        /// Where it can be marked as ended.
        file: Option<File>,
        old: Option<RingReader>,
    },
}

/// Looks at what has the ring's name, and changes nothing.
fn look(spec: &RingSpec, path: &Path) -> Result<Found, RingError> {
    let unfit = |why, file, old| Ok(Found::Unfit { why, file, old });
    let file = match shm::open_existing(path, true) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return unfit(Unfit::NotOpened(e), None, None),
    };
    match shm::is_ours_alone(&file) {
        Ok(true) => {}
        Ok(false) => return unfit(Unfit::NotOurs, None, None),
        Err(e) => return unfit(Unfit::NotLookedAt(e), None, None),
    }
    let old = match RingReader::from_file(path, &file) {
        Ok(old) => old,
        Err(why) => return unfit(Unfit::Unreadable(why), Some(file), None),
    };
    if let Err(why) = fits(spec, &old) {
        return unfit(why, Some(file), Some(old));
    }
    let mapping = WriteMapping::of(&file, spec.file_bytes()).map_err(|source| RingError::Io {
        path: path.to_owned(),
        what: "cannot map the ring",
        source,
    })?;
    match take_stock(mapping.words(), &spec.layout()) {
        Ok(held) => Ok(Found::Fits(mapping, held)),
        Err(why) => unfit(why, Some(file), Some(old)),
    }
}

fn fits(spec: &RingSpec, old: &RingReader) -> Result<(), Unfit> {
    let (header, wanted) = (old.header(), spec.layout());
    if old.marked_ended() {
        Err(Unfit::Ended)
    } else if header.version != layout::VERSION {
        Err(Unfit::OtherVersion {
            found: header.version,
            expected: layout::VERSION,
        })
    } else if header.boot_id != spec.boot_id {
        Err(Unfit::OtherBoot)
    } else if header.camera != spec.camera {
        Err(Unfit::OtherCamera(header.camera.clone()))
    } else if header.layout != wanted {
        Err(Unfit::OtherSize {
            found_bytes: header.layout.data_bytes,
            found_entries: header.layout.entries,
            bytes: wanted.data_bytes,
            entries: wanted.entries,
        })
    } else {
        Ok(())
    }
}

/// Reads the counters and checks every entry held: what does not add up was
/// scribbled on, and is not built upon. All beyond `head` is garbage.
fn take_stock(words: &[AtomicU64], layout: &RingLayout) -> Result<Held, Unfit> {
    let ring = parts(words, layout);
    let mut cursor = WriteCursor {
        head: ring.head(),
        byte_head: 0,
        floor_entry: ring.control[protocol::FLOOR_ENTRY].load(Relaxed),
        floor_byte: ring.control[protocol::FLOOR_BYTE].load(Relaxed),
    };
    let held = cursor.head.checked_sub(cursor.floor_entry);
    if cursor.head > layout::MOST_COUNTED || held.is_none_or(|n| n > layout.entries) {
        return Err(Unfit::Counters);
    }
    let (mut epoch, mut generation) = (0, 0);
    let mut expected = None;
    for pos in cursor.floor_entry..cursor.head {
        let entry = ring.slot_of(pos);
        let meta = layout::meta_of(&entry, layout)?;
        let start = entry[protocol::START];
        if entry[protocol::POS] != pos || expected.is_some_and(|e| e != start) {
            return Err(Unfit::EntryOrder);
        }
        expected = Some(start + u64::from(meta.len).next_multiple_of(protocol::WORD));
        epoch = epoch.max(meta.epoch);
        generation = generation.max(meta.generation);
    }
    cursor.byte_head = expected.unwrap_or(cursor.floor_byte);
    let in_data = cursor.byte_head.checked_sub(cursor.floor_byte);
    if in_data.is_none_or(|n| n > layout.data_bytes)
        || !cursor.floor_byte.is_multiple_of(protocol::WORD)
    {
        return Err(Unfit::ByteCounters);
    }
    let table = stock_of_table(words, cursor.head);
    let in_table = table.iter().map(|slot| slot.generation).max();
    let said = u32::try_from(words[layout::EPOCH].load(Relaxed)).unwrap_or(u32::MAX);
    let held = Held {
        cursor,
        oldest: ring.oldest(),
        epoch: epoch.max(said),
        newest_generation: generation.max(in_table.unwrap_or(0)),
        table,
    };
    if held.epoch.max(held.newest_generation) > layout::MOST_NUMBERED {
        return Err(Unfit::Numbers);
    }
    Ok(held)
}

/// Whatever is in the table may be named by an AU held.
fn stock_of_table(words: &[AtomicU64], head: u64) -> Vec<Slot> {
    let slot = |at| {
        let params = reader::newest_in_slot(slot_words(words, at));
        params.map_or_else(Slot::default, |(generation, params)| Slot {
            generation,
            params: Some(params),
            named_until: head,
        })
    };
    (0..layout::SLOTS).map(slot).collect()
}

/// A whole, empty ring under the temporary name.
fn make(spec: &RingSpec) -> Result<WriteMapping, RingError> {
    let path = spec.new_path();
    let file = shm::create(&path, spec.file_bytes())?;
    let mapped = WriteMapping::of(&file, spec.file_bytes());
    let mapping = mapped.map_err(|source| RingError::Io {
        path: path.clone(),
        what: "cannot map the ring",
        source,
    })?;
    let header = RingHeader {
        version: layout::VERSION,
        layout: spec.layout(),
        boot_id: spec.boot_id,
        camera: spec.camera.clone(),
        created_mono_ns: RealClock.mono_ns(),
    };
    for (shared, word) in mapping.words().iter().zip(header.words()) {
        shared.store(word, Relaxed);
    }
    Ok(mapping)
}

fn give_name(from: &Path, to: &Path) -> Result<(), RingError> {
    std::fs::rename(from, to).map_err(|source| RingError::Io {
        path: to.to_owned(),
        what: "cannot put the new ring in place (if it belongs to another user, remove it)",
        source,
    })
}

/// Makes a new ring, then ends the old one and takes its name. Where there is
/// room only for one, the old one goes first and nothing can be read from it.
fn replace(
    spec: &RingSpec,
    mut file: Option<File>,
    mut old: Option<RingReader>,
) -> Result<(WriteMapping, Option<RingReader>), RingError> {
    let metadata = file.as_ref().and_then(|file| file.metadata().ok());
    let old_bytes = metadata.map_or(0, |of| of.len());
    let mapping = match make(spec) {
        Err(RingError::NoSpace { needed, free, .. })
            if free.saturating_add(old_bytes) >= needed =>
        {
            mark_ended(file.as_ref());
            let _ = std::fs::remove_file(spec.path());
            raise_last_bell(file.as_ref(), old.as_ref());
            // Its pages are free once nobody has it open or mapped.
            (file, old) = (None, None);
            make(spec)?
        }
        made => made?,
    };
    mark_ended(file.as_ref());
    give_name(&spec.new_path(), &spec.path())?;
    // Not before: who is woken opens by name again.
    raise_last_bell(file.as_ref(), old.as_ref());
    Ok((mapping, old))
}

/// Only where it is a ring: a foreign file is left as it is.
fn mark_ended(file: Option<&File>) {
    const WORDS: usize = layout::ENDED + 1;
    if let Some(file) = file
        && shm::read_words::<WORDS>(file).is_ok_and(|words| words[0] == layout::MAGIC)
    {
        let _ = shm::write_word(file, layout::ENDED, 1);
    }
}

/// Through the file: nobody maps an ended ring for writing.
fn raise_last_bell(file: Option<&File>, old: Option<&RingReader>) {
    if let (Some(file), Some(old)) = (file, old) {
        let bell = u64::from(old.bell().wrapping_add(1));
        let _ = shm::write_word(file, layout::CONTROL + protocol::BELL, bell);
        old.wake_sleepers();
    }
}
