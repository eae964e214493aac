//! Cameras in processes of their own: whatever befalls one, the camera beside it does not notice.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use hindsight::base::{BootId, CameraId, RealClock, Stop};
use hindsight::config::{Camera, Transport};
use hindsight::demo::{DemoCamera, Login, NonceLife, Scheme, Script};
use hindsight::ingest::{self, ConnectionPhase, IngestError, ReaderProcesses};
use hindsight::media::Track;
use hindsight::ring::{Follower, Resume, RingEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::{Watched, camera, processes, quick, settings, units, wait_for, with_password};

/// Two good cameras, each in a process of its own.
fn two() -> (Vec<DemoCamera>, Watched) {
    let courts = DemoCamera::start_many(vec![Script::default(), Script::default()]).unwrap();
    let watched = Watched::start_caged(named(&courts), processes());
    streaming(&watched, &["court1", "court2"]);
    (courts, watched)
}

fn named(courts: &[DemoCamera]) -> Vec<Camera> {
    let each = (1..).zip(courts);
    each.map(|(n, court)| camera(&format!("court{n}"), court.url()))
        .collect()
}

fn streaming(watched: &Watched, ids: &[&str]) {
    for id in ids {
        watched.wait_state(id, "streaming", |s| s.access_units > 20);
    }
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// All that the ring holds is of one epoch, without a gap, and no picture is missing between two.
fn nothing_missing(watched: &Watched, id: &str) {
    let units = units(&watched.reader(id));
    assert!(units.len() > 20);
    let epochs: BTreeSet<u32> = units.iter().map(|unit| unit.meta.epoch).collect();
    assert_eq!(epochs.len(), 1, "{id} was connected anew");
    let flags = units.iter().map(|unit| unit.meta.flags);
    assert!(flags.clone().all(|flags| !flags.gap && !flags.tainted));
    let pictures = units.iter().filter(|u| u.meta.track == Track::Video);
    let times: BTreeSet<i64> = pictures.map(|unit| unit.meta.pts).collect();
    let times: Vec<i64> = times.into_iter().collect();
    let widest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    // 25 pictures a second, 90 kHz.
    assert!(widest.unwrap() < 2 * 3_600, "{id} lacks pictures");
}

/// Waits until the camera is back with a reason told, and looks at its neighbour.
fn lost_and_back(watched: &Watched, id: &str, why: &str, neighbour: &str) {
    let before = watched.state(id).connections;
    let lost = watched.wait_state(id, "lost", |s| s.state == ConnectionPhase::Waiting);
    assert!(lost.reason.contains(why), "{}", lost.reason);
    let back = watched.wait_state(id, "back", |s| s.connections > before);
    assert!(back.attempts >= 2 && back.access_units > 20, "{back:?}");
    streaming(watched, &[id]);
    let reader = watched.reader(id);
    wait_for("its second epoch", || (reader.epoch() >= 2).then_some(()));
    nothing_missing(watched, neighbour);
}

#[test]
fn a_camera_is_read_by_another_process_and_followed_by_its_bell() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let watched = Watched::start_caged(vec![camera("court1", court.url())], processes());
    streaming(&watched, &["court1"]);
    assert_eq!(watched.pids(), [watched.pid_of("court1")]);
    let id = CameraId::new("court1").unwrap();
    let mut follower = Follower::open(watched.dir.path(), &id, Resume::NewestKey).unwrap();
    let (mut bytes, mut read, mut woken) = (Vec::new(), 0, 0);
    wait_for("a hundred access units", || {
        match follower.next(&mut bytes) {
            RingEvent::AccessUnit { .. } => read += 1,
            RingEvent::NotYet => woken += u32::from(follower.wait(Duration::from_secs(1))),
            other => panic!("{other:?}"),
        }
        (read >= 100).then_some(())
    });
    assert!(woken > 0, "the other process rang no bell");
    let state = watched.state("court1");
    assert_eq!(state.ring, "created");
    assert!(state.video.unwrap().starts_with("H.264"));
    nothing_missing(&watched, "court1");
    watched.end();
    wait_for("a good-bye", || {
        let asked = court.asked();
        asked.iter().any(|a| a.method == "TEARDOWN").then_some(())
    });
}

#[test]
fn a_camera_that_sends_by_udp_is_read_within_the_cage_too() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let mut by_udp = camera("court1", court.url());
    by_udp.transport = Transport::Udp;
    let watched = Watched::start_caged(vec![by_udp], processes());
    streaming(&watched, &["court1"]);
    watched.end();
}

#[test]
fn a_killed_process_is_a_lost_camera_that_comes_back_and_its_neighbour_does_not_notice() {
    let (_courts, watched) = two();
    signal(watched.pid_of("court1"), Signal::SIGKILL);
    lost_and_back(&watched, "court1", "killed by SIGKILL", "court2");
    let kept = units(&watched.reader("court1"));
    assert_eq!(kept[0].meta.epoch, 1, "what the ring held is still there");
    watched.end();
}

#[test]
fn a_process_that_hangs_is_ended_for_its_silence() {
    let (_courts, watched) = two();
    signal(watched.pid_of("court1"), Signal::SIGSTOP);
    lost_and_back(&watched, "court1", "stood still", "court2");
    watched.end();
}

#[test]
fn a_process_hears_no_signal_that_is_meant_for_the_service() {
    let (_courts, watched) = two();
    let pid = watched.pid_of("court1");
    for end in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signal(pid, end);
    }
    let reader = watched.reader("court1");
    let before = reader.head();
    wait_for("more", || (reader.head() > before + 50).then_some(()));
    nothing_missing(&watched, "court1");
    watched.end();
}

/// A program that talks garbage once a file is there (which it removes), and reads cameras otherwise.
fn two_faced(dir: &Path, garbage: &str) -> ReaderProcesses {
    let (program, marker) = (dir.join("two-faced"), dir.join("garbage"));
    let text = format!(
        "#!/bin/sh\nif [ -e {marker} ]; then rm {marker}; {garbage} >&3; exec sleep 600; fi\nexec {real} ingest\n",
        marker = marker.display(),
        real = env!("CARGO_BIN_EXE_hindsight"),
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    ReaderProcesses {
        program,
        ..processes()
    }
}

#[test]
fn a_process_that_talks_garbage_is_ended_and_that_is_said() {
    let told = r#"printf '\024\000\000\000{"Resolve":{"camera":7}}'"#;
    for (garbage, why) in [
        (r"printf '\377\377\377\377'", "at most 65536 are taken"),
        (r"printf '\002\000\000\000{}'", "no message that is known"),
        ("cat /bin/sh", "made no sense"),
        (told, "made no sense"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let how = two_faced(dir.path(), garbage);
        let courts = DemoCamera::start_many(vec![Script::default(), Script::default()]).unwrap();
        let watched = Watched::start_caged(named(&courts), how);
        streaming(&watched, &["court1", "court2"]);
        std::fs::write(dir.path().join("garbage"), "").unwrap();
        signal(watched.pid_of("court1"), Signal::SIGKILL);
        watched.wait_state("court1", "killed", |s| s.reason.contains("SIGKILL"));
        watched.wait_state("court1", "nonsense", |s| s.reason.contains(why));
        lost_and_back(&watched, "court1", why, "court2");
        watched.end();
    }
}

/// Answers whoever calls with a header line that never ends, as fast as it is read.
fn endless_header() -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 1024]);
                let line = vec![b'a'; 1 << 16];
                let begun = stream.write_all(b"RTSP/1.0 200 OK\r\nX: ");
                while begun.is_ok() && stream.write_all(&line).is_ok() {}
            });
        }
    });
    format!("rtsp://127.0.0.1:{port}/stream").parse().unwrap()
}

#[test]
fn a_camera_that_fills_memory_ends_its_own_process_and_no_more() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let cameras = vec![
        camera("court1", court.url()),
        camera("hostile", endless_header()),
    ];
    let (reconnect, limits) = quick();
    // It has all the time that it needs.
    let limits = ingest::Limits {
        connect: Duration::from_secs(600),
        ..limits
    };
    let how = ReaderProcesses {
        memory_bytes: 8_000_000,
        ..processes()
    };
    let settings = settings(dir.path(), cameras, reconnect);
    let stop = Stop::default();
    let clock = std::sync::Arc::new(RealClock);
    let ingest = ingest::start_in_processes(settings, how, clock, stop, limits).unwrap();
    let watched = Watched {
        ingest: Some(ingest),
        dir,
    };
    streaming(&watched, &["court1"]);
    for _ in 0..2 {
        let lost = watched.wait_state("hostile", "ended", |s| {
            s.state == ConnectionPhase::Waiting && s.reason.contains("memory")
        });
        assert!(lost.reason.contains("needed more than 8 MB"), "{lost:?}");
        watched.wait_state("hostile", "again", |s| {
            s.state == ConnectionPhase::Connecting
        });
    }
    nothing_missing(&watched, "court1");
    watched.end();
}

#[test]
fn a_camera_that_is_too_much_for_a_shared_process_gets_one_of_its_own_and_no_other_notices() {
    let scripts = (0..9).map(|_| Script::default()).collect();
    let courts = DemoCamera::start_many(scripts).unwrap();
    let mut cameras = named(&courts);
    cameras.push(camera("hostile", endless_header()));
    let how = ReaderProcesses {
        count: 1,
        ..processes()
    };
    let watched = Watched::start_caged(cameras, how);
    let shared = watched.pid_of("court1");
    watched.wait_state("hostile", "ended", |s| s.reason.contains("memory"));
    let ids: Vec<String> = (1..10).map(|n| format!("court{n}")).collect();
    for id in &ids {
        streaming(&watched, &[id]);
        assert_eq!(watched.pid_of(id), shared);
        nothing_missing(&watched, id);
    }
    watched.end();
}

#[test]
fn a_name_is_looked_up_by_the_service_and_a_password_stands_in_nobodys_arguments() {
    let login = Login {
        username: "viewer".to_owned(),
        password: "a secret of tests".to_owned(),
        scheme: Scheme::Digest,
        nonce: NonceLife::Connection,
    };
    let script = Script {
        login: Some(login),
        ..Script::default()
    };
    let court = DemoCamera::start(script).unwrap();
    let mut url = court.url();
    url.set_host(Some("localhost")).unwrap();
    let known = with_password(camera("court1", url), "viewer", "a secret of tests");
    let unknown = camera(
        "court2",
        "rtsp://no-such-name.invalid/stream".parse().unwrap(),
    );
    let watched = Watched::start_caged(vec![known, unknown], processes());
    streaming(&watched, &["court1"]);
    let lost = watched.wait_state("court2", "waiting", |s| s.state == ConnectionPhase::Waiting);
    assert!(lost.reason.contains("no-such-name.invalid"), "{lost:?}");
    assert!(lost.reason.contains("no such name"), "{lost:?}");
    for pid in watched.pids() {
        let argv = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        assert_eq!(argv, b"hindsight\0ingest\0");
        if let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) {
            assert!(environment.is_empty());
        }
    }
    watched.end();
}

#[test]
fn what_ingest_promises_of_rings_holds_with_processes_too() {
    let court = DemoCamera::start(Script::default()).unwrap();
    let cameras = || vec![camera("court1", court.url())];
    let watched = Watched::start_caged(cameras(), processes());
    watched.wait_units("court1", 20);
    // A second service is one too many.
    let again = settings(watched.dir.path(), cameras(), quick().0);
    let start = |settings| {
        let clock = std::sync::Arc::new(RealClock);
        let limits = quick().1;
        ingest::start_in_processes(settings, processes(), clock, Stop::default(), limits)
    };
    let refused = start(again).unwrap_err();
    assert!(matches!(refused, IngestError::NoRing { .. }), "{refused:?}");
    assert!(
        refused.to_string().contains("second hindsight"),
        "{refused}"
    );
    let pids = watched.pids();
    let dir = watched.end();
    assert!(
        pids.iter()
            .all(|pid| kill(Pid::from_raw(*pid), None).is_err())
    );
    // A restart adopts it, and one of another boot hands it on.
    let mut running = start(settings(dir.path(), cameras(), quick().0)).unwrap();
    assert!(running.states()[0].ring.starts_with("adopted"));
    assert!(running.take_old_rings().is_empty());
    running.stop();
    running.join();
    let mut other = settings(dir.path(), cameras(), quick().0);
    other.boot_id = BootId([8; 16]);
    let mut running = start(other).unwrap();
    assert!(running.states()[0].ring.starts_with("replaced"));
    let old = running.take_old_rings();
    assert!(units(&old[0].1).len() >= 20);
    running.stop();
    running.join();
}

#[test]
fn what_cannot_be_started_ends_the_start() {
    let how = ReaderProcesses {
        program: "/no/such/program".into(),
        ..processes()
    };
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let nobody = camera("court1", "rtsp://127.0.0.1:1/".parse().unwrap());
    let refused = Watched::start_caged_in(dir, vec![nobody], how)
        .err()
        .unwrap();
    let text = refused.to_string();
    assert!(
        text.starts_with("cannot start a process that reads court1"),
        "{text}"
    );
}
