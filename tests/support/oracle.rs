//! What a clip must show, worked out from the camera's own log alone: nobody
//! asks the program under test, and nobody reads its sidecar.

/// One frame as the camera sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The number drawn in the picture.
    pub number: u32,
    /// Presentation time in 90 kHz ticks, running on over loops.
    pub pts_90k: i64,
    /// `CLOCK_MONOTONIC` just before it was sent.
    pub sent_mono_ns: u64,
}

/// The frames a clip must show, and how sure the oracle can be of its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Numbers drawn in the pictures, in presentation order.
    pub numbers: Vec<u32>,
    /// Presentation times of these frames.
    pub pts_90k: Vec<i64>,
    /// Index of the first of them in the log sorted by presentation time.
    first: usize,
    /// The window's end from the first frame's time, in ticks: how long it plays.
    pub plays_90k: i64,
    /// Distance of the nearer window border from the nearest frame border.
    pub border_ns: i64,
}

/// A press closer to a frame border than this may be off by one frame.
pub const BORDER_NS: i64 = 10_000_000;

const ENVELOPE_NS: u64 = 30_000_000_000;

fn ticks(ns: i128) -> i64 {
    i64::try_from((ns * 90_000).div_euclid(1_000_000_000)).unwrap()
}

fn ns(ticks_90k: i64) -> i128 {
    i128::from(ticks_90k) * 1_000_000_000 / 90_000
}

/// `instant_mono_ns` is the press plus the camera's configured latency.
pub fn expected(
    log: &[Sent],
    instant_mono_ns: u64,
    press_mono_ns: u64,
    pre_ms: u64,
    post_ms: u64,
) -> Expected {
    let offset = log
        .iter()
        .filter(|s| {
            s.sent_mono_ns <= press_mono_ns && s.sent_mono_ns + ENVELOPE_NS >= press_mono_ns
        })
        .map(|s| i128::from(s.sent_mono_ns) - ns(s.pts_90k))
        .min()
        .expect("the camera sent something in the 30 s before the press");
    let at_90k = ticks(i128::from(instant_mono_ns) - offset);
    let start = at_90k - i64::try_from(pre_ms * 90).unwrap();
    let end = at_90k + i64::try_from(post_ms * 90).unwrap();
    let mut shown = log.to_vec();
    shown.sort_by_key(|s| s.pts_90k);
    let first = shown
        .partition_point(|s| s.pts_90k <= start)
        .saturating_sub(1);
    let behind = shown.partition_point(|s| s.pts_90k < end);
    assert!(behind < shown.len(), "the log ends before the window does");
    let nearest = |t: i64| {
        shown
            .iter()
            .map(|s| (s.pts_90k - t).abs())
            .min()
            .map_or(i64::MAX, |d| d * 1_000_000_000 / 90_000)
    };
    Expected {
        numbers: shown[first..behind].iter().map(|s| s.number).collect(),
        pts_90k: shown[first..behind].iter().map(|s| s.pts_90k).collect(),
        first,
        plays_90k: end - shown[first].pts_90k,
        border_ns: nearest(start).min(nearest(end)),
    }
}

/// Compares what a decoder saw with what had to be seen: `Ok(true)` exact,
/// `Ok(false)` off by one frame at an end whose border was too near to tell.
pub fn compare(log: &[Sent], want: &Expected, seen: &[u32]) -> Result<bool, String> {
    if seen == want.numbers {
        return Ok(true);
    }
    let mut shown = log.to_vec();
    shown.sort_by_key(|s| s.pts_90k);
    if want.border_ns < BORDER_NS {
        for from in want.first.saturating_sub(1)..=want.first + 1 {
            let numbers: Vec<u32> = shown[from..]
                .iter()
                .take(seen.len())
                .map(|s| s.number)
                .collect();
            if seen == numbers && seen.len().abs_diff(want.numbers.len()) <= 1 {
                return Ok(false);
            }
        }
    }
    let ends = |n: &[u32]| format!("{:?}..{:?}, {} frames", n.first(), n.last(), n.len());
    Err(format!(
        "shows {}, expected {} (border {:.1} ms away)",
        ends(seen),
        ends(&want.numbers),
        want.border_ns as f64 / 1e6
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 25 fps, frame n shown at n × 40 ms, sent 1 s later with some jitter.
    fn log() -> Vec<Sent> {
        (0..1000u32)
            .map(|n| Sent {
                number: n % 500,
                pts_90k: i64::from(n) * 3600,
                sent_mono_ns: u64::from(n) * 40_000_000
                    + 1_000_000_000
                    + u64::from(n % 7) * 3_000_000,
            })
            .collect()
    }

    #[test]
    fn a_window_holds_the_frame_on_screen_at_its_start_and_ends_before_its_end() {
        let press = 11_000_000_000 + 20_000_000; // frame 250.5
        let want = expected(&log(), press, press, 4_000, 1_000);
        assert_eq!((want.numbers[0], *want.numbers.last().unwrap()), (150, 275));
        assert_eq!(want.plays_90k, 125 * 3600 + 1800);
        assert_eq!(want.border_ns, 20_000_000);
    }

    #[test]
    fn one_frame_off_is_excused_only_near_a_border() {
        let press = 11_000_000_000 + 20_000_000;
        let want = expected(&log(), press, press, 1_000, 0);
        let mut off: Vec<u32> = want.numbers.iter().map(|n| n + 1).collect();
        assert!(compare(&log(), &want, &off).is_err());
        let near = expected(&log(), press - 15_000_000, press, 1_000, 0);
        assert!(near.border_ns < BORDER_NS);
        off = near.numbers.iter().map(|n| n + 1).collect();
        assert_eq!(compare(&log(), &near, &off), Ok(false));
        off.remove(3);
        assert!(
            compare(&log(), &near, &off).is_err(),
            "a hole is never excused"
        );
    }
}
