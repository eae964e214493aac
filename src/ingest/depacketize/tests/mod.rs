//! A camera that packs, marks and stamps its pictures as it likes, and what comes of its packets.
#![allow(clippy::unwrap_used)]

mod pictures;
mod sound;

use super::*;

/// x264, 1920x1080.
const SPS: &str = "67640028acd940780227e5c104000003000400000300f03c60c658";
const PPS: &str = "68ebe3cb22c0";
/// x265, 1280x720.
const H265_SETS: [&str; 3] = [
    "40010c01ffff01600000030090000003000003005d959809",
    "42010101600000030090000003000003005da00280802d165959a49395e1cd010000030001000003001908",
    "4401c172b46240",
];
const MOST: usize = 100_000;

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Bits, most significant first.
#[derive(Default)]
struct Writer(Vec<bool>);

impl Writer {
    fn bits(&mut self, count: u32, value: u32) -> &mut Writer {
        self.0
            .extend((0..count).rev().map(|at| value >> at & 1 == 1));
        self
    }

    fn ue(&mut self, value: u32) -> &mut Writer {
        let len = 32 - (value + 1).leading_zeros();
        self.bits(2 * len - 1, value + 1)
    }

    /// With a body of bytes that need no emulation prevention.
    fn nal(&self, header: &[u8], body: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        for byte in self.0.chunks(8) {
            let bits = byte.iter().chain(std::iter::repeat(&true)).take(8);
            plain.push(bits.fold(0, |byte, bit| byte << 1 | u8::from(*bit)));
        }
        let mut nal = header.to_vec();
        let mut zeros = 0;
        for byte in plain {
            if zeros >= 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        nal.extend(body.iter().map(|byte| byte | 1));
        nal
    }
}

/// A slice of picture `n` of 1920x1080; every tenth is an IDR.
fn slice(n: u32, at: u32, body: &[u8]) -> Vec<u8> {
    let idr = n.is_multiple_of(10);
    let mut head = Writer::default();
    head.ue(at).ue(7).ue(0).bits(4, n % 10);
    if idr {
        head.ue(n / 10 % 16);
    }
    head.bits(6, n % 10 * 2);
    head.nal(&[if idr { 0x65 } else { 0x41 }], body)
}

fn h265_slice(n: u32, first: bool, body: &[u8]) -> Vec<u8> {
    let key = n.is_multiple_of(10);
    let mut head = Writer::default();
    head.bits(1, u32::from(first));
    if key {
        head.bits(1, 0);
    }
    head.ue(0).bits(7, n);
    head.nal(&[if key { 19 << 1 } else { 1 << 1 }, 1], body)
}

fn units(nals: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for nal in nals {
        bytes.extend(u32::try_from(nal.len()).unwrap().to_be_bytes());
        bytes.extend(nal);
    }
    bytes
}

/// What came out.
#[derive(Debug, Default)]
struct Seen {
    /// Presentation time, bytes, packets lost before it.
    frames: Vec<(i64, Vec<u8>, u32)>,
    params: Vec<TrackParams>,
    awaited: usize,
}

impl Seen {
    fn take(&mut self, out: Depacketized<'_>) {
        match out {
            Depacketized::Params(params) => self.params.push(params),
            Depacketized::Frame(frame) => {
                self.frames
                    .push((frame.pts, frame.data.to_vec(), frame.lost_packets));
            }
            Depacketized::Awaited { .. } => self.awaited += 1,
        }
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.frames
            .iter()
            .map(|(_, data, _)| data.clone())
            .collect()
    }
}

/// A camera's packets, as (payload, time, mark, lost before).
type Sent = (Vec<u8>, i64, bool, u32);

fn run(depacketizer: &mut Depacketizer, sent: &[Sent]) -> Seen {
    let mut seen = Seen::default();
    for (n, (payload, pts, mark, lost_packets)) in sent.iter().enumerate() {
        let packet = RtpPacket {
            payload,
            pts: *pts,
            mark: *mark,
            lost_packets: *lost_packets,
            arrival_mono_ns: u64::try_from(n).unwrap(),
        };
        depacketizer.push(&packet, &mut |out| seen.take(out));
    }
    seen
}

fn h264() -> Depacketizer {
    Depacketizer::video(Codec::H264, "", MOST)
}

fn h265() -> Depacketizer {
    Depacketizer::video(Codec::H265, "", MOST)
}

#[derive(Clone, Copy, Debug)]
enum Markers {
    Right,
    OnEverySlice,
    Never,
}

/// How a camera packs its pictures.
#[derive(Clone, Copy, Debug)]
struct Habits {
    codec: Codec,
    markers: Markers,
    /// The clock runs on within a picture.
    clock_runs_on: bool,
    /// Units longer than this go in pieces of it.
    piece: usize,
    /// Short units share a packet.
    aggregates: bool,
}

impl Habits {
    fn headers(self) -> usize {
        if self.codec == Codec::H265 { 2 } else { 1 }
    }

    fn pieces(self, nal: &[u8]) -> Vec<Vec<u8>> {
        if nal.len() <= self.piece {
            return vec![nal.to_vec()];
        }
        let (header, body) = nal.split_at(self.headers());
        let chunks: Vec<&[u8]> = body.chunks(self.piece).collect();
        let last = chunks.len() - 1;
        let pieces = chunks.iter().enumerate().map(|(n, chunk)| {
            let ends = u8::from(n == 0) << 7 | u8::from(n == last) << 6;
            let mut packet = match self.codec {
                Codec::H265 => vec![
                    header[0] & 0x81 | 49 << 1,
                    header[1],
                    ends | header[0] >> 1 & 0x3f,
                ],
                _ => vec![header[0] & 0xe0 | 28, ends | header[0] & 0x1f],
            };
            packet.extend_from_slice(chunk);
            packet
        });
        pieces.collect()
    }

    fn aggregate(self, nals: &[Vec<u8>]) -> Vec<u8> {
        let mut packet = match self.codec {
            Codec::H265 => vec![48 << 1, 1],
            _ => vec![0x78],
        };
        for nal in nals {
            packet.extend(u16::try_from(nal.len()).unwrap().to_be_bytes());
            packet.extend(nal);
        }
        packet
    }

    fn send(self, pictures: &[Picture]) -> Vec<Sent> {
        let mut sent: Vec<Sent> = Vec::new();
        for (n, picture) in pictures.iter().enumerate() {
            let pts = i64::try_from(n).unwrap() * 3_000;
            let mut payloads: Vec<(Vec<u8>, bool)> = Vec::new();
            if self.aggregates && !picture.before.is_empty() {
                payloads.push((self.aggregate(&picture.before), false));
            } else {
                payloads.extend(picture.before.iter().map(|nal| (nal.clone(), false)));
            }
            for slice in &picture.slices {
                let pieces = self.pieces(slice);
                let last = pieces.len() - 1;
                payloads.extend(
                    pieces
                        .into_iter()
                        .enumerate()
                        .map(|(n, piece)| (piece, n == last)),
                );
            }
            let last = payloads.len() - 1;
            for (at, (payload, slice_ends)) in payloads.into_iter().enumerate() {
                let mark = match self.markers {
                    Markers::Right => at == last,
                    Markers::OnEverySlice => slice_ends,
                    Markers::Never => false,
                };
                let runs = if self.clock_runs_on {
                    i64::try_from(at).unwrap() * 7
                } else {
                    0
                };
                sent.push((payload, pts + runs, mark, 0));
            }
        }
        sent
    }
}

#[derive(Clone, Debug)]
struct Picture {
    before: Vec<Vec<u8>>,
    slices: Vec<Vec<u8>>,
}

/// `bodies`: of the slices of each.
fn film(codec: Codec, bodies: &[Vec<Vec<u8>>]) -> Vec<Picture> {
    let pictures = bodies.iter().enumerate().map(|(n, slices)| {
        let n = u32::try_from(n).unwrap();
        let slices = slices.iter().enumerate().map(|(at, body)| {
            let at = u32::try_from(at).unwrap();
            match codec {
                Codec::H265 => h265_slice(n, at == 0, body),
                _ => slice(n, at * 100, body),
            }
        });
        let before = match (n.is_multiple_of(10), codec) {
            (true, Codec::H265) => H265_SETS.map(hex).to_vec(),
            (true, _) => vec![hex(SPS), hex(PPS), vec![6, 5, 1, 0x41, 0x80]],
            (false, Codec::H265) => vec![vec![39 << 1, 1, 5, 1, 0x41, 0x80]],
            (false, _) => vec![vec![9, 0xf0]],
        };
        Picture {
            before,
            slices: slices.collect(),
        }
    });
    pictures.collect()
}

/// The access units that a camera means.
fn meant(codec: Codec, film: &[Picture]) -> Vec<Vec<u8>> {
    let is_set = |nal: &Vec<u8>| match codec {
        Codec::H265 => (32..=34).contains(&(nal[0] >> 1)),
        _ => [7, 8].contains(&(nal[0] & 0x1f)),
    };
    let pictures = film.iter().map(|picture| {
        let nals = picture.before.iter().filter(|nal| !is_set(nal));
        units(&nals.chain(&picture.slices).cloned().collect::<Vec<_>>())
    });
    pictures.collect()
}

fn plain(codec: Codec) -> Habits {
    Habits {
        codec,
        markers: Markers::Right,
        clock_runs_on: false,
        piece: 1_000,
        aggregates: false,
    }
}

fn bodies(pictures: usize, slices: usize) -> Vec<Vec<Vec<u8>>> {
    let picture = |n: usize| {
        (0..slices)
            .map(|at| vec![u8::try_from((n + at) % 200).unwrap(); 40])
            .collect()
    };
    (0..pictures).map(picture).collect()
}
