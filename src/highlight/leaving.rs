//! The end of a run: who may go on, and for how long.
//!
//! Not here: the signal itself (`base`).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::base::{Stop, StopLevel};

/// The service's signal to stop, and the room's own end.
pub struct Leaving {
    stop: Stop,
    /// The room is dropped.
    quit: AtomicBool,
    /// How long open windows may run on after the first signal.
    grace_ns: u64,
    finish_since_mono_ns: OnceLock<u64>,
}

impl Leaving {
    pub fn new(stop: Stop, grace_ms: u64) -> Leaving {
        Leaving {
            stop,
            quit: AtomicBool::new(false),
            grace_ns: grace_ms.saturating_mul(1_000_000),
            finish_since_mono_ns: OnceLock::new(),
        }
    }

    pub fn quit(&self) {
        self.quit.store(true, Relaxed);
    }

    /// Nothing new is begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.level() >= StopLevel::Finish
    }

    /// Whoever works leaves at once.
    pub fn is_now(&self) -> bool {
        self.quit.load(Relaxed) || self.stop.level() == StopLevel::Now
    }

    /// Open windows may run on no longer. To be asked now and then: it notes when the
    /// finishing began.
    pub fn is_grace_over(&self, now_mono_ns: u64) -> bool {
        if !self.is_stopping() {
            return false;
        }
        let since = *self.finish_since_mono_ns.get_or_init(|| now_mono_ns);
        now_mono_ns.saturating_sub(since) >= self.grace_ns
    }

    /// Sleeps, at most until the next signal; true if one came.
    pub fn wait(&self, limit: Duration) -> bool {
        let next = match self.stop.level() {
            StopLevel::Running => StopLevel::Finish,
            _ => StopLevel::Now,
        };
        self.stop.wait(next, limit)
    }
}
