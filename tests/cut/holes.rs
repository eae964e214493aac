//! Losses, reconnections, changes of parameters: holes keep their length and have names.

use hindsight::base::{Arg, Coded};
use hindsight::cut::Certainty;
use hindsight::cut::{Ended, Gap, GapReason};
use hindsight::cut::{NoFootage, plan};
use hindsight::media::Track;

use super::camera::*;

const AT: u64 = ON_MONO_NS + 30 * SECOND_NS;

fn gap_at(gaps: &[Gap], reason: GapReason) -> &Gap {
    let mut found = gaps.iter().filter(|g| g.reason == reason);
    let gap = found
        .next()
        .unwrap_or_else(|| panic!("no {reason:?} in {gaps:?}"));
    assert!(found.next().is_none(), "two of {reason:?} in {gaps:?}");
    gap
}

fn near(value: f64, right: f64) {
    assert!((value - right).abs() < 0.081, "{value} is not {right}");
}

#[test]
fn a_loss_is_a_gap_with_its_packets_and_what_follows_is_listed_as_damaged() {
    let mut ring = film(&Spec::default());
    ring.lose(|n| (660..665).contains(&n));
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    let report = &exported.finished.as_ref().unwrap().report;
    let gap = gap_at(&report.gaps, GapReason::Lost);
    assert_eq!((gap.track, gap.lost_packets), (Track::Video, 15));
    near(gap.end_sec - gap.start_sec, 0.2);
    assert_eq!(report.damaged.len(), 1);
    // From frame 665 to the next key frame, 700.
    assert_eq!(report.damaged[0].frames, 35);
    near(report.damaged[0].start_sec, gap.end_sec);
    near(played.duration as f64 / 90_000.0, 12.0);
    assert_eq!(report.ended, Ended::Complete);
}

#[test]
fn a_damaged_key_frame_is_not_where_decoding_starts() {
    let mut ring = film(&Spec::default());
    ring.edit(|n, au| au.flags.tainted |= (460..500).contains(&n) || (500..550).contains(&n));
    // The window starts with frame 500 or a little behind it: key frame 500 is tainted.
    let (plan, exported, played) = press(&ring, &window(AT, 9_900, 1_000), false);
    assert_eq!(ring.stored(plan.key_pos).number, Some(450));
    assert!(played.numbers[0] >= 500 && played.numbers[0] < 510);
    let damaged = &exported.finished.as_ref().unwrap().report.damaged;
    assert_eq!(damaged.len(), 1);
    near(damaged[0].start_sec, 0.0);
}

#[test]
fn a_frame_too_large_for_the_ring_is_a_gap_with_its_size() {
    let mut ring = film(&Spec::default());
    ring.edit(|n, au| {
        if n == 700 {
            au.flags.gap = true;
            au.flags.key = false;
            au.dropped_bytes = 5_000_000;
            au.len = 0;
        }
    });
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    assert!(!played.numbers.contains(&700) && played.numbers.contains(&701));
    let report = &exported.finished.as_ref().unwrap().report;
    let gap = gap_at(&report.gaps, GapReason::TooLarge);
    assert_eq!((gap.dropped_bytes, gap.lost_access_units), (5_000_000, 1));
    near(gap.end_sec - gap.start_sec, 0.04);
    // All that needed it, to the next key frame.
    assert_eq!(report.damaged[0].frames, 49);
}

#[test]
fn an_overtaken_exporter_names_the_hole_and_its_entries() {
    let ring = film(&Spec::default());
    let plan = plan(&ring.at(AT), &window(AT, 10_000, 2_000)).unwrap();
    let mut exporter = Exporter::new(&ring, &plan, false);
    exporter.read_until(AT - 6 * SECOND_NS);
    let overtaken = ring.forget_before(AT - 3_500_000_000);
    exporter.ring = &overtaken;
    exporter.read_until(u64::MAX);
    let exported = exporter.finish(Ended::Complete);
    let report = &exported.finished.as_ref().unwrap().report;
    let gap = gap_at(&report.gaps, GapReason::Overtaken);
    assert!(gap.lost_access_units.abs_diff(62) <= 1);
    near(gap.end_sec - gap.start_sec, 2.5);
    near(report.duration_sec, 12.0);
    assert!(!report.damaged.is_empty());
    let salvaged = salvage(&plan, &exported.facts, Ended::Complete).unwrap();
    assert_eq!(&salvaged, exported.finished.as_ref().unwrap());
}

#[test]
fn an_exporter_overtaken_before_its_first_frame_starts_at_the_next_key_frame() {
    let ring = film(&Spec::default());
    let plan = plan(&ring.at(AT), &window(AT, 10_000, 2_000)).unwrap();
    let overtaken = ring.forget_before(AT - 5 * SECOND_NS);
    let exported = export(&overtaken, &plan, Feed::AtOnce, false);
    let played = play(&ring, &exported);
    assert_eq!(played.numbers[0] % 50, 0);
    let report = &exported.finished.as_ref().unwrap().report;
    let gap = gap_at(&report.gaps, GapReason::Overtaken);
    near(gap.end_sec, 0.0);
    assert!(gap.start_sec < -4.0 && report.pre_seconds < 6.0);
}

#[test]
fn a_reconnection_keeps_the_holes_length_and_the_moments_before_and_after_it() {
    let mut ring = film(&Spec::default());
    ring.reconnect(700, 123_456_789);
    let hole_from = ring.number(675).au.arrival_mono_ns;
    ring.silence(hole_from, ring.number(700).au.arrival_mono_ns);
    let (plan, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    assert_eq!(plan.certainty, Certainty::Uncertain);
    let report = &exported.finished.as_ref().unwrap().report;
    let gap = gap_at(&report.gaps, GapReason::Reconnected);
    near(gap.end_sec - gap.start_sec, 1.0);
    assert_eq!(report.epochs, [4, 5]);
    near(report.duration_sec, 12.0);
    let expected: Vec<u32> = (played.numbers[0]..675)
        .chain(700..)
        .take(played.numbers.len())
        .collect();
    assert_eq!(played.numbers, expected);
    // 40 ms from number to number, over the seam too, to a tick.
    for (time, number) in played.times.iter().zip(&played.numbers) {
        let right = i64::from(number - played.numbers[0]) * 3600;
        assert!(
            (time - right).abs() <= 1,
            "frame {number} at {time}, not {right}"
        );
    }
}

#[test]
fn an_epoch_that_begins_after_the_press_is_placed_by_its_own_mapping() {
    let mut ring = film(&Spec::default());
    ring.reconnect(800, -55_555_555);
    let hole_from = ring.number(780).au.arrival_mono_ns;
    ring.silence(hole_from, ring.number(800).au.arrival_mono_ns);
    let (plan, exported, played) = press(&ring, &window(AT, 2_000, 6_000), false);
    assert_eq!(plan.mappings.len(), 1);
    let report = &exported.finished.as_ref().unwrap().report;
    near(gap_at(&report.gaps, GapReason::Reconnected).start_sec, 3.16);
    for (time, number) in played.times.iter().zip(&played.numbers) {
        assert!((time - i64::from(number - played.numbers[0]) * 3600).abs() <= 1);
    }
    let live = export(
        &ring,
        &plan,
        Feed::Live {
            every_ns: 20_000_000,
        },
        false,
    );
    assert!(live.finished == exported.finished);
    assert_eq!(salvage(&plan, &live.facts, Ended::Complete), live.finished);
}

#[test]
fn a_connection_that_begins_with_the_pictures_since_the_last_key_frame_fills_the_hole_once() {
    let mut ring = film(&Spec::default());
    // The camera was away from 710 to 740, then sent all since key frame 700 in one burst:
    // 700 to 709 were there before.
    let old: Vec<Stored> = ring
        .entries
        .iter()
        .filter(|s| s.number.is_some_and(|n| n < 710))
        .cloned()
        .collect();
    ring.reconnect(700, 4_000_000);
    let burst_at = ring.number(740).au.arrival_mono_ns;
    let new: Vec<Stored> = ring
        .entries
        .iter()
        .filter(|s| s.number.is_some_and(|n| n >= 700))
        .cloned()
        .map(|mut s| {
            s.au.arrival_mono_ns = s.au.arrival_mono_ns.max(burst_at);
            s
        })
        .collect();
    ring.entries = old.into_iter().chain(new).collect();
    ring.head = ring.base + ring.entries.len() as u64;
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    let expected: Vec<u32> = (played.numbers[0]..).take(played.numbers.len()).collect();
    assert_eq!(played.numbers, expected, "no number twice, none missing");
    assert!(played.smeared.is_empty());
    near(exported.finished.unwrap().report.duration_sec, 12.0);
}

#[test]
fn a_start_in_a_long_hole_shows_the_frame_before_it_from_the_start_on() {
    let mut ring = film(&Spec::default());
    let (from, to) = (
        ring.number(440).au.arrival_mono_ns,
        ring.number(600).au.arrival_mono_ns,
    );
    ring.silence(from, to);
    ring.edit(|n, au| {
        if n == 600 {
            au.lost_packets = 400
        }
    });
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    assert_eq!(&played.numbers[..2], &[439, 600]);
    let finished = exported.finished.unwrap();
    near(finished.report.duration_sec, 12.0);
    near(finished.report.pre_seconds, 10.0);
    let gap = gap_at(&finished.report.gaps, GapReason::Lost);
    near(gap.start_sec, 0.0);
    near(gap.end_sec, 4.0);
}

#[test]
fn new_parameters_are_a_second_sample_entry_with_their_sets_in_band() {
    let mut ring = film(&Spec::default());
    ring.edit(|n, au| {
        if n >= 600 {
            au.generation = CHANGED_PARAMS;
        }
    });
    let (plan, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    let expected: Vec<u32> = (played.numbers[0]..).take(played.numbers.len()).collect();
    assert_eq!(played.numbers, expected);
    let finished = exported.finished.as_ref().unwrap();
    let track = &finished.clip.tracks[0];
    assert_eq!(
        track.entries.iter().map(|e| e.width).collect::<Vec<_>>(),
        [320, 160]
    );
    let sets = hindsight::mp4::parameter_sets(&track.entries[1]).unwrap();
    let changed = track.samples.iter().position(|s| s.entry == 1).unwrap();
    let key = track.samples[changed];
    assert!(key.sync && !sets.is_empty());
    assert_eq!(
        u64::from(key.size),
        u64::from(ring.number(600).au.len) + sets.len() as u64
    );
    let before = track.samples[changed - 1];
    assert_eq!(before.offset + u64::from(before.size), key.offset);
    assert!(track.samples[changed..].iter().all(|s| s.entry == 1));
    assert!(finished.report.gaps.is_empty());
    assert_eq!(
        (finished.report.width, finished.report.ended),
        (320, Ended::Complete)
    );
    assert!(
        finished.report.notes[0].text.contains("320x240, 160x240"),
        "{:?}",
        finished.report.notes
    );
    assert_eq!(
        &salvage(&plan, &exported.facts, Ended::Complete).unwrap(),
        finished
    );
}

#[test]
fn pictures_whose_new_parameters_were_lost_are_left_out_until_a_key_frame_brings_them() {
    let mut ring = film(&Spec::default());
    ring.edit(|n, au| {
        if n >= 600 {
            au.generation = CHANGED_PARAMS;
        }
    });
    ring.lose(|n| n == 600);
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    assert!(played.numbers.contains(&599) && played.numbers.contains(&650));
    assert!(!played.numbers.iter().any(|n| (600..650).contains(n)));
    let finished = exported.finished.unwrap();
    near(
        finished.report.gaps[0].end_sec - finished.report.gaps[0].start_sec,
        2.0,
    );
    let after = finished.clip.tracks[0]
        .samples
        .iter()
        .find(|s| s.entry == 1)
        .unwrap();
    assert!(after.sync && after.size > ring.number(650).au.len);
}

#[test]
fn another_codec_before_the_press_leave_the_presss_side() {
    let mut ring = film(&Spec::default());
    ring.edit(|n, au| {
        if n < 600 {
            au.generation = OTHER_CODEC
        }
    });
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    assert_eq!(played.numbers[0], 600);
    let finished = exported.finished.unwrap();
    assert_eq!(finished.report.width, 320);
    assert_eq!(finished.clip.tracks[0].entries.len(), 1);
    let gap = gap_at(&finished.report.gaps, GapReason::ParametersChanged);
    near(gap.start_sec, -4.0);
    near(gap.end_sec, 0.0);
    near(finished.report.pre_seconds, 6.0);
    assert_eq!(finished.report.ended, Ended::Complete);
}

#[test]
fn another_codec_after_the_press_end_the_clip_and_say_so() {
    let mut ring = film(&Spec {
        audio: true,
        ..Spec::default()
    });
    ring.edit(|n, au| {
        if n >= 800 {
            au.generation = OTHER_CODEC
        }
    });
    let (_, exported, played) = press(&ring, &window(AT, 4_000, 6_000), false);
    assert_eq!(*played.numbers.last().unwrap(), 799);
    let finished = exported.finished.unwrap();
    assert_eq!(finished.report.ended, Ended::ParametersChanged);
    near(finished.report.post_seconds, 2.0);
    near(
        gap_at(&finished.report.gaps, GapReason::ParametersChanged).end_sec,
        10.0,
    );
    let sound = &finished.clip.tracks[1];
    near(
        sound.end as f64 / f64::from(AUDIO_RATE),
        finished.report.duration_sec,
    );
}

#[test]
fn a_change_of_codec_and_back_is_a_hole_of_its_length() {
    let mut ring = film(&Spec::default());
    ring.edit(|n, au| {
        if (600..650).contains(&n) {
            au.generation = OTHER_CODEC
        }
    });
    let (_, exported, played) = press(&ring, &window(AT, 10_000, 2_000), false);
    assert!(!played.numbers.contains(&620) && played.numbers.contains(&650));
    assert!(played.smeared.is_empty());
    let report = exported.finished.unwrap().report;
    let gap = gap_at(&report.gaps, GapReason::ParametersChanged);
    near(gap.end_sec - gap.start_sec, 2.0);
    near(report.duration_sec, 12.0);
}

#[test]
fn a_camera_that_dies_after_the_press_gives_a_shorter_clip_that_says_so() {
    let mut ring = film(&Spec::default());
    ring.silence(AT + SECOND_NS, u64::MAX);
    let (plan, _, _) = press(&ring, &window(AT, 4_000, 6_000), false);
    let live = export(
        &ring,
        &plan,
        Feed::Live {
            every_ns: 20_000_000,
        },
        false,
    );
    let report = live.finished.unwrap().report;
    assert_eq!(report.ended, Ended::Camera);
    near(report.post_seconds, 1.0);
    near(gap_at(&report.gaps, GapReason::Silent).end_sec, 10.0);
    assert_eq!(report.end_of_window_mono_ns, None);
    assert!(
        report
            .notes
            .iter()
            .any(|n| n.text.contains("ends 5.0 s early")),
        "{:?}",
        report.notes
    );
}

#[test]
fn a_stale_camera_is_taken_with_what_it_has_and_followed_if_it_returns_in_time() {
    let mut ring = film(&Spec::default());
    ring.silence(AT - 5 * SECOND_NS, AT + 2 * SECOND_NS);
    let (plan, exported, played) = press(&ring, &window(AT, 10_000, 6_000), false);
    assert_eq!(plan.certainty, Certainty::Extrapolated);
    assert!(plan.stale_ms.unwrap().abs_diff(5000) < 100);
    let report = &exported.finished.as_ref().unwrap().report;
    near(report.duration_sec, 16.0);
    let gap = gap_at(&report.gaps, GapReason::Silent);
    near(gap.end_sec - gap.start_sec, 7.0);
    assert!(
        report
            .notes
            .iter()
            .any(|n| n.text.contains("sent nothing for")),
        "{:?}",
        report.notes
    );
    for (time, number) in played.times.iter().zip(&played.numbers) {
        assert!((time - i64::from(number - played.numbers[0]) * 3600).abs() <= 1);
    }
}

#[test]
fn a_camera_whose_ring_holds_no_frame_of_the_window_is_refused_and_says_why() {
    let mut ring = film(&Spec::default());
    ring.silence(AT - 20 * SECOND_NS, u64::MAX);
    let refused = plan(&ring.at(AT), &window(AT, 10_000, 2_000)).unwrap_err();
    assert!(
        matches!(refused.args()["older_ms"], Arg::Number(ms) if (ms - 10_000).abs() < 200),
        "{refused}"
    );
    ring.silence(0, u64::MAX);
    assert_eq!(
        plan(&ring, &window(AT, 10_000, 2_000)),
        Err(NoFootage::Empty {})
    );
}

#[test]
fn a_press_before_anything_arrived_is_mapped_by_what_came_first() {
    let ring = film(&Spec::default());
    let early = ON_MONO_NS - SECOND_NS;
    let plan = plan(&ring, &window(early, 1_000, 4_000)).unwrap();
    assert_eq!(plan.certainty, Certainty::Extrapolated);
    let exported = export(&ring, &plan, Feed::AtOnce, false);
    let played = play(&ring, &exported);
    assert_eq!(played.numbers[0], 0);
    let report = &exported.finished.unwrap().report;
    near(report.duration_sec, 3.0);
    assert_eq!(report.pre_seconds, 0.0);
    near(gap_at(&report.gaps, GapReason::NotHeld).start_sec, -2.0);
}
