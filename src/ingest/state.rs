//! What ingest knows of its cameras, for status and health.
//!
//! Not here: what it means (`health`).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::base::{CameraId, Coded, Sentence, lock};

use super::sentence::BufferSentence;

/// Where a camera's connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionPhase {
    /// Being connected, or connected and not yet sending pictures.
    #[default]
    Connecting,
    /// Pictures come.
    Streaming,
    /// Lost or never reached; tried again at `next_try_in_ms`.
    Waiting,
    /// It answers, but not to this user name and password; tried again, rarely.
    RefusedPassword,
    /// `reconnect.max_attempts` is spent: not tried again until a restart.
    GivenUp,
}

/// A snapshot of one camera. Plain data; nothing in it is secret.
#[derive(Clone, Debug, Serialize)]
pub struct CameraState {
    pub camera: CameraId,
    pub state: ConnectionPhase,
    /// Since when `state` holds, `CLOCK_MONOTONIC`.
    pub since_mono_ns: u64,
    /// Arrival of the newest stored access unit; `None` before the first.
    pub last_au_mono_ns: Option<u64>,
    /// Why it is not streaming, or what is odd while it is; for people. Empty if all is well.
    pub reason: String,
    /// The same with its code.
    #[serde(skip)]
    pub reason_sentence: Option<Sentence>,
    /// Connections tried since the start.
    pub attempts: u64,
    /// Connections that came to streaming since the start.
    pub connections: u64,
    /// While waiting: until the next try.
    pub next_try_in_ms: Option<u64>,
    /// "H.264 1920x1080", once known.
    pub video: Option<String>,
    /// "AAC 48000 Hz, 2 channels", once known; `None` also where it has none that we take.
    pub audio: Option<String>,
    /// RTP packets lost since the start.
    pub lost_packets: u64,
    /// Access units stored since the start, of both tracks.
    pub access_units: u64,
    /// Access units left out because no key frame had come yet.
    pub skipped_access_units: u64,
    /// Access units too large for the ring.
    pub too_large_access_units: u64,
    /// Bytes stored since the start.
    pub bytes: u64,
    /// Number of the newest epoch.
    pub epochs: u32,
    /// Bits per second of all tracks over the last seconds; 0 while unknown.
    pub bitrate_bps: u64,
    /// Longest distance between key frames of this connection.
    pub longest_gop_ms: u64,
    /// How the ring was found at the start: "created", "adopted …", "replaced …".
    pub ring: String,
    /// The same with its code.
    #[serde(skip)]
    pub ring_sentence: Sentence,
    /// "needs the relay, because …", where its RTSP has to be mended; no fault, its clips are whole.
    pub relay: Option<String>,
    /// The same with its code.
    #[serde(skip)]
    pub relay_sentence: Option<Sentence>,
    /// What to change at the camera or in the config so that clips come out
    /// whole: key frames too far apart, or more bits than the ring is sized for.
    pub warnings: Vec<String>,
    /// The same with their codes.
    #[serde(skip)]
    pub warning_sentences: Vec<Sentence>,
}

/// The part of a camera's state that is text or changes rarely.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub phase: ConnectionPhase,
    pub since_mono_ns: u64,
    pub reason: Option<Sentence>,
    pub attempts: u64,
    pub connections: u64,
    pub video: Option<String>,
    pub audio: Option<String>,
    pub warnings: Vec<Sentence>,
    /// That it is read through the relay, and why.
    pub relay: Option<Sentence>,
}

/// What is counted of a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counters {
    pub last_au_mono_ns: u64,
    pub next_try_mono_ns: u64,
    pub lost_packets: u64,
    pub access_units: u64,
    pub skipped: u64,
    pub too_large: u64,
    pub bytes: u64,
    pub epochs: u32,
    pub bitrate_bps: u64,
    pub longest_gop_ms: u64,
}

impl Counters {
    /// The same since an earlier start, whose counts these were: sums go on, all else is as it is now.
    pub fn after(self, earlier: &Counters) -> Counters {
        Counters {
            last_au_mono_ns: self.last_au_mono_ns.max(earlier.last_au_mono_ns),
            lost_packets: self.lost_packets.saturating_add(earlier.lost_packets),
            access_units: self.access_units.saturating_add(earlier.access_units),
            skipped: self.skipped.saturating_add(earlier.skipped),
            too_large: self.too_large.saturating_add(earlier.too_large),
            bytes: self.bytes.saturating_add(earlier.bytes),
            epochs: self.epochs.max(earlier.epochs),
            ..self
        }
    }
}

/// What the camera's task and those who ask share. Counters are written by the
/// task alone; `words` too, and it never waits for the lock: a reader that was
/// put to sleep while it held it must not hold up a camera (law 1).
#[derive(Debug)]
pub(super) struct CameraShared {
    pub camera: CameraId,
    ring: OnceLock<Sentence>,
    pub last_au_mono_ns: AtomicU64,
    pub next_try_mono_ns: AtomicU64,
    pub lost_packets: AtomicU64,
    pub access_units: AtomicU64,
    pub skipped: AtomicU64,
    pub too_large: AtomicU64,
    pub bytes: AtomicU64,
    pub epochs: AtomicU32,
    pub bitrate_bps: AtomicU64,
    pub longest_gop_ms: AtomicU64,
    words: Mutex<Words>,
    /// Who waits for other words.
    told: Arc<Notify>,
}

impl CameraShared {
    /// `told` hears of other words.
    pub fn new(camera: CameraId, told: Arc<Notify>) -> CameraShared {
        CameraShared {
            camera,
            ring: OnceLock::new(),
            last_au_mono_ns: AtomicU64::new(0),
            next_try_mono_ns: AtomicU64::new(0),
            lost_packets: AtomicU64::new(0),
            access_units: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            too_large: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            epochs: AtomicU32::new(0),
            bitrate_bps: AtomicU64::new(0),
            longest_gop_ms: AtomicU64::new(0),
            words: Mutex::new(Words::default()),
            told,
        }
    }

    /// How the ring was found; what was said first counts.
    pub fn found_ring(&self, found: Sentence) {
        let _ = self.ring.set(found);
    }

    pub fn counters(&self) -> Counters {
        Counters {
            last_au_mono_ns: self.last_au_mono_ns.load(Relaxed),
            next_try_mono_ns: self.next_try_mono_ns.load(Relaxed),
            lost_packets: self.lost_packets.load(Relaxed),
            access_units: self.access_units.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            too_large: self.too_large.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            epochs: self.epochs.load(Relaxed),
            bitrate_bps: self.bitrate_bps.load(Relaxed),
            longest_gop_ms: self.longest_gop_ms.load(Relaxed),
        }
    }

    /// For whoever was told them by another process.
    pub fn set_counters(&self, to: &Counters) {
        self.last_au_mono_ns.store(to.last_au_mono_ns, Relaxed);
        self.next_try_mono_ns.store(to.next_try_mono_ns, Relaxed);
        self.lost_packets.store(to.lost_packets, Relaxed);
        self.access_units.store(to.access_units, Relaxed);
        self.skipped.store(to.skipped, Relaxed);
        self.too_large.store(to.too_large, Relaxed);
        self.bytes.store(to.bytes, Relaxed);
        self.epochs.store(to.epochs, Relaxed);
        self.bitrate_bps.store(to.bitrate_bps, Relaxed);
        self.longest_gop_ms.store(to.longest_gop_ms, Relaxed);
    }

    /// What was told last.
    pub fn words(&self) -> Words {
        lock(&self.words).clone()
    }

    /// As [`CameraShared::tell`], for who may wait.
    pub fn set_words(&self, words: Words) {
        *lock(&self.words) = words;
    }

    /// False if somebody is reading just now: to be told again later.
    pub fn tell(&self, words: &Words) -> bool {
        match self.words.try_lock() {
            Ok(mut told) => told.clone_from(words),
            Err(TryLockError::Poisoned(told)) => told.into_inner().clone_from(words),
            Err(TryLockError::WouldBlock) => return false,
        }
        self.told.notify_one();
        true
    }

    pub fn snapshot(&self, now_mono_ns: u64) -> CameraState {
        let words = self.words();
        let counters = self.counters();
        let ring = self.ring.get().cloned();
        let ring = ring.unwrap_or_else(|| BufferSentence::Created {}.sentence());
        let some = |value: u64| (value > 0).then_some(value);
        let waits = matches!(
            words.phase,
            ConnectionPhase::Waiting | ConnectionPhase::RefusedPassword
        );
        CameraState {
            camera: self.camera.clone(),
            state: words.phase,
            since_mono_ns: words.since_mono_ns,
            last_au_mono_ns: some(counters.last_au_mono_ns),
            reason: words
                .reason
                .as_ref()
                .map_or(String::new(), ToString::to_string),
            reason_sentence: words.reason,
            attempts: words.attempts,
            connections: words.connections,
            next_try_in_ms: waits.then(|| {
                let at = counters.next_try_mono_ns;
                at.saturating_sub(now_mono_ns) / 1_000_000
            }),
            video: words.video,
            audio: words.audio,
            lost_packets: counters.lost_packets,
            access_units: counters.access_units,
            skipped_access_units: counters.skipped,
            too_large_access_units: counters.too_large,
            bytes: counters.bytes,
            epochs: counters.epochs,
            bitrate_bps: counters.bitrate_bps,
            longest_gop_ms: counters.longest_gop_ms,
            ring: ring.text.clone(),
            ring_sentence: ring,
            relay: words.relay.as_ref().map(ToString::to_string),
            relay_sentence: words.relay,
            warnings: words.warnings.iter().map(ToString::to_string).collect(),
            warning_sentences: words.warnings,
        }
    }

    /// One writer: a plain load and store is enough, and cheaper than a locked add.
    pub fn add(counter: &AtomicU64, by: u64) {
        counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shared() -> CameraShared {
        CameraShared::new(CameraId::new("court1").unwrap(), Arc::default())
    }

    #[test]
    fn what_was_counted_before_a_restart_is_not_forgotten() {
        let earlier = Counters {
            access_units: 10,
            last_au_mono_ns: 7,
            bitrate_bps: 3,
            epochs: 2,
            ..Counters::default()
        };
        let now = Counters {
            access_units: 5,
            ..Counters::default()
        };
        let both = now.after(&earlier);
        assert_eq!((both.access_units, both.last_au_mono_ns), (15, 7));
        assert_eq!((both.bitrate_bps, both.epochs), (0, 2));
        let shared = shared();
        shared.set_counters(&both);
        assert_eq!(shared.counters(), both);
    }

    #[test]
    fn a_reader_that_holds_the_words_holds_up_no_camera() {
        let shared = shared();
        let reader = shared.words.lock().unwrap();
        assert!(!shared.tell(&Words::default()));
        drop(reader);
        let words = Words {
            phase: ConnectionPhase::Streaming,
            ..Words::default()
        };
        assert!(shared.tell(&words));
        assert_eq!(shared.snapshot(0).state, ConnectionPhase::Streaming);
    }

    #[test]
    fn a_waiting_camera_says_when_it_is_tried_again() {
        let shared = shared();
        let words = Words {
            phase: ConnectionPhase::Waiting,
            ..Words::default()
        };
        shared.tell(&words);
        shared.next_try_mono_ns.store(9_000_000_000, Relaxed);
        assert_eq!(shared.snapshot(7_500_000_000).next_try_in_ms, Some(1_500));
        assert_eq!(shared.snapshot(9_500_000_000).next_try_in_ms, Some(0));
        assert_eq!(shared.snapshot(0).last_au_mono_ns, None);
    }
}
