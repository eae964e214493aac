//! The index of a clip: sample tables, edit lists, and where all of it stands.
//!
//! File layout: `ftyp`, `moov`, `free` up to the reserve, `mdat`; where the
//! index does not fit in the reserve: `ftyp`, `free`, `mdat`, `moov`. The data
//! begins at the same place either way.

use mp4_atom::{
    Co64, Ctts, CttsEntry, Encode, Stco, Stsc, StscEntry, Stss, Stsz, StszSamples, Stts, SttsEntry,
};

use super::boxes::{self, TrackHead, boxed, put};
use super::timing::{self, Ending, Timing};
use super::types::{ClipIndex, ClipTrack, MOVIE_TIMESCALE, Mp4Error, Placed, Sample, rescale};
use crate::media::{Codec, Track, TrackParams};

/// The header of `mdat` with a 64-bit size; a short one is preceded by a `free` of 8.
const MDAT_HEADER: u64 = 16;
/// Data begins at a multiple of this, so that writing the front touches no page of data.
const PAGE: u64 = 4096;
/// A player that reads whole chunks should not need to read all of the clip.
const CHUNK_BYTES: u64 = 1 << 20;

pub(super) fn ftyp_len() -> u64 {
    let mut bytes = Vec::new();
    // A vector takes everything.
    let _ = boxes::ftyp().encode(&mut bytes);
    bytes.len().try_into().unwrap_or(u64::MAX)
}

/// Where the data starts in a file with this reserve.
pub fn data_offset(reserve: u64) -> u64 {
    ftyp_len()
        .saturating_add(reserve)
        .saturating_add(MDAT_HEADER)
}

/// Bytes to keep free for the index in the worst case of so many samples:
/// every one in a chunk of its own and of its own duration. Rounded so that
/// the data begins at a page.
pub fn reserve_for(video: u64, audio: u64, params: &[TrackParams]) -> u64 {
    // stts 8, ctts 8, stsz 4, stss 4, stsc 12, co64 8; audio has no ctts and no stss.
    const VIDEO_SAMPLE: u64 = 44;
    const AUDIO_SAMPLE: u64 = 32;
    const HEADERS: u64 = 2048;
    const ENTRY: u64 = 256;
    let entries: u64 = params
        .iter()
        .map(|params| ENTRY + params.config.len() as u64)
        .sum();
    let index = HEADERS
        .saturating_add(video.saturating_mul(VIDEO_SAMPLE))
        .saturating_add(audio.saturating_mul(AUDIO_SAMPLE))
        .saturating_add(entries);
    let aligned = data_offset(index).saturating_add(PAGE - 1) / PAGE * PAGE;
    aligned - data_offset(0)
}

/// The bytes around `data_len` bytes of data. Audio of which nothing is heard
/// is left out.
///
/// # Errors
/// [`Mp4Error::NothingToShow`] where no video sample lies in `[start, end)`;
/// [`Mp4Error::Unwritable`] where the facts contradict each other.
pub fn place(reserve: u64, data_len: u64, clip: &ClipIndex) -> Result<Placed, Mp4Error> {
    let tracks = lay_out(data_len, clip)?;
    let moov = moov(&tracks, data_offset(reserve), data_len, clip.created_unix_s)?;
    let mdat = mdat_header(data_len);
    // Between ftyp and the header of mdat.
    let room = reserve + MDAT_HEADER - mdat.len() as u64;
    let moov_len = moov.len() as u64;
    let fits = moov_len == room || moov_len.saturating_add(8) <= room;

    let mut front = Vec::new();
    put(&mut front, &boxes::ftyp())?;
    if fits {
        front.extend_from_slice(&moov);
    }
    put_free(&mut front, if fits { room - moov_len } else { room })?;
    front.extend_from_slice(&mdat);
    let tail = if fits { Vec::new() } else { moov };
    Ok(Placed { front, tail })
}

/// `free` of exactly `size` bytes, header included; nothing for 0.
fn put_free(out: &mut Vec<u8>, size: u64) -> Result<(), Mp4Error> {
    if size == 0 {
        return Ok(());
    }
    let too_large = |_| Mp4Error::Unwritable(format!("a reserve of {size} bytes"));
    let header = u32::try_from(size).map_err(too_large)?;
    let body = usize::try_from(size - 8).unwrap_or(usize::MAX);
    out.extend_from_slice(&header.to_be_bytes());
    out.extend_from_slice(b"free");
    out.resize(out.len().saturating_add(body), 0);
    Ok(())
}

fn mdat_header(data_len: u64) -> Vec<u8> {
    match u32::try_from(data_len.saturating_add(8)) {
        Ok(size) => [size.to_be_bytes(), *b"mdat"].concat(),
        Err(_) => {
            let size = data_len.saturating_add(MDAT_HEADER).to_be_bytes();
            [&1u32.to_be_bytes()[..], b"mdat", &size].concat()
        }
    }
}

/// A track with its times.
struct Laid<'a> {
    track: &'a ClipTrack,
    timing: Timing,
    kind: Track,
    timescale: u32,
}

/// Checks all facts and makes the times. Audio without anything to be heard is left out.
fn lay_out(data_len: u64, clip: &ClipIndex) -> Result<Vec<Laid<'_>>, Mp4Error> {
    let mut laid = Vec::new();
    for track in &clip.tracks {
        let (kind, timescale) = check(track, data_len)?;
        let pts: Vec<i64> = track.samples.iter().map(|sample| sample.pts).collect();
        let timing = match kind {
            Track::Video => timing::video(&pts, track.start, track.end)?,
            Track::Audio => timing::audio(&pts, track.start, track.end, ending(track))?,
        };
        let shown = track.start..track.end.max(track.start);
        let any_shown = match kind {
            Track::Video => pts.iter().any(|pts| shown.contains(pts)),
            Track::Audio => timing.shown_from < timing.shown_to,
        };
        match (kind, any_shown) {
            (_, true) => laid.push(Laid {
                track,
                timing,
                kind,
                timescale,
            }),
            (Track::Video, false) => return Err(Mp4Error::NothingToShow),
            (Track::Audio, false) => {}
        }
    }
    match laid.first() {
        Some(first) if first.kind == Track::Video => Ok(laid),
        _ => Err(Mp4Error::NothingToShow),
    }
}

fn ending(track: &ClipTrack) -> Ending {
    match track.entries.first().map(|entry| entry.codec) {
        Some(Codec::Flac) => Ending::Exact,
        _ => Ending::Usual,
    }
}

fn check(track: &ClipTrack, data_len: u64) -> Result<(Track, u32), Mp4Error> {
    let unwritable = |what: String| Err(Mp4Error::Unwritable(what));
    let Some(first) = track.entries.first() else {
        return unwritable("a track without parameters".into());
    };
    if first.timescale == 0 {
        return unwritable("a track with 0 ticks per second".into());
    }
    if let Some(other) = track
        .entries
        .iter()
        .find(|entry| (entry.codec, entry.timescale) != (first.codec, first.timescale))
    {
        return unwritable(format!(
            "{:?} at {} ticks per second in a track of {:?} at {}",
            other.codec, other.timescale, first.codec, first.timescale
        ));
    }
    for (i, sample) in track.samples.iter().enumerate() {
        let end = sample.offset.checked_add(sample.size.into());
        if end.is_none_or(|end| end > data_len) {
            return unwritable(format!(
                "sample {i} of {} bytes at {} lies outside the data of {data_len} bytes",
                sample.size, sample.offset
            ));
        }
        if sample.entry as usize >= track.entries.len() {
            return unwritable(format!("sample {i} names entry {}", sample.entry));
        }
    }
    Ok((first.track(), first.timescale))
}

impl Laid<'_> {
    /// The track's ticks as ticks of the movie, to the nearest.
    fn in_movie(&self, ticks: u64) -> Result<u64, Mp4Error> {
        rescale(ticks, self.timescale, MOVIE_TIMESCALE)
            .ok_or_else(|| Mp4Error::Unwritable(format!("a duration of {ticks} ticks")))
    }

    fn head(&self, id: u32, created_unix_s: u64) -> Result<TrackHead<'_>, Mp4Error> {
        let timing = &self.timing;
        let lead = self.in_movie(timing.lead)?;
        let shown = self.in_movie(timing.shown_to - timing.shown_from)?;
        let mut edits = Vec::new();
        if lead > 0 {
            edits.push(boxes::edit(lead, None));
        }
        edits.push(boxes::edit(shown, Some(timing.shown_from)));
        Ok(TrackHead {
            id,
            entries: &self.track.entries,
            shown_entry: self.shown_entry(),
            created_unix_s,
            media_duration: timing.media_end,
            movie_duration: lead + shown,
            edits,
            bits_per_second: self.bits_per_second(),
            in_band: false,
        })
    }

    /// The sample entry of the first frame that is shown.
    fn shown_entry(&self) -> usize {
        let cts = self.timing.cts.iter().zip(&self.track.samples);
        cts.filter(|(cts, _)| **cts >= self.timing.shown_from)
            .min_by_key(|(cts, _)| **cts)
            .map_or(0, |(_, sample)| sample.entry as usize)
    }

    fn bits_per_second(&self) -> u32 {
        let bytes: u64 = self.track.samples.iter().map(|s| u64::from(s.size)).sum();
        let ticks = self.timing.media_end.max(1);
        rescale(bytes.saturating_mul(8), 1, self.timescale)
            .and_then(|bit_ticks| u32::try_from(bit_ticks / ticks).ok())
            .unwrap_or(0)
    }
}

fn moov(
    tracks: &[Laid],
    data_offset: u64,
    data_len: u64,
    created_unix_s: u64,
) -> Result<Vec<u8>, Mp4Error> {
    let mut heads = Vec::new();
    for (id, laid) in (1..).zip(tracks) {
        heads.push(laid.head(id, created_unix_s)?);
    }
    let duration = heads.iter().map(|head| head.movie_duration).max();
    let count = u32::try_from(tracks.len()).unwrap_or(u32::MAX);
    let far = data_offset.saturating_add(data_len) > u64::from(u32::MAX);
    let mut out = Vec::new();
    boxed(&mut out, b"moov", |out| {
        put(
            out,
            &boxes::mvhd(created_unix_s, duration.unwrap_or(0), count),
        )?;
        for (laid, head) in tracks.iter().zip(&heads) {
            boxes::trak(out, head, |out| tables(out, laid, data_offset, far))?;
        }
        Ok(())
    })?;
    Ok(out)
}

fn tables(out: &mut Vec<u8>, laid: &Laid, data_offset: u64, far: bool) -> Result<(), Mp4Error> {
    let samples = &laid.track.samples;
    put(out, &stts(&laid.timing)?)?;
    if let Some(ctts) = ctts(&laid.timing)? {
        put(out, &ctts)?;
    }
    if samples.iter().any(|sample| !sample.sync) {
        put(out, &stss(samples))?;
    }
    let chunks = chunks(samples);
    put(out, &stsc(&chunks))?;
    put(out, &stsz(samples))?;
    let offsets = chunks.iter().map(|chunk| data_offset + chunk.offset);
    if far {
        let entries = offsets.collect();
        put(out, &Co64 { entries })
    } else {
        let entries = offsets.filter_map(|at| u32::try_from(at).ok()).collect();
        put(out, &Stco { entries })
    }
}

/// Equal neighbours as (how many, which).
fn runs<T: PartialEq + Copy>(values: impl Iterator<Item = T>) -> Vec<(u32, T)> {
    let mut runs: Vec<(u32, T)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((count, last)) if *last == value && *count < u32::MAX => *count += 1,
            _ => runs.push((1, value)),
        }
    }
    runs
}

fn stts(timing: &Timing) -> Result<Stts, Mp4Error> {
    let entries = runs(timing.deltas())
        .into_iter()
        .map(|(sample_count, delta)| {
            let too_long = |_| Mp4Error::Unwritable(format!("a frame of {delta} ticks"));
            Ok(SttsEntry {
                sample_count,
                sample_delta: u32::try_from(delta).map_err(too_long)?,
            })
        })
        .collect::<Result<_, Mp4Error>>()?;
    Ok(Stts { entries })
}

/// Offsets are never negative, so version 0 does.
fn ctts(timing: &Timing) -> Result<Option<Ctts>, Mp4Error> {
    let mut entries = Vec::new();
    for (sample_count, offset) in runs(timing.offsets()) {
        let sample_offset = i64::try_from(offset).unwrap_or(i64::MAX);
        // Readers with signed offsets (QuickTime, the read-back) are many.
        if sample_offset > i64::from(i32::MAX) {
            let what = format!("a frame shown {offset} ticks after it is decoded");
            return Err(Mp4Error::Unwritable(what));
        }
        entries.push(CttsEntry {
            sample_count,
            sample_offset,
        });
    }
    let any = entries.iter().any(|entry| entry.sample_offset != 0);
    Ok(any.then_some(Ctts { entries }))
}

fn stss(samples: &[Sample]) -> Stss {
    let numbered = (1u32..).zip(samples);
    Stss {
        entries: numbered.filter(|(_, s)| s.sync).map(|(n, _)| n).collect(),
    }
}

fn stsz(samples: &[Sample]) -> Stsz {
    Stsz {
        samples: StszSamples::Different {
            sizes: samples.iter().map(|sample| sample.size).collect(),
        },
    }
}

/// Samples of one track that follow each other in the data.
struct Chunk {
    offset: u64,
    end: u64,
    samples: u32,
    entry: u32,
}

fn chunks(samples: &[Sample]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for sample in samples {
        let end = sample.offset + u64::from(sample.size);
        match chunks.last_mut() {
            Some(chunk)
                if chunk.end == sample.offset
                    && chunk.entry == sample.entry
                    && end - chunk.offset <= CHUNK_BYTES =>
            {
                chunk.end = end;
                chunk.samples += 1;
            }
            _ => chunks.push(Chunk {
                offset: sample.offset,
                end,
                samples: 1,
                entry: sample.entry,
            }),
        }
    }
    chunks
}

fn stsc(chunks: &[Chunk]) -> Stsc {
    let mut entries: Vec<StscEntry> = Vec::new();
    for (first_chunk, chunk) in (1u32..).zip(chunks) {
        let same = |entry: &StscEntry| {
            entry.samples_per_chunk == chunk.samples
                && entry.sample_description_index == chunk.entry + 1
        };
        if !entries.last().is_some_and(same) {
            entries.push(StscEntry {
                first_chunk,
                samples_per_chunk: chunk.samples,
                sample_description_index: chunk.entry + 1,
            });
        }
    }
    Stsc { entries }
}
