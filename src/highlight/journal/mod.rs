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
//! Called by: store, take, decide, engine, recover; verify (reads only).

pub mod record;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::PressId;
use crate::disk::{Disk, File, files::for_people, files::is_full};
use record::{Encoded, HEADER_LEN, Record, Written};
pub use record::{Taken, TakenCamera, Witness};

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
pub enum OpenError {
    Io(io::Error),
    /// It is whole, or something else, and not to be guessed at.
    Foreign(String),
}

/// What a journal held when it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    /// Taken and not retired, in the order of their taking.
    pub pending: Vec<Taken>,
    /// Torn or damaged bytes.
    pub unread_bytes: u64,
}

/// The journal's name below a storage.
pub fn path_in(storage: &Path) -> PathBuf {
    storage.join("journal")
}

/// Reads a journal and leaves it alone; also beside a running service. No file: nothing.
pub fn pending(storage: &Path) -> Result<Held, OpenError> {
    read(&Disk::default(), &path_in(storage))
}

fn read(disk: &Disk, path: &Path) -> Result<Held, OpenError> {
    let bytes = match disk.read_file(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Held::default()),
        Err(e) => return Err(OpenError::Io(e)),
    };
    let found = record::scan(&bytes).map_err(OpenError::Foreign)?;
    Ok(Held {
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
    synced: Mutex<Noted>,
    writer: Mutex<Writer>,
    /// Why no press can be written down at present. Not below `writer`, whose lock is
    /// held while the disk works.
    broken: Mutex<Option<String>>,
}

/// Something that was written, and is perhaps not on the disk yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Noted {
    /// Which of the files that were the journal.
    file: u64,
    /// Counts what was written.
    count: u64,
}

/// All of a press, ready to be written: [`Journal::complete`].
pub struct Whole(Encoded);

struct Writer {
    /// `None` after a failure: to be written anew before anything is taken.
    file: Option<Arc<File>>,
    last: Noted,
    /// Behind what was pending when the file was written.
    begins: usize,
    at: usize,
    capacity: usize,
    held: Vec<Arc<Taken>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Reads what is there and writes it anew, so that nothing is ever appended behind a torn tail.
    pub fn open(disk: &Disk, storage: &Path) -> Result<(Journal, Held), OpenError> {
        let path = path_in(storage);
        let held = read(disk, &path)?;
        let journal = Journal {
            disk: disk.clone(),
            path,
            synced: Mutex::default(),
            broken: Mutex::default(),
            writer: Mutex::new(Writer {
                file: None,
                last: Noted::default(),
                begins: 0,
                at: 0,
                capacity: 0,
                held: held.pending.iter().cloned().map(Arc::new).collect(),
            }),
        };
        journal
            .rewrite(&mut lock(&journal.writer), 0)
            .map_err(OpenError::Io)?;
        Ok((journal, held))
    }

    /// Writes a press down, and lets the disk begin with it. It is no press yet: that is for
    /// [`Journal::take`], or [`Journal::refuse`], to say.
    pub fn note(&self, taken: &Taken) -> Result<Noted, NotDurable> {
        self.put(self.encoded(&Record::Taken(taken))?)
    }

    /// Returns when the press that was noted is on the disk; held as `taken`.
    pub fn take(&self, noted: Noted, taken: Arc<Taken>) -> Result<Whole, NotDurable> {
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

    /// The press that was noted is none.
    pub fn refuse(&self, press: &PressId) {
        self.retire(press);
    }

    /// Writes down all of a press that was taken, and does not wait for the disk.
    pub fn complete(&self, whole: Whole) {
        // Where that fails the journal is written anew, and the press with it.
        let _ = self.put(whole.0);
    }

    /// Replaces a press that was taken; returns when that is on the disk. After an error
    /// it stands as it was taken.
    pub fn decide(&self, taken: Arc<Taken>) -> Result<(), NotDurable> {
        let noted = self.put(self.encoded(&Record::Decided(&taken))?)?;
        self.take(noted, taken).map(drop)
    }

    fn encoded(&self, record: &Written) -> Result<Encoded, NotDurable> {
        Encoded::of(record).map_err(|what| self.not_durable(what, false))
    }

    /// One sync for all who wait for one.
    fn sync_to(&self, noted: Noted) -> io::Result<()> {
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

    /// The press has come to its end.
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
    fn put(&self, record: Encoded) -> Result<Noted, NotDurable> {
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
            Err(error) if !is_full(error) => {
                Some(format!("{}: {}", self.path.display(), for_people(error)))
            }
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
    fn is_in(&self, noted: Noted) -> bool {
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
    fn hold(&mut self, taken: Arc<Taken>) {
        let id = &taken.press.id;
        match self.held.iter_mut().find(|held| held.press.id == *id) {
            Some(held) => *held = taken,
            None => self.held.push(taken),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::record::tests::taken;
    use super::*;
    use crate::disk::{Call, Fault, Faults};
    use crate::highlight::window::Plan;
    use nix::errno::Errno;
    use std::sync::Condvar;

    /// Fails calls from the n-th on, `times` times; counts them all.
    struct Strike {
        n: usize,
        times: usize,
        errno: Errno,
        counted: Mutex<usize>,
    }

    impl Faults for Strike {
        fn before(&self, _: Call, _: &Path) -> Option<Fault> {
            let mut counted = lock(&self.counted);
            *counted += 1;
            let struck = (self.n..self.n.saturating_add(self.times)).contains(&*counted);
            struck.then_some(Fault::Error(self.errno))
        }
    }

    fn take(journal: &Journal, press: Arc<Taken>) -> Result<(), NotDurable> {
        let noted = journal.note(&press)?;
        journal.take(noted, press).map(drop)
    }

    fn ids(held: &[Taken]) -> Vec<PressId> {
        held.iter().map(|t| t.press.id.clone()).collect()
    }

    #[test]
    fn acknowledged_presses_survive_and_retired_ones_do_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let presses: Vec<Arc<Taken>> = (1..=5).map(|n| Arc::new(taken(n))).collect();
        let (journal, held) = Journal::open(&Disk::default(), dir.path()).unwrap();
        assert_eq!(held, Held::default());
        for press in &presses {
            take(&journal, press.clone()).unwrap();
        }
        journal.retire(&presses[2].press.id);
        // The kernel has it all; no goodbye is needed.
        std::mem::forget(journal);
        let expected: Vec<Taken> = [0, 1, 3, 4].map(|n| (*presses[n]).clone()).to_vec();
        assert_eq!(pending(dir.path()).unwrap().pending, expected);
        let (_, held) = Journal::open(&Disk::default(), dir.path()).unwrap();
        assert_eq!(held.pending, expected);
        assert_eq!(pending(dir.path()).unwrap().pending, expected);
    }

    /// Before its camera was asked.
    fn unasked(taken: &Taken) -> Taken {
        let mut noted = taken.clone();
        noted.cameras[0].plan = Plan::unmade(noted.cameras[0].plan.window);
        noted.cameras[0].witnesses.clear();
        noted
    }

    #[test]
    fn a_press_stands_as_noted_until_its_cameras_have_answered() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&Disk::default(), dir.path()).unwrap();
        let held = || pending(dir.path()).unwrap().pending;
        let press = taken(1);
        let noted = unasked(&press);
        let at = journal.note(&noted).unwrap();
        assert_eq!(held(), std::slice::from_ref(&noted), "a kill finds it");
        let whole = journal.take(at, Arc::new(press.clone())).unwrap();
        assert_eq!(held(), [noted], "what was synced is the note");
        journal.complete(whole);
        assert_eq!(held(), [press]);
    }

    #[test]
    fn a_press_that_is_refused_after_it_was_noted_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&Disk::default(), dir.path()).unwrap();
        let kept = Arc::new(taken(1));
        take(&journal, kept.clone()).unwrap();
        let refused = taken(2);
        journal.note(&unasked(&refused)).unwrap();
        journal.refuse(&refused.press.id);
        assert_eq!(pending(dir.path()).unwrap().pending, [(*kept).clone()]);
        assert!(journal.settled(&refused.press.id));
    }

    #[test]
    fn a_journal_that_is_written_anew_knows_presses_and_not_notes() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&Disk::default(), dir.path()).unwrap();
        let held = || pending(dir.path()).unwrap().pending;
        let (press, other) = (taken(1), taken(2));
        let at = journal.note(&unasked(&press)).unwrap();
        let mut n = 10;
        while lock(&journal.writer).last.file == at.file {
            n += 1;
            let passing = Arc::new(taken(n));
            take(&journal, passing.clone()).unwrap();
            journal.retire(&passing.press.id);
            journal.mend().unwrap();
        }
        assert_eq!(held(), []);
        journal.note(&unasked(&other)).unwrap();
        // Acknowledged in the file that is the journal now.
        let whole = journal.take(at, Arc::new(press.clone())).unwrap();
        assert_eq!(held(), [unasked(&other), press.clone()]);
        journal.refuse(&other.press.id);
        journal.complete(whole);
        assert_eq!(held(), [press]);
    }

    #[test]
    fn a_full_journal_makes_room_and_forgets_nothing_that_is_pending() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&Disk::default(), dir.path()).unwrap();
        let kept = Arc::new(taken(1));
        take(&journal, kept.clone()).unwrap();
        let mut written = 0;
        while written < 3 * CAPACITY {
            let press = Arc::new(taken(2));
            written += BLOCK;
            take(&journal, press.clone()).unwrap();
            journal.retire(&press.press.id);
        }
        assert_eq!(pending(dir.path()).unwrap().pending, [(*kept).clone()]);
        let len = std::fs::metadata(path_in(dir.path())).unwrap().len();
        assert_eq!(len, CAPACITY as u64);
    }

    /// Counts the files that take the journal's place.
    #[derive(Default)]
    struct Renames(Mutex<usize>);

    impl Faults for Renames {
        fn before(&self, call: Call, _: &Path) -> Option<Fault> {
            *lock(&self.0) += usize::from(call == Call::Rename);
            None
        }
    }

    #[test]
    fn a_half_full_journal_is_written_anew_before_a_press_has_to_wait_for_that() {
        let dir = tempfile::tempdir().unwrap();
        let renames = Arc::new(Renames::default());
        let disk = Disk::with_faults(renames.clone());
        let (journal, _) = Journal::open(&disk, dir.path()).unwrap();
        let kept: Vec<Arc<Taken>> = (1..=3).map(|n| Arc::new(taken(n))).collect();
        for press in &kept {
            take(&journal, press.clone()).unwrap();
        }
        for n in 1..=3 * CAPACITY / BLOCK {
            let press = Arc::new(taken(9));
            take(&journal, press.clone()).unwrap();
            journal.retire(&press.press.id);
            // Two hundred blocks: more than half, and never all.
            if n.is_multiple_of(100) {
                journal.mend().unwrap();
            }
        }
        // One at the start. Presses alone would need three more, each with somebody waiting.
        assert_eq!(*lock(&renames.0), 1 + 3);
        let kept: Vec<Taken> = kept.iter().map(|press| (**press).clone()).collect();
        assert_eq!(pending(dir.path()).unwrap().pending, kept);
        journal.mend().unwrap();
        journal.mend().unwrap();
        assert_eq!(
            *lock(&renames.0),
            1 + 4,
            "where nothing is wrong, nothing is done"
        );
    }

    #[test]
    fn a_press_that_ended_when_there_was_no_room_is_done_with_once_the_journal_is_written_anew() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let (journal, _) = Journal::open(&Disk::default(), dir.path()).unwrap();
        let mut presses = Vec::new();
        for n in 1..CAPACITY as u64 / BLOCK as u64 {
            presses.push(Arc::new(taken(n)));
            take(&journal, presses[presses.len() - 1].clone()).unwrap();
        }
        let mut settled = 0;
        for press in &presses {
            journal.retire(&press.press.id);
            settled += usize::from(journal.settled(&press.press.id));
        }
        assert!((1..presses.len()).contains(&settled), "{settled}");
        let left = pending(dir.path()).unwrap().pending.len();
        assert_eq!(left, presses.len() - settled, "a kill finds them");
        journal.mend().unwrap();
        assert!(journal.settled(&presses[presses.len() - 1].press.id));
        assert_eq!(pending(dir.path()).unwrap().pending, []);
    }

    #[test]
    fn with_many_presses_pending_it_is_not_written_anew_again_and_again() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let renames = Arc::new(Renames::default());
        let disk = Disk::with_faults(renames.clone());
        let (journal, _) = Journal::open(&disk, dir.path()).unwrap();
        for n in 1..=3_000 {
            take(&journal, Arc::new(taken(n))).unwrap();
            journal.mend().unwrap();
        }
        let before = *lock(&renames.0);
        for n in 3_001..=3_200 {
            take(&journal, Arc::new(taken(n))).unwrap();
            journal.mend().unwrap();
        }
        let often = *lock(&renames.0) - before;
        assert!(often <= 2, "{often} times for 200 presses");
        assert_eq!(pending(dir.path()).unwrap().pending.len(), 3_200);
    }

    /// A press's block is its own, whatever was written before and behind it.
    #[test]
    fn no_press_stands_in_a_block_with_another() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&Disk::default(), dir.path()).unwrap();
        let presses: Vec<Arc<Taken>> = (1..=4).map(|n| Arc::new(taken(n))).collect();
        for press in &presses {
            take(&journal, press.clone()).unwrap();
            if press.press.instant_mono_ns == 2 {
                journal.retire(&presses[0].press.id);
            }
        }
        let bytes = std::fs::read(path_in(dir.path())).unwrap();
        let held = |block: &[u8]| {
            let text = String::from_utf8_lossy(block);
            text.matches("{\"taken\"").count()
        };
        let held: Vec<usize> = bytes.chunks(BLOCK).map(held).take(6).collect();
        assert_eq!(held, [0, 1, 1, 1, 1, 0]);
        let expected: Vec<Taken> = [1, 2, 3].map(|n: usize| (*presses[n]).clone()).to_vec();
        assert_eq!(pending(dir.path()).unwrap().pending, expected);
    }

    /// Holds the first sync back until so many presses stand in the queue.
    struct Gate {
        syncs: Mutex<usize>,
        open: (Mutex<bool>, Condvar),
    }

    impl Faults for Gate {
        fn before(&self, call: Call, path: &Path) -> Option<Fault> {
            if call == Call::Sync && path.ends_with("journal") {
                *lock(&self.syncs) += 1;
                let guard = lock(&self.open.0);
                drop(self.open.1.wait_while(guard, |open| !*open).unwrap());
            }
            None
        }
    }

    fn until(what: &str, done: impl Fn() -> bool) {
        let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !done() {
            // A failed assertion would wait for the threads of its scope, for ever.
            if std::time::Instant::now() > limit {
                eprintln!("waited in vain: {what}");
                std::process::abort();
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    #[test]
    fn presses_that_arrive_during_a_sync_share_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate {
            syncs: Mutex::new(0),
            open: Default::default(),
        });
        let disk = Disk::with_faults(gate.clone());
        let (journal, _) = Journal::open(&disk, dir.path()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| take(&journal, Arc::new(taken(1))).unwrap());
            until("the first sync", || *lock(&gate.syncs) > 0);
            for n in 0..20 {
                let journal = &journal;
                scope.spawn(move || take(journal, Arc::new(taken(2 + n))).unwrap());
            }
            until("twenty presses", || lock(&journal.writer).last.count == 21);
            *lock(&gate.open.0) = true;
            gate.open.1.notify_all();
        });
        assert_eq!(*lock(&gate.syncs), 2);
        assert_eq!(pending(dir.path()).unwrap().pending.len(), 21);
    }

    /// Lets the first sync wait, and dies at the second write.
    struct Dies {
        gate: Arc<Gate>,
        writes: Mutex<usize>,
    }

    impl Faults for Dies {
        fn before(&self, call: Call, path: &Path) -> Option<Fault> {
            if call == Call::Write && path.ends_with("journal") {
                *lock(&self.writes) += 1;
                assert!(*lock(&self.writes) != 2, "on purpose");
            }
            self.gate.before(call, path)
        }
    }

    #[test]
    fn a_press_whose_writer_died_is_not_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate {
            syncs: Mutex::new(0),
            open: Default::default(),
        });
        let disk = Disk::with_faults(Arc::new(Dies {
            gate: gate.clone(),
            writes: Mutex::default(),
        }));
        let (journal, _) = Journal::open(&disk, dir.path()).unwrap();
        let journal = &journal;
        let ends: Vec<_> = std::thread::scope(|scope| {
            let first = scope.spawn(|| take(journal, Arc::new(taken(1))));
            until("the first sync", || *lock(&gate.syncs) > 0);
            let pair = [2, 3].map(|n| scope.spawn(move || take(journal, Arc::new(taken(n)))));
            until("the end of one of them", || {
                pair.iter().any(|press| press.is_finished())
            });
            *lock(&gate.open.0) = true;
            gate.open.1.notify_all();
            assert!(first.join().unwrap().is_ok());
            pair.map(|press| press.join()).into()
        });
        let died = ends.iter().filter(|end| end.is_err()).count();
        let refused = ends.iter().filter(|end| matches!(end, Ok(Err(_)))).count();
        assert_eq!((died, refused), (1, 0));
        take(journal, Arc::new(taken(4))).unwrap();
        assert_eq!(pending(dir.path()).unwrap().pending.len(), 3);
    }

    #[test]
    fn whatever_call_fails_acknowledged_presses_stay_and_refused_ones_are_gone() {
        for errno in [Errno::EIO, Errno::ENOSPC] {
            for times in [1, usize::MAX] {
                for n in 1..60 {
                    one_failure(n, times, errno);
                }
            }
        }
    }

    #[test]
    fn a_journal_that_cannot_be_written_says_so_until_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let told = |errno| {
            let strike = Strike {
                n: 20,
                times: 40,
                errno,
                counted: Mutex::new(0),
            };
            let disk = Disk::with_faults(Arc::new(strike));
            let (journal, _) = Journal::open(&disk, dir.path()).unwrap();
            let press = Arc::new(taken(1));
            let first = (0..40).find_map(|_| take(&journal, press.clone()).err());
            let trouble = journal.trouble();
            while journal.mend().is_err() {}
            assert_eq!(journal.trouble(), None);
            (first.unwrap().to_string(), trouble)
        };
        let (said, trouble) = told(Errno::EROFS);
        assert!(said.contains("restart the box"), "{said}");
        assert!(trouble.unwrap().contains("journal: Read-only file system"));
        assert_eq!(told(Errno::ENOSPC).1, None, "room is counted elsewhere");
    }

    fn one_failure(n: usize, times: usize, errno: Errno) {
        // In memory: 240 journals are made.
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let healthy = Journal::open(&Disk::default(), dir.path()).unwrap().0;
        let first = Arc::new(taken(1));
        take(&healthy, first.clone()).unwrap();
        drop(healthy);
        let disk = Disk::with_faults(Arc::new(Strike {
            n,
            times,
            errno,
            counted: Mutex::new(0),
        }));
        let mut expected = vec![first.press.id.clone()];
        let mut refused = Vec::new();
        let mut mended = true;
        if let Ok((journal, _)) = Journal::open(&disk, dir.path()) {
            for k in 2..12 {
                let press = Arc::new(taken(k));
                let id = press.press.id.clone();
                match take(&journal, press) {
                    Ok(()) => expected.push(id),
                    Err(error) => {
                        assert_eq!(error.full, errno == Errno::ENOSPC);
                        refused.push(id);
                    }
                }
                if k % 4 == 0 && !expected.is_empty() {
                    journal.retire(&expected.remove(0));
                }
            }
            mended = journal.mend().is_ok();
        }
        let held = ids(&pending(dir.path()).unwrap().pending);
        for id in &expected {
            assert!(held.contains(id), "call {n}: an acknowledged press is lost");
        }
        if mended {
            for id in &refused {
                assert!(!held.contains(id), "call {n}: a refused press is back");
            }
        }
        if times == 1 {
            assert!(refused.len() <= 1 && mended, "call {n}: {refused:?}");
        }
    }
}
