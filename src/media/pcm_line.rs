//! Packets of PCM with the times that a camera gave them → one unbroken run of samples. Pure.
//!
//! What is missing is silence of the same length. A camera counts its samples better than its clock: where the two differ
//! by little, samples follow each other; where they differ by more, time decides.
//!
//! Not here: how samples are coded (`pcm`, `flac`).

use super::pcm;
use super::types::TrackParams;

/// A camera's timestamps may be off its count of samples by so much.
pub fn tolerance(rate: u32) -> i64 {
    i64::from(rate) / 50
}

/// The samples of a track from an instant on, handed out in blocks, the channels of one instant side by side.
#[derive(Debug)]
pub struct PcmLine {
    params: TrackParams,
    /// Nothing before and nothing from here on is kept; ticks.
    from: i64,
    until: i64,
    /// Samples of a block.
    block: usize,
    /// Where the next sample stands, if one came.
    next: Option<i64>,
    /// The tick of the first that was kept.
    first: Option<i64>,
    /// Less than a block.
    waiting: Vec<i32>,
    decoded: Vec<i32>,
}

impl PcmLine {
    /// Keeps what lies in `[from, until)`.
    pub fn new(params: &TrackParams, from: i64, until: i64, block_ticks: usize) -> PcmLine {
        PcmLine {
            params: params.clone(),
            from,
            until,
            block: block_ticks.max(1) * usize::from(params.channels.max(1)),
            next: None,
            first: None,
            waiting: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// The tick of the first sample that was kept.
    pub fn first(&self) -> Option<i64> {
        self.first
    }

    /// Where a packet's first sample will stand that is said to stand at `at`. `broken`: something is missing
    /// before it, or another clock began; the time decides, to the sample.
    pub fn place(&self, at: i64, broken: bool) -> i64 {
        let near = tolerance(self.params.timescale).unsigned_abs();
        let follows = self
            .next
            .filter(|next| !broken && next.abs_diff(at) <= near);
        follows.unwrap_or(at)
    }

    /// The next packet; see [`PcmLine::place`]. Whole blocks go to `out`.
    pub fn add(&mut self, at: i64, broken: bool, bytes: &[u8], out: &mut impl FnMut(&[i32])) {
        let length = i64::try_from(pcm::ticks(&self.params, bytes.len())).unwrap_or(0);
        let begin = self.place(at, broken);
        let end = begin.saturating_add(length);
        // What was heard already is not heard twice.
        let kept = begin
            .max(self.next.unwrap_or(self.from))
            .max(self.from)
            .min(end);
        let last = end.min(self.until);
        if kept < last {
            self.silence_until(kept, out);
            self.first.get_or_insert(kept);
            self.decoded.clear();
            pcm::decode(&self.params, bytes, &mut self.decoded);
            let channels = usize::from(self.params.channels);
            let index = |tick: i64| usize::try_from(tick - begin).unwrap_or(0) * channels;
            let heard = self.decoded.get(index(kept)..index(last));
            self.waiting.extend(heard.unwrap_or_default());
            self.hand_out(out);
        }
        self.next = Some(self.next.map_or(end, |next| next.max(end)));
    }

    /// Where the last packet ended; before the first, far back.
    pub fn end(&self) -> i64 {
        self.next.unwrap_or(i64::MIN)
    }

    /// From now on nothing from `until` on is kept.
    pub fn ends_at(&mut self, until: i64) {
        self.until = until;
    }

    /// Whether something is left that is less than a block.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What is left, less than a block, and nothing follows.
    pub fn rest(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.waiting)
    }

    fn silence_until(&mut self, tick: i64, out: &mut impl FnMut(&[i32])) {
        let (Some(next), Some(_)) = (self.next, self.first) else {
            return;
        };
        let ticks = usize::try_from(tick.saturating_sub(next)).unwrap_or(0);
        let mut missing = ticks.saturating_mul(usize::from(self.params.channels));
        // A block at a time: a camera may have been away for long.
        while missing > 0 {
            let some = missing.min(self.block);
            self.waiting.resize(self.waiting.len() + some, 0);
            missing -= some;
            self.hand_out(out);
        }
    }

    fn hand_out(&mut self, out: &mut impl FnMut(&[i32])) {
        let whole = self.waiting.len() / self.block * self.block;
        self.waiting[..whole].chunks(self.block).for_each(out);
        self.waiting.drain(..whole);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::types::Codec;
    use super::*;
    use proptest::prelude::*;

    /// Collects what is handed out.
    struct Heard {
        line: PcmLine,
        samples: Vec<i32>,
    }

    fn line(from: i64, until: i64) -> Heard {
        let params = pcm::params(Codec::L16, 8_000, 1).unwrap();
        Heard {
            line: PcmLine::new(&params, from, until, 100),
            samples: Vec::new(),
        }
    }

    impl Heard {
        fn add(&mut self, at: i64, broken: bool, bytes: &[u8]) {
            let samples = &mut self.samples;
            self.line.add(at, broken, bytes, &mut |block| {
                assert_eq!(block.len(), 100);
                samples.extend(block);
            });
        }

        fn first(&self) -> Option<i64> {
            self.line.first()
        }

        fn all(&mut self) -> Vec<i32> {
            self.samples.extend(self.line.rest());
            self.samples.clone()
        }
    }

    /// Samples that tell where they belong.
    fn packet(from: i16, len: i16) -> Vec<u8> {
        (from..from + len).flat_map(i16::to_be_bytes).collect()
    }

    fn numbers(range: std::ops::Range<i32>) -> Vec<i32> {
        range.collect()
    }

    #[test]
    fn the_first_sample_kept_is_the_exact_one() {
        let mut line = line(130, 1_000);
        line.add(0, false, &packet(0, 160));
        line.add(160, false, &packet(160, 160));
        assert_eq!(line.first(), Some(130));
        assert_eq!(line.all(), numbers(130..320));
    }

    #[test]
    fn nothing_from_the_end_on_is_kept() {
        let mut line = line(0, 200);
        line.add(0, false, &packet(0, 160));
        line.add(160, false, &packet(160, 160));
        line.add(320, false, &packet(320, 160));
        assert_eq!(line.all(), numbers(0..200));
    }

    #[test]
    fn what_was_lost_is_silence_of_its_length() {
        let mut line = line(0, 9_000);
        line.add(0, false, &packet(0, 160));
        line.add(320, true, &packet(320, 160));
        let mut expected = numbers(0..160);
        expected.resize(320, 0);
        expected.extend(320..480);
        assert_eq!(line.all(), expected);
    }

    #[test]
    fn a_hole_without_a_known_loss_is_silence_where_it_is_wider_than_jitter() {
        let mut line = line(0, 9_000);
        line.add(0, false, &packet(0, 160));
        line.add(1_000, false, &packet(1_000, 160));
        let all = line.all();
        assert_eq!(all.len(), 1_160);
        assert_eq!(all[159..161], [159, 0]);
        assert_eq!(all[999..1_001], [0, 1_000]);
    }

    #[test]
    fn timestamps_that_jitter_leave_no_trace() {
        let mut line = line(0, 9_000);
        for (n, jitter) in (0..).zip([0, 40, -70, 160, -160, 0]) {
            let at = i16::try_from(n * 160).unwrap();
            line.add(n * 160 + jitter, false, &packet(at, 160));
        }
        assert_eq!(line.all(), numbers(0..960));
    }

    #[test]
    fn a_clock_that_drifts_away_from_the_samples_is_followed_in_the_end() {
        let mut line = line(0, 100_000);
        // One sample in 160 too few.
        for n in 0..400 {
            line.add(n * 160, false, &packet(0, 159));
        }
        let off = 400 * 160 - i64::try_from(line.all().len()).unwrap();
        assert!((0..=tolerance(8_000) + 1).contains(&off), "{off}");
    }

    #[test]
    fn what_comes_twice_is_heard_once() {
        let mut line = line(0, 9_000);
        line.add(0, false, &packet(0, 160));
        line.add(100, true, &packet(100, 160));
        line.add(0, true, &packet(0, 160));
        assert_eq!(line.all(), numbers(0..260));
    }

    #[test]
    fn sound_that_begins_late_begins_with_itself() {
        let mut line = line(0, 9_000);
        line.add(500, false, &packet(500, 100));
        assert_eq!(line.first(), Some(500));
        assert_eq!(line.all().len(), 100);
    }

    proptest! {
        #[test]
        fn any_times_give_a_run_within_its_bounds(
            far in -1_000_000i64..1_000_000,
            near in proptest::collection::vec((-500i64..9_000, any::<bool>(), 0usize..400), 0..40),
            from in -200i64..2_000, long in 0i64..5_000,
        ) {
            for away in [0, far, i64::MAX - 9_000, i64::MIN + 500] {
                let mut line = line(from, from + long);
                for (n, (at, broken, bytes)) in near.iter().enumerate() {
                    let away = if n % 7 == 6 { away } else { 0 };
                    line.add(at + away, *broken, &vec![1; *bytes]);
                }
                let first = line.first().unwrap_or(from);
                prop_assert!(first >= from);
                let held = i64::try_from(line.all().len()).unwrap();
                prop_assert!(first + held <= from + long.max(0));
            }
        }
    }
}
