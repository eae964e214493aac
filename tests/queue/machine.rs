//! The state machine, by any sequence of events.

use hindsight::queue::machine::{Event, Next, Rest, Rules, apply, next};
use hindsight::queue::sidecar::{Removed, Sidecar, Stage, Status, UploadStatus};
use hindsight::queue::work::Failure;
use proptest::prelude::*;

use crate::rig::original;

const NOW: &str = "2026-11-21T12:00:00.000+00:00";

fn rules(targets: usize) -> Rules {
    Rules {
        targets: ["a", "b", "c"][..targets]
            .iter()
            .map(|t| (*t).to_owned())
            .collect(),
        max_attempts: 3,
        keep_raw: true,
    }
}

fn failure() -> impl Strategy<Value = Failure> {
    let why = || "why".to_owned();
    prop_oneof![
        Just(Failure::Wait {
            why: why(),
            retry_after_ms: None
        }),
        Just(Failure::NotNow {
            why: why(),
            again_in_ms: 5
        }),
        Just(Failure::Failed { why: why() }),
        Just(Failure::Never { why: why() }),
        Just(Failure::Left),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let target = || prop::sample::select(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    prop_oneof![
        3 => Just(Event::FinishBegan),
        3 => Just(Event::Finished { marked: None, vertical: true, thumbnail: true, notes: Vec::new() }),
        2 => failure().prop_map(Event::FinishEnded),
        6 => target().prop_map(|target| Event::UploadBegan { target }),
        2 => target().prop_map(|target| Event::Noted { target, resume: Some(1.into()) }),
        4 => target().prop_map(|target| Event::Proved { target, place: "there".to_owned() }),
        4 => (target(), failure()).prop_map(|(target, failure)| Event::UploadEnded { target, failure }),
        1 => Just(Event::Settled),
        1 => Just(Event::Retried),
        1 => Just(Event::Dropped),
        1 => Just(Event::RawGoes),
    ]
}

/// Events that can happen: a turn ends only where it has begun.
fn possible(sidecar: &Sidecar, event: &Event) -> bool {
    let uploading = |target: &String| {
        let upload = sidecar.uploads.iter().find(|u| u.target == *target);
        upload.is_some_and(|u| u.status == UploadStatus::Uploading)
    };
    match event {
        Event::Finished { .. } | Event::FinishEnded(_) => sidecar.status == Status::Finishing,
        Event::Noted { target, .. }
        | Event::Proved { target, .. }
        | Event::UploadEnded { target, .. } => uploading(target),
        // The queue settles what asks for it.
        Event::Settled => {
            !matches!(
                sidecar.status,
                Status::Queued | Status::Finishing | Status::None | Status::Suspect
            ) && sidecar.stage != Some(Stage::Finish)
        }
        _ => true,
    }
}

fn holds(sidecar: &Sidecar, rules: &Rules) -> Result<(), TestCaseError> {
    prop_assert_eq!(sidecar.contradiction(), None);
    prop_assert!(sidecar.attempts <= rules.max_attempts + 1);
    let staged = matches!(sidecar.status, Status::QueuedRetry | Status::Failed);
    prop_assert_eq!(sidecar.stage.is_some(), staged, "{:?}", sidecar.status);
    // While it is tried again, the error of the last time stands.
    let told = sidecar.last_error.is_some();
    prop_assert!(told || !staged, "{:?}", sidecar.status);
    let may_tell = staged || sidecar.status == Status::Finishing;
    prop_assert!(may_tell || !told, "{:?}", sidecar.status);
    let proved = |id: &String| {
        let upload = sidecar.uploads.iter().find(|u| u.target == *id);
        upload.is_some_and(|u| u.status == UploadStatus::Uploaded && u.place.is_some())
    };
    if sidecar.status == Status::Uploaded {
        prop_assert!(!rules.targets.is_empty() && rules.targets.iter().all(proved));
    }
    match next(sidecar, rules) {
        Next::Upload(open) => prop_assert!(open.iter().all(|id| !proved(id))),
        Next::Finish => prop_assert!(sidecar.uploads.is_empty()),
        Next::Rest(Rest::Uploaded) => prop_assert_eq!(sidecar.status, Status::Uploaded),
        Next::Settle => prop_assert!(false, "an event leaves it unsettled: {sidecar:?}"),
        Next::Rest(_) | Next::Remove => {}
    }
    // What is written is read back.
    let back = Sidecar::from_bytes(&sidecar.to_bytes()).unwrap();
    prop_assert_eq!(&back, sidecar);
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens_the_sidecar_says_the_truth_of_it(
        targets in 0_usize..4, events in prop::collection::vec(event(), 0..60),
    ) {
        let rules = rules(targets);
        let mut sidecar = original().sidecar.clone();
        for event in events {
            let known = |target: &String| rules.targets.contains(target);
            let of_a_target = match &event {
                Event::UploadBegan { target } | Event::Noted { target, .. }
                | Event::Proved { target, .. } | Event::UploadEnded { target, .. } => known(target),
                _ => true,
            };
            if !of_a_target || !possible(&sidecar, &event) {
                continue;
            }
            let before = sidecar.clone();
            let changed = apply(&mut sidecar, &event, &rules, NOW);
            prop_assert_eq!(changed, sidecar != before || changed && event == Event::Stamped);
            holds(&sidecar, &rules)?;
        }
    }

    #[test]
    fn every_job_comes_to_its_end_if_those_who_work_do_their_work(
        targets in 0_usize..4, events in prop::collection::vec(event(), 0..30),
    ) {
        let rules = rules(targets);
        let mut sidecar = original().sidecar.clone();
        for event in events {
            let known = match &event {
                Event::UploadBegan { target } | Event::Noted { target, .. }
                | Event::Proved { target, .. } | Event::UploadEnded { target, .. } => rules.targets.contains(target),
                _ => true,
            };
            if known && possible(&sidecar, &event) {
                apply(&mut sidecar, &event, &rules, NOW);
            }
        }
        apply(&mut sidecar, &Event::Retried, &rules, NOW);
        for _ in 0..10 {
            match next(&sidecar, &rules) {
                Next::Finish => {
                    apply(&mut sidecar, &Event::FinishBegan, &rules, NOW);
                    let done = Event::Finished { marked: None, vertical: false, thumbnail: false, notes: Vec::new() };
                    apply(&mut sidecar, &done, &rules, NOW);
                }
                Next::Upload(open) => {
                    let target = open[0].clone();
                    apply(&mut sidecar, &Event::UploadBegan { target: target.clone() }, &rules, NOW);
                    let place = "there".to_owned();
                    apply(&mut sidecar, &Event::Proved { target, place }, &rules, NOW);
                }
                _ => break,
            }
        }
        let end = if targets == 0 { Rest::Ready } else { Rest::Uploaded };
        // A failed target is tried again only by hand.
        let given_up = sidecar.status == Status::Failed;
        prop_assert!(next(&sidecar, &rules) == Next::Rest(end) || given_up, "{:?}", sidecar);
    }
}

#[test]
fn nothing_happens_to_one_that_goes() {
    let mut sidecar = original().sidecar.clone();
    apply(&mut sidecar, &Event::Goes, &rules(1), NOW);
    assert_eq!(sidecar.removed, Some(Removed::All));
    for event in [
        Event::FinishBegan,
        Event::Retried,
        Event::Dropped,
        Event::Settled,
    ] {
        assert!(!apply(&mut sidecar, &event, &rules(1), NOW), "{event:?}");
    }
    assert_eq!(next(&sidecar, &rules(1)), Next::Remove);
}
