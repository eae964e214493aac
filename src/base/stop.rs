//! One signal that everybody can look at and wait for: running, finishing, now.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::sync::lock;

/// How urgently to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    #[default]
    Running,
    /// Take nothing new, bring open windows to their end.
    Finish,
    /// Leave at once; the next start picks up what is left.
    Now,
}

/// Cheap to clone; all clones are the same signal. It only ever rises.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The level as a number: who only looks takes no lock that a waiter could hold (law 1).
    seen: AtomicU8,
    /// For those who wait.
    level: Mutex<StopLevel>,
    risen: Condvar,
    /// For those who cannot wait here.
    told: Told,
}

#[derive(Default)]
struct Told(Mutex<Vec<Box<dyn Fn() + Send>>>);

/// A closure has no `Debug`.
impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("told")
    }
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, StopLevel> {
        lock(&self.0.level)
    }

    pub fn raise(&self, level: StopLevel) {
        let mut now = self.lock();
        *now = (*now).max(level);
        self.0.seen.store(*now as u8, SeqCst);
        self.0.risen.notify_all();
        drop(now);
        self.told().iter().for_each(|tell| tell());
    }

    /// Has `tell` called at each raise from now on, on the raiser's thread: it
    /// must not wait, nor raise. Look at the level after this, not before.
    pub fn tell(&self, tell: impl Fn() + Send + 'static) {
        self.told().push(Box::new(tell));
    }

    fn told(&self) -> MutexGuard<'_, Vec<Box<dyn Fn() + Send>>> {
        lock(&self.0.told.0)
    }

    pub fn level(&self) -> StopLevel {
        match self.0.seen.load(SeqCst) {
            0 => StopLevel::Running,
            1 => StopLevel::Finish,
            _ => StopLevel::Now,
        }
    }

    /// Sleeps for `limit`, or less if the level reaches `at_least`; true if it did.
    pub fn wait(&self, at_least: StopLevel, limit: Duration) -> bool {
        let (guard, _) = self
            .0
            .risen
            .wait_timeout_while(self.lock(), limit, |now| *now < at_least)
            .unwrap_or_else(PoisonError::into_inner);
        *guard >= at_least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_rises_and_wakes_who_waits() {
        let stop = Stop::default();
        let waiter = {
            let stop = stop.clone();
            std::thread::spawn(move || stop.wait(StopLevel::Finish, Duration::from_secs(60)))
        };
        stop.raise(StopLevel::Now);
        stop.raise(StopLevel::Finish);
        assert!(waiter.join().unwrap());
        assert_eq!(stop.level(), StopLevel::Now);
        let (send, told) = std::sync::mpsc::channel();
        stop.tell(move || send.send(()).unwrap());
        assert!(told.try_recv().is_err());
        stop.clone().raise(StopLevel::Now);
        assert!(told.try_recv().is_ok());
        let finishing = Stop::default();
        assert_eq!(finishing.level(), StopLevel::Running);
        finishing.raise(StopLevel::Finish);
        assert_eq!(finishing.level(), StopLevel::Finish);
        assert!(!Stop::default().wait(StopLevel::Finish, Duration::from_millis(1)));
    }
}
