//! One signal that everybody can look at and wait for: running, finishing, now.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How urgently to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    Running,
    /// Take nothing new, bring open windows to their end.
    Finish,
    /// Leave at once; the next start picks up what is left.
    Now,
}

/// Cheap to clone; all clones are the same signal. It only ever rises.
#[derive(Clone, Debug)]
pub struct Stop(Arc<(Mutex<StopLevel>, Condvar)>);

impl Default for Stop {
    fn default() -> Stop {
        Stop(Arc::new((Mutex::new(StopLevel::Running), Condvar::new())))
    }
}

impl Stop {
    fn lock(&self) -> MutexGuard<'_, StopLevel> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn raise(&self, level: StopLevel) {
        let mut now = self.lock();
        *now = (*now).max(level);
        self.0.1.notify_all();
    }

    pub fn level(&self) -> StopLevel {
        *self.lock()
    }

    /// Sleeps for `limit`, or less if the level reaches `at_least`; true if it did.
    pub fn wait(&self, at_least: StopLevel, limit: Duration) -> bool {
        let (guard, _) = self
            .0
            .1
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
        assert!(!Stop::default().wait(StopLevel::Finish, Duration::from_millis(1)));
    }
}
