//! PCM on its way into a stream: blocks of equal length, as FLAC.
//!
//! A short hole is silence; a long one keeps its length as a hole does in other sound.
//!
//! Not here: where packets stand on the stream's timeline (`packager`).

use super::types::FragmentError;
use crate::media::flac::{self, FlacEncoder};
use crate::media::{PcmLine, TrackParams};

/// A frame of FLAC.
#[derive(Debug)]
pub(super) struct FlacBlock {
    /// Position of the first access unit that has to do with it.
    pub pos: u64,
    /// In ticks of the track, from the stream's beginning.
    pub at: i64,
    pub bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct FlacBlocks {
    pcm: TrackParams,
    encoder: FlacEncoder,
    line: PcmLine,
    /// Where the next block stands in the line, once it has begun.
    next: Option<i64>,
    /// Of the first packet that is in no block yet.
    pos: Option<u64>,
}

impl FlacBlocks {
    pub fn new(pcm: &TrackParams) -> FlacBlocks {
        FlacBlocks {
            encoder: FlacEncoder::new(pcm),
            line: new_line(pcm),
            next: None,
            pos: None,
            pcm: pcm.clone(),
        }
    }

    /// Ticks of each block.
    pub fn block(&self) -> u32 {
        u32::try_from(flac::block_ticks(self.pcm.timescale)).unwrap_or(u32::MAX)
    }

    /// A packet whose first sample stands at `at`; see [`PcmLine::add`].
    pub fn push(
        &mut self,
        pos: u64,
        at: i64,
        broken: bool,
        data: &[u8],
    ) -> Result<Vec<FlacBlock>, FragmentError> {
        let mut blocks = Vec::new();
        let second = u64::from(self.pcm.timescale);
        let ahead = self.next.is_some_and(|next| at.abs_diff(next) > second);
        if ahead {
            blocks.extend(self.rest()?);
        }
        let mut whole: Vec<Vec<i32>> = Vec::new();
        self.line
            .add(at, broken, data, &mut |block| whole.push(block.to_vec()));
        self.next = self.next.or(self.line.first());
        let began = *self.pos.get_or_insert(pos);
        if !whole.is_empty() {
            self.pos = self.line.waits().then_some(pos);
        }
        for samples in whole {
            blocks.push(self.block_of(began, &samples)?);
        }
        Ok(blocks)
    }

    /// What waits for a whole block, filled up with silence; what comes next may come from anywhere.
    pub fn rest(&mut self) -> Result<Option<FlacBlock>, FragmentError> {
        let mut samples = self.line.rest();
        let whole = flac::block_ticks(self.pcm.timescale) * usize::from(self.pcm.channels);
        let pos = self.pos.take();
        let block = match (samples.is_empty(), pos) {
            (false, Some(pos)) => {
                samples.resize(whole, 0);
                Some(self.block_of(pos, &samples)?)
            }
            _ => None,
        };
        self.line = new_line(&self.pcm);
        self.next = None;
        Ok(block)
    }

    fn block_of(&mut self, pos: u64, samples: &[i32]) -> Result<FlacBlock, FragmentError> {
        let at = self.next.unwrap_or(0);
        self.next = Some(at.saturating_add(i64::from(self.block())));
        let bytes = self.encoder.frame(samples)?;
        Ok(FlacBlock { pos, at, bytes })
    }
}

/// A stream begins at 0.
fn new_line(pcm: &TrackParams) -> PcmLine {
    PcmLine::new(pcm, 0, i64::MAX, flac::block_ticks(pcm.timescale))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::{Codec, pcm};

    fn lossless() -> FlacBlocks {
        FlacBlocks::new(&pcm::params(Codec::L16, 8_000, 1).unwrap())
    }

    fn packet(from: i16) -> Vec<u8> {
        (from..from + 160).flat_map(i16::to_be_bytes).collect()
    }

    #[test]
    fn blocks_are_equally_long_and_hold_every_sample() {
        let mut sound = lossless();
        let mut blocks = Vec::new();
        for n in 0..21 {
            let at = i16::try_from(n * 160).unwrap();
            blocks.extend(sound.push(n, at.into(), false, &packet(at)).unwrap());
        }
        blocks.extend(sound.rest().unwrap());
        let starts: Vec<(u64, i64)> = blocks.iter().map(|b| (b.pos, b.at)).collect();
        assert_eq!(
            starts,
            [(0, 0), (5, 800), (10, 1_600), (15, 2_400), (20, 3_200)]
        );
        let decoded = blocks.iter().map(|b| flac::decode(&b.bytes).unwrap());
        let heard: Vec<i32> = decoded.flatten().collect();
        assert_eq!(heard[..3_360], (0..3_360).collect::<Vec<i32>>());
        assert!(heard[3_360..].iter().all(|s| *s == 0) && heard.len() == 4_000);
    }

    #[test]
    fn a_short_hole_is_silence_and_a_long_one_a_hole() {
        let mut sound = lossless();
        assert!(sound.push(1, 0, false, &packet(1)).unwrap().is_empty());
        let blocks = sound.push(2, 1_600, true, &packet(1)).unwrap();
        assert_eq!(blocks.iter().map(|b| b.at).collect::<Vec<_>>(), [0, 800]);
        let blocks = sound.push(3, 80_000, true, &packet(1)).unwrap();
        assert_eq!(blocks.iter().map(|b| b.at).collect::<Vec<_>>(), [1_600]);
        let rest = sound.rest().unwrap().unwrap();
        assert_eq!((rest.at, rest.pos), (80_000, 3));
    }
}
