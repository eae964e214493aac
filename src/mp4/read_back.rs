//! A finished clip, read back by a reader that is not ours.
//!
//! The `mp4` crate knows `hev1` but no `hvc1`, so it is shown an index in which
//! that name has been replaced; of several sample entries it reads the first;
//! it takes an empty edit for a large number. It may panic on files it does
//! not know, so it only ever sees what our strict reader has approved.

use std::io::{Read, Seek, SeekFrom};

use mp4::{Mp4Reader, Mp4Track, TrackType};

use super::clip::data_offset;
use super::inspect::{Outline, inspect};
use super::inspected::{Inspected, InspectedSample, InspectedTrack};
use super::tree::{self, Hand, io};
use super::types::{ClipIndex, ClipTrack, Mp4Error};
use crate::media::{Track, nal};

/// Reads a finished clip back, with our strict reader and with the independent
/// one (`mp4` crate), and compares sample sizes, offsets, times and sync
/// samples of every track with each other and with the facts, as far as that
/// reader can parse. `Ok(None)`: they agree; `Ok(Some(difference))`.
pub fn read_back<R: Read + Seek>(
    mut file: R,
    size: u64,
    reserve: u64,
    clip: &ClipIndex,
) -> Result<Option<String>, Mp4Error> {
    let inspected = match inspect(&mut file, size) {
        Ok(inspected) => inspected,
        Err(Mp4Error::Unreadable(what)) => return Ok(Some(what)),
        Err(other) => return Err(other),
    };
    if let Some(difference) = against_facts(&inspected, reserve, clip) {
        return Ok(Some(difference));
    }
    second_opinion(file, size, &inspected)
}

fn against_facts(inspected: &Inspected, reserve: u64, clip: &ClipIndex) -> Option<String> {
    // Audio of which nothing is heard is left out of the file.
    let silent = |track: &ClipTrack| {
        track.samples.is_empty()
            || track.entries.first().map(|e| e.track()) == Some(Track::Audio)
                && inspected.tracks.len() < clip.tracks.len()
    };
    let expected: Vec<&ClipTrack> = clip.tracks.iter().filter(|t| !silent(t)).collect();
    if expected.len() != inspected.tracks.len() {
        return Some(format!(
            "{} tracks were written, {} are there",
            expected.len(),
            inspected.tracks.len()
        ));
    }
    expected
        .iter()
        .zip(&inspected.tracks)
        .find_map(|(facts, track)| track_against_facts(track, facts, data_offset(reserve)))
}

fn track_against_facts(
    track: &InspectedTrack,
    facts: &ClipTrack,
    data_offset: u64,
) -> Option<String> {
    let differs = |what: String| Some(format!("track {}: {what}", track.id));
    if track.samples.len() != facts.samples.len() {
        return differs(format!(
            "{} samples were written, {} are there",
            facts.samples.len(),
            track.samples.len()
        ));
    }
    let same_entry = |(a, b): (&crate::media::TrackParams, &crate::media::TrackParams)| {
        (a.codec, a.timescale, a.width, a.height) == (b.codec, b.timescale, b.width, b.height)
    };
    if track.entries.len() != facts.entries.len()
        || !track.entries.iter().zip(&facts.entries).all(same_entry)
    {
        return differs("its sample entries differ".into());
    }
    let mut placed = track.samples.iter().zip(&facts.samples).enumerate();
    let misplaced = placed.find_map(|(i, (sample, fact))| {
        let place = (sample.offset, sample.size, sample.sync, sample.entry);
        let wanted = (data_offset + fact.offset, fact.size, fact.sync, fact.entry);
        (place != wanted).then(|| {
            let named = "(offset, size, key frame, entry)";
            format!(
                "sample {} stands as {named} {place:?}, not {wanted:?}",
                i + 1
            )
        })
    });
    match misplaced.or_else(|| mistimed(track, facts)) {
        Some(what) => differs(what),
        None => None,
    }
}

/// A video sample that is not shown when it should be. (Backward times of audio
/// are straightened; the second reader checks what was written of them.)
fn mistimed(track: &InspectedTrack, facts: &ClipTrack) -> Option<String> {
    if track.track() == Track::Audio {
        return None;
    }
    let mut times: Vec<i64> = facts.samples.iter().map(|sample| sample.pts).collect();
    times.sort_unstable();
    // Samples with the same time were moved apart by ticks; how many, decides how far.
    let repeated = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let mut timed = track.samples.iter().zip(&facts.samples).enumerate();
    timed.find_map(|(i, (sample, fact))| {
        let shown = i128::from(sample.cts) - i128::from(track.shown_from);
        let wanted = i128::from(fact.pts) - i128::from(facts.start);
        let good = if fact.pts < facts.start {
            shown < 0
        } else if fact.pts < facts.end {
            (shown - wanted).unsigned_abs() <= repeated as u128
        } else {
            shown >= i128::from(facts.end) - i128::from(facts.start)
        };
        let number = i + 1;
        (!good).then(|| {
            format!("sample {number} is shown {shown} ticks after the start, not {wanted}")
        })
    })
}

/// Compares the `mp4` crate's reading of a file with ours: sample sizes,
/// offsets, times and sync samples of every track. `Some`: what differs.
pub fn second_opinion<R: Read + Seek>(
    mut file: R,
    size: u64,
    inspected: &Inspected,
) -> Result<Option<String>, Mp4Error> {
    let outline = Outline::of(&mut file, size)?;
    let mut index = outline.index(&mut file)?;
    let mut names = Vec::new();
    tree::walk(&index, Hand::Encoder, &mut |kind, at, _| {
        if &kind == b"hvc1" {
            names.push(at + 4);
        }
    })?;
    for at in names {
        index[at..at + 4].copy_from_slice(b"hev1");
    }
    let view = Overlaid {
        inner: file,
        position: 0,
        at: outline.moov.at,
        bytes: index,
    };
    let mut view = view;
    io("cannot seek", view.seek(SeekFrom::Start(0)))?;
    let mut reader = match Mp4Reader::read_header(view, size) {
        Ok(reader) => reader,
        Err(e) => return Ok(Some(format!("the second reader cannot read it: {e}"))),
    };
    if reader.tracks().len() != inspected.tracks.len() {
        return Ok(Some(format!(
            "the second reader sees {} tracks, not {}",
            reader.tracks().len(),
            inspected.tracks.len()
        )));
    }
    for track in &inspected.tracks {
        let found = match reader.tracks().get(&track.id) {
            None => Some("is not seen".into()),
            Some(theirs) => against_second(track, theirs),
        };
        let found = match found {
            None => some_samples(&mut reader, track)?,
            found => found,
        };
        if let Some(what) = found {
            return Ok(Some(format!("second reader, track {}: {what}", track.id)));
        }
    }
    Ok(None)
}

fn against_second(ours: &InspectedTrack, theirs: &Mp4Track) -> Option<String> {
    let kind = match ours.track() {
        Track::Video => TrackType::Video,
        Track::Audio => TrackType::Audio,
    };
    if theirs.track_type().ok() != Some(kind) || theirs.timescale() != ours.timescale() {
        return Some(format!(
            "it is {:?} at {} ticks per second",
            theirs.track_type().ok(),
            theirs.timescale()
        ));
    }
    if theirs.sample_count() as usize != ours.samples.len() {
        return Some(format!(
            "it has {} samples, not {}",
            theirs.sample_count(),
            ours.samples.len()
        ));
    }
    let facts = second_facts(theirs)?;
    let differing = ours.samples.iter().zip(&facts).enumerate();
    let mut differing = differing.filter(|(_, (ours, theirs))| {
        (ours.offset, ours.size, ours.dts, ours.cts, ours.sync)
            != (
                theirs.offset,
                theirs.size,
                theirs.dts,
                theirs.cts,
                theirs.sync,
            )
    });
    if let Some((i, (ours, theirs))) = differing.next() {
        return Some(format!("sample {}: {theirs:?}, not {ours:?}", i + 1));
    }
    (facts.len() != ours.samples.len()).then(|| format!("its tables hold {}", facts.len()))
}

/// The tables as that crate parsed them, spread out; as far as they reach.
fn second_facts(theirs: &Mp4Track) -> Option<Vec<InspectedSample>> {
    let stbl = &theirs.trak.mdia.minf.stbl;
    let offsets: Vec<u64> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), _) => stco.entries.iter().map(|at| u64::from(*at)).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        (None, None) => Vec::new(),
    };
    let mut deltas = stbl
        .stts
        .entries
        .iter()
        .flat_map(|run| std::iter::repeat_n(run.sample_delta, run.sample_count as usize));
    let mut shifts = stbl.ctts.iter().flat_map(|ctts| {
        let runs = ctts.entries.iter();
        runs.flat_map(|run| std::iter::repeat_n(run.sample_offset, run.sample_count as usize))
    });
    let mut facts: Vec<InspectedSample> = Vec::new();
    let mut dts = 0u64;
    for (i, run) in stbl.stsc.entries.iter().enumerate() {
        let next = stbl.stsc.entries.get(i + 1);
        let until = next.map_or(offsets.len() + 1, |next| next.first_chunk as usize);
        for chunk in run.first_chunk as usize..until {
            let mut offset = *offsets.get(chunk.wrapping_sub(1)).unwrap_or(&0);
            for _ in 0..run.samples_per_chunk {
                let size = *stbl.stsz.sample_sizes.get(facts.len())?;
                let number = u32::try_from(facts.len() + 1).ok()?;
                let sync = stbl.stss.as_ref();
                facts.push(InspectedSample {
                    offset,
                    size,
                    dts,
                    cts: dts.wrapping_add_signed(shifts.next().unwrap_or(0).into()),
                    sync: sync.is_none_or(|stss| stss.entries.binary_search(&number).is_ok()),
                    entry: run.sample_description_index.wrapping_sub(1),
                });
                dts += u64::from(deltas.next().unwrap_or(0));
                offset += u64::from(size);
            }
        }
    }
    Some(facts)
}

/// A few samples read through that crate's own arithmetic, bytes included.
fn some_samples<R: Read + Seek>(
    reader: &mut Mp4Reader<R>,
    track: &InspectedTrack,
) -> Result<Option<String>, Mp4Error> {
    let last = track.samples.len() - 1;
    for i in [0, last / 2, last] {
        let ours = &track.samples[i];
        let number = u32::try_from(i + 1).unwrap_or(u32::MAX);
        let theirs = match reader.read_sample(track.id, number) {
            Ok(Some(sample)) => sample,
            Ok(None) => return Ok(Some(format!("sample {number} is not found"))),
            Err(e) => return Ok(Some(format!("sample {number}: {e}"))),
        };
        let shown = theirs
            .start_time
            .wrapping_add_signed(theirs.rendering_offset.into());
        if (theirs.start_time, shown, theirs.is_sync, theirs.bytes.len())
            != (ours.dts, ours.cts, ours.sync, ours.size as usize)
        {
            return Ok(Some(format!("sample {number} is {theirs}, not {ours:?}")));
        }
        if track.track() == Track::Video && !nal::lengths_add_up(&theirs.bytes) {
            return Ok(Some(format!(
                "sample {number}: the lengths of its NAL units do not add up"
            )));
        }
    }
    Ok(None)
}

/// A file in which some bytes are replaced.
struct Overlaid<R> {
    inner: R,
    position: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl<R: Read + Seek> Read for Overlaid<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let end = self.at + self.bytes.len() as u64;
        let read = if (self.at..end).contains(&self.position) {
            let from = usize::try_from(self.position - self.at).unwrap_or(usize::MAX);
            let bytes = &self.bytes[from..];
            let len = bytes.len().min(buf.len());
            buf[..len].copy_from_slice(&bytes[..len]);
            len
        } else {
            let until_overlay = self.at.saturating_sub(self.position);
            let limit = match until_overlay {
                0 => buf.len(),
                near => usize::try_from(near).unwrap_or(usize::MAX).min(buf.len()),
            };
            self.inner.seek(SeekFrom::Start(self.position))?;
            self.inner.read(&mut buf[..limit])?
        };
        self.position += read as u64;
        Ok(read)
    }
}

impl<R: Seek> Seek for Overlaid<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(_) => Some(self.inner.seek(to)?),
        }
        .ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
