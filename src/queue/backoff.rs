//! How long to wait before the next attempt: twice as long each time, never the
//! same for two boxes, at most ten minutes. Pure.

/// How waiting grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first_ms: u64,
    pub cap_ms: u64,
}

/// Longest that is waited because somebody else asked for it.
pub const LONGEST_ASKED_MS: u64 = 3_600_000;

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff {
            first_ms: 2_000,
            cap_ms: 600_000,
        }
    }
}

impl Backoff {
    /// Milliseconds after the `failures`-th failure (from 1) in a row. `random` is
    /// any number: between half and the whole of what is due by the count. What the
    /// far side `asked` for is kept to, up to an hour.
    pub fn delay_ms(&self, failures: u32, random: u64, asked_ms: Option<u64>) -> u64 {
        let doublings = failures.saturating_sub(1).min(32);
        let whole = self
            .first_ms
            .saturating_mul(1 << doublings)
            .min(self.cap_ms)
            .max(1);
        let half = whole / 2;
        let delay = half + random % (whole - half + 1);
        delay.max(asked_ms.unwrap_or(0).min(LONGEST_ASKED_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_doubles_up_to_ten_minutes() {
        let backoff = Backoff::default();
        let longest = |failures| backoff.delay_ms(failures, u64::MAX - 1, None);
        let shortest = |failures| backoff.delay_ms(failures, 0, None);
        assert_eq!([1, 2, 3, 4].map(shortest), [1_000, 2_000, 4_000, 8_000]);
        assert!(longest(3) <= 8_000);
        assert_eq!(shortest(1_000_000), 300_000);
    }

    #[test]
    fn the_far_side_is_obeyed_within_reason() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay_ms(1, 0, Some(90_000)), 90_000);
        assert_eq!(backoff.delay_ms(1, 0, Some(u64::MAX)), LONGEST_ASKED_MS);
        assert_eq!(backoff.delay_ms(1, 0, Some(5)), 1_000);
    }

    proptest! {
        #[test]
        fn it_never_exceeds_the_cap_and_never_spins(
            failures in 0_u32.., random in any::<u64>(), first_ms in 1_u64..100_000, cap_ms in 1_u64..10_000_000,
        ) {
            let delay = Backoff { first_ms, cap_ms }.delay_ms(failures, random, None);
            prop_assert!(delay <= cap_ms);
            prop_assert!(2 * delay + 1 >= first_ms.min(cap_ms));
        }
    }
}
