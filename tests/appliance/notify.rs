//! What systemd hears of the real service, on a real socket; what others write down about the box.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hindsight::base::Notice;
use hindsight::demo::{DemoCamera, Script};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::service::{PATIENCE, Place, Told, camera};

/// So long systemd would wait for a word, and a loop may stand.
const WATCHDOG: Duration = Duration::from_secs(8);

fn pattern() -> DemoCamera {
    DemoCamera::start(Script {
        keep_log: false,
        ..Script::default()
    })
    .unwrap()
}

/// The service, and systemd's ear.
struct Heard {
    child: Child,
    socket: UnixDatagram,
    _dir: tempfile::TempDir,
}

impl Heard {
    fn start(place: &Place) -> Heard {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().join("notify");
        let socket = UnixDatagram::bind(&name).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let child = place
            .command("run")
            .env("NOTIFY_SOCKET", &name)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Heard {
            child,
            socket,
            _dir: dir,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// The next words; `None`: there were none for a second.
    fn next(&self) -> Option<String> {
        let mut words = [0; 4096];
        let n = self.socket.recv(&mut words).ok()?;
        Some(String::from_utf8_lossy(&words[..n]).into_owned())
    }

    /// Words that begin so; all before them are passed over.
    fn wait(&self, begin: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut all = Vec::new();
        while Instant::now() < until {
            match self.next() {
                Some(words) if words.starts_with(begin) => return words,
                Some(words) => all.push(words),
                None => {}
            }
        }
        panic!("systemd never heard {begin}, only {all:?}");
    }

    /// It has its name a moment after it was born.
    fn thread(&self, name: &str) -> Pid {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(thread) = self.thread_now(name) {
                return thread;
            }
            assert!(Instant::now() < until, "there is no thread {name}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn thread_now(&self, name: &str) -> Option<Pid> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap() {
            let path = thread.unwrap().path();
            if std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name) {
                let number = path.file_name().unwrap().to_string_lossy().parse().unwrap();
                return Some(Pid::from_raw(number));
            }
        }
        None
    }

    fn end(&mut self) -> String {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        said
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_hears_of_the_start_the_health_the_progress_and_the_stop() {
    let camera_peer = pattern();
    let place = Place::new(
        &Told::default(),
        &camera("court1", camera_peer.url().as_str(), ""),
    );
    let mut heard = Heard::start(&place);
    let first = heard.next().or_else(|| heard.next());
    assert_eq!(
        first.as_deref().map(|words| words.starts_with("READY=1")),
        Some(true),
        "{first:?}"
    );
    let health = heard.wait("STATUS=");
    assert!(
        health.len() > "STATUS=".len() && !health.contains('\n'),
        "{health:?}"
    );
    for _ in 0..3 {
        heard.wait("WATCHDOG=1");
    }
    kill(heard.pid(), Signal::SIGTERM).unwrap();
    heard.wait("STOPPING=1");
    heard.end();
}

/// Holds a thread with the debugger's hand, and lets it go again.
fn frozen(thread: Pid, meanwhile: impl FnOnce()) {
    ptrace::seize(thread, Options::empty())
        .expect("tracing the service (may this machine use ptrace?)");
    ptrace::interrupt(thread).unwrap();
    waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
    meanwhile();
    ptrace::detach(thread, None).unwrap();
}

#[test]
fn when_a_thread_stands_still_systemd_is_told_no_more_and_a_report_is_kept() {
    let camera_peer = pattern();
    let place = Place::new(
        &Told::default(),
        &camera("court1", camera_peer.url().as_str(), ""),
    );
    for (n, name) in ["monitor", "web", "ingest", "highlights"]
        .into_iter()
        .enumerate()
    {
        let mut heard = Heard::start(&place);
        heard.wait("WATCHDOG=1");
        frozen(heard.thread(name), || {
            let status = heard.wait(&format!("STATUS={name} stands still"));
            assert!(!status.is_empty());
            let silence = Instant::now();
            while silence.elapsed() < WATCHDOG {
                let words = heard.next();
                assert_eq!(words, None, "{name}: systemd would not restart it");
            }
        });
        // Only for this test: on a box systemd has ended it by now.
        heard.wait("WATCHDOG=1");
        let said = heard.end();
        assert!(said.contains("error_stands_still"), "{said}");
        let report =
            std::fs::read_to_string(place.storage().join("report/last-fault.txt")).unwrap();
        assert!(
            report.contains(&format!("a part of the program stands still: {name} for ")),
            "{n}: {report}"
        );
        assert!(report.contains("(event=system_started"), "{report}");
    }
}

#[test]
fn a_camera_that_is_away_is_no_reason_for_a_restart() {
    let place = Place::new(
        &Told::default(),
        &camera("court1", "rtsp://127.0.0.1:9/none", ""),
    );
    let mut heard = Heard::start(&place);
    let begin = Instant::now();
    let mut words = Vec::new();
    while begin.elapsed() < WATCHDOG * 2 {
        words.extend(heard.next());
    }
    let fed = words.iter().filter(|words| *words == "WATCHDOG=1").count();
    assert!(fed >= 4, "{words:?}");
    assert!(
        words
            .iter()
            .any(|words| words.starts_with("STATUS=unhealthy: ")),
        "{words:?}"
    );
    heard.end();
    let report = std::fs::read_to_string(place.storage().join("report/last-fault.txt")).unwrap();
    assert!(report.contains("the house is unhealthy"), "{report}");
    assert!(
        report.contains("\"a camera cannot be reached\""),
        "its status: {report}"
    );
}

fn write_notice(folder: &Path, name: &str, notice: &Notice) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), serde_json::to_string(notice).unwrap()).unwrap();
}

#[test]
fn a_box_without_cameras_comes_up_and_its_health_tells_what_others_wrote_down() {
    let place = Place::new(&Told::default(), "");
    let notices = place.dir.path().join("notices");
    let notice = Notice {
        what: "the configuration cannot be used".to_owned(),
        place: "hindsight.toml".to_owned(),
        what_to_do: "line 3: mend it\nline 4: too".to_owned(),
        fault: true,
        ..Notice::default()
    };
    write_notice(&notices, "config-00.json", &notice);
    let plain = place.command("run").stdin(Stdio::null()).output().unwrap();
    assert_eq!(
        plain.status.code(),
        Some(2),
        "without the option it is a mistake"
    );
    let mut service = place.start_with(&["--notices", notices.to_str().unwrap()]);
    let reasons = |status: &Value| {
        status["health"]["reasons"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let of = |status: &Value, place: &str| {
        let all = reasons(status);
        all.into_iter().find(|reason| reason["where"] == place)
    };
    let status = service.wait_for("notice", |status| of(status, "hindsight.toml").is_some());
    assert_eq!(status["health"]["status"], "unhealthy");
    let told = |place: &str, key: &str| of(&status, place).unwrap()[key].clone();
    assert_eq!(told("configuration", "what"), "no camera is configured");
    assert_eq!(
        told("hindsight.toml", "what_to_do"),
        "line 3: mend it; line 4: too"
    );
    let (code, answer) = service.press(&serde_json::json!({}), false);
    assert!(code >= 400, "{code} {answer}");
    // It is looked at again: an update may have something to say later.
    write_notice(
        &notices,
        "update.json",
        &Notice {
            what: "an update failed".to_owned(),
            place: "update".to_owned(),
            what_to_do: "try again".to_owned(),
            ..Notice::default()
        },
    );
    service.wait_for("later notice", |status| of(status, "update").is_some());
    assert_eq!(service.stop(), Some(0));
}
