//! B-frames: how far the order of decoding is from the order of showing. Pure.
//!
//! Not here: decode times (`fragment`, `mp4`), whether a clock was set (`ingest`).

use std::collections::VecDeque;

use super::params;
use super::types::{Codec, TICKS_90K, TrackParams};

/// No decoder holds back more pictures than this (H.264 and H.265 alike).
pub const MAX_DEPTH: usize = 16;

/// How many access units stand, in decoding order, before one that is shown
/// earlier. Learned from the stream; needed to know when no more can come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reorder {
    recent_90k: VecDeque<i64>,
    depth: usize,
    newest_90k: Option<i64>,
    step_90k: i64,
}

impl Reorder {
    /// A wider step is a hole.
    const MAX_STEP_90K: i64 = TICKS_90K;

    pub fn known(depth: usize) -> Reorder {
        Reorder {
            depth: depth.min(MAX_DEPTH),
            ..Reorder::default()
        }
    }

    /// The next video access unit in decoding order.
    pub fn add(&mut self, pts_90k: i64) {
        // Of most nothing stands before them that is shown later.
        if self.newest_90k.is_some_and(|newest| newest > pts_90k) {
            let later = self.recent_90k.iter().filter(|p| **p > pts_90k).count();
            self.depth = self.depth.max(later);
        }
        if self.recent_90k.len() == MAX_DEPTH {
            self.recent_90k.pop_front();
        }
        self.recent_90k.push_back(pts_90k);
        let newest = *self.newest_90k.get_or_insert(pts_90k);
        let step = pts_90k.saturating_sub(newest).min(Self::MAX_STEP_90K);
        self.step_90k = self.step_90k.max(step);
        self.newest_90k = Some(newest.max(pts_90k));
    }

    /// Another epoch: its times have nothing to do with those before.
    pub fn begin_epoch(&mut self) {
        self.recent_90k.clear();
        self.newest_90k = None;
    }

    /// The widest step from one access unit that no other is shown behind of to the
    /// next: so long a camera collects pictures before it sends one.
    pub fn step_90k(&self) -> i64 {
        self.step_90k
    }

    pub fn depth(&self) -> usize {
        self.depth
    }
}

/// By how much decoding must run ahead of showing so that no frame is shown before it is
/// decoded: both are presentation times of the same frames, in the order of showing and in
/// the order of decoding.
pub fn lead(shown: &[i64], decoded: &[i64]) -> i64 {
    let ahead = shown.iter().zip(decoded).map(|(shown, own)| shown - own);
    ahead.max().unwrap_or(0).max(0)
}

/// The most frames that may overtake one in decoding order: none where every SPS says so, else
/// what the level lets a decoder keep of pictures of this size.
pub fn depth_allowed(params: &TrackParams) -> usize {
    let said = params::pictures(params.codec, &params.config).unwrap_or_default();
    if !said.is_empty() && said.iter().all(|picture| picture.reorder == Some(0)) {
        return 0;
    }
    match (params.codec, params.config.as_slice()) {
        (Codec::H264, &[_, profile, compatibility, level, ..]) => {
            // Baseline, and the constrained ones, have no B-frames.
            if profile == 66 {
                return 1;
            }
            let level = if level == 11 && compatibility & 0x10 != 0 {
                9
            } else {
                level
            };
            let macroblocks = u32::from(params.width.div_ceil(16)).max(1)
                * u32::from(params.height.div_ceil(16)).max(1);
            usize::try_from(max_dpb_macroblocks(level) / macroblocks)
                .unwrap_or(usize::MAX)
                // Some cameras claim a lower level than they use.
                .clamp(4, MAX_DEPTH)
        }
        _ => MAX_DEPTH,
    }
}

/// Table A-1 of H.264, `MaxDpbMbs`.
fn max_dpb_macroblocks(level_idc: u8) -> u32 {
    match level_idc {
        0..=10 => 396,
        11 => 900,
        12 | 13 | 20 => 2_376,
        21 => 4_752,
        22 | 30 => 8_100,
        31 => 18_000,
        32 => 20_480,
        40 | 41 => 32_768,
        42 => 34_816,
        50 => 110_400,
        51 | 52 => 184_320,
        _ => 696_320,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reorder_depth_is_learned_and_forgets_times_of_another_epoch() {
        let mut reorder = Reorder::default();
        for pts in [0, 4, 2, 1, 3, 8, 6, 5, 7] {
            reorder.add(pts);
        }
        assert_eq!(reorder.depth(), 2);
        reorder.begin_epoch();
        reorder.add(-1000);
        assert_eq!(reorder.depth(), 2);
        let mut plain = Reorder::default();
        (0..100).for_each(|pts| plain.add(pts));
        assert_eq!(plain.depth(), 0);
    }

    #[test]
    fn what_is_allowed_follows_level_and_size() {
        let allowed = |codec, config: &[u8], (width, height)| {
            depth_allowed(&TrackParams {
                codec,
                timescale: 90_000,
                config: config.to_vec(),
                width,
                height,
                pixel_aspect: (1, 1),
                channels: 0,
            })
        };
        let h264 = |profile, level, size| allowed(Codec::H264, &[1, profile, 0, level], size);
        assert_eq!(h264(100, 40, (1_920, 1_080)), 4);
        assert_eq!(h264(100, 51, (1_920, 1_080)), 16);
        assert_eq!(h264(77, 31, (640, 360)), 16);
        assert_eq!(h264(66, 40, (1_920, 1_080)), 1);
        assert_eq!(allowed(Codec::H265, &[1, 2], (640, 360)), 16);
    }

    #[test]
    fn decoding_runs_ahead_by_what_b_frames_need() {
        let decoded = [0, 7_200, 3_600, 14_400, 10_800];
        let mut shown = decoded;
        shown.sort_unstable();
        assert_eq!(lead(&shown, &decoded), 3_600);
        assert_eq!(lead(&shown, &shown), 0);
        assert_eq!(lead(&[], &[]), 0);
    }
}
