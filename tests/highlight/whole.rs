//! Presses that nothing disturbs.

use hindsight::base::StopLevel;
use hindsight::cut::Ended;
use hindsight::highlight::sidecar::Status;
use hindsight::highlight::{Event, ExportPhase, Outcome, Tuning};

use crate::rig::{PATIENCE, Place, SECOND, now};

fn is_whole(outcome: &Outcome, at_least_ms: u64) {
    assert_eq!(outcome.status, Status::Queued, "{outcome:?}");
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    let length = at_least_ms..=at_least_ms + 50;
    assert!(length.contains(&outcome.duration_ms), "{outcome:?}");
}

#[test]
fn a_press_whose_window_is_over_is_a_clip_at_once() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 10);
    let service = place.start();
    let press = service.press(&place.request(place.filled() - SECOND, 5_000, 0));
    let outcomes = service.outcomes(&press);
    assert_eq!(outcomes.len(), 1);
    is_whole(&outcomes[0], 5_000);
    let listed = service.highlights.list(10);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].sidecar.press_id, press);
    let status = service.highlights.status();
    assert_eq!((status.presses_taken, status.clips_committed), (1, 1));
    assert!(status.pending.is_empty() && status.storage.trouble.is_none());
    place.verify_is_clean("after one press");
}

#[test]
fn a_press_waits_for_its_window_and_says_what_happens() {
    let place = Place::new(&["court1", "court2"]);
    let _one = place.camera("court1", 5).live();
    let _two = place.camera("court2", 5).live();
    let service = place.start();
    let events = service.highlights.events();
    let instant = now();
    let press = service.press(&place.request(instant, 2_000, 1_500));
    assert_eq!(service.highlights.status().pending.len(), 1);
    let mut committed = 0;
    loop {
        match events.recv_timeout(PATIENCE).unwrap() {
            Event::Committed {
                press_id,
                path,
                end_of_window_mono_ns,
                committed_mono_ns,
                duration_ms,
                ..
            } => {
                assert_eq!(press_id, press);
                assert!(path.is_file());
                let end = end_of_window_mono_ns.unwrap();
                assert!(end >= instant + 1_400_000_000 && end <= committed_mono_ns);
                assert!((3_500..3_550).contains(&duration_ms));
                committed += 1;
            }
            Event::Retired { press_id } => {
                assert_eq!(press_id, press);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(committed, 2);
    service
        .outcomes(&press)
        .iter()
        .for_each(|outcome| is_whole(outcome, 3_500));
    place.verify_is_clean("after a press for two cameras");
}

#[test]
fn twenty_presses_over_one_another_are_twenty_clips() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8).live();
    let service = place.start();
    let presses: Vec<_> = (0..20)
        .map(|n| service.press(&place.request(now() - n * SECOND / 10, 3_000, 1_000)))
        .collect();
    for press in &presses {
        is_whole(&service.outcomes(press)[0], 4_000);
    }
    let listed = service.highlights.list(100);
    assert_eq!(listed.len(), 20);
    assert_eq!(service.highlights.list(7).len(), 7);
    let times: Vec<&str> = listed.iter().map(|l| &*l.sidecar.created_at).collect();
    let mut sorted = times.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(times, sorted);
    place.verify_is_clean("after twenty presses");
}

#[test]
fn of_twenty_open_windows_sixteen_are_written_and_the_others_wait_for_their_turn() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8).live();
    let service = place.start();
    let presses: Vec<_> = (0..20)
        .map(|_| service.press(&place.request(now(), 2_000, 4_000)))
        .collect();
    let mut most = 0;
    let limit = std::time::Instant::now() + PATIENCE;
    loop {
        let pending = service.highlights.status().pending;
        let exports = pending.iter().flat_map(|press| &press.exports);
        let waits_or_is_done = |phase| matches!(phase, ExportPhase::Waiting | ExportPhase::Done);
        let writing = exports.filter(|e| !waits_or_is_done(e.phase)).count();
        assert!(writing <= 16, "{writing} are written at once");
        most = most.max(writing);
        if pending.is_empty() {
            break;
        }
        assert!(std::time::Instant::now() < limit, "{pending:#?}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(most, 16);
    for press in &presses {
        is_whole(&service.outcomes(press)[0], 6_000);
    }
    place.verify_is_clean("after twenty open windows");
}

#[test]
fn one_place_to_write_is_enough_for_all() {
    let place = Place::new(&["court1", "court2", "court3"]);
    let _cameras = ["court1", "court2", "court3"].map(|name| place.camera(name, 8));
    let tuning = Tuning {
        writers: 1,
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let presses =
        [1, 2, 3].map(|n| service.press(&place.request(place.filled() - n * SECOND, 2_000, 500)));
    for press in &presses {
        let outcomes = service.outcomes(press);
        assert_eq!(outcomes.len(), 3);
        outcomes.iter().for_each(|outcome| is_whole(outcome, 2_500));
    }
    place.verify_is_clean("after nine clips one by one");
}

#[test]
fn an_index_that_has_no_room_in_front_goes_behind_the_data() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 8);
    let tuning = Tuning {
        reserve: Some(2048),
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let press = service.press(&place.request(place.filled() - SECOND, 4_000, 0));
    let outcome = &service.outcomes(&press)[0];
    is_whole(outcome, 4_000);
    let bytes = std::fs::read(outcome.clip.as_ref().unwrap()).unwrap();
    let position = |word: &[u8]| bytes.windows(4).rposition(|four| four == word).unwrap();
    assert!(position(b"moov") > position(b"mdat"));
    place.verify_is_clean("with the index last");
}

#[test]
fn told_to_finish_an_open_window_ends_with_what_there_is() {
    let mut place = Place::new(&["court1"]);
    place.grace_ms = 300;
    let _camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 2_000, 25_000));
    service.stop.raise(StopLevel::Finish);
    let mut said = Vec::new();
    service.highlights.drain(|text| said.push(text.to_owned()));
    assert!(said[0].contains("waiting for 1 clip"), "{said:?}");
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.ended, Some(Ended::Stopped));
    assert!(outcome.duration_ms >= 2_000 && outcome.duration_ms < 27_000);
    place.verify_is_clean("after a stop");
}

#[test]
fn told_to_finish_a_short_window_runs_to_its_end() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 2_000, 1_000));
    service.stop.raise(StopLevel::Finish);
    service.highlights.drain(|_| {});
    is_whole(&service.outcomes(&press)[0], 3_000);
}

#[test]
fn a_camera_that_falls_silent_gives_the_shorter_clip() {
    let place = Place::new(&["court1"]);
    let camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 2_000, 2_000));
    let _silent = camera.pause();
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.status, Status::Queued);
    assert_eq!(outcome.ended, Some(Ended::Camera));
    assert!(outcome.duration_ms < 4_000, "{outcome:?}");
    place.verify_is_clean("after a camera fell silent");
}

#[test]
fn a_press_is_journaled_before_it_is_acknowledged() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 1_000, 20_000));
    let held = hindsight::highlight::journal::pending(&place.storage()).unwrap();
    assert_eq!(held.pending.len(), 1);
    assert_eq!(held.pending[0].press.id, press);
    service.leave();
}

#[test]
fn of_those_that_wait_the_one_whose_footage_is_overtaken_first_goes_first() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 12).live();
    let tuning = Tuning {
        writers: 1,
        ..Tuning::default()
    };
    let service = place.try_start(tuning).unwrap();
    let events = service.highlights.events();
    let first = service.press(&place.request(now(), 1_000, 1_500));
    let young = service.press(&place.request(now(), 1_000, 0));
    let old = service.press(&place.request(now() - 2 * SECOND, 8_000, 0));
    let status = service.highlights.status();
    let phases: Vec<ExportPhase> = status.pending.iter().map(|p| p.exports[0].phase).collect();
    assert_eq!(phases[1..], [ExportPhase::Waiting, ExportPhase::Waiting]);
    let committed = std::iter::from_fn(|| events.recv_timeout(PATIENCE).ok())
        .filter_map(|event| match event {
            Event::Committed { press_id, .. } => Some(press_id),
            _ => None,
        })
        .take(3);
    assert_eq!(committed.collect::<Vec<_>>(), [first, old, young]);
}

#[test]
fn a_ring_whose_name_was_taken_away_is_read_as_long_as_it_is_written() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 6).live();
    let service = place.start();
    std::fs::remove_file(place.rings.path().join("hindsight-court1")).unwrap();
    let press = service.press(&place.request(now(), 3_000, 500));
    let outcome = &service.outcomes(&press)[0];
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    place.verify_is_clean("without the ring's name");
}
