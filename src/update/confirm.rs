//! Whether a new system stays: it does once its service was healthy for two minutes without a
//! break. Where that does not come within ten, the box restarts, and U-Boot tries again or goes
//! back to the slot before.
//!
//! Healthy enough is whatever the service says but "unhealthy" for a reason of the box itself (a
//! disk that is full, missing or silent). Cameras without picture are no such reason: at night a
//! venue may have switched them off, and the old system would see them no better.
//!
//! Not here: asking the service (`commands` does), restarting the box (the unit does, by the exit code).

use super::error::UpdateError;
use super::install::lock;
use super::layout::Layout;
use super::state::{Slot, SlotState};
use super::store::SlotStore;
use crate::disk::Disk;

/// What there is to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Nothing; for people, why.
    Nothing(String),
    /// The running slot is a new one.
    NewSystem { tries_left: u8 },
    /// The files are damaged: a healthy system writes them anew, but none goes back.
    Mend { why: String },
}

/// By what the files say. Pure.
pub fn errand(state: &Result<SlotState, UpdateError>, running: Slot) -> Errand {
    let state = match state {
        Ok(state) => state,
        Err(error) => {
            return Errand::Mend {
                why: error.to_string(),
            };
        }
    };
    if state.slot == running {
        return Errand::Nothing(format!("slot {running} runs and is confirmed"));
    }
    if state.tried != Some(running) {
        return Errand::Nothing(format!(
            "slot {running} runs, but it is neither confirmed nor tried: the other could not be started, or \
             somebody chose by hand"
        ));
    }
    Errand::NewSystem {
        tries_left: state.left,
    }
}

/// Nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmPace {
    /// Healthy for so long: confirmed.
    pub healthy_ns: u64,
    /// A health that has not begun by then comes too late.
    pub patience_ns: u64,
}

impl Default for ConfirmPace {
    fn default() -> ConfirmPace {
        ConfirmPace {
            healthy_ns: 120_000_000_000,
            patience_ns: 600_000_000_000,
        }
    }
}

/// What the service said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    Good,
    /// And why.
    Bad(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Wait,
    Confirm,
    /// What was wrong last.
    GiveUp(String),
}

/// Looks in, decisions out. Pure.
#[derive(Clone, Debug)]
pub struct ConfirmWatch {
    pace: ConfirmPace,
    begun_ns: u64,
    good_since_ns: Option<u64>,
}

impl ConfirmWatch {
    pub fn new(pace: ConfirmPace, now_ns: u64) -> ConfirmWatch {
        ConfirmWatch {
            pace,
            begun_ns: now_ns,
            good_since_ns: None,
        }
    }

    /// A health that has begun in time may last to its end.
    pub fn look(&mut self, now_ns: u64, look: &Look) -> Decision {
        match look {
            Look::Good => {
                let since = *self.good_since_ns.get_or_insert(now_ns);
                match now_ns.saturating_sub(since) >= self.pace.healthy_ns {
                    true => Decision::Confirm,
                    false => Decision::Wait,
                }
            }
            Look::Bad(why) => {
                self.good_since_ns = None;
                match now_ns.saturating_sub(self.begun_ns) >= self.pace.patience_ns {
                    true => Decision::GiveUp(why.clone()),
                    false => Decision::Wait,
                }
            }
        }
    }
}

/// The running slot is the confirmed one from now on, and nothing is tried.
pub fn confirm(layout: &Layout, disk: &Disk) -> Result<(), UpdateError> {
    let _lock = lock(layout)?;
    SlotStore::new(disk, &layout.boot).write(SlotState::settled(layout.running))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::error::StateFileError;
    use crate::update::state::BadCopy;
    use proptest::prelude::*;
    use std::path::PathBuf;

    const SECOND: u64 = 1_000_000_000;

    fn bad() -> Look {
        Look::Bad("no service answers".to_owned())
    }

    /// Looks every 2 s, `good` by the second; when it was decided, and what.
    fn decided(good: impl Fn(u64) -> bool) -> (u64, Decision) {
        let start = 77 * SECOND;
        let mut watch = ConfirmWatch::new(ConfirmPace::default(), start);
        for second in (0..2_000).step_by(2) {
            let look = if good(second) { Look::Good } else { bad() };
            match watch.look(start + second * SECOND, &look) {
                Decision::Wait => {}
                decision => return (second, decision),
            }
        }
        unreachable!("nothing is decided in 2000 s")
    }

    fn gives_up() -> Decision {
        Decision::GiveUp("no service answers".to_owned())
    }

    #[test]
    fn two_minutes_of_health_confirm_from_when_they_begin() {
        assert_eq!(decided(|_| true), (120, Decision::Confirm));
        assert_eq!(decided(|s| s >= 40), (160, Decision::Confirm));
    }

    #[test]
    fn a_break_begins_them_anew() {
        assert_eq!(decided(|s| s != 118), (240, Decision::Confirm));
        assert_eq!(decided(|s| s % 120 != 0), (600, gives_up()));
    }

    #[test]
    fn ten_minutes_without_them_are_enough() {
        assert_eq!(decided(|_| false), (600, gives_up()));
        assert_eq!(decided(|s| s < 100), (600, gives_up()));
    }

    #[test]
    fn a_health_that_begins_in_time_may_last_and_one_that_breaks_may_not_begin_again() {
        assert_eq!(decided(|s| s >= 598), (718, Decision::Confirm));
        assert_eq!(decided(|s| (598..700).contains(&s)), (700, gives_up()));
    }

    #[test]
    fn only_a_slot_that_runs_on_trial_is_confirmed() {
        let of = |slot, tried, left| errand(&Ok(SlotState { slot, tried, left }), Slot::B);
        assert_eq!(
            of(Slot::A, Some(Slot::B), 1),
            Errand::NewSystem { tries_left: 1 }
        );
        assert_eq!(
            of(Slot::A, Some(Slot::B), 0),
            Errand::NewSystem { tries_left: 0 }
        );
        let nothing = |errand| matches!(errand, Errand::Nothing(_));
        assert!(nothing(of(Slot::B, None, 0)));
        assert!(
            nothing(of(Slot::B, Some(Slot::A), 2)),
            "written, not restarted"
        );
        assert!(nothing(of(Slot::B, Some(Slot::A), 0)), "went back");
        assert!(nothing(of(Slot::A, None, 0)), "started by hand");
        let bad = || StateFileError::Bad {
            path: PathBuf::new(),
            why: BadCopy::Checksum,
        };
        let damaged = Err(UpdateError::NoState {
            first: Box::new(bad()),
            second: Box::new(bad()),
        });
        assert!(matches!(errand(&damaged, Slot::A), Errand::Mend { .. }));
    }

    proptest! {
        #[test]
        fn whatever_the_service_says_it_is_decided_within_twelve_minutes(
            said in proptest::collection::vec(any::<bool>(), 500),
        ) {
            let (second, decision) = decided(|s| said[usize::try_from(s / 2 % 500).unwrap_or(0)]);
            prop_assert!(second < 720);
            let quiet = |s: u64| said[usize::try_from(s / 2).unwrap_or(0)];
            let whole = (second.saturating_sub(120)..=second).step_by(2).all(quiet);
            prop_assert_eq!(decision == Decision::Confirm, second >= 120 && whole);
        }
    }
}
