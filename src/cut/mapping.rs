//! From a monotonic instant to a camera's media time, and back.
//!
//! A camera's clock is laid against `CLOCK_MONOTONIC` by the lower envelope of
//! (arrival − presentation time): the least delayed access unit is believed,
//! so network jitter moves nothing. An epoch has one mapping.
//!
//! Not here: which access units are asked (`plan`), what is cut (`machine`).

use serde::{Deserialize, Serialize};

use super::types::Certainty;
use crate::media::AuMeta;

/// One epoch's clock against `CLOCK_MONOTONIC`: the access unit with
/// presentation time `anchor_90k` is the one that came with the least delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub epoch: u32,
    /// Presentation time of the least delayed access unit, 90 kHz ticks.
    pub anchor_90k: i64,
    /// Its arrival, `CLOCK_MONOTONIC` in nanoseconds.
    pub anchor_mono_ns: u64,
}

/// Nanoseconds of one 90 kHz tick, as a fraction: 100 000 / 9.
const TICK_NS_NUM: i128 = 100_000;
const TICK_NS_DEN: i128 = 9;

impl Mapping {
    /// The media time at a monotonic instant, rounded down: a frame is on
    /// screen from its presentation time on.
    pub fn media_90k(&self, mono_ns: u64) -> i64 {
        let passed_ns = i128::from(mono_ns) - i128::from(self.anchor_mono_ns);
        let ticks = (passed_ns * TICK_NS_DEN).div_euclid(TICK_NS_NUM);
        saturate_i64(i128::from(self.anchor_90k) + ticks)
    }

    /// The monotonic instant at which an undelayed access unit of this time would arrive.
    pub fn mono_ns(&self, t_90k: i64) -> u64 {
        let passed = i128::from(t_90k) - i128::from(self.anchor_90k);
        let ns = i128::from(self.anchor_mono_ns) + passed * TICK_NS_NUM / TICK_NS_DEN;
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }

    /// Ticks to add to a time of this epoch to have it on the timeline of
    /// `reference`. Whole ticks, so that distances stay what they are.
    pub fn shift_to(&self, reference: &Mapping) -> i64 {
        let later_ns = i128::from(self.anchor_mono_ns) - i128::from(reference.anchor_mono_ns);
        // Rounded, not cut off: half a tick either way, whatever the sign.
        let later = (later_ns * TICK_NS_DEN + TICK_NS_NUM / 2).div_euclid(TICK_NS_NUM);
        saturate_i64(i128::from(reference.anchor_90k) - i128::from(self.anchor_90k) + later)
    }

    /// (arrival − presentation time), in ninths of a nanosecond.
    fn delay(&self) -> i128 {
        i128::from(self.anchor_mono_ns) * TICK_NS_DEN - i128::from(self.anchor_90k) * TICK_NS_NUM
    }
}

fn saturate_i64(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// Lower envelope of (arrival − presentation time) over an epoch's video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    best: Option<Mapping>,
    first_mono_ns: u64,
    last_mono_ns: u64,
}

impl Envelope {
    /// From here on a mapping is certain, in nanoseconds of arrivals.
    pub const CERTAIN_NS: u64 = 2_000_000_000;

    /// One more video access unit of the epoch.
    pub fn add(&mut self, au: &AuMeta) {
        self.add_arrival(Mapping {
            epoch: au.epoch,
            anchor_90k: au.pts_90k,
            anchor_mono_ns: au.arrival_mono_ns,
        });
    }

    /// What the mapping would be if it were the least delayed one.
    pub fn add_arrival(&mut self, seen: Mapping) {
        match self.best {
            None => {
                self.first_mono_ns = seen.anchor_mono_ns;
                self.best = Some(seen);
            }
            Some(best) if seen.delay() < best.delay() => self.best = Some(seen),
            Some(_) => {}
        }
        self.last_mono_ns = self.last_mono_ns.max(seen.anchor_mono_ns);
    }

    /// `None` before the first access unit.
    pub fn mapping(&self) -> Option<Mapping> {
        self.best
    }

    pub fn certainty(&self) -> Certainty {
        if self.last_mono_ns.saturating_sub(self.first_mono_ns) >= Self::CERTAIN_NS {
            Certainty::Certain
        } else {
            Certainty::Uncertain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32, anchor_90k: i64, anchor_mono_ns: u64) -> Mapping {
        Mapping {
            epoch,
            anchor_90k,
            anchor_mono_ns,
        }
    }

    #[test]
    fn a_frame_is_on_screen_from_its_own_tick_on_and_not_before() {
        let mapping = at(0, 900, 1_000_000_000);
        assert_eq!(mapping.media_90k(1_000_000_000), 900);
        assert_eq!(mapping.media_90k(1_000_011_111), 900);
        assert_eq!(mapping.media_90k(1_000_011_112), 901);
        assert_eq!(mapping.media_90k(999_999_999), 899);
        assert_eq!(mapping.media_90k(2_000_000_000), 90_900);
    }

    #[test]
    fn the_ends_of_all_numbers_do_not_overflow() {
        for anchor_90k in [i64::MIN, -1, 0, i64::MAX] {
            for anchor_mono_ns in [0, 1, u64::MAX] {
                let mapping = at(0, anchor_90k, anchor_mono_ns);
                for other in [at(1, i64::MAX, 0), at(1, i64::MIN, u64::MAX)] {
                    let _ = (mapping.shift_to(&other), other.shift_to(&mapping));
                }
                for mono_ns in [0, u64::MAX] {
                    let _ = mapping.mono_ns(mapping.media_90k(mono_ns));
                }
            }
        }
    }

    #[test]
    fn a_shift_carries_times_of_one_epoch_to_another_by_their_mappings() {
        let old = at(1, 1_000_000, 10_000_000_000);
        let new = at(2, 500, 12_000_000_000);
        assert_eq!(500 + new.shift_to(&old), 1_000_000 + 180_000);
        assert_eq!(old.shift_to(&new), -new.shift_to(&old));
    }
}
