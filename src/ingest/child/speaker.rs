//! The loop of a process that reads cameras: says what is new, beats, hears the service.
//!
//! It runs between the cameras, so its beat proves that they are got to. It never waits for the service to
//! listen.
//! Not here: what it says (`process::message`).

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::cage;

use super::super::process::conversation::fitted;
use super::super::process::message::{CameraIndex, FromChild, ToChild};
use super::super::process::wire::{self, LONGEST_SAID, LONGEST_TOLD, MessageReader};
use super::super::reach::NameQuestions;
use super::super::state::{CameraShared, Counters, Words};
use super::log_lines::LogLines;
use super::meter::CameraMeter;

/// Between two beats.
const BEAT: Duration = Duration::from_millis(500);
/// What may wait to be sent; beyond it nothing new is said.
const MOST_UNSENT: usize = 4 * LONGEST_SAID;

/// What is said, and to whom it was said last.
pub struct Speaker {
    cameras: Vec<Told>,
    lines: Arc<LogLines>,
    questions: Arc<NameQuestions>,
    meter: Arc<CameraMeter>,
    /// Something is new.
    told: Arc<Notify>,
    unsent: Vec<u8>,
}

/// A camera, and what was said of it last.
struct Told {
    shared: Arc<CameraShared>,
    words: Option<Words>,
    counters: Option<Counters>,
    given_back: bool,
}

/// The service has enough.
struct Over;

impl Speaker {
    pub fn new(
        cameras: Vec<Arc<CameraShared>>,
        lines: Arc<LogLines>,
        questions: Arc<NameQuestions>,
        meter: Arc<CameraMeter>,
        told: Arc<Notify>,
    ) -> Speaker {
        let told_of = |shared| Told {
            shared,
            words: None,
            counters: None,
            given_back: false,
        };
        Speaker {
            cameras: cameras.into_iter().map(told_of).collect(),
            lines,
            questions,
            meter,
            told,
            unsent: Vec::new(),
        }
    }

    /// Until the service has enough, or is no more.
    pub async fn speak(mut self, channel: std::os::unix::net::UnixStream) {
        let prepared = channel.set_nonblocking(true);
        let Ok(channel) = prepared.and_then(|()| UnixStream::from_std(channel)) else {
            return;
        };
        let mut heard = MessageReader::new(LONGEST_TOLD);
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked = Instant::now();
        let told = self.told.clone();
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    self.meter.look(looked.elapsed());
                    looked = Instant::now();
                    self.say_counters();
                    let used_bytes = cage::used_bytes();
                    self.say(&FromChild::Beat { used_bytes });
                }
                () = told.notified() => {}
                _ = channel.writable(), if !self.unsent.is_empty() => {}
                _ = channel.readable() => {
                    if self.hear(&channel, &mut heard).is_err() {
                        return;
                    }
                }
            }
            self.say_what_is_new();
            if self.send(&channel).is_err() {
                return;
            }
        }
    }

    /// Whether there was room for it.
    fn say(&mut self, message: &FromChild) -> bool {
        if self.unsent.len() >= MOST_UNSENT {
            return false;
        }
        match wire::encode(message, LONGEST_SAID) {
            Ok(bytes) => self.unsent.extend(bytes),
            Err(error) => {
                log::error!(target: "hindsight", event = "error_ingest_message"; "a message of a process that reads cameras cannot be sent: {error}");
            }
        }
        true
    }

    fn say_counters(&mut self) {
        for at in 0..self.cameras.len() {
            let Some(camera) = self.cameras.get(at).filter(|camera| !camera.given_back) else {
                continue;
            };
            let counters = camera.shared.counters();
            if camera.counters == Some(counters) {
                continue;
            }
            let message = FromChild::Counters {
                camera: number(at),
                counters,
            };
            if self.say(&message)
                && let Some(camera) = self.cameras.get_mut(at)
            {
                camera.counters = Some(counters);
            }
        }
    }

    fn say_what_is_new(&mut self) {
        while let Some((camera, why)) = self.meter.next_given_back() {
            if let Some(of) = self.cameras.get_mut(usize::from(camera)) {
                of.given_back = true;
            }
            self.say(&FromChild::GaveBack { camera, why });
        }
        while let Some(camera) = self.questions.next() {
            self.say(&FromChild::Resolve { camera });
        }
        for at in 0..self.cameras.len() {
            self.say_words(at);
        }
        while self.unsent.len() < MOST_UNSENT
            && let Some(mut line) = self.lines.next()
        {
            let gone = |at: &CameraIndex| {
                let of = self.cameras.get(usize::from(*at));
                of.is_none_or(|camera| camera.given_back)
            };
            line.camera = line.camera.filter(|at| !gone(at));
            self.say(&FromChild::Line(line));
        }
    }

    fn say_words(&mut self, at: usize) {
        let Some(camera) = self.cameras.get(at).filter(|camera| !camera.given_back) else {
            return;
        };
        let words = camera.shared.words();
        if camera.words.as_ref() == Some(&words) {
            return;
        }
        // With the words go the numbers that belong to them: when it is tried again.
        let counters = camera.shared.counters();
        let said = self.say(&FromChild::Counters {
            camera: number(at),
            counters,
        }) && self.say(&FromChild::Words {
            camera: number(at),
            words: Box::new(fitted(&words)),
        });
        if let Some(camera) = self.cameras.get_mut(at).filter(|_| said) {
            (camera.words, camera.counters) = (Some(words), Some(counters));
        }
    }

    fn send(&mut self, channel: &UnixStream) -> Result<(), Over> {
        while !self.unsent.is_empty() {
            match channel.try_write(&self.unsent) {
                Ok(0) => return Err(Over),
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Over),
            }
        }
        Ok(())
    }

    fn hear(&mut self, channel: &UnixStream, heard: &mut MessageReader) -> Result<(), Over> {
        let mut bytes = [0; 4096];
        match channel.try_read(&mut bytes) {
            Ok(0) => return Err(Over),
            Ok(read) => heard.put(bytes.get(..read).unwrap_or_default()),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(Over),
        }
        loop {
            match heard.next::<ToChild>() {
                Ok(None) => return Ok(()),
                Ok(Some((ToChild::Resolved { camera, found }, _))) => {
                    self.questions.answer(camera, found);
                }
                // It begins once.
                Ok(Some((ToChild::Stop {} | ToChild::Begin(_), _))) | Err(_) => return Err(Over),
            }
        }
    }
}

fn number(at: usize) -> CameraIndex {
    CameraIndex::try_from(at).unwrap_or(CameraIndex::MAX)
}
