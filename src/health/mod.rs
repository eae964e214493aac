//! Snapshots in, one verdict out. Pure.
//!
//! Not here: how the snapshots are taken (`service` asks the rooms), how the verdict
//! is told (`web`).
//!
//! Beside the verdict: whether the threads get on (`progress`), and what systemd is told of
//! it (`systemd`).

pub mod progress;
mod sentence;
pub mod systemd;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::quantity::Megabytes;
use crate::base::sentence::Arg;
use crate::base::{Coded, Notice};
use crate::storage::budget::{self, FEW_PRESSES, Outlook};
use sentence::{Clips, DaysLeft, HealthSentence as Says, Since};
pub use sentence::{HealthSentence, ReasonDetail};

/// How the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Healthy,
    /// Something is not as it should be, but presses give clips.
    Degraded,
    /// Presses give no clips.
    Unhealthy,
}

/// One thing that is not as it should be, for the staff of a venue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What programs go by; of [`HealthSentence`].
    pub code: &'static str,
    pub args: BTreeMap<String, Arg>,
    /// Names nothing of the venue: strangers may read it.
    pub what: String,
    /// A camera, a folder, "clock".
    #[serde(rename = "where")]
    pub place: String,
    pub what_to_do: String,
    #[serde(skip)]
    weight: Status,
}

impl Reason {
    fn new(said: &HealthSentence, place: impl Into<String>, weight: Status) -> Reason {
        Reason {
            code: said.code(),
            args: said.args(),
            what: said.to_string(),
            place: place.into(),
            // Several problems of a file, one a line there.
            what_to_do: said.remedy().unwrap_or_default().replace('\n', "; "),
            weight,
        }
    }
}

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub status: Status,
    /// Worst first; empty when healthy.
    pub reasons: Vec<Reason>,
}

/// Whether a camera's pictures come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pictures {
    Coming,
    /// Connected, but nothing came for so long.
    Stale {
        ms: u64,
    },
    /// Being called for the first time, or again.
    Connecting,
    /// `why` as ingest says it.
    Missing {
        why: ReasonDetail,
    },
    WrongPassword,
    GivenUp {
        why: ReasonDetail,
    },
}

/// A camera and its ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraInputs {
    pub id: String,
    pub name: String,
    pub pictures: Pictures,
    /// What to change at the camera or the config so that clips come out whole.
    pub warnings: Vec<ReasonDetail>,
}

/// Where the clips go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageInputs {
    pub path: String,
    /// ReasonDetail it cannot be written to.
    pub trouble: Option<ReasonDetail>,
    pub free_bytes: u64,
    /// What one press of all cameras needs at most.
    pub press_bytes: u64,
    /// How long nobody got an answer out of it.
    pub silent_ms: u64,
}

/// All that a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthInputs {
    pub cameras: Vec<CameraInputs>,
    pub storage: StorageInputs,
    /// The wall clock was set by somebody since power-on.
    pub clock_set: bool,
    /// Clips that should have been on the disk by now.
    pub late_clips: usize,
    /// What the disk said to the export that last failed, if one is still tried again.
    pub trouble: Option<ReasonDetail>,
    /// Buttons and lights that do not work.
    pub board: Vec<BoardTrouble>,
    pub work: DeliveryInputs,
    /// About the box itself.
    pub notices: Vec<Notice>,
}

/// What is done with the clips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryInputs {
    pub waiting: Vec<WaitingInputs>,
    /// What is missing on this machine to finish clips, and its cure.
    pub problem: Option<ReasonDetail>,
    /// Clips that were given up.
    pub failed: u64,
    /// Of the disk, what no deletion could free.
    pub used_percent: u64,
    /// At the present rate, until presses are refused.
    pub days_left: Option<u64>,
}

/// Finishing, or a target, that waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingInputs {
    /// `None`: finishing.
    pub target: Option<String>,
    pub why: ReasonDetail,
    pub since_ms: u64,
}

/// Something about a button or a light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardTrouble {
    pub what: HealthSentence,
    /// Which one.
    pub place: String,
}

/// Whether a reason, by its code, is why presses give no clips and lies in the box itself:
/// its disk, and not a camera, whose power or network may be what is missing.
pub fn lies_in_the_box(code: &str) -> bool {
    ["disk_silent", "disk_unwritable", "disk_full"].contains(&code)
}

/// A storage that does not answer for so long is broken.
const SILENT_MS: u64 = 10_000;

pub fn judge(inputs: &HealthInputs) -> Verdict {
    let mut reasons = cameras(&inputs.cameras);
    reasons.extend(storage(&inputs.storage));
    let degraded = |said, place: &str| Reason::new(&said, place, Status::Degraded);
    let path = inputs.storage.path.as_str();
    let clips = inputs.late_clips;
    if clips > 0 {
        let late = match inputs.trouble.clone() {
            Some(why) => Says::ClipsLate { clips, why },
            None => Says::ClipsLateBySlowDisk { clips },
        };
        reasons.push(degraded(late, path));
    }
    let board = inputs.board.iter();
    reasons.extend(board.map(|trouble| degraded(trouble.what.clone(), &trouble.place)));
    reasons.extend(work(&inputs.work, path));
    reasons.extend(inputs.notices.iter().map(|notice| {
        let said = Says::BoxNotice {
            notice: match notice.sentence() {
                Some(said) => said.into(),
                None => notice.what.clone().into(),
            },
            cure: notice.what_to_do.clone().into(),
        };
        degraded(said, &notice.place)
    }));
    if !inputs.clock_set {
        reasons.push(degraded(Says::ClockNotSet {}, "clock"));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
    let status = reasons.first().map_or(Status::Healthy, |r| r.weight);
    Verdict { status, reasons }
}

/// A target that has waited for so long is worth a word.
const PATIENT_MS: u64 = 60_000;
/// Of the disk, full of what cannot be deleted by itself.
const NEARLY_FULL_PERCENT: u64 = 85;

fn work(work: &DeliveryInputs, storage: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |said, place: &str| reasons.push(Reason::new(&said, place, Status::Degraded));
    if let Some(cure) = work.problem.clone() {
        add(Says::ClipsCannotBeMarked { cure }, "finishing");
    }
    for lane in &work.waiting {
        let (why, since_ms) = (lane.why.clone(), Since(lane.since_ms));
        match &lane.target {
            None if work.problem.is_none() => {
                add(Says::ClipsWaitToBeFinished { why, since_ms }, "finishing");
            }
            Some(target) if lane.since_ms >= PATIENT_MS => {
                add(Says::ClipsWaitToBeUploaded { why, since_ms }, target);
            }
            _ => {}
        }
    }
    if work.failed > 0 {
        let clips = Clips(work.failed);
        add(Says::ClipsGivenUp { clips }, "queue");
    }
    let used_percent = work.used_percent;
    if used_percent >= NEARLY_FULL_PERCENT {
        let filling = |days| Says::DiskFilling {
            used_percent,
            days_left: DaysLeft(days),
        };
        let used = Says::DiskUsed { used_percent };
        add(work.days_left.map_or(used, filling), storage);
    }
    reasons
}

fn cameras(cameras: &[CameraInputs]) -> Vec<Reason> {
    let down = |c: &CameraInputs| c.pictures != Pictures::Coming;
    let weight = match cameras.iter().all(down) {
        true => Status::Unhealthy,
        false => Status::Degraded,
    };
    let mut reasons = Vec::new();
    if cameras.is_empty() {
        let none = Says::NoCameraConfigured {};
        reasons.push(Reason::new(&none, "configuration", weight));
    }
    for camera in cameras {
        let place = format!("{} ({})", camera.name, camera.id);
        if let Some(said) = without_pictures(&camera.pictures) {
            reasons.push(Reason::new(&said, place.as_str(), weight));
        }
        for cure in camera.warnings.iter().cloned() {
            let said = Says::CameraClipsIncomplete { cure };
            reasons.push(Reason::new(&said, place.as_str(), Status::Degraded));
        }
    }
    reasons
}

fn without_pictures(pictures: &Pictures) -> Option<HealthSentence> {
    Some(match pictures.clone() {
        Pictures::Coming => return None,
        Pictures::Stale { ms } => Says::CameraSilent {
            silent_s: ms / 1000,
        },
        Pictures::Connecting => Says::CameraConnecting {},
        Pictures::Missing { why } => Says::CameraMissing { why },
        Pictures::WrongPassword => Says::CameraPasswordWrong {},
        Pictures::GivenUp { why } => Says::CameraNotTriedAgain { why },
    })
}

/// Whether staff should make room, though presses still work.
pub fn disk_nearly_full(storage: &StorageInputs) -> bool {
    // Two presses are kept for what is on its way.
    let presses = (storage.free_bytes / storage.press_bytes.max(1)).saturating_sub(1);
    (1..FEW_PRESSES).contains(&presses)
}

fn storage(storage: &StorageInputs) -> Option<Reason> {
    let free_bytes = Megabytes(storage.free_bytes);
    let outlook = budget::outlook(storage.free_bytes, storage.press_bytes);
    let (said, weight) = if storage.silent_ms >= SILENT_MS {
        let silent_s = storage.silent_ms / 1000;
        (Says::DiskSilent { silent_s }, Status::Unhealthy)
    } else if let Some(why) = storage.trouble.clone() {
        (Says::DiskUnwritable { why }, Status::Unhealthy)
    } else {
        match outlook {
            Outlook::Full => (Says::DiskFull { free_bytes }, Status::Unhealthy),
            Outlook::Few(presses) => {
                let said = Says::DiskNearlyFull {
                    free_bytes,
                    presses,
                };
                (said, Status::Degraded)
            }
            Outlook::Enough => return None,
        }
    };
    Some(Reason::new(&said, storage.path.as_str(), weight))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn camera(id: &str, pictures: Pictures) -> CameraInputs {
        CameraInputs {
            id: id.to_owned(),
            name: format!("Court {id}"),
            pictures,
            warnings: Vec::new(),
        }
    }

    fn inputs() -> HealthInputs {
        HealthInputs {
            cameras: vec![camera("a", Pictures::Coming), camera("b", Pictures::Coming)],
            storage: StorageInputs {
                path: "/data".to_owned(),
                trouble: None,
                free_bytes: 100_000_000_000,
                press_bytes: 100_000_000,
                silent_ms: 0,
            },
            clock_set: true,
            late_clips: 0,
            trouble: None,
            board: Vec::new(),
            work: DeliveryInputs::default(),
            notices: Vec::new(),
        }
    }

    fn missing() -> Pictures {
        Pictures::Missing {
            why: "connection refused".into(),
        }
    }

    /// The verdict on inputs with one thing changed: status, and what and where of the first reason.
    fn with(change: impl FnOnce(&mut HealthInputs)) -> (Status, String) {
        let mut inputs = inputs();
        change(&mut inputs);
        let verdict = judge(&inputs);
        assert!(verdict.reasons.iter().all(|r| !r.what_to_do.is_empty()));
        let first = verdict.reasons.first();
        let first = first.map(|r| format!("{}: {}", r.place, r.what));
        (verdict.status, first.unwrap_or_default())
    }

    #[test]
    fn a_house_in_order_is_healthy_and_has_no_reasons() {
        assert_eq!(with(|_| {}), (Status::Healthy, String::new()));
    }

    #[test]
    fn one_camera_down_degrades_and_all_down_is_unhealthy() {
        let (status, reason) = with(|h| h.cameras[1].pictures = missing());
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "Court b (b): a camera cannot be reached");
        let (status, _) = with(|h| {
            h.cameras[0].pictures = Pictures::WrongPassword;
            h.cameras[1].pictures = Pictures::Stale { ms: 4_000 };
        });
        assert_eq!(status, Status::Unhealthy);
        let (status, _) = with(|h| {
            h.cameras.truncate(1);
            h.cameras[0].pictures = Pictures::Connecting;
        });
        assert_eq!(
            status,
            Status::Unhealthy,
            "the only camera gives no clips yet"
        );
    }

    #[test]
    fn a_house_without_cameras_is_unhealthy_and_says_so() {
        let (status, reason) = with(|h| h.cameras.clear());
        assert_eq!(status, Status::Unhealthy);
        assert_eq!(reason, "configuration: no camera is configured");
    }

    #[test]
    fn what_is_wrong_with_the_box_degrades() {
        let notice = Notice {
            what: "it is wrong".to_owned(),
            place: "hindsight.toml".to_owned(),
            what_to_do: "line 3".to_owned(),
            ..Notice::default()
        };
        let (status, reason) = with(|h| h.notices.push(notice));
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "hindsight.toml: it is wrong");
    }

    #[test]
    fn a_ring_too_short_for_its_camera_degrades() {
        let (status, _) = with(|h| h.cameras[0].warnings.push("I-frame interval".into()));
        assert_eq!(status, Status::Degraded);
    }

    #[test]
    fn a_disk_that_is_full_broken_or_silent_is_unhealthy_and_nearly_full_degrades() {
        let unhealthy: [fn(&mut HealthInputs); 3] = [
            |h| h.storage.free_bytes = 99_000_000,
            |h| h.storage.trouble = Some("not mounted".into()),
            |h| h.storage.silent_ms = 12_000,
        ];
        for change in unhealthy {
            assert_eq!(with(change).0, Status::Unhealthy);
        }
        let (status, reason) = with(|h| h.storage.free_bytes = 1_900_000_000);
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "/data: the disk is nearly full");
    }

    #[test]
    fn a_house_that_gives_no_clips_is_so_by_its_disk_or_by_its_cameras() {
        let in_the_box = |change: fn(&mut HealthInputs)| {
            let mut inputs = inputs();
            change(&mut inputs);
            let reasons = judge(&inputs).reasons;
            reasons.iter().any(|reason| lies_in_the_box(reason.code))
        };
        assert!(in_the_box(|h| h.storage.free_bytes = 99_000_000));
        assert!(in_the_box(
            |h| h.storage.trouble = Some("not mounted".into())
        ));
        assert!(in_the_box(|h| h.storage.silent_ms = 12_000));
        assert!(
            !in_the_box(|h| h.storage.free_bytes = 1_900_000_000),
            "nearly full"
        );
        assert!(!in_the_box(|h| {
            h.cameras[0].pictures = Pictures::WrongPassword;
            h.cameras[1].pictures = Pictures::Stale { ms: 4_000 };
            h.clock_set = false;
        }));
    }

    #[test]
    fn late_clips_and_a_clock_that_was_never_set_degrade() {
        assert_eq!(with(|h| h.late_clips = 2).0, Status::Degraded);
        let (status, reason) = with(|h| h.clock_set = false);
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "clock: the clock was never set since power-on");
    }

    #[test]
    fn a_button_or_a_light_that_does_not_work_degrades_and_is_named() {
        let stuck = BoardTrouble {
            what: HealthSentence::ButtonBroken {
                why: "it has been held for 31 s".into(),
            },
            place: "button court1".to_owned(),
        };
        let (status, reason) = with(|h| h.board.push(stuck));
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "button court1: a button does not work");
    }

    #[test]
    fn work_that_waits_or_was_given_up_degrades_and_says_what_to_do() {
        let waits = |target: Option<&str>, since_ms| WaitingInputs {
            target: target.map(str::to_owned),
            why: "connection refused".into(),
            since_ms,
        };
        let (status, reason) = with(|h| h.work.waiting.push(waits(Some("club"), 3 * 3_600_000)));
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "club: clips wait to be uploaded");
        let (status, _) = with(|h| h.work.waiting.push(waits(Some("club"), 5_000)));
        assert_eq!(status, Status::Healthy, "the net is gone for a moment");
        let (_, reason) = with(|h| {
            h.work.waiting.push(waits(None, 0));
            h.work.problem = Some("install FFmpeg: apt install ffmpeg".into());
        });
        assert_eq!(reason, "finishing: clips cannot be marked");
        let (_, reason) = with(|h| h.work.failed = 2);
        assert_eq!(reason, "queue: 2 clips were given up");
        let (_, reason) = with(|h| h.work.used_percent = 85);
        assert_eq!(reason, "/data: the disk is 85 % full");
        assert_eq!(with(|h| h.work.used_percent = 84).0, Status::Healthy);
    }

    #[test]
    fn a_reason_has_a_code_and_arguments_beside_its_sentence() {
        let why = crate::base::Sentence {
            code: "camera_lost".to_owned(),
            args: BTreeMap::new(),
            text: "the connection was lost".to_owned(),
        };
        let mut inputs = inputs();
        inputs.cameras.truncate(1);
        inputs.cameras[0].pictures = Pictures::Missing { why: why.into() };
        inputs.work.used_percent = 91;
        inputs.work.days_left = Some(1);
        let said = serde_json::to_value(judge(&inputs).reasons).unwrap();
        let expected = serde_json::json!([
            {
                "code": "camera_missing",
                "args": {"why": {"code": "camera_lost", "text": "the connection was lost"}},
                "what": "a camera cannot be reached",
                "where": "Court a (a)",
                "what_to_do": "the connection was lost; it is called again by itself",
            },
            {
                "code": "disk_filling",
                "args": {"used_percent": 91, "days_left": 1},
                "what": "the disk is 91 % full",
                "where": "/data",
                "what_to_do": "one day is left at the present rate; delete or move old highlights, or fit a larger disk",
            },
        ]);
        assert_eq!(said, expected);
    }

    #[test]
    fn the_schema_of_health_lists_the_codes_that_there_are() {
        let schema = include_str!("../../schemas/health.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let listed = &schema["$defs"]["HealthReason"]["properties"]["code"]["enum"];
        let codes = HealthSentence::CATALOGUE.iter().map(|entry| entry.code);
        assert_eq!(*listed, serde_json::json!(codes.collect::<Vec<_>>()));
    }

    #[test]
    fn the_worst_reason_comes_first() {
        let (status, reason) = with(|h| {
            h.clock_set = false;
            h.late_clips = 1;
            h.storage.trouble = Some("not mounted".into());
        });
        assert_eq!(status, Status::Unhealthy);
        assert_eq!(reason, "/data: clips cannot be written");
    }
}
