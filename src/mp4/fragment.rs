//! Fragmented MP4 for live readers: an init segment, then fragments.
//!
//! Video is `avc3`/`hev1`: parameter sets may stand in front of key frames
//! (`parameter_sets`), so that a change of parameters needs no second
//! init segment, which players (FFmpeg 5.1) ignore.
//! Not here: when a fragment is due (`fragment`).

use mp4_atom::{
    Ftyp, Mfhd, Moof, Mvex, Stco, Stsc, Stsz, Stts, Tfdt, Tfhd, Traf, Trex, Trun, TrunEntry,
};

use super::boxes::{self, TrackHead, boxed, put};
use super::types::Mp4Error;
use crate::media::TrackParams;

/// A sample on its way into a fragment; times in ticks of its track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentSample {
    pub data: Vec<u8>,
    /// From the stream's beginning.
    pub dts: u64,
    /// Presentation time less decode time.
    pub shown_after: i32,
    pub duration: u32,
    pub sync: bool,
}

/// Samples of one track, in decoding order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentRun {
    /// Index of the track in the init segment.
    pub track: usize,
    pub samples: Vec<FragmentSample>,
}

/// `ftyp` and a `moov` without samples.
pub fn init_segment(tracks: &[TrackParams]) -> Result<Vec<u8>, Mp4Error> {
    let ftyp = Ftyp {
        major_brand: b"iso6".into(),
        minor_version: 512,
        compatible_brands: vec![b"iso6".into(), b"mp41".into()],
    };
    let mut out = Vec::new();
    put(&mut out, &ftyp)?;
    boxed(&mut out, b"moov", |out| {
        let count = u32::try_from(tracks.len()).unwrap_or(u32::MAX);
        put(out, &boxes::mvhd(0, 0, count))?;
        for (id, params) in (1..).zip(tracks) {
            let head = TrackHead {
                id,
                entries: std::slice::from_ref(params),
                shown_entry: 0,
                created_unix_s: 0,
                media_duration: 0,
                movie_duration: 0,
                edits: Vec::new(),
                bits_per_second: 0,
                in_band: true,
            };
            boxes::trak(out, &head, |out| {
                put(out, &Stts::default())?;
                put(out, &Stsc::default())?;
                put(out, &Stsz::default())?;
                put(out, &Stco::default())
            })?;
        }
        put(out, &mvex(count))
    })?;
    Ok(out)
}

fn mvex(tracks: u32) -> Mvex {
    let trex = |track_id| Trex {
        track_id,
        default_sample_description_index: 1,
        default_sample_duration: 0,
        default_sample_size: 0,
        default_sample_flags: 0,
    };
    Mvex {
        mehd: None,
        trex: (1..=tracks).map(trex).collect(),
    }
}

/// `moof` and `mdat`. `sequence` counts from 1. Runs without samples are left
/// out; with none left there is no fragment.
pub fn fragment(sequence: u32, runs: &[FragmentRun]) -> Result<Vec<u8>, Mp4Error> {
    let runs: Vec<&FragmentRun> = runs.iter().filter(|run| !run.samples.is_empty()).collect();
    let Some(_) = runs.first() else {
        return Ok(Vec::new());
    };
    // Its length does not depend on the offsets in it.
    let mut out = Vec::new();
    put(&mut out, &moof(sequence, &runs, 0)?)?;
    let header = out.len();
    out.clear();
    put(&mut out, &moof(sequence, &runs, header + 8)?)?;
    boxed(&mut out, b"mdat", |out| {
        for sample in runs.iter().flat_map(|run| &run.samples) {
            out.extend_from_slice(&sample.data);
        }
        Ok(())
    })?;
    Ok(out)
}

fn moof(sequence: u32, runs: &[&FragmentRun], first: usize) -> Result<Moof, Mp4Error> {
    let mut at = first;
    let mut trafs = Vec::new();
    for run in runs {
        trafs.push(traf(run, at)?);
        at += run.samples.iter().map(|s| s.data.len()).sum::<usize>();
    }
    Ok(Moof {
        mfhd: Mfhd {
            sequence_number: sequence,
        },
        traf: trafs,
    })
}

fn traf(run: &FragmentRun, at: usize) -> Result<Traf, Mp4Error> {
    let too_much = |_| Mp4Error::Unwritable(format!("a fragment of more than {at} bytes"));
    Ok(Traf {
        tfhd: Tfhd {
            track_id: u32::try_from(run.track + 1).map_err(too_much)?,
            default_base_is_moof: true,
            ..Tfhd::default()
        },
        tfdt: Some(Tfdt {
            base_media_decode_time: run.samples.first().map_or(0, |sample| sample.dts),
        }),
        trun: vec![Trun {
            data_offset: Some(i32::try_from(at).map_err(too_much)?),
            samples: run
                .samples
                .iter()
                .map(entry)
                .collect::<Result<Vec<_>, _>>()?
                .into(),
        }],
        ..Traf::default()
    })
}

fn entry(sample: &FragmentSample) -> Result<TrunEntry, Mp4Error> {
    /// Depends on no other.
    const SYNC: u32 = 0x0200_0000;
    /// Depends on others and is no sync sample.
    const OTHER: u32 = 0x0101_0000;
    let size = u32::try_from(sample.data.len())
        .map_err(|_| Mp4Error::Unwritable(format!("a frame of {} bytes", sample.data.len())))?;
    Ok(TrunEntry {
        duration: Some(sample.duration),
        size: Some(size),
        flags: Some(if sample.sync { SYNC } else { OTHER }),
        cts: Some(sample.shown_after.into()),
    })
}
