//! `hindsight check --latency CAMERA`: how much later than reality its picture arrives.
//!
//! The terminal flashes at random instants while the camera looks at it. A flash
//! makes the next picture large, since everything in it changed; so the sizes of
//! the access units tell when it arrived, and nothing has to be decoded.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::exit::{NOT_DONE, WRONG};
use crate::base::{BootId, CameraId, Clock, RealClock, Stop, StopLevel};
use crate::config::{Camera, Config};
use crate::ingest::{self, ConnectionPhase, Ingest, IngestError};
use crate::media::Track;
use crate::ring::{RingError, RingReader};
use crate::service::signals::Stopper;

const FLASHES: u16 = 24;
/// Between two flashes, in milliseconds: longer than any latency we look for.
const SHORTEST_MS: u64 = 1600;
const SPREAD_MS: u64 = 900;
/// Latencies looked for, in milliseconds.
const LONGEST_MS: u64 = 1500;
/// How long the camera may take to show its first picture.
const PATIENCE_NS: u64 = 20_000_000_000;

pub(super) fn measure(config: &Config, id: &CameraId) -> ExitCode {
    let Some(camera) = config.cameras.iter().find(|camera| camera.id == *id) else {
        eprintln!("there is no camera {id}");
        return ExitCode::from(NOT_DONE);
    };
    explain(camera);
    if !std::io::stdout().is_terminal() {
        eprintln!("this must be run on a terminal that the camera can see");
        return ExitCode::from(NOT_DONE);
    }
    println!("Press ENTER when the camera sees this screen …");
    let _ = std::io::stdin().read_line(&mut String::new());
    match watch(config, camera) {
        Ok((flashes, frames)) => conclude(camera, &flashes, &frames),
        Err(why) => {
            eprintln!("{id}: {why}");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn explain(camera: &Camera) {
    println!(
        "How late is the picture of {id} ({name})? Now the config says latency = \"{latency}ms\".\n\n\
         By itself: take this screen (a laptop, say, with this command running over ssh) to the camera, so that it\n\
         fills most of the picture, in a dim room. It will flash {FLASHES} times, some {seconds} seconds in all, and\n\
         the pictures that arrive tell how late they are.\n\n\
         By hand, where no screen can be brought there: clap before the camera and press in the same moment, with\n\
         \"hindsight press --camera {id} --pre 5s --post 5s\"; step through the clip picture by picture. The clap\n\
         stands where the press should be, 5 s from its start: if it comes later by so much, add that to latency.\n",
        id = camera.id,
        name = camera.name,
        latency = camera.latency_ms,
        seconds = u64::from(FLASHES) * (SHORTEST_MS + SPREAD_MS / 2) / 1000,
    );
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
enum LatencyError {
    #[error("{}: {error}", path.display())]
    Folder {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{0}")]
    System(std::io::Error),
    #[error("{0}")]
    Ingest(#[from] IngestError),
    #[error("{0}")]
    Ring(#[from] RingError),
    #[error("no picture: {0}")]
    NoPicture(String),
    #[error("interrupted")]
    Interrupted,
}

/// Arrival and size of a video access unit that is not a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    arrival_mono_ns: u64,
    len: u32,
}

/// A session of its own with the camera, in a ring of its own, while the screen flashes.
fn watch(config: &Config, camera: &Camera) -> Result<Seen, LatencyError> {
    let dir = config
        .ring
        .dir
        .join(format!("hindsight-latency-{}", std::process::id()));
    std::fs::create_dir(&dir).map_err(|error| LatencyError::Folder {
        path: dir.clone(),
        error,
    })?;
    // Ctrl-C must give the terminal back.
    let stop = Stopper::listen().map_err(LatencyError::System)?.stop;
    let watched = watch_in(config, camera, &dir, &stop);
    stop.raise(StopLevel::Now);
    let watched = watched.map(|(ingest, seen)| {
        ingest.join();
        seen
    });
    let _ = std::fs::remove_dir_all(&dir);
    watched
}

type Seen = (Vec<u64>, Vec<Frame>);

fn watch_in(
    config: &Config,
    camera: &Camera,
    dir: &Path,
    stop: &Stop,
) -> Result<(Ingest, Seen), LatencyError> {
    let clock = Arc::new(RealClock);
    let mut ring = config.ring.clone();
    ring.dir = dir.to_owned();
    ring.seconds =
        u32::try_from(u64::from(FLASHES) * (SHORTEST_MS + SPREAD_MS) / 1000 + 10).unwrap_or(90);
    let settings = ingest::Settings {
        cameras: vec![camera.clone()],
        ring,
        reconnect: config.reconnect,
        window_ms: 0,
        boot_id: BootId::of_this_boot().map_err(LatencyError::System)?,
    };
    let ingest = ingest::start(settings, clock.clone(), stop.clone())?;
    let give_up_mono_ns = clock.mono_ns() + PATIENCE_NS;
    while !ingest
        .states()
        .iter()
        .all(|s| s.state == ConnectionPhase::Streaming)
    {
        if clock.mono_ns() > give_up_mono_ns {
            let reason = ingest.states().first().map(|s| s.reason.clone());
            let why = reason.map(|why| why.to_string());
            return Err(LatencyError::NoPicture(why.unwrap_or_default()));
        }
        if stop.wait(StopLevel::Finish, Duration::from_millis(50)) {
            return Err(LatencyError::Interrupted);
        }
    }
    let flashes = flash(clock.as_ref(), stop);
    if flashes.len() < usize::from(FLASHES) {
        return Err(LatencyError::Interrupted);
    }
    let ring = RingReader::open(dir, &camera.id)?;
    let metas = (ring.oldest()..ring.head()).filter_map(|pos| ring.meta(pos).ok());
    let frames = metas
        .filter(|meta| meta.track == Track::Video && !meta.flags.key && !meta.flags.gap)
        .map(|meta| Frame {
            arrival_mono_ns: meta.arrival_mono_ns,
            len: meta.len,
        });
    let frames = frames.collect();
    Ok((ingest, (flashes, frames)))
}

/// Turns the screen bright and dark by turns; returns when. Fewer if it is interrupted.
fn flash(clock: &dyn Clock, stop: &Stop) -> Vec<u64> {
    let mut out = std::io::stdout().lock();
    let mut flashes = Vec::new();
    // A screen of its own, so that what was on this one comes back.
    let _ = write!(out, "\x1b[?1049h\x1b[?25l");
    for number in 0..FLASHES {
        let colour = if number % 2 == 0 { "107" } else { "40" };
        let _ = write!(out, "\x1b[{colour}m\x1b[2J\x1b[H").and_then(|()| out.flush());
        flashes.push(clock.mono_ns());
        let pause = SHORTEST_MS + fastrand::u64(..SPREAD_MS);
        if stop.wait(StopLevel::Finish, Duration::from_millis(pause)) {
            break;
        }
    }
    let _ = write!(out, "\x1b[0m\x1b[?25h\x1b[?1049l").and_then(|()| out.flush());
    flashes
}

fn conclude(camera: &Camera, flashes: &[u64], frames: &[Frame]) -> ExitCode {
    match estimate(flashes, frames) {
        Some(found) => {
            println!(
                "{}: its picture is {} ms late (half of {} flashes within {} ms of it).\n\
                 Write  latency = \"{}ms\"  into its [[camera]] table. A screen adds some 10 to 30 ms of its own.",
                camera.id, found.latency_ms, found.seen, found.spread_ms, found.latency_ms
            );
            ExitCode::SUCCESS
        }
        None => {
            eprintln!(
                "{}: the flashes were not to be seen in the stream; let the screen fill more of the picture, \
                 dim the room, make the screen brighter, and try again, or measure by hand as said above",
                camera.id
            );
            ExitCode::from(WRONG)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Estimate {
    latency_ms: u64,
    /// How far from it the nearer half of the flashes lies.
    spread_ms: u64,
    /// Flashes that showed.
    seen: usize,
}

/// The latency that most flashes agree on; `None` if they do not.
fn estimate(flashes: &[u64], frames: &[Frame]) -> Option<Estimate> {
    let mut sizes: Vec<u32> = frames.iter().map(|frame| frame.len).collect();
    sizes.sort_unstable();
    let usual = u64::from(*sizes.get(sizes.len() / 2)?);
    let mut late_ms: Vec<u64> = flashes
        .iter()
        .filter_map(|flash| first_large(*flash, frames, usual))
        .collect();
    late_ms.sort_unstable();
    let latency_ms = *late_ms.get(late_ms.len() / 2)?;
    let mut off: Vec<u64> = late_ms.iter().map(|ms| ms.abs_diff(latency_ms)).collect();
    off.sort_unstable();
    let spread_ms = off[off.len() / 2];
    let enough = late_ms.len() * 3 >= flashes.len() * 2;
    (enough && spread_ms <= 60).then_some(Estimate {
        latency_ms,
        spread_ms,
        seen: late_ms.len(),
    })
}

/// How long after a flash the first large picture came, in milliseconds.
fn first_large(flash_mono_ns: u64, frames: &[Frame], usual: u64) -> Option<u64> {
    let after = |frame: &&Frame| frame.arrival_mono_ns >= flash_mono_ns;
    let large = |frame: &&Frame| u64::from(frame.len) > 3 * usual + 200;
    let first = frames.iter().filter(after).find(large)?;
    let ms = (first.arrival_mono_ns - flash_mono_ns) / 1_000_000;
    (ms <= LONGEST_MS).then_some(ms)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Thirty pictures a second with noise; those `late_ms` after a flash are large.
    fn seen(flashes: &[u64], late_ms: u64, large: u32) -> Vec<Frame> {
        let mut random = fastrand::Rng::with_seed(7);
        let shown = |at: u64| {
            flashes.iter().any(|flash| {
                let due = flash + late_ms * 1_000_000;
                (due..due + 33_000_000).contains(&at)
            })
        };
        (0..2000u64)
            .map(|n| n * 33_000_000)
            .map(|at| Frame {
                arrival_mono_ns: at,
                len: if shown(at) {
                    large
                } else {
                    2000 + random.u32(..600)
                },
            })
            .collect()
    }

    fn flashes() -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(3);
        let mut at = 1_000_000_000;
        (0..FLASHES)
            .map(|_| {
                at += (SHORTEST_MS + random.u64(..SPREAD_MS)) * 1_000_000;
                at
            })
            .collect()
    }

    #[test]
    fn the_latency_is_found_within_a_frame() {
        for late_ms in [20, 180, 640, 1200] {
            let found = estimate(&flashes(), &seen(&flashes(), late_ms, 40_000)).unwrap();
            assert!(
                found.latency_ms.abs_diff(late_ms) <= 33,
                "{late_ms}: {found:?}"
            );
            assert_eq!(found.seen, usize::from(FLASHES));
        }
    }

    #[test]
    fn a_camera_that_does_not_see_the_screen_gives_no_number() {
        assert_eq!(estimate(&flashes(), &seen(&flashes(), 180, 2400)), None);
        assert_eq!(estimate(&flashes(), &[]), None);
        // Something else moves, without regard to the flashes.
        let elsewhere: Vec<u64> = (0..u64::from(FLASHES)).map(|n| n * 2_345_000_000).collect();
        assert_eq!(estimate(&flashes(), &seen(&elsewhere, 0, 40_000)), None);
    }
}
