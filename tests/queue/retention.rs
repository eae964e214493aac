//! What is deleted, when, and in which order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use hindsight::base::{Clock, SimClock};
use hindsight::disk::{Disk, DiskCall, DiskFault, Faults};
use hindsight::queue::Settings;
use hindsight::queue::sidecar::{Removed, Sidecar, Status, rfc3339};

use crate::highlights::now;
use crate::rig::*;
use crate::roomy::roomy;

/// 2026-11-21T12:00:00Z.
pub const NOW_UNIX_NS: i64 = 1_795_262_400_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;

/// A disk on which nothing is free while the switch is on.
pub struct Narrow(pub AtomicBool);

impl Faults for Narrow {
    fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
        (call == DiskCall::Space && self.0.load(SeqCst)).then_some(DiskFault::Short(0))
    }
}

pub fn narrow() -> Disk {
    Disk::with_faults(Arc::new(Narrow(AtomicBool::new(true))))
}

/// A clock that somebody vouches for.
fn clock() -> Arc<dyn Clock> {
    let clock = SimClock::at(now(), NOW_UNIX_NS);
    clock.set_wall(NOW_UNIX_NS, true);
    Arc::new(clock)
}

fn days_ago(days: i64) -> String {
    rfc3339(NOW_UNIX_NS - days * DAY_NS, &jiff::tz::TimeZone::UTC)
}

/// Pressed and last changed so many days ago.
fn aged(yard: &Yard, n: u32, status: Status, days: i64) {
    yard.add_as(n, |sidecar: &mut Sidecar| {
        sidecar.status = status;
        sidecar.created_at = days_ago(days);
        sidecar.updated_at = Some(days_ago(days));
        if status == Status::Failed {
            sidecar.stage = Some(hindsight::queue::sidecar::Stage::Upload);
            sidecar.last_error = Some("403".to_owned());
        }
    });
}

fn start(
    yard: &Yard,
    disk: Disk,
    targets: &[Arc<Far>],
    change: impl FnOnce(&mut Settings),
) -> Service {
    let maker = Arc::new(Maker::new());
    Service::start(&yard.storage(), disk, &maker, targets, clock(), change)
}

fn there(yard: &Yard, count: u32) -> Vec<u32> {
    (0..count).filter(|n| yard.sidecar(*n).exists()).collect()
}

#[test]
fn uploaded_ones_go_after_seven_days_with_all_their_files_and_folders() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Uploaded, 8);
    aged(&yard, 1, Status::Uploaded, 6);
    let far = Arc::new(Far::new(&yard, "club"));
    let service = start(&yard, roomy(), std::slice::from_ref(&far), |_| {});
    until("the old one", || there(&yard, 2) == [1]);
    service.settled();
    service.leave();
    assert!(!yard.sidecar(0).parent().unwrap().exists());
    assert_eq!(far.calls(), 0);
    yard.is_clean("one went");
}

#[test]
fn without_targets_they_go_after_keep_and_never_where_it_is_off() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Watermarked, 31);
    aged(&yard, 1, Status::Watermarked, 29);
    let service = start(&yard, narrow(), &[], |_| {});
    service.settled();
    until("a look at the disk", || {
        service.queue.disk().total_bytes > 0
    });
    service.leave();
    assert_eq!(there(&yard, 2), [0, 1], "not even on a full disk");
    let keep = |settings: &mut Settings| settings.queue.keep_ms = Some(30 * 86_400_000);
    let service = start(&yard, roomy(), &[], keep);
    until("the old one", || there(&yard, 2) == [1]);
    service.leave();
    yard.is_clean("one went");
}

#[test]
fn on_a_full_disk_uploaded_ones_go_and_nothing_else_ever_does() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Failed, 40);
    aged(&yard, 1, Status::Uploaded, 2);
    aged(&yard, 2, Status::Uploaded, 1);
    aged(&yard, 3, Status::QueuedRetry, 30);
    let far = Far::answering(&yard, "club", |_, _, _| refused());
    let service = start(&yard, narrow(), &[far], |_| {});
    until("room", || there(&yard, 4) == [0, 3]);
    until("a second look", || {
        !service.queue.status().waiting.is_empty()
    });
    let status = service.queue.status();
    assert!(status.disk_used_percent > 85, "{status:?}");
    service.leave();
    assert_eq!(there(&yard, 4), [0, 3]);
    yard.is_clean("a full disk");
}

#[test]
fn nothing_goes_by_age_while_nobody_vouches_for_the_clock() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Uploaded, 400);
    let far = Arc::new(Far::new(&yard, "club"));
    let sim = SimClock::at(now(), NOW_UNIX_NS);
    let maker = Arc::new(Maker::new());
    let targets = std::slice::from_ref(&far);
    let clock: Arc<dyn Clock> = Arc::new(sim);
    let service = Service::start(&yard.storage(), roomy(), &maker, targets, clock, |_| {});
    service.settled();
    until("a look at the disk", || {
        service.queue.disk().total_bytes > 0
    });
    service.leave();
    assert_eq!(there(&yard, 1), [0]);
}

#[test]
fn those_of_a_clock_that_was_never_set_begin_to_age_when_it_is() {
    let yard = Yard::new(0);
    yard.add_as(0, |sidecar| {
        sidecar.status = Status::Uploaded;
        sidecar.created_at = "1970-01-01T00:03:00.000+00:00".to_owned();
        sidecar.updated_at = Some("1970-01-01T00:04:00.000+00:00".to_owned());
    });
    let far = Arc::new(Far::new(&yard, "club"));
    let service = start(&yard, roomy(), std::slice::from_ref(&far), |_| {});
    until("its stamp", || {
        yard.read(0).updated_at.as_deref() == Some(days_ago(0).as_str())
    });
    service.leave();
    yard.is_clean("stamped");
}

#[test]
fn a_press_that_is_not_done_with_keeps_its_highlights() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Uploaded, 9);
    let (inbox, mail) = hindsight::queue::inbox();
    let stop = hindsight::base::Stop::default();
    let far: Vec<Arc<dyn hindsight::queue::work::UploadTarget>> =
        vec![Arc::new(Far::new(&yard, "club"))];
    let queue = hindsight::queue::Queue::start(
        settings(true),
        mail,
        Arc::new(Maker::new()),
        far,
        clock(),
        stop.clone(),
    )
    .unwrap();
    let lock = hindsight::disk::Lock::take(&yard.storage().join("lock"));
    let sidecars = hindsight::queue::store::Sidecars::new(
        roomy(),
        hindsight::storage::StorageLayout::new(yard.storage()),
        Arc::new(lock.unwrap().unwrap()),
    );
    let asked = Arc::new(AtomicBool::new(false));
    let settled = {
        let asked = asked.clone();
        move |_: &hindsight::base::PressId| {
            asked.store(true, SeqCst);
            false
        }
    };
    inbox.opened(Arc::new(sidecars), settled);
    until("the question", || asked.load(SeqCst));
    stop.raise(hindsight::base::StopLevel::Finish);
    queue.join();
    assert_eq!(yard.read(0).removed, None);
}

#[test]
fn a_removal_that_was_cut_short_is_brought_to_its_end() {
    let yard = Yard::new(0);
    for n in 0..2 {
        yard.add_as(n, |sidecar| {
            sidecar.status = Status::Uploaded;
            sidecar.removed = Some(Removed::All);
        });
    }
    std::fs::remove_file(yard.sidecar(0).with_extension("mp4")).unwrap();
    let service = yard.start(&Arc::new(Maker::new()), &[]);
    until("both", || there(&yard, 2).is_empty());
    service.leave();
    assert_eq!(names_in(&yard.storage().join("highlights")), [""; 0]);
    yard.is_clean("removed");
}

#[test]
fn others_of_the_same_press_stay() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Uploaded, 9);
    aged(&yard, 1, Status::Failed, 9);
    // The second camera of the first press.
    let folder = yard.sidecar(0).parent().unwrap().to_owned();
    for end in ["json", "mp4"] {
        let from = yard.sidecar(1).with_extension(end);
        std::fs::rename(from, folder.join(format!("court2.{end}"))).unwrap();
    }
    std::fs::remove_dir(yard.sidecar(1).parent().unwrap()).unwrap();
    let other = folder.join("court2.json");
    let mut sidecar = Sidecar::from_bytes(&std::fs::read(&other).unwrap()).unwrap();
    sidecar.press_id = press_id(0);
    sidecar.camera.id = crate::feeder::id("court2");
    sidecar.file_name = Some("court2.mp4".to_owned());
    std::fs::write(&other, sidecar.to_bytes()).unwrap();
    let far = Far::answering(&yard, "club", |_, _, _| refused());
    let service = start(&yard, roomy(), &[far], |_| {});
    until("the first", || !yard.sidecar(0).exists());
    service.leave();
    assert_eq!(names_in(&folder), ["court2.json", "court2.mp4"]);
    yard.is_clean("one camera went");
}

#[test]
fn the_room_that_is_left_is_told_in_days() {
    let yard = Yard::new(0);
    aged(&yard, 0, Status::Failed, 1);
    let service = start(&yard, roomy(), &[], |_| {});
    until("a look at the disk", || {
        service.queue.disk().total_bytes > 0
    });
    let status = service.queue.status();
    assert!(
        status.disk_days_left.is_some_and(|days| days > 10),
        "{status:?}"
    );
    service.leave();
}
