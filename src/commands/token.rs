//! `hindsight token`: shows the token by which the box is set up from a browser.

use std::process::ExitCode;

use super::common::Common;
use super::users::with_store;

/// Show the token with which this box gets its first administrator
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hindsight token\n\n\
    It is good once, and only until there is an administrator.")]
pub struct Args {}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        with_store(common, |store| {
            match store.setup_token()? {
                Some(token) => println!("{token}"),
                None => println!(
                    "this box has been set up already; \"hindsight users list\" shows by whom it is used"
                ),
            }
            Ok(())
        })
    }
}
