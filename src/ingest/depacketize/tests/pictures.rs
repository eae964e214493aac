//! Pictures are whole, in order and told of where they are not, whatever a camera does.

use proptest::prelude::*;

use super::*;
use crate::media::nal;

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
        assert_eq!(seen.bytes(), [units(std::slice::from_ref(&picture))]);
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
    sent.extend((0..400).map(|_| ([[0x7c, 0x01].as_slice(), &[7; 1_000]].concat(), 9, false, 0)));
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
