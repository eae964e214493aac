//! What one job goes through, and what a failure costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use hindsight::base::StopLevel;
use hindsight::queue::sidecar::{Removed, Stage, Status, UploadStatus};
use hindsight::queue::work::Failure;
use hindsight::queue::{Event, Which};
use serde_json::{Value, json};

use crate::feeder::SECOND;
use crate::rig::*;
use crate::roomy::roomy;

fn conforms(yard: &Yard, n: u32) {
    let schema: Value =
        serde_json::from_str(include_str!("../../schemas/sidecar.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let sidecar: Value = serde_json::from_slice(&std::fs::read(yard.sidecar(n)).unwrap()).unwrap();
    let errors: Vec<String> = schema
        .iter_errors(&sidecar)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_clip_is_finished_and_uploaded_to_every_target() {
    let yard = Yard::new(1);
    let targets = ["club", "cloud"].map(|id| Arc::new(Far::new(&yard, id)));
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &targets);
    service.settled();
    let events: Vec<Event> = service.events.try_iter().collect();
    assert!(
        matches!(
            &events[0],
            Event::Began {
                stage: Stage::Finish,
                ..
            }
        ),
        "{events:?}"
    );
    assert!(matches!(
        events.last().unwrap(),
        Event::Done {
            status: Status::Uploaded,
            ..
        }
    ));
    service.leave();
    let sidecar = yard.read(0);
    assert_eq!(sidecar.status, Status::Uploaded);
    assert_eq!(sidecar.wm_path.as_deref(), Some("court1.marked.mp4"));
    assert_eq!(sidecar.thumbnail_path.as_deref(), Some("court1.jpg"));
    assert_eq!(
        (sidecar.attempts, sidecar.stage, sidecar.last_error),
        (0, None, None)
    );
    let uploads: Vec<(&str, UploadStatus)> = sidecar
        .uploads
        .iter()
        .map(|u| (u.target.as_str(), u.status))
        .collect();
    assert_eq!(
        uploads,
        [
            ("club", UploadStatus::Uploaded),
            ("cloud", UploadStatus::Uploaded)
        ]
    );
    assert!(
        sidecar
            .uploads
            .iter()
            .all(|u| u.place.is_some() && u.resume.is_none())
    );
    conforms(&yard, 0);
    yard.is_clean("uploaded");
}

#[test]
fn without_a_target_nothing_ever_becomes_uploaded() {
    let yard = Yard::new(2);
    let service = yard.start(&Arc::new(Maker::new()), &[]);
    service.settled();
    service.leave();
    assert_eq!(in_state(&yard, 2, Status::Watermarked), 2);
    yard.is_clean("watermarked");
}

#[test]
fn what_needs_no_mark_goes_on_as_it_is() {
    let yard = Yard::new(1);
    let maker = Arc::new(Maker {
        marks: false,
        ..Maker::new()
    });
    let far = Arc::new(Far::new(&yard, "club"));
    let service = yard.start(&maker, std::slice::from_ref(&far));
    service.settled();
    service.leave();
    let sidecar = yard.read(0);
    assert_eq!(
        (sidecar.status, &sidecar.wm_path),
        (Status::Uploaded, &None)
    );
    let there = std::fs::read(far.folder.join(format!("club-{}.mp4", far.done()[0]))).unwrap();
    assert_eq!(there, original().bytes);
    yard.is_clean("uploaded as it is");
}

#[test]
fn three_failures_give_a_job_up_with_the_whole_error_and_retry_begins_anew() {
    let yard = Yard::new(1);
    let mended = Arc::new(AtomicBool::new(false));
    let why = format!("FFmpeg ended with code 1: {}", "long ".repeat(300));
    let maker = {
        let (mended, why) = (mended.clone(), why.clone());
        Maker::answering(move |_, _, _| wrong(&why).filter(|_| !mended.load(SeqCst)))
    };
    let service = yard.start(&maker, &[]);
    service.settled();
    assert_eq!(maker.calls(), 3);
    let sidecar = yard.read(0);
    assert_eq!(
        (sidecar.status, sidecar.stage, sidecar.attempts),
        (Status::Failed, Some(Stage::Finish), 3)
    );
    assert_eq!(sidecar.last_error.as_deref(), Some(why.as_str()));
    conforms(&yard, 0);
    yard.is_clean("given up");
    let listed = service.queue.list();
    assert_eq!(listed[0].last_error.as_ref().map(|e| &e.text), Some(&why));
    assert_eq!(service.queue.status().counts.failed, 1);
    mended.store(true, SeqCst);
    let ids = service.queue.retry(&Which::Failed).unwrap();
    assert_eq!(ids, [format!("{}/court1", press_id(0))]);
    service.settled();
    service.leave();
    let sidecar = yard.read(0);
    assert_eq!((sidecar.status, sidecar.attempts), (Status::Watermarked, 0));
    yard.is_clean("tried again");
}

#[test]
fn nobody_there_waits_for_ever_and_counts_nothing() {
    let yard = Yard::new(3);
    let back = Arc::new(AtomicBool::new(false));
    let far = {
        let back = back.clone();
        Far::answering(&yard, "club", move |_, _, _| {
            refused().filter(|_| !back.load(SeqCst))
        })
    };
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    until("many attempts", || far.calls() > 12);
    let status = service.queue.status();
    let waiting = &status.waiting[0];
    assert_eq!(waiting.target.as_deref(), Some("club"));
    assert_eq!(waiting.why.text, "connection refused");
    let tried: Vec<_> = (0..3).map(|n| yard.read(n)).collect();
    assert!(tried.iter().all(|s| s.attempts == 0), "{tried:#?}");
    assert!(
        tried
            .iter()
            .any(|s| s.stage == Some(Stage::Upload) || s.status == Status::Uploading)
    );
    back.store(true, SeqCst);
    service.settled();
    assert!(service.queue.status().waiting.is_empty());
    service.leave();
    assert_eq!(in_state(&yard, 3, Status::Uploaded), 3);
    yard.is_clean("the net came back");
}

#[test]
fn an_answer_that_says_never_ends_the_job_at_once() {
    let yard = Yard::new(1);
    let far = Far::answering(&yard, "backend", |_, _, _| {
        Some(Failure::Permanent {
            why: said("403 outside_allowed_window"),
        })
    });
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    service.settled();
    service.leave();
    assert_eq!(far.calls(), 1);
    let sidecar = yard.read(0);
    assert_eq!(
        (sidecar.status, sidecar.stage),
        (Status::Failed, Some(Stage::Upload))
    );
    assert_eq!(
        sidecar.last_error.as_deref(),
        Some("403 outside_allowed_window")
    );
}

#[test]
fn one_job_that_is_always_told_later_holds_up_no_other() {
    let yard = Yard::new(6);
    let poisoned = press_id(5);
    let far = Far::answering(&yard, "club", move |job, _, _| {
        refused().filter(|_| job.sidecar.press_id == poisoned)
    });
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    until("the others", || far.done().len() == 5);
    service.leave();
    assert_eq!(in_state(&yard, 5, Status::Uploaded), 5);
    assert_eq!(yard.read(5).attempts, 0);
}

#[test]
fn a_target_that_is_away_keeps_neither_the_other_nor_the_finishing() {
    let yard = Yard::new(4);
    let away = Far::answering(&yard, "away", |_, _, _| refused());
    let here = Arc::new(Far::new(&yard, "here"));
    let maker = Arc::new(Maker::new());
    let service = yard.start(&maker, &[away, here.clone()]);
    until("all at the one that is here", || here.done().len() == 4);
    let status = service.queue.status();
    assert_eq!((status.counts.to_upload, status.counts.done), (4, 0));
    service.leave();
    for n in 0..4 {
        let uploads = yard.read(n).uploads;
        let here = uploads.iter().find(|u| u.target == "here").unwrap();
        assert_eq!(here.status, UploadStatus::Uploaded);
    }
}

#[test]
fn hours_of_the_house_are_no_trouble() {
    let yard = Yard::new(1);
    let far = Far::answering(&yard, "club", |_, call, _| {
        (call == 1).then(|| Failure::Deferred {
            why: said("uploads go from 00:00 to 07:00"),
            again_in_ms: 1,
        })
    });
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    until("a look at the hours", || {
        let status = service.queue.status();
        status.waiting.iter().any(|lane| lane.planned)
    });
    service.settled();
    service.leave();
    let sidecar = yard.read(0);
    assert_eq!(
        (sidecar.status, sidecar.attempts, sidecar.last_error),
        (Status::Uploaded, 0, None)
    );
}

#[test]
fn an_error_inside_costs_one_attempt_and_not_the_queue() {
    let yard = Yard::new(2);
    let maker = Maker::answering(|_, call, _| {
        assert!(call > 1, "a mistake in the program");
        None
    });
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    assert_eq!(in_state(&yard, 2, Status::Watermarked), 2);
    yard.is_clean("after a panic");
}

#[test]
fn the_unmarked_clip_goes_once_the_marked_one_is_proved() {
    let yard = Yard::new(2);
    let maker = Arc::new(Maker::new());
    let far = Arc::new(Far::new(&yard, "club"));
    let without_raw = |settings: &mut hindsight::queue::Settings| settings.queue.keep_raw = false;
    let service = yard.start_with(roomy(), &maker, std::slice::from_ref(&far), without_raw);
    service.settled();
    service.leave();
    for n in 0..2 {
        let sidecar = yard.read(n);
        assert_eq!(
            (sidecar.status, sidecar.removed),
            (Status::Uploaded, Some(Removed::Raw))
        );
        assert!(!yard.sidecar(n).with_extension("mp4").exists());
        assert!(yard.sidecar(n).with_extension("marked.mp4").exists());
        conforms(&yard, n);
    }
    yard.is_clean("without the unmarked clips");
    let list = hindsight::queue::manual::Still::read(
        &yard.storage(),
        &settings(true).queue,
        vec!["club".to_owned()],
    );
    assert!(list.jobs.is_empty(), "{:?}", list.jobs);
}

#[test]
fn an_upload_goes_on_from_what_it_noted() {
    let yard = Yard::new(1);
    let noted = json!({"upload_id": "abc", "parts": [1, 2]});
    let far = Arc::new(Far {
        notes: Some(noted.clone()),
        answer: Box::new(|_, call, _| refused().filter(|_| call == 1)),
        ..Far::new(&yard, "cloud")
    });
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    service.settled();
    service.leave();
    assert_eq!(*far.resumes.lock().unwrap(), [None, Some(noted)]);
    assert_eq!(yard.read(0).uploads[0].resume, None);
}

#[test]
fn a_stop_leaves_the_job_as_it_was_and_the_next_start_takes_it_up() {
    let yard = Yard::new(1);
    let maker = Maker::answering(|_, call, stop| {
        if call > 1 {
            return None;
        }
        stop.wait(StopLevel::Finish, PATIENCE);
        Some(Failure::Cancelled)
    });
    let service = yard.start(&maker, &[]);
    until("work", || maker.calls() == 1);
    service.leave();
    let sidecar = yard.read(0);
    assert_eq!((sidecar.status, sidecar.attempts), (Status::Queued, 0));
    let service = yard.start(&maker, &[]);
    service.settled();
    service.leave();
    assert_eq!(yard.read(0).status, Status::Watermarked);
    yard.is_clean("taken up");
}

#[test]
fn a_dropped_job_is_tried_no_more_until_somebody_wants_it_again() {
    let yard = Yard::new(1);
    let far = Far::answering(&yard, "club", |_, call, _| refused().filter(|_| call < 4));
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    until("an attempt", || far.calls() > 0);
    // A part of the id will do.
    let ids = service.queue.drop_job("00000000/court1").unwrap();
    assert_eq!(ids.len(), 1);
    until("out of the queue", || service.queue.list().is_empty());
    // Nobody waits for the target any more.
    assert!(service.queue.status().waiting.is_empty());
    let sidecar = yard.read(0);
    assert!(sidecar.dropped);
    assert_eq!(sidecar.status, Status::Failed);
    assert!(
        sidecar
            .last_error
            .unwrap()
            .starts_with("taken out of the queue by hand")
    );
    conforms(&yard, 0);
    assert_eq!(service.queue.status().counts.failed, 0);
    service.queue.retry(&Which::Id(ids[0].clone())).unwrap();
    service.settled();
    service.leave();
    assert_eq!(yard.read(0).status, Status::Uploaded);
    assert!(service_says_nothing(&yard));
}

fn service_says_nothing(yard: &Yard) -> bool {
    yard.is_clean("dropped and taken again");
    true
}

#[test]
fn a_job_that_somebody_deleted_is_forgotten() {
    let yard = Yard::new(2);
    let far = Far::answering(&yard, "club", |_, call, _| refused().filter(|_| call < 6));
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    until("an attempt", || far.calls() > 0);
    // The queue may be at work in it.
    let folder = yard.sidecar(1).parent().unwrap().to_owned();
    until("the folder to be gone", || {
        std::fs::remove_dir_all(&folder).is_ok() || !folder.exists()
    });
    service.settled();
    service.leave();
    assert_eq!(yard.read(0).status, Status::Uploaded);
    yard.is_clean("one was deleted");
}

#[test]
fn a_new_one_is_tried_at_once_though_the_target_waits() {
    let yard = Yard::new(1);
    let far = Far::answering(&yard, "club", |job, _, _| {
        refused().filter(|_| job.sidecar.press_id == press_id(0))
    });
    let service = yard.start_with(
        roomy(),
        &Arc::new(Maker::new()),
        std::slice::from_ref(&far),
        |settings| {
            settings.backoff.first_ms = 3_600_000;
            settings.backoff.cap_ms = 3_600_000;
        },
    );
    until("an attempt in vain", || {
        service.queue.status().waiting.len() == 1
    });
    service.inbox.new_job(&yard.add(1, SECOND));
    until("the new one", || yard.read(1).status == Status::Uploaded);
    service.leave();
}

#[test]
fn progress_is_seen_while_it_is_made() {
    let yard = Yard::new(1);
    let go = Arc::new(AtomicBool::new(false));
    let far = {
        let go = go.clone();
        Far::answering(&yard, "club", move |_, _, _| {
            let limit = Instant::now() + PATIENCE;
            while !go.load(SeqCst) && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(2));
            }
            None
        })
    };
    let service = yard.start(&Arc::new(Maker::new()), std::slice::from_ref(&far));
    until("the upload", || far.calls() == 1);
    // Who marked it may not have put his work down yet.
    until("nobody else at it", || {
        service.queue.status().current.len() == 1
    });
    let status = service.queue.status();
    assert_eq!(status.current[0].target.as_deref(), Some("club"));
    assert_eq!(status.current[0].stage, Stage::Upload);
    assert_eq!(service.queue.list()[0].uploads[0].permille, Some(0));
    go.store(true, SeqCst);
    service.settled();
    service.leave();
}

#[test]
fn a_turn_that_takes_a_while_is_written_down_as_begun() {
    let yard = Yard::new(1);
    let says = |path: std::path::PathBuf, wanted: Status| {
        let read = move || {
            let sidecar = std::fs::read(&path).unwrap();
            hindsight::queue::sidecar::Sidecar::from_bytes(&sidecar).unwrap()
        };
        until("the sidecar to say so", || read().status == wanted);
        None
    };
    let path = yard.sidecar(0);
    let maker = Maker::answering(move |_, _, _| says(path.clone(), Status::Finishing));
    let path = yard.sidecar(0);
    let far = Far::answering(&yard, "club", move |_, _, _| {
        says(path.clone(), Status::Uploading)
    });
    let service = yard.start(&maker, std::slice::from_ref(&far));
    service.settled();
    service.leave();
    assert_eq!((maker.calls(), far.calls()), (1, 1));
    assert_eq!(yard.read(0).status, Status::Uploaded);
    yard.is_clean("a slow one");
}
