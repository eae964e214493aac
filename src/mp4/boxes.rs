//! Boxes that clips and fragments have in common: headers, tracks, sample entries.
//!
//! Leaves are written by `mp4-atom`; containers here, so that their children
//! stand in the order that old players expect.
//! Not here: sample tables (`clip`), runs (`fragment`).

use mp4_atom::{
    Audio, Avc1, Avc3, Avcc, Codec as Entry, Dref, DrefEntry, ElstEntry, Encode, FixedPoint, Flac,
    Ftyp, Hdlr, Hev1, Hvc1, Hvcc, Mdhd, Mp4a, Mvhd, Pasp, Smhd, Stsd, Tkhd, Url, Visual, Vmhd,
    esds::{DecoderConfig, DecoderSpecific, EsDescriptor, Esds, SLConfig},
};

use super::types::{MOVIE_TIMESCALE, Mp4Error};
use crate::media::{Codec, Track, TrackParams};

/// From 1904, where MP4 counts from, to 1970.
pub(super) const SECONDS_1904_TO_1970: u64 = 2_082_844_800;

type Written = Result<(), Mp4Error>;

/// Appends a box whose body `body` appends.
pub(super) fn boxed(
    out: &mut Vec<u8>,
    kind: &[u8; 4],
    body: impl FnOnce(&mut Vec<u8>) -> Written,
) -> Written {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(kind);
    body(out)?;
    let size = u32::try_from(out.len() - at)
        .map_err(|_| Mp4Error::Unwritable(format!("{} bytes of index", out.len())))?;
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
    Ok(())
}

/// Appends a box without children.
pub(super) fn put(out: &mut Vec<u8>, leaf: &impl Encode) -> Written {
    leaf.encode(out)
        .map_err(|e| Mp4Error::Unwritable(e.to_string()))
}

/// The first bytes of every clip; always of the same length.
pub(super) fn ftyp() -> Ftyp {
    Ftyp {
        major_brand: b"isom".into(),
        minor_version: 512,
        compatible_brands: vec![b"isom".into(), b"iso2".into(), b"mp41".into()],
    }
}

pub(super) fn mvhd(created_unix_s: u64, duration: u64, tracks: u32) -> Mvhd {
    Mvhd {
        creation_time: since_1904(created_unix_s),
        modification_time: since_1904(created_unix_s),
        timescale: MOVIE_TIMESCALE,
        duration,
        rate: 1.into(),
        volume: 1.into(),
        next_track_id: tracks + 1,
        ..Mvhd::default()
    }
}

/// Unknown stays unknown (0).
fn since_1904(unix_s: u64) -> u64 {
    match unix_s {
        0 => 0,
        known => known.saturating_add(SECONDS_1904_TO_1970),
    }
}

/// What a track's headers say.
pub(super) struct TrackHead<'a> {
    pub id: u32,
    pub entries: &'a [TrackParams],
    /// Index of the entry whose size the track has.
    pub shown_entry: usize,
    pub created_unix_s: u64,
    /// In the track's ticks.
    pub media_duration: u64,
    /// In the movie's ticks.
    pub movie_duration: u64,
    pub edits: Vec<ElstEntry>,
    pub bits_per_second: u32,
    /// Parameter sets may stand in the samples too.
    pub in_band: bool,
}

/// A whole `trak`; `tables` appends the sample tables behind `stsd`.
pub(super) fn trak(
    out: &mut Vec<u8>,
    head: &TrackHead,
    tables: impl FnOnce(&mut Vec<u8>) -> Written,
) -> Written {
    let shown = head
        .entries
        .get(head.shown_entry)
        .ok_or_else(|| Mp4Error::Unwritable("a track without sample entry".into()))?;
    boxed(out, b"trak", |out| {
        put(out, &tkhd(head, shown))?;
        if !head.edits.is_empty() {
            boxed(out, b"edts", |out| put(out, &elst(&head.edits)))?;
        }
        boxed(out, b"mdia", |out| {
            put(out, &mdhd(head, shown))?;
            put(out, &hdlr(shown.track()))?;
            boxed(out, b"minf", |out| {
                match shown.track() {
                    Track::Video => put(out, &Vmhd::default())?,
                    Track::Audio => put(out, &Smhd::default())?,
                }
                boxed(out, b"dinf", |out| put(out, &dref()))?;
                boxed(out, b"stbl", |out| {
                    put(out, &stsd(head)?)?;
                    tables(out)
                })
            })
        })
    })
}

fn tkhd(head: &TrackHead, shown: &TrackParams) -> Tkhd {
    let (width, height) = match shown.track() {
        Track::Video => (shown_width(shown), shown.height.into()),
        Track::Audio => (0.into(), 0.into()),
    };
    Tkhd {
        creation_time: since_1904(head.created_unix_s),
        modification_time: since_1904(head.created_unix_s),
        track_id: head.id,
        duration: head.movie_duration,
        enabled: true,
        in_movie: true,
        volume: u8::from(shown.track() == Track::Audio).into(),
        width,
        height,
        ..Tkhd::default()
    }
}

/// Width after stretching its pixels to squares, 16.16 bits.
fn shown_width(params: &TrackParams) -> FixedPoint<u16> {
    let (h, v) = params.pixel_aspect;
    let stretched = (u64::from(params.width) << 16) * u64::from(h) / u64::from(v.max(1));
    let [int, dec] = match u32::try_from(stretched) {
        Ok(fits) => [fits >> 16, fits & 0xffff].map(|half| u16::try_from(half).unwrap_or(0)),
        Err(_) => [params.width, 0],
    };
    FixedPoint::new(int, dec)
}

fn elst(edits: &[ElstEntry]) -> mp4_atom::Elst {
    mp4_atom::Elst {
        entries: edits.to_vec(),
    }
}

/// An edit of `duration` movie ticks from `media_time` on; nothing where that is `None`.
pub(super) fn edit(duration: u64, media_time: Option<u64>) -> ElstEntry {
    ElstEntry {
        segment_duration: duration,
        media_time,
        media_rate: 1.into(),
    }
}

fn mdhd(head: &TrackHead, shown: &TrackParams) -> Mdhd {
    Mdhd {
        creation_time: since_1904(head.created_unix_s),
        modification_time: since_1904(head.created_unix_s),
        timescale: shown.timescale,
        duration: head.media_duration,
        language: "und".into(),
    }
}

fn hdlr(track: Track) -> Hdlr {
    let (handler, name) = match track {
        Track::Video => (b"vide", "VideoHandler"),
        Track::Audio => (b"soun", "SoundHandler"),
    };
    Hdlr {
        handler: handler.into(),
        name: name.into(),
    }
}

fn dref() -> Dref {
    Dref {
        entries: vec![DrefEntry::Url(Url::default())],
    }
}

fn stsd(head: &TrackHead) -> Result<Stsd, Mp4Error> {
    let codecs = head
        .entries
        .iter()
        .map(|params| sample_entry(params, head))
        .collect::<Result<_, _>>()?;
    Ok(Stsd { codecs })
}

fn sample_entry(params: &TrackParams, head: &TrackHead) -> Result<Entry, Mp4Error> {
    let visual = Visual {
        data_reference_index: 1,
        width: params.width,
        height: params.height,
        ..Visual::default()
    };
    let pasp = (params.pixel_aspect.0 != params.pixel_aspect.1).then(|| Pasp {
        h_spacing: params.pixel_aspect.0.into(),
        v_spacing: params.pixel_aspect.1.into(),
    });
    Ok(match (params.codec, head.in_band) {
        (Codec::H264, false) => Entry::Avc1(Avc1 {
            visual,
            avcc: config(params)?,
            pasp,
            ..Avc1::default()
        }),
        (Codec::H264, true) => Entry::Avc3(Avc3 {
            visual,
            avcc: config(params)?,
            pasp,
            ..Avc3::default()
        }),
        (Codec::H265, false) => Entry::Hvc1(Hvc1 {
            visual,
            hvcc: complete(config(params)?, true),
            pasp,
            ..Hvc1::default()
        }),
        (Codec::H265, true) => Entry::Hev1(Hev1 {
            visual,
            hvcc: complete(config(params)?, false),
            pasp,
            ..Hev1::default()
        }),
        (Codec::Aac, _) => Entry::Mp4a(mp4a(params, head)),
        (Codec::Flac, _) => Entry::Flac(Flac {
            audio: audio(params),
            dfla: config(params)?,
        }),
        (Codec::Pcma | Codec::Pcmu | Codec::L16, _) => {
            let what = format!("{:?}, which goes into a file as FLAC", params.codec);
            return Err(Mp4Error::Unwritable(what));
        }
    })
}

/// `hvc1` demands that its parameter sets are said to be all there are, `hev1` that they are not.
fn complete(mut hvcc: Hvcc, complete: bool) -> Hvcc {
    for array in &mut hvcc.arrays {
        array.completeness = complete;
    }
    hvcc
}

/// The body of `avcC`, `hvcC` or `dfLa`, understood.
pub(super) fn config<T: mp4_atom::Atom>(params: &TrackParams) -> Result<T, Mp4Error> {
    let mut rest = params.config.as_slice();
    let parsed = T::decode_body(&mut rest).map_err(|e| {
        Mp4Error::Unwritable(format!("the {} parameters of the track: {e}", T::KIND))
    })?;
    match rest {
        [] => Ok(parsed),
        left => Err(Mp4Error::Unwritable(format!(
            "{} bytes behind the {} parameters of the track",
            left.len(),
            T::KIND
        ))),
    }
}

fn mp4a(params: &TrackParams, head: &TrackHead) -> Mp4a {
    const AAC: u8 = 0x40;
    const AUDIO_STREAM: u8 = 5;
    Mp4a {
        audio: audio(params),
        esds: Esds {
            es_desc: EsDescriptor {
                es_id: 0,
                dec_config: DecoderConfig {
                    object_type_indication: AAC,
                    stream_type: AUDIO_STREAM,
                    max_bitrate: head.bits_per_second,
                    avg_bitrate: head.bits_per_second,
                    dec_specific: Some(DecoderSpecific {
                        raw: params.config.clone(),
                        ..DecoderSpecific::default()
                    }),
                    ..DecoderConfig::default()
                },
                sl_config: SLConfig::default(),
                ..EsDescriptor::default()
            },
        },
        btrt: None,
        taic: None,
    }
}

fn audio(params: &TrackParams) -> Audio {
    Audio {
        data_reference_index: 1,
        channel_count: params.channels,
        sample_size: 16,
        // 96 kHz does not fit; decoders take the rate from the config.
        sample_rate: u16::try_from(params.timescale).unwrap_or(0).into(),
    }
}

/// The parameter sets of a video track as NAL units with 4-byte lengths, as
/// they stand before a key frame's own in streams that carry them in band.
pub fn parameter_sets(params: &TrackParams) -> Result<Vec<u8>, Mp4Error> {
    /// VPS, SPS, PPS.
    const H265_SETS: [u8; 3] = [32, 33, 34];
    let sets = match params.codec {
        Codec::H264 => {
            let avcc: Avcc = config(params)?;
            [avcc.sequence_parameter_sets, avcc.picture_parameter_sets].concat()
        }
        Codec::H265 => {
            let hvcc: Hvcc = config(params)?;
            let of = |kind: &u8| {
                let arrays = hvcc.arrays.iter().filter(|a| a.nal_unit_type == *kind);
                arrays.flat_map(|array| array.nalus.clone()).collect()
            };
            H265_SETS.iter().map(of).collect::<Vec<Vec<_>>>().concat()
        }
        Codec::Aac | Codec::Pcma | Codec::Pcmu | Codec::L16 | Codec::Flac => Vec::new(),
    };
    let mut bytes = Vec::new();
    for set in sets {
        // Records count sets' lengths in 16 bits.
        let len = u32::try_from(set.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(&set);
    }
    Ok(bytes)
}
