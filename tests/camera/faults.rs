//! Faults in what the camera sends.

use hindsight::demo::{CameraFault, DemoCamera, Footage, Script, When};

use crate::media::{self, Recipe};
use crate::raw::{Packet, Raw};
use crate::reader::{PLAIN, Reader};

fn at_frame(n: u64, fault: CameraFault) -> DemoCamera {
    DemoCamera::start(Script {
        faults: vec![(When::Frame(n), fault)],
        ..Script::default()
    })
    .unwrap()
}

fn packets(raw: &mut Raw, count: usize) -> Vec<Packet> {
    (0..count).map(|_| raw.packet().unwrap()).collect()
}

/// The packets of the first frames, as long as their timestamp is below `end`.
fn packets_before(raw: &mut Raw, end: u32) -> Vec<Packet> {
    std::iter::from_fn(|| raw.packet().filter(|p| p.timestamp < end)).collect()
}

fn frame_time(n: u32) -> u32 {
    900_000 + n * 3_000
}

#[test]
fn a_stalled_camera_keeps_rtsp_alive_and_sends_nothing() {
    let camera = at_frame(5, CameraFault::Stall { ms: None });
    let mut raw = Raw::play(&camera);
    assert_eq!(
        packets_before(&mut raw, frame_time(4))
            .last()
            .unwrap()
            .timestamp,
        frame_time(3)
    );
    raw.drain();
    assert_eq!(raw.ask("GET_PARAMETER").status, 200);
    assert_eq!(camera.log().len(), 5);
    // Others are not struck: they are past that frame.
    Raw::play(&camera).packet().unwrap();
}

#[test]
fn after_a_stall_with_an_end_it_goes_on_with_a_key_frame_and_no_packet_lost() {
    let camera = at_frame(5, CameraFault::Stall { ms: Some(300) });
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let frames = reader.frames(10);
    assert!(frames.iter().all(|f| f.loss == 0));
    assert_eq!(frames[4].pts_90k, i64::from(frame_time(4)));
    // Which key frame it is depends on how busy this machine is.
    let since_start = frames[5].pts_90k - i64::from(frame_time(0));
    assert!(frames[5].key && since_start > 0);
    assert_eq!(since_start % 90_000, 0);
}

#[test]
fn held_frames_come_late_and_complete() {
    let camera = at_frame(5, CameraFault::Hold { ms: 400 });
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let frames = reader.frames(30);
    for (n, frame) in (0..).zip(&frames) {
        assert_eq!((frame.pts_90k, frame.loss), (i64::from(frame_time(n)), 0));
    }
    let log = camera.log();
    assert!(log[5].sent_mono_ns >= log[5].capture_mono_ns + 400_000_000);
}

#[test]
fn a_half_open_camera_neither_sends_nor_answers_nor_closes() {
    let camera = at_frame(3, CameraFault::HalfOpen);
    let mut raw = Raw::play(&camera);
    packets_before(&mut raw, frame_time(2));
    raw.drain();
    raw.say("GET_PARAMETER");
    assert!(raw.is_silent());
    // A new connection works.
    Raw::play(&camera).packet().unwrap();
}

#[test]
fn it_closes_between_frames_or_in_the_middle_of_one() {
    let camera = at_frame(3, CameraFault::Close);
    let mut raw = Raw::play(&camera);
    while raw.packet().is_some() {}
    assert!(raw.rest().is_empty());
    assert_eq!(camera.log().len(), 3);

    let camera = at_frame(30, CameraFault::CloseMidAu);
    let mut raw = Raw::play(&camera);
    let seen: Vec<Packet> = std::iter::from_fn(|| raw.packet()).collect();
    assert!(seen.last().unwrap().timestamp >= frame_time(29));
    assert!(!raw.rest().is_empty(), "torn in the middle of a packet");
    let log = camera.log();
    assert_eq!((log.len(), log[30].whole), (31, false));
}

#[test]
fn lost_packets_leave_a_hole_in_the_numbers_and_in_the_log() {
    let camera = at_frame(10, CameraFault::Lose { packets: 2 });
    let mut raw = Raw::play(&camera);
    let seen = packets_before(&mut raw, frame_time(20));
    let holes: Vec<u16> = seen
        .windows(2)
        .map(|w| w[1].sequence.wrapping_sub(w[0].sequence))
        .collect();
    assert_eq!(
        holes.iter().filter(|step| **step != 1).collect::<Vec<_>>(),
        [&3]
    );
    let torn: Vec<u32> = camera
        .log()
        .iter()
        .filter(|s| !s.whole)
        .map(|s| s.frame_number)
        .collect();
    assert_eq!(torn[0], 10);
    assert!(torn.len() <= 2);
}

#[test]
fn retina_sees_the_loss() {
    let camera = at_frame(30, CameraFault::Lose { packets: 3 });
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let frames = reader.frames(40);
    assert_eq!(frames.iter().map(|f| f.loss).sum::<u16>(), 3);
}

#[test]
fn chance_loses_the_same_packets_again_with_the_same_seed() {
    let seen = |seed| {
        let camera = DemoCamera::start(Script {
            seed,
            footage: Footage::synthetic(4_000_000, 30, 30),
            faults: vec![(When::Start, CameraFault::LoseAtRandom { per_mille: 100 })],
            ..Script::default()
        })
        .unwrap();
        let mut raw = Raw::play(&camera);
        let first = packets(&mut raw, 100);
        first
            .iter()
            .map(|p| p.sequence.wrapping_sub(first[0].sequence))
            .collect::<Vec<_>>()
    };
    let (a, b, c) = (seen(1), seen(1), seen(2));
    assert_eq!(a, b);
    assert_ne!(a, c);
    assert!(a[99] > 99, "nothing was lost");
}

#[test]
fn sequence_numbers_jump_repeat_and_change_places() {
    let steps = |fault| {
        let camera = DemoCamera::start(Script {
            footage: Footage::synthetic(4_000_000, 30, 30),
            faults: vec![(When::Frame(3), fault)],
            ..Script::default()
        })
        .unwrap();
        let mut raw = Raw::play(&camera);
        let seen = packets_before(&mut raw, frame_time(6));
        let steps = seen
            .windows(2)
            .map(|w| w[1].sequence.wrapping_sub(w[0].sequence).cast_signed());
        steps.filter(|step| *step != 1).collect::<Vec<i16>>()
    };
    assert_eq!(steps(CameraFault::SequenceJump(1_000)), [1_001]);
    assert_eq!(steps(CameraFault::Duplicate), [0]);
    assert_eq!(steps(CameraFault::Reorder), [2, -1, 2]);
}

#[test]
fn timestamps_jump_on_both_tracks_and_the_log_follows() {
    for ticks_90k in [90_000 * 100, -90_000 * 5] {
        let camera = at_frame(10, CameraFault::TimestampJump { ticks_90k });
        let mut raw = Raw::play(&camera);
        while camera.log().len() < 20 {
            raw.packet().unwrap();
        }
        let log = camera.log();
        let jumped = i64::from(frame_time(10)) + ticks_90k;
        assert_eq!(log[9].pts_90k, i64::from(frame_time(9)));
        assert_eq!((log[10].pts_90k, log[11].pts_90k), (jumped, jumped + 3_000));
    }
}

#[test]
fn the_source_changes_its_name() {
    let camera = at_frame(3, CameraFault::SsrcChange);
    let mut raw = Raw::play(&camera);
    let seen = packets_before(&mut raw, frame_time(6));
    let changed: Vec<u32> = seen
        .windows(2)
        .filter(|w| w[0].ssrc != w[1].ssrc)
        .map(|w| w[1].timestamp)
        .collect();
    assert_eq!(changed, [frame_time(3)]);
}

#[test]
fn garbage_comes_between_the_packets() {
    let camera = at_frame(3, CameraFault::Garbage { bytes: 100 });
    let mut raw = Raw::play(&camera);
    let mut seen = Vec::new();
    while !seen.windows(100).any(|w| w == [1; 100]) {
        seen.extend(raw.bytes());
    }
    let camera = at_frame(3, CameraFault::Garbage { bytes: 100 });
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    assert!((0..10).any(|_| reader.frame().is_err()));
}

#[test]
fn one_frame_is_huge_and_legal() {
    let camera = at_frame(10, CameraFault::HugeAu { bytes: 3_000_000 });
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let frames = reader.frames(20);
    let huge: Vec<usize> = (0..20)
        .filter(|i| frames[*i].data.len() > 100_000)
        .collect();
    assert_eq!(huge, [10]);
    assert!(frames[10].data.len() > 3_000_000);
    assert!(frames.iter().all(|f| f.loss == 0));
}

#[test]
fn other_footage_brings_new_parameters_at_a_key_frame() {
    let recipe = Recipe {
        seconds: 2,
        ..Recipe::default()
    };
    let other = Footage::from_mp4(&media::mp4(recipe)).unwrap();
    let camera = DemoCamera::start(Script::default()).unwrap();
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    reader.frames(5);
    camera.inject(CameraFault::Switch(other));
    let mut frames = reader.frames(1);
    while !frames[frames.len() - 1].new_parameters {
        frames.push(reader.frame().unwrap());
    }
    let (last, first) = (frames.len() - 1, reader.frame().unwrap());
    assert!(frames[last].key);
    assert_eq!(first.pts_90k - frames[last].pts_90k, 3_600);
    let sent = camera.log();
    let at = sent
        .iter()
        .position(|s| s.pts_90k == frames[last].pts_90k)
        .unwrap();
    assert_eq!(at % 30, 0, "not at a key frame of the old footage");
    let around: Vec<u32> = sent[at - 1..at + 2]
        .iter()
        .map(|s| s.frame_number)
        .collect();
    assert_eq!(around, [u32::try_from(at).unwrap() - 1, 0, 1]);
}

#[test]
fn parameters_come_in_band_where_the_sdp_has_none() {
    let camera = DemoCamera::start(Script {
        parameters_in_sdp: false,
        parameters_in_band: true,
        ..Script::default()
    })
    .unwrap();
    let text = Raw::connect(&camera).ask("DESCRIBE").text;
    assert!(text.contains("H264") && !text.contains("sprop"), "{text}");
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let frames = reader.frames(3);
    assert!(frames[0].new_parameters && frames[0].key);
}

#[test]
fn sender_reports_stop_and_come_back() {
    let camera = DemoCamera::start(Script {
        sender_reports_ms: Some(1),
        faults: vec![(When::Start, CameraFault::SenderReports(false))],
        ..Script::default()
    })
    .unwrap();
    let mut raw = Raw::play(&camera);
    for _ in 0..30 {
        assert_eq!(raw.data().unwrap().0, 0);
    }
    camera.inject(CameraFault::SenderReports(true));
    while raw.data().unwrap().0 != 1 {}
    let none = DemoCamera::start(Script {
        sender_reports_ms: None,
        ..Script::default()
    })
    .unwrap();
    let mut raw = Raw::play(&none);
    for _ in 0..30 {
        assert_eq!(raw.data().unwrap().0, 0);
    }
}
