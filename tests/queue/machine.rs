//! The state machine, by any sequence of events.

use hindsight::queue::machine::{JobEvent, JobRules, NextStep, Rest, apply, next};
use hindsight::queue::sidecar::{Removed, Sidecar, Stage, Status, UploadStatus};
use hindsight::queue::work::Failure;
use proptest::prelude::*;

use crate::rig::{original, said};

const NOW: &str = "2026-11-21T12:00:00.000+00:00";

fn rules(targets: usize) -> JobRules {
    JobRules {
        targets: ["a", "b", "c"][..targets]
            .iter()
            .map(|t| (*t).to_owned())
            .collect(),
        max_attempts: 3,
        keep_raw: true,
    }
}

fn failure() -> impl Strategy<Value = Failure> {
    let why = || said("why");
    prop_oneof![
        Just(Failure::Unavailable {
            why: why(),
            retry_after_ms: None
        }),
        Just(Failure::Deferred {
            why: why(),
            again_in_ms: 5
        }),
        Just(Failure::Failed { why: why() }),
        Just(Failure::Permanent { why: why() }),
        Just(Failure::Cancelled),
    ]
}

fn event() -> impl Strategy<Value = JobEvent> {
    let target = || prop::sample::select(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    prop_oneof![
        3 => Just(JobEvent::FinishBegan),
        3 => Just(JobEvent::Finished { marked: None, vertical: true, thumbnail: true, notes: Vec::new() }),
        2 => failure().prop_map(JobEvent::FinishEnded),
        6 => target().prop_map(|target| JobEvent::UploadBegan { target }),
        2 => target().prop_map(|target| JobEvent::Noted { target, resume: Some(1.into()) }),
        4 => target().prop_map(|target| JobEvent::Proved { target, place: "there".to_owned() }),
        4 => (target(), failure()).prop_map(|(target, failure)| JobEvent::UploadEnded { target, failure }),
        1 => Just(JobEvent::Settled),
        1 => Just(JobEvent::Retried),
        1 => Just(JobEvent::Dropped),
        1 => Just(JobEvent::RawGoes),
    ]
}

/// Events that can happen: a turn ends only where it has begun.
fn possible(sidecar: &Sidecar, event: &JobEvent) -> bool {
    let uploading = |target: &String| {
        let upload = sidecar.uploads.iter().find(|u| u.target == *target);
        upload.is_some_and(|u| u.status == UploadStatus::Uploading)
    };
    match event {
        JobEvent::Finished { .. } | JobEvent::FinishEnded(_) => sidecar.status == Status::Finishing,
        JobEvent::Noted { target, .. }
        | JobEvent::Proved { target, .. }
        | JobEvent::UploadEnded { target, .. } => uploading(target),
        // The queue settles what asks for it.
        JobEvent::Settled => {
            !matches!(
                sidecar.status,
                Status::Queued | Status::Finishing | Status::None | Status::Suspect
            ) && sidecar.stage != Some(Stage::Finish)
        }
        _ => true,
    }
}

fn holds(sidecar: &Sidecar, rules: &JobRules) -> Result<(), TestCaseError> {
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
        NextStep::Upload(open) => prop_assert!(open.iter().all(|id| !proved(id))),
        NextStep::Finish => prop_assert!(sidecar.uploads.is_empty()),
        NextStep::Rest(Rest::Uploaded) => prop_assert_eq!(sidecar.status, Status::Uploaded),
        NextStep::Settle => prop_assert!(false, "an event leaves it unsettled: {sidecar:?}"),
        NextStep::Rest(_) | NextStep::Remove => {}
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
                JobEvent::UploadBegan { target } | JobEvent::Noted { target, .. }
                | JobEvent::Proved { target, .. } | JobEvent::UploadEnded { target, .. } => known(target),
                _ => true,
            };
            if !of_a_target || !possible(&sidecar, &event) {
                continue;
            }
            let before = sidecar.clone();
            let changed = apply(&mut sidecar, &event, &rules, NOW);
            prop_assert_eq!(changed, sidecar != before || changed && event == JobEvent::Stamped);
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
                JobEvent::UploadBegan { target } | JobEvent::Noted { target, .. }
                | JobEvent::Proved { target, .. } | JobEvent::UploadEnded { target, .. } => rules.targets.contains(target),
                _ => true,
            };
            if known && possible(&sidecar, &event) {
                apply(&mut sidecar, &event, &rules, NOW);
            }
        }
        apply(&mut sidecar, &JobEvent::Retried, &rules, NOW);
        for _ in 0..10 {
            match next(&sidecar, &rules) {
                NextStep::Finish => {
                    apply(&mut sidecar, &JobEvent::FinishBegan, &rules, NOW);
                    let done = JobEvent::Finished { marked: None, vertical: false, thumbnail: false, notes: Vec::new() };
                    apply(&mut sidecar, &done, &rules, NOW);
                }
                NextStep::Upload(open) => {
                    let target = open[0].clone();
                    apply(&mut sidecar, &JobEvent::UploadBegan { target: target.clone() }, &rules, NOW);
                    let place = "there".to_owned();
                    apply(&mut sidecar, &JobEvent::Proved { target, place }, &rules, NOW);
                }
                _ => break,
            }
        }
        let end = if targets == 0 { Rest::Ready } else { Rest::Uploaded };
        // A failed target is tried again only by hand.
        let given_up = sidecar.status == Status::Failed;
        prop_assert!(next(&sidecar, &rules) == NextStep::Rest(end) || given_up, "{:?}", sidecar);
    }
}

#[test]
fn nothing_happens_to_one_that_goes() {
    let mut sidecar = original().sidecar.clone();
    apply(&mut sidecar, &JobEvent::Goes, &rules(1), NOW);
    assert_eq!(sidecar.removed, Some(Removed::All));
    for event in [
        JobEvent::FinishBegan,
        JobEvent::Retried,
        JobEvent::Dropped,
        JobEvent::Settled,
    ] {
        assert!(!apply(&mut sidecar, &event, &rules(1), NOW), "{event:?}");
    }
    assert_eq!(next(&sidecar, &rules(1)), NextStep::Remove);
}
