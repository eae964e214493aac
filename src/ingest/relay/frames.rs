//! Which interleaved frames are passed on: those of our channels, whole by RTP's and RTCP's own lengths, and of
//! the sender whose stream it is. Others are counted by kind. Pure.
//!
//! Not here: what is in them (`depacketize`).

/// So many packets of one sender in a row, before any of the announced one, and it is theirs.
const ENOUGH_OF_ONE: usize = 4;
/// So many packets of another sender in a row: the camera has begun anew.
const BEGUN_ANEW: u32 = 64;

/// Why a frame is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadFrame {
    ForeignChannel,
    BadRtp,
    BadRtcp,
    ForeignSender,
}

/// How many were not passed on, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BadFrames {
    pub foreign_channel: u64,
    pub bad_rtp: u64,
    pub bad_rtcp: u64,
    pub foreign_sender: u64,
}

impl BadFrames {
    fn add(&mut self, what: BadFrame) {
        let count = match what {
            BadFrame::ForeignChannel => &mut self.foreign_channel,
            BadFrame::BadRtp => &mut self.bad_rtp,
            BadFrame::BadRtcp => &mut self.bad_rtcp,
            BadFrame::ForeignSender => &mut self.foreign_sender,
        };
        *count = count.saturating_add(1);
    }

    pub fn sum(&self) -> u64 {
        let BadFrames {
            foreign_channel,
            bad_rtp,
            bad_rtcp,
            foreign_sender,
        } = self;
        [foreign_channel, bad_rtp, bad_rtcp, foreign_sender]
            .into_iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}

/// A stream's pair of channels, at the camera's end and at ours.
#[derive(Debug)]
struct Channels {
    theirs: (u8, u8),
    ours: (u8, u8),
    announced: Option<u32>,
    sender: Option<u32>,
    /// Whole frames that wait until it is clear whose the stream is.
    waiting: Vec<(u32, Vec<u8>)>,
    others_in_a_row: u32,
}

/// All streams of a session.
#[derive(Debug, Default)]
pub struct FrameGate {
    streams: Vec<Channels>,
    pub bad: BadFrames,
}

/// The streams go on under other senders' numbers: only a new session can take that up.
#[derive(Debug, PartialEq, Eq)]
pub struct BegunAnew;

impl FrameGate {
    /// A stream was set up.
    pub fn add(&mut self, theirs: (u8, u8), ours: (u8, u8), announced: Option<u32>) {
        self.streams
            .retain(|stream| stream.ours != ours && stream.theirs != theirs);
        self.streams.push(Channels {
            theirs,
            ours,
            announced,
            sender: None,
            waiting: Vec::new(),
            others_in_a_row: 0,
        });
    }

    /// Whether a stream's frames come on it.
    pub fn knows(&self, channel: u8) -> bool {
        let of = |stream: &Channels| stream.theirs.0 == channel || stream.theirs.1 == channel;
        self.streams.iter().any(of)
    }

    /// A frame of the camera's; what of it is good is put into `out`, as a frame of ours.
    pub fn take(
        &mut self,
        channel: u8,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), BegunAnew> {
        let bad = &mut self.bad;
        let of = |stream: &&mut Channels| stream.theirs.0 == channel || stream.theirs.1 == channel;
        let Some(stream) = self.streams.iter_mut().find(of) else {
            bad.add(BadFrame::ForeignChannel);
            return Ok(());
        };
        // One channel for both, as RFC 5761 has it: RTCP has types that RTP has not.
        let both = stream.theirs.0 == stream.theirs.1;
        let rtcp = match both {
            true => matches!(payload, [_, 192..=223, ..]),
            false => channel == stream.theirs.1,
        };
        if rtcp {
            match whole_rtcp(payload) {
                true => put(stream.ours.1, payload, out),
                false => bad.add(BadFrame::BadRtcp),
            }
            return Ok(());
        }
        match sender_of(payload) {
            Some(sender) => stream.rtp(sender, payload, out, bad),
            None => {
                bad.add(BadFrame::BadRtp);
                Ok(())
            }
        }
    }
}

impl Channels {
    fn rtp(
        &mut self,
        sender: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
        bad: &mut BadFrames,
    ) -> Result<(), BegunAnew> {
        match self.sender {
            Some(known) if known == sender => {
                self.others_in_a_row = 0;
                put(self.ours.0, payload, out);
                return Ok(());
            }
            Some(_) => {
                bad.add(BadFrame::ForeignSender);
                self.others_in_a_row += 1;
                return match self.others_in_a_row >= BEGUN_ANEW {
                    true => Err(BegunAnew),
                    false => Ok(()),
                };
            }
            None => {}
        }
        self.waiting.push((sender, payload.to_vec()));
        let of_it = self.waiting.iter().filter(|(of, _)| *of == sender).count();
        // Nobody announced, or the announced one: there is nothing to wait for.
        let announced = self.announced.is_none_or(|announced| announced == sender);
        if announced || of_it >= ENOUGH_OF_ONE {
            self.sender = Some(sender);
            for (of, payload) in std::mem::take(&mut self.waiting) {
                match of == sender {
                    true => put(self.ours.0, &payload, out),
                    false => bad.add(BadFrame::ForeignSender),
                }
            }
        } else if self.waiting.len() > ENOUGH_OF_ONE * ENOUGH_OF_ONE {
            self.waiting.remove(0);
            bad.add(BadFrame::ForeignSender);
        }
        Ok(())
    }
}

fn put(channel: u8, payload: &[u8], out: &mut Vec<u8>) {
    // It came as a frame and has the same length.
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&[b'$', channel]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(payload);
}

/// The sender of an RTP packet whose lengths fit together (RFC 3550, 5.1).
fn sender_of(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, _, _, _, _, a, b, c, d, ..] = packet else {
        return None;
    };
    if first >> 6 != 2 {
        return None;
    }
    let mut begin = 12 + 4 * usize::from(first & 15);
    if first & 0x10 != 0 {
        let length = packet.get(begin + 2..begin + 4)?;
        let words = u16::from_be_bytes(length.try_into().ok()?);
        begin += 4 + 4 * usize::from(words);
    }
    let payload = packet.get(begin..)?;
    if first & 0x20 != 0 {
        let padding = usize::from(*payload.last()?);
        (1..=payload.len()).contains(&padding).then_some(())?;
    }
    Some(u32::from_be_bytes([*a, *b, *c, *d]))
}

/// Packets one behind the other, to the end, each of a version and type that RTCP has; the first a report.
fn whole_rtcp(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut first = true;
    while !rest.is_empty() {
        let [head, kind, high, low, ..] = rest else {
            return false;
        };
        let len = 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
        let report = (200..=201).contains(kind) && len >= 8;
        if head >> 6 != 2 || !(192..=223).contains(kind) || (first && !report) {
            return false;
        }
        // A sender's report has its own length, and blocks behind it.
        if *kind == 200 && len < 28 + 24 * usize::from(head & 31) {
            return false;
        }
        match rest.get(len..) {
            Some(behind) => rest = behind,
            None => return false,
        }
        first = false;
    }
    !bytes.is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn rtp(sender: u32, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 2];
        packet.extend_from_slice(&sender.to_be_bytes());
        packet.extend_from_slice(body);
        packet
    }

    fn report() -> Vec<u8> {
        let mut packet = vec![0x80, 200, 0, 6];
        packet.extend_from_slice(&[7; 24]);
        packet
    }

    fn gate(announced: Option<u32>) -> FrameGate {
        let mut gate = FrameGate::default();
        gate.add((4, 5), (0, 1), announced);
        gate
    }

    fn passed(gate: &mut FrameGate, channel: u8, packet: &[u8]) -> usize {
        let mut out = Vec::new();
        gate.take(channel, packet, &mut out).unwrap();
        out.len()
    }

    #[test]
    fn good_frames_are_passed_on_and_bad_ones_are_counted_by_kind() {
        let mut gate = gate(None);
        let mut out = Vec::new();
        gate.take(4, &rtp(9, b"x"), &mut out).unwrap();
        assert_eq!(&out[..4], [b'$', 0, 0, 13]);
        out.clear();
        gate.take(5, &report(), &mut out).unwrap();
        assert_eq!(&out[..4], [b'$', 1, 0, 28]);
        for (channel, packet) in [
            (6, rtp(9, b"x")),
            (4, rtp(8, b"x")),
            (4, vec![]),
            (4, b"\x80\x60".to_vec()),
            (4, [&[0x00], &rtp(9, b"x")[1..]].concat()),
            // More contributors, extension or padding than there are bytes.
            (4, [&[0x8f], &rtp(9, b"x")[1..]].concat()),
            (4, [&[0x90], &rtp(9, b"\0\0\0\x09")[1..]].concat()),
            (4, [&[0xa0], &rtp(9, b"ab\x09")[1..]].concat()),
            (4, [&[0xa0], &rtp(9, b"ab\0")[1..]].concat()),
            (4, [&[0xa0], &rtp(9, b"")[1..]].concat()),
            (5, vec![]),
            (5, b"keepalive!!!".to_vec()),
            (5, b"\x80\xc8\0\x06short".to_vec()),
            (5, b"\x81\xcb\0\x01byee".to_vec()),
        ] {
            assert_eq!(passed(&mut gate, channel, &packet), 0, "{packet:?}");
        }
        let counted = BadFrames {
            foreign_channel: 1,
            foreign_sender: 1,
            bad_rtp: 8,
            bad_rtcp: 4,
        };
        assert_eq!(gate.bad, counted);
        assert_eq!(gate.bad.sum(), 14);
    }

    #[test]
    fn padding_and_extensions_that_fit_are_passed_on() {
        let mut gate = gate(None);
        for packet in [
            [&[0xa0], &rtp(9, b"\0\0\0\0\0\0\0\x08")[1..]].concat(),
            [&[0x90], &rtp(9, b"\xab\xac\0\x01abcdx")[1..]].concat(),
            rtp(9, b""),
        ] {
            assert!(passed(&mut gate, 4, &packet) > 0, "{packet:?}");
        }
    }

    #[test]
    fn the_announced_sender_is_waited_for_and_if_it_never_comes_it_is_another() {
        let mut gate = gate(Some(9));
        assert_eq!(passed(&mut gate, 4, &rtp(5, b"old")), 0);
        assert!(passed(&mut gate, 4, &rtp(9, b"new")) > 0);
        assert_eq!(gate.bad.foreign_sender, 1);
        let mut gate = super::tests::gate(Some(9));
        let waited: Vec<usize> = (0..5)
            .map(|_| passed(&mut gate, 4, &rtp(5, b"x")))
            .collect();
        assert_eq!(waited, [0, 0, 0, 4 * 17, 17]);
        assert_eq!(gate.bad.foreign_sender, 0);
    }

    #[test]
    fn a_camera_that_begins_anew_under_another_number_ends_the_session() {
        let mut gate = gate(None);
        let mut out = Vec::new();
        gate.take(4, &rtp(9, b"x"), &mut out).unwrap();
        for _ in 0..200 {
            gate.take(4, &rtp(8, b"x"), &mut out).unwrap();
            gate.take(4, &rtp(9, b"x"), &mut out).unwrap();
        }
        let ended = (0..BEGUN_ANEW)
            .map(|_| gate.take(4, &rtp(8, b"x"), &mut out))
            .find(Result::is_err);
        assert_eq!(ended, Some(Err(BegunAnew)));
    }

    #[test]
    fn one_channel_may_carry_both() {
        let mut gate = FrameGate::default();
        gate.add((0, 0), (2, 3), None);
        let mut out = Vec::new();
        gate.take(0, &rtp(9, b"x"), &mut out).unwrap();
        gate.take(0, &report(), &mut out).unwrap();
        assert_eq!((out[1], out[18]), (2, 3));
    }

    proptest! {
        #[test]
        fn any_frames_are_taken_or_counted(
            frames in proptest::collection::vec(
                (0_u8..8, proptest::collection::vec(any::<u8>(), 0..40)), 0..200),
        ) {
            let mut gate = gate(Some(9));
            gate.add((2, 3), (2, 3), None);
            let mut out = Vec::new();
            for (channel, payload) in &frames {
                if gate.take(*channel, payload, &mut out).is_err() {
                    break;
                }
            }
            prop_assert!(gate.bad.sum() <= u64::try_from(frames.len()).unwrap());
        }
    }
}
