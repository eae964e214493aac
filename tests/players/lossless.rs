//! A clip whose sound is FLAC: every player decodes it to the camera's own samples.

use std::path::{Path, PathBuf};
use std::process::Command;

use hindsight::media::flac::{self, FlacEncoder};
use hindsight::media::{Codec, TrackParams, pcm};
use hindsight::mp4::{ClipTrack, Sample, reserve_for};

use crate::source::{TICKS_PER_FRAME, cut, make, recipe, write};
use crate::{FIRST, LAST, assert_chromium_shows_first_and_last, assert_ffmpeg_shows_exactly};
use crate::{assert_gstreamer_shows_all, browser};

/// Restless bytes of so many seconds, as a camera would send them.
fn packets(params: &TrackParams, seconds: f64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(u64::from(params.timescale));
    let bytes = match params.codec {
        Codec::L16 => 2,
        _ => 1,
    } * usize::from(params.channels);
    let ticks = (f64::from(params.timescale) * seconds) as usize;
    let mut level = 0_u8;
    let noise = std::iter::repeat_with(|| {
        level = if random.u8(..) == 0 {
            random.u8(..)
        } else {
            level
        };
        random.u8(..) & level
    });
    noise.take(ticks * bytes).collect()
}

/// The clip, and the samples that stand in it.
fn clip(dir: &Path, params: &TrackParams) -> (PathBuf, Vec<i32>) {
    let pictures = make(recipe());
    let (start, end) = (FIRST * TICKS_PER_FRAME, (LAST + 1) * TICKS_PER_FRAME - 900);
    let (mut data, mut index) = cut(&pictures[..1], start, end);
    let seconds = (end - start) as f64 / 90_000.0;
    let mut meant = Vec::new();
    pcm::decode(params, &packets(params, seconds), &mut meant);
    let channels = usize::from(params.channels);
    let mut encoder = FlacEncoder::new(params);
    let (mut samples, mut pts) = (Vec::new(), 0);
    for block in meant.chunks(flac::block_ticks(params.timescale) * channels) {
        let frame = encoder.frame(block).unwrap();
        samples.push(Sample {
            offset: data.len() as u64,
            size: u32::try_from(frame.len()).unwrap(),
            pts,
            sync: true,
            entry: 0,
        });
        pts += i64::try_from(block.len() / channels).unwrap();
        data.extend(frame);
    }
    let entry = flac::params(params, u64::try_from(pts).unwrap()).unwrap();
    let reserve = reserve_for(300, 300, &[pictures[0].params.clone(), entry.clone()]);
    index.tracks.push(ClipTrack {
        entries: vec![entry],
        samples,
        start: 0,
        end: pts,
    });
    (write(dir.join("clip.mp4"), reserve, &data, &index), meant)
}

fn samples_of(raw: &[u8]) -> Vec<i32> {
    let pairs = raw.as_chunks::<2>().0.iter();
    pairs.map(|b| i32::from(i16::from_le_bytes(*b))).collect()
}

/// The samples that it decodes.
pub fn ffmpeg(arguments: &[&str]) -> Vec<i32> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(arguments)
        .args(["-f", "s16le", "-"])
        .output()
        .unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{out:?}");
    samples_of(&out.stdout)
}

fn gstreamer(clip: &Path) -> Vec<i32> {
    let raw = clip.with_extension("raw");
    let done = Command::new("gst-launch-1.0")
        .args(["-q", "filesrc", &format!("location={}", clip.display())])
        .args(["!", "qtdemux", "name=d", "d.audio_0", "!", "queue", "!"])
        .args(["flacparse", "!", "flacdec", "!", "audioconvert", "!"])
        .args(["audio/x-raw,format=S16LE", "!", "filesink"])
        .arg(format!("location={}", raw.display()))
        .output()
        .expect("GStreamer is installed (tests/install)");
    assert!(done.status.success(), "{done:?}");
    samples_of(&std::fs::read(raw).unwrap())
}

#[test]
fn flac_is_decoded_to_the_cameras_own_samples_and_plays_everywhere() {
    let formats = [
        (Codec::Pcma, 8_000, 1),
        (Codec::Pcmu, 8_000, 1),
        (Codec::L16, 16_000, 1),
        (Codec::L16, 44_100, 2),
    ];
    for (codec, rate, channels) in formats {
        let dir = tempfile::tempdir().unwrap();
        let params = pcm::params(codec, rate, channels).unwrap();
        let (clip, meant) = clip(dir.path(), &params);
        let path = clip.to_str().unwrap();
        let what = format!("{codec:?} {rate} Hz, {channels} channels");
        assert!(ffmpeg(&["-i", path, "-map", "0:a"]) == meant, "{what}");
        // What GStreamer plays behind the end, no edit list keeps it from.
        assert!(gstreamer(&clip).starts_with(&meant), "{what}");
        assert_ffmpeg_shows_exactly(&clip, FIRST, LAST);
        assert_gstreamer_shows_all(&clip, FIRST, LAST);
        assert_chromium_shows_first_and_last(&clip, FIRST, LAST);
        if let Some(played) = browser::play(&clip) {
            assert!(played.heard, "{what} is not heard in the browser");
        }
    }
}

#[test]
fn g711_is_decoded_as_another_decoder_does() {
    let dir = tempfile::tempdir().unwrap();
    for (codec, name) in [(Codec::Pcma, "alaw"), (Codec::Pcmu, "mulaw")] {
        let every: Vec<u8> = (0..=255).collect();
        let raw = dir.path().join(name);
        std::fs::write(&raw, &every).unwrap();
        let mut ours = Vec::new();
        pcm::decode(&pcm::params(codec, 8_000, 1).unwrap(), &every, &mut ours);
        let theirs = ffmpeg(&[
            "-f",
            name,
            "-ar",
            "8000",
            "-ac",
            "1",
            "-i",
            raw.to_str().unwrap(),
        ]);
        assert_eq!(ours, theirs);
    }
}
