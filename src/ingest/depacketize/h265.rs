//! H.265: payloads after RFC 7798, heads of NAL units after ITU-T H.265.
//!
//! Taken are single units, aggregates (AP) and fragments (FU), with order numbers where the SDP says so; also byte streams
//! with start codes. Packets are in decoding order, as with one stream they are.

use crate::media::bits::Bits;

use super::fault::PacketFault;
use super::h264::{aggregate, base64_list, behind_code, of_set, read, starts_with_code};
use super::sets::{ParameterSets, SetId, SetKind};
use super::units::{NalRole, Part, SliceHead, VideoCoding};

/// Ids are below these.
const MOST_PPS: u32 = 64;
const MOST_SPS: u32 = 16;

#[derive(Debug)]
pub(super) struct H265 {
    /// Packets carry decoding order numbers.
    numbered: bool,
}

impl H265 {
    pub fn new(fmtp: &str) -> H265 {
        let pairs = fmtp.split(';').filter_map(|pair| pair.split_once('='));
        let most = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("sprop-max-don-diff"));
        H265 {
            numbered: most
                .filter_map(|(_, value)| value.trim().parse::<u32>().ok())
                .any(|most| most > 0),
        }
    }
}

impl VideoCoding for H265 {
    const H265: bool = true;
    const HEADER: usize = 2;

    fn sets_of(fmtp: &str) -> Vec<Vec<u8>> {
        base64_list(fmtp, &["sprop-vps", "sprop-sps", "sprop-pps"])
    }

    fn role(&self, head: &[u8], _: &ParameterSets) -> NalRole {
        let &[first, second, ..] = head else {
            return NalRole::Reserved;
        };
        let kind = first >> 1 & 0x3f;
        let base_layer = first & 1 == 0 && second >> 3 == 0;
        match kind {
            // Another layer is no picture of ours.
            0..=47 if !base_layer => NalRole::Filler,
            0..=9 | 16..=21 => NalRole::Slice(slice(head, kind)),
            32 => of_set(read(head, vps_id)),
            33 => of_set(read(head, sps_id)),
            34 => of_set(read(head, pps_ids)),
            35 | 39 | 41..=44 => NalRole::Prefix,
            36 | 37 | 40 | 45..=47 => NalRole::Suffix,
            38 => NalRole::Filler,
            _ => NalRole::Reserved,
        }
    }

    fn learnt(&mut self, _: SetId, _: &[u8]) {}

    fn parts<'a>(
        &self,
        payload: &'a [u8],
        each: &mut dyn FnMut(Part<'a>),
    ) -> Result<(), PacketFault> {
        if starts_with_code(payload) {
            each(Part::Nal(payload));
            return Ok(());
        }
        let (header, body) = payload.split_first_chunk::<2>().ok_or(PacketFault::Empty)?;
        let number = if self.numbered { 2 } else { 0 };
        match header[0] >> 1 & 0x3f {
            48 if !self.numbered => aggregate(body, 0, each)?,
            // Behind the first unit each length has an offset of one byte before it.
            48 => numbered_aggregate(body, each)?,
            49 => each(fragment(*header, body, number)?),
            50..=63 => return Err(PacketFault::Reserved),
            _ if self.numbered => return Err(PacketFault::Reserved),
            _ => each(Part::Nal(payload)),
        }
        Ok(())
    }
}

fn numbered_aggregate<'a>(
    body: &'a [u8],
    each: &mut dyn FnMut(Part<'a>),
) -> Result<(), PacketFault> {
    let mut rest = body.get(2..).ok_or(PacketFault::Broken)?;
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        let (unit, behind) = behind.split_at_checked(len).ok_or(PacketFault::Broken)?;
        if !unit.is_empty() {
            each(Part::Nal(unit));
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    Ok(())
}

/// `number`: bytes of the order number in the first piece.
fn fragment(header: [u8; 2], body: &[u8], number: usize) -> Result<Part<'_>, PacketFault> {
    let (&head, piece) = body.split_first().ok_or(PacketFault::Empty)?;
    let starts = head & 0x80 != 0;
    let skip = if starts { number } else { 0 };
    let piece = piece
        .get(skip..)
        .filter(|piece| !piece.is_empty())
        .ok_or(PacketFault::Empty)?;
    let own = [header[0] & 0x81 | (head & 0x3f) << 1, header[1]];
    // Some put a start code there, and the unit's own header behind it.
    let behind = behind_code(piece).filter(|_| starts);
    let (own, piece) = behind
        .and_then(|unit| unit.split_first_chunk::<2>())
        .map_or((own, piece), |(own, piece)| (*own, piece));
    Ok(Part::Fragment {
        header: own,
        starts,
        ends: head & 0x40 != 0,
        piece,
    })
}

fn slice(head: &[u8], kind: u8) -> SliceHead {
    let first = head.get(2).is_some_and(|byte| byte & 0x80 != 0);
    let pps = read(head, |bits| {
        bits.skip(17)?;
        if (16..=23).contains(&kind) {
            bits.skip(1)?;
        }
        bits.ue().filter(|pps| *pps < MOST_PPS)
    });
    SliceHead {
        at: u32::from(!first),
        key: (16..=21).contains(&kind),
        pps,
        picture: None,
    }
}

fn vps_id(bits: &mut Bits<'_>) -> Option<SetId> {
    bits.skip(16)?;
    let id = bits.bits(4)?;
    Some(SetId {
        kind: SetKind::Vps,
        id,
        takes: 0,
    })
}

fn sps_id(bits: &mut Bits<'_>) -> Option<SetId> {
    bits.skip(16)?;
    let takes = bits.bits(4)?;
    let max_sub_layers = bits.bits(3)?;
    bits.skip(1)?;
    crate::media::sps::h265_profile_tier_level(bits, max_sub_layers)?;
    let id = bits.ue().filter(|id| *id < MOST_SPS)?;
    Some(SetId {
        kind: SetKind::Sps,
        id,
        takes,
    })
}

fn pps_ids(bits: &mut Bits<'_>) -> Option<SetId> {
    bits.skip(16)?;
    let id = bits.ue().filter(|id| *id < MOST_PPS)?;
    let takes = bits.ue().filter(|sps| *sps < MOST_SPS)?;
    Some(SetId {
        kind: SetKind::Pps,
        id,
        takes,
    })
}
