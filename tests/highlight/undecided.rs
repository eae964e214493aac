//! Presses that are durable before their gesture is known.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use hindsight::base::{PressError, PressId, PressRequest, Source};
use hindsight::config::PressWindow;
use hindsight::cut::Ended;
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::highlight::sidecar::{Sidecar, Status};
use hindsight::highlight::{ExportPhase, NotDecided, Outcome, Tuning, journal};
use nix::errno::Errno;

use crate::rig::{PATIENCE, Place, Running, SECOND, until};

const LONG: PressWindow = PressWindow {
    pre_ms: 5_000,
    post_ms: 500,
};
const DOUBLE: PressWindow = PressWindow {
    pre_ms: 1_000,
    post_ms: 900,
};

/// 2 s before and half a second after, all of which the ring holds.
fn request(place: &Place) -> PressRequest {
    PressRequest {
        source: Source::Button,
        button: Some("north".to_owned()),
        ..place.request(place.filled() - 2 * SECOND, 2_000, 500)
    }
}

/// Nobody who is slow makes a decision come too late.
fn patient() -> Tuning {
    Tuning {
        undecided_ns: 3_600 * SECOND,
        ..Tuning::default()
    }
}

fn press(place: &Place, service: &Running) -> PressId {
    let pressed = service
        .highlights
        .press_undecided(&request(place), &[LONG, DOUBLE], &|_| {});
    pressed.unwrap().press.id
}

fn sidecar(outcome: &Outcome) -> Sidecar {
    Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap()
}

/// It has a whole clip of that window.
fn is_cut_to(outcome: &Outcome, window: PressWindow) {
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    let wanted = window.pre_ms + window.post_ms;
    assert!(
        (wanted..wanted + 50).contains(&outcome.duration_ms),
        "{outcome:?}, not {window:?}"
    );
    let requested = sidecar(outcome).requested;
    let ms = |seconds: f64| Duration::from_secs_f64(seconds).as_millis();
    assert_eq!(ms(requested.pre_seconds), u128::from(window.pre_ms));
    assert_eq!(ms(requested.post_seconds), u128::from(window.post_ms));
}

const PLAIN: PressWindow = PressWindow {
    pre_ms: 2_000,
    post_ms: 500,
};

#[test]
fn an_undecided_press_waits_and_gets_the_window_of_its_gesture_on_every_camera() {
    let place = Place::new(&["court1", "court2"]);
    let _cameras = ["court1", "court2"].map(|name| place.camera(name, 9));
    let service = place.try_start(patient()).unwrap();
    for window in [LONG, DOUBLE, PLAIN] {
        let press = press(&place, &service);
        // Long enough for a clip that does not wait.
        let none = service.highlights.wait(&press, Duration::from_millis(400));
        assert_eq!(none, None);
        let pending = &service.highlights.status().pending;
        let exports = &pending[0].exports;
        assert!(exports.iter().all(|e| e.phase == ExportPhase::Waiting));
        service.highlights.decide(&press, window).unwrap();
        let outcomes = service.outcomes(&press);
        assert_eq!(outcomes.len(), 2);
        for outcome in &outcomes {
            is_cut_to(outcome, window);
            let sidecar = sidecar(outcome);
            assert_eq!(sidecar.button.as_deref(), Some("north"));
            assert_eq!(sidecar.source, Source::Button);
            let court = format!("Court of {}", outcome.camera_id);
            assert_eq!(sidecar.court, Some(court));
        }
        let late = service.highlights.decide(&press, LONG);
        assert_eq!(late, Err(NotDecided::TooLate(press)));
    }
    place.verify_is_clean("after three gestures");
}

#[test]
fn a_press_that_nobody_decides_begins_with_the_plain_window() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let service = place
        .try_start(Tuning {
            undecided_ns: SECOND / 10,
            ..Tuning::default()
        })
        .unwrap();
    let press = press(&place, &service);
    is_cut_to(&service.outcomes(&press)[0], PLAIN);
    let late = service.highlights.decide(&press, LONG);
    assert_eq!(late, Err(NotDecided::TooLate(press)));
}

#[test]
fn while_one_waits_for_its_gesture_the_others_are_made() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let service = place
        .try_start(Tuning {
            writers: 1,
            ..patient()
        })
        .unwrap();
    let waits = press(&place, &service);
    let other = service.press(&request(&place));
    is_cut_to(&service.outcomes(&other)[0], PLAIN);
    service.highlights.decide(&waits, DOUBLE).unwrap();
    is_cut_to(&service.outcomes(&waits)[0], DOUBLE);
}

/// The next start, and what it makes of the press.
fn next_start(place: &Place, press: &PressId) -> Outcome {
    let service = place.start();
    let outcome = service.outcomes(press)[0].clone();
    service.leave();
    place.verify_is_clean("after the next start");
    outcome
}

#[test]
fn killed_before_the_decision_the_plain_window_holds() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let service = place.try_start(patient()).unwrap();
    let press = press(&place, &service);
    service.leave();
    is_cut_to(&next_start(&place, &press), PLAIN);
}

#[test]
fn killed_after_the_decision_its_window_holds() {
    let place = Place::new(&["court1"]);
    let camera = place.camera("court1", 9);
    let service = place.try_start(patient()).unwrap();
    // Its end has not come yet: nothing is finished before the kill.
    let undecided = PressRequest {
        instant_mono_ns: place.filled(),
        ..request(&place)
    };
    let endless = PressWindow {
        pre_ms: 4_000,
        post_ms: 3_000,
    };
    let pressed = service
        .highlights
        .press_undecided(&undecided, &[endless], &|_| {});
    let press = pressed.unwrap().press.id;
    service.highlights.decide(&press, endless).unwrap();
    service.leave();
    // The journal alone knows.
    for entry in std::fs::read_dir(place.storage().join("tmp")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let live = camera.live();
    is_cut_to(&next_start(&place, &press), endless);
    drop(live);
}

/// Refuses writes to the journal while it is told so.
#[derive(Default)]
struct NoJournal(AtomicBool);

impl Faults for NoJournal {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        let journal = path.file_stem().is_some_and(|name| name == "journal");
        let hit =
            self.0.load(SeqCst) && journal && matches!(call, DiskCall::Write | DiskCall::Sync);
        hit.then_some(DiskFault::Error(Errno::EIO))
    }
}

#[test]
fn a_decision_that_cannot_be_written_down_leaves_the_plain_window() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let faults = Arc::new(NoJournal::default());
    let service = place
        .try_start(Tuning {
            disk: Disk::with_faults(faults.clone()),
            ..patient()
        })
        .unwrap();
    let first = press(&place, &service);
    faults.0.store(true, SeqCst);
    let refused = service.highlights.decide(&first, LONG).unwrap_err();
    assert!(
        refused.to_string().ends_with("; the plain window holds"),
        "{refused}"
    );
    faults.0.store(false, SeqCst);
    is_cut_to(&service.outcomes(&first)[0], PLAIN);
    let second = press(&place, &service);
    service.highlights.decide(&second, LONG).unwrap();
    is_cut_to(&service.outcomes(&second)[0], LONG);
    place.verify_is_clean("after a decision that could not be written");
}

#[test]
fn a_press_whose_largest_window_will_not_fit_is_refused_before_it_is_decided() {
    /// Room for the plain window, and not for the long one.
    struct Small;
    impl Faults for Small {
        fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
            (call == DiskCall::Space).then_some(DiskFault::Short(4_000_000))
        }
    }
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let disk = Disk::with_faults(Arc::new(Small));
    let service = place.try_start(Tuning { disk, ..patient() }).unwrap();
    let enormous = PressWindow {
        pre_ms: 2_000,
        post_ms: 600_000,
    };
    let refused = service
        .highlights
        .press_undecided(&request(&place), &[enormous], &|_| {});
    assert!(
        matches!(refused, Err(PressError::DiskFull(_))),
        "{refused:?}"
    );
    let taken = service
        .highlights
        .press_undecided(&request(&place), &[LONG], &|_| {});
    service
        .highlights
        .decide(&taken.unwrap().press.id, PLAIN)
        .unwrap();
}

/// Dies at the n-th call and all that follow, counted from the press on.
struct Dies {
    n: usize,
    armed: AtomicBool,
    counted: AtomicUsize,
}

impl Faults for Dies {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        if call == DiskCall::Space || !self.armed.load(SeqCst) {
            return None;
        }
        let at = self.counted.fetch_add(1, SeqCst) + 1;
        (at >= self.n).then_some(DiskFault::Error(Errno::EIO))
    }
}

#[test]
fn dying_at_any_call_between_press_and_clip_leaves_one_of_its_two_windows_whole() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let (mut plain, mut long) = (0, 0);
    for n in 1.. {
        let _ = std::fs::remove_dir_all(place.storage());
        let faults = Arc::new(Dies {
            n,
            armed: AtomicBool::new(false),
            counted: AtomicUsize::new(0),
        });
        let service = place
            .try_start(Tuning {
                disk: Disk::with_faults(faults.clone()),
                ..patient()
            })
            .unwrap();
        faults.armed.store(true, SeqCst);
        let pressed = service
            .highlights
            .press_undecided(&request(&place), &[LONG], &|_| {});
        let decided = pressed
            .as_ref()
            .map(|ack| service.highlights.decide(&ack.press.id, LONG));
        let died = || faults.counted.load(SeqCst) >= n;
        until("an end", || {
            died() || service.highlights.status().pending.is_empty()
        });
        let all = !died();
        service.leave();
        let Ok(ack) = &pressed else { continue };
        let press = ack.press.id.clone();
        if all {
            break;
        }
        let held = journal::pending(&place.storage()).unwrap().pending;
        let outcome = match held.iter().any(|taken| taken.press.id == press) {
            true => next_start(&place, &press),
            false => continue,
        };
        assert_eq!(outcome.status, Status::Queued, "dead at call {n}");
        // One that failed in the middle may or may not be on the disk.
        let is_long = outcome.duration_ms > 4_000;
        assert!(is_long || decided.unwrap().is_err(), "dead at call {n}");
        is_cut_to(&outcome, if is_long { LONG } else { PLAIN });
        (plain, long) = (plain + u32::from(!is_long), long + u32::from(is_long));
    }
    println!("{plain} plain, {long} long");
    assert!(plain > 0 && long > 10, "{plain} plain, {long} long");
}

#[test]
fn told_to_finish_an_undecided_press_is_still_brought_to_its_end() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 9);
    let service = place.try_start(patient()).unwrap();
    let press = press(&place, &service);
    service.stop.raise(hindsight::base::StopLevel::Finish);
    service.highlights.decide(&press, LONG).unwrap();
    service.highlights.drain(|_| {});
    let outcomes = service.highlights.wait(&press, PATIENCE).unwrap();
    is_cut_to(&outcomes[0], LONG);
}
