//! When to call a camera again. Pure: ends in, delays out.
//!
//! Not here: sleeping. Called by: `camera`.

use std::time::Duration;

use crate::config::checked::Reconnect;

/// How a connection, or the attempt at one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It never came to pictures.
    Failed,
    /// The camera knows us not. Hammering it may lock the account.
    WrongPassword,
    /// Pictures came for so long.
    Lost { streamed_ms: u64 },
}

/// Decides the delay before each next attempt.
#[derive(Clone, Debug)]
pub struct Backoff {
    settings: Reconnect,
    /// Attempts in a row that did not last, counting from the end of one that did.
    failures: u32,
    /// The same without that one.
    in_vain: u32,
}

impl Backoff {
    /// A connection that lasted this long was a good one: the next delay is the first again.
    pub const GOOD_MS: u64 = 10_000;

    pub fn new(settings: Reconnect) -> Backoff {
        Backoff {
            settings,
            failures: 0,
            in_vain: 0,
        }
    }

    /// The delay before the next attempt, or `None` when `max_attempts` in a
    /// row were in vain. `random` in `0.0..1.0` spreads cameras that fell
    /// together: the delay is up to a fifth shorter than the rule says.
    pub fn after(&mut self, ended: Ended, random: f64) -> Option<Duration> {
        if matches!(ended, Ended::Lost { streamed_ms } if streamed_ms >= Self::GOOD_MS) {
            (self.failures, self.in_vain) = (0, 0);
        } else {
            self.in_vain = self.in_vain.saturating_add(1);
        }
        let doublings = self.failures.min(32);
        self.failures = self.failures.saturating_add(1);
        if self
            .settings
            .max_attempts
            .is_some_and(|max| self.in_vain >= max)
        {
            return None;
        }
        let cap = self.settings.max_ms.max(1);
        let rule_ms = match ended {
            Ended::WrongPassword => cap,
            _ => self
                .settings
                .initial_ms
                .max(1)
                .saturating_mul(1 << doublings)
                .min(cap),
        };
        let spread = 1.0 - 0.2 * random.clamp(0.0, 1.0);
        Some(Duration::from_millis(rule_ms).mul_f64(spread))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn backoff(max_attempts: Option<u32>) -> Backoff {
        Backoff::new(Reconnect {
            initial_ms: 1_000,
            max_ms: 30_000,
            max_attempts,
        })
    }

    fn delays_s(backoff: &mut Backoff, ended: Ended, count: usize) -> Vec<f64> {
        (0..count)
            .map_while(|_| backoff.after(ended, 0.0))
            .map(|delay| delay.as_secs_f64())
            .collect()
    }

    #[test]
    fn a_dead_camera_is_called_after_1_2_4_seconds_and_at_last_every_30() {
        let delays = delays_s(&mut backoff(None), Ended::Failed, 8);
        assert_eq!(delays, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
    }

    #[test]
    fn a_wrong_password_is_not_hammered() {
        let delays = delays_s(&mut backoff(None), Ended::WrongPassword, 3);
        assert_eq!(delays, [30.0, 30.0, 30.0]);
    }

    #[test]
    fn a_connection_that_lasted_starts_the_count_anew_and_a_short_one_does_not() {
        let mut backoff = backoff(None);
        delays_s(&mut backoff, Ended::Failed, 6);
        let short = Ended::Lost { streamed_ms: 9_000 };
        assert_eq!(delays_s(&mut backoff, short, 1), [30.0]);
        let long = Ended::Lost {
            streamed_ms: 10_000,
        };
        assert_eq!(delays_s(&mut backoff, long, 1), [1.0]);
        assert_eq!(delays_s(&mut backoff, Ended::Failed, 1), [2.0]);
    }

    #[test]
    fn after_max_attempts_in_a_row_it_gives_up() {
        assert_eq!(
            delays_s(&mut backoff(Some(3)), Ended::Failed, 9),
            [1.0, 2.0]
        );
    }

    #[test]
    fn a_camera_that_was_lost_is_called_again_before_anybody_gives_up() {
        let mut backoff = backoff(Some(1));
        let long = Ended::Lost {
            streamed_ms: 3_600_000,
        };
        assert_eq!(delays_s(&mut backoff, long, 1), [1.0]);
        assert!(backoff.after(Ended::Failed, 0.0).is_none());
    }

    proptest! {
        #[test]
        fn no_delay_is_above_the_cap_or_near_nothing(
            ends in proptest::collection::vec((0u8..3, 0u64..30_000, 0.0f64..1.0), 1..200),
        ) {
            let mut backoff = backoff(None);
            for (kind, streamed_ms, random) in ends {
                let ended = match kind {
                    0 => Ended::Failed,
                    1 => Ended::WrongPassword,
                    _ => Ended::Lost { streamed_ms },
                };
                let delay = backoff.after(ended, random).unwrap();
                prop_assert!(delay >= Duration::from_millis(800));
                prop_assert!(delay <= Duration::from_secs(30));
            }
        }
    }
}
