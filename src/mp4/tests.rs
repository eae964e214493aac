//! Clips with made-up data: every fact that goes in comes out again.
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Read, Seek};

use proptest::prelude::*;

use super::*;
use crate::media::{Codec, TrackParams};

/// x264, 320x240, High.
pub(super) const AVCC: &[u8] = &[
    1, 100, 0, 13, 0xff, 0xe1, 0, 24, 0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0xfa, 0x10,
    0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60, 1, 0, 6,
    0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0,
];

pub(super) fn h264() -> TrackParams {
    TrackParams {
        codec: Codec::H264,
        timescale: 90_000,
        config: AVCC.to_vec(),
        width: 320,
        height: 240,
        pixel_aspect: (1, 1),
        channels: 0,
    }
}

pub(super) fn aac() -> TrackParams {
    TrackParams {
        codec: Codec::Aac,
        timescale: 48_000,
        config: vec![0x11, 0x90],
        width: 0,
        height: 0,
        pixel_aspect: (1, 1),
        channels: 2,
    }
}

/// An AU of one NAL unit, `size` ≥ 5 bytes long.
fn au(size: u32) -> Vec<u8> {
    let mut bytes = (size - 4).to_be_bytes().to_vec();
    bytes.resize(size as usize, 0x41);
    bytes
}

/// Data and index of samples that stand one behind the other in this order:
/// (is video, pts, size).
fn clip_of(samples: &[(bool, i64, u32)], start: i64, end: i64) -> (Vec<u8>, ClipIndex) {
    let mut data = Vec::new();
    let mut video = Vec::new();
    let mut audio = Vec::new();
    for &(is_video, pts, size) in samples {
        let track = if is_video { &mut video } else { &mut audio };
        track.push(Sample {
            offset: data.len() as u64,
            size,
            pts,
            sync: !is_video || track.len() % 25 == 0,
            entry: 0,
        });
        data.extend(au(size));
    }
    let in_audio = |ticks: i64| ticks * 48_000 / 90_000;
    let mut tracks = vec![ClipTrack {
        entries: vec![h264()],
        samples: video,
        start,
        end,
    }];
    if !audio.is_empty() {
        tracks.push(ClipTrack {
            entries: vec![aac()],
            samples: audio,
            start: in_audio(start),
            end: in_audio(end),
        });
    }
    let clip = ClipIndex {
        tracks,
        created_unix_s: 1_790_000_000,
    };
    (data, clip)
}

fn file_of(reserve: u64, data: &[u8], clip: &ClipIndex) -> Vec<u8> {
    let placed = place(reserve, data.len() as u64, clip).unwrap();
    assert_eq!(placed.front.len() as u64, data_offset(reserve));
    [&placed.front[..], data, &placed.tail].concat()
}

fn read_back_bytes(file: &[u8], reserve: u64, clip: &ClipIndex) -> Option<String> {
    read_back(Cursor::new(file), file.len() as u64, reserve, clip).unwrap()
}

fn two_seconds() -> (Vec<u8>, ClipIndex) {
    let mut samples = Vec::new();
    for frame in 0..50 {
        samples.push((true, frame * 3600, 1000));
        samples.push((false, frame * 1024 * 2, 100));
        samples.push((false, frame * 1024 * 2 + 1024, 101));
    }
    clip_of(&samples, 10 * 3600, 50 * 3600)
}

#[test]
fn a_clip_with_its_index_first_reads_back() {
    let (data, clip) = two_seconds();
    let reserve = reserve_for(50, 100, &[h264(), aac()]);
    assert_eq!(data_offset(reserve) % 4096, 0);
    let file = file_of(reserve, &data, &clip);
    assert_eq!(read_back_bytes(&file, reserve, &clip), None);
    let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
    assert!(inspected.index_first);
    assert_eq!(inspected.duration_90k, 40 * 3600);
    assert_eq!(inspected.created_unix_s, 1_790_000_000);
    assert_eq!(inspected.tracks[0].shown().count(), 40);
    assert_eq!(inspected.tracks[0].entries, [h264()]);
    assert_eq!(inspected.tracks[1].entries, [aac()]);
}

#[test]
fn an_index_too_large_for_its_reserve_goes_behind_the_data() {
    let (data, clip) = two_seconds();
    for reserve in [0, 8, 100] {
        let file = file_of(reserve, &data, &clip);
        assert_eq!(read_back_bytes(&file, reserve, &clip), None);
        let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
        assert!(!inspected.index_first);
    }
}

#[test]
fn the_index_fits_exactly_or_with_room_for_a_free_box_but_not_in_between() {
    let (data, clip) = two_seconds();
    let moov = place(0, data.len() as u64, &clip).unwrap().tail.len() as u64;
    // 8 bytes of the header's room serve the index where a short header does.
    for (spare, first) in [
        (-9i64, false),
        (-8, true),
        (-7, false),
        (-1, false),
        (0, true),
        (1, true),
    ] {
        let reserve = moov.checked_add_signed(spare).unwrap();
        let file = file_of(reserve, &data, &clip);
        let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
        assert_eq!(inspected.index_first, first, "{spare}");
    }
}

#[test]
fn data_of_more_than_four_gigabytes_gets_wide_sizes_and_offsets() {
    let (data, mut clip) = two_seconds();
    let far = 5_000_000_000;
    clip.tracks[0].samples[49].offset = far;
    let placed = place(100_000, far + 1000, &clip).unwrap();
    let header = &placed.front[placed.front.len() - 16..];
    assert_eq!(header[..8], [0, 0, 0, 1, b'm', b'd', b'a', b't']);
    assert_eq!(header[8..], (far + 1016).to_be_bytes());
    let _ = data;
    let file = [&placed.front[..], &[0; 100]].concat();
    let sparse = Sparse {
        bytes: file,
        size: data_offset(100_000) + far + 1000,
        at: 0,
    };
    let size = sparse.size;
    let inspected = inspect(sparse, size).unwrap();
    assert_eq!(
        inspected.tracks[0].samples[49].offset,
        data_offset(100_000) + far
    );
}

/// A file of which only the beginning is written.
struct Sparse {
    bytes: Vec<u8>,
    size: u64,
    at: u64,
}

impl Read for Sparse {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap().min(buf.len());
        for slot in &mut buf[..left] {
            let at = usize::try_from(self.at).unwrap();
            *slot = self.bytes.get(at).copied().unwrap_or(0);
            self.at += 1;
        }
        Ok(left)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        if let std::io::SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

#[test]
fn pixels_that_are_not_square_stretch_the_track() {
    let (data, mut clip) = two_seconds();
    clip.tracks[0].entries[0].pixel_aspect = (4, 3);
    let file = file_of(50_000, &data, &clip);
    assert_eq!(read_back_bytes(&file, 50_000, &clip), None);
    let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
    assert_eq!(inspected.tracks[0].entries[0].pixel_aspect, (4, 3));
    // 320 × 4/3 = 426 2/3 in 16.16 bits.
    let width = ((426u32 << 16) + 0xaaaa).to_be_bytes();
    assert!(file.windows(4).any(|bytes| bytes == width));
}

#[test]
fn a_second_sample_entry_is_named_by_its_samples() {
    let (data, mut clip) = two_seconds();
    let mut other = h264();
    other.width = 640;
    clip.tracks[0].entries.push(other);
    for sample in &mut clip.tracks[0].samples[25..] {
        sample.entry = 1;
    }
    let file = file_of(50_000, &data, &clip);
    assert_eq!(read_back_bytes(&file, 50_000, &clip), None);
    let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
    assert_eq!(inspected.tracks[0].entries[1].width, 640);
    assert_eq!(inspected.tracks[0].samples[24].entry, 0);
    assert_eq!(inspected.tracks[0].samples[25].entry, 1);
}

#[test]
fn audio_outside_the_clip_is_left_out_and_audio_that_begins_late_leads_in() {
    let video = (0..50).map(|frame| (true, frame * 3600, 500));
    let late: Vec<_> = video.clone().chain([(false, 48_000, 90)]).collect();
    let (data, clip) = clip_of(&late, 0, 50 * 3600);
    let file = file_of(20_000, &data, &clip);
    assert_eq!(read_back_bytes(&file, 20_000, &clip), None);
    let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
    assert_eq!(inspected.tracks[1].lead_90k, 90_000);
    assert_eq!(inspected.tracks[1].shown_90k, 1920);

    let never: Vec<_> = video.chain([(false, 480_000, 90)]).collect();
    let (data, clip) = clip_of(&never, 0, 50 * 3600);
    let file = file_of(20_000, &data, &clip);
    assert_eq!(read_back_bytes(&file, 20_000, &clip), None);
    let inspected = inspect(Cursor::new(&file), file.len() as u64).unwrap();
    assert_eq!(inspected.tracks.len(), 1);
}

#[test]
fn facts_that_contradict_each_other_are_refused() {
    let (data, clip) = two_seconds();
    let len = data.len() as u64;
    let refused = |change: &dyn Fn(&mut ClipIndex)| {
        let mut clip = clip.clone();
        change(&mut clip);
        place(10_000, len, &clip).unwrap_err().to_string()
    };
    let nothing = "a clip needs a video track with at least one frame to show";
    assert_eq!(refused(&|clip| clip.tracks.clear()), nothing);
    assert_eq!(refused(&|clip| clip.tracks[0].samples.clear()), nothing);
    assert_eq!(refused(&|clip| clip.tracks[0].start = 50 * 3600), nothing);
    assert_eq!(refused(&|clip| drop(clip.tracks.remove(0))), nothing);
    assert!(refused(&|clip| clip.tracks[0].samples[3].entry = 7).contains("names entry 7"));
    assert!(refused(&|clip| clip.tracks[0].samples[3].offset = len).contains("outside the data"));
    assert!(refused(&|clip| clip.tracks[0].entries.push(aac())).contains("Aac"));
    assert!(refused(&|clip| clip.tracks[0].entries[0].config.clear()).contains("avcC"));
}

#[test]
fn the_read_back_notices_each_fact_that_differs() {
    let (data, clip) = two_seconds();
    let file = file_of(10_000, &data, &clip);
    let differs = |change: &dyn Fn(&mut ClipTrack)| {
        let mut clip = clip.clone();
        change(&mut clip.tracks[0]);
        read_back_bytes(&file, 10_000, &clip).expect("the difference was not noticed")
    };
    assert!(differs(&|t| t.samples[7].size += 1).contains("sample 8"));
    assert!(differs(&|t| t.samples[7].offset += 1).contains("sample 8"));
    assert!(differs(&|t| t.samples[7].sync = true).contains("sample 8"));
    assert!(differs(&|t| t.samples[20].pts += 1).contains("shown"));
    assert!(differs(&|t| t.samples.truncate(49)).contains("49 samples"));
    assert!(differs(&|t| t.entries[0].width = 1).contains("entries"));
}

#[test]
fn the_read_back_notices_bytes_that_are_no_access_unit() {
    let (mut data, clip) = two_seconds();
    data[2] = 9;
    let file = file_of(10_000, &data, &clip);
    let what = read_back_bytes(&file, 10_000, &clip).unwrap();
    assert!(what.contains("do not add up"), "{what}");
}

#[test]
fn a_file_cut_short_anywhere_is_noticed() {
    let (data, clip) = clip_of(&[(true, 0, 60), (false, 0, 20), (true, 3600, 40)], 0, 7200);
    for reserve in [0, 3000] {
        let file = file_of(reserve, &data, &clip);
        for len in 0..file.len() {
            assert!(
                inspect(Cursor::new(&file[..len]), len as u64).is_err(),
                "{len}"
            );
        }
    }
}

fn sample_facts() -> impl Strategy<Value = Vec<(bool, i64, u32)>> {
    proptest::collection::vec((any::<bool>(), -100_000i64..400_000, 5u32..300), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_samples_fit_in_the_reserve_of_their_counts_and_read_back(
        mut samples in sample_facts(), start in 0i64..200_000, len in 1i64..200_000, two: bool,
    ) {
        samples.insert(0, (true, start, 50));
        let (data, mut clip) = clip_of(&samples, start, start + len);
        if two {
            clip.tracks[0].entries.push(h264());
            for sample in clip.tracks[0].samples.iter_mut().skip(1).step_by(2) {
                sample.entry = 1;
            }
        }
        let params: Vec<TrackParams> = clip.tracks.iter().flat_map(|t| t.entries.clone()).collect();
        let count = |i: usize| clip.tracks.get(i).map_or(0, |t| t.samples.len() as u64);
        let reserve = reserve_for(count(0), count(1), &params);
        let file = file_of(reserve, &data, &clip);
        prop_assert_eq!(file.len() as u64, data_offset(reserve) + data.len() as u64);
        prop_assert_eq!(read_back_bytes(&file, reserve, &clip), None);
    }

    #[test]
    fn a_damaged_index_gives_an_error_or_facts_but_never_a_panic(
        at in 0usize..3000, value: u8, bit in 0u32..8, tail: bool,
    ) {
        let (data, clip) = clip_of(
            &[(true, 0, 60), (false, 0, 20), (true, 7200, 40), (true, 3600, 40), (false, 1024, 9)],
            0, 7200,
        );
        let reserve = if tail { 0 } else { 2500 };
        let mut file = file_of(reserve, &data, &clip);
        let at = at % file.len();
        file[at] = if value % 2 == 0 { value } else { file[at] ^ (1 << bit) };
        let size = file.len() as u64;
        if let Ok(inspected) = inspect(Cursor::new(&file), size) {
            let _ = second_opinion(Cursor::new(&file), size, &inspected);
        }
    }

    #[test]
    fn garbage_gives_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(inspect(Cursor::new(&bytes), bytes.len() as u64).is_err());
    }
}
