//! Watches what the ring can hold: how far apart key frames are, and how many
//! bits come. Pure.
//!
//! Not here: what is stored (`normalizer`).

use super::sentence::{Bitrate, CaptureSentence, TenthsOfSecond};
use crate::config::RingSettings;

/// Seconds over which the bitrate is taken.
const RATE_S: u64 = 10;
/// One for each of these seconds.
const SLOTS: usize = 10;
/// What a ring must hold beyond window and GOP.
const MARGIN_MS: u64 = 5_000;

/// What the ring was built for.
#[derive(Clone, Copy, Debug)]
pub struct RingCapacity {
    pub data_bytes: u64,
    pub seconds: u32,
    pub max_bitrate_bps: u64,
    /// pre + post.
    pub window_ms: u64,
}

/// Counts of one connection.
#[derive(Clone, Debug, Default)]
pub struct StreamWatch {
    last_key_90k: Option<i64>,
    longest_gop_ms: u64,
    shortest_gop_ms: Option<u64>,
    key_frames: u64,
    /// Bytes by second; a slot is the second modulo the size.
    seconds: [(u64, u64); SLOTS],
    first_s: Option<u64>,
}

impl StreamWatch {
    /// A stored AU of any track.
    pub fn bytes(&mut self, len: usize, arrival_mono_ns: u64) {
        let second = arrival_mono_ns / 1_000_000_000;
        self.first_s.get_or_insert(second);
        let slot = &mut self.seconds[usize::try_from(second).unwrap_or(0) % SLOTS];
        if slot.0 != second {
            *slot = (second, 0);
        }
        slot.1 += u64::try_from(len).unwrap_or(0);
    }

    /// A video AU. An unfinished GOP counts as soon as it is the longest.
    pub fn video(&mut self, pts_90k: i64, key: bool) {
        if let Some(last) = self.last_key_90k {
            let ms = u64::try_from(pts_90k.saturating_sub(last) / 90).unwrap_or(0);
            self.longest_gop_ms = self.longest_gop_ms.max(ms);
            if key {
                self.shortest_gop_ms = Some(self.shortest_gop_ms.map_or(ms, |short| short.min(ms)));
            }
        }
        if key {
            self.key_frames += 1;
            self.last_key_90k = Some(pts_90k);
        }
    }

    /// The camera's clock was set: distances across it mean nothing.
    pub fn new_epoch(&mut self) {
        self.last_key_90k = None;
    }

    pub fn longest_gop_ms(&self) -> u64 {
        self.longest_gop_ms
    }

    pub fn shortest_gop_ms(&self) -> Option<u64> {
        self.shortest_gop_ms
    }

    pub fn key_frames(&self) -> u64 {
        self.key_frames
    }

    /// Over the whole seconds of the last ten; 0 before two were seen.
    pub fn bitrate_bps(&self, now_mono_ns: u64) -> u64 {
        let now_s = now_mono_ns / 1_000_000_000;
        let Some(first) = self.first_s else { return 0 };
        // The first second and the running one are not whole.
        let from = (first + 1).max(now_s.saturating_sub(RATE_S - 1));
        let count = now_s.saturating_sub(from);
        if count == 0 {
            return 0;
        }
        let bytes: u64 = self
            .seconds
            .iter()
            .filter(|(second, _)| (from..now_s).contains(second))
            .map(|(_, bytes)| bytes)
            .sum();
        bytes * 8 / count
    }

    /// What to change; empty if the ring fits the stream.
    pub fn warnings(&self, room: &RingCapacity, now_mono_ns: u64) -> Vec<CaptureSentence> {
        room.warnings(self.bitrate_bps(now_mono_ns), self.longest_gop_ms)
    }
}

impl RingCapacity {
    /// What a ring of these settings holds, for a window of pre + post.
    pub fn of(ring: &RingSettings, window_ms: u64) -> RingCapacity {
        RingCapacity {
            // Entries and bytes are sized together: bytes are what runs out first.
            data_bytes: u64::from(ring.seconds).saturating_mul(ring.max_bitrate_bps) / 8,
            seconds: ring.seconds,
            max_bitrate_bps: ring.max_bitrate_bps,
            window_ms,
        }
    }

    /// What to change for a stream of this bitrate (0: unknown) and longest GOP.
    pub fn warnings(&self, bitrate_bps: u64, longest_gop_ms: u64) -> Vec<CaptureSentence> {
        let mut warnings = Vec::new();
        let nominal_ms = u64::from(self.seconds) * 1_000;
        let holds_ms = match bitrate_bps {
            0 => nominal_ms,
            _ => nominal_ms.min(self.data_bytes.saturating_mul(8_000) / bitrate_bps),
        };
        let holds_s = holds_ms / 1_000;
        if bitrate_bps > self.max_bitrate_bps {
            warnings.push(CaptureSentence::BitrateAboveRing {
                sends_bps: Bitrate(bitrate_bps),
                sized_bps: Bitrate(self.max_bitrate_bps),
                holds_s,
                seconds: self.seconds,
            });
        }
        let needs_ms = self.window_ms + longest_gop_ms + MARGIN_MS;
        if needs_ms > holds_ms {
            warnings.push(CaptureSentence::KeyFramesFarApart {
                apart_ms: TenthsOfSecond(longest_gop_ms),
                window_s: self.window_ms.div_ceil(1_000),
                needs_s: needs_ms.div_ceil(1_000),
                holds_s,
            });
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const S: u64 = 1_000_000_000;

    fn room() -> RingCapacity {
        RingCapacity {
            data_bytes: 90 * 1_000_000,
            seconds: 90,
            max_bitrate_bps: 8_000_000,
            window_ms: 50_000,
        }
    }

    /// 25 fps, a key frame each `gop` frames, `frame_bytes` each.
    fn watched(frames: u64, gop: u64, frame_bytes: usize) -> (StreamWatch, u64) {
        let mut watch = StreamWatch::default();
        for i in 0..frames {
            watch.bytes(frame_bytes, 5 * S + i * S / 25);
            watch.video(i64::try_from(i * 3_600).unwrap(), i % gop == 0);
        }
        (watch, 5 * S + frames * S / 25)
    }

    #[test]
    fn a_camera_within_its_ring_needs_no_words() {
        let (watch, now) = watched(500, 25, 20_000);
        assert_eq!(watch.longest_gop_ms(), 1_000);
        assert_eq!(watch.shortest_gop_ms(), Some(1_000));
        assert_eq!(watch.bitrate_bps(now), 4_000_000);
        assert_eq!(watch.warnings(&room(), now), []);
    }

    #[test]
    fn key_frames_too_far_apart_name_the_cameras_setting() {
        let (watch, now) = watched(25 * 80, 25 * 40, 10_000);
        let warnings = watch.warnings(&room(), now);
        assert_eq!(warnings.len(), 1);
        for word in [
            "40.0 s apart",
            "I-frame interval",
            "H.264+",
            "needs 95 s",
            "about 90 s",
        ] {
            assert!(
                warnings[0].to_string().contains(word),
                "{word}: {:?}",
                warnings[0]
            );
        }
    }

    #[test]
    fn a_gop_without_end_is_noticed_before_its_end() {
        let (watch, now) = watched(25 * 60, u64::MAX, 10_000);
        assert_eq!(watch.longest_gop_ms(), 59_960);
        assert_eq!(watch.shortest_gop_ms(), None);
        assert_eq!(watch.warnings(&room(), now).len(), 1);
    }

    #[test]
    fn too_many_bits_name_the_setting_and_what_the_ring_holds() {
        let (watch, now) = watched(500, 25, 80_000);
        assert_eq!(watch.bitrate_bps(now), 16_000_000);
        let warnings = watch.warnings(&room(), now);
        assert_eq!(warnings.len(), 2);
        for word in [
            "16.0 Mbit/s",
            "8.0 Mbit/s",
            "about 45 s",
            "ring.max_bitrate",
        ] {
            assert!(
                warnings[0].to_string().contains(word),
                "{word}: {:?}",
                warnings[0]
            );
        }
        assert!(
            warnings[1].to_string().contains("holds about 45 s"),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_camera_that_stopped_sends_nothing() {
        let (watch, now) = watched(500, 25, 20_000);
        assert_eq!(watch.bitrate_bps(now + 60 * S), 0);
    }

    #[test]
    fn a_clock_that_was_set_is_no_long_gop() {
        let (mut watch, _) = watched(100, 25, 1_000);
        watch.new_epoch();
        watch.video(90_000 * 3_600, false);
        watch.video(90_000 * 3_601, true);
        assert_eq!(watch.longest_gop_ms(), 1_000);
    }
}
