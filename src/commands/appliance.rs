//! `hindsight appliance disk` and `config`: for the units of our own SD image, as root.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::Uid;

use super::common::{Common, quiet};
use super::exit::{NOT_DONE, WRONG};
use crate::appliance::Paths;
use crate::appliance::config::{self, TakingOver};
use crate::appliance::disk::look::Devices;
use crate::appliance::disk::{self, Bringing, Patience};
use crate::appliance::system::System;

/// For the units of Hindsight's own SD image: its disk, and what the card says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hindsight appliance config --root /tmp/box")]
pub struct Args {
    #[command(subcommand)]
    action: ApplianceAction,
}

#[derive(Debug, clap::Subcommand)]
enum ApplianceAction {
    /// Find, check and mount the data disk; an empty one is prepared, a foreign one never
    #[command(after_help = "Example:\n  hindsight appliance disk")]
    Disk,
    /// Take over hindsight.toml, wifi.txt and authorized_keys from the card
    #[command(after_help = "Example:\n  hindsight appliance config")]
    Config {
        /// As if this folder were /, and without mounting anything: to try it out
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
    },
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.start_log(quiet());
        match self.action {
            ApplianceAction::Disk => disk(),
            ApplianceAction::Config { root } => config(root.as_deref()),
        }
    }
}

/// Finds, checks and mounts the data disk; prepares an empty one.
fn disk() -> ExitCode {
    if !Uid::effective().is_root() {
        eprintln!("this is for the units of Hindsight's own SD image, which run it as root");
        return ExitCode::from(NOT_DONE);
    }
    let bringing = Bringing {
        paths: &Paths::below(Path::new("/")),
        system: System { mounts: true },
        devices: Devices::default(),
        patience: Patience::default(),
    };
    match disk::bring_up(&bringing) {
        Ok(used) => {
            println!("{}", used.in_words());
            ExitCode::SUCCESS
        }
        Err(error) => half_done(&error),
    }
}

/// Takes over what the card says. `root`: as if that folder were `/`, and nothing is mounted.
fn config(root: Option<&Path>) -> ExitCode {
    if root.is_none() && !Uid::effective().is_root() {
        eprintln!(
            "this is for the units of Hindsight's own SD image, which run it as root; to try it out: --root FOLDER"
        );
        return ExitCode::from(NOT_DONE);
    }
    let taking = TakingOver {
        paths: &Paths::below(root.unwrap_or(Path::new("/"))),
        system: System {
            mounts: root.is_none(),
        },
    };
    match config::take_over(&taking) {
        Ok(runs) => {
            println!("{}", runs.in_words());
            ExitCode::SUCCESS
        }
        Err(error) => half_done(&error),
    }
}

fn half_done(error: &std::io::Error) -> ExitCode {
    eprintln!("done as far as it could be, but something could not be written: {error}");
    ExitCode::from(WRONG)
}
