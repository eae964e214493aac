//! Snapshots in, one verdict out. Pure.
//!
//! Not here: how the snapshots are taken (`service` asks the rooms), how the verdict
//! is told (`web`). Called by: app.
//!
//! Beside the verdict: whether the threads get on (`progress`), and what systemd is told of
//! it (`systemd`).

pub mod progress;
pub mod systemd;

use serde::Serialize;

use crate::base::Notice;

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
    /// Names nothing of the venue: strangers may read it.
    pub what: String,
    /// A camera, a folder, "clock".
    #[serde(rename = "where")]
    pub place: String,
    pub what_to_do: String,
    #[serde(skip)]
    weight: Status,
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
        why: String,
    },
    WrongPassword,
    GivenUp {
        why: String,
    },
}

/// A camera and its ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraFacts {
    pub id: String,
    pub name: String,
    pub pictures: Pictures,
    /// What to change at the camera or the config so that clips come out whole.
    pub warnings: Vec<String>,
}

/// Where the clips go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageFacts {
    pub path: String,
    /// Why it cannot be written to.
    pub trouble: Option<String>,
    pub free_bytes: u64,
    /// What one press of all cameras needs at most.
    pub press_bytes: u64,
    /// How long nobody got an answer out of it.
    pub silent_ms: u64,
}

/// All that a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthInputs {
    pub cameras: Vec<CameraFacts>,
    pub storage: StorageFacts,
    /// The wall clock was set by somebody since power-on.
    pub clock_set: bool,
    /// Clips that should have been on the disk by now.
    pub late_clips: usize,
    /// What the disk said to the export that last failed, if one is still tried again.
    pub trouble: Option<String>,
    /// Buttons and lights that do not work.
    pub board: Vec<BoardTrouble>,
    pub work: WorkFacts,
    /// About the box itself.
    pub notices: Vec<Notice>,
}

/// What is done with the clips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkFacts {
    pub waiting: Vec<WaitingFacts>,
    /// What is missing on this machine to finish clips, and its cure.
    pub problem: Option<String>,
    /// Clips that were given up.
    pub failed: u64,
    /// Of the disk, what no deletion could free.
    pub used_percent: u64,
    /// At the present rate, until presses are refused.
    pub days_left: Option<u64>,
}

/// Finishing, or a target, that waits for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingFacts {
    /// `None`: finishing.
    pub target: Option<String>,
    pub why: String,
    pub since_ms: u64,
}

/// Something about a button or a light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardTrouble {
    pub what: String,
    /// Which one.
    pub place: String,
    pub what_to_do: String,
}

/// Whether a reason, by its `what`, is why presses give no clips and lies in the box itself:
/// its disk, and not a camera, whose power or network may be what is missing.
pub fn lies_in_the_box(what: &str) -> bool {
    what.starts_with(SILENT) || [UNWRITABLE, FULL].contains(&what)
}

const SILENT: &str = "the disk has not answered";
const UNWRITABLE: &str = "clips cannot be written";
const FULL: &str = "the disk is full";

/// A storage that does not answer for so long is broken.
const SILENT_MS: u64 = 10_000;
/// Room for fewer presses than this is worth a warning.
pub const FEW_PRESSES: u64 = 20;

pub fn judge(inputs: &HealthInputs) -> Verdict {
    let mut reasons = cameras(&inputs.cameras);
    reasons.extend(storage(&inputs.storage));
    if inputs.late_clips > 0 {
        let trouble = inputs
            .trouble
            .as_deref()
            .unwrap_or("the disk is slow or full");
        reasons.push(Reason {
            what: format!("{} clips are late", inputs.late_clips),
            place: inputs.storage.path.clone(),
            what_to_do: format!("{trouble}; they are tried again while the rings hold them"),
            weight: Status::Degraded,
        });
    }
    reasons.extend(inputs.board.iter().map(|trouble| Reason {
        what: trouble.what.clone(),
        place: trouble.place.clone(),
        what_to_do: trouble.what_to_do.clone(),
        weight: Status::Degraded,
    }));
    reasons.extend(work(&inputs.work, &inputs.storage.path));
    reasons.extend(inputs.notices.iter().map(|notice| Reason {
        what: notice.what.clone(),
        place: notice.place.clone(),
        // Several problems of a file, one a line there.
        what_to_do: notice.what_to_do.replace('\n', "; "),
        weight: Status::Degraded,
    }));
    if !inputs.clock_set {
        reasons.push(Reason {
            what: "the clock was never set since power-on".to_owned(),
            place: "clock".to_owned(),
            what_to_do:
                "connect the box to the internet once, or set its clock; until then highlights go to the folder \"undated\""
                    .to_owned(),
            weight: Status::Degraded,
        });
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
    let status = reasons.first().map_or(Status::Healthy, |r| r.weight);
    Verdict { status, reasons }
}

/// A target that has waited for so long is worth a word.
const PATIENT_MS: u64 = 60_000;
/// Of the disk, full of what cannot be deleted by itself.
const NEARLY_FULL_PERCENT: u64 = 85;

fn work(work: &WorkFacts, storage: &str) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |what: &str, place: &str, what_to_do: String| {
        reasons.push(Reason {
            what: what.to_owned(),
            place: place.to_owned(),
            what_to_do,
            weight: Status::Degraded,
        });
    };
    if let Some(problem) = &work.problem {
        add("clips cannot be marked", "finishing", problem.clone());
    }
    for lane in &work.waiting {
        let what_to_do = format!(
            "{}; waits since {}, tried again by itself, nothing is lost",
            lane.why,
            since(lane.since_ms)
        );
        match &lane.target {
            None if work.problem.is_none() => {
                add("clips wait to be finished", "finishing", what_to_do);
            }
            Some(target) if lane.since_ms >= PATIENT_MS => {
                add("clips wait to be uploaded", target, what_to_do);
            }
            _ => {}
        }
    }
    if work.failed > 0 {
        let what = match work.failed {
            1 => "1 clip was given up".to_owned(),
            n => format!("{n} clips were given up"),
        };
        let what_to_do =
            "\"hindsight queue\" says why; mend it, then \"hindsight queue retry --failed\"";
        add(&what, "queue", what_to_do.to_owned());
    }
    if work.used_percent >= NEARLY_FULL_PERCENT {
        let what = format!("the disk is {} % full", work.used_percent);
        let left = days_left(work.days_left);
        let what_to_do = format!("{left}; delete or move old highlights, or fit a larger disk");
        add(&what, storage, what_to_do);
    }
    reasons
}

fn days_left(days: Option<u64>) -> String {
    match days {
        Some(0) => "less than a day is left at the present rate".to_owned(),
        Some(1) => "one day is left at the present rate".to_owned(),
        Some(days) => format!("{days} days are left at the present rate"),
        None => "nothing was added lately".to_owned(),
    }
}

/// "5 min", "3 h", "2 days".
fn since(ms: u64) -> String {
    match ms / 60_000 {
        minutes @ 0..120 => format!("{minutes} min"),
        minutes @ 120..2880 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}

fn cameras(cameras: &[CameraFacts]) -> Vec<Reason> {
    let down = |c: &CameraFacts| c.pictures != Pictures::Coming;
    let weight = match cameras.iter().all(down) {
        true => Status::Unhealthy,
        false => Status::Degraded,
    };
    let mut reasons = Vec::new();
    if cameras.is_empty() {
        reasons.push(Reason {
            what: "no camera is configured".to_owned(),
            place: "configuration".to_owned(),
            what_to_do: "write the cameras into the configuration, and restart".to_owned(),
            weight,
        });
    }
    for camera in cameras {
        let place = format!("{} ({})", camera.name, camera.id);
        if let Some((what, what_to_do)) = without_pictures(&camera.pictures) {
            reasons.push(Reason {
                what,
                place: place.clone(),
                what_to_do,
                weight,
            });
        }
        for warning in &camera.warnings {
            reasons.push(Reason {
                what: "a camera's clips may be incomplete".to_owned(),
                place: place.clone(),
                what_to_do: warning.clone(),
                weight: Status::Degraded,
            });
        }
    }
    reasons
}

fn without_pictures(pictures: &Pictures) -> Option<(String, String)> {
    let look = "see that it has power and network";
    let (what, what_to_do) = match pictures {
        Pictures::Coming => return None,
        Pictures::Stale { ms } => (
            format!("a camera sent nothing for {} s", ms / 1000),
            format!("{look}; it is called again by itself"),
        ),
        Pictures::Connecting => (
            "a camera is being called".to_owned(),
            "wait some seconds".to_owned(),
        ),
        Pictures::Missing { why } => (
            "a camera cannot be reached".to_owned(),
            format!("{why}; it is called again by itself"),
        ),
        Pictures::WrongPassword => (
            "a camera refuses the password".to_owned(),
            "correct username and password of this camera in the config, and restart".to_owned(),
        ),
        Pictures::GivenUp { why } => (
            "a camera was given up".to_owned(),
            format!("{why}; then restart hindsight ([reconnect] max_attempts is spent)"),
        ),
    };
    Some((what, what_to_do))
}

/// Whether staff should make room, though presses still work.
pub fn disk_nearly_full(storage: &StorageFacts) -> bool {
    // Two presses are kept for what is on its way.
    let presses = (storage.free_bytes / storage.press_bytes.max(1)).saturating_sub(1);
    (1..FEW_PRESSES).contains(&presses)
}

fn storage(storage: &StorageFacts) -> Option<Reason> {
    let reason = |what: String, what_to_do: String, weight| {
        Some(Reason {
            what,
            place: storage.path.clone(),
            what_to_do,
            weight,
        })
    };
    let presses = storage.free_bytes / storage.press_bytes.max(1);
    let free = format!("{} MB are free", storage.free_bytes / 1_000_000);
    if storage.silent_ms >= SILENT_MS {
        let what = format!("{SILENT} for {} s", storage.silent_ms / 1000);
        let what_to_do = "see whether it is connected; restart the box".to_owned();
        return reason(what, what_to_do, Status::Unhealthy);
    }
    if let Some(trouble) = &storage.trouble {
        return reason(UNWRITABLE.to_owned(), trouble.clone(), Status::Unhealthy);
    }
    if presses == 0 {
        let what_to_do = format!("{free}; delete or move old highlights");
        return reason(FULL.to_owned(), what_to_do, Status::Unhealthy);
    }
    if presses < FEW_PRESSES {
        let what_to_do =
            format!("{free}, room for {presses} presses; delete or move old highlights");
        return reason(
            "the disk is nearly full".to_owned(),
            what_to_do,
            Status::Degraded,
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(id: &str, pictures: Pictures) -> CameraFacts {
        CameraFacts {
            id: id.to_owned(),
            name: format!("Court {id}"),
            pictures,
            warnings: Vec::new(),
        }
    }

    fn inputs() -> HealthInputs {
        HealthInputs {
            cameras: vec![camera("a", Pictures::Coming), camera("b", Pictures::Coming)],
            storage: StorageFacts {
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
            work: WorkFacts::default(),
            notices: Vec::new(),
        }
    }

    fn missing() -> Pictures {
        Pictures::Missing {
            why: "connection refused".to_owned(),
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
        let notice = Notice::new("it is wrong", "hindsight.toml", "line 3");
        let (status, reason) = with(|h| h.notices.push(notice));
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "hindsight.toml: it is wrong");
    }

    #[test]
    fn a_ring_too_short_for_its_camera_degrades() {
        let (status, _) = with(|h| h.cameras[0].warnings.push("I-frame interval".to_owned()));
        assert_eq!(status, Status::Degraded);
    }

    #[test]
    fn a_disk_that_is_full_broken_or_silent_is_unhealthy_and_nearly_full_degrades() {
        let unhealthy: [fn(&mut HealthInputs); 3] = [
            |h| h.storage.free_bytes = 99_000_000,
            |h| h.storage.trouble = Some("not mounted".to_owned()),
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
            reasons.iter().any(|reason| lies_in_the_box(&reason.what))
        };
        assert!(in_the_box(|h| h.storage.free_bytes = 99_000_000));
        assert!(in_the_box(
            |h| h.storage.trouble = Some("not mounted".to_owned())
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
            what: "a button does not work".to_owned(),
            place: "button court1".to_owned(),
            what_to_do: "it has been held for 31 s".to_owned(),
        };
        let (status, reason) = with(|h| h.board.push(stuck));
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "button court1: a button does not work");
    }

    #[test]
    fn work_that_waits_or_was_given_up_degrades_and_says_what_to_do() {
        let waits = |target: Option<&str>, since_ms| WaitingFacts {
            target: target.map(str::to_owned),
            why: "connection refused".to_owned(),
            since_ms,
        };
        let (status, reason) = with(|h| h.work.waiting.push(waits(Some("club"), 3 * 3_600_000)));
        assert_eq!(status, Status::Degraded);
        assert_eq!(reason, "club: clips wait to be uploaded");
        let (status, _) = with(|h| h.work.waiting.push(waits(Some("club"), 5_000)));
        assert_eq!(status, Status::Healthy, "the net is gone for a moment");
        let (_, reason) = with(|h| {
            h.work.waiting.push(waits(None, 0));
            h.work.problem = Some("install FFmpeg: apt install ffmpeg".to_owned());
        });
        assert_eq!(reason, "finishing: clips cannot be marked");
        let (_, reason) = with(|h| h.work.failed = 2);
        assert_eq!(reason, "queue: 2 clips were given up");
        let (_, reason) = with(|h| h.work.used_percent = 85);
        assert_eq!(reason, "/data: the disk is 85 % full");
        assert_eq!(with(|h| h.work.used_percent = 84).0, Status::Healthy);
    }

    #[test]
    fn the_worst_reason_comes_first() {
        let (status, reason) = with(|h| {
            h.clock_set = false;
            h.late_clips = 1;
            h.storage.trouble = Some("not mounted".to_owned());
        });
        assert_eq!(status, Status::Unhealthy);
        assert_eq!(reason, "/data: clips cannot be written");
    }
}
