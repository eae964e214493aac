//! `hindsight check`: does the configuration work with these cameras and this machine?
//! Cameras, memory, disk, FFmpeg and its encoder, upload targets, pins. Nothing is changed.

mod found;
mod pins;
mod work;

use nix::unistd::{AccessFlags, access};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::common::{Common, Show};
use super::exit::WRONG;
use super::run::rings_bytes;
use super::{latency, parse};
use crate::base::CameraId;
use crate::base::quantity::ToFloat;
use crate::cage;
use crate::config::{Camera, Config};
use crate::disk::{Disk, mounted::missing_mount};
use crate::finish::Picture;
use crate::ingest::{self, Probe, ProbeError};
use crate::ring::{RingError, require_tmpfs};
use crate::service::{say, sound_before};
use crate::storage::StorageLayout;
use crate::storage::budget::{self, Outlook};
use found::CheckFindings;

/// How long each camera may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Is the configuration right, do cameras and upload targets answer, does the encoder keep up?
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight check\n  \
    hindsight check --latency court1    how to measure how late a camera's picture is")]
pub struct Args {
    /// Measure how late this camera's picture is, and say what to write for `latency`
    #[arg(long, value_name = "CAMERA", value_parser = parse::camera)]
    latency: Option<CameraId>,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        let named: Vec<CameraId> = self.latency.iter().cloned().collect();
        common.with_config(Show::AsText, &named, |config| match &self.latency {
            Some(camera) => latency::measure(config, camera),
            None => check(config),
        })
    }
}

fn check(config: &Config) -> ExitCode {
    let many = say::many(config.cameras.len(), "camera");
    println!("calling {many}, up to {} s each …\n", LIMIT.as_secs());
    let (probes, asked) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| work::ask_targets(config));
        let probes = probe_all(&sound_before::cameras_as_seen(config, &Disk::default()));
        (probes, asking.join().unwrap_or_default())
    });
    let mut found = CheckFindings::default();
    cameras(config, &probes, &mut found);
    memory(config, &mut found.wrong);
    storage(config, &mut found.wrong);
    work::marking(config, largest(&probes), &mut found);
    work::targets(&asked, &mut found);
    pins::pins(config, &mut found);
    cage(&mut found);
    println!();
    let CheckFindings { notes, wrong } = found;
    for note in &notes {
        println!("note   {note}");
    }
    for reason in &wrong {
        println!("WRONG  {reason}");
    }
    match wrong.is_empty() {
        true => {
            println!("all is well");
            ExitCode::SUCCESS
        }
        false => ExitCode::from(WRONG),
    }
}

/// A row for each.
fn cameras(config: &Config, probes: &[Result<Probe, ProbeError>], found: &mut CheckFindings) {
    let head = [
        "camera",
        "",
        "video",
        "fps",
        "bitrate",
        "key frames every",
        "audio",
        "clock reports",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (camera, probe) in config.cameras.iter().zip(probes) {
        match probe {
            Ok(probe) => {
                rows.push(row(camera, probe));
                found.wrong.extend(misfits(config, camera, probe));
                let warnings = probe.warnings.iter();
                let warnings = warnings.map(|text| format!("{}: {text}", camera.id));
                found.notes.extend(warnings);
            }
            Err(error) => {
                rows.push(vec![
                    camera.id.to_string(),
                    camera.name.clone(),
                    "no picture".to_owned(),
                ]);
                found.wrong.push(format!("{}: {error}", camera.id));
            }
        }
    }
    println!("{}", say::table(&rows));
}

/// All at once: a venue has many, and a dead one takes its whole limit.
fn probe_all(cameras: &[Camera]) -> Vec<Result<Probe, ProbeError>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = cameras
            .iter()
            .map(|camera| scope.spawn(move || ingest::probe(camera, LIMIT)))
            .collect();
        let crashed = || ProbeError::Panicked;
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(crashed())))
            .collect()
    })
}

/// The largest picture that comes.
fn largest(probes: &[Result<Probe, ProbeError>]) -> Option<Picture> {
    let pictures = probes.iter().flatten().map(|probe| Picture {
        width: probe.width.into(),
        height: probe.height.into(),
        fps: probe.fps,
    });
    pictures.max_by_key(|picture| picture.width * picture.height)
}

fn row(camera: &Camera, probe: &Probe) -> Vec<String> {
    let s = |ms: u64| format!("{:.1}", ms.to_float() / 1000.0);
    let gop = match (probe.shortest_gop_ms, probe.longest_gop_ms) {
        (Some(short), Some(long)) if s(short) != s(long) => {
            format!("{} to {} s", s(short), s(long))
        }
        (_, Some(long)) => format!("{} s", s(long)),
        _ => "unknown".to_owned(),
    };
    let b_frames = if probe.b_frames { ", B-frames" } else { "" };
    vec![
        camera.id.to_string(),
        camera.name.clone(),
        format!("{} {}x{}{b_frames}", probe.codec, probe.width, probe.height),
        format!("{:.1}", probe.fps),
        format!("{:.1} Mbit/s", probe.bitrate_bps.to_float() / 1e6),
        gop,
        probe.audio.clone().unwrap_or_else(|| "none".to_owned()),
        if probe.sender_reports { "yes" } else { "no" }.to_owned(),
    ]
}

/// What of the camera does not fit the configuration.
fn misfits(config: &Config, camera: &Camera, probe: &Probe) -> Vec<String> {
    let id = &camera.id;
    let window_ms = config.longest_window_ms();
    let mut wrong: Vec<String> = probe
        .ring_warnings(&config.ring, window_ms)
        .iter()
        .map(|text| format!("{id}: {text}"))
        .collect();
    if probe.lost_packets > 0 {
        wrong.push(format!(
            "{id}: {} of the network were lost in {}; look at cables and switches, or use transport = \"tcp\"",
            say::many(probe.lost_packets, "packet"),
            say::seconds(probe.watched_ms)
        ));
    }
    wrong
}

/// What reads cameras locks itself in, as far as the kernel lets it.
fn cage(found: &mut CheckFindings) {
    let report = cage::possible();
    println!("cage    {report}");
    if !report.whole() {
        let why = "what reads a camera can be locked in only in part: a hostile camera that takes it over could do more";
        found.notes.push(format!("{why} ({report})"));
    }
}

fn memory(config: &Config, wrong: &mut Vec<String>) {
    let dir = &config.ring.dir;
    let needed = rings_bytes(config);
    let held: u64 = config
        .cameras
        .iter()
        .filter_map(|camera| std::fs::metadata(dir.join(format!("hindsight-{}", camera.id))).ok())
        .map(|facts| facts.len())
        .sum();
    let per_camera = needed / u64::try_from(config.cameras.len().max(1)).unwrap_or(u64::MAX);
    if let Err(error @ RingError::NotTmpfs { .. }) = require_tmpfs(dir) {
        wrong.push(error.to_string());
        return;
    }
    match Disk::default().space(dir) {
        Ok(space) => {
            let (dir, free) = (dir.display(), space.free + held);
            println!(
                "memory  {} for {} s of each camera, {} in all; {dir} has {}",
                say::bytes(per_camera),
                config.ring.seconds,
                say::bytes(needed),
                say::bytes(free)
            );
            if needed > free {
                wrong.push(format!(
                    "{dir}: the rings need {} and {} are free; lower [ring] seconds or max_bitrate, or give it more memory",
                    say::bytes(needed),
                    say::bytes(free)
                ));
            }
        }
        Err(error) => wrong.push(format!(
            "{}: {error}; [ring] dir must be a folder on tmpfs, such as /dev/shm",
            dir.display()
        )),
    }
}

/// Room for few presses, with what `[ring] max_bitrate` allows in each.
fn little_room(storage: &Path, free: u64, press_bytes: u64) -> Option<String> {
    let presses = match budget::outlook(free, press_bytes) {
        Outlook::Full => 0,
        Outlook::Few(presses) => presses,
        Outlook::Enough => return None,
    };
    Some(format!(
        "{}: {} free is room for {} of all cameras; delete or move old highlights, or take a larger disk",
        storage.display(),
        say::bytes(free),
        say::many_of(presses, "press", "presses"),
    ))
}

fn storage(config: &Config, wrong: &mut Vec<String>) {
    let path = &config.storage.path;
    if let Some(point) = missing_mount(path) {
        wrong.push(format!(
            "{}: the disk of {} is not mounted",
            path.display(),
            point.display()
        ));
    }
    // The service makes the folder where it is missing.
    let exists = |path: &&Path| path.exists();
    let there = path.ancestors().find(exists).unwrap_or(path);
    match Disk::default().space(there) {
        Ok(space) if space.read_only => {
            wrong.push(format!("{}: it can only be read", there.display()));
        }
        Ok(space) => {
            println!(
                "clips   {}, {} free",
                path.display(),
                say::bytes(space.free)
            );
            wrong.extend(little_room(there, space.free, config.press_bytes()));
            // What another user's run left in it is as bad.
            let ours = StorageLayout::new(there).own();
            let barred = ours
                .iter()
                .find(|path| path.exists() && access(path.as_path(), AccessFlags::W_OK).is_err());
            if let Some(barred) = barred {
                wrong.push(format!(
                    "{}: this user may not write there; run check as the user that runs hindsight, to whom {} and all in it must belong (chown -R)",
                    barred.display(),
                    path.display()
                ));
            }
        }
        Err(error) => wrong.push(format!("{}: {error}", there.display())),
    }
}
