//! What an earlier run left behind, and what the next start makes of it.

use hindsight::base::{BootId, CameraId, PressId};
use hindsight::cut::Ended;
use hindsight::highlight::sidecar::{About, Sidecar, Status};
use hindsight::highlight::{Highlights, Outcome, Tuning, journal};
use hindsight::ring::RingReader;
use nix::errno::Errno;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hindsight::base::{RealClock, Sentence, SimClock, Stop};
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};

use crate::rig::{Feeder, PATIENCE, Place, Running, SECOND, now, until};

/// The next start, perhaps in another boot, until the press has come to its end.
pub fn next_start(place: &Place, boot_id: BootId, press: &PressId) -> Outcome {
    next_start_with(place, boot_id, press, Vec::new())
}

fn next_start_with(
    place: &Place,
    boot_id: BootId,
    press: &PressId,
    old_rings: Vec<(CameraId, RingReader)>,
) -> Outcome {
    finished(
        place,
        press,
        start(place, boot_id, old_rings, Disk::default()),
    )
}

fn start(
    place: &Place,
    boot_id: BootId,
    old_rings: Vec<(CameraId, RingReader)>,
    disk: Disk,
) -> Running {
    let stop = Stop::default();
    let settings = place.settings(boot_id, old_rings);
    let tuning = Tuning {
        disk,
        ..Tuning::default()
    };
    let clock = Arc::new(RealClock);
    let highlights = Highlights::start_with(settings, clock, stop.clone(), tuning).unwrap();
    Running { highlights, stop }
}

fn finished(place: &Place, press: &PressId, running: Running) -> Outcome {
    let outcomes = running.outcomes(press);
    assert_eq!(outcomes.len(), 1);
    assert!(running.highlights.status().pending.is_empty());
    running.leave();
    let held = journal::pending(&place.storage()).unwrap();
    assert!(held.pending.is_empty(), "the press is still pending");
    place.verify_is_clean("after the next start");
    outcomes[0].clone()
}

pub fn this_boot() -> BootId {
    BootId::of_this_boot().unwrap()
}

pub fn another_boot() -> BootId {
    BootId([0x5a; 16])
}

/// A press that was acknowledged and left in the middle of its window, with
/// something of it on the disk.
pub fn left_in_the_middle(place: &Place, post_ms: u64) -> (PressId, Feeder) {
    let camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 3_000, post_ms));
    until("bytes of the clip", || {
        service.highlights.status().pending[0].exports[0].written_bytes > 0
    });
    // Facts are noted behind a sync.
    let facts = place.storage().join(format!("tmp/{press}.court1.facts"));
    let noted = || std::fs::read_to_string(&facts).map_or(0, |text| text.lines().count());
    until("facts of the clip", || noted() >= 20);
    service.leave();
    (press, camera.pause())
}

#[test]
fn a_press_left_in_the_middle_goes_on_in_the_same_ring() {
    let place = Place::new(&["court1"]);
    let camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 3_000, 2_500));
    service.leave();
    let outcome = next_start(&place, this_boot(), &press);
    drop(camera);
    assert_eq!(outcome.status, Status::Queued);
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    assert!((5_500..5_550).contains(&outcome.duration_ms));
}

#[test]
fn a_press_whose_unfinished_file_is_there_is_taken_up_where_it_was() {
    let place = Place::new(&["court1"]);
    let camera = place.camera("court1", 5).live();
    let service = place.start();
    let press = service.press(&place.request(now(), 3_000, 4_000));
    let facts = place.storage().join(format!("tmp/{press}.court1.facts"));
    let noted = || std::fs::read_to_string(&facts).map_or(0, |text| text.lines().count());
    until("facts of the clip", || noted() >= 20);
    service.leave();
    let outcome = next_start(&place, this_boot(), &press);
    drop(camera);
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    assert!((7_000..7_050).contains(&outcome.duration_ms));
}

#[test]
fn after_a_power_cut_the_clip_is_what_had_reached_the_disk() {
    let place = Place::new(&["court1"]);
    let (press, _camera) = left_in_the_middle(&place, 25_000);
    let outcome = next_start(&place, another_boot(), &press);
    assert_eq!(outcome.status, Status::Queued);
    assert_eq!(outcome.ended, Some(Ended::Power));
    assert!(
        outcome.duration_ms > 500 && outcome.duration_ms < 28_000,
        "{outcome:?}"
    );
}

#[test]
fn a_power_cut_before_anything_reached_the_disk_leaves_a_sidecar_that_says_so() {
    let place = Place::new(&["court1"]);
    let (press, _camera) = left_in_the_middle(&place, 25_000);
    for entry in std::fs::read_dir(place.storage().join("tmp")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let outcome = next_start(&place, another_boot(), &press);
    assert_eq!(outcome.status, Status::None);
    let reason = outcome.reason.unwrap();
    assert!(reason.contains("the power went before"), "{reason}");
}

#[test]
fn without_its_ring_a_restart_makes_the_clip_of_what_was_written() {
    let place = Place::new(&["court1"]);
    let (press, camera) = left_in_the_middle(&place, 25_000);
    drop(camera);
    std::fs::remove_file(place.rings.path().join("hindsight-court1")).unwrap();
    let outcome = next_start(&place, this_boot(), &press);
    assert_eq!(outcome.ended, Some(Ended::Restart), "{outcome:?}");
}

#[test]
fn a_window_over_two_rings_is_one_clip() {
    let place = Place::new(&["court1"]);
    let (press, camera) = left_in_the_middle(&place, 6_000);
    drop(camera);
    // Another size: the ring is replaced, as after a change of the configuration.
    let mut camera = Feeder::new(place.rings.path(), "court1", 60, now());
    camera.until(now());
    let _live = camera.live();
    let outcome = next_start(&place, this_boot(), &press);
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    assert!((9_000..9_100).contains(&outcome.duration_ms), "{outcome:?}");
    let sidecar = Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
    assert!(!sidecar.gaps.is_empty());
}

#[test]
fn a_press_is_exported_from_the_ring_that_was_replaced() {
    let place = Place::new(&["court1"]);
    let camera = place.camera("court1", 8);
    let service = place.start();
    // Its window is not over: nothing of it is made yet.
    let press = service.press(&place.request(now(), 3_000, 2_000));
    service.leave();
    drop(camera);
    for entry in std::fs::read_dir(place.storage().join("tmp")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let old = RingReader::open(place.rings.path(), &crate::rig::id("court1")).unwrap();
    let camera = Feeder::new(place.rings.path(), "court1", 60, now());
    let _live = camera.live();
    assert!(old.ended());
    let old_rings = vec![(crate::rig::id("court1"), old)];
    let service = start(&place, this_boot(), old_rings, Disk::default());
    service.outcomes(&press);
    // Nobody needs it any more: its memory is given back.
    let until = std::time::Instant::now() + PATIENCE;
    while unlinked_rings_are_mapped(&place) {
        assert!(std::time::Instant::now() < until, "the ring is kept");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let outcome = finished(&place, &press, service);
    assert_eq!(outcome.status, Status::Queued);
    assert_eq!(outcome.ended, Some(Ended::Complete), "{outcome:?}");
    assert!((5_000..5_100).contains(&outcome.duration_ms), "{outcome:?}");
}

fn unlinked_rings_are_mapped(place: &Place) -> bool {
    let rings = place.rings.path().to_str().unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .any(|line| line.contains(rings) && line.ends_with("(deleted)"))
}

/// Refuses calls on files with this ending, so many times.
struct Hidden(DiskCall, &'static str, AtomicUsize);

impl Hidden {
    fn disk(call: DiskCall, ending: &'static str, times: usize) -> Disk {
        Disk::with_faults(Arc::new(Hidden(call, ending, AtomicUsize::new(times))))
    }
}

impl Faults for Hidden {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault> {
        let meant = call == self.0 && path.extension()? == self.1;
        let hit = meant
            && self
                .2
                .fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1))
                .is_ok();
        hit.then_some(DiskFault::Error(Errno::EIO))
    }
}

#[test]
fn a_clip_that_could_not_be_looked_for_is_not_said_to_be_missing() {
    let (place, press, first, _) = committed_without_its_sidecar();
    // More often than a clip without footage is tried.
    let disk = Hidden::disk(DiskCall::Open, "mp4", 9);
    let outcome = finished(
        &place,
        &press,
        start(&place, another_boot(), Vec::new(), disk),
    );
    assert_eq!(outcome, first);
}

#[test]
fn what_had_reached_the_disk_is_not_thrown_away_for_a_ring_of_another_boot() {
    let place = Place::new(&["court1"]);
    let (press, _camera) = left_in_the_middle(&place, 25_000);
    // The ring of this boot has entries at the same positions, as it happens.
    let disk = Hidden::disk(DiskCall::Open, "facts", 3);
    let service = start(&place, another_boot(), Vec::new(), disk);
    let outcome = finished(&place, &press, service);
    assert_eq!(outcome.ended, Some(Ended::Power), "{outcome:?}");
}

#[test]
fn a_sidecar_that_could_not_be_read_is_not_written_anew() {
    let place = Place::new(&["court1"]);
    let camera = place.camera("court1", 8);
    let service = place.start();
    let press = service.press(&place.request(now(), 3_000, 20_000));
    service.leave();
    drop(camera);
    // An earlier run had given it up, and died before it could say that it was done with it.
    let held = journal::pending(&place.storage()).unwrap().pending;
    let taken = &held[0];
    let about = About {
        press: &taken.press,
        camera_name: "",
        court: None,
        camera_id: &taken.cameras[0].id,
        latency_ms: 0,
        timezone: &jiff::tz::TimeZone::UTC,
    };
    let told = Sentence {
        code: "clip_disk_failed".to_owned(),
        args: Default::default(),
        text: "the disk failed".to_owned(),
    };
    let told = Sidecar::without_clip(&about, &told);
    let folder = format!("highlights/{}/{press}", taken.press.folder);
    let folder = place.storage().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("court1.json"), told.to_bytes()).unwrap();
    let disk = Hidden::disk(DiskCall::Read, "json", 1);
    let outcome = finished(&place, &press, start(&place, this_boot(), Vec::new(), disk));
    assert_eq!(outcome.reason.as_deref(), Some("the disk failed"));
    assert!(!folder.join("court1.mp4").exists());
}

#[test]
fn a_clip_that_says_nothing_about_itself_gets_the_sidecar_that_its_index_gives() {
    let (outcome, first) = without_its_sidecar(|clip| {
        let mut bytes = std::fs::read(clip).unwrap();
        let at = bytes
            .windows(8)
            .position(|eight| eight == b"HINDSRPT")
            .unwrap();
        bytes[at] = b'-';
        std::fs::write(clip, bytes).unwrap();
    });
    assert_eq!(outcome.status, Status::Queued);
    assert_eq!(outcome.ended, Some(Ended::Restart));
    assert_eq!(outcome.duration_ms, first.duration_ms);
}

#[test]
fn a_clip_without_sidecar_gets_the_sidecar_that_it_would_have_had() {
    let (outcome, first) = without_its_sidecar(|_| {});
    assert_eq!(outcome, first);
}

/// A run that ended between clip and sidecar: what the next one says, and what it had said.
fn without_its_sidecar(then: impl Fn(&Path)) -> (Outcome, Outcome) {
    let (place, press, first, before) = committed_without_its_sidecar();
    let clip = first.clip.clone().unwrap();
    let bytes = std::fs::read(&clip).unwrap();
    then(&clip);
    let untouched = bytes == std::fs::read(&clip).unwrap();
    let outcome = next_start(&place, another_boot(), &press);
    let after = std::fs::read(&first.sidecar).unwrap();
    assert_eq!(after == before, untouched);
    (outcome, first)
}

/// A press whose clip is there and whose sidecar is not; and what that had said.
fn committed_without_its_sidecar() -> (Place, PressId, Outcome, Vec<u8>) {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 6);
    let service = place.start();
    let press = service.press(&place.request(now() - SECOND, 3_000, 0));
    let first = service.outcomes(&press)[0].clone();
    service.leave();
    let before = std::fs::read(&first.sidecar).unwrap();
    let journaled = Sidecar::from_bytes(&before).unwrap();
    std::fs::remove_file(&first.sidecar).unwrap();
    press_again_into_the_journal(&place, &press, &journaled);
    (place, press, first, before)
}

/// Puts a retired press back, as if the service had died before its sidecar.
fn press_again_into_the_journal(place: &Place, press: &PressId, sidecar: &Sidecar) {
    use hindsight::cut::Certainty;
    use hindsight::cut::{Plan, Window};
    use hindsight::highlight::journal::{CameraRecord, Journal, PressRecord};

    let folder = sidecar.created_at[..10].to_owned();
    let window = Window {
        press_mono_ns: sidecar.clock.press_mono_ns,
        latency_ms: sidecar.clock.latency_ms,
        pre_ms: 3_000,
        post_ms: 0,
    };
    let taken = PressRecord {
        press: hindsight::base::Press {
            id: press.clone(),
            boot_id: sidecar.clock.boot_id,
            instant_mono_ns: window.press_mono_ns,
            pre_ms: 3_000,
            post_ms: 0,
            source: sidecar.source,
            button: sidecar.button.clone(),
            cameras: vec![sidecar.camera.id.clone()],
            folder,
            wall_unix_ns: sidecar
                .created_at
                .parse::<jiff::Timestamp>()
                .unwrap()
                .as_nanosecond()
                .try_into()
                .unwrap(),
            wall_synchronised: sidecar.clock.wall_synchronised,
        },
        cameras: vec![CameraRecord {
            id: sidecar.camera.id.clone(),
            name: sidecar.camera.name.clone(),
            court: sidecar.court.clone(),
            plan: Plan {
                certainty: Certainty::Certain,
                audio: true,
                ..Plan::unmade(window)
            },
            witnesses: Vec::new(),
        }],
    };
    let (journal, _) = Journal::open(&Disk::default(), &place.storage()).unwrap();
    let noted = journal.note(&taken).unwrap();
    journal.take(noted, Arc::new(taken)).unwrap();
}

#[test]
fn what_nobody_needs_is_swept_and_a_clip_is_never_deleted() {
    let place = Place::new(&["court1"]);
    place.start().leave();
    let stray = place.storage().join("tmp/stray.part");
    let clip: PathBuf = place.storage().join("highlights/2026-01-02/p/court1.mp4");
    std::fs::write(&stray, b"x").unwrap();
    std::fs::create_dir_all(clip.parent().unwrap()).unwrap();
    std::fs::write(&clip, b"a clip of somebody").unwrap();
    place.start().leave();
    assert!(!stray.exists());
    assert_eq!(std::fs::read(&clip).unwrap(), b"a clip of somebody");
}

#[test]
fn when_the_clock_is_set_times_are_corrected_and_names_stay() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 6);
    let clock = Arc::new(SimClock::at(now(), 0));
    let stop = Stop::default();
    let settings = place.settings(this_boot(), Vec::new());
    let highlights = Highlights::start(settings, clock.clone(), stop.clone()).unwrap();
    let service = Running { highlights, stop };
    let instant = place.filled() - 2 * SECOND;
    let press = service.press(&place.request(instant, 1_000, 0));
    let outcome = service.outcomes(&press)[0].clone();
    let read = || Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
    assert!(outcome.sidecar.to_string_lossy().contains("/undated/"));
    assert!(!read().clock.wall_synchronised);
    let before = read();
    // 2026-11-21T12:00:00Z, now.
    clock.set_wall(1_795_262_400_000_000_000, true);
    let until = std::time::Instant::now() + PATIENCE;
    while !read().clock.wall_synchronised {
        assert!(std::time::Instant::now() < until, "never corrected");
        std::thread::yield_now();
    }
    let after = read();
    assert!(
        after.created_at.starts_with("2026-11-21T08:59:5"),
        "{}",
        after.created_at
    );
    assert_eq!(after.sha256, before.sha256);
    assert!(outcome.clip.as_ref().unwrap().is_file());
    let press = service.press(&place.request(instant, 1_000, 0));
    let next = &service.outcomes(&press)[0];
    assert!(next.sidecar.to_string_lossy().contains("/2026-11-21/"));
    // The wall clock went from 1970 to 2026: the same instant is the same window.
    let window = |outcome: &Outcome| {
        let sidecar = Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
        let mapping = sidecar.clock.mapping.unwrap().press_90k;
        (mapping, sidecar.pre_seconds, outcome.duration_ms)
    };
    assert_eq!(window(next), window(&outcome));
    place.verify_is_clean("after the clock was set");
}
