//! The frames of one track on their way into a fragment.

use super::types::TrackRun;
use crate::media::Track;
use crate::mp4::{FragmentRun, FragmentSample};

/// A frame, and where it was read.
#[derive(Debug)]
pub(super) struct Queued {
    pub pos: u64,
    pub sample: FragmentSample,
}

/// A frame's duration is not known before the next.
#[derive(Debug, Default)]
pub(super) struct SampleQueue {
    open: Option<Queued>,
    ready: Vec<Queued>,
}

impl SampleQueue {
    pub fn push(&mut self, mut next: Queued) {
        if let Some(mut open) = self.open.take() {
            next.sample.dts = next.sample.dts.max(open.sample.dts + 1);
            let lasts = next.sample.dts - open.sample.dts;
            open.sample.duration = u32::try_from(lasts).unwrap_or(u32::MAX);
            self.ready.push(open);
        }
        self.open = Some(next);
    }

    /// Nothing follows: the last frame lasts as long as the one before, or `usual`.
    pub fn close(&mut self, usual: u32) {
        if let Some(mut open) = self.open.take() {
            let before = self.ready.last().map(|last| last.sample.duration);
            open.sample.duration = before.unwrap_or(usual);
            self.ready.push(open);
        }
    }

    /// Whether the frame whose duration is not known yet is a key frame.
    pub fn key_waits(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.sample.sync)
    }

    /// Ticks that the frames last whose duration is known.
    pub fn lasts(&self) -> u64 {
        let durations = self.ready.iter().map(|queued| queued.sample.duration);
        durations.map(u64::from).sum()
    }

    pub fn first(&self) -> Option<&Queued> {
        self.ready.first()
    }

    pub fn run(&self, track: Track) -> Option<TrackRun> {
        let first = self.ready.first()?;
        Some(TrackRun {
            track,
            samples: self.ready.len(),
            start: first.sample.dts,
            duration: self.lasts(),
            bytes: self.ready.iter().map(|q| q.sample.data.len()).sum(),
        })
    }

    /// Those whose duration is known, for good.
    pub fn take(&mut self, track: usize) -> FragmentRun {
        let ready = std::mem::take(&mut self.ready);
        FragmentRun {
            track,
            samples: ready.into_iter().map(|queued| queued.sample).collect(),
        }
    }
}
