//! Presses and services that are refused, in words.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use hindsight::base::{PressError, Sentence, StopLevel};
use hindsight::cut::Ended;
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::highlight::{StartError, Tuning, journal};
use nix::errno::Errno;

use crate::rig::{Place, SECOND, id, now};

#[test]
fn a_second_service_on_one_storage_is_refused_in_words() {
    let place = Place::new(&["court1"]);
    let first = place.start();
    let Err(StartError::Locked { path }) = place.try_start(Tuning::default()) else {
        panic!("a second service was let in");
    };
    assert_eq!(path, place.storage());
    drop(first);
    place.start().leave();
}

/// Counts what is written into the journal.
#[derive(Default)]
struct Writes(AtomicUsize);

impl Faults for Writes {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        if call == DiskCall::Write && path.ends_with("journal") {
            self.0.fetch_add(1, SeqCst);
        }
        None
    }
}

#[test]
fn of_a_row_of_refused_presses_only_the_first_is_written_and_none_comes_back() {
    let place = Place::new(&["court1"]);
    let writes = Arc::new(Writes::default());
    let service = place
        .try_start(Tuning {
            disk: Disk::with_faults(writes.clone()),
            ..Tuning::default()
        })
        .unwrap();
    let refused = || {
        let before = writes.0.load(SeqCst);
        let refused = service.highlights.press(&place.request(now(), 2_000, 0));
        assert!(matches!(refused, Err(PressError::NoCamera(_))));
        writes.0.load(SeqCst) - before
    };
    let row: Vec<usize> = (0..5).map(|_| refused()).collect();
    assert_eq!(row, [2, 0, 0, 0, 0], "its note and its end, then nothing");
    assert_eq!(journal::pending(&place.storage()).unwrap().pending, []);
    // The next one that can be taken is.
    let camera = place.camera("court1", 5);
    let press = service.press(&place.request(place.filled(), 2_000, 0));
    assert_eq!(service.outcomes(&press).len(), 1);
    drop(camera);
    service.leave();
    place.start().leave();
    place.verify_is_clean("after a row of refusals");
}

#[test]
fn a_camera_without_footage_refuses_and_the_others_take_it() {
    let place = Place::new(&["court1", "court2", "court3"]);
    let _camera = place.camera("court1", 5);
    let _empty = crate::rig::Feeder::new(place.rings.path(), "court2", 30, now() + SECOND);
    let service = place.start();
    let mut request = place.request(now(), 2_000, 0);
    request.cameras.push(id("court9"));
    let ack = service.highlights.press(&request).unwrap();
    assert_eq!(ack.press.cameras, [id("court1")]);
    let refused: Vec<String> = ack
        .refused
        .iter()
        .map(|r| format!("{}: {}", r.camera_id, r.reason))
        .collect();
    assert_eq!(
        refused[0],
        "court2: no picture of this camera has arrived yet"
    );
    assert!(
        refused[1].starts_with("court3: its ring cannot be read"),
        "{refused:?}"
    );
    assert_eq!(refused[2], "court9: no camera \"court9\" is configured");
    assert_eq!(service.outcomes(&ack.press.id).len(), 1);

    request.cameras = vec![id("court2")];
    let Err(PressError::NoCamera(refused)) = service.highlights.press(&request) else {
        panic!("a press without footage was taken");
    };
    assert_eq!(refused.len(), 1);
}

#[test]
fn a_stale_camera_takes_the_press_and_the_answer_says_so() {
    let place = Place::new(&["court1"]);
    let mut camera = crate::rig::Feeder::new(place.rings.path(), "court1", 30, now() - 12 * SECOND);
    camera.until(now() - 5 * SECOND);
    let service = place.start();
    let ack = service
        .highlights
        .press(&place.request(now(), 9_000, 0))
        .unwrap();
    let note = &ack.notes[0].reason;
    assert!(note.starts_with("no picture has come for 5 s"), "{note}");
    let outcome = &service.outcomes(&ack.press.id)[0];
    assert_eq!(outcome.ended, Some(Ended::Camera));
    place.verify_is_clean("after a press on a stale camera");
}

#[test]
fn a_ring_that_holds_less_than_pre_gives_the_shorter_clip_and_says_so() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 4);
    let service = place.start();
    let ack = service
        .highlights
        .press(&place.request(now(), 20_000, 0))
        .unwrap();
    let note = &ack.notes[0].reason;
    assert!(note.contains("does not reach back far enough"), "{note}");
    let outcome = &service.outcomes(&ack.press.id)[0];
    assert!(outcome.duration_ms <= 4_100, "{outcome:?}");
}

#[test]
fn a_service_that_stops_takes_no_more() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 4);
    let service = place.start();
    service.stop.raise(StopLevel::Finish);
    let refused = service.highlights.press(&place.request(now(), 1_000, 0));
    assert_eq!(refused, Err(PressError::Stopping));
    assert_eq!(service.highlights.status().presses_refused, 1);
}

/// A disk of which every call fails while it is told to.
struct Broken {
    now: AtomicBool,
    errno: Errno,
}

impl Faults for Broken {
    fn before(&self, _: DiskCall, _: &Path) -> Option<DiskFault> {
        self.now
            .load(SeqCst)
            .then_some(DiskFault::Error(self.errno))
    }
}

#[test]
fn a_press_that_cannot_be_durable_is_refused_and_the_next_is_taken() {
    for (errno, full) in [(Errno::EIO, false), (Errno::ENOSPC, true)] {
        let place = Place::new(&["court1"]);
        let _camera = place.camera("court1", 4);
        struct Journal(AtomicBool, Errno);
        impl Faults for Journal {
            fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
                let struck = call == DiskCall::Sync && path.ends_with("journal");
                (struck && self.0.swap(false, SeqCst)).then_some(DiskFault::Error(self.1))
            }
        }
        let faults = Arc::new(Journal(AtomicBool::new(true), errno));
        let tuning = Tuning {
            disk: Disk::with_faults(faults),
            ..Tuning::default()
        };
        let service = place.try_start(tuning).unwrap();
        let request = place.request(now(), 1_000, 0);
        match service.highlights.press(&request) {
            Err(PressError::DiskFull(_)) => assert!(full),
            Err(PressError::Storage(_)) => assert!(!full),
            other => panic!("{other:?}"),
        }
        let press = service.press(&request);
        service.outcomes(&press);
        assert_eq!(
            service.highlights.list(9).len(),
            1,
            "the refused press came back"
        );
        service.leave();
        place.start().leave();
        place.verify_is_clean("after a refused press");
        let held = hindsight::highlight::journal::pending(&place.storage()).unwrap();
        assert!(held.pending.is_empty());
    }
}

#[test]
fn without_its_storage_the_service_runs_and_refuses_until_it_is_there() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 4);
    let faults = Arc::new(Broken {
        now: AtomicBool::new(true),
        errno: Errno::EROFS,
    });
    let tuning = Tuning {
        disk: Disk::with_faults(faults.clone()),
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let request = place.request(now(), 1_000, 0);
    let Err(PressError::Storage(Sentence { text, .. })) = service.highlights.press(&request) else {
        panic!("a press was taken without a storage");
    };
    assert!(text.contains("storage"), "{text}");
    assert!(service.highlights.status().storage.trouble.is_some());
    faults.now.store(false, SeqCst);
    let ack = loop {
        match service.highlights.press(&request) {
            Ok(ack) => break ack,
            Err(PressError::Storage(_)) => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    };
    service.outcomes(&ack.press.id);
    place.verify_is_clean("after the storage came");
}

#[test]
fn a_storage_that_was_replaced_under_the_service_is_refused() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 4);
    let service = place.start();
    std::fs::rename(place.storage(), place.disk.path().join("elsewhere")).unwrap();
    std::fs::create_dir(place.storage()).unwrap();
    let refused = service.highlights.press(&place.request(now(), 1_000, 0));
    let Err(PressError::Storage(Sentence { text, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("was its disk unmounted?"), "{text}");
}

#[test]
fn a_file_that_is_no_journal_is_left_alone_and_the_start_is_refused() {
    let place = Place::new(&["court1"]);
    std::fs::create_dir_all(place.storage()).unwrap();
    let path = place.storage().join("journal");
    std::fs::write(&path, [b'x'; 500]).unwrap();
    let Err(error) = place.try_start(Tuning::default()) else {
        panic!("it was taken for a journal");
    };
    let text = error.to_string();
    assert!(
        text.contains("cannot be read as a journal of presses"),
        "{text}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), [b'x'; 500]);
}
