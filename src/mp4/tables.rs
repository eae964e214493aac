//! The sample tables of one track, read strictly: every table must cover its
//! samples exactly, and every sample must lie in the data.

use std::borrow::Cow;
use std::ops::Range;

use mp4_atom::{StscEntry, StszSamples, Trak};

use super::inspected::InspectedSample;
use super::tree::{Hand, unreadable};
use super::types::Mp4Error;

/// All samples, in decoding order. `entries`: how many sample entries there are.
pub(super) fn samples(
    trak: &Trak,
    data: &Range<u64>,
    entries: usize,
    hand: Hand,
) -> Result<Vec<InspectedSample>, Mp4Error> {
    let stbl = &trak.mdia.minf.stbl;
    let sizes = match (&stbl.stsz.samples, hand) {
        (StszSamples::Different { sizes }, _) => Cow::Borrowed(&sizes[..]),
        // FFmpeg does not list a single one.
        (StszSamples::Identical { count: 1, size }, Hand::Encoder) => Cow::Owned(vec![*size]),
        _ => return unreadable("sample sizes that are not listed one by one"),
    };
    if sizes.is_empty() {
        return unreadable("no samples");
    }
    let mut samples = places(trak, data, &sizes, entries)?;
    times(trak, &mut samples)?;
    sync_samples(trak, &mut samples)?;
    Ok(samples)
}

/// Walks the chunks: where each sample lies and which entry it needs.
fn places(
    trak: &Trak,
    data: &Range<u64>,
    sizes: &[u32],
    entries: usize,
) -> Result<Vec<InspectedSample>, Mp4Error> {
    let chunk_offsets = chunk_offsets(trak)?;
    let runs = &trak.mdia.minf.stbl.stsc.entries;
    let rises = |pair: &[StscEntry]| pair[0].first_chunk < pair[1].first_chunk;
    if runs.first().is_none_or(|run| run.first_chunk != 1) || !runs.windows(2).all(rises) {
        return unreadable("its table of chunks (stsc) does not rise from 1");
    }
    let mut samples: Vec<InspectedSample> = Vec::new();
    let mut run = 0;
    for (number, &offset) in (1u32..).zip(&chunk_offsets) {
        if runs
            .get(run + 1)
            .is_some_and(|next| next.first_chunk == number)
        {
            run += 1;
        }
        let entry = runs[run].sample_description_index.wrapping_sub(1);
        if entry as usize >= entries {
            return unreadable(format!(
                "chunk {number} names a sample entry that is not there"
            ));
        }
        let count = usize::try_from(runs[run].samples_per_chunk).unwrap_or(usize::MAX);
        let Some(sizes) = sizes[samples.len()..].get(..count) else {
            return unreadable("its chunks hold more samples than have sizes");
        };
        chunk(&mut samples, offset, sizes, entry, data)?;
    }
    if samples.len() != sizes.len() || run + 1 != runs.len() {
        return unreadable(format!(
            "its chunks hold {} samples, {} have sizes",
            samples.len(),
            sizes.len()
        ));
    }
    Ok(samples)
}

fn chunk_offsets(trak: &Trak) -> Result<Vec<u64>, Mp4Error> {
    let stbl = &trak.mdia.minf.stbl;
    match (&stbl.stco, &stbl.co64) {
        (Some(stco), None) => Ok(stco.entries.iter().map(|at| u64::from(*at)).collect()),
        (None, Some(co64)) => Ok(co64.entries.clone()),
        _ => unreadable("not exactly one table of chunk offsets"),
    }
}

/// The samples of one chunk, which begins at `offset` and must lie in `data`.
fn chunk(
    samples: &mut Vec<InspectedSample>,
    mut offset: u64,
    sizes: &[u32],
    entry: u32,
    data: &Range<u64>,
) -> Result<(), Mp4Error> {
    for &size in sizes {
        let end = offset.checked_add(size.into());
        let Some(end) = end.filter(|end| offset >= data.start && *end <= data.end) else {
            return unreadable(format!(
                "sample {} of {size} bytes at {offset} lies outside the data",
                samples.len() + 1
            ));
        };
        samples.push(InspectedSample {
            offset,
            size,
            dts: 0,
            cts: 0,
            sync: true,
            entry,
        });
        offset = end;
    }
    Ok(())
}

/// Runs of (count, value) must cover the samples exactly.
fn expand<'a, T: Copy + 'a>(
    table: &str,
    samples: usize,
    runs: impl Iterator<Item = (u32, T)> + 'a,
) -> Result<Vec<T>, Mp4Error> {
    let mut values = Vec::new();
    for (count, value) in runs {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count == 0 || count > samples - values.len() {
            return unreadable(format!("{table} does not match its {samples} samples"));
        }
        values.resize(values.len() + count, value);
    }
    match values.len() == samples {
        true => Ok(values),
        false => unreadable(format!(
            "{table} covers {} of its {samples} samples",
            values.len()
        )),
    }
}

fn times(trak: &Trak, samples: &mut [InspectedSample]) -> Result<(), Mp4Error> {
    let stbl = &trak.mdia.minf.stbl;
    let runs = stbl.stts.entries.iter();
    let deltas = expand(
        "stts",
        samples.len(),
        runs.map(|run| (run.sample_count, run.sample_delta)),
    )?;
    if deltas.contains(&0) {
        return unreadable("a sample that lasts no time");
    }
    let offsets = match &stbl.ctts {
        None => vec![0; samples.len()],
        Some(ctts) => expand(
            "ctts",
            samples.len(),
            ctts.entries
                .iter()
                .map(|run| (run.sample_count, run.sample_offset)),
        )?,
    };
    let mut dts = 0u64;
    for ((sample, delta), offset) in samples.iter_mut().zip(deltas).zip(offsets) {
        let Ok(offset) = u64::try_from(offset) else {
            return unreadable("a sample that is shown before it is decoded");
        };
        sample.dts = dts;
        // At most 2^32 samples of at most 2^32 ticks, plus 2^32: never overflows by much.
        sample.cts = dts.saturating_add(offset);
        dts = dts.saturating_add(delta.into());
    }
    let mut shown: Vec<u64> = samples.iter().map(|sample| sample.cts).collect();
    shown.sort_unstable();
    match shown.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Mp4Error::ShownAtOnce { tick: pair[0] }),
        None => Ok(()),
    }
}

fn sync_samples(trak: &Trak, samples: &mut [InspectedSample]) -> Result<(), Mp4Error> {
    let Some(stss) = &trak.mdia.minf.stbl.stss else {
        return Ok(());
    };
    samples.iter_mut().for_each(|sample| sample.sync = false);
    let mut previous = 0;
    for &number in &stss.entries {
        let index = usize::try_from(number)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        let Some(sample) = samples.get_mut(index).filter(|_| number > previous) else {
            return unreadable(format!("key frame {number} in its table (stss)"));
        };
        sample.sync = true;
        previous = number;
    }
    Ok(())
}
