//! The sweep itself: a child takes a press for two cameras whose rings are full;
//! it is struck at one system call; the next start picks up what is left.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::base::{BootId, PressId, PressRequest, RealClock, Source, Stop, StopLevel};
use hindsight::config::PressWindow;
use hindsight::highlight::{CameraSettings, Highlights, Settings, StartError, verify};
use nix::errno::Errno;

use crate::feeder::{Feeder, SECOND, id, now};
use crate::rig::{again, is_child};
use crate::strike::{Blow, Calls, Struck, strike, wait_until_watched};

pub const CAMERAS: [&str; 2] = ["c1", "c2"];
const PRE_MS: u64 = 3_000;
const POST_MS: u64 = 1_000;

/// Rings of a dead process, and a place for storages.
struct Rig {
    rings: tempfile::TempDir,
    disk: tempfile::TempDir,
    /// A press whose whole window the rings hold.
    instant_mono_ns: u64,
}

impl Rig {
    fn new() -> Rig {
        let rings = tempfile::tempdir_in("/dev/shm").unwrap();
        let newest_mono_ns = CAMERAS.map(|id| fill(rings.path(), id))[0];
        Rig {
            rings,
            disk: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            instant_mono_ns: newest_mono_ns - 2 * SECOND,
        }
    }

    fn storage(&self, name: &str) -> PathBuf {
        let storage = self.disk.path().join(name);
        std::fs::create_dir_all(&storage).unwrap();
        storage
    }

    /// Runs the child on `storage` and strikes it.
    fn strike(&self, storage: &Path, calls: Calls, n: u64, blow: Blow) -> (Struck, Said) {
        self.strike_with(storage, calls, n, blow, &[])
    }

    fn strike_with(
        &self,
        storage: &Path,
        calls: Calls,
        n: u64,
        blow: Blow,
        env: &[(&str, u64)],
    ) -> (Struck, Said) {
        let said = self.disk.path().join("said");
        let mut child = again("sweep::child_that_takes_one_press");
        child.envs(env.iter().map(|(name, value)| (name, value.to_string())));
        child
            .env("HINDSIGHT_TEST_STORAGE", storage)
            .env("HINDSIGHT_TEST_RINGS", self.rings.path())
            .env("HINDSIGHT_TEST_INSTANT", self.instant_mono_ns.to_string())
            .stdout(Stdio::from(std::fs::File::create(&said).unwrap()))
            .stderr(Stdio::null());
        if matches!(blow, Blow::FailFrom(_)) {
            // It is tried again for ever: a few times are enough.
            child.env("HINDSIGHT_TEST_LIMIT_MS", "400");
        }
        let struck = strike(&mut child, storage, calls, n, blow);
        (struck, Said::from(&std::fs::read_to_string(&said).unwrap()))
    }
}

/// What the child told before it ended.
#[derive(Debug, Default)]
pub struct Said {
    pub acknowledged: Option<PressId>,
    pub refused: Option<String>,
    pub finished: bool,
    /// Its gesture was taken, too.
    pub decided: bool,
}

impl Said {
    pub fn from(text: &str) -> Said {
        let word = |name: &str| {
            text.lines().find_map(|line| {
                line.split_once(name)
                    .map(|(_, rest)| rest.trim().to_owned())
            })
        };
        Said {
            acknowledged: word("ACKNOWLEDGED ")
                .map(|id| serde_json::from_value(id.into()).unwrap()),
            refused: word("REFUSED "),
            finished: word("FINISHED").is_some(),
            decided: word("DECIDED").is_some(),
        }
    }
}

/// Eight seconds of the pattern, the last of them 2 s old; the newest arrival.
fn fill(dir: &Path, camera: &str) -> u64 {
    Feeder::new(dir, camera, 30, now() - 10 * SECOND).until(now() - 2 * SECOND)
}

fn settings(storage: &Path, rings: &Path, boot_id: BootId) -> Settings {
    Settings {
        storage: storage.to_path_buf(),
        ring_dir: rings.to_path_buf(),
        timezone: jiff::tz::TimeZone::UTC,
        cameras: CAMERAS
            .iter()
            .map(|name| CameraSettings {
                id: id(name),
                name: (*name).to_owned(),
                court: (*name).to_owned(),
                latency_ms: 0,
            })
            .collect(),
        boot_id,
        stop_grace_ms: 0,
        old_rings: Vec::new(),
        reserve_bytes: 0,
        queue: None,
    }
}

fn env_path(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap())
}

fn env_number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

/// Presses at `HINDSIGHT_TEST_INSTANT`, or else now; with `HINDSIGHT_TEST_LONG_MS` at
/// first undecided.
#[test]
fn child_that_takes_one_press() {
    if !is_child() {
        return;
    }
    wait_until_watched();
    let stop = Stop::default();
    let settings = settings(
        &env_path("HINDSIGHT_TEST_STORAGE"),
        &env_path("HINDSIGHT_TEST_RINGS"),
        BootId::of_this_boot().unwrap(),
    );
    let highlights = match Highlights::start(settings, Arc::new(RealClock), stop.clone()) {
        Ok(highlights) => highlights,
        Err(error) => {
            println!("REFUSED at start: {error}");
            std::process::exit(3);
        }
    };
    let request = PressRequest {
        cameras: CAMERAS.iter().map(|name| id(name)).collect(),
        instant_mono_ns: env_number("HINDSIGHT_TEST_INSTANT").unwrap_or_else(now),
        pre_ms: PRE_MS,
        post_ms: env_number("HINDSIGHT_TEST_POST_MS").unwrap_or(POST_MS),
        source: Source::Http,
        button: None,
    };
    let long = env_number("HINDSIGHT_TEST_LONG_MS").map(|pre_ms| PressWindow {
        pre_ms,
        post_ms: request.post_ms,
    });
    match highlights.press_undecided(&request, long.as_slice(), &|_| {}) {
        Ok(ack) => {
            println!("ACKNOWLEDGED {}", ack.press.id.as_str());
            if let Some(long) = long
                && highlights.decide(&ack.press.id, long).is_ok()
            {
                println!("DECIDED");
            }
            // A disk that fails for ever is tried again for ever: leave after a while.
            let limit_ms = request.post_ms + 500;
            let limit =
                Duration::from_millis(env_number("HINDSIGHT_TEST_LIMIT_MS").unwrap_or(limit_ms));
            if highlights.wait(&ack.press.id, limit).is_some() {
                println!("FINISHED");
            }
        }
        Err(error) => println!("REFUSED {error}"),
    }
    stop.raise(StopLevel::Now);
    highlights.drain(|_| {});
    std::process::exit(0);
}

/// The next start: brings everything to an end.
fn recover(storage: &Path, rings: &Path) {
    recover_in(storage, rings, BootId::of_this_boot().unwrap());
}

/// The next start in that boot.
pub fn recover_in(storage: &Path, rings: &Path, boot_id: BootId) {
    let stop = Stop::default();
    let settings = settings(storage, rings, boot_id);
    let highlights = match Highlights::start(settings, Arc::new(RealClock), stop.clone()) {
        Ok(highlights) => highlights,
        Err(StartError::Locked { .. }) => panic!("the dead child still holds its lock"),
        Err(error) => panic!("the next start fails: {error}"),
    };
    let limit = Instant::now() + Duration::from_secs(60);
    while !highlights.status().pending.is_empty() {
        assert!(
            Instant::now() < limit,
            "still pending: {:?}",
            highlights.status().pending
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    stop.raise(StopLevel::Now);
    highlights.drain(|_| {});
}

/// Law 3 for one storage after its recovery; returns the sidecars' `(status, ended, duration)`.
pub fn judge(storage: &Path, said: &Said, context: &str) -> Vec<(String, String, f64)> {
    let report = verify::verify(&[storage.to_path_buf()]);
    assert!(report.faults.is_empty(), "{context}: {:?}", report.faults);
    let mut outcomes = Vec::new();
    let mut sidecars = Vec::new();
    collect(&storage.join("highlights"), &mut sidecars);
    for path in &sidecars {
        let text = std::fs::read_to_string(path).unwrap();
        let sidecar: serde_json::Value = serde_json::from_str(&text).unwrap();
        let text_of = |key: &str| sidecar[key].as_str().unwrap_or("").to_owned();
        let clip = path.with_extension("mp4").exists();
        assert_eq!(clip, text_of("status") == "queued", "{context}: {sidecar}");
        assert!(
            clip || !text_of("reason").is_empty(),
            "{context}: {sidecar}"
        );
        let duration = sidecar["meta"]["duration_sec"].as_f64().unwrap_or(0.0);
        outcomes.push((text_of("status"), text_of("ended"), duration));
    }
    if let Some(id) = &said.acknowledged {
        let of_it = sidecars
            .iter()
            .filter(|p| p.to_string_lossy().contains(id.as_str()))
            .count();
        assert_eq!(
            of_it,
            CAMERAS.len(),
            "{context}: sidecars of the acknowledged press: {sidecars:?}"
        );
    }
    outcomes
}

pub fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "json") {
            found.push(path);
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_kill_at_any_system_call_loses_no_acknowledged_press_and_no_footage_the_ring_holds() {
    let rig = Rig::new();
    let (whole, said) = rig.strike(&rig.storage("whole"), Calls::Changing, u64::MAX, Blow::Kill);
    assert!(said.finished, "{said:?}");
    let right = judge(&rig.storage("whole"), &said, "not struck");
    assert!(
        right.iter().all(|o| o.0 == "queued" && o.1 == "complete"),
        "{right:?}"
    );
    assert!(whole.counted > 20, "{whole:?}");
    let empty_rings = tempfile::tempdir_in("/dev/shm").unwrap();
    let (mut killed, mut acknowledged, mut without_ring) =
        (0, 0, std::collections::BTreeMap::new());
    for n in 1.. {
        let storage = rig.storage("killed");
        let (struck, said) = rig.strike(&storage, Calls::Changing, n, Blow::Kill);
        let Some(at) = struck.at else { break };
        killed += 1;
        let context = format!("killed at call {n}, {at}");
        let copy = rig.disk.path().join("after-power-cut");
        copy_tree(&storage, &copy);

        recover(&storage, rig.rings.path());
        let outcomes = judge(&storage, &said, &context);
        if said.acknowledged.is_some() {
            acknowledged += 1;
            assert_eq!(outcomes, right, "{context}: the ring still held all of it");
        }
        // The same state, but memory is gone with the power.
        recover(&copy, empty_rings.path());
        for (status, ended, _) in judge(&copy, &said, &format!("{context}, without ring")) {
            *without_ring.entry(format!("{status} {ended}")).or_insert(0) += 1;
        }
        std::fs::remove_dir_all(&storage).unwrap();
        std::fs::remove_dir_all(&copy).unwrap();
    }
    println!(
        "{killed} kills, {acknowledged} behind the acknowledgement; without ring: {without_ring:?}"
    );
    assert!(killed > 20 && acknowledged > 10);
    assert!(
        without_ring.keys().any(|k| k == "queued complete"),
        "{without_ring:?}"
    );
}

#[test]
fn a_kill_at_any_system_call_of_a_press_and_its_gesture_leaves_one_of_its_windows_on_all_cameras() {
    const LONG_MS: u64 = 5_000;
    let long = [("HINDSIGHT_TEST_LONG_MS", LONG_MS)];
    let rig = Rig::new();
    let (mut plain, mut decided) = (0, 0);
    for n in 1.. {
        let storage = rig.storage("killed");
        let (struck, said) = rig.strike_with(&storage, Calls::Changing, n, Blow::Kill, &long);
        recover(&storage, rig.rings.path());
        let context = format!("killed at call {n}, {:?}: {said:?}", struck.at);
        let outcomes = judge(&storage, &said, &context);
        let whole = |pre_ms: u64| {
            let seconds = (pre_ms + POST_MS) as f64 / 1000.0;
            outcomes.iter().all(|(status, ended, plays)| {
                status == "queued"
                    && ended == "complete"
                    && (0.0..0.05).contains(&(plays - seconds))
            })
        };
        if said.acknowledged.is_some() {
            assert!(whole(LONG_MS) || whole(PRE_MS), "{context}: {outcomes:?}");
            assert!(whole(LONG_MS) || !said.decided, "{context}: {outcomes:?}");
            plain += u32::from(whole(PRE_MS));
            decided += u32::from(whole(LONG_MS));
        }
        std::fs::remove_dir_all(&storage).unwrap();
        if struck.at.is_none() {
            assert!(said.finished && said.decided, "{context}");
            break;
        }
    }
    println!("{plain} plain, {decided} decided");
    assert!(
        plain > 0 && decided > 10,
        "{plain} plain, {decided} decided"
    );
}

/// Every call fails with `error`, one after the other; the laws hold with the disk well again.
fn sweep_errors(calls: Calls, blow: fn(Errno) -> Blow, error: Errno) {
    let rig = Rig::new();
    let (mut struck_calls, mut acknowledged, mut refused) = (0, 0, 0);
    for n in 1.. {
        let storage = rig.storage("failing");
        let (struck, said) = rig.strike(&storage, calls, n, blow(error));
        let Some(at) = &struck.at else { break };
        struck_calls += 1;
        let context = format!("{:?} at call {n}, {at}: {said:?}", blow(error));
        assert!(
            struck.exit_code.is_some_and(|c| c == 0 || c == 3),
            "{context}: {struck:?}"
        );
        assert!(
            said.acknowledged.is_some() != said.refused.is_some(),
            "{context}"
        );
        recover(&storage, rig.rings.path());
        let outcomes = judge(&storage, &said, &context);
        if said.acknowledged.is_some() {
            acknowledged += 1;
            assert!(
                outcomes.iter().all(|o| o.0 == "queued"),
                "{context}: {outcomes:?}"
            );
        } else {
            refused += 1;
            // A disk that fails from here on also keeps the record from being taken back.
            let may_return = matches!(blow(error), Blow::FailFrom(_));
            assert!(
                may_return || outcomes.is_empty(),
                "{context}: a refused press came back: {outcomes:?}"
            );
        }
        std::fs::remove_dir_all(&storage).unwrap();
    }
    println!("{struck_calls} calls struck, {acknowledged} acknowledged, {refused} refused");
    assert!(struck_calls > 10 && acknowledged > 0);
}

#[test]
fn a_disk_error_at_any_call_once_loses_nothing() {
    sweep_errors(Calls::Any, Blow::FailOnce, Errno::EIO);
}

#[test]
fn a_disk_that_fails_from_any_call_on_loses_nothing_once_it_works_again() {
    sweep_errors(Calls::Changing, Blow::FailFrom, Errno::EIO);
}

#[test]
fn a_full_disk_at_any_call_once_loses_nothing() {
    sweep_errors(Calls::NeedingSpace, Blow::FailOnce, Errno::ENOSPC);
}

#[test]
fn a_disk_full_from_any_call_on_loses_nothing_once_space_returns() {
    sweep_errors(Calls::NeedingSpace, Blow::FailFrom, Errno::ENOSPC);
}
