//! A moment by both clocks.
//!
//! Not here: the clocks (`base`).

use crate::base::Clock;

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub mono_ns: u64,
    pub unix_s: i64,
}

impl Moment {
    pub fn of(clock: &dyn Clock) -> Moment {
        Moment {
            mono_ns: clock.mono_ns(),
            unix_s: clock.wall().unix_ns.div_euclid(1_000_000_000),
        }
    }
}
