//! Sound that comes as PCM: in the clip it is FLAC, from the exact first sample to the exact last.

use hindsight::cut::{Ended, Fact, FinishedCut, GapReason, plan};
use hindsight::media::{Alignment, AuFlags, AuMeta, Codec, Track, flac};
use hindsight::mp4::ClipTrack;

use super::camera::*;

const AT: u64 = ON_MONO_NS + 30 * SECOND_NS;
const RATE: i64 = 8_000;
const PACKET: i64 = 160;
const FIRST_TICK: i64 = 5_000_000;

fn au(pts: i64, pts_90k: i64, arrival_mono_ns: u64) -> AuMeta {
    AuMeta {
        track: Track::Audio,
        flags: AuFlags {
            key: true,
            ..AuFlags::default()
        },
        generation: PCM_PARAMS,
        epoch: 4,
        pts,
        pts_90k,
        alignment: Alignment::SenderReport,
        arrival_mono_ns,
        lost_packets: 0,
        dropped_bytes: 0,
        len: 320,
    }
}

/// A camera with packets of 20 ms beside its picture.
pub fn with_pcm() -> Ring {
    let mut ring = film(&Spec::default());
    let pts_base = ring.made[0].au.pts;
    for n in 0..100 * 50 {
        let at_ns = u64::try_from(n).unwrap() * 20_000_000;
        let au = au(
            FIRST_TICK + n * PACKET,
            pts_base + n * 1_800,
            ON_MONO_NS + at_ns + 40_000_000,
        );
        ring.entries.push(Stored { au, number: None });
    }
    ring.entries.sort_by_key(|s| s.au.arrival_mono_ns);
    ring.head = ring.base + ring.entries.len() as u64;
    ring
}

fn sound_of(finished: &FinishedCut) -> &ClipTrack {
    &finished.clip.tracks[1]
}

/// The samples, as a decoder gives them.
fn heard(finished: &FinishedCut) -> Vec<i32> {
    let begin = finished.data_len - finished.sound.len() as u64;
    let frames = sound_of(finished).samples.iter().map(|sample| {
        let from = usize::try_from(sample.offset - begin).unwrap();
        let to = from + usize::try_from(sample.size).unwrap();
        flac::decode(&finished.sound[from..to]).unwrap()
    });
    frames.flatten().collect()
}

/// What the camera's sound was from the clip's first picture on.
fn meant(ring: &Ring, played: &Played, samples: usize) -> Vec<i32> {
    let start_90k = ring.number(played.numbers[0]).au.pts - ring.made[0].au.pts;
    let first = FIRST_TICK + (start_90k * RATE).div_euclid(90_000);
    let ticks = first..first + i64::try_from(samples).unwrap();
    ticks.map(pcm_sample).collect()
}

#[test]
fn a_clips_sound_is_the_cameras_own_to_the_sample_wherever_it_is_cut() {
    let ring = with_pcm();
    for ms in 0..40 {
        let (_, exported, played) = press(&ring, &window(AT + ms * 1_000_000, 4_000, 2_000), false);
        let finished = exported.finished.as_ref().unwrap();
        let samples = heard(finished);
        let sound = sound_of(finished);
        assert_eq!(i64::try_from(samples.len()).unwrap(), sound.end);
        assert!(samples == meant(&ring, &played, samples.len()), "{ms} ms");
        assert_eq!((sound.samples[0].pts, sound.start), (0, 0));
        let plays_90k = finished.clip.tracks[0].end;
        assert!((plays_90k * RATE / 90_000 - sound.end).abs() <= 1);
        assert_eq!(finished.report.audio_codec, Some(Codec::Flac));
        assert!(
            finished.report.gaps.is_empty(),
            "{:?}",
            finished.report.gaps
        );
    }
}

#[test]
fn frames_follow_each_other_without_a_gap_and_all_but_the_last_are_equally_long() {
    let (_, exported, _) = press(&with_pcm(), &window(AT, 4_000, 2_000), false);
    let finished = exported.finished.unwrap();
    let samples = &sound_of(&finished).samples;
    assert!(samples.windows(2).all(|p| p[1].pts - p[0].pts == 800));
    assert!(
        samples
            .windows(2)
            .all(|p| p[1].offset - p[0].offset == u64::from(p[0].size))
    );
    let last = samples.last().unwrap();
    assert_eq!(last.offset + u64::from(last.size), finished.data_len);
    // They stand behind all that the exporter wrote.
    let pictures = &finished.clip.tracks[0].samples;
    assert!(
        pictures
            .iter()
            .all(|p| p.offset + u64::from(p.size) <= samples[0].offset)
    );
}

#[test]
fn lost_packets_are_silence_of_their_length_and_listed() {
    let mut ring = with_pcm();
    let from = AT - SECOND_NS;
    ring.entries.retain(|s| {
        s.number.is_some() || !(from..from + SECOND_NS / 2).contains(&s.au.arrival_mono_ns)
    });
    let behind = ring
        .entries
        .iter_mut()
        .find(|s| s.number.is_none() && s.au.arrival_mono_ns >= from + SECOND_NS / 2);
    behind.unwrap().au.lost_packets = 25;
    ring.head = ring.base + ring.entries.len() as u64;
    let (_, exported, played) = press(&ring, &window(AT, 4_000, 2_000), false);
    let finished = exported.finished.as_ref().unwrap();
    let samples = heard(finished);
    let meant = meant(&ring, &played, samples.len());
    let differ: Vec<usize> = (0..samples.len())
        .filter(|n| samples[*n] != meant[*n])
        .collect();
    let silent = samples.iter().filter(|s| **s == 0).count();
    assert!((4_000..=4_010).contains(&silent), "{silent}");
    assert!(differ.len() >= 3_990 && differ[differ.len() - 1] - differ[0] < 4_000);
    let gap = &finished.report.gaps[0];
    assert_eq!(
        (gap.track, gap.reason, gap.lost_packets),
        (Track::Audio, GapReason::Lost, 25)
    );
    assert!((gap.end_sec - gap.start_sec - 0.5).abs() < 0.001, "{gap:?}");
}

#[test]
fn facts_from_the_disk_give_the_same_bytes() {
    let ring = with_pcm();
    let window = window(AT, 4_000, 2_000);
    let plan = plan(&ring.at(AT), &window).unwrap();
    let exported = export(
        &ring,
        &plan,
        Feed::Live {
            every_ns: 30_000_000,
        },
        false,
    );
    let at_once = export(&ring, &plan, Feed::AtOnce, false).finished.unwrap();
    let finished = exported.finished.unwrap();
    assert!(finished == at_once);
    assert!(!finished.sound.is_empty());
    let again = salvage(&plan, &exported.facts, Ended::Complete).unwrap();
    assert!(again == finished);
    // A power cut in the middle: what was noted is a clip with its sound.
    let some = &exported.facts[..exported.facts.len() / 2];
    let salvaged = salvage(&plan, some, Ended::Power).unwrap();
    let (short, long) = (heard(&salvaged), heard(&finished));
    assert!(short.len() > 8_000 && short.len() < long.len());
    assert!(long.starts_with(&short));
}

#[test]
fn what_is_coded_while_the_window_runs_changes_no_byte() {
    let mut ring = with_pcm();
    // From here on the alignment is another; then all is coded anew.
    let better = ring.entries.clone();
    for stored in &mut ring.entries {
        if stored.number.is_none() && stored.au.arrival_mono_ns < AT + 3 * SECOND_NS {
            stored.au.alignment = Alignment::Arrival;
            stored.au.pts_90k += 5_000;
        }
    }
    let same = Ring {
        entries: better,
        ..ring.clone()
    };
    for ring in [&same, &ring] {
        for post_ms in [2_000, 6_000] {
            let window = window(AT, 4_000, post_ms);
            let plan = plan(&ring.at(AT), &window).unwrap();
            let at_once = export(ring, &plan, Feed::AtOnce, false).finished.unwrap();
            for ended in [Ended::Complete, Ended::Stopped] {
                let mut exporter = Exporter::new(ring, &plan, false);
                let mut plain = Exporter::new(ring, &plan, false);
                let until = if ended == Ended::Stopped { 15 } else { 100 };
                for tenths in 0..=until {
                    let now = AT + tenths * SECOND_NS / 10;
                    exporter.read_until(now);
                    plain.read_until(now);
                    exporter.cut.code_ahead();
                }
                let coded = exporter.finish(ended).finished.unwrap();
                assert!(coded == plain.finish(ended).finished.unwrap());
                assert_eq!(coded == at_once, ended == Ended::Complete);
            }
        }
    }
}

#[test]
fn a_camera_that_sends_more_sound_than_its_times_say_fills_no_memory() {
    let mut ring = with_pcm();
    let flood: Vec<Stored> = ring
        .entries
        .iter()
        .filter(|s| s.number.is_none())
        .flat_map(|s| std::iter::repeat_n(s.clone(), 20))
        .collect();
    ring.entries.extend(flood);
    ring.entries.sort_by_key(|s| s.au.arrival_mono_ns);
    ring.head = ring.base + ring.entries.len() as u64;
    let (_, exported, _) = press(&ring, &window(AT, 4_000, 2_000), false);
    let heard = exported.facts.iter().map(|fact| match fact {
        Fact::Heard { bytes, .. } => bytes.len(),
        _ => 0,
    });
    let bytes: usize = heard.sum();
    assert!(bytes <= 2 * 16_000 * 11, "{bytes}");
    assert!(exported.finished.is_ok());
}

#[test]
fn sound_that_changes_from_aac_to_pcm_is_that_of_the_press() {
    let mut ring = with_pcm();
    let change = AT - 2 * SECOND_NS;
    for stored in &mut ring.entries {
        if stored.number.is_none() && stored.au.arrival_mono_ns < change {
            stored.au.generation = AUDIO_PARAMS;
        }
    }
    let (_, exported, _) = press(&ring, &window(AT, 4_000, 2_000), false);
    let finished = exported.finished.unwrap();
    assert_eq!(finished.report.audio_codec, Some(Codec::Flac));
    let sound = sound_of(&finished);
    let lead_s = sound.samples[0].pts as f64 / RATE as f64;
    assert!((lead_s - 2.0).abs() < 0.1, "{lead_s}");
}
