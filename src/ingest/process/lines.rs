//! How many log lines a camera may cause. Pure.
//!
//! Kept twice: by the process that reads cameras, so that it floods nobody, and by the service, which does
//! not believe it.
//! Not here: what a line says.

/// Log lines of one camera within a minute; beyond these they are counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineBudget {
    minute: u64,
    lines: u32,
    left_out: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineFate {
    Said,
    /// Said, and so many were left out before it.
    SaidAfter {
        left_out: u64,
    },
    LeftOut,
}

impl LineBudget {
    pub const A_MINUTE: u32 = 60;
    const MINUTE_NS: u64 = 60_000_000_000;

    pub fn line(&mut self, now_mono_ns: u64) -> LineFate {
        let minute = now_mono_ns / Self::MINUTE_NS;
        if minute != self.minute {
            (self.minute, self.lines) = (minute, 0);
        }
        if self.lines >= Self::A_MINUTE {
            self.left_out = self.left_out.saturating_add(1);
            return LineFate::LeftOut;
        }
        self.lines += 1;
        match std::mem::take(&mut self.left_out) {
            0 => LineFate::Said,
            left_out => LineFate::SaidAfter { left_out },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_causes_a_flood_of_lines_is_heard_sixty_times_a_minute_and_nothing_is_forgotten()
     {
        let mut budget = LineBudget::default();
        let fates = (0..1_000).map(|_| budget.line(5));
        let said = fates.filter(|fate| *fate == LineFate::Said).count();
        assert_eq!(said, 60);
        let next = budget.line(LineBudget::MINUTE_NS);
        assert_eq!(next, LineFate::SaidAfter { left_out: 940 });
        assert_eq!(budget.line(LineBudget::MINUTE_NS), LineFate::Said);
    }
}
