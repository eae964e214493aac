//! Which frames are shown, against brute force.

use hindsight::cut::Certainty;
use hindsight::cut::{Window, plan};
use hindsight::media::Track;
use proptest::prelude::*;

use super::camera::*;

fn spec() -> impl Strategy<Value = Spec> {
    (
        prop_oneof![
            Just(3600i64),
            Just(3003),
            Just(1500),
            Just(6000),
            Just(90_000 / 7)
        ],
        2u32..120,
        0u32..4,
        any::<bool>(),
        0u64..80_000_000,
        any::<u64>(),
        any::<bool>(),
        -400_000_000i64..200_000_000,
        any::<bool>(),
    )
        .prop_map(
            |(
                ticks,
                gop,
                b_frames,
                open_gop,
                jitter_ns,
                seed,
                audio,
                audio_delay_ns,
                shaky_ticks,
            )| Spec {
                ticks,
                gop,
                b_frames,
                open_gop,
                frames: u32::try_from(90_000 * 45 / ticks).unwrap(),
                jitter_ns,
                seed,
                audio,
                audio_delay_ns,
                shaky_ticks,
            },
        )
}

fn a_window() -> impl Strategy<Value = Window> {
    (
        16_000u64..28_000,
        0u64..900,
        0u64..600,
        0u64..7_000,
        0u64..7_000,
    )
        .prop_map(|(press_ms, press_us, latency_ms, pre_ms, post_ms)| Window {
            press_mono_ns: ON_MONO_NS + press_ms * 1_000_000 + press_us * 1000,
            latency_ms,
            pre_ms,
            post_ms: post_ms.max(u64::from(pre_ms == 0)),
        })
}

/// Numbers of the frames on screen in the window, and the window's length from
/// the first of them: by brute force over all that the camera ever sent.
fn on_screen(ring: &Ring, window: &Window) -> (Vec<u32>, i64) {
    let video: Vec<&Made> = ring.made.iter().collect();
    // (arrival − pts) in ninths of a nanosecond, least over 30 s before the press.
    let delay = video
        .iter()
        .filter(|m| m.au.arrival_mono_ns <= window.press_mono_ns)
        .filter(|m| m.au.arrival_mono_ns + 30 * SECOND_NS >= window.press_mono_ns)
        .map(|m| i128::from(m.au.arrival_mono_ns) * 9 - i128::from(m.au.pts) * 100_000)
        .min()
        .unwrap();
    let instant_ns = window.press_mono_ns + window.latency_ms * 1_000_000;
    let at = i64::try_from((i128::from(instant_ns) * 9 - delay).div_euclid(100_000)).unwrap();
    let start = at - i64::try_from(window.pre_ms).unwrap() * 90;
    let end = at + i64::try_from(window.post_ms).unwrap() * 90;
    let first = video
        .iter()
        .filter(|m| m.au.pts <= start)
        .map(|m| m.au.pts)
        .max()
        .unwrap();
    let mut shown: Vec<&&Made> = video
        .iter()
        .filter(|m| m.au.pts >= first && m.au.pts < end)
        .collect();
    shown.sort_by_key(|m| m.au.pts);
    (shown.iter().map(|m| m.number).collect(), end - first)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_frames_on_screen_are_shown_each_decodable_and_at_its_distance(
        spec in spec(), window in a_window(),
    ) {
        let ring = film(&spec);
        let (expected, length) = on_screen(&ring, &window);
        let (plan, exported, played) = press(&ring, &window, spec.open_gop);
        prop_assert_eq!(&played.numbers, &expected);
        prop_assert_eq!(&played.smeared, &Vec::<u32>::new());
        prop_assert_eq!(played.duration, length);
        prop_assert_eq!(played.times[0], 0);
        let first = ring.number(expected[0]).au.pts;
        for (time, number) in played.times.iter().zip(&expected) {
            prop_assert_eq!(*time, ring.number(*number).au.pts - first);
        }
        let finished = exported.finished.as_ref().unwrap();
        prop_assert!(finished.report.gaps.is_empty(), "{:?}", finished.report.gaps);
        prop_assert!(finished.report.damaged.is_empty());
        prop_assert_eq!(plan.certainty, Certainty::Certain);
        prop_assert_eq!(finished.data_len, finished.clip.tracks.iter().flat_map(|t| &t.samples)
            .map(|s| s.offset + u64::from(s.size)).max().unwrap());
    }

    #[test]
    fn the_plan_is_the_same_before_and_after_a_restart(
        spec in spec(), window in a_window(), later_ms in 0u64..60_000,
    ) {
        let ring = film(&spec);
        let before = plan(&ring.at(window.press_mono_ns), &window).unwrap();
        let after = plan(&ring.at(window.press_mono_ns + later_ms * 1_000_000), &window).unwrap();
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_lossy_stream_starts_at_a_whole_key_frame_shows_all_that_came_and_names_every_hole(
        spec in spec(), window in a_window(), lost in any::<u64>(), rate in 1u32..40,
    ) {
        let mut ring = film(&spec);
        let mut random = fastrand::Rng::with_seed(lost);
        let bad: Vec<bool> = (0..spec.frames).map(|_| random.u32(0..1000) < rate).collect();
        ring.lose(|number| bad[usize::try_from(number).unwrap()]);
        let Ok(plan) = plan(&ring.at(window.press_mono_ns), &window) else { return Ok(()) };
        let exported = export(&ring, &plan, Feed::AtOnce, spec.open_gop);
        let Ok(finished) = &exported.finished else { return Ok(()) };
        let first_pos = exported.placed.iter().find(|p| ring.stored(p.1).number.is_some()).unwrap().1;
        let start = ring.stored(first_pos).au;
        prop_assert!(start.flags.key && !start.flags.tainted);
        let played = play(&ring, &exported);
        // Everything that arrived between the first and the last shown is shown, but for
        // RASL pictures that decoding could not start with.
        let (first, last) = (played.numbers[0], *played.numbers.last().unwrap());
        let arrived: Vec<u32> = {
            let mut numbers: Vec<u32> = ring.entries.iter().filter_map(|s| s.number)
                .filter(|n| (first..=last).contains(n)).collect();
            numbers.sort_unstable();
            numbers
        };
        prop_assert_eq!(&played.numbers, &arrived);
        // What could not be decoded is listed as damaged.
        let damaged = |number: &u32| {
            let i = played.numbers.iter().position(|n| n == number).unwrap();
            let at = played.times[i] as f64 / 90_000.0;
            finished.report.damaged.iter().any(|d| d.start_sec <= at + 2e-6 && at < d.end_sec + 2e-6)
        };
        for number in &played.smeared {
            prop_assert!(damaged(number), "{} of {:?}", number, played.smeared);
        }
        // Each missing frame inside lies in a gap.
        for missing in (first..last).filter(|n| !arrived.contains(n)) {
            let at = i64::from(missing - first) * spec.ticks;
            let at = at as f64 / 90_000.0;
            let slack = 1.5 * spec.ticks as f64 / 90_000.0;
            let named = finished.report.gaps.iter()
                .any(|g| g.track == Track::Video && g.start_sec - slack <= at && at <= g.end_sec + slack);
            prop_assert!(named, "frame {} at {} s is in none of {:?}", missing, at, finished.report.gaps);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn read_live_or_long_after_or_salvaged_the_clip_is_the_same(
        spec in spec(), window in a_window(), every_ms in 1u64..500, lost in any::<u64>(),
    ) {
        let mut ring = film(&spec);
        let mut random = fastrand::Rng::with_seed(lost);
        let bad: Vec<bool> = (0..spec.frames).map(|_| random.u32(0..100) == 0).collect();
        ring.lose(|number| bad[usize::try_from(number).unwrap()]);
        let Ok(plan) = plan(&ring.at(window.press_mono_ns), &window) else { return Ok(()) };
        let at_once = export(&ring, &plan, Feed::AtOnce, spec.open_gop);
        let live = export(&ring, &plan, Feed::Live { every_ns: every_ms * 1_000_000 }, spec.open_gop);
        prop_assert!(at_once.finished == live.finished);
        prop_assert!(at_once.facts == live.facts);
        let salvaged = salvage(&plan, &live.facts, hindsight::cut::Ended::Complete);
        prop_assert!(salvaged == live.finished);
        // A process that was killed in the middle reads on where it had come to.
        let noted = usize::try_from(lost).unwrap_or(0) % (live.facts.len() + 1);
        let mut again = Exporter::new(&ring, &plan, spec.open_gop);
        for fact in &live.facts[..noted] {
            again.replay(fact);
        }
        again.read_until(u64::MAX);
        prop_assert!(again.facts == at_once.facts);
        prop_assert!(again.finish(hindsight::cut::Ended::Complete).finished == at_once.finished);
    }
}

#[test]
fn a_start_that_needs_rasl_pictures_goes_one_key_frame_further_back() {
    let spec = Spec {
        gop: 50,
        b_frames: 2,
        open_gop: true,
        ..Spec::default()
    };
    let ring = film(&spec);
    // Frame 999 is a RASL picture of the CRA 1000.
    let rasl = ring.number(999).au;
    assert!(rasl.flags.rasl);
    let (plan, exported, played) = starting_at(&ring, 999, 0, true);
    assert_eq!(played.numbers[0], 999);
    assert!(played.smeared.is_empty());
    assert_eq!(ring.stored(plan.key_pos).number, Some(950));
    let taken = exported
        .placed
        .iter()
        .filter_map(|p| ring.stored(p.1).number);
    let taken: Vec<u32> = taken.collect();
    assert!(
        !taken.contains(&949),
        "RASL pictures of the key frame that decoding starts at are left out"
    );
    assert!(taken.contains(&999));
}

#[test]
fn a_start_at_the_key_frame_itself_starts_there_without_its_rasl_pictures() {
    let spec = Spec {
        gop: 50,
        b_frames: 2,
        open_gop: true,
        ..Spec::default()
    };
    let ring = film(&spec);
    let (plan, exported, played) = starting_at(&ring, 1000, 90, true);
    assert_eq!(played.numbers[0], 1000);
    assert_eq!(ring.stored(plan.key_pos).number, Some(1000));
    let mut taken = exported
        .placed
        .iter()
        .filter_map(|p| ring.stored(p.1).number);
    assert!(taken.all(|n| n >= 1000));
}

/// A press 5 s later than the moment `ticks` into frame `number`, window 5 + 2 s.
fn starting_at(
    ring: &Ring,
    number: u32,
    ticks: u64,
    open_gop: bool,
) -> (hindsight::cut::Plan, Exported, Played) {
    let mut earliest: Vec<u64> = Vec::new();
    let press_near = ring.number(number).au;
    // Undelayed arrivals are 20 ms after capture; B-frames come later.
    earliest.push(ON_MONO_NS + u64::from(number) * 40_000_000 + 20_000_000);
    let press_ns = earliest[0] + 5 * SECOND_NS + ticks * 100_000 / 9 + 50_000;
    assert!(press_near.arrival_mono_ns < press_ns);
    press(ring, &window(press_ns, 5000, 2000), open_gop)
}

#[test]
fn a_camera_with_latency_is_cut_at_the_moment_captured_at_the_press() {
    let ring = film(&Spec::default());
    let at = ON_MONO_NS + 30 * SECOND_NS;
    let (_, _, plain) = press(&ring, &window(at, 4000, 1000), false);
    let delayed = Window {
        latency_ms: 400,
        ..window(at, 4000, 1000)
    };
    let (_, _, late) = press(&ring, &delayed, false);
    assert_eq!(late.numbers[0], plain.numbers[0] + 10);
    assert_eq!(late.numbers.len(), plain.numbers.len());
}
