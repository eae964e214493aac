//! `retry` and `drop` on a storage without a service.

use std::sync::Arc;

use hindsight::base::RealClock;
use hindsight::disk::Lock;
use hindsight::queue::manual::Still;
use hindsight::queue::sidecar::{Stage, Status};
use hindsight::queue::{QueueError, Which};
use jiff::tz::TimeZone;

use crate::rig::*;

fn given_up(yard: &Yard, n: u32) {
    yard.add_as(n, |sidecar| {
        sidecar.status = Status::Failed;
        sidecar.stage = Some(Stage::Finish);
        sidecar.attempts = 3;
        sidecar.last_error = Some("FFmpeg crashed".to_owned());
    });
}

fn still(yard: &Yard) -> Still {
    Still::read(&yard.storage(), &settings(true).queue, Vec::new())
}

#[test]
fn what_was_given_up_is_listed_and_tried_again_at_the_next_start() {
    let yard = Yard::new(1);
    given_up(&yard, 1);
    let listed = still(&yard).list(&RealClock);
    assert_eq!(listed.len(), 2);
    let failed = listed.iter().find(|job| job.status == Status::Failed);
    assert_eq!(
        failed.unwrap().last_error.as_ref().map(|e| e.text.as_str()),
        Some("FFmpeg crashed")
    );
    let ids = still(&yard).retry(&Which::Failed, &RealClock, &TimeZone::UTC);
    assert_eq!(ids.unwrap(), [format!("{}/court1", press_id(1))]);
    assert_eq!(yard.read(1).status, Status::Queued);
    let service = yard.start(&Arc::new(Maker::new()), &[]);
    service.settled();
    service.leave();
    assert_eq!(in_state(&yard, 2, Status::Watermarked), 2);
    yard.is_clean("tried again");
}

#[test]
fn a_dropped_job_is_passed_over_at_the_next_start() {
    let yard = Yard::new(2);
    let id = press_id(1).to_string();
    still(&yard)
        .drop_job(&id, &RealClock, &TimeZone::UTC)
        .unwrap();
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    assert_eq!(maker.calls(), 1);
    assert!(yard.read(1).dropped);
}

#[test]
fn an_id_must_be_known_and_fit_one_press() {
    let yard = Yard::new(2);
    let try_again = |id: &str| {
        let which = Which::Id(id.to_owned());
        still(&yard).retry(&which, &RealClock, &TimeZone::UTC)
    };
    assert_eq!(
        try_again("ffff").unwrap_err(),
        QueueError::Unknown {
            job: "ffff".to_owned()
        }
    );
    assert_eq!(
        try_again("court1").unwrap_err(),
        QueueError::Ambiguous {
            job: "court1".to_owned(),
            count: 2
        }
    );
    assert_eq!(
        try_again("").unwrap_err(),
        QueueError::Unknown { job: String::new() }
    );
    assert!(try_again("00000001/court1").is_ok());
}

#[test]
fn a_storage_that_a_service_holds_is_not_touched() {
    let yard = Yard::new(1);
    given_up(&yard, 0);
    let before = std::fs::read(yard.sidecar(0)).unwrap();
    let held = Lock::take(&yard.storage().join("lock")).unwrap().unwrap();
    let refused = still(&yard).retry(&Which::Failed, &RealClock, &TimeZone::UTC);
    assert!(
        matches!(refused, Err(QueueError::Locked { .. })),
        "{refused:?}"
    );
    drop(held);
    assert_eq!(std::fs::read(yard.sidecar(0)).unwrap(), before);
}
