//! How fast all uploads together may be: a bucket of bytes that fills at the permitted rate.
//!
//! Not here: what is sent.

use std::sync::Mutex;
use std::time::Duration;

use crate::base::{Clock, Stop, StopLevel, lock};

/// Pure: told the time, it tells how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    rate_bytes: u64,
    /// Credit in billionths of a byte; below zero while somebody waits for what was promised.
    credit_nano: i128,
    filled_mono_ns: u64,
}

impl Bucket {
    /// `rate_bytes` a second, at least 1. It begins with what a tenth of a second fills.
    pub fn new(rate_bytes: u64, now_mono_ns: u64) -> Bucket {
        let mut bucket = Bucket {
            rate_bytes: rate_bytes.max(1),
            credit_nano: 0,
            filled_mono_ns: now_mono_ns,
        };
        bucket.credit_nano = bucket.most_nano();
        bucket
    }

    /// No more is saved up than a tenth of a second fills.
    fn most_nano(&self) -> i128 {
        i128::from(self.rate_bytes) * 100_000_000
    }

    /// Takes `bytes` out; the taker may send them after so many nanoseconds.
    pub fn take(&mut self, bytes: u64, now_mono_ns: u64) -> u64 {
        let since_ns = now_mono_ns.saturating_sub(self.filled_mono_ns);
        self.filled_mono_ns = self.filled_mono_ns.max(now_mono_ns);
        let filled = self.credit_nano + i128::from(since_ns) * i128::from(self.rate_bytes);
        self.credit_nano = filled.min(self.most_nano()) - i128::from(bytes) * 1_000_000_000;
        let owed = (-self.credit_nano).max(0);
        let wait = (owed + i128::from(self.rate_bytes) - 1) / i128::from(self.rate_bytes);
        u64::try_from(wait).unwrap_or(u64::MAX)
    }
}

/// One bucket for everybody, or none.
pub struct Limiter {
    rate_bytes: Option<u64>,
    bucket: Mutex<Option<Bucket>>,
}

/// Told to stop while waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl Limiter {
    /// Bits per second; `None`: no limit.
    pub fn new(max_rate_bps: Option<u64>) -> Limiter {
        Limiter {
            rate_bytes: max_rate_bps.map(|bits| (bits / 8).max(1)),
            bucket: Mutex::new(None),
        }
    }

    /// The most that one [`Limiter::take`] should ask for, so that several uploads share fairly
    /// and none waits for long: a twentieth of a second, within 1 to 128 KiB.
    pub fn piece(&self) -> usize {
        let bytes = self.rate_bytes.map_or(u64::MAX, |rate| rate / 20);
        usize::try_from(bytes.clamp(1 << 10, 128 << 10)).unwrap_or(128 << 10)
    }

    /// Waits until `bytes` may be sent.
    pub fn take(&self, bytes: usize, clock: &dyn Clock, stop: &Stop) -> Result<(), Stopped> {
        let Some(rate_bytes) = self.rate_bytes else {
            return Ok(());
        };
        let now_ns = clock.mono_ns();
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let wait_ns = {
            let mut bucket = lock(&self.bucket);
            bucket
                .get_or_insert_with(|| Bucket::new(rate_bytes, now_ns))
                .take(bytes, now_ns)
        };
        let until_ns = now_ns.saturating_add(wait_ns);
        loop {
            let left_ns = until_ns.saturating_sub(clock.mono_ns());
            if left_ns == 0 {
                return Ok(());
            }
            // In short steps: a simulated clock wakes nobody.
            let step = Duration::from_nanos(left_ns.min(50_000_000));
            if stop.wait(StopLevel::Finish, step) {
                return Err(Stopped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn several_who_share_a_bucket_never_send_more_than_it_fills() {
        let rate = 125_000; // 1 Mbit/s
        let mut bucket = Bucket::new(rate, 0);
        // Each of three sends when it was told it may, and asks again at once.
        let mut at_ns = [0_u64; 3];
        let mut sent: Vec<(u64, u64)> = Vec::new();
        while at_ns.iter().any(|at| *at < 20 * SECOND_NS) {
            let who = (0..3).min_by_key(|who| at_ns[*who]).unwrap_or(0);
            let bytes = 1_000 + 7_000 * u64::try_from(who).unwrap_or(0);
            at_ns[who] += bucket.take(bytes, at_ns[who]);
            sent.push((at_ns[who], bytes));
        }
        sent.sort_unstable();
        let mut sum = 0;
        for (at, bytes) in &sent {
            sum += bytes;
            let most = rate / 10 + rate * at / SECOND_NS;
            assert!(sum <= most + 1, "{sum} bytes after {at} ns, at most {most}");
        }
        // And it is no miser: all but what waits is sent.
        assert!(sum > rate * 19, "{sum} bytes in 20 s");
    }

    #[test]
    fn a_pause_saves_up_a_tenth_of_a_second_at_most() {
        let mut bucket = Bucket::new(1_000, 0);
        assert_eq!(bucket.take(100, 0), 0);
        assert_eq!(bucket.take(100, 3_600 * SECOND_NS), 0);
        assert_eq!(bucket.take(100, 3_600 * SECOND_NS), SECOND_NS / 10);
        // A clock that stands still or is read late by another thread fills nothing twice.
        assert_eq!(bucket.take(100, 3_599 * SECOND_NS), SECOND_NS / 5);
    }

    #[test]
    fn who_waits_leaves_at_the_stop_signal_and_without_a_limit_nobody_waits() {
        let clock = crate::base::SimClock::at(1, 0);
        let stop = Stop::default();
        let none = Limiter::new(None);
        assert_eq!(none.take(usize::MAX, &clock, &stop), Ok(()));
        let slow = Limiter::new(Some(8));
        stop.raise(StopLevel::Finish);
        assert_eq!(slow.take(1_000, &clock, &stop), Err(Stopped));
    }
}
