//! One attempt at one target: what is sent, how fast, how far it is, whether to leave.
//!
//! Not here: where it goes (`folder`, `s3`, …).
//! Called by: the room's face, every adapter.

use std::cell::Cell;
use std::sync::Arc;

use super::{Parcel, Shared};
use crate::base::{Clock, Stop, StopLevel};
use crate::queue::work::{Failure, Job, Notebook};

/// What an adapter gets.
pub struct Attempt<'a> {
    pub job: &'a Job<'a>,
    pub parcel: &'a Parcel,
    /// What was noted last.
    pub resume: Option<&'a serde_json::Value>,
    pub notebook: &'a dyn Notebook,
    /// If it fails and counts, nobody will try again.
    pub last: bool,
    pub flow: Flow<'a>,
    pub shared: &'a Arc<Shared>,
}

/// The bytes on their way: limited, counted, stopped.
pub struct Flow<'a> {
    shared: &'a Shared,
    stop: &'a Stop,
    progress: &'a dyn Fn(u16),
    total_bytes: u64,
    done_bytes: Cell<u64>,
    said: Cell<(u16, u64)>,
}

impl<'a> Flow<'a> {
    /// Progress is told at most so often.
    const SAY_EVERY_NS: u64 = 250_000_000;

    pub fn new(
        shared: &'a Shared,
        stop: &'a Stop,
        total_bytes: u64,
        progress: &'a dyn Fn(u16),
    ) -> Flow<'a> {
        Flow {
            shared,
            stop,
            progress,
            total_bytes,
            done_bytes: Cell::new(0),
            said: Cell::new((0, 0)),
        }
    }

    pub fn stop(&self) -> &Stop {
        self.stop
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// `Err` if told to stop.
    pub fn leave(&self) -> Result<(), Failure> {
        if self.stop.level() >= StopLevel::Finish {
            return Err(Failure::Left);
        }
        Ok(())
    }

    /// The most to ask for at once.
    pub fn piece(&self) -> usize {
        self.shared.limiter.piece()
    }

    /// Waits until `bytes` more may be sent.
    pub fn may_send(&self, bytes: usize) -> Result<(), Failure> {
        self.leave()?;
        let limiter = &self.shared.limiter;
        limiter
            .take(bytes, self.clock(), self.stop)
            .map_err(|_| Failure::Left)
    }

    /// So many bytes are sent, or were there already.
    pub fn add(&self, bytes: u64) {
        self.set(self.done_bytes.get().saturating_add(bytes));
    }

    /// Of the whole parcel: what had to be sent again is taken back.
    pub fn done_bytes(&self) -> u64 {
        self.done_bytes.get()
    }

    pub fn set(&self, done_bytes: u64) {
        let done_bytes = done_bytes.min(self.total_bytes);
        self.done_bytes.set(done_bytes);
        let permille = done_bytes
            .saturating_mul(1000)
            .checked_div(self.total_bytes);
        let permille = u16::try_from(permille.unwrap_or(1000)).unwrap_or(1000);
        let now_ns = self.clock().mono_ns();
        let (said, at_ns) = self.said.get();
        let due = now_ns.saturating_sub(at_ns) >= Self::SAY_EVERY_NS || permille == 1000;
        if permille != said && due {
            self.said.set((permille, now_ns));
            (self.progress)(permille);
        }
    }
}
