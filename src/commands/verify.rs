//! `hindsight verify`: the integrity checker.

use std::path::PathBuf;
use std::process::ExitCode;

use super::common::{Common, quiet};
use super::exit::{NOT_DONE, WRONG};
use crate::highlight::verify;
use crate::service::say;

/// Check every clip, sidecar and press below a folder; one line for each fault
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hindsight verify /var/lib/hindsight")]
pub struct Args {
    /// Folders or files
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.start_log(quiet());
        verify(&self.paths)
    }
}

/// The integrity checker: one line a fault below `paths`.
fn verify(paths: &[PathBuf]) -> ExitCode {
    if let Some(missing) = paths.iter().find(|path| !path.exists()) {
        eprintln!("there is no {}", missing.display());
        return ExitCode::from(NOT_DONE);
    }
    let report = verify::verify(paths);
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
            n => say::many(n, "fault"),
        }
    );
    match report.faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(WRONG),
    }
}
