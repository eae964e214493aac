//! Cuts coded frames into RTP payloads: RFC 6184 (H.264), RFC 7798 (H.265),
//! RFC 3640 (AAC), RFC 3551 (G.711).
//!
//! Payloads are made once and shared by all sessions; what differs between
//! sessions (sequence number, timestamp, SSRC) is in the header, which is not here.

/// Largest payload in bytes: with headers it fits an Ethernet frame.
pub const MAX_PAYLOAD: usize = 1_400;

/// The payloads of one access unit, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Packets {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all payloads.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(from, &to)| &self.bytes[from..to])
    }

    /// One payload out of pieces.
    pub fn push(&mut self, pieces: &[&[u8]]) {
        pieces
            .iter()
            .for_each(|piece| self.bytes.extend_from_slice(piece));
        self.ends.push(self.bytes.len());
    }

    /// One NAL unit of H.264: as it is, or as fragments (FU-A).
    pub fn push_h264(&mut self, nal: &[u8]) {
        const FU_A: u8 = 28;
        if nal.len() <= MAX_PAYLOAD {
            return self.push(&[nal]);
        }
        let (header, body) = (nal[0], &nal[1..]);
        let pieces = body.chunks(MAX_PAYLOAD - 2);
        let last = pieces.len() - 1;
        for (i, piece) in pieces.enumerate() {
            let fu = [header & 0xe0 | FU_A, ends(i, last) | header & 0x1f];
            self.push(&[&fu, piece]);
        }
    }

    /// One NAL unit of H.265: as it is, or as fragments (FU).
    pub fn push_h265(&mut self, nal: &[u8]) {
        const FU: u8 = 49;
        if nal.len() <= MAX_PAYLOAD || nal.len() < 3 {
            return self.push(&[nal]);
        }
        let (header, body) = (&nal[..2], &nal[2..]);
        let kind = header[0] >> 1 & 0x3f;
        let pieces = body.chunks(MAX_PAYLOAD - 3);
        let last = pieces.len() - 1;
        for (i, piece) in pieces.enumerate() {
            let fu = [header[0] & 0x81 | FU << 1, header[1], ends(i, last) | kind];
            self.push(&[&fu, piece]);
        }
    }

    /// Parameter sets of H.264 in one packet (STAP-A); each must be shorter than 64 KB.
    pub fn push_h264_sets(&mut self, sets: &[Vec<u8>]) {
        self.push_sets(&[24 | 0x60], sets);
    }

    /// Parameter sets of H.265 in one packet (AP).
    pub fn push_h265_sets(&mut self, sets: &[Vec<u8>]) {
        self.push_sets(&[48 << 1, 1], sets);
    }

    fn push_sets(&mut self, header: &[u8], sets: &[Vec<u8>]) {
        self.bytes.extend_from_slice(header);
        for set in sets {
            let len = u16::try_from(set.len()).unwrap_or(u16::MAX);
            self.bytes.extend_from_slice(&len.to_be_bytes());
            self.bytes.extend_from_slice(&set[..usize::from(len)]);
        }
        self.ends.push(self.bytes.len());
    }

    /// One AAC frame in AAC-hbr mode (13 bits of size, 3 of index), in
    /// fragments if it is long. A frame has at most 8191 bytes.
    pub fn push_aac(&mut self, frame: &[u8]) {
        let size = u16::try_from(frame.len()).unwrap_or(u16::MAX).min(0x1fff);
        let [high, low] = (size << 3).to_be_bytes();
        for piece in frame.chunks(MAX_PAYLOAD - 4) {
            self.push(&[&[0, 16, high, low], piece]);
        }
    }
}

/// Start and end bits of a fragment.
fn ends(i: usize, last: usize) -> u8 {
    let start = if i == 0 { 0x80 } else { 0 };
    let end = if i == last { 0x40 } else { 0 };
    start | end
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// The receiver's half, as the RFCs tell it, written apart from the sender's.
    fn reassemble(packets: &Packets, h265: bool) -> Vec<Vec<u8>> {
        let mut nals: Vec<Vec<u8>> = Vec::new();
        for payload in packets.iter() {
            assert!(payload.len() <= MAX_PAYLOAD);
            let (kind, fragment, head) = match h265 {
                false => (payload[0] & 0x1f, 28, 2),
                true => (payload[0] >> 1 & 0x3f, 49, 3),
            };
            if kind != fragment {
                nals.push(payload.to_vec());
                continue;
            }
            let fu = payload[head - 1];
            if fu & 0x80 != 0 {
                nals.push(match h265 {
                    false => vec![payload[0] & 0xe0 | fu & 0x1f],
                    true => vec![payload[0] & 0x81 | (fu & 0x3f) << 1, payload[1]],
                });
            }
            nals.last_mut().unwrap().extend_from_slice(&payload[head..]);
            assert_eq!(
                fu & 0x40 != 0,
                payload.len() < MAX_PAYLOAD || is_last(packets, payload)
            );
        }
        nals
    }

    fn is_last(packets: &Packets, payload: &[u8]) -> bool {
        packets.iter().last().unwrap().as_ptr() == payload.as_ptr()
            || payload[payload.len() - 1] == 0xee
    }

    proptest! {
        #[test]
        fn nal_units_of_any_length_come_out_of_their_packets(
            lens in proptest::collection::vec(3_usize..6_000, 1..8),
            h265: bool,
        ) {
            let nals: Vec<Vec<u8>> = lens.iter().enumerate().map(|(i, &len)| {
                let mut nal = vec![u8::try_from(i).unwrap(); len];
                (nal[0], nal[1]) = if h265 { (19 << 1, 1) } else { (0x65, 7) };
                *nal.last_mut().unwrap() = 0xee;
                nal
            }).collect();
            let mut packets = Packets::default();
            for nal in &nals {
                if h265 { packets.push_h265(nal) } else { packets.push_h264(nal) }
            }
            prop_assert_eq!(reassemble(&packets, h265), nals);
        }
    }

    #[test]
    fn an_aac_frame_carries_its_size_in_thirteen_bits() {
        let mut packets = Packets::default();
        packets.push_aac(&[9; 300]);
        packets.push_aac(&vec![8; 2_000]);
        let payloads: Vec<&[u8]> = packets.iter().collect();
        assert_eq!(payloads.len(), 3);
        assert_eq!(payloads[0][..5], [0, 16, 9, 0x60, 9]);
        assert_eq!(payloads[0].len(), 304);
        assert_eq!(payloads[1][..4], payloads[2][..4]);
        assert_eq!(payloads[1].len() + payloads[2].len(), 2_008);
    }

    #[test]
    fn parameter_sets_travel_in_one_packet() {
        let mut packets = Packets::default();
        packets.push_h264_sets(&[vec![0x67, 1], vec![0x68]]);
        assert_eq!(
            packets.iter().next().unwrap(),
            [0x78, 0, 2, 0x67, 1, 0, 1, 0x68]
        );
    }
}
