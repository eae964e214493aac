//! How large a clip will be, from what the ring has held so far.
//!
//! Not here: how much room there is.

use super::footage::Index;
use crate::media::Track;

/// Upper guesses for a window, and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    pub video: u64,
    pub audio: u64,
    /// Of data and index.
    pub bytes: u64,
    /// Generations of parameters met, in their order.
    pub generations: Vec<u32>,
}

/// Rates while nothing is known: the ring is made for 60 and 50 a second.
const VIDEO_PER_S: u64 = 60;
const AUDIO_PER_S: u64 = 50;
/// The window runs on so long until it is given up.
const AFTER_NS: u64 = 3_500_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// Of the AUs from `first_pos` until `end_mono_ns`, what is held is counted, and
/// what is still to come is expected at half as much again.
pub fn estimate(index: &impl Index, first_pos: u64, end_mono_ns: u64) -> Estimate {
    let mut found = Estimate::default();
    let mut span: Option<(u64, u64)> = None;
    let until = end_mono_ns.saturating_add(AFTER_NS);
    index.each(first_pos, |_, entry| {
        let Some(au) = entry.ok().filter(|au| au.arrival_mono_ns <= until) else {
            return;
        };
        match au.track {
            Track::Video => found.video += 1,
            Track::Audio => found.audio += 1,
        }
        found.bytes += u64::from(au.len);
        if !au.flags.gap && !found.generations.contains(&au.generation) {
            found.generations.push(au.generation);
        }
        let first = span.map_or(au.arrival_mono_ns, |(first, _)| first);
        span = Some((first, au.arrival_mono_ns));
    });
    found.expect_rest(span, until);
    found
}

impl Estimate {
    fn expect_rest(&mut self, span: Option<(u64, u64)>, until_mono_ns: u64) {
        let Some((first, last)) = span else {
            return;
        };
        let rest_ns = until_mono_ns.saturating_sub(last);
        let held_ns = last.saturating_sub(first).max(1);
        let expected = |held: u64, at_least_per_s: u64| {
            let by_rate = scaled(held, rest_ns, held_ns);
            let by_rule = scaled(at_least_per_s, rest_ns, SECOND_NS);
            let guess = if held_ns < SECOND_NS { by_rule } else { 0 };
            (by_rate + by_rate / 2).min(100 * by_rule.max(1)).max(guess)
        };
        self.video += expected(self.video, VIDEO_PER_S) + 64;
        self.audio += expected(self.audio, AUDIO_PER_S) + 64;
        let rest_bytes = if held_ns < SECOND_NS {
            0
        } else {
            scaled(self.bytes, rest_ns, held_ns)
        };
        // Some forty bytes of index a sample.
        self.bytes += rest_bytes + 40 * (self.video + self.audio) + (1 << 16);
    }
}

fn scaled(value: u64, by: u64, of: u64) -> u64 {
    let product = u128::from(value) * u128::from(by) / u128::from(of.max(1));
    u64::try_from(product)
        .unwrap_or(u64::MAX / 4)
        .min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::footage::FootageReadError;
    use crate::media::{Alignment, AuFlags, AuMeta};

    struct Steady(u64);

    impl Index for Steady {
        fn oldest(&self) -> u64 {
            0
        }
        fn head(&self) -> u64 {
            self.0
        }
        fn meta(&self, pos: u64) -> Result<AuMeta, FootageReadError> {
            Ok(AuMeta {
                track: Track::Video,
                flags: AuFlags::default(),
                generation: 3,
                epoch: 1,
                pts: 0,
                pts_90k: 0,
                alignment: Alignment::Arrival,
                arrival_mono_ns: pos * SECOND_NS / 25,
                lost_packets: 0,
                dropped_bytes: 0,
                len: 1000,
            })
        }
    }

    #[test]
    fn what_is_held_is_counted_and_what_is_to_come_is_guessed_high_but_not_wildly() {
        let past = estimate(&Steady(250), 25, SECOND_NS);
        assert_eq!(past.generations, [3]);
        assert!(past.video >= 4 * 25 && past.video < 400, "{past:?}");
        let future = estimate(&Steady(250), 0, 20 * SECOND_NS);
        assert!(future.video >= 500 && future.video < 1500, "{future:?}");
        assert!(future.bytes >= 500_000 && future.bytes < 1_200_000);
        assert_eq!(estimate(&Steady(0), 0, SECOND_NS), Estimate::default());
    }
}
