//! H.264: payloads after RFC 6184, heads of NAL units after ITU-T H.264.
//!
//! Taken are single units, aggregates (STAP-A and B, MTAP) and fragments (FU-A and B); also whole byte streams with start
//! codes, which some cameras send instead. Packets are in decoding order: interleaving is not offered to a camera.

use std::collections::BTreeMap;

use base64::Engine;
use h264_reader::nal::sps::{FrameMbsFlags, PicOrderCntType, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};

use crate::media::bits::Bits;
use crate::media::nal::without_emulation_prevention;

use super::fault::PacketFault;
use super::sets::{ParameterSets, SetId, SetKind};
use super::units::{HEAD, NalRole, Part, PictureId, SliceHead, VideoCoding};

/// Ids are below these.
const MOST_PPS: u32 = 256;
const MOST_SPS: u32 = 32;

/// How the slices under an SPS are to be read.
#[derive(Clone, Copy, Debug)]
struct SliceForm {
    frame_bits: u32,
    /// Bits of the order count, where slices carry it.
    order_bits: Option<u32>,
    fields: bool,
    planes: bool,
}

#[derive(Debug, Default)]
pub(super) struct H264 {
    forms: BTreeMap<u32, SliceForm>,
}

impl VideoCoding for H264 {
    const H265: bool = false;
    const HEADER: usize = 1;

    fn sets_of(fmtp: &str) -> Vec<Vec<u8>> {
        base64_list(fmtp, &["sprop-parameter-sets"])
    }

    fn role(&self, head: &[u8], sets: &ParameterSets) -> NalRole {
        let kind = head.first().map_or(0, |byte| byte & 0x1f);
        match kind {
            1 | 2 | 5 => NalRole::Slice(self.slice(head, sets)),
            // Partitions that belong to the slice before them.
            3 | 4 => NalRole::Suffix,
            7 => of_set(read(head, sps_id)),
            8 => of_set(read(head, pps_ids)),
            6 | 9 | 13..=18 => NalRole::Prefix,
            10 | 11 | 19..=21 => NalRole::Suffix,
            12 => NalRole::Filler,
            _ => NalRole::Reserved,
        }
    }

    fn learnt(&mut self, set: SetId, nal: &[u8]) {
        if set.kind != SetKind::Sps {
            return;
        }
        match form_of(nal) {
            Some(form) => self.forms.insert(set.id, form),
            None => self.forms.remove(&set.id),
        };
    }

    fn parts<'a>(
        &self,
        payload: &'a [u8],
        each: &mut dyn FnMut(Part<'a>),
    ) -> Result<(), PacketFault> {
        let (&first, body) = payload.split_first().ok_or(PacketFault::Empty)?;
        match first & 0x1f {
            _ if starts_with_code(payload) => each(Part::Nal(payload)),
            // DON, and for MTAPs per unit its offset and a timestamp; decoding order is theirs.
            24 => aggregate(body, 0, each)?,
            25 => aggregate(body.get(2..).ok_or(PacketFault::Broken)?, 0, each)?,
            26 => aggregate(body.get(2..).ok_or(PacketFault::Broken)?, 3, each)?,
            27 => aggregate(body.get(2..).ok_or(PacketFault::Broken)?, 4, each)?,
            28 => each(fragment(first, body, 0)?),
            29 => each(fragment(first, body, 2)?),
            0 | 30 | 31 => return Err(PacketFault::Reserved),
            _ => each(Part::Nal(payload)),
        }
        Ok(())
    }
}

impl H264 {
    fn slice(&self, head: &[u8], sets: &ParameterSets) -> SliceHead {
        let mut slice = SliceHead {
            at: 0,
            key: head.first().is_some_and(|byte| byte & 0x1f == 5),
            pps: None,
            picture: None,
        };
        let _ = read(head, |bits| {
            bits.skip(8)?;
            slice.at = bits.ue()?;
            bits.ue()?;
            let pps = bits.ue().filter(|pps| *pps < MOST_PPS)?;
            slice.pps = Some(pps);
            let form = self.forms.get(&sets.sps_of(pps)?)?;
            slice.picture = picture(bits, form, head.first().copied()?);
            slice.picture
        });
        slice
    }
}

/// From behind the PPS's id.
fn picture(bits: &mut Bits<'_>, form: &SliceForm, header: u8) -> Option<PictureId> {
    if form.planes {
        bits.skip(2)?;
    }
    let frame = bits.bits(form.frame_bits)?;
    let field = match form.fields && bits.bit()? {
        true => Some(bits.bit()?),
        false => None,
    };
    let idr = match header & 0x1f {
        5 => Some(bits.ue()?),
        _ => None,
    };
    let order = match form.order_bits {
        Some(count) => bits.bits(count)?,
        None => 0,
    };
    Some(PictureId {
        frame,
        reference: header & 0x60 != 0,
        idr,
        order,
        field,
    })
}

fn form_of(sps: &[u8]) -> Option<SliceForm> {
    // The reader does not expect a shorter one.
    let sps = decode_nal(sps.get(..).filter(|sps| sps.len() >= 4)?).ok()?;
    let sps = SeqParameterSet::from_bits(BitReader::new(&*sps)).ok()?;
    Some(SliceForm {
        frame_bits: u32::from(sps.log2_max_frame_num_minus4) + 4,
        order_bits: match sps.pic_order_cnt {
            PicOrderCntType::TypeZero {
                log2_max_pic_order_cnt_lsb_minus4: bits,
            } => Some(u32::from(bits) + 4),
            _ => None,
        },
        fields: !matches!(sps.frame_mbs_flags, FrameMbsFlags::Frames),
        planes: sps.chroma_info.separate_colour_plane_flag,
    })
}

fn sps_id(bits: &mut Bits<'_>) -> Option<SetId> {
    // Header, profile, constraints, level.
    bits.skip(32)?;
    let id = bits.ue().filter(|id| *id < MOST_SPS)?;
    Some(SetId {
        kind: SetKind::Sps,
        id,
        takes: 0,
    })
}

fn pps_ids(bits: &mut Bits<'_>) -> Option<SetId> {
    bits.skip(8)?;
    let id = bits.ue().filter(|id| *id < MOST_PPS)?;
    let takes = bits.ue().filter(|sps| *sps < MOST_SPS)?;
    Some(SetId {
        kind: SetKind::Pps,
        id,
        takes,
    })
}

/// Reads a unit's head without its emulation prevention.
pub(super) fn read<T>(head: &[u8], take: impl FnOnce(&mut Bits<'_>) -> Option<T>) -> Option<T> {
    let mut plain = [0; HEAD];
    let bytes = without_emulation_prevention(head).zip(&mut plain);
    let len = bytes.map(|(byte, slot)| *slot = byte).count();
    take(&mut Bits::new(plain.get(..len)?))
}

pub(super) fn of_set(set: Option<SetId>) -> NalRole {
    set.map_or(NalRole::BadSet, NalRole::Set)
}

pub(super) fn starts_with_code(payload: &[u8]) -> bool {
    behind_code(payload).is_some()
}

/// What follows the start code that it begins with.
pub(super) fn behind_code(payload: &[u8]) -> Option<&[u8]> {
    let long = payload.strip_prefix(&[0, 0, 0, 1]);
    long.or_else(|| payload.strip_prefix(&[0, 0, 1]))
}

/// Units behind lengths of 16 bits; `skip`: bytes of each before the unit.
pub(super) fn aggregate<'a>(
    mut body: &'a [u8],
    skip: usize,
    each: &mut dyn FnMut(Part<'a>),
) -> Result<(), PacketFault> {
    if body.is_empty() {
        return Err(PacketFault::Empty);
    }
    while !body.is_empty() {
        let (len, rest) = body.split_first_chunk::<2>().ok_or(PacketFault::Broken)?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (unit, rest) = rest
            .split_at_checked(len + skip * usize::from(len > 0))
            .ok_or(PacketFault::Broken)?;
        body = rest;
        let unit = unit.get(skip.min(unit.len())..).unwrap_or_default();
        if !unit.is_empty() {
            each(Part::Nal(unit));
        }
    }
    Ok(())
}

/// `skip`: bytes of the order number, in the first piece of an FU-B.
fn fragment(indicator: u8, body: &[u8], skip: usize) -> Result<Part<'_>, PacketFault> {
    let (&head, piece) = body.split_first().ok_or(PacketFault::Empty)?;
    let piece = piece
        .get(skip..)
        .filter(|piece| !piece.is_empty())
        .ok_or(PacketFault::Empty)?;
    let starts = head & 0x80 != 0;
    let header = indicator & 0xe0 | head & 0x1f;
    // Some put a start code there, and the unit's own header behind it.
    let behind = behind_code(piece)
        .filter(|_| starts)
        .and_then(<[u8]>::split_first);
    let (&header, piece) = behind.unwrap_or((&header, piece));
    Ok(Part::Fragment {
        header: [header, 0],
        starts,
        ends: head & 0x40 != 0,
        piece,
    })
}

/// The units of `fmtp`'s parameters of these names, in their order. What cannot be read is left out.
pub(super) fn base64_list(fmtp: &str, names: &[&str]) -> Vec<Vec<u8>> {
    // Cameras pad as they like.
    let alphabet = base64::engine::general_purpose::STANDARD_NO_PAD;
    let mut nals = Vec::new();
    for name in names {
        let values = fmtp.split(';').filter_map(|pair| pair.split_once('='));
        let mut values = values.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        let list = values.next().map_or("", |(_, list)| list);
        let texts = list
            .split(',')
            .map(|text| text.trim().trim_end_matches('='));
        let units = texts.filter(|text| !text.is_empty()).take(64);
        nals.extend(units.filter_map(|text| alphabet.decode(text).ok()));
    }
    // Some are given with a start code.
    for nal in &mut nals {
        if let Some(unit) = behind_code(nal) {
            *nal = unit.to_vec();
        }
    }
    nals.retain(|nal| !nal.is_empty());
    nals
}
