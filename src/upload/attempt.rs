//! One attempt at one target: what is sent, how fast, how far it is, whether to leave.
//!
//! Not here: where it goes (`folder`, `s3`, …).

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::bundle::Bundle;
use super::sentence::UploadSentence;
use super::types::Shared;
use crate::base::{Clock, Stop, StopLevel};
use crate::queue::work::{Failure, Job, Notebook, Uploaded};

/// What an adapter gets.
pub struct Attempt<'a> {
    pub job: &'a Job<'a>,
    pub bundle: &'a Bundle,
    /// What was noted last.
    pub resume: Option<&'a serde_json::Value>,
    pub notebook: &'a dyn Notebook,
    /// If it fails and counts, nobody will try again.
    pub last: bool,
    pub flow: Flow<'a>,
    pub shared: &'a Arc<Shared>,
}

/// A kind of target: sends a bundle, and proves that it is there.
pub trait Adapter: Send + Sync {
    /// Blocks. Idempotent: what is there already and proved is not sent again. Leaves within
    /// 2 s of `StopLevel::Finish`.
    fn send(&self, attempt: &Attempt<'_>) -> Result<Uploaded, Failure>;
}

/// The bytes on their way: limited, counted, stopped. Shared by all connections of an attempt.
pub struct Meter<'a> {
    shared: &'a Shared,
    stop: &'a Stop,
    done_bytes: AtomicU64,
}

impl Meter<'_> {
    pub fn stop(&self) -> &Stop {
        self.stop
    }

    /// `Err` if told to stop.
    pub fn leave(&self) -> Result<(), Failure> {
        if self.stop.level() >= StopLevel::Finish {
            return Err(Failure::Cancelled);
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
        let Shared { limiter, clock, .. } = self.shared;
        limiter
            .take(bytes, &**clock, self.stop)
            .map_err(|_| Failure::Cancelled)
    }

    /// So many bytes are sent, or were there already.
    pub fn add(&self, bytes: u64) {
        self.done_bytes.fetch_add(bytes, Relaxed);
    }
}

/// A meter, and who is told of it: the attempt's own thread tells.
pub struct Flow<'a> {
    meter: Meter<'a>,
    progress: &'a dyn Fn(u16),
    total_bytes: u64,
    said: Cell<(u16, u64)>,
}

impl<'a> Flow<'a> {
    /// Progress is told at most so often.
    const SAY_EVERY_NS: u64 = 250_000_000;
    /// How soon to look how far it is.
    pub const LOOK: Duration = Duration::from_millis(100);

    pub fn new(
        shared: &'a Shared,
        stop: &'a Stop,
        total_bytes: u64,
        progress: &'a dyn Fn(u16),
    ) -> Flow<'a> {
        Flow {
            meter: Meter {
                shared,
                stop,
                done_bytes: AtomicU64::new(0),
            },
            progress,
            total_bytes,
            said: Cell::new((0, 0)),
        }
    }

    pub fn meter(&self) -> &Meter<'a> {
        &self.meter
    }

    pub fn stop(&self) -> &Stop {
        self.meter.stop
    }

    pub fn clock(&self) -> &dyn Clock {
        &*self.meter.shared.clock
    }

    /// `Err` if told to stop.
    pub fn leave(&self) -> Result<(), Failure> {
        self.meter.leave()
    }

    /// So many bytes are sent, or were there already.
    pub fn add(&self, bytes: u64) {
        self.meter.add(bytes);
        self.tell();
    }

    /// Of the whole bundle: what had to be sent again is taken back.
    pub fn done_bytes(&self) -> u64 {
        self.meter.done_bytes.load(Relaxed)
    }

    pub fn set(&self, done_bytes: u64) {
        self.meter.done_bytes.store(done_bytes, Relaxed);
        self.tell();
    }

    /// Tells how far it is, if that is news.
    pub fn tell(&self) {
        let done_bytes = self.done_bytes().min(self.total_bytes);
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

    /// Sends on a thread of its own, and tells meanwhile how far it is.
    pub fn telling<T: Send>(
        &self,
        send: impl FnOnce() -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let (over, waiting) = bounded::<()>(0);
        thread::scope(|scope| {
            let named = thread::Builder::new().name("upload-send".to_owned());
            let sending = named.spawn_scoped(scope, move || {
                let _over = over;
                send()
            });
            let sending = sending.map_err(|error| no_thread(&error))?;
            while waiting.recv_timeout(Self::LOOK) == Err(RecvTimeoutError::Timeout) {
                self.tell();
            }
            let sent = sending.join();
            sent.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// The machine is out of threads: that passes.
pub fn no_thread(error: &std::io::Error) -> Failure {
    Failure::unavailable(UploadSentence::NoThread {
        error: error.to_string(),
    })
}
