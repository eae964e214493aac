//! A journal on a real disk, on one that fails, and with many who press at once.

#![allow(clippy::unwrap_used)]
use super::samples::taken;
use super::*;
use crate::cut::Plan;
use crate::disk::{DiskCall, DiskFault, Faults};
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
    fn before(&self, _: DiskCall, _: &Path) -> Option<DiskFault> {
        let mut counted = lock(&self.counted);
        *counted += 1;
        let struck = (self.n..self.n.saturating_add(self.times)).contains(&*counted);
        struck.then_some(DiskFault::Error(self.errno))
    }
}

fn take(journal: &Journal, press: Arc<PressRecord>) -> Result<(), NotDurable> {
    let noted = journal.note(&press)?;
    journal.take(noted, press).map(drop)
}

fn ids(held: &[PressRecord]) -> Vec<PressId> {
    held.iter().map(|t| t.press.id.clone()).collect()
}

#[test]
fn acknowledged_presses_survive_and_retired_ones_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let presses: Vec<Arc<PressRecord>> = (1..=5).map(|n| Arc::new(taken(n))).collect();
    let (journal, held) = Journal::open(&Disk::default(), dir.path()).unwrap();
    assert_eq!(held, JournalContents::default());
    for press in &presses {
        take(&journal, press.clone()).unwrap();
    }
    journal.retire(&presses[2].press.id);
    // The kernel has it all; no goodbye is needed.
    std::mem::forget(journal);
    let expected: Vec<PressRecord> = [0, 1, 3, 4].map(|n| (*presses[n]).clone()).to_vec();
    assert_eq!(pending(dir.path()).unwrap().pending, expected);
    let (_, held) = Journal::open(&Disk::default(), dir.path()).unwrap();
    assert_eq!(held.pending, expected);
    assert_eq!(pending(dir.path()).unwrap().pending, expected);
}

/// Before its camera was asked.
fn unasked(taken: &PressRecord) -> PressRecord {
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
    journal.retire(&refused.press.id);
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
    journal.retire(&other.press.id);
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
    let len = std::fs::metadata(StorageLayout::new(dir.path()).journal())
        .unwrap()
        .len();
    assert_eq!(len, CAPACITY as u64);
}

/// PressCounts the files that take the journal's place.
#[derive(Default)]
struct Renames(Mutex<usize>);

impl Faults for Renames {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        *lock(&self.0) += usize::from(call == DiskCall::Rename);
        None
    }
}

#[test]
fn a_half_full_journal_is_written_anew_before_a_press_has_to_wait_for_that() {
    let dir = tempfile::tempdir().unwrap();
    let renames = Arc::new(Renames::default());
    let disk = Disk::with_faults(renames.clone());
    let (journal, _) = Journal::open(&disk, dir.path()).unwrap();
    let kept: Vec<Arc<PressRecord>> = (1..=3).map(|n| Arc::new(taken(n))).collect();
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
    let kept: Vec<PressRecord> = kept.iter().map(|press| (**press).clone()).collect();
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
    let presses: Vec<Arc<PressRecord>> = (1..=4).map(|n| Arc::new(taken(n))).collect();
    for press in &presses {
        take(&journal, press.clone()).unwrap();
        if press.press.instant_mono_ns == 2 {
            journal.retire(&presses[0].press.id);
        }
    }
    let bytes = std::fs::read(StorageLayout::new(dir.path()).journal()).unwrap();
    let held = |block: &[u8]| {
        let text = String::from_utf8_lossy(block);
        text.matches("{\"taken\"").count()
    };
    let held: Vec<usize> = bytes.chunks(BLOCK).map(held).take(6).collect();
    assert_eq!(held, [0, 1, 1, 1, 1, 0]);
    let expected: Vec<PressRecord> = [1, 2, 3].map(|n: usize| (*presses[n]).clone()).to_vec();
    assert_eq!(pending(dir.path()).unwrap().pending, expected);
}

/// Holds the first sync back until so many presses stand in the queue.
struct Gate {
    syncs: Mutex<usize>,
    open: (Mutex<bool>, Condvar),
}

impl Faults for Gate {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        if call == DiskCall::Sync && path.ends_with("journal") {
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
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        if call == DiskCall::Write && path.ends_with("journal") {
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
    assert!(trouble.unwrap().contains("Read-only file system"));
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
