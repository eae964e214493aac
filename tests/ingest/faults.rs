//! Our own camera misbehaves: it is called again, the ring stays sound, the
//! camera beside it does not notice.

use std::time::Instant;

use hindsight::config::Transport;
use hindsight::demo::{CameraFault, DemoCamera, Join, RtspStage, Script, When};
use hindsight::ingest::{CameraState, ConnectionPhase};
use hindsight::media::{Alignment, Track};

use crate::watch::{Unit, Watched, camera, quick, units, wait_for};

/// A camera that behaves, beside those that do not.
const GOOD: &str = "good";

/// One camera for each script, and a good one; all watched since `started`.
struct Court {
    cameras: Vec<DemoCamera>,
    watched: Watched,
    started: Instant,
    _good: DemoCamera,
}

fn id(index: usize) -> String {
    format!("bad{index}")
}

impl Court {
    fn open(scripts: Vec<Script>) -> Court {
        let good = DemoCamera::start(Script::default()).unwrap();
        let cameras = DemoCamera::start_many(scripts).unwrap();
        let mut wanted = vec![camera(GOOD, good.url())];
        for (index, bad) in cameras.iter().enumerate() {
            wanted.push(camera(&id(index), bad.url()));
        }
        let started = Instant::now();
        Court {
            cameras,
            watched: Watched::start(wanted),
            started,
            _good: good,
        }
    }

    fn wait(&self, index: usize, what: &str, good: impl Fn(&CameraState) -> bool) -> CameraState {
        self.watched.wait_state(&id(index), what, good)
    }

    /// Nothing was called more often than the policy allows: 100 ms, less the spread, after each end.
    fn assert_no_busy_loop(&self) {
        let most = 1 + self.started.elapsed().as_millis() / 80;
        for (index, bad) in self.cameras.iter().enumerate() {
            let attempts = self.watched.state(&id(index)).attempts;
            assert!(
                u128::from(attempts) <= most,
                "{attempts} attempts, at most {most}"
            );
            // What is refused is tried with the relay in the same attempt.
            assert!(
                u64::from(bad.connections()) <= 2 * attempts,
                "more connections than attempts"
            );
        }
    }

    fn assert_good_is_unaffected(&self) {
        let state = self.watched.state(GOOD);
        assert_eq!(
            (state.state, state.attempts),
            (ConnectionPhase::Streaming, 1)
        );
        assert_eq!(state.lost_packets, 0);
        let kept = units(&self.watched.reader(GOOD));
        assert!(kept.iter().all(|u| u.meta.epoch == kept[0].meta.epoch));
        let pts: Vec<i64> = video(&kept).iter().map(|u| u.meta.pts).collect();
        assert!(
            pts.windows(2).all(|p| p[1] - p[0] == 3_000),
            "a frame is missing"
        );
    }

    /// Whatever happened: each epoch starts with a key frame, and numbers only grow.
    fn assert_sound(&self, index: usize) -> Vec<Unit> {
        let kept = units(&self.watched.reader(&id(index)));
        let mut epoch = 0;
        for unit in &kept {
            assert!(unit.meta.epoch >= epoch);
            assert!(!(unit.meta.flags.key && unit.meta.flags.tainted));
            epoch = unit.meta.epoch;
        }
        kept
    }
}

fn video(units: &[Unit]) -> Vec<&Unit> {
    units
        .iter()
        .filter(|u| u.meta.track == Track::Video)
        .collect()
}

fn with(fault: CameraFault) -> Script {
    Script {
        faults: vec![(When::Start, fault)],
        ..Script::default()
    }
}

#[test]
fn a_camera_that_answers_badly_is_retried_until_it_answers_well() {
    let faults = [
        (CameraFault::CloseListener, "refused"),
        (CameraFault::MuteAfter(RtspStage::Connect), "no answer"),
        (CameraFault::MuteAfter(RtspStage::Describe), "no answer"),
        (CameraFault::MuteAfter(RtspStage::Play), "no picture"),
        (
            CameraFault::Refuse {
                from: RtspStage::Describe,
                status: 404,
            },
            "path in url",
        ),
        (
            CameraFault::Refuse {
                from: RtspStage::Setup,
                status: 461,
            },
            "transport",
        ),
        (
            CameraFault::Refuse {
                from: RtspStage::Play,
                status: 503,
            },
            "busy",
        ),
        (
            CameraFault::Redirect("rtsp://127.0.0.1:1/other".to_owned()),
            "elsewhere",
        ),
        (CameraFault::Nonsense, "connecting failed"),
        (CameraFault::EndlessHeaders, "no answer"),
        (CameraFault::SlowBytes { ms: 200 }, "no answer"),
    ];
    let court = Court::open(
        faults
            .iter()
            .map(|(fault, _)| with(fault.clone()))
            .collect(),
    );
    for (index, (fault, word)) in faults.iter().enumerate() {
        let state = court.wait(index, &format!("{fault:?}"), |s| {
            s.state == ConnectionPhase::Waiting && s.attempts >= 2
        });
        assert!(state.reason.contains(word), "{fault:?}: {}", state.reason);
        assert!(state.last_au_mono_ns.is_none());
    }
    court.assert_no_busy_loop();
    for bad in &court.cameras {
        bad.inject(CameraFault::OpenListener);
        bad.inject(CameraFault::Behave);
    }
    for (index, (fault, _)) in faults.iter().enumerate() {
        court.wait(index, &format!("well again after {fault:?}"), |s| {
            s.state == ConnectionPhase::Streaming && s.access_units > 10
        });
        court.assert_sound(index);
    }
    court.assert_no_busy_loop();
    court.assert_good_is_unaffected();
    court.watched.end();
}

#[test]
fn a_camera_whose_stream_breaks_is_called_again_in_a_new_epoch() {
    let faults = [
        CameraFault::Stall { ms: None },
        CameraFault::HalfOpen,
        CameraFault::Close,
        CameraFault::CloseMidAu,
        CameraFault::SsrcChange,
        CameraFault::Garbage { bytes: 5_000 },
        CameraFault::SequenceJump(40_000),
    ];
    let court = Court::open(faults.iter().map(|_| Script::default()).collect());
    for (index, fault) in faults.iter().enumerate() {
        court.wait(index, "streaming", |s| s.access_units > 20);
        court.cameras[index].inject(fault.clone());
    }
    for (index, fault) in faults.iter().enumerate() {
        let state = court.wait(index, &format!("again after {fault:?}"), |s| {
            s.connections >= 2 && s.state == ConnectionPhase::Streaming && s.epochs >= 2
        });
        let before = state.access_units;
        court.wait(index, "pictures", |s| s.access_units > before + 20);
        let kept = court.assert_sound(index);
        let epochs: Vec<u32> = kept.iter().map(|u| u.meta.epoch).collect();
        assert!(epochs.contains(&1) && epochs.contains(&2), "{fault:?}");
        for epoch in [1, 2] {
            let first = kept.iter().find(|u| u.meta.epoch == epoch).unwrap();
            assert!(first.meta.flags.key && first.meta.track == Track::Video);
        }
    }
    court.assert_no_busy_loop();
    court.assert_good_is_unaffected();
    court.watched.end();
}

/// The units of one camera after `fault`, once a GOP and a half followed it.
fn after(fault: CameraFault) -> (Vec<Unit>, CameraState, DemoCamera) {
    let bad = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start(vec![camera("court1", bad.url())]);
    let struck = watched.wait_state("court1", "streaming", |s| s.access_units > 30);
    bad.inject(fault);
    let state = watched.wait_state("court1", "a while later", |s| {
        s.access_units > struck.access_units + 150
    });
    let kept = units(&watched.reader("court1"));
    watched.end();
    (kept, state, bad)
}

#[test]
fn lost_packets_are_counted_and_what_refers_to_them_is_tainted() {
    let (kept, state, bad) = after(CameraFault::Lose { packets: 3 });
    assert_eq!((state.connections, state.lost_packets), (1, 3));
    let pictures = video(&kept);
    let hit = pictures
        .iter()
        .position(|u| u.meta.lost_packets > 0)
        .unwrap();
    assert_eq!(pictures[hit].meta.lost_packets, 3);
    let healed = hit
        + pictures[hit..]
            .iter()
            .position(|u| u.meta.flags.key)
            .unwrap();
    for (index, unit) in pictures.iter().enumerate() {
        assert_eq!(
            unit.meta.flags.tainted,
            (hit..healed).contains(&index),
            "{index}"
        );
    }
    // The camera's own log says which pictures did not arrive whole.
    let log = bad.log();
    let stored: Vec<i64> = pictures.iter().map(|u| u.meta.pts).collect();
    let broken: Vec<i64> = log.iter().filter(|s| !s.whole).map(|s| s.pts_90k).collect();
    assert!(!broken.is_empty() && broken.iter().all(|pts| !stored.contains(pts)));
}

#[test]
fn a_clock_that_steps_back_where_nothing_is_reordered_is_mended_in_the_same_epoch() {
    let off = |ticks_90k: &[i64]| CameraFault::TimestampsOff {
        ticks_90k: ticks_90k.to_vec(),
    };
    for (fault, most_mended) in [
        (off(&[-5_490]), 1),
        (off(&[-3_000]), 1),
        (off(&[3_000, -3_000]), 4),
        // A second back, then right again, and back for good.
        (off(&[-5_490; 30]), 10),
        (CameraFault::TimestampJump { ticks_90k: -5_490 }, 10),
    ] {
        let name = format!("{fault:?}");
        let (kept, state, _) = after(fault);
        assert_eq!((state.connections, state.epochs), (1, 1), "{name}");
        let pictures = video(&kept);
        let times: Vec<i64> = pictures.iter().map(|u| u.meta.pts_90k).collect();
        assert!(times.windows(2).all(|t| t[0] < t[1]), "{name}: {times:?}");
        let mended: Vec<usize> = (0..pictures.len())
            .filter(|i| pictures[*i].meta.is_retimed())
            .collect();
        assert!(
            (1..=most_mended).contains(&mended.len()),
            "{name}: {mended:?}"
        );
        let in_a_row = mended.windows(2).all(|pair| pair[1] == pair[0] + 1);
        assert!(in_a_row, "{name}: {mended:?}");
    }
}

#[test]
fn a_camera_that_is_quiet_now_and_then_is_given_up_once_and_then_known() {
    // Longer than the 2 s after which a camera that was never quiet is given up.
    let quiet = |frame| (When::Frame(frame), CameraFault::Stall { ms: Some(3_000) });
    let bad = DemoCamera::start(Script {
        faults: vec![quiet(30), quiet(240), quiet(420)],
        ..Script::default()
    })
    .unwrap();
    let watched = Watched::start(vec![camera("court1", bad.url())]);
    wait_for("pictures behind the third quiet", || {
        let log = bad.log();
        let behind = log.iter().filter(|sent| sent.pts_90k > 560 * 3_000);
        (behind.count() > 30).then_some(())
    });
    let state = watched.state("court1");
    assert_eq!((state.connections, state.epochs), (2, 2), "{state:?}");
    watched.end();
}

/// Every picture in the ring came whole, and one that is not tainted has all
/// pictures of its GOP before it: what the camera's own log knows of it.
fn assert_taint_is_right(pictures: &[&Unit], bad: &DemoCamera) {
    let log = bad.log();
    let at = |pts: i64| log.iter().position(|s| s.pts_90k == pts).unwrap();
    let mut newest = at(pictures[0].meta.pts);
    let mut holes = false;
    for unit in pictures {
        let this = at(unit.meta.pts);
        assert!(log[this].whole, "a picture that lost packets was stored");
        assert_eq!(log[this].key, unit.meta.flags.key);
        holes |= this > newest + 1;
        if unit.meta.flags.key {
            holes = false;
        }
        assert_eq!(unit.meta.flags.tainted, holes, "picture {this}");
        newest = this;
    }
}

#[test]
fn under_random_loss_no_picture_is_called_clean_that_is_not() {
    for transport in [Transport::Tcp, Transport::Udp] {
        let seed = fastrand::u64(..);
        println!("seed {seed}, {transport:?}");
        let bad = DemoCamera::start(Script {
            seed,
            faults: vec![(When::Frame(20), CameraFault::LoseAtRandom { per_mille: 40 })],
            ..Script::default()
        })
        .unwrap();
        let mut config = camera("court1", bad.url());
        config.transport = transport;
        let watched = Watched::start(vec![config]);
        // Chance decides when: a fixed number of pictures may well see no loss at all.
        watched.wait_state("court1", "some losses", |s| s.lost_packets >= 5);
        let kept = watched.wait_units("court1", 500);
        let state = watched.state("court1");
        watched.end();
        assert_eq!(state.connections, 1);
        assert!(kept.iter().all(|u| u.meta.epoch == 1));
        assert_taint_is_right(&video(&kept), &bad);
    }
}

#[test]
fn packets_out_of_order_or_twice_are_at_worst_a_loss() {
    let faults = [
        CameraFault::Reorder,
        CameraFault::Duplicate,
        CameraFault::Lose { packets: 1 },
    ];
    let transports = [Transport::Tcp, Transport::Udp];
    for (fault, transport) in faults.iter().flat_map(|f| transports.map(|t| (f, t))) {
        let bad = DemoCamera::start(Script::default()).unwrap();
        let mut config = camera("court1", bad.url());
        config.transport = transport;
        let watched = Watched::start(vec![config]);
        watched.wait_state("court1", "streaming", |s| s.access_units > 30);
        bad.inject(fault.clone());
        let state = watched.wait_state("court1", "a while later", |s| s.access_units > 180);
        assert_eq!(state.connections, 1, "{fault:?}");
        let twice = matches!(fault, CameraFault::Duplicate);
        assert_eq!(
            state.lost_packets == 0,
            twice,
            "{fault:?}: {}",
            state.lost_packets
        );
        let kept = units(&watched.reader("court1"));
        assert!(kept.iter().all(|u| u.meta.epoch == 1));
        watched.end();
    }
}

#[test]
fn stray_packets_end_no_connection_and_cost_no_picture() {
    let bad = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start(vec![camera("court1", bad.url())]);
    let struck = watched.wait_state("court1", "streaming", |s| s.access_units > 30);
    let another_sender = [
        0x80, 96, 0x9c, 0x40, 0, 0, 0, 77, 0x5b, 0xf7, 0x3f, 0x70, 0x41, 1, 2,
    ];
    for (rtcp, payload) in [
        (false, another_sender.to_vec()),
        (false, Vec::new()),
        (false, b"\x80".to_vec()),
        (true, Vec::new()),
        (true, b"keepalive!!!".to_vec()),
        (true, b"\x80\xc8\xff\xff".to_vec()),
    ] {
        for _ in 0..20 {
            let payload = payload.clone();
            bad.inject(CameraFault::Stray { rtcp, payload });
        }
    }
    let state = watched.wait_state("court1", "a while later", |s| {
        s.access_units > struck.access_units + 150
    });
    let kept = units(&watched.reader("court1"));
    watched.end();
    assert_eq!((state.connections, state.lost_packets), (1, 0));
    assert!(kept.iter().all(|u| u.meta.epoch == 1));
    let pts: Vec<i64> = video(&kept).iter().map(|u| u.meta.pts).collect();
    assert!(pts.windows(2).all(|p| p[1] - p[0] == 3_000));
}

#[test]
fn a_network_that_holds_everything_back_for_a_while_is_no_epoch_and_no_loss() {
    let (kept, state, _) = after(CameraFault::Hold { ms: 1_200 });
    assert_eq!((state.connections, state.lost_packets), (1, 0));
    assert!(kept.iter().all(|u| u.meta.epoch == 1));
    let pts: Vec<i64> = video(&kept).iter().map(|u| u.meta.pts).collect();
    assert!(pts.windows(2).all(|p| p[1] - p[0] == 3_000));
}

#[test]
fn a_jump_of_the_cameras_clock_is_a_new_epoch_in_the_same_connection() {
    for ticks_90k in [10 * 90_000, -10 * 90_000] {
        let (kept, state, _) = after(CameraFault::TimestampJump { ticks_90k });
        assert_eq!(state.connections, 1);
        let pictures = video(&kept);
        let seam = pictures
            .windows(2)
            .position(|u| u[1].meta.epoch != u[0].meta.epoch)
            .unwrap();
        let step = pictures[seam + 1].meta.pts - pictures[seam].meta.pts;
        assert_eq!(step, ticks_90k + 3_000);
        let last = pictures.last().unwrap().meta.epoch;
        // Sound and picture jump together; each may show it.
        assert!((2..=3).contains(&last), "{last} epochs for one jump");
    }
}

#[test]
fn timestamps_that_wrap_run_on() {
    let bad = DemoCamera::start(Script {
        video_start_timestamp: u32::MAX - 90_000,
        audio_start_timestamp: u32::MAX - 48_000,
        ..Script::default()
    })
    .unwrap();
    let watched = Watched::start(vec![camera("court1", bad.url())]);
    let kept = watched.wait_units("court1", 200);
    assert!(kept.iter().all(|u| u.meta.epoch == kept[0].meta.epoch));
    for track in [Track::Video, Track::Audio] {
        let pts: Vec<i64> = kept
            .iter()
            .filter(|u| u.meta.track == track)
            .map(|u| u.meta.pts)
            .collect();
        assert!(pts[0] < 1 << 32 && pts[pts.len() - 1] > 1 << 32);
        assert!(
            pts.windows(2)
                .all(|p| p[1] - p[0] == p[1] - p[0] && p[1] > p[0])
        );
    }
    watched.end();
}

#[test]
fn a_picture_too_large_for_the_ring_is_a_gap_with_its_size() {
    // The ring of these tests is 15 MB: a quarter is less than 4.
    let (kept, state, _) = after(CameraFault::HugeAu { bytes: 4_500_000 });
    assert_eq!((state.connections, state.too_large_access_units), (1, 1));
    let pictures = video(&kept);
    let at = pictures.iter().position(|u| u.meta.flags.gap).unwrap();
    assert!(pictures[at].meta.dropped_bytes >= 4_500_000);
    assert!(pictures[at].bytes.is_empty());
    assert!(pictures[at + 1].meta.flags.tainted || pictures[at + 1].meta.flags.key);
}

#[test]
fn parameters_that_come_only_with_the_pictures_are_enough() {
    let bare = DemoCamera::start(Script {
        parameters_in_sdp: false,
        parameters_in_band: true,
        ..Script::default()
    })
    .unwrap();
    let watched = Watched::start(vec![camera("court1", bare.url())]);
    let kept = watched.wait_units("court1", 30);
    assert_eq!((kept[0].params.width, kept[0].params.height), (1_280, 720));
    assert!(kept[0].meta.flags.key);
    let state = watched.wait_state("court1", "known", |s| s.video.is_some());
    assert_eq!(state.video.as_deref(), Some("H.264 1280x720"));
    watched.end();
}

#[test]
fn a_camera_that_starts_in_mid_gop_or_with_a_burst_of_the_past_is_taken_from_its_key_frame() {
    for (join, skips) in [(Join::MidGop, true), (Join::Burst, false)] {
        let odd = DemoCamera::start(Script {
            join,
            // The camera runs since a second and a third: in mid-GOP.
            start_at: hindsight::demo::StartAt::MonoNs(
                hindsight::base::Clock::mono_ns(&hindsight::base::RealClock) - 1_333_000_000,
            ),
            ..Script::default()
        })
        .unwrap();
        let watched = Watched::start(vec![camera("court1", odd.url())]);
        let kept = watched.wait_units("court1", 100);
        assert!(kept[0].meta.flags.key && kept[0].meta.track == Track::Video);
        assert!(
            kept.iter().all(|u| u.meta.epoch == kept[0].meta.epoch),
            "{join:?}"
        );
        // The first picture that it sent is a key frame, or is not taken.
        let first = kept[0].meta.pts == odd.log()[0].pts_90k;
        assert_eq!(first, !skips, "{join:?}");
        watched.end();
    }
}

#[test]
fn sound_is_placed_by_the_best_the_camera_tells() {
    let (reports, info) = (Some(500), true);
    for (sender_reports_ms, rtp_info, expected, within_90k) in [
        (reports, info, Alignment::SenderReport, 2),
        (reports, false, Alignment::SenderReport, 2),
        (None, info, Alignment::RtpInfo, 90),
        // By arrival it is as exact as the network and the machine are quick.
        (None, false, Alignment::Arrival, 9_000),
    ] {
        let script = Script {
            sender_reports_ms,
            rtp_info,
            // Its clock is two years off: that must not matter.
            wall_offset_ms: -63_000_000_000,
            ..Script::default()
        };
        let (video_zero, audio_zero) = (
            i64::from(script.video_start_timestamp),
            i64::from(script.audio_start_timestamp),
        );
        let camera_ = DemoCamera::start(script).unwrap();
        let watched = Watched::start(vec![camera("court1", camera_.url())]);
        let reader = watched.reader("court1");
        let found = wait_for(&format!("sound placed by {expected:?}"), || {
            let all = units(&reader);
            let sound: Vec<&Unit> = all
                .iter()
                .filter(|u| u.meta.track == Track::Audio && u.meta.alignment == expected)
                .collect();
            (sound.len() > 20).then(|| {
                sound
                    .iter()
                    .map(|u| (u.meta, u.params.timescale))
                    .collect::<Vec<_>>()
            })
        });
        let (last, rate) = found[found.len() - 1];
        let want = video_zero + (last.pts - audio_zero) * 90_000 / i64::from(rate);
        let off = last.pts_90k - want;
        assert!(off.abs() <= within_90k, "{expected:?}: {off} ticks off");
        // A camera that tells no start times is asked twice, the first time only.
        assert_eq!(camera_.connections(), if rtp_info { 1 } else { 2 });
        watched.end();
    }
}

#[test]
fn a_camera_is_given_up_only_when_the_config_says_so() {
    let dead = DemoCamera::start(with(CameraFault::CloseListener)).unwrap();
    let mut settings = quick();
    settings.0.max_attempts = Some(3);
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let watched = Watched::start_in(dir, vec![camera("court1", dead.url())], settings);
    let state = watched.wait_state("court1", "given up", |s| {
        s.state == ConnectionPhase::GivenUp
    });
    assert_eq!((state.attempts, state.next_try_in_ms), (3, None));
    assert!(state.reason.contains("max_attempts"), "{}", state.reason);
    watched.end();
}
