//! Reads an MP4 as FFmpeg writes it into reels.
//!
//! Not here: reading foreign files. This is for the bundled pattern and for tests.

use mp4_atom::{Codec as Entry, Edts, Moov, ReadUntil, Stbl, StszSamples, Trak};

use super::packet::Packets;
use super::reel::{Coding, Reel, Unit};
use crate::media::{Codec, nal};

/// Why a file is no footage that the camera can serve.
#[derive(Debug, thiserror::Error)]
pub enum UnusableMp4 {
    #[error("it has no index (moov)")]
    NoIndex,
    #[error("{0}")]
    Index(mp4_atom::Error),
    #[error("AAC without its config")]
    NoAacConfig,
    #[error("a track that is neither H.264 nor H.265 nor AAC")]
    OtherCodec,
    #[error("no video")]
    NoVideo,
    #[error("its video does not begin with a key frame")]
    NoKeyFrameFirst,
    #[error("its audio frames have no duration")]
    NoDuration,
    #[error("a sample at {at} lies outside of the file")]
    SampleOutside { at: u64 },
    #[error("its sample tables do not agree")]
    Tables,
}

/// The tracks of video and audio.
pub(super) fn read(bytes: &[u8]) -> Result<(Reel, Option<Reel>), UnusableMp4> {
    let mut index = moov_of(bytes).ok_or(UnusableMp4::NoIndex)?;
    let moov = Moov::read_until(&mut index).map_err(UnusableMp4::Index)?;
    let (mut video, mut audio) = (None, None);
    for trak in &moov.trak {
        match trak.mdia.minf.stbl.stsd.codecs.first() {
            Some(Entry::Avc1(entry)) => {
                let avcc = &entry.avcc;
                let sets = [
                    avcc.sequence_parameter_sets.as_slice(),
                    &avcc.picture_parameter_sets,
                ];
                video = Some(video_reel(trak, bytes, Coding::H264(sets.concat()))?);
            }
            Some(Entry::Hev1(entry)) => video = Some(h265_reel(trak, bytes, &entry.hvcc)?),
            Some(Entry::Hvc1(entry)) => video = Some(h265_reel(trak, bytes, &entry.hvcc)?),
            Some(Entry::Mp4a(entry)) => {
                let specific = entry.esds.es_desc.dec_config.dec_specific.as_ref();
                // Not the sample entry's channel count: FFmpeg writes 2 there, always.
                let coding = specific.map(|s| Coding::Aac {
                    config: s.raw.clone(),
                    channels: u16::from(s.chan_conf),
                });
                let coding = coding.ok_or(UnusableMp4::NoAacConfig)?;
                audio = Some(audio_reel(trak, bytes, coding)?);
            }
            _ => return Err(UnusableMp4::OtherCodec),
        }
    }
    Ok((video.ok_or(UnusableMp4::NoVideo)?, audio))
}

/// The file from its index on: FFmpeg writes that behind the data.
fn moov_of(file: &[u8]) -> Option<&[u8]> {
    let mut rest = file;
    loop {
        let (size, kind) = (rest.get(..4)?, rest.get(4..8)?);
        if kind == b"moov" {
            return Some(rest);
        }
        let size = match u64::from(u32::from_be_bytes(size.try_into().ok()?)) {
            1 => u64::from_be_bytes(rest.get(8..16)?.try_into().ok()?),
            size => size,
        };
        rest = rest.get(usize::try_from(size.max(8)).ok()?..)?;
    }
}

fn h265_reel(trak: &Trak, bytes: &[u8], hvcc: &mp4_atom::Hvcc) -> Result<Reel, UnusableMp4> {
    // VPS 32, SPS 33, PPS 34; others (SEI) may stand in hvcC too.
    let sets = (32..=34).flat_map(|kind| {
        let wanted = hvcc.arrays.iter().filter(move |a| a.nal_unit_type == kind);
        wanted.flat_map(|a| a.nalus.clone())
    });
    video_reel(trak, bytes, Coding::H265(sets.collect()))
}

fn video_reel(trak: &Trak, bytes: &[u8], coding: Coding) -> Result<Reel, UnusableMp4> {
    let timescale = i64::from(trak.mdia.mdhd.timescale);
    let to_90k = |ticks: i64| (ticks * 90_000 + timescale / 2).div_euclid(timescale);
    let samples = samples(trak)?;
    let mut units = Vec::with_capacity(samples.len());
    for sample in &samples {
        let au = sample.bytes(bytes)?;
        let codec = match coding {
            Coding::H265(_) => Codec::H265,
            _ => Codec::H264,
        };
        units.push(Unit {
            pts: to_90k(sample.pts),
            dts: to_90k(sample.dts),
            key: nal::classify(codec, au).key,
            number: 0,
            packets: cut_video(codec, au),
        });
    }
    let span = samples.iter().map(|s| s.duration).sum();
    let first_key = units.first().is_some_and(|u| u.key);
    if !first_key {
        return Err(UnusableMp4::NoKeyFrameFirst);
    }
    Ok(Reel::new(coding, 90_000, to_90k(span), units))
}

/// The packets of a picture; parameter sets and delimiters stay out.
fn cut_video(codec: Codec, au: &[u8]) -> Packets {
    let mut packets = Packets::default();
    for nal in nal::Nals::new(au) {
        match codec {
            Codec::H265 if (32..=35).contains(&(nal[0] >> 1 & 0x3f)) => {}
            Codec::H265 => packets.push_h265(nal),
            _ if (7..=9).contains(&(nal[0] & 0x1f)) => {}
            _ => packets.push_h264(nal),
        }
    }
    packets
}

fn audio_reel(trak: &Trak, bytes: &[u8], coding: Coding) -> Result<Reel, UnusableMp4> {
    let samples = samples(trak)?;
    let span = samples.first().map_or(0, |s| s.duration);
    if span <= 0 {
        return Err(UnusableMp4::NoDuration);
    }
    let mut units = Vec::with_capacity(samples.len());
    // What lies before the edit's start only primes the decoder.
    for sample in samples.iter().filter(|s| s.pts >= 0) {
        let mut packets = Packets::default();
        packets.push_aac(sample.bytes(bytes)?);
        units.push(Unit {
            pts: sample.pts,
            dts: sample.pts,
            key: true,
            number: 0,
            packets,
        });
    }
    Ok(Reel::new(coding, trak.mdia.mdhd.timescale, span, units))
}

/// A sample of the tables. Times are in the track's ticks, the edit's start is 0.
struct Sample {
    offset: u64,
    size: u32,
    pts: i64,
    dts: i64,
    duration: i64,
}

impl Sample {
    fn bytes<'a>(&self, file: &'a [u8]) -> Result<&'a [u8], UnusableMp4> {
        let from = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        file.get(from..from.saturating_add(size))
            .ok_or(UnusableMp4::SampleOutside { at: self.offset })
    }
}

fn samples(trak: &Trak) -> Result<Vec<Sample>, UnusableMp4> {
    let stbl = &trak.mdia.minf.stbl;
    let sizes = match &stbl.stsz.samples {
        StszSamples::Identical { count, size } => vec![*size; usize::try_from(*count).unwrap_or(0)],
        StszSamples::Different { sizes } => sizes.clone(),
    };
    let offsets = offsets(stbl, &sizes);
    let durations = stbl.stts.entries.iter().flat_map(|e| {
        let delta = i64::from(e.sample_delta);
        (0..e.sample_count).map(move |_| delta)
    });
    let shifts = stbl.ctts.iter().flat_map(|ctts| &ctts.entries);
    let shifts = shifts.flat_map(|e| (0..e.sample_count).map(move |_| e.sample_offset));
    let skip = edit_start(trak.edts.as_ref());
    let mut dts = -skip;
    let mut samples = Vec::with_capacity(sizes.len());
    let facts = durations.zip(shifts.chain(std::iter::repeat(0)));
    for ((&size, offset), (duration, shift)) in sizes.iter().zip(offsets).zip(facts) {
        samples.push(Sample {
            offset,
            size,
            pts: dts + shift,
            dts,
            duration,
        });
        dts += duration;
    }
    match samples.len() == sizes.len() {
        true => Ok(samples),
        false => Err(UnusableMp4::Tables),
    }
}

/// Media time at which the first real edit starts.
fn edit_start(edts: Option<&Edts>) -> i64 {
    let elst = edts.and_then(|edts| edts.elst.as_ref());
    let start = elst.and_then(|elst| elst.entries.iter().find_map(|e| e.media_time));
    start.and_then(|t| i64::try_from(t).ok()).unwrap_or(0)
}

fn offsets(stbl: &Stbl, sizes: &[u32]) -> Vec<u64> {
    let chunks: Vec<u64> = match (&stbl.stco, &stbl.co64) {
        (Some(stco), _) => stco.entries.iter().copied().map(u64::from).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        (None, None) => Vec::new(),
    };
    let runs = &stbl.stsc.entries;
    let mut sizes = sizes.iter();
    let mut offsets = Vec::with_capacity(sizes.len());
    for (number, mut at) in (1_u32..).zip(chunks) {
        let run = runs.iter().rev().find(|run| run.first_chunk <= number);
        for _ in 0..run.map_or(0, |run| run.samples_per_chunk) {
            let Some(&size) = sizes.next() else { break };
            offsets.push(at);
            at += u64::from(size);
        }
    }
    offsets
}
