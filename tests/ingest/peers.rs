//! Against gst-rtsp-server: what it sent stands in the ring, in its place.

use std::collections::BTreeMap;

use hindsight::config::Transport;
use hindsight::ingest::ConnectionPhase;
use hindsight::media::{Alignment, Codec, Track, nal};
use serde_json::json;

use crate::gst::Peer;
use crate::media::{self, Recipe, adts, clip_for_peer};
use crate::watch::{Unit, Watched, camera, with_password};

const MOUNT: &str = "/court";
const USERNAME: &str = "viewer";
const PASSWORD: &str = "canary-of-a-password";

/// A camera that shows these in turn, with the sound of the first if it has any.
fn peer(recipes: &[Recipe]) -> Peer {
    let clips: Vec<_> = recipes
        .iter()
        .map(|recipe| clip_for_peer(*recipe))
        .collect();
    let audio = recipes[0].beep.then(|| adts(recipes[0]));
    Peer::start(&[json!({"path": MOUNT, "clips": clips, "audio": audio})])
}

fn guarded(scheme: &str) -> Peer {
    let clips = [clip_for_peer(Recipe::default())];
    let mount = json!({"path": MOUNT, "clips": clips, "username": USERNAME, "password": PASSWORD, "scheme": scheme});
    Peer::start(&[mount])
}

fn url(peer: &Peer) -> url::Url {
    peer.url(MOUNT).parse().unwrap()
}

fn video(units: &[Unit]) -> Vec<&Unit> {
    units
        .iter()
        .filter(|u| u.meta.track == Track::Video)
        .collect()
}

/// The ring's video is what the server's log says: same order, same distances,
/// nothing missing, and it starts with a key frame.
fn assert_matches_the_log(peer: &Peer, units: &[Unit]) {
    let got = video(units);
    assert!(got[0].meta.flags.key, "it starts without a key frame");
    assert!(
        got.iter().all(|u| u.meta.epoch == got[0].meta.epoch),
        "one epoch"
    );
    assert!(
        got.iter()
            .all(|u| !u.meta.flags.tainted && u.meta.lost_packets == 0)
    );
    assert!(got.iter().all(|u| nal::lengths_add_up(&u.bytes)));
    assert!(got.iter().all(|u| u.meta.pts == u.meta.pts_90k));
    start_in_the_log(peer, &got);
}

/// Which frame of the log the first of `got` is, by its distance to those
/// after it and because nothing arrives before it was sent; and 0 of the log's
/// times on the ring's timeline.
fn start_in_the_log(peer: &Peer, got: &[&Unit]) -> i64 {
    let log = peer.log(MOUNT);
    let matches = |at: usize| {
        let base = got[0].meta.pts - log[at].pts_90k;
        got.iter().zip(&log[at..]).all(|(unit, sent)| {
            (unit.meta.pts - base - sent.pts_90k).abs() <= 1
                && unit.meta.arrival_mono_ns >= sent.sent_mono_ns
        })
    };
    let at = (0..=log.len() - got.len())
        .rev()
        .find(|&at| matches(at))
        .expect("what is in the ring was not sent like that");
    // Sent and received on one machine: at the least this soon one frame came.
    let soonest = got
        .iter()
        .zip(&log[at..])
        .map(|(unit, sent)| unit.meta.arrival_mono_ns - sent.sent_mono_ns)
        .min();
    assert!(soonest.unwrap() < 40_000_000, "matched to the wrong frame");
    got[0].meta.pts - log[at].pts_90k
}

fn run(recipe: Recipe, count: u64, transport: Transport) -> (Peer, Vec<Unit>) {
    let peer = peer(&[recipe]);
    let mut config = camera("court1", url(&peer));
    config.transport = transport;
    let watched = Watched::start(vec![config]);
    let units = watched.wait_units("court1", count);
    watched.end();
    (peer, units)
}

#[test]
fn h264_over_tcp_stands_in_the_ring_as_it_was_sent() {
    let (peer, units) = run(Recipe::default(), 80, Transport::Tcp);
    assert_matches_the_log(&peer, &units);
    let params = &units[0].params;
    assert_eq!(
        (params.codec, params.width, params.height),
        (Codec::H264, 480, 270)
    );
    let keys: Vec<usize> = (0..units.len())
        .filter(|&i| units[i].meta.flags.key)
        .collect();
    assert!(keys.windows(2).all(|k| k[1] - k[0] == 25), "{keys:?}");
}

#[test]
fn h264_over_udp_stands_in_the_ring_as_it_was_sent() {
    let recipe = Recipe {
        gop_seconds: 8,
        ..Recipe::default()
    };
    let (peer, units) = run(recipe, 60, Transport::Udp);
    assert_matches_the_log(&peer, &units);
}

#[test]
fn b_frames_keep_their_decoding_order_and_are_no_epochs() {
    let recipe = Recipe {
        b_frames: 2,
        ..Recipe::default()
    };
    let (peer, units) = run(recipe, 80, Transport::Tcp);
    assert_matches_the_log(&peer, &units);
    let back = units
        .windows(2)
        .filter(|u| u[1].meta.pts < u[0].meta.pts)
        .count();
    assert!(back > 10, "no frame was reordered");
}

#[test]
fn h265_has_its_key_frames() {
    let recipe = Recipe {
        codec: media::Codec::H265,
        ..Recipe::default()
    };
    let (peer, units) = run(recipe, 60, Transport::Tcp);
    assert_matches_the_log(&peer, &units);
    assert_eq!(units[0].params.codec, Codec::H265);
    assert_eq!((units[0].params.width, units[0].params.height), (480, 270));
    assert!(units.iter().any(|u| !u.meta.flags.key));
}

#[test]
fn open_gops_of_h265_are_known_with_their_leading_pictures() {
    let recipe = Recipe {
        codec: media::Codec::H265,
        fps: 24,
        b_frames: 2,
        open_gop: true,
        ..Recipe::default()
    };
    let (peer, units) = run(recipe, 80, Transport::Tcp);
    assert_matches_the_log(&peer, &units);
    let opens: Vec<usize> = (1..units.len() - 1)
        .filter(|&i| units[i].meta.flags.open_gop)
        .collect();
    assert!(!opens.is_empty());
    for at in opens {
        assert!(units[at].meta.flags.key);
        let leading = &units[at + 1].meta;
        assert!(leading.flags.rasl && leading.pts < units[at].meta.pts);
    }
}

#[test]
fn sound_is_aligned_by_sender_reports_to_the_beep() {
    let recipe = Recipe {
        beep: true,
        ..Recipe::default()
    };
    let (peer, units) = run(recipe, 400, Transport::Tcp);
    assert_matches_the_log(&peer, &units);
    let sound: Vec<&Unit> = units
        .iter()
        .filter(|u| u.meta.track == Track::Audio)
        .collect();
    assert_eq!(sound[0].params.codec, Codec::Aac);
    assert_eq!(
        (sound[0].params.timescale, sound[0].params.channels),
        (48_000, 1)
    );
    let reported: Vec<&&Unit> = sound
        .iter()
        .filter(|u| u.meta.alignment == Alignment::SenderReport)
        .collect();
    assert!(!reported.is_empty(), "never aligned by sender reports");
    // Video frame 0 and audio frame 0 are presented together: on the common
    // timeline every audio frame is a whole number of frames from there.
    let zero = start_in_the_log(&peer, &video(&units));
    for unit in reported {
        let since = unit.meta.pts_90k - zero;
        let off = (since + 960).rem_euclid(1_920) - 960;
        assert!(off.abs() <= 450, "{off} ticks off (5 ms are 450)");
    }
}

#[test]
fn a_change_of_size_in_mid_stream_is_a_new_generation_on_a_key_frame() {
    let small = Recipe {
        seconds: 2,
        ..Recipe::default()
    };
    let large = Recipe {
        width: 640,
        height: 360,
        ..small
    };
    let peer = peer(&[small, large]);
    let watched = Watched::start(vec![camera("court1", url(&peer))]);
    let units = watched.wait_units("court1", 180);
    watched.end();
    let mut by_generation: BTreeMap<u32, Vec<&Unit>> = BTreeMap::new();
    for unit in video(&units) {
        by_generation
            .entry(unit.meta.generation)
            .or_default()
            .push(unit);
    }
    assert!(by_generation.len() >= 2, "the size never changed");
    let sizes: Vec<u16> = by_generation.values().map(|u| u[0].params.width).collect();
    assert!(sizes.windows(2).all(|s| s[0] != s[1]), "{sizes:?}");
    for generation in by_generation.values() {
        assert!(generation[0].meta.flags.key);
    }
    assert!(units.iter().all(|u| u.meta.epoch == units[0].meta.epoch));
}

#[test]
fn digest_and_basic_passwords_open_the_stream() {
    let peers = [("digest", guarded("digest")), ("basic", guarded("basic"))];
    let cameras = peers
        .iter()
        .map(|(id, peer)| with_password(camera(id, url(peer)), USERNAME, PASSWORD))
        .collect();
    let watched = Watched::start(cameras);
    watched.wait_units("digest", 10);
    watched.wait_units("basic", 10);
    watched.end();
}

#[test]
fn a_wrong_password_is_told_from_a_missing_one_and_not_hammered() {
    let peer = guarded("digest");
    let wrong = with_password(camera("wrong", url(&peer)), USERNAME, "canary-of-another");
    let mut quick = crate::watch::quick();
    quick.0.max_ms = 3_600_000;
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let watched = Watched::start_in(dir, vec![wrong, camera("missing", url(&peer))], quick);
    for (id, word) in [("wrong", "refuses"), ("missing", "wants a user name")] {
        let state = watched.wait_state(id, "refused", |s| {
            s.state == ConnectionPhase::RefusedPassword
        });
        assert!(state.reason.contains(word), "{}", state.reason);
        assert!(!format!("{state:?}").contains("canary"));
        assert_eq!(state.attempts, 1);
        assert!(state.next_try_in_ms.unwrap() > 1_000_000);
    }
    watched.end();
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let peer = peer(&[Recipe::default()]);
    let wrong = peer.url("/none").parse().unwrap();
    let watched = Watched::start(vec![camera("court1", wrong)]);
    let state = watched.wait_state("court1", "waiting", |s| s.state == ConnectionPhase::Waiting);
    assert!(state.reason.contains("path in url"), "{}", state.reason);
    watched.end();
}

#[test]
fn a_probe_says_what_a_camera_sends() {
    let look = |recipe: Recipe| {
        let peer = peer(&[recipe]);
        let camera = camera("court1", url(&peer));
        hindsight::ingest::probe(&camera, std::time::Duration::from_secs(20)).unwrap()
    };
    let with_sound = look(Recipe {
        b_frames: 2,
        beep: true,
        ..Recipe::default()
    });
    let size = (with_sound.width, with_sound.height);
    assert_eq!((with_sound.codec.as_str(), size), ("H.264", (480, 270)));
    assert!((with_sound.fps - 25.0).abs() < 0.1, "{}", with_sound.fps);
    assert_eq!(with_sound.shortest_gop_ms, Some(1_000));
    assert_eq!(with_sound.longest_gop_ms, Some(1_000));
    assert_eq!(with_sound.audio.as_deref(), Some("AAC 48000 Hz, mono"));
    assert!(with_sound.b_frames);
    assert!(with_sound.bitrate_bps > 0);
    assert_eq!(with_sound.warnings, Vec::<String>::new());
    let h265 = look(Recipe {
        codec: media::Codec::H265,
        ..Recipe::default()
    });
    assert_eq!((h265.codec.as_str(), h265.audio), ("H.265", None));
    assert!(!h265.b_frames);
}

#[test]
fn sound_in_g711_is_taken_packet_by_packet_as_it_comes() {
    let clips = [clip_for_peer(Recipe::default())];
    let peer = Peer::start(&[json!({"path": MOUNT, "clips": clips, "g711": true})]);
    let config = camera("court1", url(&peer));
    let seen = hindsight::ingest::probe(&config, std::time::Duration::from_secs(20)).unwrap();
    let sound = seen.audio.unwrap();
    assert!(
        sound.starts_with("G.711 ") && sound.ends_with(" 8000 Hz, mono"),
        "{sound}"
    );
    assert_eq!(seen.warnings.len(), 1, "{:?}", seen.warnings);
    assert!(
        seen.warnings[0].contains("AAC from the camera"),
        "{:?}",
        seen.warnings
    );
    let watched = Watched::start(vec![config]);
    let units = watched.wait_units("court1", 200);
    let sound: Vec<&Unit> = units
        .iter()
        .filter(|u| u.meta.track == Track::Audio)
        .collect();
    assert!(sound.len() > 20, "{}", sound.len());
    assert!(sound[0].params.codec.is_pcm());
    assert_eq!(
        (sound[0].params.timescale, sound[0].params.channels),
        (8_000, 1)
    );
    // One byte a tick, and the next packet begins where the last one ended.
    let first = sound[0].meta.pts;
    let mut got: Vec<u8> = Vec::new();
    for unit in &sound {
        let begins = i64::try_from(got.len()).unwrap();
        assert!(
            (unit.meta.pts - first - begins).abs() <= 1,
            "{:?}",
            unit.meta
        );
        got.extend(&unit.bytes);
    }
    // As `gst_peer.py` has it.
    let sent = |tick: usize| u8::try_from((tick * 7 + tick / 251) % 256).unwrap();
    let is_at = |tick: usize| {
        got.iter()
            .enumerate()
            .all(|(n, byte)| *byte == sent(tick + n))
    };
    assert!((0..800_000).any(is_at), "not what the camera sent");
    watched.end();
}

#[test]
fn a_probe_of_rare_key_frames_says_so_though_it_saw_only_one() {
    let peer = peer(&[Recipe {
        gop_seconds: 16,
        ..Recipe::default()
    }]);
    let config = camera("court1", url(&peer));
    let seen = hindsight::ingest::probe(&config, std::time::Duration::from_secs(6)).unwrap();
    assert_eq!((seen.key_frames, seen.shortest_gop_ms), (1, None));
    assert!(seen.longest_gop_ms.unwrap() > 1_000);
    assert!(
        seen.warnings[0].contains("no second key frame"),
        "{:?}",
        seen.warnings
    );
    let ring = hindsight::config::RingSettings {
        dir: "/dev/shm".into(),
        seconds: 10,
        max_bitrate_bps: 8_000_000,
    };
    let warnings = seen.ring_warnings(&ring, 4_000);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("I-frame interval"), "{warnings:?}");
}
