//! Sound: where it starts, one alignment, its own holes.

use hindsight::cut::{FinishedCut, GapReason};
use hindsight::media::{Alignment, Codec, Track};

use super::camera::*;

const AT: u64 = ON_MONO_NS + 30 * SECOND_NS;

fn with_sound() -> Ring {
    film(&Spec {
        audio: true,
        ..Spec::default()
    })
}

fn sound_of(finished: &FinishedCut) -> &hindsight::mp4::ClipTrack {
    &finished.clip.tracks[1]
}

#[test]
fn sound_starts_one_frame_before_the_one_that_contains_the_start() {
    let ring = with_sound();
    for ms in 0..40 {
        let (_, exported, _) = press(&ring, &window(AT + ms * 1_000_000, 4_000, 2_000), false);
        let finished = exported.finished.unwrap();
        let sound = sound_of(&finished);
        assert!(sound.samples[0].pts <= -1024 && sound.samples[0].pts > -2048);
        assert!(sound.samples[1].pts <= 0 && sound.samples[2].pts > 0);
        assert!(
            sound
                .samples
                .windows(2)
                .all(|p| p[1].pts - p[0].pts == 1024)
        );
        let last = sound.samples.last().unwrap().pts;
        assert!(last < sound.end && last + 1024 >= sound.end);
        assert_eq!(finished.report.audio_codec, Some(Codec::Aac));
    }
}

#[test]
fn picture_and_sound_of_the_same_moment_stay_together_to_a_tick() {
    let ring = with_sound();
    let (_, exported, played) = press(&ring, &window(AT, 4_000, 2_000), false);
    let finished = exported.finished.as_ref().unwrap();
    let first = sound_of(finished).samples[0];
    let pos = exported
        .placed
        .iter()
        .find(|p| p.0 == first.offset)
        .unwrap()
        .1;
    let true_distance = ring.stored(pos).au.pts_90k - ring.number(played.numbers[0]).au.pts;
    let played_distance = first.pts * 90_000 / i64::from(AUDIO_RATE);
    assert!(
        (true_distance - played_distance).abs() <= 2,
        "{true_distance} {played_distance}"
    );
}

#[test]
fn one_alignment_holds_for_all_of_a_clip_the_best_one_seen() {
    let mut ring = with_sound();
    // Until a second after the press the camera sent no sender report, and arrivals were 100 ms off.
    for stored in &mut ring.entries {
        if stored.au.track == Track::Audio && stored.au.arrival_mono_ns < AT + SECOND_NS {
            stored.au.alignment = Alignment::Arrival;
            stored.au.pts_90k += 9_000;
        }
    }
    let (_, exported, played) = press(&ring, &window(AT, 4_000, 4_000), false);
    let finished = exported.finished.as_ref().unwrap();
    assert_eq!(finished.report.alignment, Some(Alignment::SenderReport));
    let sound = sound_of(finished);
    assert!(
        sound
            .samples
            .windows(2)
            .all(|p| p[1].pts - p[0].pts == 1024),
        "no jump"
    );
    let first = sound.samples[0];
    let pos = exported
        .placed
        .iter()
        .find(|p| p.0 == first.offset)
        .unwrap()
        .1;
    let true_distance = ring.stored(pos).au.pts_90k - 9_000 - ring.number(played.numbers[0]).au.pts;
    assert!((true_distance - first.pts * 90_000 / i64::from(AUDIO_RATE)).abs() <= 2);
    assert!(sound.samples[0].pts <= -1024 && sound.samples[1].pts <= 0);
}

#[test]
fn a_hole_in_the_sound_keeps_its_length_and_is_listed() {
    let mut ring = with_sound();
    ring.entries.retain(|s| {
        s.au.track == Track::Video || !(AT - SECOND_NS..AT).contains(&s.au.arrival_mono_ns)
    });
    ring.head = ring.base + ring.entries.len() as u64;
    let (_, exported, _) = press(&ring, &window(AT, 4_000, 2_000), false);
    let finished = exported.finished.unwrap();
    let gap = &finished.report.gaps[0];
    assert_eq!(
        (gap.track, gap.reason, finished.report.gaps.len()),
        (Track::Audio, GapReason::Silent, 1)
    );
    assert!((gap.end_sec - gap.start_sec - 1.0).abs() < 0.05);
    let widest = sound_of(&finished)
        .samples
        .windows(2)
        .map(|p| p[1].pts - p[0].pts)
        .max()
        .unwrap();
    assert!(widest > 47_000);
}

#[test]
fn sound_over_a_reconnection_is_placed_with_its_picture() {
    let mut ring = with_sound();
    ring.reconnect(700, 98_765_432);
    ring.silence(
        ring.number(675).au.arrival_mono_ns,
        ring.number(700).au.arrival_mono_ns,
    );
    let (_, exported, _) = press(&ring, &window(AT, 10_000, 2_000), false);
    let finished = exported.finished.unwrap();
    let sound = sound_of(&finished);
    let steps: Vec<i64> = sound
        .samples
        .windows(2)
        .map(|p| p[1].pts - p[0].pts)
        .collect();
    assert!(steps.iter().all(|s| *s > 0));
    let wide: Vec<&i64> = steps.iter().filter(|s| **s > 1100).collect();
    assert_eq!(wide.len(), 1, "{wide:?}");
    assert!((*wide[0] as f64 / f64::from(AUDIO_RATE) - 1.0).abs() < 0.06);
    let gap = finished
        .report
        .gaps
        .iter()
        .find(|g| g.track == Track::Audio)
        .unwrap();
    assert_eq!(gap.reason, GapReason::Reconnected);
    assert!(finished.report.end_of_window_mono_ns.is_some());
}

#[test]
fn a_camera_without_sound_gives_a_clip_of_one_track() {
    let ring = film(&Spec::default());
    let (_, exported, _) = press(&ring, &window(AT, 4_000, 2_000), false);
    let finished = exported.finished.unwrap();
    assert_eq!(finished.clip.tracks.len(), 1);
    assert_eq!(
        (finished.report.audio_codec, finished.report.alignment),
        (None, None)
    );
}
