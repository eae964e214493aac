#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::media::nal;

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

fn habits() -> impl Strategy<Value = Habits> {
    let markers = prop_oneof![
        Just(Markers::Right),
        Just(Markers::OnEverySlice),
        Just(Markers::Never)
    ];
    let codec = prop_oneof![Just(Codec::H264), Just(Codec::H265)];
    (codec, markers, any::<bool>(), 3_usize..300, any::<bool>()).prop_map(
        |(codec, markers, clock_runs_on, piece, aggregates)| Habits {
            codec,
            markers,
            clock_runs_on,
            piece,
            aggregates,
        },
    )
}

proptest! {
    #[test]
    fn a_picture_is_one_access_unit_however_it_is_packed_marked_and_stamped(
        habits in habits(),
        bodies in proptest::collection::vec(
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..400), 1..4), 2..45),
    ) {
        let film = film(habits.codec, &bodies);
        let mut depacketizer = Depacketizer::video(habits.codec, "", MOST);
        let seen = run(&mut depacketizer, &habits.send(&film));
        let meant = meant(habits.codec, &film);
        prop_assert!(seen.frames.len() + 1 >= meant.len());
        prop_assert_eq!(seen.bytes(), meant[..seen.frames.len()].to_vec());
        prop_assert!(seen.frames.iter().all(|(_, _, lost)| *lost == 0));
        prop_assert_eq!(seen.params.len(), 1);
        prop_assert_eq!(depacketizer.faults().total(), 0);
    }

    #[test]
    fn any_packets_give_sound_access_units_or_none(
        h265: bool,
        sent in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..60), 0_i64..9, any::<bool>(), 0_u32..2), 0..60),
    ) {
        let codec = if h265 { Codec::H265 } else { Codec::H264 };
        let mut depacketizer = Depacketizer::video(codec, "", 300);
        for (_, data, _) in run(&mut depacketizer, &sent).frames {
            prop_assert!(!data.is_empty() && data.len() <= 300);
            prop_assert!(nal::lengths_add_up(&data));
        }
    }

    #[test]
    fn a_good_stream_with_bad_packets_between_loses_no_more_than_the_pictures_they_fall_into(
        seed in any::<u64>(),
        habits in habits(),
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let film = film(habits.codec, &bodies(60, 2));
        let mut sent = Vec::new();
        for packet in habits.send(&film) {
            if random.u8(..) < 8 {
                let bytes = (0..random.usize(..40)).map(|_| random.u8(..));
                // What makes sense as a piece of a picture is one.
                let junk: Vec<u8> = [if habits.codec == Codec::H265 { 63 << 1 } else { 30 }].into_iter().chain(bytes).collect();
                sent.push((junk, packet.1, false, 0));
            }
            sent.push(packet);
        }
        let mut depacketizer = Depacketizer::video(habits.codec, "", MOST);
        let seen = run(&mut depacketizer, &sent);
        let meant = meant(habits.codec, &film);
        // What is torn, since its front may belong to another picture, is told as a loss.
        prop_assert!(seen.frames.iter().all(|(_, data, lost)| *lost > 0 || meant.contains(data)));
        let junk = usize::try_from(depacketizer.faults().total()).unwrap();
        prop_assert!(seen.frames.len() + junk + 1 >= meant.len(), "{} of {}, {junk}", seen.frames.len(), meant.len());
    }

    #[test]
    fn any_bytes_in_a_packet_of_aac_give_frames_of_at_most_its_size(
        payload in proptest::collection::vec(any::<u8>(), 0..80), mark: bool,
    ) {
        let mut aac = Depacketizer::aac(aac_form(""));
        for (_, data, _) in run(&mut aac, &[(payload.clone(), 0, mark, 0)]).frames {
            prop_assert!(data.len() <= payload.len());
        }
    }
}

#[test]
fn once_the_marker_has_proved_right_a_picture_is_handed_on_with_its_last_packet() {
    let film = film(Codec::H264, &bodies(30, 2));
    let sent = plain(Codec::H264).send(&film);
    let mut depacketizer = h264();
    let seen = run(&mut depacketizer, &sent);
    assert_eq!(seen.frames.len(), 30);
    // Two key frames had to bear it out: the second is followed by picture 11.
    assert_eq!(seen.awaited, 11);
}

#[test]
fn a_marker_that_lies_after_it_was_believed_costs_one_picture_and_is_told() {
    let good = film(Codec::H264, &bodies(25, 1));
    let long = film(Codec::H264, &bodies(32, 2));
    let mut sent = plain(Codec::H264).send(&good);
    let lying = Habits {
        markers: Markers::OnEverySlice,
        ..plain(Codec::H264)
    };
    let later = lying.send(&long);
    let from = later
        .iter()
        .position(|(_, pts, _, _)| *pts == 25 * 3_000)
        .unwrap();
    sent.extend_from_slice(&later[from..]);
    let mut depacketizer = h264();
    let seen = run(&mut depacketizer, &sent);
    assert_eq!(depacketizer.faults().count(PacketFault::MarkerTooEarly), 1);
    // The half picture is out already; the next one tells of it.
    let meant = meant(Codec::H264, &long);
    assert!(seen.frames[25].1.len() < meant[25].len());
    assert_eq!(seen.frames[26].2, 1);
    let after: Vec<Vec<u8>> = seen.bytes()[26..].to_vec();
    assert_eq!(after, meant[26..31]);
}

#[test]
fn a_picture_with_a_hole_in_it_is_left_out_and_the_next_one_tells() {
    for codec in [Codec::H264, Codec::H265] {
        let film = film(codec, &bodies(40, 3));
        let habits = Habits {
            piece: 15,
            ..plain(codec)
        };
        let meant = meant(codec, &film);
        let all = habits.send(&film);
        for hole in 130..200 {
            let mut sent = all.clone();
            sent.remove(hole);
            sent[hole].3 = 1;
            let seen = run(&mut Depacketizer::video(codec, "", MOST), &sent);
            let told: u32 = seen.frames.iter().map(|(_, _, lost)| lost).sum();
            assert!(told >= 1, "{codec:?} {hole}");
            let whole = |data: &Vec<u8>| meant.contains(data);
            let torn = seen.frames.iter().filter(|(_, data, _)| !whole(data));
            // Its front is missing: the loss is told with it.
            assert!(
                torn.clone().all(|(_, _, lost)| *lost > 0),
                "{codec:?} {hole}"
            );
            assert!(
                torn.count() <= 1 && seen.frames.len() >= meant.len() - 1,
                "{codec:?} {hole}"
            );
        }
    }
}

#[test]
fn what_is_malformed_is_left_out_and_counted_and_the_stream_goes_on() {
    let table: Vec<(&str, Vec<u8>, PacketFault)> = vec![
        ("empty", vec![], PacketFault::Empty),
        ("unit type 0", vec![0, 1, 2], PacketFault::Reserved),
        ("unit type 31", vec![31, 1, 2], PacketFault::Reserved),
        ("STAP of nothing", vec![24], PacketFault::Empty),
        (
            "STAP that ends early",
            vec![24, 0, 9, 1],
            PacketFault::Broken,
        ),
        ("half a length", vec![24, 0], PacketFault::Broken),
        ("FU of nothing", vec![28, 0x85], PacketFault::Empty),
        (
            "FU without start",
            vec![28, 0x05, 1, 2],
            PacketFault::Fragment,
        ),
        ("SPS of nothing", vec![0x67], PacketFault::BadSet),
        ("unit type 23", vec![23, 1], PacketFault::Reserved),
    ];
    let film = film(Codec::H264, &bodies(60, 1));
    let meant = meant(Codec::H264, &film);
    for (what, junk, kind) in table {
        let mut sent = plain(Codec::H264).send(&film);
        // Behind a picture's marker.
        let at = sent
            .iter()
            .position(|(_, pts, _, _)| *pts == 25 * 3_000)
            .unwrap();
        sent.insert(at, (junk, 24 * 3_000, false, 0));
        let mut depacketizer = h264();
        let seen = run(&mut depacketizer, &sent);
        assert_eq!(
            depacketizer.faults().count(kind),
            1,
            "{what}: {:?}",
            depacketizer.faults()
        );
        assert_eq!(depacketizer.faults().total(), 1, "{what}");
        assert_eq!(seen.bytes(), meant, "{what}");
    }
}

#[test]
fn lengths_of_nothing_in_an_aggregate_hold_nothing_up() {
    let film = film(Codec::H264, &bodies(1, 1));
    let packet = plain(Codec::H264).aggregate(&[
        vec![],
        hex(SPS),
        vec![],
        hex(PPS),
        film[0].slices[0].clone(),
    ]);
    let next = film_of_one(1);
    let seen = run(&mut h264(), &[(packet, 0, true, 0), (next, 3_000, true, 0)]);
    assert_eq!(seen.bytes(), [units(&film[0].slices)]);
}

fn film_of_one(n: u32) -> Vec<u8> {
    slice(n, 0, &[1; 20])
}

#[test]
fn start_codes_between_units_are_taken_for_what_they_are() {
    let code: [u8; 4] = [0, 0, 0, 1];
    let picture = slice(0, 0, &[0x41; 300]);
    let stream = [
        &code[..],
        &hex(SPS),
        &code[..],
        &hex(PPS),
        &code[..],
        &picture,
    ]
    .concat();
    let habits = Habits {
        piece: 100,
        ..plain(Codec::H264)
    };
    // Each unit in pieces behind a start code, which say that they are of no kind.
    let mut coded: Vec<Sent> = Vec::new();
    for nal in [hex(SPS), hex(PPS), picture.clone(), film_of_one(1)] {
        let nal = [&[0, 0, 1][..], &nal].concat();
        let pieces = habits.pieces(&[&[0x00][..], &nal].concat());
        if let [whole] = pieces.as_slice() {
            coded.push(([&[0x1c, 0xc0][..], &whole[1..]].concat(), 0, false, 0));
        } else {
            coded.extend(pieces.into_iter().map(|piece| (piece, 0, false, 0)));
        }
    }
    let seen = run(&mut h264(), &coded);
    assert_eq!(seen.bytes(), [units(std::slice::from_ref(&picture))]);
    // One unit in pieces, whose header is the first one's.
    let pieces = habits.pieces(&stream[4..]);
    let in_pieces = pieces.into_iter().map(|piece| (piece, 0, false, 0));
    let whole = vec![(stream.clone(), 0, true, 0)];
    for mut sent in [in_pieces.collect::<Vec<Sent>>(), whole] {
        sent.push((film_of_one(1), 3_000, true, 0));
        let mut depacketizer = h264();
        let seen = run(&mut depacketizer, &sent);
        assert_eq!(seen.bytes(), [units(&[picture.clone()])]);
        assert_eq!(seen.params.len(), 1);
        assert_eq!(depacketizer.faults().count(PacketFault::AnnexB), 1);
    }
}

#[test]
fn all_parameter_sets_are_in_the_record_and_only_another_content_makes_a_new_one() {
    // The second PPS: id 1, the same SPS.
    let mut second = Writer::default();
    second.ue(1).ue(0).bits(2, 0b10).ue(0).ue(0).ue(0);
    let second = second.nal(&[0x68], &[0x80]);
    let mut sent: Vec<Sent> = Vec::new();
    for n in 0..40 {
        let pts = i64::from(n) * 3_000;
        if n % 10 == 0 {
            // By turns.
            sent.push((hex(SPS), pts, false, 0));
            sent.push((hex(PPS), pts, false, 0));
            sent.push((second.clone(), pts, false, 0));
        }
        sent.push((film_of_one(n), pts, true, 0));
    }
    let seen = run(&mut h264(), &sent);
    assert_eq!((seen.frames.len(), seen.params.len()), (40, 1));
    let record = &seen.params[0];
    assert!(
        record
            .config
            .windows(second.len())
            .any(|part| part == second)
    );
    assert_eq!((record.width, record.height), (1920, 1080));
}

#[test]
fn a_picture_that_names_a_set_that_never_came_is_left_out_and_told() {
    let unknown = {
        let mut head = Writer::default();
        head.ue(0).ue(7).ue(7).bits(4, 5).bits(6, 10);
        head.nal(&[0x41], &[7; 20])
    };
    let mut sent = plain(Codec::H264).send(&film(Codec::H264, &bodies(8, 1)));
    sent.push((unknown, 8 * 3_000, true, 0));
    sent.push((film_of_one(9), 9 * 3_000, true, 0));
    sent.push((film_of_one(11), 10 * 3_000, true, 0));
    let mut depacketizer = h264();
    let seen = run(&mut depacketizer, &sent);
    assert_eq!(depacketizer.faults().count(PacketFault::UnknownSet), 1);
    assert_eq!(seen.frames.len(), 9);
    assert_eq!(seen.frames[8].2, 1);
}

#[test]
fn sets_that_come_behind_a_picture_are_the_next_ones() {
    let table = h265_table_of_sets();
    assert_eq!(table.params.len(), 1);
    let mut sent = plain(Codec::H264).send(&film(Codec::H264, &bodies(10, 1)));
    // Another size, and its picture.
    let mut other = hex(SPS);
    other[3] = 0x29;
    sent.push((other.clone(), 10 * 3_000, false, 0));
    sent.push((film_of_one(10), 10 * 3_000, true, 0));
    sent.push((film_of_one(11), 11 * 3_000, true, 0));
    let mut order = Vec::new();
    let mut depacketizer = h264();
    for (payload, pts, mark, lost_packets) in &sent {
        let packet = RtpPacket {
            payload,
            pts: *pts,
            mark: *mark,
            lost_packets: *lost_packets,
            arrival_mono_ns: 0,
        };
        depacketizer.push(&packet, &mut |out| match out {
            Depacketized::Params(params) => order.push((-1, params.config[3])),
            Depacketized::Frame(frame) => order.push((frame.pts / 3_000, 0)),
            Depacketized::Awaited { .. } => {}
        });
    }
    let new = order.iter().position(|of| *of == (-1, 0x29)).unwrap();
    assert_eq!((order[new - 1].0, order[new + 1].0), (9, 10));
}

fn h265_table_of_sets() -> Seen {
    let film = film(Codec::H265, &bodies(12, 1));
    let seen = run(&mut h265(), &plain(Codec::H265).send(&film));
    assert_eq!((seen.params[0].width, seen.params[0].height), (1280, 720));
    seen
}

#[test]
fn the_sets_of_an_sdp_are_known_before_the_first_packet() {
    use base64::Engine;
    let text = |bytes: &str| base64::engine::general_purpose::STANDARD.encode(hex(bytes));
    let fmtp = format!(
        "packetization-mode=1; profile-level-id=640028;sprop-parameter-sets={},{};",
        text(SPS),
        text(PPS).trim_end_matches('=')
    );
    let params = Depacketizer::video(Codec::H264, &fmtp, MOST)
        .params()
        .unwrap();
    assert_eq!((params.width, params.codec), (1920, Codec::H264));
    let [vps, sps, pps] = H265_SETS.map(text);
    let fmtp = format!("sprop-vps={vps};sprop-sps={sps}; sprop-pps={pps}");
    let params = Depacketizer::video(Codec::H265, &fmtp, MOST)
        .params()
        .unwrap();
    assert_eq!((params.width, params.codec), (1280, Codec::H265));
    for fmtp in [
        "",
        "sprop-parameter-sets=",
        "sprop-parameter-sets=!!,Z0I=",
        ";;=;",
    ] {
        assert_eq!(
            Depacketizer::video(Codec::H264, fmtp, MOST).params(),
            None,
            "{fmtp}"
        );
    }
}

#[test]
fn a_picture_that_never_ends_is_left_out_and_needs_no_more_memory_than_one() {
    let film = film(Codec::H264, &bodies(4, 1));
    let mut sent = plain(Codec::H264).send(&film);
    sent.push((vec![0x7c, 0x81, 0x88], 9, false, 0));
    sent.extend((0..400).map(|_| {
        (
            vec![[0x7c, 0x01].as_slice(), &[7; 1_000]].concat(),
            9,
            false,
            0,
        )
    }));
    sent.push((film_of_one(10), 12, true, 0));
    sent.push((film_of_one(11), 15, true, 0));
    let mut depacketizer = h264();
    let seen = run(&mut depacketizer, &sent);
    assert_eq!(depacketizer.faults().count(PacketFault::Endless), 1);
    assert!(seen.frames.iter().all(|(_, data, _)| data.len() < MOST));
    let last = seen.frames.last().unwrap();
    assert_eq!((&last.1, last.2 > 0), (&units(&[film_of_one(10)]), true));
}

#[test]
fn messages_without_a_picture_need_no_more_memory_than_one() {
    let sei = [&[6, 5, 200][..], &[7; 900]].concat();
    let mut sent: Vec<Sent> = (0..1_000).map(|n| (sei.clone(), n, true, 0)).collect();
    sent.push((hex(SPS), 2_000, false, 0));
    sent.push((hex(PPS), 2_000, false, 0));
    sent.push((film_of_one(10), 2_000, true, 0));
    sent.push((film_of_one(11), 2_001, true, 0));
    let mut depacketizer = h264();
    let seen = run(&mut depacketizer, &sent);
    assert_eq!(seen.frames.len(), 1);
    assert!(seen.frames[0].1.len() <= MOST && seen.frames[0].1.ends_with(&film_of_one(10)));
}

fn aac_form(more: &str) -> AacForm {
    AacForm::of(
        &format!("streamtype=5;mode=AAC-hbr;config=1190;{more}"),
        48_000,
    )
    .unwrap()
}

#[test]
fn frames_of_aac_are_found_in_every_form_that_cameras_send() {
    let usual = "sizelength=13;indexlength=3;indexdeltalength=3";
    let frame = [0x21, 0x22, 0x23];
    let adts = [&[0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc][..], &frame].concat();
    let table: Vec<(&str, &str, Vec<u8>, usize)> = vec![
        ("one", usual, vec![0, 16, 0, 24, 0x21, 0x22, 0x23], 1),
        (
            "two",
            usual,
            vec![0, 32, 0, 24, 0, 24, 0x21, 0x22, 0x23, 0x21, 0x22, 0x23],
            2,
        ),
        ("defaults", "", vec![0, 16, 0, 24, 0x21, 0x22, 0x23], 1),
        (
            "headers counted in bytes",
            usual,
            vec![0, 2, 0, 24, 0x21, 0x22, 0x23],
            1,
        ),
        (
            "low bit rate",
            "mode=AAC-lbr;sizelength=6;indexlength=2;indexdeltalength=2",
            vec![0, 8, 12, 0x21, 0x22, 0x23],
            1,
        ),
        (
            "constant size",
            "sizelength=0;indexlength=0;indexdeltalength=0;constantsize=3",
            frame.repeat(2),
            2,
        ),
        (
            "with a file's header",
            usual,
            [vec![0, 16, 0, 80], adts].concat(),
            1,
        ),
    ];
    for (what, fmtp, payload, count) in table {
        let mut aac = Depacketizer::aac(aac_form(fmtp));
        let seen = run(&mut aac, &[(payload, 5_000, true, 0)]);
        assert_eq!(seen.bytes(), vec![frame.to_vec(); count], "{what}");
        let times: Vec<i64> = seen.frames.iter().map(|(pts, _, _)| *pts).collect();
        assert_eq!(times, [5_000, 6_024][..count], "{what}");
        assert_eq!(aac.faults().total(), 0, "{what}");
    }
    assert_eq!(AacForm::of("mode=AAC-hbr;config=zz", 48_000), None);
    assert_eq!(AacForm::of("mode=AAC-hbr", 48_000), None);
}

#[test]
fn a_frame_of_aac_in_pieces_is_whole_or_missing() {
    let head = [0, 16, 0, 6 << 3];
    let piece = |bytes: &[u8]| [&head[..], bytes].concat();
    let two = |lost| {
        vec![
            (piece(&[1, 2, 3]), 7, false, 0),
            (piece(&[4, 5, 6]), 7, true, lost),
        ]
    };
    let mut aac = Depacketizer::aac(aac_form(""));
    assert_eq!(run(&mut aac, &two(0)).bytes(), [vec![1, 2, 3, 4, 5, 6]]);
    let mut sent = two(1);
    sent.push((vec![0, 16, 0, 8, 9], 8, true, 0));
    let seen = run(&mut aac, &sent);
    assert_eq!(seen.bytes(), [vec![9]]);
    assert!(seen.frames[0].2 >= 1);
}
