//! What a sound stream says about itself: times, reports, joining, latency.

use std::collections::HashMap;
use std::path::Path;

use hindsight::base::{Clock, RealClock};
use hindsight::demo::footage::PATTERN_FRAMES;
use hindsight::demo::{DemoCamera, Footage, Join, Login, NonceLife, Scheme, Script, Sent, StartAt};

use crate::coded;
use crate::media::{self, Recipe};
use crate::raw::Raw;
use crate::reader::{PLAIN, Reader, Seen, Wanted};

/// What retina saw is what the log says, frame by frame.
fn assert_as_logged(camera: &DemoCamera, count: usize) -> Vec<Sent> {
    let mut reader = Reader::connect(camera, &PLAIN).unwrap();
    let frames = reader.frames(count);
    let log = camera.log();
    for (i, (frame, sent)) in frames.iter().zip(&log).enumerate() {
        let seen = (frame.pts_90k, frame.key, frame.loss);
        assert_eq!(seen, (sent.pts_90k, sent.key, 0), "frame {i}");
    }
    log
}

#[test]
fn retina_sees_the_frames_of_the_log_with_their_times() {
    let camera = DemoCamera::start(Script::default()).unwrap();
    let log = assert_as_logged(&camera, 65);
    for (number, sent) in (0..).zip(&log) {
        assert_eq!(sent.frame_number, number);
        assert_eq!(sent.pts_90k, 900_000 + i64::from(number) * 3_000);
        assert_eq!((sent.session, sent.whole), (0, true));
        assert!(sent.sent_mono_ns >= sent.capture_mono_ns);
    }
}

#[test]
fn audio_begins_with_the_video_and_has_no_hole_across_the_loops_seam() {
    let recipe = Recipe {
        seconds: 1,
        beep: true,
        ..Recipe::default()
    };
    let camera = DemoCamera::start(Script {
        footage: Footage::from_mp4(&media::mp4(recipe)).unwrap(),
        ..Script::default()
    })
    .unwrap();
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    for i in 0..120 {
        let (at, bytes) = loop {
            if let Seen::Audio(at, bytes) = reader.next().unwrap() {
                break (at, bytes);
            }
        };
        assert_eq!(at, 4_800_000 + i * 1_024);
        assert!(!bytes.is_empty());
    }
}

/// Compares the first `count` pictures, and the sound that comes with them.
fn assert_bytes_of(file: &Path, priming: usize, count: usize) -> Vec<usize> {
    let coded = coded::load(file);
    let camera = DemoCamera::start(Script {
        footage: Footage::from_mp4(file).unwrap(),
        ..Script::default()
    })
    .unwrap();
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let mut pictures = coded.frames.iter().take(count);
    // The last sound of a loop is cut short by the next one.
    let sounds = coded.audio.unwrap().1.into_iter();
    let mut sounds = sounds.skip(priming).take(80);
    let mut sizes = Vec::new();
    while pictures.len() > 0 {
        match reader.next().unwrap() {
            Seen::Video(frame) => {
                assert_eq!(frame.data, pictures.next().unwrap().bytes);
                sizes.push(frame.data.len());
            }
            Seen::Audio(_, bytes) => {
                if let Some(sound) = sounds.next() {
                    assert_eq!(bytes, sound.bytes);
                }
            }
            Seen::Report(..) => {}
        }
    }
    sizes
}

#[test]
fn retina_puts_together_what_stands_in_the_file_to_the_byte() {
    let recipe = Recipe {
        seconds: 2,
        b_frames: 2,
        beep: true,
        ..Recipe::default()
    };
    assert_bytes_of(&media::mp4(recipe), 1, 50);
    let pattern = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pattern.mp4");
    let sizes = assert_bytes_of(&pattern, 0, 35);
    assert!(
        sizes.iter().any(|size| *size > 3_000),
        "nothing was fragmented"
    );
}

#[test]
fn timestamps_wrap_at_32_bits_and_the_log_runs_on() {
    let camera = DemoCamera::start(Script {
        video_start_timestamp: u32::MAX - 45_000,
        audio_start_timestamp: u32::MAX - 24_000,
        ..Script::default()
    })
    .unwrap();
    let log = assert_as_logged(&camera, 40);
    assert!(log[0].pts_90k < 1 << 32 && log[39].pts_90k > 1 << 32);
}

#[test]
fn b_frames_are_sent_in_decoding_order_with_presentation_times() {
    let recipe = Recipe {
        seconds: 2,
        b_frames: 2,
        ..Recipe::default()
    };
    let camera = DemoCamera::start(Script {
        footage: Footage::from_mp4(&media::mp4(recipe)).unwrap(),
        video_start_timestamp: u32::MAX - 45_000,
        ..Script::default()
    })
    .unwrap();
    let log = assert_as_logged(&camera, 60);
    assert!(log.windows(2).any(|w| w[1].pts_90k < w[0].pts_90k));
    let mut shown: Vec<&Sent> = log.iter().take(50).collect();
    shown.sort_by_key(|sent| sent.pts_90k);
    for (i, sent) in (0..).zip(shown) {
        assert_eq!(
            sent.pts_90k,
            i64::from(u32::MAX) - 45_000 + i64::from(i) * 3_600
        );
        assert_eq!(sent.frame_number, i % 50);
        assert!(
            sent.sent_mono_ns >= sent.capture_mono_ns,
            "sent before it was seen"
        );
    }
}

#[test]
fn both_tracks_reports_put_flash_and_beep_at_the_same_instant() {
    let hour_ms = 3_600_000;
    let camera = DemoCamera::start(Script {
        sender_reports_ms: Some(100),
        wall_offset_ms: -hour_ms,
        ..Script::default()
    })
    .unwrap();
    let mut reader = Reader::connect(&camera, &PLAIN).unwrap();
    let mut offsets: HashMap<usize, Vec<i64>> = HashMap::new();
    while offsets.values().map(Vec::len).sum::<usize>() < 12 {
        if let Seen::Report(stream, ntp, timestamp) = reader.next().unwrap() {
            let ns = i64::try_from((u128::from(ntp) * 1_000_000_000) >> 32).unwrap();
            let (start, rate) = [(900_000, 90_000), (4_800_000, 48_000)][stream];
            // When the camera's time began, by this report.
            let began = ns - (timestamp - start) * 1_000_000_000 / rate;
            offsets.entry(stream).or_default().push(began);
        }
    }
    let all: Vec<i64> = offsets.values().flatten().copied().collect();
    let (low, high) = (all.iter().min().unwrap(), all.iter().max().unwrap());
    assert_eq!(offsets.len(), 2, "{offsets:?}");
    assert!(high - low < 30_000, "reports differ by {} ns", high - low);
    let wall = RealClock.wall().unix_ns + 2_208_988_800_000_000_000 - hour_ms * 1_000_000;
    assert!((wall - low) / 1_000_000_000 < 100, "an hour behind");
}

#[test]
fn rtp_info_gives_both_tracks_the_time_of_the_first_frame() {
    let camera = DemoCamera::start(Script::default()).unwrap();
    let mut raw = Raw::connect(&camera);
    raw.ask("DESCRIBE");
    raw.ask("SETUP");
    let text = raw.ask("PLAY").text;
    assert!(text.contains("rtptime=900000"), "{text}");
    assert_eq!(raw.packet().unwrap().timestamp, 900_000);

    let camera = DemoCamera::start(Script {
        rtp_info: false,
        ..Script::default()
    })
    .unwrap();
    let mut raw = Raw::connect(&camera);
    raw.ask("DESCRIBE");
    raw.ask("SETUP");
    assert!(!raw.ask("PLAY").text.contains("RTP-Info"));
}

#[test]
fn two_cameras_of_one_start_show_the_same_moment_one_of_them_later() {
    let start = RealClock.mono_ns() - 100_000_000_000;
    let camera = |delay_ms| {
        DemoCamera::start(Script {
            start_at: StartAt::MonoNs(start),
            delay_ms,
            ..Script::default()
        })
        .unwrap()
    };
    let (early, late) = (camera(0), camera(400));
    for camera in [&early, &late] {
        Reader::connect(camera, &PLAIN).unwrap().frames(40);
    }
    let (early, late) = (early.log(), late.log());
    assert!(early[0].pts_90k > 900_000 + 99 * 90_000);
    for sent in &late {
        assert!(sent.sent_mono_ns >= sent.capture_mono_ns + 400_000_000);
        let captured = i64::try_from(sent.capture_mono_ns - start).unwrap();
        let frame = (captured * 30 + 500_000_000) / 1_000_000_000;
        assert_eq!(
            i64::from(sent.frame_number),
            frame % i64::from(PATTERN_FRAMES)
        );
    }
    let same = early.iter().find_map(|a| {
        late.iter()
            .find(|b| b.frame_number == a.frame_number)
            .map(|b| (a.capture_mono_ns, b.capture_mono_ns))
    });
    assert!(same.is_none_or(|(a, b)| a == b));
}

#[test]
fn sessions_join_at_a_key_frame_in_mid_gop_or_with_a_burst() {
    let start = RealClock.mono_ns() - 100_500_000_000;
    for join in [Join::NextKey, Join::MidGop, Join::Burst] {
        let camera = DemoCamera::start(Script {
            start_at: StartAt::MonoNs(start),
            join,
            ..Script::default()
        })
        .unwrap();
        let mut raw = Raw::play(&camera);
        while camera.log().len() < 10 {
            raw.packet().unwrap();
        }
        let log = camera.log();
        assert_eq!(log[0].key, join != Join::MidGop, "{join:?}");
        if join == Join::Burst {
            assert!(log[0].capture_mono_ns < log[0].sent_mono_ns);
        }
        for pair in log.windows(2) {
            assert_eq!(pair[1].pts_90k - pair[0].pts_90k, 3_000);
        }
    }
}

#[test]
fn only_the_right_password_plays_by_basic_and_by_digest() {
    for scheme in [Scheme::Basic, Scheme::Digest] {
        let camera = DemoCamera::start(Script {
            login: Some(Login {
                username: "viewer".into(),
                password: "let me, please".into(),
                scheme,
                nonce: NonceLife::Connection,
            }),
            ..Script::default()
        })
        .unwrap();
        let with = |login| Wanted { login, udp: false };
        let right = with(Some(("viewer", "let me, please")));
        assert_eq!(Reader::connect(&camera, &right).unwrap().frames(3).len(), 3);
        for login in [
            Some(("viewer", "wrong")),
            Some(("other", "let me, please")),
            None,
        ] {
            let Err(error) = Reader::connect(&camera, &with(login)) else {
                panic!("{login:?} was let in by {scheme:?}");
            };
            assert_eq!(error.status_code(), Some(401), "{error}");
        }
    }
}

#[test]
fn fifty_sessions_get_every_frame_and_no_log_is_kept_if_none_is_wanted() {
    let camera = DemoCamera::start(Script {
        keep_log: false,
        ..Script::default()
    })
    .unwrap();
    let readers = (0..50).map(|i| {
        let wanted = Wanted {
            login: None,
            udp: i % 5 == 4,
        };
        Reader::connect(&camera, &wanted).unwrap()
    });
    let readers: Vec<Reader> = readers.collect();
    assert_eq!(camera.sessions(), 50);
    for mut reader in readers {
        let frames = reader.frames(20);
        for pair in frames.windows(2) {
            assert_eq!(
                (pair[1].pts_90k - pair[0].pts_90k, pair[1].loss),
                (3_000, 0)
            );
        }
    }
    assert!(camera.frames_sent() >= 50 * 20);
    assert!(camera.log().is_empty());
}

#[test]
fn each_session_can_be_a_camera_of_its_own() {
    let camera = DemoCamera::start(Script {
        start_at: StartAt::EachPlay,
        footage: Footage::synthetic(1_000_000, 30, 30),
        ..Script::default()
    })
    .unwrap();
    let mut sessions = [Raw::play(&camera), Raw::play(&camera), Raw::play(&camera)];
    for session in &mut sessions {
        session.packet().unwrap();
    }
    let mut began: Vec<u64> = Vec::new();
    for number in 0..3 {
        let log = camera.log();
        let first = log.iter().find(|sent| sent.session == number).unwrap();
        assert!(first.key);
        let ticks = u64::try_from(first.pts_90k - 900_000).unwrap();
        began.push(first.capture_mono_ns - ticks * 1_000_000_000 / 90_000);
    }
    // Each a golden section of the loop further back.
    let back = |i: usize| i128::from(began[0]) - i128::from(began[i]);
    assert!(back(1) > 500_000_000 && back(2) > 100_000_000, "{began:?}");
}

#[test]
fn many_cameras_share_a_thread_and_stop_one_by_one() {
    let scripts = vec![Script::default(), Script::default(), Script::default()];
    let mut cameras = DemoCamera::start_many(scripts).unwrap();
    let first = cameras.remove(0);
    let mut raw = Raw::play(&first);
    raw.packet().unwrap();
    first.stop();
    while raw.packet().is_some() {}
    for camera in &cameras {
        Raw::play(camera).packet().unwrap();
    }
}
