//! The sound of a clip whose camera sends PCM: one unbroken run of samples from the exact first to the exact last, as FLAC.
//!
//! Not here: where packets stand (`sound`), how samples are coded (`media`).

use super::placed_sound::PlacedSound;
use crate::media::flac::{self, FlacEncoder};
use crate::media::{FlacError, PcmLine, TrackParams};
use crate::mp4::{ClipTrack, Sample};

/// Frames of FLAC, and the track that they make.
pub(super) struct LosslessSound {
    pub track: ClipTrack,
    pub bytes: Vec<u8>,
}

/// What lies in `[0, end)` of the packets, whose bytes are in `pcm`. `at`: where in the clip's data the
/// frames will stand. `None`: nothing is heard.
pub(super) fn lossless(
    placed: &[PlacedSound],
    params: &TrackParams,
    pcm: &[u8],
    at: u64,
    end: i64,
) -> Result<Option<LosslessSound>, FlacError> {
    let mut line = PcmLine::new(params, 0, end, flac::block_ticks(params.timescale));
    let mut frames = Frames {
        encoder: FlacEncoder::new(params),
        bytes: Vec::new(),
        lens: Vec::new(),
        failed: None,
    };
    let mut epoch = None;
    for packet in placed {
        let seam = epoch.replace(packet.au.epoch) != Some(packet.au.epoch);
        let broken = seam || packet.au.lost_packets > 0;
        line.add(packet.ticks, broken, packet.bytes(pcm), &mut |block| {
            frames.add(block);
        });
    }
    let rest = line.rest();
    if !rest.is_empty() {
        frames.add(&rest);
    }
    let Some(first) = line.first() else {
        return Ok(None);
    };
    frames.into_track(params, first, at).map(Some)
}

struct Frames {
    encoder: FlacEncoder,
    bytes: Vec<u8>,
    /// Bytes and ticks of each.
    lens: Vec<(usize, usize)>,
    failed: Option<FlacError>,
}

impl Frames {
    fn add(&mut self, samples: &[i32]) {
        if self.failed.is_some() {
            return;
        }
        match self.encoder.frame(samples) {
            Ok(frame) => {
                self.lens.push((frame.len(), samples.len()));
                self.bytes.extend(frame);
            }
            Err(error) => self.failed = Some(error),
        }
    }

    fn into_track(
        self,
        pcm: &TrackParams,
        first: i64,
        at: u64,
    ) -> Result<LosslessSound, FlacError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let channels = usize::from(pcm.channels.max(1));
        let (mut offset, mut pts, mut ticks) = (at, first, 0);
        let mut samples = Vec::with_capacity(self.lens.len());
        for (bytes, values) in self.lens {
            let size = u32::try_from(bytes).unwrap_or(u32::MAX);
            samples.push(Sample {
                offset,
                size,
                pts,
                sync: true,
                entry: 0,
            });
            let lasts = u32::try_from(values / channels).unwrap_or(u32::MAX);
            offset += u64::from(size);
            pts += i64::from(lasts);
            ticks += u64::from(lasts);
        }
        Ok(LosslessSound {
            track: ClipTrack {
                entries: vec![flac::params(pcm, ticks)?],
                samples,
                start: 0,
                end: pts,
            },
            bytes: self.bytes,
        })
    }
}
