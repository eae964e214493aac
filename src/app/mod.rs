//! Composition root: builds, starts and stops everything, in order. The only
//! place that knows all rooms.
//!
//! Each command of the program is one function here that prints for people and
//! returns the exit code: 0 done, 1 something is wrong with what was looked at,
//! 2 it could not be done at all.
//!
//! Not here: parsing the command line (`main`), reading the configuration (`config`).
//! Called by: main.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::base::CameraId;
use crate::config::Config;

pub mod logging;

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

/// The service: runs until it is told to stop.
pub fn run(config: Config) -> ExitCode {
    let _ = config;
    todo!()
}

/// The main job with nothing to configure.
pub fn demo(options: &DemoOptions) -> ExitCode {
    let _ = options;
    todo!()
}

/// Presses the button of the running service.
pub fn press(config: &Config, options: &PressOptions) -> ExitCode {
    let _ = (config, options);
    todo!()
}

/// Reaches each camera and says what it found and what the rings cost.
pub fn check(config: &Config, options: &CheckOptions) -> ExitCode {
    let _ = (config, options);
    todo!()
}

/// A text picture of the rings of `cameras` (empty: all), of a running service or a dead one.
pub fn ring(config: &Config, cameras: &[CameraId]) -> ExitCode {
    let _ = (config, cameras);
    todo!()
}

/// One camera's live stream out of the ring to stdout, as fragmented MP4.
pub fn tap(config: &Config, camera: &CameraId) -> ExitCode {
    let _ = (config, camera);
    todo!()
}

/// The integrity checker: one line a fault below `paths`.
pub fn verify(paths: &[PathBuf]) -> ExitCode {
    let _ = paths;
    todo!()
}
