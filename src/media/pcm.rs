//! Sound as cameras send it without compression that matters: G.711 and L16, to samples of 16 bits.
//!
//! A packet of them is an access unit as it is: one byte a sample (G.711) or two, the high one first (L16), the channels
//! of one instant side by side.
//!
//! Not here: where in a clip they belong (`pcm_line`), the coding that a clip carries them in (`flac`).

use super::types::{Codec, TrackParams};

/// Sample rates that are taken.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;
const MOST_CHANNELS: u16 = 2;

impl Codec {
    /// Sound that a clip carries as FLAC.
    pub fn is_pcm(self) -> bool {
        bytes_per_sample(self).is_some()
    }
}

/// Bytes of one sample of one channel; `None` for all that is no PCM.
fn bytes_per_sample(codec: Codec) -> Option<usize> {
    match codec {
        Codec::Pcma | Codec::Pcmu => Some(1),
        Codec::L16 => Some(2),
        Codec::H264 | Codec::H265 | Codec::Aac | Codec::Flac => None,
    }
}

/// Parameters of a track of PCM; `None` where it is none that is taken.
pub fn params(codec: Codec, rate: u32, channels: u16) -> Option<TrackParams> {
    let taken = codec.is_pcm() && RATES.contains(&rate) && (1..=MOST_CHANNELS).contains(&channels);
    taken.then(|| TrackParams {
        codec,
        timescale: rate,
        config: Vec::new(),
        width: 0,
        height: 0,
        pixel_aspect: (1, 1),
        channels,
    })
}

/// How many instants `bytes` of such a track last: its ticks. A part of one at the end is none.
pub fn ticks(params: &TrackParams, bytes: usize) -> usize {
    let sample = bytes_per_sample(params.codec).unwrap_or(0) * usize::from(params.channels);
    bytes.checked_div(sample).unwrap_or(0)
}

/// Appends the samples of a packet, the channels of one instant side by side.
pub fn decode(params: &TrackParams, bytes: &[u8], into: &mut Vec<i32>) {
    let whole = ticks(params, bytes.len()) * usize::from(params.channels);
    match params.codec {
        Codec::Pcma => into.extend(bytes.iter().take(whole).map(|byte| a_law(*byte))),
        Codec::Pcmu => into.extend(bytes.iter().take(whole).map(|byte| mu_law(*byte))),
        Codec::L16 => into.extend(
            bytes
                .as_chunks::<2>()
                .0
                .iter()
                .take(whole)
                .map(|pair| i32::from(i16::from_be_bytes(*pair))),
        ),
        Codec::H264 | Codec::H265 | Codec::Aac | Codec::Flac => {}
    }
}

/// G.711 A-law, at the scale of 16 bits: 13 bits and three zeros.
fn a_law(byte: u8) -> i32 {
    let byte = byte ^ 0x55;
    let mantissa = i32::from(byte & 0x0f) << 4;
    let magnitude = match byte >> 4 & 7 {
        0 => mantissa + 8,
        segment => (mantissa + 0x108) << (segment - 1),
    };
    if byte & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

/// G.711 µ-law, at the scale of 16 bits: 14 bits and two zeros.
fn mu_law(byte: u8) -> i32 {
    const BIAS: i32 = 0x84;
    let byte = !byte;
    let magnitude = ((i32::from(byte & 0x0f) << 3) + BIAS) << (byte >> 4 & 7);
    if byte & 0x80 == 0 {
        magnitude - BIAS
    } else {
        BIAS - magnitude
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decoded(codec: Codec, channels: u16, bytes: &[u8]) -> Vec<i32> {
        let mut samples = Vec::new();
        let params = params(codec, 8_000, channels).unwrap();
        decode(&params, bytes, &mut samples);
        samples
    }

    #[test]
    fn g711_is_decoded_as_its_tables_say() {
        // Smallest, silence, largest, of both signs; from the tables of ITU-T G.711, in 16 bits.
        let a = decoded(Codec::Pcma, 1, &[0xd5, 0x55, 0xaa, 0x2a, 0x80, 0x00]);
        assert_eq!(a, [8, -8, 32_256, -32_256, 5_504, -5_504]);
        let mu = decoded(Codec::Pcmu, 1, &[0xff, 0x7f, 0x80, 0x00, 0xf0, 0x70]);
        assert_eq!(mu, [0, 0, 32_124, -32_124, 120, -120]);
    }

    #[test]
    fn g711_rises_with_its_magnitude_and_both_signs_mirror_each_other() {
        for (codec, mask) in [(Codec::Pcma, 0x55_u8), (Codec::Pcmu, 0xff)] {
            let magnitudes: Vec<u8> = (0..128).collect();
            let of = |sign: u8| {
                let bytes: Vec<u8> = magnitudes.iter().map(|m| (m | sign) ^ mask).collect();
                decoded(codec, 1, &bytes)
            };
            let (set, clear) = (of(0x80), of(0));
            assert!(set.iter().zip(&clear).all(|(a, b)| *a == -*b));
            let loud: Vec<i32> = set.iter().map(|s| s.abs()).collect();
            assert!(loud.is_sorted(), "{codec:?} {loud:?}");
        }
    }

    #[test]
    fn l16_is_big_endian_and_a_part_of_an_instant_is_left_out() {
        let bytes = [0x12, 0x34, 0xff, 0xfe, 0x80, 0x00, 0x01];
        assert_eq!(decoded(Codec::L16, 1, &bytes), [0x1234, -2, -32_768]);
        assert_eq!(decoded(Codec::L16, 2, &bytes), [0x1234, -2]);
        assert_eq!(decoded(Codec::Pcmu, 2, &[0xff, 0x80, 0x00]), [0, 32_124]);
    }

    #[test]
    fn what_is_no_pcm_of_this_world_is_not_taken() {
        assert!(params(Codec::L16, 44_100, 2).is_some());
        assert!(params(Codec::L16, 96_000, 2).is_none());
        assert!(params(Codec::Pcma, 7_999, 1).is_none());
        assert!(params(Codec::Pcma, 8_000, 3).is_none());
        assert!(params(Codec::Pcma, 8_000, 0).is_none());
        assert!(params(Codec::Aac, 48_000, 2).is_none());
    }
}
