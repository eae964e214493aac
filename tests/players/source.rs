//! Footage taken apart, and cut into clips of ours.

use std::path::{Path, PathBuf};

use crate::media::{self, Recipe};
use hindsight::media::{Codec, TrackParams, params_from_asc, params_from_avcc, params_from_hvcc};
use hindsight::mp4::{self, ClipIndex, ClipTrack, Sample};
use mp4_atom::{Decode, Encode, Moov, StszSamples, Trak};

pub const TICKS_PER_FRAME: i64 = 3600;

/// What to make of it where the players are tested: small, B-frames, GOPs of 2 s.
pub fn recipe() -> Recipe {
    Recipe {
        width: 320,
        height: 180,
        seconds: 8,
        gop_seconds: 2,
        b_frames: 3,
        ..Recipe::default()
    }
}

/// A coded frame with its presentation time in ticks of its track.
#[derive(Clone)]
pub struct Au {
    pub pts: i64,
    pub key: bool,
    pub bytes: Vec<u8>,
}

/// A track, AUs in decoding order.
#[derive(Clone)]
pub struct Coded {
    pub params: TrackParams,
    pub aus: Vec<Au>,
}

/// Video first; times begin at 0.
pub fn make(recipe: Recipe) -> Vec<Coded> {
    take_apart(&media::mp4(recipe))
}

/// All tracks of an MP4 as FFmpeg writes it.
pub fn take_apart(path: &Path) -> Vec<Coded> {
    let file = std::fs::read(path).unwrap();
    let at = file.windows(4).position(|kind| kind == b"moov").unwrap() - 4;
    let moov = Moov::decode(&mut &file[at..]).unwrap();
    moov.trak.iter().map(|trak| coded(trak, &file)).collect()
}

fn coded(trak: &Trak, file: &[u8]) -> Coded {
    let stbl = &trak.mdia.minf.stbl;
    let params = match &stbl.stsd.codecs[0] {
        mp4_atom::Codec::Avc1(avc1) => params_from_avcc(&body(&avc1.avcc)).unwrap(),
        mp4_atom::Codec::Hev1(hev1) => {
            // x265 signs its work in an SEI; no camera does, and rings keep no such letters.
            let mut hvcc = hev1.hvcc.clone();
            hvcc.arrays.retain(|array| array.nal_unit_type <= 34);
            params_from_hvcc(&body(&hvcc)).unwrap()
        }
        mp4_atom::Codec::Mp4a(mp4a) => {
            let config = &mp4a.esds.es_desc.dec_config;
            params_from_asc(&config.dec_specific.as_ref().unwrap().raw).unwrap()
        }
        other => panic!("{other:?}"),
    };
    let StszSamples::Different { sizes } = &stbl.stsz.samples else {
        panic!("sizes of {}", trak.tkhd.track_id)
    };
    let (from, to): (i64, i64) = (trak.mdia.mdhd.timescale.into(), params.timescale.into());
    let scaled = |ticks: i64| ticks * to / from;
    let skipped = trak
        .edts
        .as_ref()
        .and_then(|edts| edts.elst.as_ref()?.entries.last()?.media_time);
    let begin = i64::try_from(skipped.unwrap_or(0)).unwrap();
    let mut offsets = stbl.ctts.iter().flat_map(|ctts| {
        let runs = ctts.entries.iter();
        runs.flat_map(|run| vec![run.sample_offset; run.sample_count as usize])
    });
    let deltas = stbl.stts.entries.iter();
    let mut deltas =
        deltas.flat_map(|run| vec![i64::from(run.sample_delta); run.sample_count as usize]);
    let mut dts = 0;
    let aus = places(trak, sizes)
        .into_iter()
        .zip(1u32..)
        .map(|((at, size), number)| {
            let pts = scaled(dts + offsets.next().unwrap_or(0) - begin);
            dts += deltas.next().unwrap();
            let key = stbl
                .stss
                .as_ref()
                .is_none_or(|stss| stss.entries.contains(&number));
            Au {
                pts,
                key,
                bytes: file[at..at + size].to_vec(),
            }
        })
        .collect();
    Coded { params, aus }
}

fn body(atom: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    atom.encode(&mut bytes).unwrap();
    bytes.split_off(8)
}

fn places(trak: &Trak, sizes: &[u32]) -> Vec<(usize, usize)> {
    let stbl = &trak.mdia.minf.stbl;
    let mut sizes = sizes.iter().map(|size| *size as usize);
    let mut places = Vec::new();
    for (chunk, offset) in (1u32..).zip(&stbl.stco.as_ref().unwrap().entries) {
        let run = stbl
            .stsc
            .entries
            .iter()
            .rfind(|run| run.first_chunk <= chunk)
            .unwrap();
        let mut at = *offset as usize;
        for size in sizes.by_ref().take(run.samples_per_chunk as usize) {
            places.push((at, size));
            at += size;
        }
    }
    places
}

/// AUs needed to show `[start, end)` (1/90000 s), as facts and data of a clip.
pub fn cut(tracks: &[Coded], start: i64, end: i64) -> (Vec<u8>, ClipIndex) {
    let mut chosen: Vec<(i64, usize, &Au)> = Vec::new();
    for (track, coded) in tracks.iter().enumerate() {
        let scale = |ticks: i64| ticks * i64::from(coded.params.timescale) / 90_000;
        let (start, end) = (scale(start), scale(end));
        let first = coded
            .aus
            .iter()
            .rposition(|au| au.key && au.pts <= start)
            .unwrap_or(0);
        // One frame of audio before the one at the start.
        let first = if coded.params.codec == Codec::Aac {
            first.saturating_sub(1)
        } else {
            first
        };
        let last = coded.aus.iter().rposition(|au| au.pts < end).unwrap();
        let aus = &coded.aus[first..=last];
        chosen.extend(aus.iter().map(|au| {
            (
                au.pts * 90_000 / i64::from(coded.params.timescale),
                track,
                au,
            )
        }));
    }
    // Roughly as they come from a camera; each track stays in decoding order.
    let mut queue: Vec<(i64, usize, &Au)> = Vec::new();
    for (_, track, au) in chosen.iter().filter(|(_, track, _)| *track == 0) {
        let seconds = queue.last().map_or(start, |last| last.0).max(au.pts);
        queue.push((seconds, *track, au));
    }
    queue.extend(chosen.iter().filter(|(_, track, _)| *track > 0));
    queue.sort_by_key(|(at, track, _)| (*at, *track));

    let mut data = Vec::new();
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); tracks.len()];
    for (_, track, au) in queue {
        samples[track].push(Sample {
            offset: data.len() as u64,
            size: u32::try_from(au.bytes.len()).unwrap(),
            pts: au.pts,
            sync: au.key,
            entry: 0,
        });
        data.extend_from_slice(&au.bytes);
    }
    let tracks = tracks
        .iter()
        .zip(samples)
        .map(|(coded, samples)| ClipTrack {
            entries: vec![coded.params.clone()],
            samples,
            start: start * i64::from(coded.params.timescale) / 90_000,
            end: end * i64::from(coded.params.timescale) / 90_000,
        })
        .collect();
    (
        data,
        ClipIndex {
            tracks,
            created_unix_s: 1_790_000_000,
        },
    )
}

/// Writes the clip and has it read back.
pub fn write(path: PathBuf, reserve: u64, data: &[u8], clip: &ClipIndex) -> PathBuf {
    let placed = mp4::place(reserve, data.len() as u64, clip).unwrap();
    let file = [&placed.front[..], data, &placed.tail].concat();
    let size = file.len() as u64;
    let difference = mp4::read_back(std::io::Cursor::new(&file), size, reserve, clip).unwrap();
    assert_eq!(difference, None);
    std::fs::write(&path, &file).unwrap();
    path
}
