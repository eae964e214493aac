//! `hindsight ring`: what each camera's memory holds, and who reads it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::client::ServiceClient;
use super::common::{Common, Show};
use super::exit::{NOT_DONE, WRONG};
use super::parse;
use crate::base::CameraId;
use crate::config::Config;
use crate::ring::{RingError, RingReader, picture};
use crate::service::say;

/// Columns of a picture.
const WIDTH: usize = 100;

/// A picture of what each camera's memory holds, of a running service or a dead one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight ring\n  hindsight ring court1")]
pub struct Args {
    /// Only this camera; may repeat
    #[arg(value_name = "CAMERA", value_parser = parse::camera)]
    cameras: Vec<CameraId>,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.with_config(Show::Nothing, &self.cameras, |config| {
            ring(config, &self.cameras)
        })
    }
}

fn ring(config: &Config, cameras: &[CameraId]) -> ExitCode {
    let client = ServiceClient::new(config, Duration::from_secs(5));
    let service = client.get("/status").ok().filter(|a| a.status == 200);
    let status = service.map(|answer| answer.body);
    if status.is_none() {
        println!("no service is running with this configuration: these rings are of the past\n");
    }
    let mut seen = 0;
    let wanted = config
        .cameras
        .iter()
        .filter(|camera| cameras.is_empty() || cameras.contains(&camera.id));
    let wanted: Vec<_> = wanted.collect();
    for camera in &wanted {
        println!("{} ({})", camera.id, camera.name);
        match RingReader::open(&config.ring.dir, &camera.id) {
            Ok(ring) => {
                seen += 1;
                let readers = readers(&config.ring.dir, &camera.id, ring.writer_pid(), &status);
                print!("{}", indented(&picture(&ring.stats(), WIDTH)));
                println!("    readers {}\n", readers.join("; "));
            }
            Err(RingError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                println!("    no ring: no service has kept one here since power-on\n");
            }
            Err(error) => println!("    {error}\n"),
        }
    }
    match seen {
        0 => ExitCode::from(NOT_DONE),
        n if n < wanted.len() => ExitCode::from(WRONG),
        _ => ExitCode::SUCCESS,
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Exports of the running service, and other programs that have the ring mapped.
fn readers(dir: &Path, camera: &CameraId, writer_pid: u32, status: &Option<Value>) -> Vec<String> {
    let mut readers = Vec::new();
    if let Some(status) = status {
        let buffers = status["buffers"].as_array();
        let ours = buffers.and_then(|all| all.iter().find(|b| b["camera_id"] == camera.as_str()));
        let exports = ours.and_then(|buffer| buffer["readers"].as_array());
        for export in exports.unwrap_or(&Vec::new()) {
            readers.push(format!(
                "export of press {} ({}, {} written)",
                export["press_id"].as_str().unwrap_or("?"),
                export["phase"].as_str().unwrap_or("?"),
                say::bytes(export["written_bytes"].as_u64().unwrap_or(0)),
            ));
        }
    }
    let path = dir.join(format!("hindsight-{camera}"));
    readers.extend(others(&path, writer_pid));
    if readers.is_empty() {
        readers.push("none".to_owned());
    }
    readers
}

/// Processes that map the file at `path`, as far as we may see them.
fn others(path: &Path, writer_pid: u32) -> Vec<String> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    // The service, whose other process writes the ring.
    let service = parent_of(writer_pid);
    let own = std::process::id();
    let mut found = Vec::new();
    for process in processes.flatten() {
        let pid = process
            .file_name()
            .to_str()
            .and_then(|n| n.parse::<u32>().ok());
        let ours = |pid: &u32| *pid == own || *pid == writer_pid || Some(*pid) == service;
        let Some(pid) = pid.filter(|pid| !ours(pid)) else {
            continue;
        };
        let maps = fs::read_to_string(process.path().join("maps")).unwrap_or_default();
        if maps
            .lines()
            .any(|line| line.ends_with(&path.display().to_string()))
        {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(format!("{} (process {pid})", name.trim()));
        }
    }
    found
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    behind_name.split_whitespace().nth(1)?.parse().ok()
}
