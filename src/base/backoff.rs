//! How long to wait before the next attempt: twice as long after each failure in a row,
//! up to a cap. Pure.
//!
//! Not here: what counts as a failure, sleeping, what the far side asks for.

/// How waiting grows. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Due after the first failure.
    pub first_ms: u64,
    pub cap_ms: u64,
    /// A delay is up to so many percent shorter than what is due, so that boxes that
    /// failed together do not come back together.
    pub spread_percent: u64,
}

impl Backoff {
    /// Doublings beyond these change nothing: by then any cap is reached.
    const MOST_DOUBLINGS: u32 = 32;

    /// What is due after the `failures`-th failure (from 1) in a row; at least 1.
    pub fn due_ms(&self, failures: u32) -> u64 {
        let doublings = failures.saturating_sub(1).min(Self::MOST_DOUBLINGS);
        self.first_ms
            .max(1)
            .saturating_mul(1 << doublings)
            .min(self.cap_ms.max(1))
    }

    /// The delay after the `failures`-th failure (from 1) in a row. `random`: any number.
    pub fn delay_ms(&self, failures: u32, random: u64) -> u64 {
        self.spread_ms(self.due_ms(failures), random)
    }

    /// `due_ms`, or up to `spread_percent` less.
    pub fn spread_ms(&self, due_ms: u64, random: u64) -> u64 {
        let spread_ms = due_ms / 100 * self.spread_percent.min(100)
            + due_ms % 100 * self.spread_percent.min(100) / 100;
        due_ms - random % (spread_ms + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALVED: Backoff = Backoff {
        first_ms: 2_000,
        cap_ms: 600_000,
        spread_percent: 50,
    };

    #[test]
    fn it_doubles_up_to_the_cap() {
        assert_eq!(
            [0, 1, 2, 3, 4].map(|failures| HALVED.due_ms(failures)),
            [2_000, 2_000, 4_000, 8_000, 16_000]
        );
        assert_eq!(HALVED.due_ms(u32::MAX), 600_000);
    }

    #[test]
    fn the_spread_makes_it_shorter_and_never_longer() {
        assert_eq!(HALVED.delay_ms(1, 0), 2_000);
        assert_eq!(HALVED.delay_ms(1, 1_000), 1_000);
        assert_eq!(HALVED.delay_ms(1, 1_001), 2_000);
        let exact = Backoff {
            spread_percent: 0,
            ..HALVED
        };
        assert_eq!(exact.delay_ms(2, 12_345), 4_000);
    }

    proptest! {
        #[test]
        fn it_never_exceeds_the_cap_and_never_spins(
            failures in 0_u32.., random in any::<u64>(), first_ms in any::<u64>(), cap_ms in 1_u64..,
            spread_percent in 0_u64..=50,
        ) {
            let backoff = Backoff { first_ms, cap_ms, spread_percent };
            let delay = backoff.delay_ms(failures, random);
            prop_assert!(delay <= cap_ms && delay >= 1);
            prop_assert!(delay >= first_ms.min(cap_ms) / 2);
        }
    }
}
