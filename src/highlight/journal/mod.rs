//! The journal: presses that are acknowledged and not yet brought to an end.
//!
//! One file, written with zeros and synced before its first use, so that a
//! press is a write in place and an `fdatasync` that allocates nothing: it does
//! not wait for the clips in flight. It is a write of whole blocks of its own: the
//! kernel need not read them first, and no earlier press stands in what is being
//! written. When half of its room is used, a new one with what is pending takes its place
//! by rename; a press does that only where nobody found the time before the file was full.
//!
//! **A press is noted before it is known whether there is footage**, and the disk works on
//! the note while the cameras are asked; then the note is synced, and that is the press.
//! Presses that were noted during a sync share the next one. What the cameras answered is
//! written behind the note, and not waited for: whoever writes a clip notes his plan beside
//! it, too. After a kill it is there, or the ring is, which gives the same answer again;
//! after a power cut at this very moment the footage, which was in memory only, is gone. A
//! press that is refused after it was noted is retired; cut short right then, it comes back
//! at the next start and gets an end that nobody was promised.
//!
//! Whatever is written, the disk is told to begin with it at once: what it has not begun
//! with when the next press comes, that press waits for.
//!
//! **After a failed write or sync** nobody knows what the disk holds. The press
//! is refused, and the journal writes a new file, with the acknowledged presses
//! only, before it takes another; until that succeeds every press is refused.
//! Should the process end in between, the refused press may come back at the
//! next start and make a clip that nobody was promised; an acknowledged press
//! is never lost by it.
//!
//! A press whose gesture was not known yet is taken with its plain window; what the
//! gesture made of it is written behind it, and replaces it.
//!
//! Retirements are not synced: one that is lost is found again at the next
//! start, when the press turns out to have all of its sidecars.
//!
//! Not here: what a press becomes (`engine`, `recover`).

pub mod record;
#[cfg(test)]
pub mod samples;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::base::{PressId, lock};
use crate::disk::{Disk, File, files::for_people, files::is_full};
use crate::storage::StorageLayout;
pub use record::{CameraRecord, JournalFault, PressRecord, Witness};
use record::{Encoded, HEADER_LEN, Record, RecordRef};

/// Bytes of a new journal; more where what is pending needs it.
const CAPACITY: usize = 1 << 20;
/// What file systems write at once. A press begins with one.
const BLOCK: usize = 4096;
/// Larger is no journal of ours.
const LARGEST: u64 = 1 << 30;

/// Why a press could not be made durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the press could not be written to {path}: {what}", path = path.display())]
pub struct NotDurable {
    pub path: PathBuf,
    pub what: String,
    /// There is no room on the disk.
    pub full: bool,
}

/// Why a journal could not be opened.
#[derive(Debug)]
pub enum JournalError {
    Io(io::Error),
    /// It is whole, or something else, and not to be guessed at.
    Foreign(JournalFault),
}

/// What a journal held when it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JournalContents {
    /// Taken and not retired, in the order of their taking.
    pub pending: Vec<PressRecord>,
    /// Torn or damaged bytes.
    pub unread_bytes: u64,
}

/// Reads a journal and leaves it alone; also beside a running service. No file: nothing.
pub fn pending(storage: &Path) -> Result<JournalContents, JournalError> {
    read(&Disk::default(), &StorageLayout::new(storage).journal())
}

fn read(disk: &Disk, path: &Path) -> Result<JournalContents, JournalError> {
    let bytes = match disk.read_file(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(JournalContents::default()),
        Err(e) => return Err(JournalError::Io(e)),
    };
    let found = record::scan(&bytes).map_err(JournalError::Foreign)?;
    Ok(JournalContents {
        unread_bytes: found.unread_bytes,
        pending: found.pending(),
    })
}

/// The one journal of a storage, open for writing.
pub struct Journal {
    disk: Disk,
    path: PathBuf,
    /// Up to where the disk has it. Held by the one who syncs, without `writer`; taken
    /// before `writer`, never behind it.
    synced: Mutex<DraftRecord>,
    writer: Mutex<Writer>,
    /// Why no press can be written down at present. Not below `writer`, whose lock is
    /// held while the disk works.
    broken: Mutex<Option<String>>,
}

/// Something that was written, and is perhaps not on the disk yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DraftRecord {
    /// Which of the files that were the journal.
    file: u64,
    /// PressCounts what was written.
    count: u64,
}

/// All of a press, ready to be written: [`Journal::complete`].
pub struct Whole(Encoded);

struct Writer {
    /// `None` after a failure: to be written anew before anything is taken.
    file: Option<Arc<File>>,
    last: DraftRecord,
    /// Behind what was pending when the file was written.
    begins: usize,
    at: usize,
    capacity: usize,
    held: Vec<Arc<PressRecord>>,
}

impl Journal {
    /// Reads what is there and writes it anew, so that nothing is ever appended behind a torn tail.
    pub fn open(disk: &Disk, storage: &Path) -> Result<(Journal, JournalContents), JournalError> {
        let path = StorageLayout::new(storage).journal();
        let held = read(disk, &path)?;
        let journal = Journal {
            disk: disk.clone(),
            path,
            synced: Mutex::default(),
            broken: Mutex::default(),
            writer: Mutex::new(Writer {
                file: None,
                last: DraftRecord::default(),
                begins: 0,
                at: 0,
                capacity: 0,
                held: held.pending.iter().cloned().map(Arc::new).collect(),
            }),
        };
        journal
            .rewrite(&mut lock(&journal.writer), 0)
            .map_err(JournalError::Io)?;
        Ok((journal, held))
    }

    /// Writes a press down, and lets the disk begin with it. It is no press yet: that is for
    /// [`Journal::take`], or [`Journal::retire`], to say.
    pub fn note(&self, taken: &PressRecord) -> Result<DraftRecord, NotDurable> {
        self.put(self.encoded(&Record::Taken(taken))?)
    }

    /// Returns when the press that was noted is on the disk; held as `taken`.
    pub fn take(&self, noted: DraftRecord, taken: Arc<PressRecord>) -> Result<Whole, NotDurable> {
        // The disk works meanwhile.
        let whole = self.encoded(&Record::Decided(&taken))?;
        let synced = self.sync_to(noted);
        let mut writer = lock(&self.writer);
        match synced {
            Err(error) => return Err(self.failed(&mut writer, &error)),
            Ok(()) if writer.is_in(noted) => {}
            // The file was written anew meanwhile, without this press.
            Ok(()) => self
                .put_whole(&mut writer, whole.clone())
                .map_err(|error| self.failed(&mut writer, &error))?,
        }
        writer.hold(taken);
        Ok(Whole(whole))
    }

    /// Writes down all of a press that was taken, and does not wait for the disk.
    pub fn complete(&self, whole: Whole) {
        // Where that fails the journal is written anew, and the press with it.
        let _ = self.put(whole.0);
    }

    /// Replaces a press that was taken; returns when that is on the disk. After an error
    /// it stands as it was taken.
    pub fn decide(&self, taken: Arc<PressRecord>) -> Result<(), NotDurable> {
        let noted = self.put(self.encoded(&Record::Decided(&taken))?)?;
        self.take(noted, taken).map(drop)
    }

    fn encoded(&self, record: &RecordRef) -> Result<Encoded, NotDurable> {
        Encoded::of(record).map_err(|error| self.not_durable(error.to_string(), false))
    }

    /// One sync for all who wait for one.
    fn sync_to(&self, noted: DraftRecord) -> io::Result<()> {
        let mut synced = lock(&self.synced);
        if *synced >= noted {
            return Ok(());
        }
        let (file, last) = {
            let writer = lock(&self.writer);
            match &writer.file {
                Some(file) if writer.is_in(noted) => (file.clone(), writer.last),
                // Whoever asks sees that it is another file.
                _ => return Ok(()),
            }
        };
        let done = file.sync();
        match done {
            Ok(()) => *synced = last,
            // Before anybody else syncs it: the kernel tells an error once.
            Err(_) => {
                let mut writer = lock(&self.writer);
                if writer.is_in(last) {
                    writer.file = None;
                }
            }
        }
        done
    }

    fn not_durable(&self, what: String, full: bool) -> NotDurable {
        NotDurable {
            path: self.path.clone(),
            what,
            full,
        }
    }

    /// The press has come to its end; or it was noted, and is none.
    pub fn retire(&self, press: &PressId) {
        let mut writer = lock(&self.writer);
        writer.held.retain(|taken| taken.press.id != *press);
        // What goes wrong is mended by writing the file anew, without the press.
        let Some(file) = writer.file.take() else {
            return;
        };
        let Ok(record) = Encoded::of(&Record::Retired(press)) else {
            return;
        };
        let (at, len) = (writer.at as u64, record.len());
        let room = writer.at + len <= writer.capacity;
        if room && file.write_all_at(&record.at(at, 1), at).is_ok() {
            writer.file = Some(file.clone());
            writer.wrote(len);
        }
        drop(writer);
        file.start_writeback(at);
    }

    /// Whether a press is done with, on the disk too: no start will take it up again.
    pub fn settled(&self, press: &PressId) -> bool {
        let last = {
            let writer = lock(&self.writer);
            let held = writer.held.iter().any(|taken| taken.press.id == *press);
            if held || writer.file.is_none() {
                return false;
            }
            writer.last
        };
        self.sync_to(last).is_ok() && lock(&self.writer).file.is_some()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why no press can be written down at present, unless it is for want of room.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.broken).clone()
    }

    /// After a failure, or with half of its room used: writes the journal anew. Cheap otherwise.
    pub fn mend(&self) -> io::Result<()> {
        let mut writer = lock(&self.writer);
        match writer.file {
            Some(_) if !writer.is_half_full() => Ok(()),
            _ => self.rewrite(&mut writer, 0),
        }
    }

    /// Writes a record, and lets the disk begin with it.
    fn put(&self, record: Encoded) -> Result<DraftRecord, NotDurable> {
        let mut writer = lock(&self.writer);
        let put = self.try_put(&mut writer, record);
        let (file, at) = put.map_err(|error| self.failed(&mut writer, &error))?;
        let noted = writer.last;
        drop(writer);
        file.start_writeback(at);
        Ok(noted)
    }

    /// The file in which it stands then, and where.
    fn try_put(&self, writer: &mut Writer, record: Encoded) -> io::Result<(Arc<File>, u64)> {
        let blocks = record.len().next_multiple_of(BLOCK);
        if writer.file.is_none() || writer.next_block() + blocks > writer.capacity {
            self.rewrite(writer, BLOCK + blocks)?;
        }
        // Not put back unless all went well.
        let Some(file) = writer.file.take() else {
            return Err(io::Error::other("the journal is not open"));
        };
        let begins = writer.next_block();
        let (at, end) = (begins as u64, begins + record.len());
        file.write_all_at(&record.at(at, BLOCK), at)?;
        writer.file = Some(file.clone());
        writer.wrote(end - writer.at);
        Ok((file, at))
    }

    /// With everybody waiting.
    fn put_whole(&self, writer: &mut Writer, whole: Encoded) -> io::Result<()> {
        let (file, _) = self.try_put(writer, whole)?;
        // Not put back unless all went well.
        writer.file = None;
        file.sync()?;
        writer.file = Some(file);
        Ok(())
    }

    /// What the disk holds is unknown: see the head of this file.
    fn failed(&self, writer: &mut Writer, error: &io::Error) -> NotDurable {
        if writer.file.is_none()
            && let Err(again) = self.rewrite(writer, 0)
        {
            log::error!(target: "hindsight", event = "error_journal"; "{}: {again}", self.path.display());
        }
        self.not_durable(for_people(error), is_full(error))
    }

    /// A new file with what is held, and room for `more` bytes at least.
    fn rewrite(&self, writer: &mut Writer, more: usize) -> io::Result<()> {
        let done = self.try_rewrite(writer, more);
        // That there is no room is told by who counts it.
        *lock(&self.broken) = match &done {
            Err(error) if !is_full(error) => Some(for_people(error)),
            _ => None,
        };
        done
    }

    fn try_rewrite(&self, writer: &mut Writer, more: usize) -> io::Result<()> {
        writer.file = None;
        let mut bytes = record::header().to_vec();
        for taken in &writer.held {
            record::append(&mut bytes, &Record::Taken(taken)).map_err(io::Error::other)?;
        }
        let at = bytes.len();
        let capacity = CAPACITY.max(2 * (at + more)).next_multiple_of(BLOCK);
        bytes.resize(capacity, 0);
        let temp = self.path.with_extension("new");
        self.disk.write_atomically(&temp, &self.path, &bytes)?;
        let file = self.disk.open_rw(&self.path)?;
        file.forget_cached();
        writer.file = Some(Arc::new(file));
        writer.last.file += 1;
        (writer.begins, writer.at, writer.capacity) = (at, at, capacity);
        debug_assert!(at >= HEADER_LEN);
        Ok(())
    }
}

impl Writer {
    /// Whether the file in which that was written is the journal still.
    fn is_in(&self, noted: DraftRecord) -> bool {
        self.file.is_some() && self.last.file == noted.file
    }

    /// What is pending does not count: with many presses every file would begin half full.
    fn is_half_full(&self) -> bool {
        self.at - self.begins > (self.capacity - self.begins) / 2
    }

    /// Where the next press begins: in a block that no other stands in.
    fn next_block(&self) -> usize {
        self.at.next_multiple_of(BLOCK)
    }

    fn wrote(&mut self, bytes: usize) {
        self.at += bytes;
        self.last.count += 1;
    }

    /// In place of what it was, where it was held before.
    fn hold(&mut self, taken: Arc<PressRecord>) {
        let id = &taken.press.id;
        match self.held.iter_mut().find(|held| held.press.id == *id) {
            Some(held) => *held = taken,
            None => self.held.push(taken),
        }
    }
}

#[cfg(test)]
mod tests;
