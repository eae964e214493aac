//! The commands of the program, one file each.
//!
//! Each is one function here that prints for people and
//! returns the exit code: 0 done, 1 something is wrong with what was looked at,
//! 2 it could not be done at all, 10 somebody held a button to switch the box off, 11 a new
//! system did not become healthy and the box is to be restarted.
//!
//! * [`run`], [`demo`]: the service, with the config's cameras or the built-in one
//! * [`press`], [`queue`]: clients of the running service; `client` speaks HTTP
//! * [`board`], [`board_off`], [`board_test`]: pins, buttons and lights, also without the service
//! * [`update()`]: a new system into the other slot of the image, and its confirmation
//! * [`appliance_disk`], [`appliance_config`]: for the units of our own SD image
//! * [`check`], [`ring`], [`tap`], [`verify`]: look at cameras, rings and files
//!
//! Not here: parsing the command line (`main`), the service that some of them start (`service`), reading
//! the configuration (`config`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::base::CameraId;
use crate::config::Config;
use crate::service::say;
use exit::{NOT_DONE, WRONG};

mod appliance;
mod board;
mod board_off;
mod board_test;
mod check;
mod client;
mod demo;
pub mod exit;
mod latency;
mod press;
mod queue;
mod ring;
mod row;
mod run;
mod tap;
mod update;

pub use update::UpdateCommand;

/// Options of `hindsight demo`.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Press by itself, wait for the clip, verify it and leave.
    pub exit: bool,
    /// With `exit`: how long the ring fills before the press.
    pub press_after: Duration,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions {
            exit: false,
            press_after: Duration::from_secs(12),
        }
    }
}

/// Options of `hindsight press`.
#[derive(Clone, Debug, Default)]
pub struct PressOptions {
    /// Empty: all.
    pub cameras: Vec<CameraId>,
    pub pre_ms: Option<u64>,
    pub post_ms: Option<u64>,
    /// Wait until the clips are on disk.
    pub wait: bool,
}

/// Options of `hindsight check`.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Measure this camera's latency instead.
    pub latency: Option<CameraId>,
}

/// What `hindsight queue` is asked for. Ids as it shows them, or a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueCommand {
    Show,
    /// Again and again.
    Follow,
    Retry(String),
    RetryFailed,
    Drop(String),
}

/// The service: runs until it is told to stop.
pub fn run(config: Config) -> ExitCode {
    run::run(config)
}

/// The main job with nothing to configure.
pub fn demo(options: &DemoOptions) -> ExitCode {
    demo::demo(options)
}

/// Finds, checks and mounts the data disk of a box of ours.
pub fn appliance_disk() -> ExitCode {
    appliance::disk()
}

/// Takes over what the card of a box of ours says; `root`: as if that folder were `/`.
pub fn appliance_config(root: Option<&std::path::Path>) -> ExitCode {
    appliance::config(root)
}

/// Presses the button of the running service.
pub fn press(config: &Config, options: &PressOptions) -> ExitCode {
    press::press(config, options)
}

/// Reaches each camera and says what it found and what the rings cost.
pub fn check(config: &Config, options: &CheckOptions) -> ExitCode {
    match &options.latency {
        Some(camera) => latency::measure(config, camera),
        None => check::check(config),
    }
}

/// The header as a picture: what each pin does by the configuration, and how it is now.
pub fn board(config: &Config) -> ExitCode {
    board::board(config)
}

/// A text picture of the rings of `cameras` (empty: all), of a running service or a dead one.
pub fn ring(config: &Config, cameras: &[CameraId]) -> ExitCode {
    ring::ring(config, cameras)
}

/// One camera's live stream out of the ring to stdout, as fragmented MP4.
pub fn tap(config: &Config, camera: &CameraId) -> ExitCode {
    tap::tap(config, camera)
}

/// What is still to be done with clips; `retry` and `drop`.
pub fn queue(config: &Config, command: &QueueCommand) -> ExitCode {
    queue::queue(config, command)
}

/// A new system into the slot that does not run; `--confirm`; `--status`. The configuration is
/// read only where it is needed: a wrong one must not keep a mended system out.
pub fn update(
    config: impl FnOnce() -> Result<Config, String>,
    layout: Option<&Path>,
    command: &UpdateCommand,
) -> ExitCode {
    update::update(config, layout, command)
}

/// The integrity checker: one line a fault below `paths`.
pub fn verify(paths: &[PathBuf]) -> ExitCode {
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        eprintln!("there is no {}", missing.display());
        return ExitCode::from(NOT_DONE);
    }
    let report = crate::highlight::verify::verify(paths);
    for fault in &report.faults {
        println!("{}: {}", fault.path.display(), fault.what);
    }
    if report.clips + report.sidecars + report.presses == 0 && report.faults.is_empty() {
        println!("note: there is nothing of Hindsight's here: name the folder of [storage] path");
    }
    for note in &report.notes {
        println!("note: {}: {}", note.path.display(), note.what);
    }
    println!(
        "{}, {}, {}: {}",
        say::many(report.clips, "clip"),
        say::many(report.sidecars, "sidecar"),
        say::many_of(report.presses, "pending press", "pending presses"),
        match report.faults.len() {
            0 => "no faults".to_owned(),
            n => say::many(n as u64, "fault"),
        }
    );
    match report.faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(WRONG),
    }
}

/// Every light into the state that says "nothing is saved here"; without the service.
pub fn board_off(config: &Config) -> ExitCode {
    board_off::off(config)
}

/// Walks an installer through all lights and buttons; without the service.
pub fn board_test(config: &Config) -> ExitCode {
    board_test::test(config)
}
