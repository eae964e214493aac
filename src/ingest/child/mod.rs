//! The process that reads cameras for the service: `hindsight ingest`.
//!
//! It is told by a channel what it has to know, opens its rings, locks itself in, and reads. It says how
//! things are, and ends when the channel ends. Nothing of it is waited for: what the service does not take
//! in time is said later or, if it is a log line, never.
//!
//! * `speaker`: its loop: says, hears, beats; `log_lines`: its log
//! * `meter`: whom memory and work are charged to; a camera that is too much of both is given back
//!
//! Not here: the service's side (`process`), reading (`runner`, `camera`).

mod log_lines;
mod meter;
mod speaker;

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crate::base::{Clock, RealClock};
use crate::cage::{self, CageLimits};
use crate::spawn;

use super::process::message::{CameraIndex, FromChild, ReaderBegin, ToChild};
use super::process::wire::{self, LONGEST_SAID, LONGEST_TOLD, MessageReader, WireError};
use super::reach::{NameQuestions, Names};
use super::runner::Runner;
use super::settings::Settings;
use super::state::Words;
use log_lines::LogLines;
use meter::CameraMeter;
use speaker::Speaker;

/// Descriptors of the runtime, the channel, and some to spare.
const DESCRIPTORS: u64 = 16;
/// Of a camera: its session, its media by UDP, what stands between.
const DESCRIPTORS_A_CAMERA: u64 = 16;

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    #[error("hindsight ingest is started by the service, and is of no use by hand")]
    ByHand,
    #[error("the service said nothing of what is to be read: {0}")]
    NotTold(std::io::Error),
    #[error("what the service said makes no sense: {0}")]
    Wire(#[from] WireError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("cannot lock itself in: {0}")]
    Cage(#[from] cage::CageError),
    #[error("a ring cannot be opened")]
    Ring,
}

impl ReaderError {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            ReaderError::ByHand => 2,
            ReaderError::NotTold(_) | ReaderError::Wire(_) => 3,
            ReaderError::Io(_) => 4,
            ReaderError::Cage(_) => 5,
            ReaderError::Ring => 6,
        }
    }
}

/// Reads cameras until the service has enough, or is no more.
pub fn run() -> Result<(), ReaderError> {
    let channel = spawn::inherited_channel().ok_or(ReaderError::ByHand)?;
    let mut channel = UnixStream::from(channel);
    let begin = be_told(&mut channel)?;
    let (settings, limits) = begin.settings();
    name_itself(&settings);
    let mut runner = Runner::new()?;
    let told = runner.told.clone();
    let ids = settings.cameras.iter().map(|camera| camera.id.clone());
    let lines = LogLines::install(ids.collect(), begin.log_level, told.clone());
    let questions = Arc::new(NameQuestions::new(told.clone()));
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let mut shared = Vec::new();
    for (number, camera) in (0..).zip(&settings.cameras) {
        let names = Names::Asked(questions.clone(), number);
        match runner.add(camera, &settings, limits, &clock, names) {
            Ok((of, found)) => {
                of.set_words(Words {
                    relay: begin.relay(number),
                    ..Words::default()
                });
                shared.push(of);
                let found = (&found).into();
                let camera = number;
                say(&mut channel, &FromChild::Ring { camera, found })?;
            }
            Err(error) => return no_ring(&mut channel, number, &error.to_string()),
        }
    }
    let cameras = u64::try_from(shared.len()).unwrap_or(u64::MAX);
    let report = cage::lock_in(&CageLimits {
        memory_bytes: begin.memory_bytes,
        descriptors: DESCRIPTORS + DESCRIPTORS_A_CAMERA.saturating_mul(cameras),
    })?;
    say(&mut channel, &FromChild::Caged(report))?;
    let meter = CameraMeter::new(shared.len(), begin.memory_bytes, told.clone());
    let speaker = Speaker::new(shared, lines, questions, meter.clone(), told);
    // Its passwords are where they are needed.
    drop((begin, settings));
    runner.run(
        move |number, reading| meter.watch(number, reading),
        speaker.speak(channel),
    );
    Ok(())
}

/// For people who look at a list of processes; 15 bytes are shown.
fn name_itself(settings: &Settings) {
    let first = settings
        .cameras
        .first()
        .map_or("", |camera| camera.id.as_str());
    let name = match settings.cameras.len() {
        0 | 1 => first.to_owned(),
        many => format!("{many} cameras"),
    };
    if let Ok(name) = CString::new(name) {
        // Only a name.
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// The first message; waits for it.
fn be_told(channel: &mut UnixStream) -> Result<ReaderBegin, ReaderError> {
    let mut reader = MessageReader::new(LONGEST_TOLD);
    let mut bytes = [0; 4096];
    loop {
        match reader.next()? {
            Some((ToChild::Begin(begin), _)) => return Ok(*begin),
            Some(_) => {
                let why = std::io::ErrorKind::InvalidData;
                return Err(ReaderError::NotTold(why.into()));
            }
            None => {}
        }
        let read = channel.read(&mut bytes).map_err(ReaderError::NotTold)?;
        if read == 0 {
            let why = std::io::ErrorKind::UnexpectedEof;
            return Err(ReaderError::NotTold(why.into()));
        }
        reader.put(bytes.get(..read).unwrap_or_default());
    }
}

/// Before it reads it may wait for the service.
fn say(channel: &mut UnixStream, message: &FromChild) -> Result<(), ReaderError> {
    Ok(channel.write_all(&wire::encode(message, LONGEST_SAID)?)?)
}

fn no_ring(channel: &mut UnixStream, camera: CameraIndex, error: &str) -> Result<(), ReaderError> {
    let error = log_lines::printable(error);
    say(channel, &FromChild::NoRing { camera, error })?;
    Err(ReaderError::Ring)
}
