//! A disk that fails at any call, once or for ever, and a process that dies there:
//! every acknowledged press comes to its one end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use hindsight::base::{BootId, PressId, RealClock, Stop};
use hindsight::cut::Ended;
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::highlight::sidecar::Status;
use hindsight::highlight::{Highlights, Tuning, journal};
use nix::errno::Errno;

use crate::rig::{Place, Running, SECOND};

const JOURNAL: &str = "journal";

/// Strikes the calls from the n-th on, `times` of them.
struct Strike {
    n: usize,
    times: usize,
    errno: Errno,
    counted: AtomicUsize,
    seen: Mutex<Vec<(DiskCall, PathBuf)>>,
    /// Length of each file when it was last synced.
    synced: Mutex<HashMap<PathBuf, u64>>,
    /// What the journal held then.
    journal: Mutex<Option<Vec<u8>>>,
}

impl Strike {
    fn new(n: usize, times: usize, errno: Errno) -> Arc<Strike> {
        Arc::new(Strike {
            n,
            times,
            errno,
            counted: AtomicUsize::new(0),
            seen: Mutex::default(),
            synced: Mutex::default(),
            journal: Mutex::default(),
        })
    }

    fn keep_journal(&self, path: &Path) {
        *self.journal.lock().unwrap() = Some(std::fs::read(path).unwrap());
    }

    fn reached(&self) -> bool {
        self.counted.load(SeqCst) >= self.n
    }

    fn struck(&self) -> String {
        format!("{:?}", self.seen.lock().unwrap().get(self.n - 1))
    }
}

impl Faults for Strike {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        // Asked at any time, and nothing of the commit.
        if call == DiskCall::Space {
            return None;
        }
        let mut seen = self.seen.lock().unwrap();
        let at = self.counted.fetch_add(1, SeqCst) + 1;
        seen.push((call, path.to_owned()));
        if (self.n..self.n.saturating_add(self.times)).contains(&at) {
            return Some(DiskFault::Error(self.errno));
        }
        if call == DiskCall::Sync {
            let len = std::fs::metadata(path).map_or(0, |of| of.len());
            self.synced.lock().unwrap().insert(path.to_owned(), len);
            if path.ends_with(JOURNAL) {
                self.keep_journal(path);
            }
        }
        None
    }
}

fn start(place: &Place, faults: Arc<Strike>) -> Running {
    let tuning = Tuning {
        disk: Disk::with_faults(faults),
        // Many small steps, each with its own facts.
        block_bytes: 20_000,
        sync_every_ns: 0,
        ..Tuning::default()
    };
    place.try_start(tuning).unwrap()
}

/// Runs a press on a disk that is struck; leaves as soon as the press has come
/// to its end or the disk has failed often enough. `None`: the press was refused.
fn run_struck(place: &Place, instant_mono_ns: u64, faults: &Arc<Strike>) -> Option<PressId> {
    let service = start(place, faults.clone());
    let request = place.request(instant_mono_ns, 2_000, 500);
    let press = service
        .highlights
        .press(&request)
        .ok()
        .map(|ack| ack.press.id);
    if press.is_some() {
        loop {
            let status = service.highlights.status();
            if status.pending.is_empty() || (faults.times > 1 && status.disk_errors >= 2) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    service.leave();
    press
}

/// The next start on a healthy disk brings the press to its end.
fn mended(
    place: &Place,
    boot_id: BootId,
    press: &PressId,
    when: &str,
) -> Vec<(Status, Option<Ended>)> {
    let before = journal::pending(&place.storage()).unwrap().pending;
    let was_pending = before.iter().any(|taken| taken.press.id == *press);
    let stop = Stop::default();
    let settings = place.settings(boot_id, Vec::new());
    let highlights = Highlights::start(settings, Arc::new(RealClock), stop.clone()).unwrap();
    let service = Running { highlights, stop };
    if was_pending {
        service.outcomes(press);
    }
    let ends = service.highlights.list(100).into_iter();
    let ends: Vec<_> = ends
        .filter(|listed| listed.sidecar.press_id == *press)
        .map(|listed| (listed.sidecar.status, listed.sidecar.ended))
        .collect();
    service.leave();
    let held = journal::pending(&place.storage()).unwrap();
    assert!(held.pending.is_empty(), "{when}: still pending");
    let left: Vec<_> = std::fs::read_dir(place.storage().join("tmp"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(left.is_empty(), "{when}: {left:?} was left");
    place.verify_is_clean(when);
    ends
}

fn this_boot() -> BootId {
    BootId::of_this_boot().unwrap()
}

/// Calls that one press needs when nothing fails.
fn calls_of_a_press() -> usize {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let faults = Strike::new(usize::MAX, 1, Errno::EIO);
    run_struck(&place, place.filled() - 2 * SECOND, &faults).unwrap();
    faults.counted.load(SeqCst)
}

#[test]
fn clip_and_sidecar_are_synced_renamed_and_their_folder_synced_in_this_order() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let faults = Strike::new(usize::MAX, 1, Errno::EIO);
    run_struck(&place, place.filled() - 2 * SECOND, &faults).unwrap();
    let seen = faults.seen.lock().unwrap().clone();
    let position = |from: usize, call: DiskCall, matches: &dyn Fn(&Path) -> bool| {
        let found = seen[from..]
            .iter()
            .position(|(c, p)| *c == call && matches(p));
        from + found.unwrap_or_else(|| panic!("no {call:?} from {from} on: {seen:#?}"))
    };
    let named = |end: &'static str| move |path: &Path| path.to_string_lossy().ends_with(end);
    let clip = position(0, DiskCall::Rename, &named("/court1.mp4"));
    let folder = seen[clip].1.parent().unwrap().to_owned();
    let is_folder = |path: &Path| path == folder;
    let data = seen[..clip]
        .iter()
        .rposition(|(c, _)| *c == DiskCall::Write);
    position(data.unwrap(), DiskCall::Sync, &named(".part"));
    let committed = position(clip, DiskCall::SyncDir, &is_folder);
    let sidecar = position(committed, DiskCall::Rename, &named("/court1.json"));
    position(sidecar, DiskCall::SyncDir, &is_folder);
}

fn sweep(errno: Errno, times: usize) {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    // The ring stays as it is: so does the press.
    let instant_mono_ns = place.filled() - 2 * SECOND;
    let fewest = first_call_after_the_start(&place);
    let most = calls_of_a_press() + 5;
    println!("calls {fewest}..{most}");
    for n in fewest..most {
        let _ = std::fs::remove_dir_all(place.storage());
        let faults = Strike::new(n, times, errno);
        let press = run_struck(&place, instant_mono_ns, &faults);
        let when = format!("{errno} x{times} at call {n}, {}", faults.struck());
        let Some(press) = press else {
            // Refused: nothing is pending once the journal was mended, and nothing was made.
            place.start().leave();
            place.verify_is_clean(&when);
            continue;
        };
        let ends = mended(&place, this_boot(), &press, &when);
        assert_eq!(ends.len(), 1, "{when}: {ends:?}");
        assert_eq!(ends[0], (Status::Queued, Some(Ended::Complete)), "{when}");
    }
}

/// The start itself is struck by the journal's and the disk's own tests.
fn first_call_after_the_start(place: &Place) -> usize {
    let faults = Strike::new(usize::MAX, 1, Errno::EIO);
    start(place, faults.clone()).leave();
    let calls = faults.counted.load(SeqCst) + 1;
    std::fs::remove_dir_all(place.storage()).unwrap();
    calls
}

#[test]
fn an_error_at_any_call_once_costs_nothing() {
    sweep(Errno::EIO, 1);
}

#[test]
fn no_room_at_any_call_once_costs_nothing() {
    sweep(Errno::ENOSPC, 1);
}

#[test]
fn an_error_at_every_call_from_any_on_costs_nothing_once_the_disk_is_mended() {
    sweep(Errno::EIO, usize::MAX);
}

#[test]
fn no_room_from_any_call_on_costs_nothing_once_there_is_room() {
    sweep(Errno::ENOSPC, usize::MAX);
}

/// What a power cut may take at its worst: everything that was not synced.
fn lose_the_unsynced(place: &Place, faults: &Strike) {
    let journal = faults.journal.lock().unwrap().clone().unwrap();
    std::fs::write(place.storage().join(JOURNAL), journal).unwrap();
    let seen = faults.seen.lock().unwrap().clone();
    let done = &seen[..seen.len().min(faults.n - 1)];
    for (at, (call, to)) in done.iter().enumerate() {
        let folder = to.parent().unwrap().to_owned();
        let synced = done[at..].contains(&(DiskCall::SyncDir, folder));
        if *call != DiskCall::Rename || synced || !to.exists() {
            continue;
        }
        match to.extension().unwrap().to_str().unwrap() {
            "mp4" => {
                let press = to.parent().unwrap().file_name().unwrap().to_str().unwrap();
                let camera = to.file_stem().unwrap().to_str().unwrap();
                let part = place.storage().join(format!("tmp/{press}.{camera}.part"));
                std::fs::rename(to, part).unwrap();
            }
            _ => std::fs::remove_file(to).unwrap(),
        }
    }
    let synced = faults.synced.lock().unwrap();
    let tmp = place.storage().join("tmp");
    let named = |path: &PathBuf| {
        let made = done
            .iter()
            .position(|(call, p)| *call == DiskCall::Open && p == path);
        let synced = done
            .iter()
            .rposition(|(call, p)| *call == DiskCall::SyncDir && *p == tmp);
        made < synced
    };
    for entry in std::fs::read_dir(place.storage().join("tmp")).unwrap() {
        let path = entry.unwrap().path();
        match synced.get(&path) {
            None => std::fs::remove_file(&path).unwrap(),
            // Named only since the clip's rename was taken back.
            _ if !named(&path) && path.extension().unwrap() != "part" => {
                std::fs::remove_file(&path).unwrap();
            }
            Some(len) => {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                if file.metadata().unwrap().len() > *len {
                    file.set_len(*len).unwrap();
                }
            }
        }
    }
}

fn sweep_deaths(boot_id: BootId, power: bool) {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    // The ring stays as it is: so does the press.
    let instant_mono_ns = place.filled() - 2 * SECOND;
    let fewest = first_call_after_the_start(&place);
    let most = calls_of_a_press() + 2;
    let mut counted: HashMap<String, usize> = HashMap::new();
    let complete = (Status::Queued, Some(Ended::Complete));
    for n in fewest..most {
        let _ = std::fs::remove_dir_all(place.storage());
        // Dead: not a single call gets through any more.
        let faults = Strike::new(n, usize::MAX, Errno::EIO);
        let service = start(&place, faults.clone());
        faults.keep_journal(&place.storage().join(JOURNAL));
        let request = place.request(instant_mono_ns, 2_000, 500);
        let press = service
            .highlights
            .press(&request)
            .ok()
            .map(|ack| ack.press.id);
        while press.is_some()
            && !faults.reached()
            && !service.highlights.status().pending.is_empty()
        {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        service.leave();
        if power {
            lose_the_unsynced(&place, &faults);
        }
        let when = format!("dead at call {n}, power {power}");
        let Some(press) = press else {
            continue;
        };
        let ends = mended(&place, boot_id, &press, &when);
        assert_eq!(ends.len(), 1, "{when}: {ends:?}");
        if power {
            let allowed = [
                complete,
                (Status::Queued, Some(Ended::Power)),
                (Status::None, None),
            ];
            assert!(allowed.contains(&ends[0]), "{when}: {ends:?}");
        } else {
            assert_eq!(ends[0], complete, "{when}");
        }
        *counted.entry(format!("{:?}", ends[0])).or_default() += 1;
    }
    println!("{counted:?}");
    assert!(counted.contains_key(&format!("{complete:?}")));
    let salvaged = format!("{:?}", (Status::Queued, Some(Ended::Power)));
    assert_eq!(counted.contains_key(&salvaged), power, "{counted:?}");
}

#[test]
fn a_process_that_dies_at_any_call_costs_nothing() {
    sweep_deaths(this_boot(), false);
}

#[test]
fn a_power_cut_at_any_call_costs_at_most_what_was_not_synced() {
    sweep_deaths(BootId([0x77; 16]), true);
}
