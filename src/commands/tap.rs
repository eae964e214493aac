//! `hindsight tap`: a camera's live stream to stdout.

use std::io::{BufWriter, IsTerminal};
use std::process::ExitCode;

use super::common::{Common, Show};
use super::exit::NOT_DONE;
use super::parse;
use crate::base::CameraId;
use crate::config::Config;
use crate::service::signals::Stopper;
use crate::tap;

/// A camera's live stream to stdout as fragmented MP4, without a second session to the camera
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hindsight tap court1 | ffplay -")]
pub struct Args {
    /// The camera's id
    #[arg(value_name = "CAMERA", value_parser = parse::camera)]
    camera: CameraId,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        let named = std::slice::from_ref(&self.camera);
        common.with_config(Show::Nothing, named, |config| tap(config, &self.camera))
    }
}

fn tap(config: &Config, camera: &CameraId) -> ExitCode {
    let out = std::io::stdout();
    if out.is_terminal() {
        eprintln!(
            "this writes video, which a terminal cannot show; try: hindsight tap {camera} | ffplay -"
        );
        return ExitCode::from(NOT_DONE);
    }
    let done = Stopper::listen()
        .map_err(|error| format!("cannot listen for signals: {error}"))
        .and_then(|stopper| {
            let out = BufWriter::with_capacity(256 * 1024, out);
            tap::run(&config.ring.dir, camera, out, &stopper.stop).map_err(|e| e.to_string())
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{camera}: {why}; is the service running?");
            ExitCode::from(NOT_DONE)
        }
    }
}
