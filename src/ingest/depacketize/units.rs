//! What NAL units say of pictures, and how packets hold them: what all codings have in common. Pure.
//!
//! Not here: how each coding says it (`h264`, `h265`), putting pictures together (`pictures`).

use memchr::memmem;

use super::fault::PacketFault;
use super::sets::{ParameterSets, SetId};

/// So much of a unit is looked at for its head.
pub(super) const HEAD: usize = 64;

/// What a NAL unit is to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NalRole {
    Slice(SliceHead),
    Set(SetId),
    /// A parameter set that cannot be read.
    BadSet,
    /// Stands before a picture.
    Prefix,
    /// Belongs to the picture before it.
    Suffix,
    /// Says nothing, and is not kept.
    Filler,
    /// Kept free by the standard: not kept.
    Reserved,
}

/// What the head of a slice says of its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SliceHead {
    /// Where in the picture it begins; 0 is its first. (H.265: 0 or 1.)
    pub at: u32,
    pub key: bool,
    /// `None` where the head cannot be read.
    pub pps: Option<u32>,
    /// `None` where the coding has none, or its parameter sets are missing.
    pub picture: Option<PictureId>,
}

/// What is equal in all slices of a picture of H.264 (7.4.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PictureId {
    pub frame: u32,
    pub reference: bool,
    pub idr: Option<u32>,
    pub order: u32,
    /// One of two fields: the lower one, or not.
    pub field: Option<bool>,
}

/// How packets of a coding are taken apart.
pub(super) trait VideoCoding {
    const H265: bool;
    /// Bytes of a NAL unit's header.
    const HEADER: usize;

    /// The sets of an SDP's `fmtp`.
    fn sets_of(fmtp: &str) -> Vec<Vec<u8>>;
    /// `head`: the first [`HEAD`] bytes of a unit, or fewer. Never empty.
    fn role(&self, head: &[u8], sets: &ParameterSets) -> NalRole;
    /// A set was learnt.
    fn learnt(&mut self, set: SetId, nal: &[u8]);
    fn parts<'a>(
        &self,
        payload: &'a [u8],
        each: &mut dyn FnMut(Part<'a>),
    ) -> Result<(), PacketFault>;
}

/// What stands in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Nal(&'a [u8]),
    /// A piece of a unit; `header` is the unit's own.
    Fragment {
        header: [u8; 2],
        starts: bool,
        ends: bool,
        piece: &'a [u8],
    },
}

/// Whether the slice `next` belongs to the picture of `last`. `moved`: their timestamps differ. `lost`: something is
/// missing between them.
pub(super) fn continues(last: &SliceHead, next: &SliceHead, moved: bool, lost: bool) -> bool {
    let fields = (last.picture.zip(next.picture)).is_some_and(|(last, next)| {
        let pair = last.field.zip(next.field).is_some_and(|(a, b)| a != b);
        pair && last.frame == next.frame && !moved
    });
    if next.at == 0 {
        return fields;
    }
    match (last.picture, next.picture) {
        (Some(a), Some(b)) => fields || (a == b && next.at > last.at),
        _ => !(lost && moved),
    }
}

/// The units of a byte stream: what stands between start codes, without the zeros around them.
pub(super) fn between_start_codes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        match memmem::find(bytes, &[0, 0, 1]) {
            Some(at) => {
                rest = bytes.get(at + 3..);
                bytes.get(..at)
            }
            None => {
                rest = None;
                Some(bytes)
            }
        }
    })
    .map(|unit| {
        let len = unit
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        unit.get(..len).unwrap_or_default()
    })
    .filter(|unit| !unit.is_empty())
}
