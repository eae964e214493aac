//! The wish to stop, from wherever it comes: signals, `q`.
//!
//! The first wish lets open windows run to their end, the second stops at once.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::base::{Stop, StopLevel};

/// How long after the second wish something that hangs (a dead disk) may keep the process.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
/// Somebody held a button to stop the box: whoever started us switches it off.
const SWITCH_OFF: u8 = 10;

/// Counts the wishes. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Stopper {
    pub stop: Stop,
    wishes: Arc<AtomicU32>,
    switches_off: Arc<AtomicBool>,
}

impl Stopper {
    /// Without signals.
    pub fn deaf() -> Stopper {
        Stopper {
            stop: Stop::default(),
            wishes: Arc::default(),
            switches_off: Arc::default(),
        }
    }

    /// Takes SIGTERM, SIGINT and SIGHUP from now on, on a thread of its own. Must be
    /// called before other threads are started: they inherit that these signals are not theirs.
    pub fn listen() -> std::io::Result<Stopper> {
        let stopper = Stopper::deaf();
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        let listening = stopper.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                while set.wait().is_ok() {
                    if listening.wish() == StopLevel::Now {
                        std::thread::sleep(PATIENCE);
                        crate::trigger::give_terminal_back();
                        super::logging::finish();
                        exit(INTERRUPTED.into());
                    }
                }
            })?;
        Ok(stopper)
    }

    /// One more wish to stop.
    pub fn wish(&self) -> StopLevel {
        let level = match self.wishes.fetch_add(1, SeqCst) {
            0 => StopLevel::Finish,
            _ => StopLevel::Now,
        };
        self.stop.raise(level);
        level
    }

    /// A button was held to stop the box. Does not hurry a stop that has begun.
    pub fn switch_off(&self) {
        self.switches_off.store(true, SeqCst);
        if self.stop.level() == StopLevel::Running {
            self.wish();
        }
    }

    /// The exit code after all has ended.
    pub fn exit_code(&self) -> u8 {
        match self.wishes.load(SeqCst) {
            _ if self.switches_off.load(SeqCst) => SWITCH_OFF,
            0 | 1 => 0,
            _ => INTERRUPTED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_finishes_the_second_stops_at_once() {
        let stopper = Stopper::deaf();
        assert_eq!(stopper.exit_code(), 0);
        assert_eq!(stopper.wish(), StopLevel::Finish);
        assert_eq!(stopper.exit_code(), 0);
        assert_eq!(stopper.wish(), StopLevel::Now);
        assert_eq!(stopper.wish(), StopLevel::Now);
        assert_eq!(stopper.exit_code(), 130);
    }

    #[test]
    fn switching_off_is_a_wish_to_stop_that_hurries_nobody() {
        let stopper = Stopper::deaf();
        stopper.switch_off();
        stopper.switch_off();
        assert_eq!(stopper.stop.level(), StopLevel::Finish);
        assert_eq!(stopper.exit_code(), 10);
    }
}
