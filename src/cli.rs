//! The command line as a whole; each command's words are its own (`commands`).

use clap::Parser;
use hindsight::commands::{Command, Common};

const VERSION: &str = if cfg!(debug_assertions) {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (commit ",
        env!("BUILT_FROM_COMMIT"),
        " or later, debug build)"
    )
} else {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (commit ",
        env!("BUILT_FROM_COMMIT"),
        ")"
    )
};

/// Press the button after it happened: saves what the cameras of a court just saw.
#[derive(Parser)]
#[command(
    name = "hindsight",
    version = VERSION,
    arg_required_else_help = true,
    after_help = "Examples:\n  hindsight demo          try it, nothing to configure\n  \
                  hindsight check         is the configuration right, do the cameras answer?\n  \
                  hindsight run           the service\n\n\
                  Exit codes: 0 done, 1 something is wrong with what was looked at, 2 it could not be done."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}
