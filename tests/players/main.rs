//! The player matrix: clips cut between key frames, in FFmpeg, Chromium and GStreamer.

#![allow(clippy::unwrap_used)]

mod browser;
#[path = "../support/frames.rs"]
mod frames;
mod lossless;
#[allow(dead_code)]
#[path = "../support/media.rs"]
mod media;
mod source;
mod tapped;

use std::path::{Path, PathBuf};
use std::process::Command;

use hindsight::mp4::{self, data_offset, reserve_for};
use media::{Codec, Recipe};
use source::{Coded, TICKS_PER_FRAME, cut, make, recipe, write};

/// First and last frame number of the cut; the GOP is of 50 frames.
const FIRST: i64 = 68;
const LAST: i64 = 105;

/// The cut of the test: in the middle of GOPs at both ends.
fn clip(dir: &Path, name: &str, tracks: &[Coded], index_first: bool) -> PathBuf {
    let (data, index) = cut(
        tracks,
        FIRST * TICKS_PER_FRAME,
        (LAST + 1) * TICKS_PER_FRAME - 900,
    );
    let params: Vec<_> = tracks.iter().map(|track| track.params.clone()).collect();
    let reserve = if index_first {
        reserve_for(300, 300, &params)
    } else {
        0
    };
    assert!(data_offset(reserve) > 0);
    write(dir.join(name), reserve, &data, &index)
}

fn assert_ffmpeg_shows_exactly(clip: &Path, first: i64, last: i64) {
    let seen = frames::read_frame_numbers(clip);
    let numbers: Vec<i64> = seen.iter().map(|(_, number)| i64::from(*number)).collect();
    assert_eq!(
        numbers,
        (first..=last).collect::<Vec<_>>(),
        "{}",
        clip.display()
    );
    for (i, (at, _)) in seen.iter().enumerate() {
        let wanted = i as f64 * 0.04;
        assert!(
            (at - wanted).abs() < 0.0005,
            "frame {i} at {at} s, not {wanted}"
        );
    }
}

fn assert_chromium_shows_first_and_last(clip: &Path, first: i64, last: i64) {
    let Some(played) = browser::play(clip) else {
        return;
    };
    assert_eq!(played.error, None, "{}", clip.display());
    let numbers = played.numbers();
    assert_eq!((numbers[0], played.last), (first, last), "{played:?}");
    assert!(numbers.is_sorted(), "{numbers:?}");
    assert!(
        numbers.len() > 10,
        "too few frames were presented: {numbers:?}"
    );
    let length = (last + 1 - first) as f64 * 0.04 - 0.01;
    assert!((played.duration - length).abs() < 0.001, "{played:?}");
}

/// Decodes with GStreamer to the end; the numbers it shows.
fn gstreamer_numbers(clip: &Path) -> Vec<i64> {
    let raw = clip.with_extension("gray");
    let output = Command::new("gst-launch-1.0")
        .args(["-q", "uridecodebin"])
        .arg(format!("uri=file://{}", clip.display()))
        .args([
            "caps=video/x-raw",
            "!",
            "videoconvert",
            "!",
            "videoscale",
            "!",
        ])
        .args([
            "video/x-raw,format=GRAY8,width=320,height=180",
            "!",
            "filesink",
        ])
        .arg(format!("location={}", raw.display()))
        .output()
        .expect("GStreamer is installed (tests/install)");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "GStreamer stops: {log}");
    let pictures = std::fs::read(raw).unwrap();
    let number = |picture| hindsight::demo::picture::read_number(picture, 320, 180);
    pictures
        .chunks(320 * 180)
        .map(|picture| number(picture).map_or(-1, i64::from))
        .collect()
}

fn assert_gstreamer_shows_all(clip: &Path, first: i64, last: i64) {
    let numbers = gstreamer_numbers(clip);
    let from = numbers.iter().position(|number| *number == first);
    let shown = &numbers[from.unwrap_or_else(|| panic!("{first} is missing: {numbers:?}"))..];
    assert!(
        shown.starts_with(&(first..=last).collect::<Vec<_>>()),
        "{numbers:?}"
    );
}

#[test]
fn h264_with_b_frames_and_audio_is_exact_in_every_player() {
    let dir = tempfile::tempdir().unwrap();
    let tracks = make(Recipe {
        beep: true,
        ..recipe()
    });
    assert_eq!(tracks.len(), 2);
    let clip = clip(dir.path(), "clip.mp4", &tracks, true);
    assert_ffmpeg_shows_exactly(&clip, FIRST, LAST);
    assert_chromium_shows_first_and_last(&clip, FIRST, LAST);
    assert_gstreamer_shows_all(&clip, FIRST, LAST);
}

#[test]
fn an_index_behind_the_data_plays_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let tracks = make(Recipe {
        b_frames: 0,
        ..recipe()
    });
    let clip = clip(dir.path(), "clip.mp4", &tracks, false);
    assert_ffmpeg_shows_exactly(&clip, FIRST, LAST);
    assert_chromium_shows_first_and_last(&clip, FIRST, LAST);
    assert_gstreamer_shows_all(&clip, FIRST, LAST);
}

#[test]
fn a_cut_at_any_place_of_a_group_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    for codec in [Codec::H264, Codec::H265] {
        let recipe = Recipe { codec, ..recipe() };
        let tracks = make(recipe);
        for (first, last) in [(0, 9), (50, 58), (51, 99), (52, 100), (53, 101), (99, 149)] {
            let (start, end) = (first * TICKS_PER_FRAME, last * TICKS_PER_FRAME + 1);
            let (data, index) = cut(&tracks, start, end);
            let clip = write(dir.path().join("clip.mp4"), 8000, &data, &index);
            assert_ffmpeg_shows_exactly(&clip, first, last);
        }
    }
}

#[test]
fn h265_with_b_frames_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let tracks = make(Recipe {
        codec: Codec::H265,
        ..recipe()
    });
    let clip = clip(dir.path(), "clip.mp4", &tracks, true);
    assert_ffmpeg_shows_exactly(&clip, FIRST, LAST);
    assert_gstreamer_shows_all(&clip, FIRST, LAST);
    match browser::play(&clip) {
        Some(played) if played.error.is_some() => {
            println!("SKIPPED: this Chromium plays no H.265: {:?}", played.error);
        }
        Some(played) => assert_eq!((played.numbers()[0], played.last), (FIRST, LAST)),
        None => {}
    }
}

/// A camera whose picture changes its size at frame 100, a key frame. With
/// `in_band` the parameter sets stand before that key frame, too.
fn changing(dir: &Path, codec: Codec, in_band: bool) -> PathBuf {
    let piece = |first, width, height| {
        let recipe = Recipe {
            codec,
            seconds: 4,
            first,
            width,
            height,
            ..recipe()
        };
        make(recipe).remove(0)
    };
    let (mut both, after) = (piece(0, 320, 180), piece(100, 640, 360));
    let sets = mp4::parameter_sets(&after.params).unwrap();
    both.aus.extend(after.aus.iter().map(|au| source::Au {
        pts: au.pts + CHANGE * TICKS_PER_FRAME,
        key: au.key,
        bytes: match au.key && in_band {
            true => [&sets[..], &au.bytes].concat(),
            false => au.bytes.clone(),
        },
    }));
    let (start, end) = (FIRST * TICKS_PER_FRAME, 131 * TICKS_PER_FRAME - 900);
    let (data, mut index) = cut(&[both], start, end);
    let track = &mut index.tracks[0];
    track.entries.push(after.params);
    for sample in &mut track.samples {
        sample.entry = u32::from(sample.pts >= CHANGE * TICKS_PER_FRAME);
    }
    write(dir.join("clip.mp4"), 20_000, &data, &index)
}

/// Frame at which the parameters change.
const CHANGE: i64 = 100;

#[test]
fn a_change_of_parameters_plays_everywhere_with_the_sets_repeated_in_band() {
    let dir = tempfile::tempdir().unwrap();
    let clip = changing(dir.path(), Codec::H264, true);
    assert_ffmpeg_shows_exactly(&clip, FIRST, 130);
    assert_chromium_shows_first_and_last(&clip, FIRST, 130);
    assert_gstreamer_shows_all(&clip, FIRST, 130);
    let clip = changing(dir.path(), Codec::H265, true);
    assert_ffmpeg_shows_exactly(&clip, FIRST, 130);
    assert_gstreamer_shows_all(&clip, FIRST, 130);
}

#[test]
fn a_second_sample_entry_alone_is_enough_for_ffmpeg_and_gstreamer() {
    let dir = tempfile::tempdir().unwrap();
    for codec in [Codec::H264, Codec::H265] {
        let clip = changing(dir.path(), codec, false);
        assert_ffmpeg_shows_exactly(&clip, FIRST, 130);
        assert_gstreamer_shows_all(&clip, FIRST, 130);
    }
}
