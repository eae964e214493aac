//! What is due when: footage in an endless loop on the camera's own time.
//!
//! The camera's time counts from 0 at its start. Pure: no clock, no socket.

use std::sync::Arc;

use super::footage::Footage;
use super::reel::{Coding, Reel, Unit};
use super::script::Join;
use crate::media::Track;

/// Footage from some time on, looped until the next piece begins.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub footage: Arc<Footage>,
    /// Camera time at which it begins, in ticks of 90 kHz.
    pub from_90k: i64,
    /// Frames the camera had sent before.
    pub from_frame: u64,
}

/// All pieces, in order; at least one. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Programme(Arc<[Piece]>);

/// A frame with its times. Times of the camera, in nanoseconds or in the track's ticks.
#[derive(Clone, Debug)]
pub(super) struct DueFrame {
    pub track: Track,
    piece: Arc<Footage>,
    unit: usize,
    /// Presentation time in ticks of the track.
    pub ticks: i64,
    pub rate: u32,
    pub capture_ns: i64,
    /// When the encoder has it: sent so late at the earliest.
    pub due_ns: i64,
    /// Counts video frames in decoding order from the camera's start; 0 for audio.
    pub frame: u64,
}

impl DueFrame {
    pub fn reel(&self) -> &Reel {
        match (&self.piece.audio, self.track) {
            (Some(audio), Track::Audio) => audio,
            _ => &self.piece.video,
        }
    }

    pub fn unit(&self) -> &Unit {
        &self.reel().units[self.unit]
    }
}

/// Where a session stands in the programme.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StreamCursor {
    piece: usize,
    /// Video: which loop of the piece, which unit of it.
    turn: i64,
    unit: usize,
    /// Audio: which piece, and how many frames of audio since its start.
    audio_piece: usize,
    slot: i64,
}

impl Programme {
    pub fn new(footage: Arc<Footage>) -> Programme {
        Programme(Arc::new([Piece {
            footage,
            from_90k: 0,
            from_frame: 0,
        }]))
    }

    /// The newest footage.
    pub fn last(&self) -> &Arc<Footage> {
        &self.0[self.0.len() - 1].footage
    }

    /// The same, but from the first key frame on that is due after `now_ns`, `footage`.
    pub fn switched(&self, footage: Arc<Footage>, now_ns: i64) -> Programme {
        let cursor = self.seek(now_ns + 1, Join::NextKey);
        let (piece, unit) = (&self.0[cursor.piece], cursor.unit);
        let video = &piece.footage.video;
        // A piece that has not begun yet is replaced.
        let kept = if cursor.turn == 0 && unit == 0 {
            cursor.piece
        } else {
            cursor.piece + 1
        };
        let mut pieces = self.0[..kept].to_vec();
        pieces.push(Piece {
            footage,
            from_90k: piece.from_90k + cursor.turn * video.span + video.units[unit].pts,
            from_frame: frame_number(piece, cursor.turn, unit),
        });
        Programme(pieces.into())
    }

    /// Where a session that joins at camera time `now_ns` begins. Audio
    /// begins with the video's first frame.
    pub fn seek(&self, now_ns: i64, join: Join) -> StreamCursor {
        let mut cursor = StreamCursor::default();
        let mut key = None;
        // Whole turns in one step, then frame by frame.
        let begun = |p: &Piece| ns(p.from_90k, 90_000) <= now_ns;
        cursor.piece = self.0.iter().rposition(begun).unwrap_or(0);
        let piece = &self.0[cursor.piece];
        let since_ns = now_ns - ns(piece.from_90k, 90_000);
        let turn_ns = ns(piece.footage.video.span, 90_000).max(1);
        cursor.turn = (since_ns / turn_ns - 1).max(0);
        loop {
            let item = self.video(&mut cursor);
            let due = item.due_ns >= now_ns;
            let is_key = item.unit().key;
            let here = match join {
                Join::NextKey => due && is_key,
                Join::MidGop => due && !is_key,
                Join::Burst => due,
            };
            if is_key && item.due_ns <= now_ns {
                key = Some(cursor);
            }
            if here {
                let burst = key.filter(|_| join == Join::Burst);
                return self.with_audio(burst.unwrap_or(cursor));
            }
            cursor.step_video();
        }
    }

    fn with_audio(&self, mut cursor: StreamCursor) -> StreamCursor {
        let start_ns = self.video(&mut cursor).capture_ns;
        cursor.audio_piece = cursor.piece;
        let piece = &self.0[cursor.piece];
        if let Some(audio) = &piece.footage.audio {
            let since_ns = start_ns - ns(piece.from_90k, 90_000);
            let frame_ns = ns(audio.span, audio.rate).max(1);
            cursor.slot = ((since_ns + frame_ns - 1) / frame_ns).max(0);
        }
        cursor
    }

    /// The video frame at the cursor, which moves to the next piece where that begins.
    pub fn video(&self, cursor: &mut StreamCursor) -> DueFrame {
        loop {
            let piece = &self.0[cursor.piece];
            let video = &piece.footage.video;
            if cursor.unit >= video.units.len() {
                (cursor.turn, cursor.unit) = (cursor.turn + 1, 0);
            }
            let unit = &video.units[cursor.unit];
            let base = piece.from_90k + cursor.turn * video.span;
            if let Some(next) = self.0.get(cursor.piece + 1)
                && frame_number(piece, cursor.turn, cursor.unit) >= next.from_frame
            {
                (cursor.piece, cursor.turn, cursor.unit) = (cursor.piece + 1, 0, 0);
                continue;
            }
            return DueFrame {
                track: Track::Video,
                piece: piece.footage.clone(),
                unit: cursor.unit,
                ticks: base + unit.pts,
                rate: 90_000,
                capture_ns: ns(base + unit.pts, 90_000),
                due_ns: ns(base + unit.dts + video.hold, 90_000),
                frame: frame_number(piece, cursor.turn, cursor.unit),
            };
        }
    }

    /// The audio frame at the cursor; `None` when this piece has none.
    pub fn audio(&self, cursor: &mut StreamCursor) -> Option<DueFrame> {
        loop {
            let piece = &self.0[cursor.audio_piece];
            let audio = piece.footage.audio.as_ref()?;
            let ticks = scale(piece.from_90k, audio.rate) + cursor.slot * audio.span;
            let next = self.0.get(cursor.audio_piece + 1);
            if next.is_some_and(|next| ticks >= scale(next.from_90k, audio.rate)) {
                (cursor.audio_piece, cursor.slot) = (cursor.audio_piece + 1, 0);
                continue;
            }
            return Some(DueFrame {
                track: Track::Audio,
                piece: piece.footage.clone(),
                unit: audio_unit(audio, piece.footage.video.span, cursor.slot),
                ticks,
                rate: audio.rate,
                capture_ns: ns(ticks, audio.rate),
                due_ns: ns(ticks + audio.span, audio.rate),
                frame: 0,
            });
        }
    }
}

impl StreamCursor {
    pub fn step_video(&mut self) {
        self.unit += 1;
    }

    pub fn step_audio(&mut self) {
        self.slot += 1;
    }
}

/// Which audio frame sounds in this slot: each turn of the video starts the
/// sound again, at the first slot within it; the last one lasts until then.
fn audio_unit(audio: &Reel, turn_90k: i64, slot: i64) -> usize {
    let turn_ticks = i128::from(turn_90k) * i128::from(audio.rate);
    let slot_ticks = |slot: i64| i128::from(slot) * i128::from(audio.span) * 90_000;
    let turn = slot_ticks(slot) / turn_ticks.max(1);
    let span = i128::from(audio.span) * 90_000;
    let first = (turn * turn_ticks + span - 1) / span;
    let unit = usize::try_from(i128::from(slot) - first).unwrap_or(0);
    unit.min(audio.units.len() - 1)
}

fn frame_number(piece: &Piece, turn: i64, unit: usize) -> u64 {
    let in_turns = u64::try_from(turn).unwrap_or(0) * piece.footage.video.units.len() as u64;
    piece.from_frame + in_turns + unit as u64
}

/// Ticks of `rate` per second in nanoseconds.
pub(super) fn ns(ticks: i64, rate: u32) -> i64 {
    let ns = i128::from(ticks) * 1_000_000_000 / i128::from(rate.max(1));
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// Ticks of 90 kHz in ticks of `rate`.
pub(super) fn scale(ticks_90k: i64, rate: u32) -> i64 {
    let ticks = i128::from(ticks_90k) * i128::from(rate) / 90_000;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// One track of a session on the wire: what stands in its headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct RtpState {
    pub payload_type: u8,
    pub ssrc: u32,
    pub sequence: u16,
    /// Added to the camera's ticks; wraps.
    pub offset: u32,
    /// The last timestamp sent, extended to 64 bits; none before the first.
    extended: Option<i64>,
    packets: u32,
    octets: u32,
}

impl RtpState {
    pub fn new(coding: &Coding, ssrc: u32, sequence: u16, offset: u32) -> RtpState {
        RtpState {
            payload_type: super::sdp::payload_type(coding),
            ssrc,
            sequence,
            offset,
            extended: None,
            packets: 0,
            octets: 0,
        }
    }

    /// The timestamp on the wire for a time of the camera.
    pub fn timestamp(&self, ticks: i64) -> u32 {
        low32(ticks).wrapping_add(self.offset)
    }

    /// The same as a client extends it to 64 bits, from frame to frame.
    pub fn extend(&mut self, timestamp: u32) -> i64 {
        let extended = match self.extended {
            None => i64::from(timestamp),
            Some(last) => last + i64::from(timestamp.wrapping_sub(low32(last)).cast_signed()),
        };
        self.extended = Some(extended);
        extended
    }

    /// The header of the next packet, behind the four bytes of TCP's interleaving.
    pub fn header(
        &mut self,
        channel: u8,
        timestamp: u32,
        payload: usize,
        marker: bool,
    ) -> [u8; 16] {
        let len = u16::try_from(12 + payload).unwrap_or(u16::MAX);
        let mut header = [0; 16];
        header[..2].copy_from_slice(&[b'$', channel]);
        header[2..4].copy_from_slice(&len.to_be_bytes());
        header[4] = 0x80;
        header[5] = self.payload_type | if marker { 0x80 } else { 0 };
        header[6..8].copy_from_slice(&self.sequence.to_be_bytes());
        header[8..12].copy_from_slice(&timestamp.to_be_bytes());
        header[12..].copy_from_slice(&self.ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        let octets = u32::try_from(payload).unwrap_or(0);
        self.octets = self.octets.wrapping_add(octets);
        header
    }

    /// A sender report and a CNAME: `timestamp` was at `unix_ns` of the camera's wall clock.
    pub fn sender_report(&self, timestamp: u32, unix_ns: i64) -> Vec<u8> {
        const CNAME: &[u8; 9] = b"hindsight";
        let mut report = vec![0x80, 200, 0, 6];
        report.extend_from_slice(&self.ssrc.to_be_bytes());
        report.extend_from_slice(&ntp(unix_ns).to_be_bytes());
        for word in [timestamp, self.packets, self.octets] {
            report.extend_from_slice(&word.to_be_bytes());
        }
        report.extend_from_slice(&[0x81, 202, 0, 4]);
        report.extend_from_slice(&self.ssrc.to_be_bytes());
        report.extend_from_slice(&[1, 9]);
        report.extend_from_slice(CNAME);
        report.push(0);
        report
    }
}

fn low32(ticks: i64) -> u32 {
    let [a, b, c, d, ..] = ticks.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Seconds since 1900 in the upper half, fractions of a second in the lower.
fn ntp(unix_ns: i64) -> u64 {
    const SECONDS_1900_TO_1970: i128 = 2_208_988_800;
    let ns = i128::from(unix_ns) + SECONDS_1900_TO_1970 * 1_000_000_000;
    u64::try_from(((ns << 32) / 1_000_000_000) & i128::from(u64::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn the_loop_has_no_seam_in_video_and_audio() {
        let programme = Programme::new(Footage::pattern());
        let mut cursor = programme.seek(0, Join::NextKey);
        for i in 0..2_000 {
            let item = programme.video(&mut cursor);
            assert_eq!(item.ticks, i * 3_000);
            assert_eq!(i64::from(item.unit().number), i % 720);
            assert_eq!(item.frame, i.unsigned_abs());
            cursor.step_video();
        }
        for i in 0..3_000 {
            let item = programme.audio(&mut cursor).unwrap();
            assert_eq!(item.ticks, i * 1_024);
            assert_eq!(item.unit().pts, i % 1_125 * 1_024);
            cursor.step_audio();
        }
    }

    #[test]
    fn sessions_join_where_they_are_told_to() {
        let programme = Programme::new(Footage::pattern());
        let at = 100 * SECOND + SECOND / 2 + 1;
        for (join, frame) in [
            (Join::NextKey, 3_030),
            (Join::MidGop, 3_016),
            (Join::Burst, 3_000),
        ] {
            let mut cursor = programme.seek(at, join);
            let video = programme.video(&mut cursor);
            assert_eq!((join, video.frame), (join, frame));
            let audio = programme.audio(&mut cursor).unwrap();
            assert!((0..22_000_000).contains(&(audio.capture_ns - video.capture_ns)));
        }
        assert_eq!(
            programme
                .video(&mut programme.seek(-5, Join::NextKey))
                .frame,
            0
        );
        assert_eq!(
            programme.video(&mut programme.seek(0, Join::MidGop)).frame,
            1
        );
    }

    #[test]
    fn footage_is_switched_at_the_next_key_frame() {
        let programme = Programme::new(Footage::pattern());
        let other = Footage::synthetic(1_000_000, 25, 50);
        let switched = programme.switched(other, 30 * SECOND + 1);
        let mut cursor = switched.seek(30 * SECOND, Join::NextKey);
        let mut frames = Vec::new();
        for _ in 0..32 {
            let item = switched.video(&mut cursor);
            frames.push((item.frame, item.ticks, item.unit().number));
            cursor.step_video();
        }
        assert_eq!(frames[0], (900, 2_700_000, 180));
        assert_eq!(frames[29], (929, 2_787_000, 209));
        assert_eq!(frames[30], (930, 2_790_000, 0));
        assert_eq!(frames[31], (931, 2_793_600, 1));
        // Before it began it can be switched again.
        let again = switched.switched(Footage::pattern(), 30 * SECOND + 2);
        assert_eq!(again.0.len(), 2);
        let joined = again.seek(40 * SECOND, Join::NextKey);
        assert_eq!(again.video(&mut { joined }).ticks, 3_600_000);
    }

    #[test]
    fn timestamps_wrap_on_the_wire_and_run_on_in_the_log() {
        let mut wire = RtpState::new(&Coding::Pcmu, 1, 0xffff, u32::MAX - 999);
        let mut seen = |ticks| {
            let timestamp = wire.timestamp(ticks);
            (timestamp, wire.extend(timestamp))
        };
        let start = i64::from(u32::MAX) - 999;
        assert_eq!(seen(0), (u32::MAX - 999, start));
        assert_eq!(seen(3_000), (2_000, start + 3_000));
        assert_eq!(seen(1_500), (500, start + 1_500));
        assert_eq!(
            wire.header(2, 5, 8, true)[..8],
            [b'$', 2, 0, 20, 0x80, 0x80, 255, 255]
        );
        assert_eq!(wire.header(2, 5, 8, false)[5..8], [0, 0, 0]);
    }

    #[test]
    fn ntp_counts_from_1900_with_binary_fractions() {
        assert_eq!(ntp(0), 2_208_988_800 << 32);
        assert_eq!(ntp(1_500_000_000), (2_208_988_801 << 32) + (1 << 31));
    }
}
