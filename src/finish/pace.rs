//! Which x264 preset keeps up on this machine, learned from the last clips. Pure.
//!
//! It begins at `veryfast`. Two clips in a row that took longer than they play: one step faster.
//! Six clips in a row that took less than a third of what they play: one step slower, which makes
//! smaller files at the same quality. Nothing is written down; a restart begins anew.
//! Not here: measuring (`ffmpeg_finisher`).

/// From the fastest on.
pub const STEPS: [&str; 5] = ["ultrafast", "superfast", "veryfast", "faster", "fast"];
const FIRST: usize = 2;

/// Seconds of work for each second that a clip plays.
const TOO_SLOW: f64 = 1.0;
const SLOW_IN_A_ROW: u32 = 2;
const QUICK: f64 = 1.0 / 3.0;
const QUICK_IN_A_ROW: u32 = 6;

#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    step: usize,
    slow: u32,
    quick: u32,
    /// The slowest of this preset, in seconds of work for each second that a clip plays.
    slowest: f64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            step: FIRST,
            slow: 0,
            quick: 0,
            slowest: 0.0,
        }
    }
}

impl Pace {
    pub fn preset(&self) -> &'static str {
        STEPS[self.step]
    }

    /// Seconds of work for each second of the slowest clip so far; 0 before the first.
    pub fn slowest(&self) -> f64 {
        self.slowest
    }

    /// A clip that plays for `clip_s` was finished with this preset within `work_s`.
    pub fn note(&mut self, work_s: f64, clip_s: f64) {
        let ratio = work_s / clip_s.max(0.001);
        self.slowest = self.slowest.max(ratio);
        (self.slow, self.quick) = match ratio {
            r if r > TOO_SLOW => (self.slow + 1, 0),
            r if r < QUICK => (0, self.quick + 1),
            _ => (0, 0),
        };
        if self.slow >= SLOW_IN_A_ROW && self.step > 0 {
            self.go(self.step - 1);
        } else if self.quick >= QUICK_IN_A_ROW && self.step + 1 < STEPS.len() {
            self.go(self.step + 1);
        }
    }

    fn go(&mut self, step: usize) {
        *self = Pace {
            step,
            ..Pace::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ratios: &[f64]) -> &'static str {
        let mut pace = Pace::default();
        ratios
            .iter()
            .for_each(|ratio| pace.note(ratio * 50.0, 50.0));
        pace.preset()
    }

    #[test]
    fn a_machine_that_cannot_keep_up_gets_a_faster_preset_to_the_fastest() {
        assert_eq!(after(&[]), "veryfast");
        assert_eq!(after(&[2.0]), "veryfast");
        assert_eq!(after(&[2.0, 0.9, 2.0]), "veryfast");
        assert_eq!(after(&[2.0, 1.1]), "superfast");
        assert_eq!(after(&[9.0; 20]), "ultrafast");
    }

    #[test]
    fn an_idle_machine_gets_a_better_preset_step_by_step() {
        assert_eq!(after(&[0.1; 5]), "veryfast");
        assert_eq!(after(&[0.1; 6]), "faster");
        assert_eq!(after(&[0.1; 100]), "fast");
        assert_eq!(after(&[0.1, 0.1, 0.1, 0.5, 0.1, 0.1, 0.1]), "veryfast");
    }

    #[test]
    fn one_that_is_right_stays() {
        assert_eq!(after(&[0.6; 100]), "veryfast");
    }
}
