//! `hindsight ingest`: what the service starts to read cameras; not for people.

use std::process::ExitCode;

use crate::ingest;

/// Reads cameras for the service, which starts it
#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn run(self) -> ExitCode {
        match ingest::read_for_service() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Where the service started it nobody reads this, and the code says it.
                eprintln!("{error}");
                ExitCode::from(error.exit_code())
            }
        }
    }
}
