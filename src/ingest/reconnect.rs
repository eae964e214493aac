//! When to connect to a camera again. Pure: ends in, delays out.
//!
//! Not here: sleeping.

use std::time::Duration;

use crate::base::Backoff;
use crate::config::Reconnect;

/// How a connection, or the attempt at one, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// It never came to pictures.
    Failed,
    /// The camera knows us not. Hammering it may lock the account.
    WrongPassword,
    /// Pictures came for so long.
    Lost { streamed_ms: u64 },
}

/// Decides the delay before each next attempt.
#[derive(Clone, Debug)]
pub struct ReconnectPolicy {
    backoff: Backoff,
    max_attempts: Option<u32>,
    /// Attempts in a row that did not last, counting from the end of one that did.
    failures: u32,
    /// The same without that one.
    in_vain: u32,
}

impl ReconnectPolicy {
    /// A connection that lasted this long was a good one: the next delay is the first again.
    pub const GOOD_MS: u64 = 10_000;
    /// Spreads cameras that fell together.
    const SPREAD_PERCENT: u64 = 20;

    pub fn new(settings: Reconnect) -> ReconnectPolicy {
        ReconnectPolicy {
            backoff: Backoff {
                first_ms: settings.initial_ms,
                cap_ms: settings.max_ms,
                spread_percent: Self::SPREAD_PERCENT,
            },
            max_attempts: settings.max_attempts,
            failures: 0,
            in_vain: 0,
        }
    }

    /// The delay before the next attempt, or `None` when `max_attempts` in a
    /// row were in vain. `random`: any number.
    pub fn after(&mut self, ended: ConnectionEnd, random: u64) -> Option<Duration> {
        if matches!(ended, ConnectionEnd::Lost { streamed_ms } if streamed_ms >= Self::GOOD_MS) {
            (self.failures, self.in_vain) = (0, 0);
        } else {
            self.in_vain = self.in_vain.saturating_add(1);
        }
        self.failures = self.failures.saturating_add(1);
        if self.max_attempts.is_some_and(|max| self.in_vain >= max) {
            return None;
        }
        let delay_ms = match ended {
            ConnectionEnd::WrongPassword => {
                let longest_ms = self.backoff.due_ms(u32::MAX);
                self.backoff.spread_ms(longest_ms, random)
            }
            _ => self.backoff.delay_ms(self.failures, random),
        };
        Some(Duration::from_millis(delay_ms))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn backoff(max_attempts: Option<u32>) -> ReconnectPolicy {
        ReconnectPolicy::new(Reconnect {
            initial_ms: 1_000,
            max_ms: 30_000,
            max_attempts,
        })
    }

    fn delays_s(backoff: &mut ReconnectPolicy, ended: ConnectionEnd, count: usize) -> Vec<f64> {
        (0..count)
            .map_while(|_| backoff.after(ended, 0))
            .map(|delay| delay.as_secs_f64())
            .collect()
    }

    #[test]
    fn a_dead_camera_is_called_after_1_2_4_seconds_and_at_last_every_30() {
        let delays = delays_s(&mut backoff(None), ConnectionEnd::Failed, 8);
        assert_eq!(delays, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
    }

    #[test]
    fn a_wrong_password_is_not_hammered() {
        let delays = delays_s(&mut backoff(None), ConnectionEnd::WrongPassword, 3);
        assert_eq!(delays, [30.0, 30.0, 30.0]);
    }

    #[test]
    fn a_connection_that_lasted_starts_the_count_anew_and_a_short_one_does_not() {
        let mut backoff = backoff(None);
        delays_s(&mut backoff, ConnectionEnd::Failed, 6);
        let short = ConnectionEnd::Lost { streamed_ms: 9_000 };
        assert_eq!(delays_s(&mut backoff, short, 1), [30.0]);
        let long = ConnectionEnd::Lost {
            streamed_ms: 10_000,
        };
        assert_eq!(delays_s(&mut backoff, long, 1), [1.0]);
        assert_eq!(delays_s(&mut backoff, ConnectionEnd::Failed, 1), [2.0]);
    }

    #[test]
    fn after_max_attempts_in_a_row_it_gives_up() {
        assert_eq!(
            delays_s(&mut backoff(Some(3)), ConnectionEnd::Failed, 9),
            [1.0, 2.0]
        );
    }

    #[test]
    fn a_camera_that_was_lost_is_called_again_before_anybody_gives_up() {
        let mut backoff = backoff(Some(1));
        let long = ConnectionEnd::Lost {
            streamed_ms: 3_600_000,
        };
        assert_eq!(delays_s(&mut backoff, long, 1), [1.0]);
        assert!(backoff.after(ConnectionEnd::Failed, 0).is_none());
    }

    proptest! {
        #[test]
        fn no_delay_is_above_the_cap_or_near_nothing(
            ends in proptest::collection::vec((0u8..3, 0u64..30_000, any::<u64>()), 1..200),
        ) {
            let mut backoff = backoff(None);
            for (kind, streamed_ms, random) in ends {
                let ended = match kind {
                    0 => ConnectionEnd::Failed,
                    1 => ConnectionEnd::WrongPassword,
                    _ => ConnectionEnd::Lost { streamed_ms },
                };
                let delay = backoff.after(ended, random).unwrap();
                prop_assert!(delay >= Duration::from_millis(800));
                prop_assert!(delay <= Duration::from_secs(30));
            }
        }
    }
}
