//! `hindsight demo`: the main job with nothing to configure.
//!
//! A built-in camera on loopback, ingest over real RTSP, a ring, the API, ENTER.
//! Its folders and port are its own, so it runs beside a service and beside
//! other demos.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::house::{House, Port};
use super::run::keys;
use super::say::{self, say};
use super::signals::Stopper;
use super::{DemoOptions, NOT_DONE, WRONG, row, words};
use nix::fcntl::{Flock, FlockArg};

use crate::base::{CameraId, Clock, PressRequest, RealClock, Source, StopLevel};
use crate::board::pins::PinMap;
use crate::config::board::{
    Backend, Board, Button, ButtonRole, Input, Led, LedRole, Level, Pull, Window,
};
use crate::config::delivery::{Finish, Queue, Upload};
use crate::config::{
    Camera, Config, Highlight, Http, Log, Reconnect, RingSettings, Storage, Transport, Trigger,
    Venue,
};
use crate::demo::{self, Script};
use crate::highlight::cut::Ended;
use crate::highlight::sidecar::{self, Sidecar};
use crate::highlight::{Event, Outcome, verify::verify};
use crate::ingest::Phase;
use crate::web::Port as _;

const PRE_MS: u64 = 10_000;
const POST_MS: u64 = 3_000;
const RING_SECONDS: u32 = 30;
/// Of the pattern, with room.
const MAX_BITRATE_BPS: u64 = 4_000_000;
/// Where it is free; else any.
const PORT: u16 = 8089;
/// How long the camera may take to show its first picture, and the clip to be written.
const PATIENCE: Duration = Duration::from_secs(60);
/// Demos that one user can run at once.
const MOST: u32 = 99;

pub(super) fn demo(options: &DemoOptions) -> ExitCode {
    match try_demo(options) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("the demo cannot run: {why}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn try_demo(options: &DemoOptions) -> Result<ExitCode, String> {
    let stopper = Stopper::listen().map_err(|e| format!("cannot listen for signals: {e}"))?;
    let storage = claim_storage()?;
    let ring = claim_ring()?;
    let camera = demo::Camera::start(Script {
        keep_log: false,
        ..Script::default()
    })
    .map_err(|e| format!("cannot start the built-in camera: {e}"))?;
    let config = config(&storage.path, &ring.path, &camera)?;
    let house = House::start(&config, Port::OrAnother, &stopper).map_err(|e| e.to_string())?;
    introduce(&config, &house, options);
    let code = match options.exit {
        true => press_once(&config, &house, &stopper, options.press_after),
        false => let_people_press(&config, &house, &stopper),
    };
    house.leave();
    camera.stop();
    ring.remove();
    Ok(ExitCode::from(code))
}

fn config(storage: &Path, ring: &Path, camera: &demo::Camera) -> Result<Config, String> {
    let id = CameraId::new("court1").map_err(|e| e.to_string())?;
    Ok(Config {
        venue: Venue {
            name: "Hindsight demo".to_owned(),
            timezone: jiff::tz::TimeZone::system(),
            open: None,
        },
        storage: Storage {
            path: storage.to_owned(),
        },
        ring: RingSettings {
            dir: ring.to_owned(),
            seconds: RING_SECONDS,
            max_bitrate_bps: MAX_BITRATE_BPS,
        },
        highlight: Highlight {
            pre_ms: PRE_MS,
            post_ms: POST_MS,
            stop_grace_ms: 20_000,
        },
        trigger: Trigger {
            keyboard: true,
            http: true,
        },
        reconnect: Reconnect {
            initial_ms: 1000,
            max_ms: 30_000,
            max_attempts: None,
        },
        cameras: vec![Camera {
            id: id.clone(),
            name: "Court 1, built-in camera".to_owned(),
            court: "Court 1".to_owned(),
            url: camera.url(),
            credentials: None,
            transport: Transport::Tcp,
            latency_ms: 0,
        }],
        http: Http {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            token: None,
        },
        log: Log::default(),
        board: Board {
            backend: Backend::Sim,
            ..Board::default()
        },
        buttons: vec![button(&id)],
        leds: leds(),
        finish: Finish::default(),
        queue: Queue::default(),
        upload: Upload::default(),
        targets: Vec::new(),
    })
}

/// The one on the wall, as a venue would have it.
fn button(camera: &CameraId) -> Button {
    Button {
        id: "button1".to_owned(),
        input: Input::Gpio {
            pin: PinMap::generic()
                .recommended
                .buttons
                .first()
                .copied()
                .unwrap_or(0),
            active: Level::Low,
            pull: Pull::Up,
            debounce_ms: 20,
        },
        role: ButtonRole::Press,
        cameras: vec![camera.clone()],
        single: Window {
            pre_ms: PRE_MS,
            post_ms: POST_MS,
        },
        long: None,
        double: None,
        cooldown_ms: POST_MS,
        shutdown_hold_ms: None,
    }
}

fn leds() -> Vec<Led> {
    let pins = &PinMap::generic().recommended;
    let led = |(pin, role)| Led {
        pin,
        active: Level::High,
        role,
    };
    let roles = [
        (pins.ready, LedRole::Ready),
        (pins.busy, LedRole::Busy),
        (pins.fault, LedRole::Fault),
    ];
    roles.map(led).to_vec()
}

fn introduce(config: &Config, house: &House, options: &DemoOptions) {
    let camera = &config.cameras[0];
    let url = format!("http://{}", house.addr());
    say(format!(
        "Hindsight demo: press the button after it happened.\n\n  \
         camera   {} (built in: a test pattern with numbered frames and beeps)\n  \
         memory   the last {} s, {} in {}; nothing is written to the disk until a press\n  \
         clips    {}\n  \
         API      {url}/status, or another button: curl -X POST {url}/save-clip\n",
        camera.shown_url(),
        config.ring.seconds,
        say::bytes(super::run::rings_bytes(config)),
        config.ring.dir.display(),
        config.storage.path.join("highlights").display(),
    ));
    if options.exit {
        return;
    }
    let (pre, post) = (PRE_MS / 1000, POST_MS / 1000);
    match io::stdin().is_terminal() {
        true => say(format!(
            "Press ENTER: the {pre} seconds before it and the {post} after it become a clip.\n\
             1 is the button on the wall, the row below are the lights beside it. q stops.\n"
        )),
        false => say(format!(
            "A line on stdin presses: the {pre} seconds before it and the {post} after it become a clip. Ctrl-C stops."
        )),
    }
}

/// ENTER presses until somebody has seen enough.
fn let_people_press(config: &Config, house: &House, stopper: &Stopper) -> u8 {
    let mut hint_given = false;
    let listening = house.on_events(move |event| {
        let Some(text) = words::told(&event) else {
            return;
        };
        say(text);
        if let (Event::Committed { path, .. }, false) = (&event, hint_given) {
            say(format!("        {}", how_to_play(path)));
            hint_given = true;
        }
    });
    let row = row::show(&house.board);
    let keyboard = keys(config, Source::Demo, house, stopper, say);
    while !stopper
        .stop
        .wait(StopLevel::Finish, Duration::from_secs(3600))
    {}
    house.drain(|what| say(what));
    drop((keyboard, listening, row));
    stopper.exit_code()
}

fn how_to_play(path: &Path) -> String {
    let path = path.display();
    format!("to see it: ffplay -autoexit \"{path}\", or open it in a browser or player")
}

/// `--exit`: 0 only if a press became a clip that `verify` finds whole.
fn press_once(config: &Config, house: &House, stopper: &Stopper, press_after: Duration) -> u8 {
    let listening = house.on_events(|event| {
        if let Some(text) = words::told(&event) {
            say(text);
        }
    });
    let row = row::show(&house.board);
    let made = make_one(config, house, stopper, press_after);
    stopper.stop.raise(StopLevel::Finish);
    house.drain(|_| ());
    drop((listening, row));
    match made.and_then(|outcome| verified(&outcome, press_after)) {
        Ok(text) => {
            say(text);
            0
        }
        Err(why) => {
            eprintln!("demo failed: {why}");
            WRONG
        }
    }
}

fn make_one(
    config: &Config,
    house: &House,
    stopper: &Stopper,
    press_after: Duration,
) -> Result<Outcome, String> {
    let stop = &stopper.stop;
    let interrupted = || "it was interrupted".to_owned();
    let clock = RealClock;
    let give_up_mono_ns = clock.mono_ns() + ns(PATIENCE);
    while !house
        .door
        .states()
        .iter()
        .all(|s| s.state == Phase::Streaming)
    {
        if clock.mono_ns() > give_up_mono_ns {
            return Err("no picture came from the built-in camera".to_owned());
        }
        if stop.wait(StopLevel::Finish, Duration::from_millis(50)) {
            return Err(interrupted());
        }
    }
    say(format!(
        "the button is pressed in {} …",
        say::seconds(ns(press_after) / 1_000_000)
    ));
    if stop.wait(StopLevel::Finish, press_after) {
        return Err(interrupted());
    }
    let request = PressRequest {
        cameras: config.cameras.iter().map(|c| c.id.clone()).collect(),
        instant_mono_ns: clock.mono_ns(),
        pre_ms: PRE_MS,
        post_ms: POST_MS,
        source: Source::Demo,
        button: None,
    };
    let answer = house.door.press(&request);
    say(words::answered(&answer, POST_MS));
    let ack = answer.map_err(|error| error.to_string())?;
    let outcomes = house.highlights.wait(&ack.press.id, PATIENCE);
    let outcomes = outcomes.ok_or("its clip was not written in time")?;
    outcomes
        .into_iter()
        .next()
        .ok_or("no camera took it".to_owned())
}

/// A frame of the pattern (30 a second), rounded up.
const FRAME_MS: u64 = 34;

/// Whether the clip is what a press should give.
fn verified(outcome: &Outcome, press_after: Duration) -> Result<String, String> {
    let clip = match (&outcome.clip, outcome.status) {
        (Some(clip), sidecar::Status::Queued) => clip,
        _ => {
            let reason = outcome.reason.as_deref().unwrap_or("for no known reason");
            return Err(format!("no clip: {reason}"));
        }
    };
    let folder = clip.parent().unwrap_or(clip).to_owned();
    let report = verify(&[folder]);
    if let Some(fault) = report.faults.first() {
        return Err(format!("{}: {}", fault.path.display(), fault.what));
    }
    if report.clips != 1 || report.sidecars != 1 {
        return Err(format!(
            "{}: no clip with a sidecar is there",
            clip.display()
        ));
    }
    // Where the ring could hold all of it: what was asked for, and at its start the
    // rest of the frame that was on screen.
    let full = ns(press_after) / 1_000_000 > PRE_MS + 1000;
    let asked = PRE_MS + POST_MS;
    if full && !(asked..=asked + FRAME_MS).contains(&outcome.duration_ms) {
        let is = outcome.duration_ms;
        return Err(format!("the clip plays {is} ms and should play {asked} ms"));
    }
    if full {
        nothing_is_missing(&outcome.sidecar)?;
    }
    Ok(format!(
        "verified: {}, its sidecar and its hash are in order\n{}",
        say::bytes(outcome.size_bytes),
        how_to_play(clip)
    ))
}

/// The pattern has no holes, so neither may the clip.
fn nothing_is_missing(path: &Path) -> Result<(), String> {
    let read = std::fs::read(path).map_err(|e| e.to_string());
    let read = read.and_then(|bytes| Sidecar::from_bytes(&bytes).map_err(|e| e.to_string()));
    let sidecar = read.map_err(|why| format!("{}: {why}", path.display()))?;
    let whole = sidecar.gaps.is_empty() && sidecar.damaged.is_empty();
    if !whole || sidecar.ended != Some(Ended::Complete) {
        return Err(format!(
            "{}: the clip has {} gaps and {} damaged stretches and ended by {:?}",
            path.display(),
            sidecar.gaps.len(),
            sidecar.damaged.len(),
            sidecar.ended
        ));
    }
    Ok(())
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A folder that no other demo uses while this one runs.
struct Claimed {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Claimed {
    /// Takes `<base>/<name>`, or `<name>-2` and so on where others run.
    fn take(base: &Path, name: &str) -> io::Result<Claimed> {
        for number in 1..=MOST {
            let path = match number {
                1 => base.join(name),
                n => base.join(format!("{name}-{n}")),
            };
            std::fs::create_dir_all(&path)?;
            let file = path.join("demo.lock");
            let opened = File::options().create(true).append(true).open(&file)?;
            let inode = opened.metadata()?.ino();
            let Ok(lock) = Flock::lock(opened, FlockArg::LockExclusiveNonblock) else {
                continue;
            };
            // Its holder may have removed the folder between our opening and our locking.
            if std::fs::metadata(&file).is_ok_and(|facts| facts.ino() == inode) {
                return Ok(Claimed { path, _lock: lock });
            }
        }
        Err(io::Error::other(format!(
            "{MOST} demos are running already"
        )))
    }

    /// The folder and all in it.
    fn remove(self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// `$XDG_STATE_HOME/hindsight-demo`, or what comes nearest.
fn claim_storage() -> Result<Claimed, String> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = folder("HOME").map(|home| home.join(".local/state"));
    let own_temp = std::env::temp_dir().join(format!("hindsight-{}", nix::unistd::getuid()));
    let bases = [state, home, Some(own_temp)];
    let mut why = String::new();
    for base in bases.into_iter().flatten() {
        match Claimed::take(&base, "hindsight-demo") {
            Ok(claimed) => return Ok(claimed),
            Err(error) => why = format!("{}: {error}", base.display()),
        }
    }
    Err(format!("there is no place for clips: {why}"))
}

/// A folder on tmpfs; what a killed demo left in it goes.
fn claim_ring() -> Result<Claimed, String> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let bases = [Some(PathBuf::from("/dev/shm")), runtime];
    let name = format!("hindsight-demo-{}", nix::unistd::getuid());
    let mut why = String::new();
    for base in bases.into_iter().flatten() {
        match Claimed::take(&base, &name) {
            Ok(claimed) => {
                sweep(&claimed.path);
                return Ok(claimed);
            }
            Err(error) => why = format!("{}: {error}", base.display()),
        }
    }
    Err(format!("there is no place in memory (tmpfs): {why}"))
}

fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() != "demo.lock" {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::PressId;

    #[test]
    fn only_a_clip_that_verify_finds_whole_is_a_success() {
        let folder = tempfile::tempdir().unwrap();
        let clip = folder.path().join("court1.mp4");
        let outcome = |clip: Option<&Path>, status| Outcome {
            press_id: PressId::try_from("0123abcd-00000000abc-00010002".to_owned()).unwrap(),
            camera_id: CameraId::new("court1").unwrap(),
            status,
            ended: Some(Ended::Complete),
            clip: clip.map(Path::to_owned),
            sidecar: clip.map_or_else(PathBuf::new, |clip| clip.with_extension("json")),
            reason: Some("the ring is empty".to_owned()),
            duration_ms: PRE_MS + POST_MS,
            size_bytes: 1,
        };
        let says = |outcome: &Outcome| verified(outcome, Duration::from_secs(12)).unwrap_err();
        let none = says(&outcome(None, sidecar::Status::None));
        assert_eq!(none, "no clip: the ring is empty");
        let suspect = says(&outcome(Some(&clip), sidecar::Status::Suspect));
        assert!(suspect.starts_with("no clip: "), "{suspect}");
        std::fs::write(&clip, b"no clip at all").unwrap();
        let broken = says(&outcome(Some(&clip), sidecar::Status::Queued));
        assert!(broken.contains("court1.mp4"), "{broken}");
        std::fs::remove_file(&clip).unwrap();
        let gone = says(&outcome(Some(&clip), sidecar::Status::Queued));
        assert!(gone.contains("no clip with a sidecar is there"), "{gone}");
    }

    #[test]
    fn demos_side_by_side_have_folders_of_their_own_and_a_left_one_is_taken_again() {
        let base = tempfile::tempdir().unwrap();
        let first = Claimed::take(base.path(), "demo").unwrap();
        let second = Claimed::take(base.path(), "demo").unwrap();
        assert_eq!(first.path, base.path().join("demo"));
        assert_eq!(second.path, base.path().join("demo-2"));
        std::fs::write(first.path.join("ring"), "x").unwrap();
        drop(first);
        let third = Claimed::take(base.path(), "demo").unwrap();
        assert_eq!(third.path, base.path().join("demo"));
        sweep(&third.path);
        assert!(!third.path.join("ring").exists());
        second.remove();
        assert!(!base.path().join("demo-2").exists());
    }
}
