//! A disk that refuses for a while, or for good.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use hindsight::base::{PressError, Sentence};
use hindsight::cut::Ended;
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::highlight::sidecar::{Sidecar, Status};
use hindsight::highlight::{ExportPhase, Tuning};
use nix::errno::Errno;

use crate::rig::{Place, Running, SECOND, now, until};

/// Unfinished clips cannot be written while it is told so.
struct Clips {
    refused: AtomicBool,
    asked: AtomicUsize,
    errno: Errno,
}

impl Faults for Clips {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        if call != DiskCall::Write || path.extension()? != "part" || !self.refused.load(SeqCst) {
            return None;
        }
        self.asked.fetch_add(1, SeqCst);
        Some(DiskFault::Error(self.errno))
    }
}

fn start(place: &Place, errno: Errno) -> (Running, Arc<Clips>) {
    let faults = Arc::new(Clips {
        refused: AtomicBool::new(true),
        asked: AtomicUsize::new(0),
        errno,
    });
    let tuning = Tuning {
        disk: Disk::with_faults(faults.clone()),
        ..Tuning::default()
    };
    (place.try_start(tuning).unwrap(), faults)
}

#[test]
fn without_room_a_press_stays_pending_and_is_finished_when_there_is_room() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let (service, faults) = start(&place, Errno::ENOSPC);
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    until("three attempts", || faults.asked.load(SeqCst) >= 3);
    let status = service.highlights.status();
    let export = &status.pending[0].exports[0];
    assert!(matches!(
        export.phase,
        ExportPhase::Retrying | ExportPhase::Writing
    ));
    assert!(
        status
            .last_disk_error
            .unwrap()
            .text
            .contains("No space left")
    );
    faults.refused.store(false, SeqCst);
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    assert!((4_000..4_050).contains(&outcome.duration_ms));
    place.verify_is_clean("after the room came back");
}

#[test]
fn when_the_disk_fails_until_the_ring_has_lost_it_the_sidecar_says_so() {
    let place = Place::new(&["court1"]);
    let mut camera = place.camera("court1", 8);
    let (service, faults) = start(&place, Errno::EIO);
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    until("an attempt", || faults.asked.load(SeqCst) >= 1);
    // The ring runs on until it has overwritten all of the window.
    camera.until(now() + 600 * SECOND);
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.status, Status::None);
    let reason = outcome.reason.as_ref().unwrap();
    assert!(reason.contains("the disk failed"), "{reason}");
    place.verify_is_clean("after a clip was given up");
}

#[test]
fn an_export_that_was_overtaken_says_what_is_missing() {
    let place = Place::new(&["court1"]);
    let mut camera = place.camera("court1", 8);
    let (service, faults) = start(&place, Errno::ENOSPC);
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    until("an attempt", || faults.asked.load(SeqCst) >= 1);
    camera.until(now() + 600 * SECOND);
    faults.refused.store(false, SeqCst);
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.status, Status::None);
    assert!(outcome.reason.is_some());
    place.verify_is_clean("after an export was overtaken");
}

#[test]
fn a_press_that_will_not_fit_is_refused_with_what_is_missing() {
    /// A file system with 300 kB left.
    struct Small;
    impl Faults for Small {
        fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
            (call == DiskCall::Space).then_some(DiskFault::Short(300_000))
        }
    }
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let tuning = Tuning {
        disk: Disk::with_faults(Arc::new(Small)),
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let refused = service.highlights.press(&place.request(now(), 5_000, 0));
    let Err(PressError::DiskFull(Sentence { text, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert!(
        text.starts_with("no room on") && text.contains("MB are needed"),
        "{text}"
    );
}

#[test]
fn told_to_finish_nobody_waits_for_a_disk_that_does_not_come_back() {
    let mut place = Place::new(&["court1"]);
    place.grace_ms = 200;
    let _camera = place.camera("court1", 8);
    let (service, faults) = start(&place, Errno::ENOSPC);
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    until("an attempt", || faults.asked.load(SeqCst) >= 1);
    service.stop.raise(hindsight::base::StopLevel::Finish);
    let mut said = Vec::new();
    service.highlights.drain(|text| said.push(text.to_owned()));
    assert!(
        said.last()
            .unwrap()
            .contains("the next start goes on with it"),
        "{said:?}"
    );
    drop(service);
    let service = place.start();
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    place.verify_is_clean("after the next start");
}

#[test]
fn an_error_in_the_program_in_the_middle_of_a_clip_costs_nothing() {
    struct Panics(AtomicUsize);
    impl Faults for Panics {
        fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
            let clip = call == DiskCall::Write && path.extension()? == "part";
            let first_two = clip && self.0.fetch_add(1, SeqCst) < 2;
            assert!(!first_two, "on purpose");
            None
        }
    }
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let tuning = Tuning {
        disk: Disk::with_faults(Arc::new(Panics(AtomicUsize::new(0)))),
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    place.verify_is_clean("after an error in the program");
}

#[test]
fn a_clip_about_which_two_readers_disagree_is_kept_as_suspect() {
    /// Changes the index behind the muxer's back, before anybody reads it.
    struct Scribbles(AtomicUsize);
    impl Faults for Scribbles {
        fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
            let opened = call == DiskCall::Open && path.extension()? == "part";
            // Opened once to be written, then to be hashed.
            if opened && self.0.fetch_add(1, SeqCst) == 1 {
                let mut bytes = std::fs::read(path).unwrap();
                let at = bytes.windows(4).position(|four| four == b"stsz").unwrap();
                // Version, size of all, count, then the first sample's size.
                bytes[at + 4 + 12 + 3] ^= 1;
                std::fs::write(path, bytes).unwrap();
            }
            None
        }
    }
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let tuning = Tuning {
        disk: Disk::with_faults(Arc::new(Scribbles(AtomicUsize::new(0)))),
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.status, Status::Suspect, "{outcome:?}");
    let clip = outcome.clip.as_ref().unwrap();
    assert!(clip.ends_with("court1.suspect.mp4") && clip.is_file());
    assert!(!clip.with_file_name("court1.mp4").exists());
    assert!(!outcome.reason.as_ref().unwrap().is_empty());
    assert_eq!(service.highlights.status().clips_suspect, 1);
    assert!(outcome.sidecar.ends_with("court1.json"));
    let sidecar = Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
    assert_eq!(sidecar.status, Status::Suspect);
    assert_eq!(sidecar.file_name.as_deref(), Some("court1.suspect.mp4"));
    assert_eq!(sidecar.reason, outcome.reason, "the difference is said");
    place.verify_is_clean("a suspect clip is told, and no fault");
}
