//! NAL units inside an access unit: where they are and what they say about it.
//!
//! Not here: what stands in parameter sets (`sps`), container boxes (`mp4`).

use super::types::Codec;

/// What an access unit's NAL units say about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuKind {
    /// Decoding can start here: H.264 IDR; H.265 IDR, CRA, BLA; any audio frame.
    pub key: bool,
    /// A CRA or BLA: RASL pictures that follow need what came before it.
    pub open_gop: bool,
    /// A RASL picture.
    pub rasl: bool,
    /// Holds a piece of a picture at all. Parameter sets or SEI alone do not.
    pub has_slice: bool,
    /// Carries a recovery point message: where intra refresh lets decoding
    /// start with a smeared picture. Such a start is not a key frame here.
    pub recovery_point: bool,
}

/// Walks NAL units with 4-byte big-endian lengths. Stops at the first length
/// that does not fit, and yields nothing of it. Empty units are skipped.
#[derive(Clone, Debug)]
pub struct Nals<'a> {
    rest: &'a [u8],
}

impl<'a> Nals<'a> {
    pub fn new(au: &'a [u8]) -> Nals<'a> {
        Nals { rest: au }
    }

    /// What was not (yet) understood; empty after the last unit of a sound AU.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Nals<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (prefix, behind) = self.rest.split_first_chunk::<4>()?;
            let len = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
            let (nal, rest) = behind.split_at_checked(len)?;
            self.rest = rest;
            if !nal.is_empty() {
                return Some(nal);
            }
        }
    }
}

/// Whether the lengths of the NAL units of `au` add up to exactly its size.
pub fn lengths_add_up(au: &[u8]) -> bool {
    let mut nals = Nals::new(au);
    nals.by_ref().for_each(drop);
    nals.rest().is_empty()
}

/// What kind of access unit `au` is. Total: any bytes give an answer.
pub fn classify(codec: Codec, au: &[u8]) -> AuKind {
    match codec {
        Codec::H264 => classify_nals(au, h264_nal),
        Codec::H265 => classify_nals(au, h265_nal),
        Codec::Aac | Codec::Pcma | Codec::Pcmu | Codec::L16 | Codec::Flac => AuKind {
            key: true,
            has_slice: !au.is_empty(),
            ..AuKind::default()
        },
    }
}

fn classify_nals(au: &[u8], one: fn(&[u8]) -> AuKind) -> AuKind {
    Nals::new(au)
        .map(one)
        .fold(AuKind::default(), |all, nal| AuKind {
            key: all.key | nal.key,
            open_gop: all.open_gop | nal.open_gop,
            rasl: all.rasl | nal.rasl,
            has_slice: all.has_slice | nal.has_slice,
            recovery_point: all.recovery_point | nal.recovery_point,
        })
}

fn h264_nal(nal: &[u8]) -> AuKind {
    let kind = nal.first().map_or(0, |b| b & 0x1f);
    AuKind {
        key: kind == 5,
        has_slice: (1..=5).contains(&kind),
        recovery_point: kind == 6 && sei_has_recovery_point(&nal[1..]),
        ..AuKind::default()
    }
}

fn h265_nal(nal: &[u8]) -> AuKind {
    const PREFIX_SEI: u8 = 39;
    let &[b0, b1, ref payload @ ..] = nal else {
        return AuKind::default();
    };
    let kind = (b0 >> 1) & 0x3f;
    let layer = (b0 & 1) << 5 | b1 >> 3;
    // Enhancement layers are no pictures of ours.
    if layer != 0 {
        return AuKind::default();
    }
    AuKind {
        // BLA 16..=18, IDR 19 and 20, CRA 21.
        key: (16..=21).contains(&kind),
        open_gop: (16..=18).contains(&kind) || kind == 21,
        rasl: kind == 8 || kind == 9,
        has_slice: kind <= 9 || (16..=21).contains(&kind),
        recovery_point: kind == PREFIX_SEI && sei_has_recovery_point(payload),
    }
}

/// Walks the messages of an SEI payload (both codecs number a recovery point 6).
fn sei_has_recovery_point(payload: &[u8]) -> bool {
    const RECOVERY_POINT: u64 = 6;
    let mut bytes = without_emulation_prevention(payload);
    loop {
        let Some(kind) = sei_number(&mut bytes) else {
            return false;
        };
        let Some(size) = sei_number(&mut bytes) else {
            return false;
        };
        if kind == RECOVERY_POINT {
            return true;
        }
        for _ in 0..size {
            if bytes.next().is_none() {
                return false;
            }
        }
    }
}

/// A number of an SEI header: 255 for each full byte, plus the last.
fn sei_number(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    loop {
        let byte = bytes.next()?;
        number += u64::from(byte);
        if byte != 0xff {
            return Some(number);
        }
    }
}

/// The payload as it was before `00 00 03` was put between its bytes.
pub fn without_emulation_prevention(payload: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut zeros = 0;
    payload.iter().copied().filter(move |&byte| {
        let stuffing = zeros >= 2 && byte == 3;
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        !stuffing
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn au(nals: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for nal in nals {
            bytes.extend_from_slice(&u32::try_from(nal.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(nal);
        }
        bytes
    }

    fn h265(kind: u8) -> Vec<u8> {
        vec![kind << 1, 1, 0xaa]
    }

    #[test]
    fn only_an_idr_is_a_key_frame_of_h264() {
        let idr = classify(Codec::H264, &au(&[&[6, 5, 1, 0], &[0x65, 1], &[0x65, 2]]));
        assert!(idr.key && idr.has_slice && !idr.recovery_point && !idr.open_gop);
        let inter = classify(Codec::H264, &au(&[&[0x41, 1]]));
        assert!(!inter.key && inter.has_slice);
    }

    #[test]
    fn an_access_unit_of_parameter_sets_and_sei_has_no_slice() {
        let h264 = classify(
            Codec::H264,
            &au(&[&[9, 16], &[0x67, 1], &[0x68], &[6, 1, 0]]),
        );
        assert_eq!(h264, AuKind::default());
        let sets = [h265(32), h265(33), h265(34), h265(40)];
        let h265 = classify(Codec::H265, &au(&sets.each_ref().map(Vec::as_slice)));
        assert_eq!(h265, AuKind::default());
    }

    #[test]
    fn a_recovery_point_is_found_behind_other_messages() {
        // User data (5) of 300 bytes, then recovery point (6) of 1 byte.
        let mut sei = vec![6, 5, 255, 45];
        sei.extend([7; 300]);
        sei.extend([6, 1, 0x84, 0x80]);
        assert!(classify(Codec::H264, &au(&[&sei, &[0x41]])).recovery_point);
        sei[304] = 4;
        assert!(!classify(Codec::H264, &au(&[&sei, &[0x41]])).recovery_point);
        let h265_sei = [39 << 1, 1, 6, 1, 0x80];
        assert!(classify(Codec::H265, &au(&[&h265_sei])).recovery_point);
    }

    #[test]
    fn emulation_prevention_does_not_hide_a_recovery_point() {
        // Message 1 of three bytes 00 00 01, written 00 00 03 01.
        let sei = [6, 1, 3, 0, 0, 3, 1, 6, 1, 0x84];
        assert!(classify(Codec::H264, &au(&[&sei])).recovery_point);
    }

    #[test]
    fn h265_knows_cra_and_bla_as_open_and_rasl_as_leading() {
        for (kind, key, open_gop, rasl) in [
            (1, false, false, false),
            (6, false, false, false),
            (8, false, false, true),
            (9, false, false, true),
            (16, true, true, false),
            (18, true, true, false),
            (19, true, false, false),
            (20, true, false, false),
            (21, true, true, false),
        ] {
            let got = classify(Codec::H265, &au(&[&h265(kind)]));
            assert_eq!(
                (got.key, got.open_gop, got.rasl),
                (key, open_gop, rasl),
                "{kind}"
            );
            assert!(got.has_slice, "{kind}");
        }
    }

    #[test]
    fn another_layer_of_h265_is_no_picture() {
        let got = classify(Codec::H265, &au(&[&[19 << 1, 1 << 3 | 1, 0]]));
        assert_eq!(got, AuKind::default());
    }

    #[test]
    fn lengths_that_do_not_add_up_are_noticed() {
        let good = au(&[&[0x65, 1, 2], &[], &[0x41]]);
        assert!(lengths_add_up(&good));
        assert!(!lengths_add_up(&good[..good.len() - 1]));
        assert!(!lengths_add_up(&[good, vec![0]].concat()));
        assert!(lengths_add_up(&[]));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), inside: bool) {
            let bytes = if inside { au(&[&bytes]) } else { bytes };
            for codec in [Codec::H264, Codec::H265, Codec::Aac] {
                classify(codec, &bytes);
            }
            let total: usize = Nals::new(&bytes).map(|nal| nal.len() + 4).sum();
            prop_assert!(total <= bytes.len());
            prop_assert!(!lengths_add_up(&bytes) || bytes.len() >= total);
        }
    }
}
