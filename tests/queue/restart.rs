//! Many jobs, and what a start finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use hindsight::config;
use hindsight::queue::Settings;
use hindsight::queue::sidecar::Status;
use hindsight::queue::work::Failure;

use crate::feeder::SECOND;
use crate::rig::*;
use crate::roomy::roomy;

fn once_each(mut done: Vec<String>, count: u32) {
    done.sort();
    let all: Vec<String> = (0..count)
        .map(|n| format!("{}-court1", press_id(n)))
        .collect();
    assert_eq!(done, all);
}

#[test]
fn five_hundred_jobs_and_a_restart_in_the_middle_are_all_done_once() {
    const COUNT: u32 = 500;
    let yard = Yard::new(COUNT);
    let targets = ["club", "cloud"].map(|id| Arc::new(Far::new(&yard, id)));
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &targets);
    until("a part of it", || targets[1].done().len() > 100);
    service.leave();
    assert!(targets[1].done().len() < 500, "nothing was left to do");
    let service = yard.start(&maker, &targets);
    service.settled();
    assert_eq!(service.queue.status().counts.done, u64::from(COUNT));
    service.leave();
    once_each(maker.made(), COUNT);
    for target in &targets {
        once_each(target.done(), COUNT);
    }
    assert_eq!(in_state(&yard, COUNT, Status::Uploaded), 500);
    yard.is_clean("five hundred");
}

#[test]
fn the_newest_goes_first_and_every_fourth_slot_to_the_oldest() {
    let yard = Yard::new(0);
    for n in 0..6 {
        yard.add(n, u64::from(60 - n) * SECOND);
    }
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    let order: Vec<String> = [5, 4, 3, 0, 2, 1]
        .map(|n| format!("{}-court1", press_id(n)))
        .to_vec();
    assert_eq!(maker.made(), order);
}

#[test]
fn those_of_earlier_boots_go_oldest_first_behind_what_is_young() {
    let yard = Yard::new(1);
    for (n, day) in [(1, "2026-11-02"), (2, "2026-11-01"), (3, "2026-11-03")] {
        yard.add_as(n, |sidecar| {
            sidecar.clock.boot_id = hindsight::base::BootId([9; 16]);
            sidecar.created_at = format!("{day}T10:00:00.000+00:00");
        });
    }
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    let order: Vec<String> = [0, 2, 1, 3]
        .map(|n| format!("{}-court1", press_id(n)))
        .to_vec();
    assert_eq!(maker.made(), order);
}

#[test]
fn what_was_finished_and_not_written_down_is_taken_as_it_is() {
    let yard = Yard::new(1);
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    // As a kill between the names and the sidecar leaves it.
    let mut sidecar = original().sidecar.clone();
    sidecar.press_id = press_id(0);
    sidecar.status = Status::Finishing;
    std::fs::write(yard.sidecar(0), sidecar.to_bytes()).unwrap();
    let never = Maker::answering(|_, _, _| {
        Some(Failure::Permanent {
            why: said("it was finished already"),
        })
    });
    let service = yard.start(&never, &[]);
    service.settled();
    service.leave();
    assert_eq!(never.calls(), 0);
    let sidecar = yard.read(0);
    assert_eq!(sidecar.status, Status::Watermarked);
    assert_eq!(sidecar.thumbnail_path.as_deref(), Some("court1.jpg"));
    yard.is_clean("taken as it is");
}

#[test]
fn a_marked_video_that_is_of_another_clip_is_made_anew() {
    let yard = Yard::new(1);
    std::fs::write(yard.sidecar(0).with_extension("marked.mp4"), b"garbage").unwrap();
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    assert_eq!(maker.calls(), 1);
    yard.is_clean("made anew");
}

#[test]
fn a_target_that_the_configuration_has_no_more_is_waited_for_no_more() {
    let yard = Yard::new(1);
    let gone = Far::answering(&yard, "gone", |_, _, _| refused());
    let here = Arc::new(Far::new(&yard, "here"));
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[gone, here.clone()]);
    until("the other", || here.done().len() == 1);
    service.leave();
    let service = yard.start(&maker, std::slice::from_ref(&here));
    until("uploaded", || yard.read(0).status == Status::Uploaded);
    service.leave();
    assert_eq!(here.done().len(), 1);
    // One that is new gets what is not uploaded, and nothing of what is.
    let new = Arc::new(Far::new(&yard, "new"));
    yard.add(1, SECOND);
    let service = yard.start(&maker, &[here.clone(), new.clone()]);
    service.settled();
    service.leave();
    once_each(
        new.done()
            .into_iter()
            .chain(here.done())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect(),
        2,
    );
    assert_eq!(new.done().len(), 1);
}

/// The most jobs at which somebody was at work together, with so many finishers.
fn most_at_once(finish_jobs: usize) -> u32 {
    let yard = Yard::new(6);
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let maker = {
        let (now, most) = (now.clone(), most.clone());
        Maker::answering(move |_, _, _| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            // Whoever else may begin has the time to.
            std::thread::sleep(Duration::from_millis(20));
            until("the others", || most.load(SeqCst) as usize >= finish_jobs);
            now.fetch_sub(1, SeqCst);
            None
        })
    };
    let change = |settings: &mut Settings| settings.finish_jobs = finish_jobs;
    let service = yard.start_with(roomy(), &maker, &[], change);
    service.settled();
    service.leave();
    assert_eq!(maker.made().len(), 6);
    most.load(SeqCst)
}

#[test]
fn clips_are_finished_one_at_a_time_unless_the_configuration_wants_more() {
    assert_eq!(config::Finish::default().jobs, 1);
    assert_eq!(most_at_once(1), 1);
    assert_eq!(most_at_once(3), 3);
}
