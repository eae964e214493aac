//! Which parameter sets a picture names, and whether a decoder has them.
//!
//! Total: any bytes give an answer. Only what stands in front of an id is read, so a set that
//! is garbled behind it counts as there.
//! Not here: what stands in a set (`sps`), where the units of an access unit are (`nal`).

use std::collections::BTreeMap;
use std::fmt;

use mp4_atom::{Atom, Avcc, Hvcc};

use super::bits::Bits;
use super::nal::{Nals, without_emulation_prevention};
use super::types::{Codec, TrackParams};

/// An id stands within so many bytes of its unit, whatever is in front of it.
const HEAD: usize = 128;
/// As many ids as the standards know: H.264 has 256 PPS and 32 SPS, H.265 less.
const PPS: u32 = 256;
const SPS: u32 = 32;
const VPS: u32 = 16;

/// The parameter sets that a decoder was given, by id, each with the id of the set that it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetsInForce {
    /// PPS → SPS.
    pps: BTreeMap<u32, u32>,
    /// SPS → VPS; of H.264, which has none, 0.
    sps: BTreeMap<u32, u32>,
    vps: BTreeMap<u32, ()>,
}

/// A set that a picture needs and that its decoder was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingSet {
    Pps(u32),
    Sps {
        pps: u32,
        sps: u32,
    },
    Vps {
        sps: u32,
        vps: u32,
    },
    /// Its slice ends before it names one.
    Unnamed,
}

impl fmt::Display for MissingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissingSet::Pps(pps) => write!(f, "picture parameter set {pps}, which is missing"),
            MissingSet::Sps { pps, sps } => write!(
                f,
                "picture parameter set {pps}, whose sequence parameter set {sps} is missing"
            ),
            MissingSet::Vps { sps, vps } => write!(
                f,
                "sequence parameter set {sps}, whose video parameter set {vps} is missing"
            ),
            MissingSet::Unnamed => f.write_str("no picture parameter set"),
        }
    }
}

impl SetsInForce {
    /// Those of a sample entry. A record that cannot be read holds none.
    pub fn of(params: &TrackParams) -> SetsInForce {
        let mut sets = SetsInForce::default();
        let body = &mut &params.config[..];
        match params.codec {
            Codec::H264 => {
                let Ok(avcc) = Avcc::decode_body(body) else {
                    return sets;
                };
                let all = avcc.sequence_parameter_sets.iter();
                all.chain(&avcc.picture_parameter_sets)
                    .for_each(|nal| sets.learn(Codec::H264, nal));
            }
            Codec::H265 => {
                let Ok(hvcc) = Hvcc::decode_body(body) else {
                    return sets;
                };
                let all = hvcc.arrays.iter().flat_map(|array| &array.nalus);
                all.for_each(|nal| sets.learn(Codec::H265, nal));
            }
            _ => {}
        }
        sets
    }

    /// The next access unit of this codec, with 4-byte lengths: sets in it are learned, and the
    /// first set is told that one of its slices needs and that is not there.
    pub fn decode(&mut self, codec: Codec, au: &[u8]) -> Option<MissingSet> {
        let mut missing = None;
        for nal in Nals::new(au) {
            match role(codec, nal) {
                Role::Set => self.learn(codec, nal),
                Role::Slice => missing = missing.or_else(|| self.lacks(codec, nal)),
                Role::Other => {}
            }
        }
        missing
    }

    fn learn(&mut self, codec: Codec, nal: &[u8]) {
        match (codec, kind(codec, nal)) {
            (Codec::H264, H264_SPS) => {
                if let Some(sps) = id(nal, h264_sps) {
                    self.sps.insert(sps, 0);
                }
            }
            (Codec::H264, H264_PPS) => self.learn_pps(id(nal, h264_pps)),
            (Codec::H265, H265_VPS) => {
                if let Some(vps) = id(nal, |bits| {
                    bits.skip(16)?;
                    bits.bits(4)
                }) {
                    self.vps.insert(vps, ());
                }
            }
            (Codec::H265, H265_SPS) => {
                if let Some((sps, vps)) = id(nal, h265_sps) {
                    self.sps.insert(sps, vps);
                }
            }
            (Codec::H265, H265_PPS) => self.learn_pps(id(nal, h265_pps)),
            _ => {}
        }
    }

    fn learn_pps(&mut self, ids: Option<(u32, u32)>) {
        if let Some((pps, sps)) = ids {
            self.pps.insert(pps, sps);
        }
    }

    fn lacks(&self, codec: Codec, slice: &[u8]) -> Option<MissingSet> {
        let named = match codec {
            Codec::H264 => id(slice, h264_slice),
            _ => id(slice, |bits| h265_slice(bits, kind(codec, slice))),
        };
        let Some(pps) = named else {
            return Some(MissingSet::Unnamed);
        };
        let Some(&sps) = self.pps.get(&pps) else {
            return Some(MissingSet::Pps(pps));
        };
        let Some(&vps) = self.sps.get(&sps) else {
            return Some(MissingSet::Sps { pps, sps });
        };
        let there = codec == Codec::H264 || self.vps.contains_key(&vps);
        (!there).then_some(MissingSet::Vps { sps, vps })
    }
}

/// Whether a picture of H.264 refers to later ones (a B slice). Of H.265, whose SPS always says
/// how it reorders, nothing is known here.
pub fn has_b_slice(codec: Codec, au: &[u8]) -> bool {
    const B: u32 = 1;
    let slices = Nals::new(au).filter(|nal| matches!(role(codec, nal), Role::Slice));
    let mut kinds = slices.map(|nal| {
        id(nal, |bits| {
            bits.skip(8)?;
            bits.ue()?;
            bits.ue()
        })
    });
    codec != Codec::H264 || kinds.any(|kind| kind.is_none_or(|kind| kind % 5 == B))
}

const H264_SPS: u8 = 7;
const H264_PPS: u8 = 8;
const H265_VPS: u8 = 32;
const H265_SPS: u8 = 33;
const H265_PPS: u8 = 34;

enum Role {
    Set,
    /// It names a PPS. (Partitions B and C of H.264 name none.)
    Slice,
    Other,
}

fn role(codec: Codec, nal: &[u8]) -> Role {
    match (codec, kind(codec, nal)) {
        (Codec::H264, 1 | 2 | 5) => Role::Slice,
        (Codec::H264, H264_SPS | H264_PPS) => Role::Set,
        // Another layer of H.265 is no picture of ours.
        (Codec::H265, _) if !base_layer(nal) => Role::Other,
        (Codec::H265, 0..=9 | 16..=21) => Role::Slice,
        (Codec::H265, H265_VPS..=H265_PPS) => Role::Set,
        _ => Role::Other,
    }
}

fn kind(codec: Codec, nal: &[u8]) -> u8 {
    let head = nal.first().copied().unwrap_or(0);
    match codec {
        Codec::H264 => head & 0x1f,
        _ => head >> 1 & 0x3f,
    }
}

fn base_layer(nal: &[u8]) -> bool {
    matches!(nal, [b0, b1, ..] if b0 & 1 == 0 && b1 >> 3 == 0)
}

/// What stands in front of a unit.
fn id<T>(nal: &[u8], read: impl FnOnce(&mut Bits<'_>) -> Option<T>) -> Option<T> {
    let mut head = [0; HEAD];
    let mut len = 0;
    let bytes = without_emulation_prevention(nal).take(HEAD);
    for (slot, byte) in head.iter_mut().zip(bytes) {
        *slot = byte;
        len += 1;
    }
    read(&mut Bits::new(head.get(..len)?))
}

fn h264_sps(bits: &mut Bits<'_>) -> Option<u32> {
    // Header, profile, constraints, level.
    bits.skip(32)?;
    bits.ue().filter(|sps| *sps < SPS)
}

fn h264_pps(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.skip(8)?;
    both(bits)
}

fn h264_slice(bits: &mut Bits<'_>) -> Option<u32> {
    bits.skip(8)?;
    // first_mb_in_slice, slice_type.
    bits.ue()?;
    bits.ue()?;
    bits.ue().filter(|pps| *pps < PPS)
}

/// PPS and its SPS.
fn both(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    let pps = bits.ue().filter(|pps| *pps < PPS)?;
    let sps = bits.ue().filter(|sps| *sps < SPS)?;
    Some((pps, sps))
}

fn h265_pps(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.skip(16)?;
    both(bits)
}

/// SPS and its VPS.
fn h265_sps(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    bits.skip(16)?;
    let vps = bits.bits(4).filter(|vps| *vps < VPS)?;
    let max_sub_layers = bits.bits(3)?;
    bits.skip(1)?;
    super::sps::h265_profile_tier_level(bits, max_sub_layers)?;
    let sps = bits.ue().filter(|sps| *sps < SPS)?;
    Some((sps, vps))
}

fn h265_slice(bits: &mut Bits<'_>, kind: u8) -> Option<u32> {
    // Header, first_slice_segment_in_pic_flag.
    bits.skip(17)?;
    if (16..=23).contains(&kind) {
        // no_output_of_prior_pics_flag.
        bits.skip(1)?;
    }
    bits.ue().filter(|pps| *pps < PPS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A unit of these bits behind its header, most significant first.
    fn nal(head: &[u8], bits: &str) -> Vec<u8> {
        let mut bytes = head.to_vec();
        let bits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').collect();
        bytes.extend(bits.chunks(8).map(|eight| {
            (0..8).fold(0, |byte, i| {
                byte << 1 | u8::from(eight.get(i).copied() == Some(b'1'))
            })
        }));
        bytes
    }

    fn au(nals: &[Vec<u8>]) -> Vec<u8> {
        nals.iter()
            .flat_map(|nal| {
                let len = u32::try_from(nal.len()).unwrap_or(0);
                [&len.to_be_bytes()[..], nal].concat()
            })
            .collect()
    }

    /// SPS 1, PPS 0 and 2 of it, PPS 3 of SPS 4.
    fn h264_sets() -> Vec<u8> {
        au(&[
            vec![0x67, 100, 0, 40, 0b0100_0000],
            nal(&[0x68], "1 010 1"),
            nal(&[0x68], "011 010 1"),
            nal(&[0x68], "00100 00101 1"),
        ])
    }

    #[test]
    fn a_slice_of_h264_needs_its_pps_and_that_its_sps() {
        let mut sets = SetsInForce::default();
        assert_eq!(sets.decode(Codec::H264, &h264_sets()), None);
        // first_mb 0, slice_type 7, PPS by number.
        for (pps, missing) in [
            ("1", None),
            ("011", None),
            ("010", Some(MissingSet::Pps(1))),
            ("00100", Some(MissingSet::Sps { pps: 3, sps: 4 })),
            ("0", Some(MissingSet::Unnamed)),
        ] {
            for head in [0x65, 0x41, 0x42] {
                let slice = nal(&[head], &format!("1 0001000 {pps}"));
                assert_eq!(sets.decode(Codec::H264, &au(&[slice])), missing, "{pps}");
            }
        }
        // Partitions, enhancements and messages name none.
        for head in [0x43, 0x44, 0x06, 0x14] {
            assert_eq!(sets.decode(Codec::H264, &au(&[vec![head, 0]])), None);
        }
    }

    #[test]
    fn a_b_slice_is_told_by_its_kind() {
        // P (0), B (1), I (2), and all of a picture P (5), B (6).
        for (kind, b) in [
            ("1", false),
            ("010", true),
            ("011", false),
            ("00110", false),
            ("00111", true),
        ] {
            let slice = nal(&[0x41], &format!("1 {kind} 1"));
            assert_eq!(has_b_slice(Codec::H264, &au(&[slice])), b, "{kind}");
        }
        assert!(has_b_slice(Codec::H265, &[]));
    }

    #[test]
    fn the_second_slice_is_looked_at_as_the_first_is() {
        let mut sets = SetsInForce::default();
        sets.decode(Codec::H264, &h264_sets());
        let good = nal(&[0x41], "1 0001000 1");
        let bad = nal(&[0x41], "00101 0001000 010");
        let found = sets.decode(Codec::H264, &au(&[good, bad]));
        assert_eq!(found, Some(MissingSet::Pps(1)));
    }

    #[test]
    fn a_slice_of_h265_needs_pps_sps_and_vps() {
        let vps = nal(&[32 << 1, 1], "0001");
        let sps = nal(
            &[33 << 1, 1],
            &format!("0001 000 1 {} 010 1", "0".repeat(96)),
        );
        let orphan = nal(
            &[33 << 1, 1],
            &format!("0010 000 1 {} 011 1", "0".repeat(96)),
        );
        let pps = nal(&[34 << 1, 1], "1 010 1");
        let of_orphan = nal(&[34 << 1, 1], "010 011 1");
        let mut sets = SetsInForce::default();
        let all = au(&[vps, sps, orphan, pps, of_orphan]);
        assert_eq!(sets.decode(Codec::H265, &all), None);
        // IDR_W_RADL has one flag more than TRAIL_R.
        let slice = |kind: u8, pps: &str| match kind {
            19 => nal(&[19 << 1, 1], &format!("1 0 {pps} 1")),
            kind => nal(&[kind << 1, 1], &format!("1 {pps} 1")),
        };
        for kind in [1, 19] {
            for (pps, missing) in [
                ("1", None),
                ("010", Some(MissingSet::Vps { sps: 2, vps: 2 })),
                ("011", Some(MissingSet::Pps(2))),
            ] {
                let found = sets.decode(Codec::H265, &au(&[slice(kind, pps)]));
                assert_eq!(found, missing, "{kind} {pps}");
            }
        }
        // Another layer.
        let other = nal(&[1 << 1, 1 << 3 | 1], "1 011 1");
        assert_eq!(sets.decode(Codec::H265, &au(&[other])), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(
            units in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..9),
            raw in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            for codec in [Codec::H264, Codec::H265, Codec::Aac] {
                let mut sets = SetsInForce::default();
                sets.decode(codec, &au(&units));
                sets.decode(codec, &raw);
                prop_assert!(sets.pps.len() <= 256 && sets.sps.len() <= 32 && sets.vps.len() <= 16);
                let params = TrackParams {
                    codec,
                    timescale: 90_000,
                    config: raw.clone(),
                    width: 0,
                    height: 0,
                    pixel_aspect: (1, 1),
                    channels: 0,
                };
                SetsInForce::of(&params);
            }
        }
    }
}
