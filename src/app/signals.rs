//! The wish to stop, from wherever it comes: signals, `q`.
//!
//! The first wish lets open windows run to their end, the second stops at once.

use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::base::{Stop, StopLevel};

/// How long after the second wish something that hangs (a dead disk) may keep the process.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Counts the wishes. Clones share the count.
#[derive(Clone, Debug)]
pub(super) struct Stopper {
    pub stop: Stop,
    wishes: Arc<AtomicU32>,
}

impl Stopper {
    /// Takes SIGTERM, SIGINT and SIGHUP from now on, on a thread of its own. Must be
    /// called before other threads are started: they inherit that these signals are not theirs.
    pub fn listen() -> std::io::Result<Stopper> {
        let stopper = Stopper {
            stop: Stop::default(),
            wishes: Arc::default(),
        };
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

    /// The exit code after all has ended.
    pub fn exit_code(&self) -> u8 {
        match self.wishes.load(SeqCst) {
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
        let stopper = Stopper {
            stop: Stop::default(),
            wishes: Arc::default(),
        };
        assert_eq!(stopper.exit_code(), 0);
        assert_eq!(stopper.wish(), StopLevel::Finish);
        assert_eq!(stopper.exit_code(), 0);
        assert_eq!(stopper.wish(), StopLevel::Now);
        assert_eq!(stopper.wish(), StopLevel::Now);
        assert_eq!(stopper.exit_code(), 130);
    }
}
