//! Samples of 16 bits ↔ frames of FLAC, and what stands in front of them in an MP4. Lossless.
//!
//! All frames but a stream's last are equally long. Nothing is carried from one to the next, so the first sample of the
//! first frame is the first that is heard.
//!
//! Not here: which samples (`pcm_line`), the box around the parameters (`mp4`).

use std::fmt;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

use flac_codec::decode::FlacStreamReader;
use flac_codec::encode::{FlacStreamWriter, Options};
use mp4_atom::{Atom, Dfla, FlacMetadataBlock};

use super::types::{Codec, TrackParams};
use crate::base::lock;

/// Bits of a sample.
const BITS: u8 = 16;
/// At rates up to 48 kHz every decoder takes blocks up to 4608.
const LONGEST_BLOCK: u32 = 4_096;

#[derive(Debug, thiserror::Error)]
pub enum FlacError {
    #[error("{samples} samples of {channels} channels at {rate} Hz do not become FLAC: {why}")]
    Encode {
        samples: usize,
        channels: u8,
        rate: u32,
        why: String,
    },
    #[error("the {bytes} bytes of FLAC do not decode: {why}")]
    Decode { bytes: usize, why: String },
    #[error("the parameters of FLAC cannot be written: {0}")]
    Params(String),
}

/// Ticks of a frame: a tenth of a second, so that a player that looks for an instant finds one near it.
pub fn block_ticks(rate: u32) -> usize {
    let block = (rate / 10).clamp(16, LONGEST_BLOCK);
    usize::try_from(block).unwrap_or(usize::MAX)
}

/// Makes one stream's frames, one after the other.
pub struct FlacEncoder {
    writer: FlacStreamWriter<Sink>,
    made: Sink,
    rate: u32,
    channels: u8,
}

/// The library keeps its writer to itself; this is how its bytes come out.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for FlacEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlacEncoder")
            .field("rate", &self.rate)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl FlacEncoder {
    /// Of a track of PCM.
    pub fn new(pcm: &TrackParams) -> FlacEncoder {
        let made = Sink::default();
        FlacEncoder {
            // No floating point is in it: the same samples give the same bytes on every machine.
            writer: FlacStreamWriter::new(made.clone(), Options::fast()),
            made,
            rate: pcm.timescale,
            channels: u8::try_from(pcm.channels).unwrap_or(u8::MAX),
        }
    }

    /// A frame of these samples, the channels of one instant side by side; at most [`block_ticks`] instants.
    ///
    /// # Errors
    /// No samples, or a format that FLAC does not know.
    pub fn frame(&mut self, samples: &[i32]) -> Result<Vec<u8>, FlacError> {
        let failed = |why: String| FlacError::Encode {
            samples: samples.len(),
            channels: self.channels,
            rate: self.rate,
            why,
        };
        if samples.len() < usize::from(self.channels) {
            return Err(failed("there is nothing to code".to_owned()));
        }
        self.writer
            .write(self.rate, self.channels, u32::from(BITS), samples)
            .map_err(|error| failed(error.to_string()))?;
        Ok(std::mem::take(&mut *lock(&self.made.0)))
    }
}

/// Parameters of FLAC with the samples of a track of PCM. `ticks`: of the whole stream; 0 where unknown.
///
/// # Errors
/// The box cannot be written.
pub fn params(pcm: &TrackParams, ticks: u64) -> Result<TrackParams, FlacError> {
    let block = u16::try_from(block_ticks(pcm.timescale)).unwrap_or(u16::MAX);
    let unknown = || [0, 0, 0].into();
    let info = FlacMetadataBlock::StreamInfo {
        minimum_block_size: block,
        maximum_block_size: block,
        minimum_frame_size: unknown(),
        maximum_frame_size: unknown(),
        sample_rate: pcm.timescale,
        num_channels_minus_one: u8::try_from(pcm.channels.saturating_sub(1)).unwrap_or(0),
        bits_per_sample_minus_one: BITS - 1,
        // 36 bits.
        number_of_interchannel_samples: if ticks < 1 << 36 { ticks } else { 0 },
        md5_checksum: vec![0; 16],
    };
    let mut config = Vec::new();
    let dfla = Dfla { blocks: vec![info] };
    dfla.encode_body(&mut config)
        .map_err(|e| FlacError::Params(e.to_string()))?;
    Ok(TrackParams {
        codec: Codec::Flac,
        config,
        ..pcm.clone()
    })
}

/// What a clip's FLAC says of its samples: rate, channels, bits. `None` where it says nothing.
pub fn format_of(dfla: &Dfla) -> Option<(u32, u16, u16)> {
    dfla.blocks.first().and_then(|block| match block {
        FlacMetadataBlock::StreamInfo {
            sample_rate,
            num_channels_minus_one,
            bits_per_sample_minus_one,
            ..
        } => Some((
            *sample_rate,
            u16::from(*num_channels_minus_one) + 1,
            u16::from(*bits_per_sample_minus_one) + 1,
        )),
        _ => None,
    })
}

/// The samples of a whole frame, the channels of one instant side by side.
///
/// # Errors
/// It is no frame of FLAC, or more than one.
pub fn decode(frame: &[u8]) -> Result<Vec<i32>, FlacError> {
    let failed = |why: String| FlacError::Decode {
        bytes: frame.len(),
        why,
    };
    if !matches!(frame, [0xff, 0xf8 | 0xf9, ..]) {
        return Err(failed("it does not begin as a frame does".to_owned()));
    }
    // What a disk has damaged is no food for a decoder.
    if crc_16(frame) != 0 {
        return Err(failed("its checksum is wrong".to_owned()));
    }
    let mut bytes = Cursor::new(frame);
    let mut reader = FlacStreamReader::new(&mut bytes);
    let samples = match reader.read() {
        Ok(read) => read.samples.to_vec(),
        Err(error) => return Err(failed(error.to_string())),
    };
    let read = bytes.position();
    match u64::try_from(frame.len()) {
        Ok(len) if len == read => Ok(samples),
        _ => Err(failed(format!("only {read} bytes are a frame"))),
    }
}

/// Over a whole frame, which ends in it: 0.
fn crc_16(frame: &[u8]) -> u16 {
    const POLYNOMIAL: u16 = 0x8005;
    frame.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc >> 15 {
            0 => crc << 1,
            _ => crc << 1 ^ POLYNOMIAL,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::pcm;
    use super::*;
    use proptest::prelude::*;

    fn l16(rate: u32, channels: u16) -> TrackParams {
        pcm::params(Codec::L16, rate, channels).unwrap()
    }

    #[test]
    fn its_parameters_say_what_the_samples_are() {
        let pcm = pcm::params(Codec::Pcma, 8_000, 1).unwrap();
        let params = params(&pcm, 12_345).unwrap();
        assert_eq!((params.codec, params.timescale), (Codec::Flac, 8_000));
        let dfla = Dfla::decode_body(&mut &params.config[..]).unwrap();
        assert_eq!(format_of(&dfla), Some((8_000, 1, 16)));
        assert_eq!(params.codec_string(), "fLaC");
    }

    #[test]
    fn a_frame_is_no_longer_than_every_decoder_takes() {
        for (rate, ticks) in [
            (8_000, 800),
            (16_000, 1_600),
            (44_100, 4_096),
            (48_000, 4_096),
        ] {
            assert_eq!(block_ticks(rate), ticks);
        }
    }

    #[test]
    fn a_damaged_frame_is_found_out() {
        let samples: Vec<i32> = (0..800).map(|n| n * 37 % 2_000).collect();
        let frame = FlacEncoder::new(&l16(8_000, 1)).frame(&samples).unwrap();
        assert_eq!(decode(&frame).unwrap(), samples);
        for at in 0..frame.len() {
            let mut damaged = frame.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_err(), "byte {at}");
        }
        assert!(decode(&frame[..frame.len() - 1]).is_err());
        assert!(decode(&[&frame[..], &[0]].concat()).is_err());
        assert!(FlacEncoder::new(&l16(8_000, 1)).frame(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_samples_come_back_as_they_were(
            samples in proptest::collection::vec(-32_768i32..=32_767, 1..900),
            shift in 0u32..12, stereo: bool, rate in 8_000u32..=48_000,
        ) {
            let channels = if stereo { 2 } else { 1 };
            let mut encoder = FlacEncoder::new(&l16(rate, channels));
            let whole = samples.len() / usize::from(channels) * usize::from(channels);
            let samples: Vec<i32> = samples[..whole].iter().map(|s| s >> shift << shift).collect();
            prop_assume!(!samples.is_empty());
            for _ in 0..2 {
                let frame = encoder.frame(&samples).unwrap();
                prop_assert_eq!(&decode(&frame).unwrap(), &samples);
            }
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = decode(&[&[0xff, 0xf8][..], &bytes].concat());
        }
    }
}
