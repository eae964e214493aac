//! From the records in which cameras and files carry a track's parameters to
//! [`TrackParams`], and to names that browsers understand.
//!
//! Not here: what stands in an SPS (`sps`), the boxes around the records (`mp4`).

use mp4_atom::{Atom, Avcc, Hvcc};

use super::bits::Bits;
use super::error::ParamsError;
use super::sps::{self, CodedPicture};
use super::types::{Codec, TICKS_90K, TrackParams};

/// NAL unit type of an H.265 SPS.
const H265_SPS: u8 = 33;

fn record<T: Atom>(what: &'static str, body: &[u8]) -> Result<T, ParamsError> {
    T::decode_body(&mut &body[..]).map_err(|e| ParamsError::Record {
        what,
        why: e.to_string(),
    })
}

/// H.264 from the body of `avcC` (AVCDecoderConfigurationRecord).
pub fn params_from_avcc(body: &[u8]) -> Result<TrackParams, ParamsError> {
    let picture = picture(Codec::H264, body)?;
    Ok(video(Codec::H264, body, &picture))
}

/// H.265 from the body of `hvcC` (HEVCDecoderConfigurationRecord).
pub fn params_from_hvcc(body: &[u8]) -> Result<TrackParams, ParamsError> {
    let picture = picture(Codec::H265, body)?;
    Ok(video(Codec::H265, body, &picture))
}

/// What the first SPS in the body of `avcC` or `hvcC` says of the picture.
pub fn picture(codec: Codec, body: &[u8]) -> Result<CodedPicture, ParamsError> {
    match codec {
        Codec::H265 => {
            let hvcc: Hvcc = record("hvcC", body)?;
            let mut sets = hvcc.arrays.iter().filter(|a| a.nal_unit_type == H265_SPS);
            let first = sets.find_map(|array| array.nalus.first());
            sps::h265(first.ok_or(ParamsError::NoSps("hvcC"))?)
        }
        _ => {
            let avcc: Avcc = record("avcC", body)?;
            let first = avcc.sequence_parameter_sets.first();
            sps::h264(first.ok_or(ParamsError::NoSps("avcC"))?)
        }
    }
}

/// What each SPS in the body of `avcC` or `hvcC` says of the picture.
pub fn pictures(codec: Codec, body: &[u8]) -> Result<Vec<CodedPicture>, ParamsError> {
    match codec {
        Codec::H265 => {
            let hvcc: Hvcc = record("hvcC", body)?;
            let sets = hvcc.arrays.iter().filter(|a| a.nal_unit_type == H265_SPS);
            let sets = sets.flat_map(|array| &array.nalus);
            sets.map(|nal| sps::h265(nal)).collect()
        }
        _ => {
            let avcc: Avcc = record("avcC", body)?;
            let sets = avcc.sequence_parameter_sets.iter();
            sets.map(|nal| sps::h264(nal)).collect()
        }
    }
}

fn video(codec: Codec, body: &[u8], picture: &CodedPicture) -> TrackParams {
    TrackParams {
        codec,
        timescale: u32::try_from(TICKS_90K).unwrap_or(u32::MAX),
        config: body.to_vec(),
        width: picture.width,
        height: picture.height,
        pixel_aspect: picture.pixel_aspect,
        channels: 0,
    }
}

/// AAC from an AudioSpecificConfig. `timescale` is the rate of the core coder;
/// a stream whose clock runs otherwise (explicit SBR) has it set afterwards.
pub fn params_from_asc(config: &[u8]) -> Result<TrackParams, ParamsError> {
    let bad = |why| ParamsError::Audio {
        config: config.to_vec(),
        why,
    };
    let asc = Asc::read(config).ok_or_else(|| bad("ends too early"))?;
    if !(7_000..=192_000).contains(&asc.sample_rate) {
        return Err(bad("has no sample rate of this world"));
    }
    Ok(TrackParams {
        codec: Codec::Aac,
        timescale: asc.sample_rate,
        config: config.to_vec(),
        width: 0,
        height: 0,
        pixel_aspect: (1, 1),
        channels: asc.channels,
    })
}

struct Asc {
    object_type: u32,
    sample_rate: u32,
    channels: u16,
}

impl Asc {
    fn read(config: &[u8]) -> Option<Asc> {
        const RATES: [u32; 13] = [
            96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
            8_000, 7_350,
        ];
        const ESCAPE: u32 = 31;
        const EXPLICIT: u32 = 15;
        let mut bits = Bits::new(config);
        let object_type = match bits.bits(5)? {
            ESCAPE => 32 + bits.bits(6)?,
            plain => plain,
        };
        let sample_rate = match bits.bits(4)? {
            EXPLICIT => bits.bits(24)?,
            index => RATES
                .get(usize::try_from(index).ok()?)
                .copied()
                .unwrap_or(0),
        };
        let channels = match bits.bits(4)? {
            7 => 8,
            plain => u16::try_from(plain).ok()?,
        };
        Some(Asc {
            object_type,
            sample_rate,
            channels,
        })
    }
}

impl TrackParams {
    /// The name of this coding after RFC 6381, such as `avc1.64001f`,
    /// `hvc1.1.6.L93.b0`, `mp4a.40.2` or `fLaC`.
    pub fn codec_string(&self) -> String {
        let config = &self.config;
        match self.codec {
            Codec::H264 => match config.get(1..4) {
                Some([profile, compatibility, level]) => {
                    format!("avc1.{profile:02x}{compatibility:02x}{level:02x}")
                }
                _ => "avc1".into(),
            },
            Codec::H265 => match record::<Hvcc>("hvcC", config) {
                Ok(hvcc) => h265_string(&hvcc),
                Err(_) => "hvc1".into(),
            },
            Codec::Aac => match Asc::read(config) {
                Some(asc) => format!("mp4a.40.{}", asc.object_type),
                None => "mp4a.40".into(),
            },
            // PCM travels as FLAC.
            Codec::Pcma | Codec::Pcmu | Codec::L16 | Codec::Flac => "fLaC".into(),
        }
    }
}

fn h265_string(hvcc: &Hvcc) -> String {
    let space = match hvcc.general_profile_space {
        space @ 1..=3 => char::from(b'A' + space - 1).to_string(),
        _ => String::new(),
    };
    let compatibility = u32::from_be_bytes(hvcc.general_profile_compatibility_flags).reverse_bits();
    let tier = if hvcc.general_tier_flag { 'H' } else { 'L' };
    let constraints = &hvcc.general_constraint_indicator_flags;
    let used = constraints.iter().rposition(|byte| *byte != 0);
    let constraints: String = constraints[..used.map_or(0, |last| last + 1)]
        .iter()
        .map(|byte| format!(".{byte:x}"))
        .collect();
    format!(
        "hvc1.{space}{}.{compatibility:x}.{tier}{}{constraints}",
        hvcc.general_profile_idc, hvcc.general_level_idc
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// x264, 1920x1080, pixels 16:11, 30 frames a second, two B-frames deep.
    const AVCC: &str = "01640028ffe1001b67640028acd940780227e5c104000003000400000300f03c60c658\
        01000668ebe3cb22c0fdf8f800";
    /// x265, 1280x720, pixels 4:3, 25 frames a second, with scaling lists.
    const HVCC: &str = "0101600000009000000000005df000fcfdf8f800000f03a00001001840010c01ffff01\
        600000030090000003000003005d959809a10001002b42010101600000030090000003000003005da002808\
        02d165959a49395e1cd010000030001000003001908a2000100074401c172b46240";
    /// x265, 638x358, 50 frames a second.
    const HVCC_CROPPED: &str = "0101600000009000000000005af000fcfdf8f800000f03a00001001840010c01f\
        fff01600000030090000003000003005a911809a10001002a42010101600000030090000003000003005aa0\
        05020169d565911a4932bc05a020000003002000000641a2000100074401c172b46240";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn h264_parameters_say_size_pixels_rate_and_reordering() {
        let params = params_from_avcc(&bytes(AVCC)).unwrap();
        assert_eq!((params.width, params.height), (1920, 1080));
        assert_eq!(params.pixel_aspect, (16, 11));
        assert_eq!((params.codec, params.timescale), (Codec::H264, 90_000));
        assert_eq!(params.codec_string(), "avc1.640028");
        let picture = picture(Codec::H264, &params.config).unwrap();
        assert_eq!((picture.fps, picture.reorder), (Some(30.0), Some(2)));
    }

    #[test]
    fn h265_parameters_say_size_pixels_rate_and_reordering() {
        let params = params_from_hvcc(&bytes(HVCC)).unwrap();
        assert_eq!((params.width, params.height), (1280, 720));
        assert_eq!(params.pixel_aspect, (4, 3));
        assert_eq!(params.codec_string(), "hvc1.1.6.L93.90");
        let picture = picture(Codec::H265, &params.config).unwrap();
        assert_eq!((picture.fps, picture.reorder), (Some(25.0), Some(2)));
    }

    #[test]
    fn an_h265_picture_is_cropped_to_what_is_shown() {
        let picture = picture(Codec::H265, &bytes(HVCC_CROPPED)).unwrap();
        assert_eq!((picture.width, picture.height), (638, 358));
        assert_eq!((picture.fps, picture.reorder), (Some(50.0), Some(1)));
    }

    #[test]
    fn audio_configurations_say_rate_and_channels() {
        let of = |config: &[u8]| {
            let params = params_from_asc(config).unwrap();
            (params.timescale, params.channels, params.codec_string())
        };
        assert_eq!(of(&[0x11, 0x90]), (48_000, 2, "mp4a.40.2".into()));
        assert_eq!(of(&[0x15, 0x88]), (8_000, 1, "mp4a.40.2".into()));
        // HE-AAC with the core's rate first.
        assert_eq!(of(&[0x2b, 0x11, 0x88]), (24_000, 2, "mp4a.40.5".into()));
        // 44 056 Hz spelled out.
        assert_eq!(
            of(&[0x17, 0x80, 0x56, 0x0c, 0x10]),
            (44_056, 2, "mp4a.40.2".into())
        );
    }

    #[test]
    fn what_is_wrong_with_parameters_is_said() {
        let text = |result: Result<TrackParams, ParamsError>| result.unwrap_err().to_string();
        assert_eq!(
            text(params_from_asc(&[0x11])),
            "the AudioSpecificConfig [11] ends too early"
        );
        assert_eq!(
            text(params_from_asc(&[0x17, 0x00])),
            "the AudioSpecificConfig [17, 00] has no sample rate of this world"
        );
        assert_eq!(
            text(params_from_avcc(&[1, 100, 0, 40, 0xff, 0xe0, 0])),
            "the avcC holds no SPS"
        );
        assert!(text(params_from_avcc(&[])).starts_with("the avcC is damaged"));
        assert!(text(params_from_hvcc(&bytes(HVCC)[..60])).starts_with("the hvcC is damaged"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(garbage in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = params_from_asc(&garbage);
            for record in [params_from_avcc(&garbage), params_from_hvcc(&garbage)] {
                prop_assert!(record.is_err() || garbage.len() > 7);
            }
            let _ = sps::h264(&garbage);
            let _ = sps::h265(&garbage);
        }

        #[test]
        fn damaged_parameters_give_an_answer(at in 0usize..112, value: u8) {
            for (codec, hex) in [(Codec::H264, AVCC), (Codec::H265, HVCC), (Codec::H265, HVCC_CROPPED)] {
                let mut body = bytes(hex);
                let at = at % body.len();
                body[at] = value;
                let _ = picture(codec, &body);
            }
        }
    }
}
