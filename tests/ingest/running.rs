//! Starting, stopping, adopting, and a fault in the program itself.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use hindsight::base::{BootId, Clock, RealClock, Stop, StopLevel, Wall};
use hindsight::config::RingSettings;
use hindsight::demo::{DemoCamera, Script};
use hindsight::ingest::{self, ConnectionPhase, Settings};

use crate::watch::{Watched, begun, camera, quick, settings, units, wait_for};

#[test]
fn a_restart_adopts_the_ring_and_goes_on_in_a_new_epoch() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start(vec![camera("court1", court.url())]);
    watched.wait_units("court1", 50);
    assert_eq!(watched.state("court1").ring, "created");
    let dir = watched.end();
    let watched = Watched::start_in(dir, vec![camera("court1", court.url())], quick());
    assert!(watched.state("court1").ring.starts_with("adopted"));
    let reader = watched.reader("court1");
    let before = reader.head();
    wait_for("more", || (reader.head() > before + 30).then_some(()));
    let kept = units(&reader);
    assert_eq!(kept[0].meta.epoch, 1);
    assert_eq!(kept[kept.len() - 1].meta.epoch, 2);
    watched.end();
}

#[test]
fn a_ring_of_another_boot_is_replaced_and_handed_on() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start(vec![camera("court1", court.url())]);
    watched.wait_units("court1", 20);
    let dir = watched.end();
    let mut other = settings(dir.path(), vec![camera("court1", court.url())], quick().0);
    other.boot_id = BootId([8; 16]);
    let mut running = begun(|| ingest::start(other.clone(), Arc::new(RealClock), Stop::default()));
    let old = running.take_old_rings();
    assert_eq!(old.len(), 1);
    assert!(units(&old[0].1).len() >= 20);
    assert!(running.states()[0].ring.starts_with("replaced"));
    running.stop();
    running.join();
}

#[test]
fn two_services_on_one_ring_are_one_too_many() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start(vec![camera("court1", court.url())]);
    let again = settings(
        watched.dir.path(),
        vec![camera("court1", court.url())],
        quick().0,
    );
    let refused = ingest::start(again, Arc::new(RealClock), Stop::default()).unwrap_err();
    let text = refused.to_string();
    assert!(text.starts_with("court1: cannot open its ring"), "{text}");
    assert!(text.contains("second hindsight"), "{text}");
    watched.end();
}

#[test]
fn a_ring_on_a_disk_is_refused_with_the_setting_to_change() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let wanted = Settings {
        ring: RingSettings {
            dir: dir.path().to_owned(),
            seconds: 10,
            max_bitrate_bps: 1_000_000,
        },
        ..settings(
            dir.path(),
            vec![camera("court1", "rtsp://127.0.0.1:1/".parse().unwrap())],
            quick().0,
        )
    };
    let text = ingest::start(wanted, Arc::new(RealClock), Stop::default())
        .unwrap_err()
        .to_string();
    assert!(text.contains("[ring] dir"), "{text}");
}

#[test]
fn it_goes_on_while_windows_are_finished_and_ends_when_told_now() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let wanted = settings(dir.path(), vec![camera("court1", court.url())], quick().0);
    let stop = Stop::default();
    let running = ingest::start(wanted, Arc::new(RealClock), stop.clone()).unwrap();
    let units = |running: &ingest::Ingest| running.states()[0].access_units;
    wait_for("streaming", || (units(&running) > 10).then_some(()));
    stop.raise(StopLevel::Finish);
    let before = units(&running);
    wait_for("still streaming", || {
        (units(&running) > before + 30).then_some(())
    });
    stop.raise(StopLevel::Now);
    running.join();
    wait_for("a good-bye", || {
        let asked = court.asked();
        asked.iter().any(|a| a.method == "TEARDOWN").then_some(())
    });
}

/// Panics once, at the given look at the clock.
struct Trap {
    looks_left: AtomicI64,
}

impl Clock for Trap {
    fn mono_ns(&self) -> u64 {
        if self.looks_left.fetch_sub(1, SeqCst) == 0 {
            panic!("a fault that a test put here");
        }
        RealClock.mono_ns()
    }

    fn wall(&self) -> Wall {
        RealClock.wall()
    }
}

#[test]
fn a_panic_in_one_cameras_task_ends_no_other_and_it_is_started_again() {
    let courts = DemoCamera::start_many(vec![Script::default(), Script::default()]).unwrap();
    let ids = ["court1", "court2"];
    let cameras = ids
        .iter()
        .zip(&courts)
        .map(|(id, court)| camera(id, court.url()))
        .collect();
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let wanted = settings(dir.path(), cameras, quick().0);
    let trap = Arc::new(Trap {
        looks_left: AtomicI64::new(i64::MAX),
    });
    let running = ingest::start(wanted, trap.clone(), Stop::default()).unwrap();
    wait_for("both streaming", || {
        let all = running.states();
        all.iter().all(|s| s.access_units > 20).then_some(())
    });
    // The next look is a camera's, at a frame or a tick of its own: only their tasks look.
    trap.looks_left.store(0, SeqCst);
    // `states` looks as well, so the ring says who fell.
    let epoch = |id: &str| {
        let id = hindsight::base::CameraId::new(id).unwrap();
        let reader = hindsight::ring::RingReader::open(dir.path(), &id).unwrap();
        reader.meta(reader.head() - 1).unwrap().epoch
    };
    wait_for("one of them in its second epoch", || {
        (epoch("court1") + epoch("court2") == 3).then_some(())
    });
    let states = running.states();
    let mut connections: Vec<u64> = states.iter().map(|s| s.connections).collect();
    connections.sort_unstable();
    assert_eq!(connections, [1, 2]);
    assert!(states.iter().all(|s| s.state == ConnectionPhase::Streaming));
    running.stop();
    running.join();
}

/// Answers DESCRIBE with this description, and hangs up.
fn described(sdp: &'static str) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let cseq = lines
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .find(|line| line.starts_with("CSeq"));
            let Some(cseq) = cseq else { continue };
            let _ = write!(
                &stream,
                "RTSP/1.0 200 OK\r\n{cseq}\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
                sdp.len()
            );
        }
    });
    format!("rtsp://127.0.0.1:{port}/stream").parse().unwrap()
}

#[test]
fn a_camera_without_video_that_we_take_says_what_it_offers() {
    let offers = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\n\
        m=video 0 RTP/AVP 26\r\na=control:1\r\nm=audio 0 RTP/AVP 0\r\na=control:2\r\n";
    let nothing = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    let watched = Watched::start(vec![
        camera("motion-jpeg", described(offers)),
        camera("nothing", described(nothing)),
    ]);
    for (id, words) in [
        ("motion-jpeg", ["no H.264 or H.265", "JPEG, G.711"]),
        ("nothing", ["no stream at all", "path in url"]),
    ] {
        let state = watched.wait_state(id, "waiting", |s| s.state == ConnectionPhase::Waiting);
        for word in words {
            assert!(state.reason.contains(word), "{}", state.reason);
        }
    }
    watched.end();
}
