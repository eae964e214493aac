//! Repeated errors are counted and logged once a second, not once each.

/// Decides when a repeated event is worth a log line. Pure: the caller brings the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    last_logged_mono_ns: Option<u64>,
    silent: u64,
    total: u64,
}

impl Counted {
    const INTERVAL_NS: u64 = 1_000_000_000;

    /// One more happened. `Some(n)` when it is time to log: `n` events since
    /// the last line, this one included.
    pub fn happened(&mut self, now_mono_ns: u64) -> Option<u64> {
        self.total += 1;
        self.silent += 1;
        let due = self
            .last_logged_mono_ns
            .is_none_or(|last| now_mono_ns.saturating_sub(last) >= Self::INTERVAL_NS);
        due.then(|| {
            self.last_logged_mono_ns = Some(now_mono_ns);
            std::mem::take(&mut self.silent)
        })
    }

    /// All that ever happened.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_errors_in_a_second_are_two_lines_and_none_is_forgotten() {
        let mut counted = Counted::default();
        let lines: Vec<u64> = (0..=1000)
            .filter_map(|ms| counted.happened(ms * 1_000_000))
            .collect();
        assert_eq!(lines, [1, 1000]);
        assert_eq!(counted.total(), 1001);
    }
}
