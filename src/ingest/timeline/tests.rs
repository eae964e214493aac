//! Cameras, their clocks and their networks, as numbers.
#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const S: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
const FRAME: i64 = 3_600;
const AAC: i64 = 1_024;
const RATE: u32 = 48_000;

/// Arrival of something presented `ms` after the start of a camera that began at 100 s.
fn at_ms(ms: u64) -> u64 {
    100 * S + ms * MS
}

/// A steady 25 fps camera: feeds `frames` frames from `first`, all on time.
fn feed(line: &mut Timeline, base: i64, first: u64, frames: u64) -> Vec<MediaPlace> {
    (first..first + frames)
        .map(|i| line.video(base + FRAME * i64::try_from(i).unwrap(), at_ms(40 * i)))
        .collect()
}

fn epochs(places: &[MediaPlace]) -> usize {
    places.iter().filter(|p| p.new_epoch).count()
}

#[test]
fn a_connection_is_one_epoch_and_video_is_where_its_timestamps_say() {
    let mut line = Timeline::new(None);
    let places = feed(&mut line, 777, 0, 1_000);
    assert!(places[0].new_epoch);
    assert_eq!(epochs(&places), 1);
    assert_eq!(places[10].pts_90k, 777 + 10 * FRAME);
}

#[test]
fn timestamps_beyond_32_bits_are_no_step() {
    let mut line = Timeline::new(None);
    let places = feed(&mut line, (1 << 32) - 50 * FRAME, 0, 100);
    assert_eq!(epochs(&places), 1);
}

#[test]
fn a_leap_of_more_than_a_second_starts_an_epoch_and_a_smaller_one_does_not() {
    for (leap_ms, starts) in [(900, false), (1_100, true), (3_600_000, true)] {
        let mut line = Timeline::new(None);
        feed(&mut line, 0, 0, 50);
        let place = line.video(50 * FRAME + leap_ms * 90, at_ms(50 * 40));
        assert_eq!(place.new_epoch, starts, "{leap_ms}");
        let after = feed(&mut line, leap_ms * 90, 51, 50);
        assert_eq!(epochs(&after), 0, "{leap_ms}");
    }
}

#[test]
fn a_clock_set_back_starts_an_epoch() {
    for back_ms in [700, 2_000, 6_000, 1_000_000] {
        let mut line = Timeline::new(None);
        feed(&mut line, 0, 0, 50);
        let place = line.video(50 * FRAME - back_ms * 90, at_ms(50 * 40));
        assert!(place.new_epoch, "{back_ms}");
        assert_eq!(epochs(&feed(&mut line, -back_ms * 90, 51, 50)), 0);
    }
}

#[test]
fn a_codec_that_reorders_nothing_shows_a_clock_set_back_by_two_frames() {
    let mut line = Timeline::new(None);
    line.set_reorder(1);
    feed(&mut line, 0, 0, 50);
    assert!(line.video(47 * FRAME, at_ms(50 * 40)).new_epoch);
}

/// Which pictures of 200, that arrive on time, have other times than the camera said; `off`: how far off
/// the times are from picture 100 on.
fn mended(off: impl IntoIterator<Item = i64>) -> (Vec<usize>, Timeline) {
    let mut line = Timeline::new(None);
    line.set_reorder(0);
    feed(&mut line, 0, 0, 100);
    let floor = line.video.envelope.floor();
    let mut off = off.into_iter();
    let (mut last, mut mended) = (99 * FRAME, Vec::new());
    for i in 100..200u64 {
        let pts = FRAME * i64::try_from(i).unwrap() + off.next().unwrap_or(0);
        let place = line.video(pts, at_ms(40 * i));
        assert!(!place.new_epoch && place.pts_90k > last, "{i}");
        assert_eq!(place.mended, place.pts_90k != pts, "{i}");
        if place.mended {
            mended.push(usize::try_from(i).unwrap());
        }
        last = place.pts_90k;
    }
    // The mapping of a press did not move.
    assert_eq!(line.video.envelope.floor(), floor);
    (mended, line)
}

#[test]
fn a_step_back_where_nothing_is_reordered_is_mended_and_moves_no_mapping() {
    assert_eq!(mended([]).0, Vec::<usize>::new());
    assert_eq!(mended([-5_490]).0, [100]);
    assert_eq!(mended([-FRAME]).0, [100]);
    assert_eq!(mended([-5_490; 25]).0, [100, 101, 102, 103, 104, 105]);
    // Back for good, by as much as is no new clock.
    let (all, _) = mended(std::iter::repeat(-22_000));
    assert_eq!((all.first(), all.len()), (Some(&100), 24));
}

#[test]
fn a_picture_stamped_early_is_believed_and_those_behind_it_follow() {
    // Two have each other's time: the first looks less delayed than any picture was, the law allows that.
    let mut line = Timeline::new(None);
    line.set_reorder(0);
    feed(&mut line, 0, 0, 100);
    for (i, said, mended) in [(100, 101, false), (101, 100, true), (102, 102, true)] {
        let place = line.video(said * FRAME, at_ms(40 * i));
        assert_eq!((place.mended, place.new_epoch), (mended, false), "{i}");
    }
    let after = feed(&mut line, 0, 103, 20);
    assert!(after[5..].iter().all(|place| !place.mended));
}

#[test]
fn where_nothing_is_reordered_a_clock_set_back_by_more_starts_an_epoch_with_its_own_times() {
    let mut line = Timeline::new(None);
    line.set_reorder(0);
    feed(&mut line, 0, 0, 50);
    let place = line.video(50 * FRAME - 30_000, at_ms(50 * 40));
    assert_eq!(
        (place.new_epoch, place.mended, place.pts_90k),
        (true, false, 50 * FRAME - 30_000)
    );
    let after = feed(&mut line, -30_000, 51, 50);
    assert!(after.iter().all(|place| !place.new_epoch && !place.mended));
}

#[test]
fn a_stream_that_may_reorder_keeps_its_times_whatever_they_are() {
    let mut line = Timeline::new(None);
    line.set_reorder(2);
    feed(&mut line, 0, 0, 50);
    let place = line.video(48 * FRAME + 7, at_ms(50 * 40));
    assert_eq!((place.pts_90k, place.mended), (48 * FRAME + 7, false));
}

#[test]
fn b_frames_are_no_step() {
    // I P B B P B B …: presented 0 3 1 2 6 4 5.
    let mut line = Timeline::new(None);
    line.set_reorder(2);
    let places: Vec<MediaPlace> = (0..300i64)
        .map(|i| {
            let shown = match i % 3 {
                0 => i,
                1 => i + 2,
                _ => i - 1,
            };
            line.video(
                shown * FRAME + (i % 2),
                at_ms(40 * u64::try_from(i).unwrap()),
            )
        })
        .collect();
    assert_eq!(epochs(&places), 1);
}

#[test]
fn a_network_that_stood_still_and_a_burst_after_it_are_no_step() {
    let mut line = Timeline::new(None);
    feed(&mut line, 0, 0, 50);
    // Four seconds late, all at once, then on time again.
    let late: Vec<MediaPlace> = (50..150)
        .map(|i| line.video(FRAME * i, at_ms(150 * 40)))
        .collect();
    assert_eq!(epochs(&late), 0);
    assert_eq!(epochs(&feed(&mut line, 0, 151, 50)), 0);
}

#[test]
fn a_camera_clock_that_runs_fast_for_hours_is_no_step() {
    // 200 ppm fast, one frame a second, six hours: 4.3 s ahead in the end.
    let mut line = Timeline::new(None);
    let places: Vec<MediaPlace> = (0..6 * 3_600)
        .map(|s: u64| line.video(i64::try_from(s * 90_018).unwrap(), at_ms(1_000 * s)))
        .collect();
    assert_eq!(epochs(&places), 1);
}

#[test]
fn a_camera_that_opens_with_a_burst_of_the_past_is_one_epoch() {
    let mut line = Timeline::new(None);
    let burst: Vec<MediaPlace> = (0..250).map(|i| line.video(FRAME * i, at_ms(0))).collect();
    assert_eq!(epochs(&burst), 1);
    let live: Vec<MediaPlace> = (250..300)
        .map(|i| line.video(FRAME * i, at_ms(40 * (u64::try_from(i).unwrap() - 249))))
        .collect();
    assert_eq!(epochs(&live), 0);
}

/// NTP of an instant `ms` after the camera's start, on a clock far from ours.
fn ntp(ms: u64) -> u64 {
    (3_900_000_000u64 << 32) + ((ms << 32) / 1_000)
}

fn with_audio() -> Timeline {
    let mut line = Timeline::new(Some(RATE));
    feed(&mut line, 0, 0, 25);
    line
}

#[test]
fn audio_before_any_video_has_no_place() {
    let mut line = Timeline::new(Some(RATE));
    assert_eq!(line.audio(0, at_ms(0)), None);
    line.video(0, at_ms(10));
    assert!(line.audio(AAC, at_ms(21)).is_some());
}

#[test]
fn without_reports_audio_is_placed_by_its_arrival() {
    let mut line = with_audio();
    // Captured at 1000 ms, its timestamps start somewhere else, it came 5 ms late.
    let place = line.audio(5_000_000, at_ms(1_005)).unwrap();
    assert_eq!(place.alignment, Alignment::Arrival);
    assert_eq!(place.pts_90k, 1_005 * 90);
    // The next came at once: the envelope now says better.
    let place = line.audio(5_000_000 + AAC, at_ms(1_021)).unwrap();
    assert!((place.pts_90k - (1_021 * 90)).abs() <= 1, "{place:?}");
}

#[test]
fn rtp_info_is_believed_when_it_is_near_the_arrivals_and_only_then() {
    let mut line = with_audio();
    line.rtp_info(0, 4_000_000);
    let place = line.audio(4_000_000 + 48_000, at_ms(1_300)).unwrap();
    assert_eq!(
        (place.pts_90k, place.alignment),
        (90_000, Alignment::RtpInfo)
    );
    let mut line = with_audio();
    line.rtp_info(0, 4_000_000 - 96_000);
    let place = line.audio(4_000_000 + 48_000, at_ms(1_000)).unwrap();
    assert_eq!(place.alignment, Alignment::Arrival);
}

#[test]
fn sender_reports_of_both_tracks_place_audio_to_the_tick() {
    let mut line = with_audio();
    line.rtp_info(0, 0);
    line.report(Track::Video, 45_000, ntp(500));
    assert!(!line.reported(true));
    // Audio tick 7_000_000 was captured at 700 ms; it comes 300 ms late.
    line.report(Track::Audio, 7_000_000, ntp(700));
    assert!(line.reported(true));
    let place = line.audio(7_000_000 + 480, at_ms(1_010)).unwrap();
    assert_eq!(place.alignment, Alignment::SenderReport);
    assert!((place.pts_90k - 710 * 90).abs() <= 1, "{place:?}");
}

#[test]
fn sender_reports_far_off_the_arrivals_are_not_believed() {
    let mut line = with_audio();
    line.report(Track::Video, 45_000, ntp(500));
    line.report(Track::Audio, 7_000_000, ntp(60_000));
    let place = line.audio(7_000_000, at_ms(700)).unwrap();
    assert_eq!(place.alignment, Alignment::Arrival);
}

#[test]
fn a_camera_whose_wall_clock_is_set_keeps_its_sound_in_place() {
    let mut line = with_audio();
    line.report(Track::Video, 0, ntp(0));
    line.report(Track::Audio, 0, ntp(0));
    // One hour forward: first one track says so, then the other.
    line.report(Track::Video, 90_000, ntp(3_601_000));
    let between = line.audio(48_000, at_ms(1_000)).unwrap();
    line.report(Track::Audio, 48_000, ntp(3_601_000));
    let after = line.audio(48_000 + AAC, at_ms(1_021)).unwrap();
    assert_eq!(between.alignment, Alignment::SenderReport);
    assert_eq!(between.pts_90k, 90_000);
    assert_eq!(after.alignment, Alignment::SenderReport);
    assert_eq!(after.pts_90k, 90_000 + AAC * 90_000 / 48_000);
}

#[test]
fn audio_whose_clock_is_set_starts_an_epoch_and_is_placed_again() {
    let mut line = with_audio();
    line.report(Track::Video, 0, ntp(0));
    line.report(Track::Audio, 0, ntp(0));
    assert!(!line.audio(48_000, at_ms(1_000)).unwrap().new_epoch);
    let place = line.audio(9_000_000, at_ms(1_021)).unwrap();
    assert!(place.new_epoch);
    assert_eq!(place.alignment, Alignment::Arrival);
    assert_eq!(place.pts_90k, 1_021 * 90);
    // Muted for a while is not set: arrival and timestamp leap together.
    let place = line.audio(9_000_000 + 96_000, at_ms(3_021)).unwrap();
    assert!(!place.new_epoch);
}

#[test]
fn audio_whose_clock_is_set_again_and_again_is_left_out() {
    for (apart_ms, usable) in [(1_000, false), (30_000, true)] {
        let mut line = with_audio();
        let mut epochs = 0;
        for i in 1..=20u64 {
            let at = at_ms(1_000 + i * apart_ms);
            // The picture runs on; the sound leaps by an hour each time.
            line.video(i64::try_from((1_000 + i * apart_ms) * 90).unwrap(), at);
            let sound = line.audio(i64::try_from(i * 48_000 * 3_600).unwrap(), at);
            epochs += u32::from(sound.is_some_and(|place| place.new_epoch));
        }
        assert_eq!(line.audio_unusable(), !usable, "{apart_ms}");
        assert_eq!(epochs, if usable { 19 } else { 3 }, "{apart_ms}");
    }
}

#[test]
fn after_a_video_step_old_reports_do_not_place_audio() {
    let mut line = with_audio();
    line.report(Track::Video, 0, ntp(0));
    line.report(Track::Audio, 0, ntp(0));
    assert!(line.video(10_000_000, at_ms(1_000)).new_epoch);
    let place = line.audio(48_000, at_ms(1_000)).unwrap();
    assert_eq!(place.alignment, Alignment::Arrival);
    assert_eq!(place.pts_90k, 10_000_000);
}

proptest! {
    #[test]
    fn jitter_and_reordering_never_start_an_epoch(
        seed: u64, jitter_ms in 0u64..900, depth in 1usize..5, base in -1i64 << 40..1i64 << 40,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut line = Timeline::new(None);
        line.set_reorder(depth);
        let depth = i64::try_from(depth).unwrap();
        let mut steps = 0;
        for i in 0..400i64 {
            // A mini-GOP: the last shown is sent first.
            let (gop, at) = (i / (depth + 1), i % (depth + 1));
            let shown = gop * (depth + 1) + if at == 0 { depth } else { at - 1 };
            let sent = at_ms(40 * u64::try_from(i).unwrap() + random.u64(0..=jitter_ms));
            steps += usize::from(line.video(base + shown * FRAME, sent).new_epoch);
        }
        prop_assert_eq!(steps, 1);
    }

    #[test]
    fn any_numbers_give_an_answer(
        frames in proptest::collection::vec((any::<bool>(), any::<i64>(), any::<u64>()), 0..60),
        reports in proptest::collection::vec((any::<bool>(), any::<i64>(), any::<u64>()), 0..9),
        rate: Option<u32>,
    ) {
        let mut line = Timeline::new(rate);
        for (i, (video, pts, arrival)) in frames.into_iter().enumerate() {
            if video {
                prop_assert_eq!(line.video(pts, arrival).pts_90k, pts);
            } else {
                line.audio(pts, arrival);
            }
            if let Some((video, pts, ntp)) = reports.get(i) {
                let track = if *video { Track::Video } else { Track::Audio };
                line.report(track, *pts, *ntp);
            }
        }
    }

    #[test]
    fn the_sound_of_a_flash_is_placed_within_a_tick_whatever_the_clocks_say(
        video_start in 0i64..1 << 33, audio_start in 0i64..1 << 33, ntp_start in 0u64..1 << 62,
        rate in prop::sample::select(vec![8_000u32, 16_000, 44_100, 48_000]),
    ) {
        let mut line = Timeline::new(Some(rate));
        for i in 0..50u64 {
            line.video(video_start + FRAME * i64::try_from(i).unwrap(), at_ms(40 * i + 7));
        }
        let rate = i64::from(rate);
        line.report(Track::Audio, audio_start + rate, ntp_start + (1 << 32));
        line.report(Track::Video, video_start + 45_000, ntp_start + (1 << 31));
        let place = line.audio(audio_start + 2 * rate, at_ms(2_000)).unwrap();
        prop_assert_eq!(place.alignment, Alignment::SenderReport);
        prop_assert!((place.pts_90k - video_start - 180_000).abs() <= 1);
    }
}
