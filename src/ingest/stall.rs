//! When a session is given up because no picture comes. Pure: arrivals in, a verdict out.
//!
//! Many cameras fall quiet for seconds (a dynamic frame rate), and relays begin at the next key frame,
//! so how long is waited is learned from the stream: three times its longest quiet, and before
//! the first key frame as long as a GOP may last. A camera that sends steadily is given up soon.
//! Not here: when health calls a camera suspect (`health`), the next try (`reconnect`).

use std::time::Duration;

/// So many times the longest quiet is waited.
const TIMES: u64 = 3;
/// Nobody is waited for longer than this many times the least.
const MOST_TIMES: u64 = 6;
/// A quiet is remembered for this long, and at most for twice as long.
const KEPT_NS: u64 = 3_600_000_000_000;
/// A session that was given up may only have been quiet: for so long its successor has time to show it.
const DOUBT_NS: u64 = 60_000_000_000;

/// How quiet a camera can be, over all of its sessions.
#[derive(Clone, Debug)]
pub(super) struct QuietPatience {
    least_ns: u64,
    /// Longest quiets of the running hour and of the one before, the former's beginning.
    quiet_ns: [u64; 2],
    since_ns: u64,
    /// A session was given up after so long; whether it was only quiet is not known.
    doubt_ns: u64,
    doubt_until_ns: u64,
    gop_ns: Option<u64>,
}

impl QuietPatience {
    /// `least`: what is waited for a camera that was never quiet.
    pub fn new(least: Duration) -> QuietPatience {
        QuietPatience {
            least_ns: u64::try_from(least.as_nanos()).unwrap_or(u64::MAX),
            quiet_ns: [0; 2],
            since_ns: 0,
            doubt_ns: 0,
            doubt_until_ns: 0,
            gop_ns: None,
        }
    }

    /// The camera answered a call. One that does so at once after it was given up as
    /// stalled may only have been quiet.
    pub fn answered(&mut self, now_mono_ns: u64) {
        self.doubt_until_ns = now_mono_ns.saturating_add(DOUBT_NS);
    }

    /// It did not: it was no quiet.
    pub fn unanswered(&mut self) {
        self.doubt_ns = 0;
    }

    /// Key frames are this far apart.
    pub fn gop(&mut self, longest_ms: u64) {
        if longest_ms > 0 {
            let ns = longest_ms.saturating_mul(1_000_000);
            self.gop_ns = Some(self.gop_ns.map_or(ns, |known| known.max(ns)));
        }
    }

    fn quiet(&mut self, quiet_ns: u64, now_mono_ns: u64) {
        self.roll(now_mono_ns);
        self.quiet_ns[0] = self.quiet_ns[0].max(quiet_ns);
    }

    fn roll(&mut self, now_mono_ns: u64) {
        let age_ns = now_mono_ns.saturating_sub(self.since_ns);
        if age_ns >= KEPT_NS {
            let before = if age_ns < 2 * KEPT_NS {
                self.quiet_ns[0]
            } else {
                0
            };
            self.quiet_ns = [0, before];
            self.since_ns = now_mono_ns;
        }
    }

    /// How long is waited for the next picture.
    fn limit_ns(&mut self, begun: bool, now_mono_ns: u64) -> u64 {
        self.roll(now_mono_ns);
        if now_mono_ns >= self.doubt_until_ns {
            self.doubt_ns = 0;
        }
        let quiet_ns = self.quiet_ns.into_iter().fold(self.doubt_ns, u64::max);
        let most_ns = self.least_ns.saturating_mul(MOST_TIMES);
        let usual_ns = quiet_ns.saturating_mul(TIMES).max(self.least_ns);
        let wait_ns = match (begun, self.gop_ns) {
            (true, _) => usual_ns,
            (false, Some(gop_ns)) => usual_ns.saturating_add(gop_ns),
            (false, None) => most_ns,
        };
        wait_ns.min(most_ns)
    }
}

/// When something last came over one connection.
#[derive(Clone, Debug)]
pub(super) struct StallWatch {
    pub since_mono_ns: u64,
    pub video_mono_ns: u64,
    pub begun_mono_ns: Option<u64>,
    /// It was said that no key frame comes.
    pub complained: bool,
    pictures: u64,
}

impl StallWatch {
    pub fn new(now_mono_ns: u64) -> StallWatch {
        StallWatch {
            since_mono_ns: now_mono_ns,
            video_mono_ns: now_mono_ns,
            begun_mono_ns: None,
            complained: false,
            pictures: 0,
        }
    }

    /// A picture, or a part of one, came.
    pub fn picture(&mut self, arrival_mono_ns: u64, patience: &mut QuietPatience) {
        if self.pictures > 0 {
            let quiet_ns = arrival_mono_ns.saturating_sub(self.video_mono_ns);
            patience.quiet(quiet_ns, arrival_mono_ns);
        }
        self.pictures += 1;
        self.video_mono_ns = self.video_mono_ns.max(arrival_mono_ns);
    }

    /// The session is to be given up: for so long no picture came.
    pub fn stalled(&self, now_mono_ns: u64, patience: &mut QuietPatience) -> Option<Duration> {
        let silent_ns = now_mono_ns.saturating_sub(self.video_mono_ns);
        let limit_ns = patience.limit_ns(self.begun_mono_ns.is_some(), now_mono_ns);
        if silent_ns < limit_ns {
            return None;
        }
        if self.begun_mono_ns.is_some() {
            patience.doubt_ns = silent_ns;
        }
        Some(Duration::from_nanos(limit_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn patience() -> QuietPatience {
        QuietPatience::new(Duration::from_secs(5))
    }

    /// After how many seconds a session is given up whose pictures come at these seconds, the
    /// first of them a key frame.
    fn given_up(patience: &mut QuietPatience, at_s: u64, pictures: &[u64]) -> u64 {
        let mut watch = StallWatch::new(at_s * S);
        for second in at_s.. {
            if pictures.contains(&(second - at_s)) {
                watch.begun_mono_ns.get_or_insert(second * S);
                watch.picture(second * S, patience);
            }
            if watch.stalled(second * S, patience).is_some() {
                return second - at_s;
            }
        }
        0
    }

    #[test]
    fn a_session_is_given_up_after_three_times_its_longest_quiet() {
        for (pictures, wanted) in [
            // Steady: 5 s.
            (&[0, 1, 2, 3][..], 8),
            (&[0, 3, 4], 13),
            (&[0, 4], 16),
            (&[0, 4, 8, 16], 40),
            (&[0, 4, 16], 46),
            // Before the first picture 30 s, if nothing is known.
            (&[], 30),
            (&[20], 25),
        ] {
            assert_eq!(
                given_up(&mut patience(), 0, pictures),
                wanted,
                "{pictures:?}"
            );
        }
    }

    #[test]
    fn before_the_first_key_frame_a_known_gop_is_waited_for_and_no_longer() {
        for (gop_ms, wanted) in [(0, 30), (1_000, 6), (10_000, 15), (60_000, 30)] {
            let mut patience = patience();
            patience.gop(gop_ms);
            assert_eq!(given_up(&mut patience, 0, &[]), wanted, "{gop_ms}");
        }
    }

    #[test]
    fn a_camera_that_sends_a_picture_every_6_s_is_given_up_once_and_then_known() {
        let mut patience = patience();
        let sparse: Vec<u64> = (0..50).map(|n| n * 6).collect();
        assert_eq!(given_up(&mut patience, 0, &sparse), 5);
        patience.answered(6 * S);
        assert_eq!(given_up(&mut patience, 6, &sparse), 294 + 18);
    }

    #[test]
    fn a_camera_that_hung_and_is_steady_afterwards_is_given_up_as_soon_as_before() {
        let mut patience = patience();
        assert_eq!(given_up(&mut patience, 0, &[0, 1, 2]), 7);
        patience.answered(8 * S);
        // Within the first minute it might be quiet.
        assert_eq!(given_up(&mut patience, 8, &[0, 1, 2]), 17);
        patience.answered(26 * S);
        let steady: Vec<u64> = (0..90).collect();
        assert_eq!(given_up(&mut patience, 26, &steady), 89 + 5);
    }

    #[test]
    fn a_camera_that_went_away_is_not_taken_for_a_quiet_one() {
        let mut patience = patience();
        assert_eq!(given_up(&mut patience, 0, &[0, 1, 2]), 7);
        patience.unanswered();
        patience.answered(20 * S);
        assert_eq!(given_up(&mut patience, 20, &[0, 1, 2]), 7);
    }

    #[test]
    fn a_quiet_is_forgotten_after_hours() {
        for (later_s, wanted) in [(3_500, 12 + 2), (3_700, 12 + 2), (9_000, 5 + 2)] {
            let mut patience = patience();
            given_up(&mut patience, 0, &[0, 4]);
            assert_eq!(
                given_up(&mut patience, later_s, &[0, 1, 2]),
                wanted,
                "{later_s}"
            );
        }
    }

    #[test]
    fn any_instants_give_an_answer() {
        let mut patience = QuietPatience::new(Duration::MAX);
        let mut watch = StallWatch::new(u64::MAX);
        watch.picture(0, &mut patience);
        watch.picture(u64::MAX, &mut patience);
        patience.gop(u64::MAX);
        assert!(watch.stalled(0, &mut patience).is_none());
    }
}
