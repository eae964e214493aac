//! Two clocks, never mixed: monotonic nanoseconds decide, the wall labels.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};

use super::sys;

/// What the wall clock said, and whether anybody vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    /// Nanoseconds since 1970-01-01 UTC.
    pub unix_ns: i64,
    /// The kernel says that NTP (or the like) keeps it.
    pub synchronised: bool,
}

impl Wall {
    /// Later than the day this program was made: a clock that was never set
    /// since power-on (no battery) is earlier.
    pub fn plausible(&self) -> bool {
        const MADE_UNIX_NS: i64 = 1_760_000_000 * 1_000_000_000;
        self.unix_ns >= MADE_UNIX_NS
    }

    /// Good enough to name a folder after: kept by NTP, or at least set.
    pub fn is_set(&self) -> bool {
        self.synchronised || self.plausible()
    }
}

/// Source of time. Logic takes it as an argument so that tests can move it.
pub trait Clock: Send + Sync {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    fn mono_ns(&self) -> u64;
    /// `CLOCK_REALTIME` with the kernel's word on its synchronisation.
    fn wall(&self) -> Wall;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn mono_ns(&self) -> u64 {
        sys::monotonic_ns()
    }

    fn wall(&self) -> Wall {
        Wall {
            unix_ns: sys::realtime_ns(),
            synchronised: sys::clock_synchronised(),
        }
    }
}

/// A clock that moves when a test says so.
#[derive(Debug, Default)]
pub struct SimClock {
    mono_ns: AtomicU64,
    unix_ns: AtomicI64,
    synchronised: AtomicBool,
}

impl SimClock {
    pub fn at(mono_ns: u64, unix_ns: i64) -> SimClock {
        SimClock {
            mono_ns: AtomicU64::new(mono_ns),
            unix_ns: AtomicI64::new(unix_ns),
            synchronised: AtomicBool::new(false),
        }
    }

    /// Both clocks run on by `ns`.
    pub fn advance_ns(&self, ns: u64) {
        self.mono_ns.fetch_add(ns, SeqCst);
        self.unix_ns
            .fetch_add(i64::try_from(ns).unwrap_or(i64::MAX), SeqCst);
    }

    /// The wall jumps; monotonic time does not notice.
    pub fn set_wall(&self, unix_ns: i64, synchronised: bool) {
        self.unix_ns.store(unix_ns, SeqCst);
        self.synchronised.store(synchronised, SeqCst);
    }
}

impl Clock for SimClock {
    fn mono_ns(&self) -> u64 {
        self.mono_ns.load(SeqCst)
    }

    fn wall(&self) -> Wall {
        Wall {
            unix_ns: self.unix_ns.load(SeqCst),
            synchronised: self.synchronised.load(SeqCst),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_monotonic_clock_never_goes_back() {
        let first = RealClock.mono_ns();
        assert!(RealClock.mono_ns() >= first && first > 0);
    }

    #[test]
    fn a_wall_clock_of_1970_is_not_set_unless_somebody_vouches_for_it() {
        let clock = SimClock::at(5, 0);
        assert!(!clock.wall().is_set());
        clock.set_wall(0, true);
        assert!(clock.wall().is_set());
        clock.set_wall(1_790_000_000_000_000_000, false);
        assert!(clock.wall().is_set());
        assert_eq!(clock.mono_ns(), 5);
    }
}
