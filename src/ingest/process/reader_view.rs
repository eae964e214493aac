//! What the service knows of a camera that another process reads: what that process says, over what earlier
//! ones said.
//!
//! Not here: whether it makes sense (`conversation`).

use std::sync::Arc;

use crate::base::{CameraId, Coded};

use super::super::sentence::{BufferSentence, CaptureSentence};
use super::super::state::{CameraShared, ConnectionPhase, Counters, Words};
use super::message::RingFound;

/// One camera.
pub struct ReaderView {
    pub shared: Arc<CameraShared>,
    /// Of all processes before this.
    earlier: Counters,
    earlier_attempts: u64,
    earlier_connections: u64,
}

impl ReaderView {
    pub fn new(camera: CameraId) -> ReaderView {
        ReaderView {
            shared: Arc::new(CameraShared::new(camera, Arc::default())),
            earlier: Counters::default(),
            earlier_attempts: 0,
            earlier_connections: 0,
        }
    }

    pub fn ring(&self, found: &RingFound) {
        let found = match found.clone() {
            RingFound::Created => BufferSentence::Created {},
            RingFound::Adopted { entries } => BufferSentence::Adopted { entries },
            RingFound::Replaced { why } => BufferSentence::Replaced { why },
        };
        self.shared.found_ring(found.sentence());
    }

    pub fn words(&self, mut words: Words) {
        words.attempts = words.attempts.saturating_add(self.earlier_attempts);
        words.connections = words.connections.saturating_add(self.earlier_connections);
        self.shared.set_words(words);
    }

    pub fn counters(&self, counters: Counters) {
        self.shared.set_counters(&counters.after(&self.earlier));
    }

    /// Its process is no more; the next one is started at `next_start_mono_ns`.
    pub fn lost(&mut self, reason: &CaptureSentence, now_mono_ns: u64, next_start_mono_ns: u64) {
        let counters = Counters {
            next_try_mono_ns: next_start_mono_ns,
            bitrate_bps: 0,
            ..self.shared.counters()
        };
        self.shared.set_counters(&counters);
        self.earlier = counters;
        let words = self.shared.words();
        (self.earlier_attempts, self.earlier_connections) = (words.attempts, words.connections);
        self.shared.set_words(Words {
            phase: ConnectionPhase::Waiting,
            since_mono_ns: now_mono_ns,
            reason: Some(reason.sentence()),
            warnings: Vec::new(),
            ..words
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_camera_whose_process_died_is_lost_with_a_reason_and_its_counts_go_on() {
        let mut view = ReaderView::new(CameraId::new("court1").unwrap());
        let says = |view: &ReaderView, units| {
            view.words(Words {
                phase: ConnectionPhase::Streaming,
                attempts: 1,
                connections: 1,
                ..Words::default()
            });
            view.counters(Counters {
                access_units: units,
                bitrate_bps: 9,
                ..Counters::default()
            });
        };
        says(&view, 100);
        view.lost(
            &CaptureSentence::ReaderHung { silent_s: 5 },
            7,
            2_000_000_007,
        );
        let state = view.shared.snapshot(7);
        assert_eq!(state.state, ConnectionPhase::Waiting);
        assert!(state.reason.contains("stood still"), "{}", state.reason);
        assert_eq!((state.next_try_in_ms, state.bitrate_bps), (Some(2_000), 0));
        says(&view, 20);
        let state = view.shared.snapshot(9);
        assert_eq!((state.access_units, state.connections), (120, 2));
        assert_eq!((state.attempts, state.reason.as_str()), (2, ""));
    }
}
