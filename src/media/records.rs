//! From parameter sets to the records that decoders and files want: `avcC` and `hvcC`.
//!
//! Total: any bytes give a record or an error.
//! Not here: which sets are in force (`ingest::depacketize`), records that are there already (`params`).

use super::bits::Bits;
use super::error::ParamsError;
use super::nal::without_emulation_prevention;

/// NAL units have lengths of four bytes.
const LENGTH_SIZE: u8 = 3;

fn too_short(what: &'static str) -> ParamsError {
    ParamsError::Sps {
        why: format!("too short for {what}"),
    }
}

/// An array's count and lengths have 8 and 16 bits.
fn put(record: &mut Vec<u8>, nals: &[&[u8]]) -> Result<(), ParamsError> {
    for nal in nals {
        let len = u16::try_from(nal.len()).map_err(|_| ParamsError::Record {
            what: "parameter set",
            why: format!("{} bytes, at most 65535", nal.len()),
        })?;
        record.extend_from_slice(&len.to_be_bytes());
        record.extend_from_slice(nal);
    }
    Ok(())
}

fn count<T: TryFrom<usize>>(nals: &[&[u8]], most: usize) -> Result<T, ParamsError> {
    let fits = T::try_from(nals.len()).ok().filter(|_| nals.len() <= most);
    fits.ok_or_else(|| ParamsError::Record {
        what: "parameter sets",
        why: format!("{} of one kind, at most {most}", nals.len()),
    })
}

/// Body of `avcC` (ISO/IEC 14496-15, 5.3.3.1) of whole NAL units; the first SPS is the one that describes the pictures.
pub fn avcc(sps: &[&[u8]], pps: &[&[u8]]) -> Result<Vec<u8>, ParamsError> {
    let first = *sps.first().ok_or(ParamsError::NoSps("avcC"))?;
    let &[_, profile, compatibility, level, ..] = first else {
        return Err(too_short("profile and level"));
    };
    let mut record = vec![1, profile, compatibility, level, 0xfc | LENGTH_SIZE];
    record.push(0xe0 | count::<u8>(sps, 31)?);
    put(&mut record, sps)?;
    record.push(count::<u8>(pps, 255)?);
    put(&mut record, pps)?;
    // High profiles say what their samples look like.
    if matches!(profile, 100 | 110 | 122 | 144) {
        let (chroma, luma_depth, chroma_depth) =
            h264_samples(first).ok_or_else(|| too_short("its samples"))?;
        record.extend([0xfc | chroma, 0xf8 | luma_depth, 0xf8 | chroma_depth, 0]);
    }
    Ok(record)
}

/// Chroma format, and depths less 8, of a high profile.
fn h264_samples(sps: &[u8]) -> Option<(u8, u8, u8)> {
    let head: Vec<u8> = without_emulation_prevention(sps).take(64).collect();
    let mut bits = Bits::new(&head);
    bits.skip(32)?;
    bits.ue()?;
    let chroma = bits.ue().filter(|chroma| *chroma <= 3)?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let (luma, chroma_depth) = (depth(&mut bits)?, depth(&mut bits)?);
    Some((u8::try_from(chroma).ok()?, luma, chroma_depth))
}

/// Bits of a sample, less 8.
fn depth(bits: &mut Bits<'_>) -> Option<u8> {
    let depth = bits.ue().filter(|depth| *depth <= 7)?;
    u8::try_from(depth).ok()
}

/// Body of `hvcC` (ISO/IEC 14496-15, 8.3.3.1) of whole NAL units; the first SPS is the one that describes the pictures.
pub fn hvcc(vps: &[&[u8]], sps: &[&[u8]], pps: &[&[u8]]) -> Result<Vec<u8>, ParamsError> {
    const VPS: u8 = 32;
    let first = *sps.first().ok_or(ParamsError::NoSps("hvcC"))?;
    let facts = H265Samples::of(first).ok_or_else(|| too_short("profile and level"))?;
    let mut record = vec![1];
    record.extend(facts.profile_tier_level);
    // No statement on segments, parallelism, frame rate.
    record.extend([0xf0, 0, 0xfc, 0xfc | facts.chroma]);
    record.extend([0xf8 | facts.luma_depth, 0xf8 | facts.chroma_depth, 0, 0]);
    record.push(facts.sub_layers << 3 | u8::from(facts.nested) << 2 | LENGTH_SIZE);
    let arrays = [vps, sps, pps];
    record.push(u8::try_from(arrays.iter().filter(|nals| !nals.is_empty()).count()).unwrap_or(3));
    for (kind, nals) in (VPS..).zip(arrays) {
        if nals.is_empty() {
            continue;
        }
        // All of this kind are in the record, none in the samples.
        record.push(0x80 | kind);
        record.extend(count::<u16>(nals, usize::from(u16::MAX))?.to_be_bytes());
        put(&mut record, nals)?;
    }
    Ok(record)
}

/// What `hvcC` repeats of an SPS.
struct H265Samples {
    profile_tier_level: [u8; 12],
    chroma: u8,
    luma_depth: u8,
    chroma_depth: u8,
    sub_layers: u8,
    nested: bool,
}

impl H265Samples {
    fn of(sps: &[u8]) -> Option<H265Samples> {
        let rbsp: Vec<u8> = without_emulation_prevention(sps).take(256).collect();
        let profile_tier_level = rbsp.get(3..15)?.try_into().ok()?;
        let mut bits = Bits::new(rbsp.get(2..)?);
        bits.skip(4)?;
        let max_sub_layers = bits.bits(3)?;
        let nested = bits.bit()?;
        super::sps::h265_profile_tier_level(&mut bits, max_sub_layers)?;
        bits.ue()?;
        let chroma = bits.ue().filter(|chroma| *chroma <= 3)?;
        if chroma == 3 {
            bits.skip(1)?;
        }
        bits.ue()?;
        bits.ue()?;
        if bits.bit()? {
            for _ in 0..4 {
                bits.ue()?;
            }
        }
        Some(H265Samples {
            profile_tier_level,
            chroma: u8::try_from(chroma).ok()?,
            luma_depth: depth(&mut bits)?,
            chroma_depth: depth(&mut bits)?,
            sub_layers: u8::try_from(max_sub_layers).ok()? + 1,
            nested,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::params::{params_from_avcc, params_from_hvcc};
    use super::*;
    use mp4_atom::{Atom, Avcc, Hvcc};
    use proptest::prelude::*;

    /// Written by FFmpeg: x264, 1920x1080; x265, 1280x720 and 638x358.
    const AVCC: &str = "01640028ffe1001b67640028acd940780227e5c104000003000400000300f03c60c658\
        01000668ebe3cb22c0fdf8f800";
    const HVCC: [&str; 2] = [
        "0101600000009000000000005df000fcfdf8f800000f03a00001001840010c01ffff01\
        600000030090000003000003005d959809a10001002b42010101600000030090000003000003005da002808\
        02d165959a49395e1cd010000030001000003001908a2000100074401c172b46240",
        "0101600000009000000000005af000fcfdf8f800000f03a00001001840010c01f\
        fff01600000030090000003000003005a911809a10001002a42010101600000030090000003000003005aa0\
        05020169d565911a4932bc05a020000003002000000641a2000100074401c172b46240",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2);
        pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn slices(nals: &[Vec<u8>]) -> Vec<&[u8]> {
        nals.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn the_record_of_h264_is_the_one_that_ffmpeg_writes_of_the_same_sets() {
        let record = bytes(AVCC);
        let read = Avcc::decode_body(&mut &record[..]).unwrap();
        let sps: Vec<Vec<u8>> = read
            .sequence_parameter_sets
            .iter()
            .map(|n| n.to_vec())
            .collect();
        let pps: Vec<Vec<u8>> = read
            .picture_parameter_sets
            .iter()
            .map(|n| n.to_vec())
            .collect();
        assert_eq!(avcc(&slices(&sps), &slices(&pps)).unwrap(), record);
    }

    #[test]
    fn the_record_of_h265_is_the_one_that_ffmpeg_writes_of_the_same_sets() {
        for hex in HVCC {
            let record = bytes(hex);
            let read = Hvcc::decode_body(&mut &record[..]).unwrap();
            let of = |kind: u8| -> Vec<Vec<u8>> {
                let arrays = read.arrays.iter().filter(|a| a.nal_unit_type == kind);
                arrays
                    .flat_map(|a| a.nalus.iter().map(|n| n.to_vec()))
                    .collect()
            };
            let (vps, sps, pps) = (of(32), of(33), of(34));
            let ours = hvcc(&slices(&vps), &slices(&sps), &slices(&pps)).unwrap();
            let ours_params = params_from_hvcc(&ours).unwrap();
            let read_params = params_from_hvcc(&record).unwrap();
            // FFmpeg leaves the arrays' mark "complete" to the sets, too.
            assert_eq!(ours[..23], record[..23]);
            assert_eq!(
                (
                    ours_params.width,
                    ours_params.height,
                    ours_params.codec_string()
                ),
                (
                    read_params.width,
                    read_params.height,
                    read_params.codec_string()
                )
            );
        }
    }

    #[test]
    fn more_sets_than_one_stand_in_the_record_in_their_order() {
        let record = bytes(AVCC);
        let read = Avcc::decode_body(&mut &record[..]).unwrap();
        let sps = read.sequence_parameter_sets[0].to_vec();
        let pps: [&[u8]; 2] = [&read.picture_parameter_sets[0], &[0x68, 0x5b, 1, 2]];
        let two = avcc(&[&sps], &pps).unwrap();
        let again = Avcc::decode_body(&mut &two[..]).unwrap();
        assert_eq!(again.picture_parameter_sets.len(), 2);
        assert_eq!(params_from_avcc(&two).unwrap().width, 1920);
        assert_eq!(avcc(&[], &pps), Err(ParamsError::NoSps("avcC")));
        assert!(avcc(&[&[0x67, 100]], &pps).is_err());
        assert!(avcc(&vec![&sps[..]; 32], &pps).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = avcc(&[&bytes], &[&bytes]);
            let _ = hvcc(&[&bytes], &[&bytes], &[&bytes]);
        }
    }
}
