//! Highlights and the queue on one storage.

use std::sync::Arc;

use hindsight::base::{BootId, Clock, RealClock, SimClock, Stop, StopLevel};
use hindsight::highlight::{Highlights, Tuning};
use hindsight::queue::sidecar::{Sidecar, Status};
use hindsight::queue::work::{Finisher, UploadTarget};
use hindsight::queue::{Queue, inbox};

use crate::feeder::SECOND;
use crate::highlights::{Place, now};
use crate::rig::{Far, Maker, PATIENCE, Yard, refused, settings, until};
use crate::roomy::roomy;

struct Both {
    highlights: Highlights,
    queue: Queue,
    stop: Stop,
}

fn start(place: &Place, clock: &Arc<dyn Clock>, far: &Arc<Far>) -> Both {
    let (inbox, mail) = inbox();
    let stop = Stop::default();
    let queue = Queue::start(
        settings(true),
        mail,
        Arc::new(Maker::new()) as Arc<dyn Finisher>,
        vec![far.clone() as Arc<dyn UploadTarget>],
        clock.clone(),
        stop.clone(),
    );
    let mut wanted = place.settings(BootId::of_this_boot().unwrap(), Vec::new());
    wanted.queue = Some(inbox);
    let tuning = Tuning {
        disk: roomy(),
        ..Tuning::default()
    };
    Both {
        highlights: Highlights::start_with(wanted, clock.clone(), stop.clone(), tuning).unwrap(),
        queue: queue.unwrap(),
        stop,
    }
}

impl Both {
    fn leave(self) {
        self.stop.raise(StopLevel::Now);
        self.highlights.drain(|_| {});
        self.queue.join();
        drop(self.highlights);
    }
}

#[test]
fn a_press_is_uploaded_and_the_storage_is_clean() {
    let place = Place::new(&["court1", "court2"]);
    let _cameras = ["court1", "court2"].map(|name| place.camera(name, 6));
    let yard = Yard::new(0);
    let far = Arc::new(Far::new(&yard, "club"));
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let both = start(&place, &clock, &far);
    let request = place.request(place.filled() - 2 * SECOND, 1_000, 0);
    let press = both.highlights.press(&request).unwrap().press.id;
    until("both uploads", || both.queue.status().counts.done == 2);
    let outcomes = both.highlights.wait(&press, PATIENCE).unwrap();
    for outcome in &outcomes {
        let sidecar = Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
        assert_eq!(sidecar.status, Status::Uploaded);
    }
    both.leave();
    assert_eq!(far.done().len(), 2);
    place.verify_is_clean("uploaded");
    // The next start takes nothing up that is done.
    let both = start(&place, &clock, &far);
    until("a look at what is there", || both.queue.status().ready);
    assert_eq!(both.queue.status().counts.done, 2);
    both.leave();
    assert_eq!(far.calls(), 2);
}

#[test]
fn a_clock_that_is_set_while_the_queue_is_at_work_corrects_and_loses_nothing() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 6);
    let yard = Yard::new(0);
    let far = Far::answering(&yard, "club", |_, call, _| refused().filter(|_| call < 200));
    let sim = Arc::new(SimClock::at(now(), 0));
    let clock: Arc<dyn Clock> = sim.clone();
    let both = start(&place, &clock, &far);
    let request = place.request(place.filled() - 2 * SECOND, 1_000, 0);
    let press = both.highlights.press(&request).unwrap().press.id;
    let outcome = both.highlights.wait(&press, PATIENCE).unwrap().remove(0);
    let read = || Sidecar::from_bytes(&std::fs::read(&outcome.sidecar).unwrap()).unwrap();
    until("the queue to be at it", || {
        sim.advance_ns(20_000_000);
        far.calls() > 3
    });
    assert!(!read().clock.wall_synchronised);
    // 2026-11-21T12:00:00Z.
    sim.set_wall(1_795_262_400_000_000_000, true);
    until("the correction", || {
        sim.advance_ns(20_000_000);
        read().clock.wall_synchronised
    });
    until("the upload", || {
        sim.advance_ns(20_000_000);
        read().status == Status::Uploaded
    });
    let sidecar = read();
    assert!(
        sidecar.created_at.starts_with("2026-11-21T"),
        "{}",
        sidecar.created_at
    );
    assert!(sidecar.clock.wall_synchronised && sidecar.wm_path.is_some());
    both.leave();
    place.verify_is_clean("after the clock was set");
}

#[test]
fn below_the_reserve_no_press_is_taken_and_the_message_says_what_to_do() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 6);
    let mut wanted = place.settings(BootId::of_this_boot().unwrap(), Vec::new());
    wanted.reserve_bytes = 1 << 60;
    let stop = Stop::default();
    let highlights = Highlights::start(wanted, Arc::new(RealClock), stop.clone()).unwrap();
    let request = place.request(place.filled() - 2 * SECOND, 1_000, 0);
    let refused = highlights.press(&request).unwrap_err().to_string();
    assert!(refused.contains("delete old highlights"), "{refused}");
    stop.raise(StopLevel::Now);
    highlights.drain(|_| {});
}
