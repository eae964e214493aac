//! When a track is complete, how long anybody waits, and what damage does.

use hindsight::cut::Certainty;
use hindsight::cut::plan;
use hindsight::cut::{Cut, Ended, GapReason, Offer};
use hindsight::media::{Alignment, AuFlags, AuMeta, Track};
use proptest::prelude::*;

use super::camera::*;

const AT: u64 = ON_MONO_NS + 30 * SECOND_NS;
const MS: u64 = 1_000_000;

#[test]
fn a_ring_that_holds_less_than_pre_gives_the_shorter_clip_and_says_so() {
    let ring = film(&Spec::default());
    let held = ring.forget_before(AT - 5 * SECOND_NS);
    let window = window(AT, 20_000, 2_000);
    let plan = plan(&held.at(AT), &window).unwrap();
    let exported = export(&held, &plan, Feed::AtOnce, false);
    let played = play(&ring, &exported);
    assert_eq!(
        played.numbers[0] % 50,
        0,
        "starts at the first key frame held"
    );
    let report = exported.finished.unwrap().report;
    assert!(report.pre_seconds <= 5.0 && report.pre_seconds > 3.0);
    assert!((report.post_seconds - 2.0).abs() < 0.001);
    assert_eq!(report.gaps[0].reason, GapReason::NotHeld);
    assert_eq!(report.gaps[0].end_sec, 0.0);
    assert!((plan.short_90k as f64 / 90_000.0 + report.pre_seconds - 20.0).abs() < 0.001);
    assert!(
        report.notes[0].text.contains("begins"),
        "{:?}",
        report.notes
    );
}

#[test]
fn a_clip_with_times_that_were_made_even_says_so() {
    let mut ring = film(&Spec::default());
    ring.edit(|number, au| {
        // The camera said a time before the last picture's. The last stands outside of the clip.
        if [740, 741, 1_400].contains(&number) {
            au.pts -= 5_490;
        }
    });
    let plan = plan(&ring.at(AT), &window(AT, 4_000, 2_000)).unwrap();
    let exported = export(&ring, &plan, Feed::AtOnce, false);
    play(&ring, &exported);
    let notes = exported.finished.unwrap().report.notes;
    let mended = notes.iter().find(|n| n.code == "clip_times_mended");
    let text = mended.map(|note| note.text.as_str());
    assert!(
        text.unwrap().contains("times that were made even: 2"),
        "{notes:?}"
    );
}

#[test]
fn two_seconds_of_pictures_make_a_mapping_certain() {
    let ring = film(&Spec::default());
    for (held_ms, certainty) in [(1_800, Certainty::Uncertain), (2_300, Certainty::Certain)] {
        let held = ring.forget_before(AT - held_ms * MS);
        let plan = plan(&held.at(AT), &window(AT, 20_000, 2_000)).unwrap();
        assert_eq!(plan.certainty, certainty);
    }
}

#[test]
fn only_the_thirty_seconds_before_the_press_say_how_late_pictures_come() {
    let steady = film(&Spec {
        frames: 25 * 60,
        ..Spec::default()
    });
    // In its first four seconds the camera was 200 ms quicker.
    let mut quicker = steady.clone();
    quicker.edit(|number, au| {
        if number < 100 {
            au.arrival_mono_ns -= 200 * MS;
        }
    });
    let pressed = |ring: &Ring, after_s: u64| {
        let at = ON_MONO_NS + after_s * SECOND_NS;
        plan(&ring.at(at), &window(at, 4_000, 2_000))
            .unwrap()
            .press_90k
    };
    assert_eq!(pressed(&quicker, 33), pressed(&steady, 33) + 18_000);
    assert_eq!(pressed(&quicker, 35), pressed(&steady, 35));
}

#[test]
fn without_b_frames_the_first_frame_behind_the_end_completes_the_clip() {
    let ring = film(&Spec::default());
    let plan = plan(&ring.at(AT), &window(AT, 4_000, 2_000)).unwrap();
    let exported = export(&ring, &plan, Feed::AtOnce, false);
    let played = play(&ring, &exported);
    let next = played.numbers.last().unwrap() + 1;
    let report = exported.finished.unwrap().report;
    assert_eq!(
        report.end_of_window_mono_ns,
        Some(ring.number(next).au.arrival_mono_ns)
    );
}

#[test]
fn with_b_frames_a_frame_behind_the_end_does_not_complete_it_before_those_in_front_were_sent() {
    let ring = film(&Spec {
        b_frames: 2,
        gop: 60,
        ..Spec::default()
    });
    for shift_ms in 0..120 {
        let at = AT + shift_ms * 3 * MS;
        let plan = plan(&ring.at(at), &window(at, 4_000, 2_000)).unwrap();
        let exported = export(&ring, &plan, Feed::AtOnce, false);
        let played = play(&ring, &exported);
        let expected: Vec<u32> = (played.numbers[0]..).take(played.numbers.len()).collect();
        assert_eq!(played.numbers, expected);
        let last = ring.number(*played.numbers.last().unwrap()).au;
        assert!(last.pts + 3600 >= plan.end_90k);
        // Nothing that no shown frame needs is listed.
        let samples = &exported.finished.as_ref().unwrap().clip.tracks[0];
        assert!(samples.samples.last().unwrap().pts < samples.end);
    }
}

#[test]
fn a_track_that_stays_away_is_given_up_300_ms_after_the_other_was_complete() {
    let mut ring = film(&Spec {
        audio: true,
        ..Spec::default()
    });
    let plan = plan(&ring.at(AT), &window(AT, 4_000, 2_000)).unwrap();
    ring.entries
        .retain(|s| s.au.track == Track::Video || s.au.arrival_mono_ns < AT + SECOND_NS);
    ring.head = ring.base + ring.entries.len() as u64;
    let mut exporter = Exporter::new(&ring, &plan, false);
    let end = AT + 2 * SECOND_NS;
    exporter.read_until(end - 40 * MS);
    assert!(!exporter.cut.complete(end));
    exporter.read_until(end + 80 * MS);
    let given_up = exporter.cut.deadline_mono_ns();
    // 300 ms after the frame that completed the picture, and the distance of two frames.
    assert!(
        (end + 300 * MS..=end + 420 * MS).contains(&given_up),
        "{}",
        given_up - end
    );
    assert!(!exporter.cut.complete(given_up));
    assert!(exporter.cut.complete(given_up + 1));
    let finished = exporter.finish(Ended::Complete).finished.unwrap();
    assert_eq!(finished.report.ended, Ended::Complete);
    let gap = finished
        .report
        .gaps
        .iter()
        .find(|g| g.track == Track::Audio)
        .unwrap();
    assert!((gap.end_sec - gap.start_sec - 1.0).abs() < 0.1, "{gap:?}");
}

#[test]
fn nobody_waits_longer_than_3_s_behind_the_mapped_end() {
    let mut ring = film(&Spec::default());
    ring.silence(AT + SECOND_NS, AT + 8 * SECOND_NS);
    let plan = plan(&ring.at(AT), &window(AT, 4_000, 2_000)).unwrap();
    let cut = Cut::new(&plan);
    let end = AT + 2 * SECOND_NS;
    assert_eq!(cut.wake_hint_mono_ns(), end);
    assert!(!cut.complete(end + 3 * SECOND_NS));
    assert!(cut.complete(end + 3 * SECOND_NS + 1));
    // Read long after, a frame that came too late ends it just the same.
    let late = export(&ring, &plan, Feed::AtOnce, false);
    let live = export(&ring, &plan, Feed::Live { every_ns: 20 * MS }, false);
    assert!(late.finished == live.finished);
    assert_eq!(late.finished.unwrap().report.ended, Ended::Camera);
}

#[test]
fn stopped_in_the_middle_the_clip_ends_where_its_pictures_do() {
    let ring = film(&Spec {
        b_frames: 3,
        gop: 60,
        audio: true,
        ..Spec::default()
    });
    let plan = plan(&ring.at(AT), &window(AT, 4_000, 6_000)).unwrap();
    for ms in 0..60 {
        let mut exporter = Exporter::new(&ring, &plan, false);
        exporter.read_until(AT + SECOND_NS + ms * 7 * MS);
        let exported = exporter.finish(Ended::Stopped);
        let played = play(&ring, &exported);
        let expected: Vec<u32> = (played.numbers[0]..).take(played.numbers.len()).collect();
        assert_eq!(played.numbers, expected, "no hole before the last frames");
        assert!(played.smeared.is_empty());
        let report = exported.finished.unwrap().report;
        assert_eq!(report.ended, Ended::Stopped);
        assert!(report.post_seconds > 0.7 && report.post_seconds < 1.6);
        assert!(
            report.gaps.iter().all(|g| g.track == Track::Audio),
            "{:?}",
            report.gaps
        );
    }
}

#[test]
fn an_au_whose_parameters_are_unknown_is_left() {
    let ring = film(&Spec::default());
    let plan = plan(&ring.at(AT), &window(AT, 4_000, 2_000)).unwrap();
    let mut cut = Cut::new(&plan);
    let au = ring.stored(plan.key_pos).au;
    assert!(cut.needs_params(au.generation));
    assert_eq!(cut.offer(plan.key_pos, &au, 0), Offer::Leave);
    assert!(cut.finish(Ended::Complete).is_err());
}

fn any_au() -> impl Strategy<Value = AuMeta> {
    let time = || {
        prop_oneof![
            any::<i64>(),
            Just(i64::MIN),
            Just(i64::MAX),
            -1_000_000i64..100_000_000,
        ]
    };
    let arrival = prop_oneof![any::<u64>(), ON_MONO_NS..ON_MONO_NS + 60 * SECOND_NS];
    (
        any::<[bool; 6]>(),
        0u32..4,
        0u32..6,
        time(),
        time(),
        arrival,
        any::<[u32; 2]>(),
    )
        .prop_map(
            |(
                [video, key, open_gop, rasl, tainted, gap],
                generation,
                epoch,
                pts,
                pts_90k,
                arrival,
                [lost, len],
            )| AuMeta {
                track: if video { Track::Video } else { Track::Audio },
                flags: AuFlags {
                    key,
                    open_gop,
                    rasl,
                    tainted,
                    gap,
                },
                generation,
                epoch,
                pts,
                pts_90k,
                alignment: Alignment::Arrival,
                arrival_mono_ns: arrival,
                lost_packets: lost,
                dropped_bytes: lost,
                len,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scribbled_index_gives_an_error_or_a_clip_and_never_a_crash(
        aus in proptest::collection::vec(any_au(), 1..40),
        pre_ms in prop_oneof![any::<u64>(), 0u64..20_000], post_ms in prop_oneof![any::<u64>(), 0u64..20_000],
        latency_ms in prop_oneof![any::<u64>(), 0u64..500],
    ) {
        let entries: Vec<Stored> = aus.into_iter().map(|au| Stored { au, number: None }).collect();
        let head = u64::try_from(entries.len()).unwrap();
        let ring = Ring { entries, made: vec![], base: 0, oldest: 0, head };
        let mut window = window(AT, pre_ms, post_ms);
        window.latency_ms = latency_ms;
        if let Ok(plan) = plan(&ring, &window) {
            let mut exporter = Exporter::new(&ring, &plan, false);
            exporter.params.retain(|p| p.0 != AUDIO_PARAMS);
            exporter.params.push((0, exporter.params[0].1.clone()));
            exporter.params.push((AUDIO_PARAMS, exporter.params[0].1.clone()));
            exporter.read_until(u64::MAX);
            let exported = exporter.finish(Ended::Complete);
            prop_assert_eq!(salvage(&plan, &exported.facts, Ended::Complete).is_ok(), exported.finished.is_ok());
        }
    }
}
