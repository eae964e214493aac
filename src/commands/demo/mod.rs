//! `hindsight demo`: the main job with nothing to configure.
//!
//! A built-in camera on loopback, ingest over real RTSP, a ring, the API, ENTER, a board of
//! lights in the terminal; then the logo by FFmpeg, and a folder to upload into.
//! Its folders and port are its own, so it runs beside a service and beside
//! other demos.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

use super::common::{Common, only_errors};
use super::exit::{NOT_DONE, WRONG};
use super::run::keys;
use super::{parse, row};
use crate::base::{Clock, PressId, PressRequest, RealClock, Source, StopLevel};
use crate::config::Config;
use crate::config::Finish;
use crate::cut::Ended;
use crate::demo::{self, Script};
use crate::finish::{self, FfmpegFinisher};
use crate::highlight::sidecar::{self, Sidecar};
use crate::highlight::{Event, Outcome, verify::verify};
use crate::ingest::ConnectionPhase;
use crate::queue;
use crate::service::composition::{ApiPort, CameraReaders, Service};
use crate::service::say::{self, say};
use crate::service::signals::Stopper;
use crate::service::words;
use crate::storage::StorageLayout;
use config::{POST_MS, PRE_MS};
use error::DemoError;

mod claim;
mod config;
mod error;

/// How long the camera may take to show its first picture, and the clip to be written.
const PATIENCE: Duration = Duration::from_secs(60);

/// Try it with a camera that is built in; nothing to configure, ENTER presses
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight demo\n  \
    hindsight demo --exit    presses by itself, checks the clip and leaves")]
pub struct Args {
    /// Press by itself, wait for the clip, verify it and leave: 0 if all is well
    #[arg(long)]
    exit: bool,
    /// With --exit: how long to wait before the press
    #[arg(long, value_name = "TIME", default_value = "12s", value_parser = parse::duration, requires = "exit")]
    press_after: Duration,
    /// Read the camera in this process: for an emulator of programs, which cannot start itself anew
    #[arg(long, hide = true)]
    one_process: bool,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        // A newcomer need not hear of limits that matter to a venue (locked memory).
        common.start_log(only_errors());
        demo(&self)
    }
}

fn demo(args: &Args) -> ExitCode {
    match try_demo(args) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("the demo cannot run: {why}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn try_demo(args: &Args) -> Result<ExitCode, DemoError> {
    let stopper = Stopper::listen().map_err(DemoError::Signals)?;
    let storage = claim::storage()?;
    let ring = claim::ring()?;
    let camera = demo::DemoCamera::start(Script {
        keep_log: false,
        ..Script::default()
    })
    .map_err(DemoError::Camera)?;
    // What encodes here; or why nothing does, and the line to type.
    let marking = maker().describe(&stopper.stop);
    let config = config::config(&storage.path, &ring.path, &camera, marking.is_ok())?;
    let readers = match args.one_process {
        true => CameraReaders::Threads,
        false => CameraReaders::ours(),
    };
    let service = Service::start(&config, ApiPort::OrAnother, readers, &stopper)?;
    introduce(&config, &service, args);
    if let Err(why) = marking {
        say(format!(
            "FFmpeg is left out, so clips get neither logo nor thumbnail: {why}\n"
        ));
    }
    let code = match args.exit {
        true => press_once(&config, &service, &stopper, args.press_after),
        false => let_people_press(&config, &service, &stopper),
    };
    service.leave();
    camera.stop();
    ring.remove();
    Ok(ExitCode::from(code))
}

fn maker() -> FfmpegFinisher {
    FfmpegFinisher::new(finish::Settings {
        finish: Finish::default(),
        venue: String::new(),
        timezone: jiff::tz::TimeZone::UTC,
        reserve_bytes: 0,
        limits: finish::Limits::default(),
    })
}

fn introduce(config: &Config, service: &Service, args: &Args) {
    let camera = &config.cameras[0];
    let url = format!("http://{}", service.addr());
    say(format!(
        "Hindsight demo: press the button after it happened.\n\n  \
         camera   {} (built in: a test pattern with numbered frames and beeps)\n  \
         memory   the last {} s, {} in {}; nothing is written to the disk until a press\n  \
         clips    {}\n  \
         upload   {}: a folder stands for what would be far away\n  \
         API      {url}/status, or another button: curl -X POST {url}/save-clip\n",
        camera.shown_url(),
        config.ring.seconds,
        say::bytes(super::run::rings_bytes(config)),
        config.ring.dir.display(),
        StorageLayout::new(&config.storage.path)
            .highlights()
            .display(),
        config::uploaded(&config.storage.path).display(),
    ));
    if args.exit {
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
fn let_people_press(config: &Config, service: &Service, stopper: &Stopper) -> u8 {
    let mut hint_given = false;
    let listening = service.on_events(move |event| {
        let Some(text) = words::told(&event) else {
            return;
        };
        say(text);
        if let (Event::Committed { path, .. }, false) = (&event, hint_given) {
            say(format!("        {}", how_to_play(path)));
            hint_given = true;
        }
    });
    let working = service.on_work(|event| {
        if let Some(text) = words::worked(&event) {
            say(text);
        }
    });
    let row = row::show(&service.board);
    let keyboard = keys(config, Source::Demo, service, stopper, say);
    while !stopper
        .stop
        .wait(StopLevel::Finish, Duration::from_secs(3600))
    {}
    service.drain(|what| say(what));
    drop((keyboard, listening, working, row));
    stopper.exit_code()
}

fn how_to_play(path: &Path) -> String {
    let path = path.display();
    format!("to see it: ffplay -autoexit \"{path}\", or open it in a browser or player")
}

/// `--exit`: 0 only if a press became a clip that `verify` finds whole.
fn press_once(config: &Config, service: &Service, stopper: &Stopper, press_after: Duration) -> u8 {
    let listening = service.on_events(|event| {
        if let Some(text) = words::told(&event) {
            say(text);
        }
    });
    let (heard, ends) = bounded(64);
    let working = service.on_work(move |event| {
        if let Some(text) = words::worked(&event) {
            say(text);
        }
        // Only the end of one press is waited for.
        let _ = heard.try_send(event);
    });
    let row = row::show(&service.board);
    let made = make_one(config, service, stopper, press_after);
    let made = made.and_then(|outcome| {
        delivered(&outcome.press_id, &ends, stopper)?;
        Ok(outcome)
    });
    stopper.stop.raise(StopLevel::Finish);
    service.drain(|_| ());
    drop((listening, working, row));
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

/// Waits until the press's clip has been finished and uploaded.
fn delivered(
    press: &PressId,
    ends: &Receiver<queue::Event>,
    stopper: &Stopper,
) -> Result<(), DemoError> {
    let clock = RealClock;
    let give_up_mono_ns = clock.mono_ns() + ns(PATIENCE);
    let mut trouble = None;
    while clock.mono_ns() < give_up_mono_ns {
        if stopper.stop.level() > StopLevel::Running {
            return Err(DemoError::Interrupted);
        }
        match ends.recv_timeout(Duration::from_millis(100)) {
            Ok(queue::Event::Done { press_id, .. }) if press_id == *press => return Ok(()),
            Ok(queue::Event::Failed { failure, .. }) => trouble = Some(failure.to_string()),
            _ => {}
        }
    }
    let why = trouble.unwrap_or_else(|| "nobody said why".to_owned());
    Err(DemoError::NotDelivered(why))
}

fn make_one(
    config: &Config,
    service: &Service,
    stopper: &Stopper,
    press_after: Duration,
) -> Result<Outcome, DemoError> {
    let stop = &stopper.stop;
    let clock = RealClock;
    let give_up_mono_ns = clock.mono_ns() + ns(PATIENCE);
    while !service
        .cameras()
        .iter()
        .all(|s| s.state == ConnectionPhase::Streaming)
    {
        if clock.mono_ns() > give_up_mono_ns {
            return Err(DemoError::NoPicture);
        }
        if stop.wait(StopLevel::Finish, Duration::from_millis(50)) {
            return Err(DemoError::Interrupted);
        }
    }
    say(format!(
        "the button is pressed in {} …",
        say::seconds(ns(press_after) / 1_000_000)
    ));
    if stop.wait(StopLevel::Finish, press_after) {
        return Err(DemoError::Interrupted);
    }
    let request = PressRequest {
        cameras: config.cameras.iter().map(|c| c.id.clone()).collect(),
        instant_mono_ns: clock.mono_ns(),
        pre_ms: PRE_MS,
        post_ms: POST_MS,
        source: Source::Demo,
        button: None,
    };
    let answer = service.gate.press(&request);
    say(words::answered(&answer, POST_MS));
    let ack = answer?;
    let outcomes = service.highlights.wait(&ack.press.id, PATIENCE);
    let outcomes = outcomes.ok_or(DemoError::NotWritten)?;
    outcomes.into_iter().next().ok_or(DemoError::NobodyTook)
}

/// A frame of the pattern (30 a second), rounded up.
const FRAME_MS: u64 = 34;

/// Whether the clip is what a press should give.
fn verified(outcome: &Outcome, press_after: Duration) -> Result<String, DemoError> {
    let clip = match (&outcome.clip, outcome.status) {
        (Some(clip), sidecar::Status::Queued) => clip,
        _ => {
            let reason = outcome.reason.as_deref().unwrap_or("for no known reason");
            return Err(DemoError::NoClip(reason.to_string()));
        }
    };
    let folder = clip.parent().unwrap_or(clip).to_owned();
    let report = verify(&[folder]);
    if let Some(fault) = report.faults.first() {
        return Err(DemoError::Fault {
            path: fault.path.clone(),
            what: fault.what.to_string(),
        });
    }
    if report.clips != 1 || report.sidecars != 1 {
        return Err(DemoError::Gone(clip.clone()));
    }
    // Where the ring could hold all of it: what was asked for, and at its start the
    // rest of the frame that was on screen.
    let full = ns(press_after) / 1_000_000 > PRE_MS + 1000;
    let asked = PRE_MS + POST_MS;
    if full && !(asked..=asked + FRAME_MS).contains(&outcome.duration_ms) {
        return Err(DemoError::Length {
            is_ms: outcome.duration_ms,
            asked_ms: asked,
        });
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
fn nothing_is_missing(path: &Path) -> Result<(), DemoError> {
    let bytes = std::fs::read(path).map_err(DemoError::file(path))?;
    let sidecar = Sidecar::from_bytes(&bytes).map_err(|error| DemoError::Fault {
        path: path.to_owned(),
        what: error.to_string(),
    })?;
    let whole = sidecar.gaps.is_empty() && sidecar.damaged.is_empty();
    if !whole || sidecar.ended != Some(Ended::Complete) {
        return Err(DemoError::Incomplete {
            path: path.to_owned(),
            gaps: sidecar.gaps.len(),
            damaged: sidecar.damaged.len(),
            ended: sidecar.ended,
        });
    }
    Ok(())
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    use crate::base::CameraId;

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
            reason_sentence: None,
            duration_ms: PRE_MS + POST_MS,
            size_bytes: 1,
        };
        let says = |outcome: &Outcome| {
            verified(outcome, Duration::from_secs(12))
                .unwrap_err()
                .to_string()
        };
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
}
