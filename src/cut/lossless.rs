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

/// What is coded while the window still runs, so that little is left at its end. Where the clip turns out as it looked
/// then, it goes on; where not, all is coded anew: the bytes are the same either way.
#[derive(Debug, Default)]
pub(super) struct CodedAhead(Option<Coding>);

/// A copy of a cut codes for itself.
impl Clone for CodedAhead {
    fn clone(&self) -> CodedAhead {
        CodedAhead(None)
    }
}

impl CodedAhead {
    /// Codes what lies whole in `[.., end)`.
    pub fn go_on(&mut self, placed: &[PlacedSound], params: &TrackParams, pcm: &[u8], end: i64) {
        let whole = placed
            .iter()
            .position(|p| p.ticks.saturating_add(p.lasts) > end);
        let placed = &placed[..whole.unwrap_or(placed.len())];
        let mut coding = self.coding(placed, params, end);
        coding.add(placed, pcm);
        self.0 = Some(coding);
    }

    fn coding(&mut self, placed: &[PlacedSound], params: &TrackParams, end: i64) -> Coding {
        let known = self.0.take();
        let fits = |coding: &Coding| {
            let done = &coding.done;
            coding.params == *params
                && coding.line.end() <= end
                && done.len() <= placed.len()
                && steps(placed).zip(done).all(|(step, done)| step == *done)
        };
        known.filter(fits).unwrap_or_else(|| Coding::new(params))
    }
}

/// A packet, as far as its samples' place depends on it: where its bytes are, where it stands, and whether
/// something is missing before it.
fn steps(placed: &[PlacedSound]) -> impl Iterator<Item = (u64, i64, bool)> {
    let mut epoch = None;
    placed.iter().map(move |packet| {
        let seam = epoch.replace(packet.au.epoch) != Some(packet.au.epoch);
        let broken = seam || packet.au.lost_packets > 0;
        (packet.offset, packet.ticks, broken)
    })
}

/// What lies in `[0, end)` of the packets, whose bytes are in `pcm`. `at`: where in the clip's data the
/// frames will stand. `None`: nothing is heard.
pub(super) fn lossless(
    placed: &[PlacedSound],
    params: &TrackParams,
    (pcm, mut ahead): (&[u8], CodedAhead),
    at: u64,
    end: i64,
) -> Result<Option<LosslessSound>, FlacError> {
    let mut coding = ahead.coding(placed, params, end);
    coding.line.ends_at(end);
    coding.add(placed, pcm);
    let rest = coding.line.rest();
    if !rest.is_empty() {
        coding.frames.add(&rest);
    }
    let Some(first) = coding.line.first() else {
        return Ok(None);
    };
    coding.frames.into_track(params, first, at).map(Some)
}

#[derive(Debug)]
struct Coding {
    params: TrackParams,
    line: PcmLine,
    frames: Frames,
    done: Vec<(u64, i64, bool)>,
}

impl Coding {
    fn new(params: &TrackParams) -> Coding {
        let block = flac::block_ticks(params.timescale);
        Coding {
            params: params.clone(),
            line: PcmLine::new(params, 0, i64::MAX, block),
            frames: Frames {
                encoder: FlacEncoder::new(params),
                bytes: Vec::new(),
                lens: Vec::new(),
                failed: None,
            },
            done: Vec::new(),
        }
    }

    /// What is behind those that are done.
    fn add(&mut self, placed: &[PlacedSound], pcm: &[u8]) {
        let Coding {
            line, frames, done, ..
        } = self;
        let new = placed.iter().zip(steps(placed)).skip(done.len());
        for (packet, step) in new {
            let (_, ticks, broken) = step;
            line.add(ticks, broken, packet.bytes(pcm), &mut |block| {
                frames.add(block);
            });
            done.push(step);
        }
    }
}

#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::{Alignment, AuFlags, AuMeta, Codec, Track, pcm};

    fn placed(packets: i64, moved: i64) -> Vec<PlacedSound> {
        let packet = |n: i64| PlacedSound {
            au: AuMeta {
                track: Track::Audio,
                flags: AuFlags::default(),
                generation: 1,
                epoch: 1,
                pts: n * 160,
                pts_90k: n * 1_800,
                alignment: Alignment::Arrival,
                arrival_mono_ns: 0,
                lost_packets: 0,
                dropped_bytes: 0,
                len: 160,
            },
            offset: u64::try_from(n).unwrap() * 160,
            ticks: n * 160 + moved,
            lasts: 160,
        };
        (0..packets).map(packet).collect()
    }

    #[test]
    fn what_was_coded_ahead_is_kept_only_where_all_of_it_stands_as_it_stood() {
        let params = pcm::params(Codec::Pcma, 8_000, 1).unwrap();
        let bytes = vec![0x55; 100 * 160];
        let kept = |placed: &[PlacedSound], end: i64| {
            let mut ahead = CodedAhead::default();
            ahead.go_on(&self::placed(40, -10), &params, &bytes, 30 * 160);
            ahead.coding(placed, &params, end).done.len()
        };
        assert_eq!(kept(&placed(100, -10), 16_000), 30);
        assert_eq!(kept(&placed(30, -10), 30 * 160), 30);
        assert_eq!(kept(&placed(29, -10), 16_000), 0);
        assert_eq!(kept(&placed(100, -9), 16_000), 0);
        assert_eq!(kept(&placed(100, -10), 29 * 160), 0);
        let mut lost = placed(100, -10);
        lost[7].au.lost_packets = 1;
        assert_eq!(kept(&lost, 16_000), 0);
    }
}
