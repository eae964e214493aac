//! AAC: payloads after RFC 3640, in its modes and in what cameras make of them.
//!
//! Not here: which sound is taken (`tracks`).

use crate::media::bits::Bits;
use crate::media::{TrackParams, params_from_asc};

use super::fault::{PacketFault, PacketFaults};
use super::packet::{Depacketized, ReceivedFrame, RtpPacket};

/// Longer than a frame of any camera: eight channels at the highest rate.
const LONGEST: usize = 8 * 768 * 2;

/// How the headers of a track's frames look, in bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AacForm {
    params: TrackParams,
    frame_ticks: i64,
    size_bits: u32,
    index_bits: u32,
    delta_bits: u32,
    cts_bits: u32,
    dts_bits: u32,
    random_access: bool,
    stream_state_bits: u32,
    auxiliary_bits: u32,
    /// Of each frame, where no header says.
    constant_size: Option<usize>,
}

impl AacForm {
    /// Of an SDP's `fmtp`; `None` where it is no AAC that is known.
    pub fn of(fmtp: &str, clock_rate: u32) -> Option<AacForm> {
        let value = |name: &str| {
            let pairs = fmtp.split(';').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            values
                .next()
                .map(|(_, value)| value.trim().trim_matches('"'))
        };
        let number = |name: &str| value(name).and_then(|text| text.parse::<u32>().ok());
        let bits = |name: &str, usual: u32| number(name).unwrap_or(usual).min(32);
        let config = from_hex(value("config")?)?;
        let mut params = params_from_asc(&config).ok()?;
        // With explicit SBR its clock runs faster than the core that the record tells of.
        if clock_rate > 0 {
            params.timescale = clock_rate;
        }
        let core = params_from_asc(&config).ok()?.timescale.max(1);
        let short = config.get(1).is_some_and(|byte| byte & 4 != 0);
        let frame = u64::from(if short { 960_u32 } else { 1024 }) * u64::from(params.timescale)
            / u64::from(core);
        let (size, index) = match value("mode").map(str::to_ascii_lowercase).as_deref() {
            Some("aac-lbr") => (6, 2),
            _ => (13, 3),
        };
        Some(AacForm {
            params,
            frame_ticks: i64::try_from(frame).ok()?,
            size_bits: bits("sizelength", size),
            index_bits: bits("indexlength", index),
            delta_bits: bits("indexdeltalength", index),
            cts_bits: bits("ctsdeltalength", 0),
            dts_bits: bits("dtsdeltalength", 0),
            random_access: number("randomaccessindication") == Some(1),
            stream_state_bits: bits("streamstateindication", 0),
            auxiliary_bits: bits("auxiliarydatasizelength", 0),
            constant_size: number("constantsize")
                .and_then(|size| usize::try_from(size).ok())
                .filter(|size| *size > 0),
        })
    }

    fn has_headers(&self) -> bool {
        self.size_bits + self.index_bits + self.delta_bits + self.cts_bits + self.dts_bits > 0
    }

    /// Size and index of one frame.
    fn header(&self, bits: &mut Bits<'_>, first: bool) -> Option<(usize, u32)> {
        let size = bits.bits(self.size_bits)?;
        let index = bits.bits(if first {
            self.index_bits
        } else {
            self.delta_bits
        })?;
        for (count, flagged) in [(self.cts_bits, true), (self.dts_bits, true)] {
            if count > 0 && flagged && bits.bit()? {
                bits.bits(count)?;
            }
        }
        if self.random_access {
            bits.skip(1)?;
        }
        bits.bits(self.stream_state_bits)?;
        let size = self.constant_size.or_else(|| usize::try_from(size).ok())?;
        Some((size, index))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let bytes = digits?;
    let pairs = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    pairs.collect()
}

/// Where a packet's frames are: (size, index) of each, and the data.
struct Frame<'a> {
    headers: Vec<(usize, u32)>,
    data: &'a [u8],
}

/// One track's.
#[derive(Debug)]
pub(super) struct Frames {
    form: AacForm,
    /// A frame in several packets: bytes that are there, and how many there will be.
    pieces: Option<(Vec<u8>, usize, i64)>,
    lost_packets: u32,
}

impl Frames {
    pub fn new(form: AacForm) -> Frames {
        Frames {
            form,
            pieces: None,
            lost_packets: 0,
        }
    }

    pub fn params(&self) -> &TrackParams {
        &self.form.params
    }

    pub fn push(
        &mut self,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        self.lost_packets = self.lost_packets.saturating_add(packet.lost_packets);
        if packet.lost_packets > 0 && self.pieces.take().is_some() {
            faults.add(PacketFault::Fragment);
        }
        let taken = self
            .frames_of(packet.payload)
            .and_then(|frames| self.take(&frames, packet, faults, out));
        if let Err(fault) = taken {
            faults.add(fault);
            self.pieces = None;
            self.lost_packets = self.lost_packets.saturating_add(1);
        }
    }

    fn frames_of<'a>(&self, payload: &'a [u8]) -> Result<Frame<'a>, PacketFault> {
        if payload.is_empty() {
            return Err(PacketFault::Empty);
        }
        if !self.form.has_headers() {
            let size = self.form.constant_size.unwrap_or(payload.len());
            let whole = payload.len().div_ceil(size.max(1));
            return Ok(Frame {
                headers: vec![(size, 0); whole],
                data: payload,
            });
        }
        let (length, behind) = payload
            .split_first_chunk::<2>()
            .ok_or(PacketFault::Broken)?;
        let length = usize::from(u16::from_be_bytes(*length));
        self.split(length, behind)
            // In bytes, where some cameras mean bits.
            .or_else(|| self.split(length.checked_mul(8)?, behind))
            .ok_or(PacketFault::Broken)
    }

    /// With `length` bits of headers.
    fn split<'a>(&self, length: usize, behind: &'a [u8]) -> Option<Frame<'a>> {
        let (head, data) = behind.split_at_checked(length.div_ceil(8))?;
        let one = self.form.size_bits + self.form.index_bits;
        let mut bits = Bits::new(head);
        let mut headers: Vec<(usize, u32)> = Vec::new();
        let mut read = 0;
        while read + usize::try_from(one).ok()? <= length {
            let (size, index) = self.form.header(&mut bits, headers.is_empty())?;
            headers.push((size, index));
            read = bits.at();
        }
        if headers.is_empty() {
            return None;
        }
        let data = match self.form.auxiliary_bits {
            0 => data,
            count => {
                let mut bits = Bits::new(data);
                let size = usize::try_from(bits.bits(count)?).ok()?;
                data.get((usize::try_from(count).ok()? + size).div_ceil(8)..)?
            }
        };
        Some(Frame { headers, data })
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        packet: &RtpPacket<'_>,
        faults: &mut PacketFaults,
        out: &mut impl FnMut(Depacketized<'_>),
    ) -> Result<(), PacketFault> {
        let mut data = frame.data;
        let goes_on = |(size, pts): (usize, i64)| {
            self.pieces
                .as_ref()
                .is_some_and(|(_, whole, begun)| *whole == size && *begun == pts)
        };
        if let [(size, _)] = frame.headers.as_slice()
            && (goes_on((*size, packet.pts)) || *size > data.len())
        {
            return self.piece(*size, data, packet, out);
        }
        if self.pieces.take().is_some() {
            faults.add(PacketFault::Fragment);
            self.lost_packets = self.lost_packets.saturating_add(1);
        }
        let mut number = 0_i64;
        for (at, (size, index)) in frame.headers.iter().enumerate() {
            let (bytes, rest) = data.split_at_checked(*size).ok_or(PacketFault::Broken)?;
            data = rest;
            // The first one's index counts from the packet's time, the others' from the one before.
            number += i64::from(*index) + i64::from(at > 0);
            let pts = packet
                .pts
                .saturating_add(number.saturating_mul(self.form.frame_ticks));
            self.hand_on(bytes, pts, packet, out);
        }
        Ok(())
    }

    /// A piece of a frame of `size` bytes.
    fn piece(
        &mut self,
        size: usize,
        data: &[u8],
        packet: &RtpPacket<'_>,
        out: &mut impl FnMut(Depacketized<'_>),
    ) -> Result<(), PacketFault> {
        if size > LONGEST {
            return Err(PacketFault::Endless);
        }
        let (mut bytes, whole, pts) = self.pieces.take().unwrap_or((Vec::new(), size, packet.pts));
        if whole != size || pts != packet.pts {
            return Err(PacketFault::Fragment);
        }
        bytes.extend_from_slice(data);
        match bytes.len().cmp(&size) {
            // Its beginning is missing.
            std::cmp::Ordering::Less if packet.mark => Err(PacketFault::Fragment),
            std::cmp::Ordering::Less => {
                self.pieces = Some((bytes, size, packet.pts));
                Ok(())
            }
            std::cmp::Ordering::Equal => {
                self.hand_on(&bytes, packet.pts, packet, out);
                Ok(())
            }
            std::cmp::Ordering::Greater => Err(PacketFault::Fragment),
        }
    }

    fn hand_on(
        &mut self,
        bytes: &[u8],
        pts: i64,
        packet: &RtpPacket<'_>,
        out: &mut impl FnMut(Depacketized<'_>),
    ) {
        let data = without_adts(bytes);
        if data.is_empty() {
            return;
        }
        out(Depacketized::Frame(ReceivedFrame {
            pts,
            arrival_mono_ns: packet.arrival_mono_ns,
            lost_packets: std::mem::take(&mut self.lost_packets),
            data,
        }));
    }
}

/// Some cameras leave the header of a file's frame before it.
fn without_adts(frame: &[u8]) -> &[u8] {
    let &[0xff, second, _, a, b, c, ..] = frame else {
        return frame;
    };
    let len = usize::from(a & 3) << 11 | usize::from(b) << 3 | usize::from(c >> 5);
    if second & 0xf6 != 0xf0 || len != frame.len() {
        return frame;
    }
    let header = if second & 1 == 1 { 7 } else { 9 };
    frame.get(header..).unwrap_or_default()
}
