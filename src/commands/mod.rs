//! The commands of the program, one file each: its arguments and its help, and what it does and prints for people.
//!
//! Each returns the exit code: 0 done, 1 something is wrong with what was looked at,
//! 2 it could not be done at all, 10 somebody held a button to switch the box off, 11 a new
//! system did not become healthy and the box is to be restarted.
//!
//! * [`run`], [`demo`]: the service, with the config's cameras or the built-in one
//! * [`press`], [`queue`]: clients of the running service; `client` speaks HTTP
//! * [`board`]: pins, buttons and lights, also without the service
//! * [`update`]: a new system into the other slot of the image, and its confirmation
//! * [`appliance`]: for the units of our own SD image
//! * [`ingest`]: what the service starts to read cameras
//! * [`check`], [`ring`], [`tap`], [`verify`]: look at cameras, rings and files
//!
//! A new command is a file with `Args` and a line in [`Command`].
//!
//! Not here: the command line as a whole (`main`), the service that some of them start (`service`).

use std::process::ExitCode;

mod appliance;
mod board;
mod board_off;
mod board_test;
mod check;
mod client;
mod common;
mod demo;
mod exit;
mod ingest;
mod latency;
mod local;
mod parse;
mod password;
mod press;
mod queue;
mod ring;
mod row;
mod run;
mod tap;
mod token;
mod update;
mod users;
mod verify;

pub use common::Common;

/// In the order of the help.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Run(run::Args),
    Demo(demo::Args),
    Check(check::Args),
    Press(press::Args),
    Board(board::Args),
    Ring(ring::Args),
    Tap(tap::Args),
    Queue(queue::Args),
    Users(users::Args),
    Token(token::Args),
    Update(update::Args),
    Appliance(appliance::Args),
    Verify(verify::Args),
    #[command(hide = true)]
    Ingest(ingest::Args),
}

impl Command {
    pub fn run(self, common: &Common) -> ExitCode {
        match self {
            Command::Run(args) => args.run(common),
            Command::Demo(args) => args.run(common),
            Command::Check(args) => args.run(common),
            Command::Press(args) => args.run(common),
            Command::Board(args) => args.run(common),
            Command::Ring(args) => args.run(common),
            Command::Tap(args) => args.run(common),
            Command::Queue(args) => args.run(common),
            Command::Users(args) => args.run(common),
            Command::Token(args) => args.run(common),
            Command::Update(args) => args.run(common),
            Command::Appliance(args) => args.run(common),
            Command::Verify(args) => args.run(common),
            Command::Ingest(args) => args.run(),
        }
    }
}
