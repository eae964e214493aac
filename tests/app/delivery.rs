//! What `check` says of encoder, targets and pins; the queue while it works.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::service::{PATIENCE, Place, Service, Told};
use crate::{court1, pattern, run};

fn logo() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/logo.png");
    format!("[[logo]]\nfile = \"{}\"\n", file.display())
}

/// The place with these lines in its configuration.
fn place(cameras: &str, more: String) -> Place {
    let told = Told {
        more,
        ..Told::default()
    };
    Place::new(&told, cameras)
}

#[test]
fn check_tries_the_encoder_the_targets_and_the_pins_and_leaves_nothing_behind() {
    let camera = pattern();
    let far = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let more = format!(
        "[board]\nbackend = \"sim\"\n[[button]]\nid = \"court1\"\npin = 5\n[[led]]\npin = 17\nrole = \"ready\"\n\
         {}[finish]\nencoder = \"libx264\"\n[[target]]\nid = \"club\"\nkind = \"folder\"\npath = \"{}\"\n",
        logo(),
        far.path().display()
    );
    let place = place(&court1(&camera), more);
    let (code, said) = run(&mut place.command("check"));
    assert_eq!(code, 0, "{said}");
    let line = |head: &str| {
        let found = said.lines().find(|line| line.starts_with(head));
        found
            .unwrap_or_else(|| panic!("{head}:\n{said}"))
            .to_owned()
    };
    let marking = line("marking ");
    for word in [
        "FFmpeg ",
        "libx264, preset ",
        "for a clip of 4.0 s at 1280x720",
    ] {
        assert!(marking.contains(word), "{word}: {marking}");
    }
    assert!(
        said.contains("logo.png  bottom right, 20 % of the width"),
        "{said}"
    );
    let upload = line("upload  club ");
    assert!(upload.contains("can be written, "), "{upload}");
    assert!(line("buttons ").contains("simulated"), "{said}");
    assert!(
        line("        button court1").contains("GPIO 5, pin 29"),
        "{said}"
    );
    assert!(
        line("        ready light").contains("GPIO 17, pin 11"),
        "{said}"
    );
    assert!(said.ends_with("all is well\n"), "{said}");
    for folder in [far.path(), &place.storage()] {
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    }
}

#[test]
fn check_says_what_to_install_and_which_target_cannot_be_used() {
    let camera = pattern();
    let far = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let missing = far.path().join("not mounted");
    let without = "[finish]\nffmpeg = \"/nowhere/ffmpeg\"\n";
    let target = format!(
        "[[target]]\nid = \"club\"\nkind = \"folder\"\npath = \"{}\"\n",
        missing.display()
    );
    let place_with = place(&court1(&camera), logo() + without + &target);
    let (code, said) = run(&mut place_with.command("check"));
    assert_eq!(code, 1, "{said}");
    let why = "WRONG  marking: /nowhere/ffmpeg cannot be started: there is no such program: apt install ffmpeg";
    assert!(said.contains(why), "{said}");
    assert!(said.contains("WRONG  target club: "), "{said}");

    // Nothing is to be marked: only thumbnails are missed.
    let place = place(&court1(&camera), without.to_owned());
    let (code, said) = run(&mut place.command("check"));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("note   clips get no thumbnail: "), "{said}");
    assert!(said.contains("upload  no target is configured"), "{said}");
    assert!(said.contains("buttons none is configured"), "{said}");
}

/// A service whose FFmpeg says that it is at three tenths of a clip of 3 s, and goes on when it may.
struct Slow {
    place: Place,
    service: Service,
    dir: tempfile::TempDir,
}

impl Slow {
    fn with(camera: &hindsight::demo::DemoCamera) -> Slow {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let (slow, go) = (dir.path().join("ffmpeg"), dir.path().join("go"));
        let script = format!(
            "#!/bin/bash\ncase \" $* \" in *lavfi*) exec ffmpeg \"$@\";; esac\necho out_time_us=950000\n\
             while [ ! -e {} ]; do sleep 0.05; done\nexec ffmpeg \"$@\"\n",
            go.display()
        );
        std::fs::write(&slow, script).unwrap();
        std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
        let more = format!(
            "{}[finish]\nencoder = \"libx264\"\nffmpeg = \"{}\"\n",
            logo(),
            slow.display()
        );
        let place = place(&court1(camera), more);
        let mut service = place.start();
        service.wait_until_held(&["court1"], 4.0);
        Slow {
            place,
            service,
            dir,
        }
    }

    fn go_on(&self) {
        std::fs::write(self.dir.path().join("go"), "").unwrap();
    }
}

/// Killed when dropped: it goes on until it is interrupted.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_queue_is_followed_line_by_line_in_a_pipe() {
    let camera = pattern();
    let slow = Slow::with(&camera);
    let mut command = slow.place.command("queue");
    let following = command.arg("--follow").stdin(Stdio::null());
    let following = following.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut following = Following(following.spawn().unwrap());
    let mut lines = BufReader::new(following.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().ends_with(" nothing waits"));
    let (_, answer) = slow.service.press(&json!({"pre": 3, "post": 0}), true);
    let id = format!(" {}/court1: ", answer["press_id"].as_str().unwrap());
    let mut hear = |end: &str| {
        let mut heard = next();
        while !heard.ends_with(end) {
            assert!(heard[8..].starts_with(&id), "{heard}");
            heard = next();
        }
    };
    hear("finishing, marking 30 %");
    slow.go_on();
    hear("nothing more is to be done");
    assert_eq!(slow.service.stop(), Some(0));
    assert_eq!(following.0.wait().unwrap().code(), Some(1));
}

#[test]
fn the_queue_is_a_picture_with_bars_on_a_terminal() {
    let camera = pattern();
    let slow = Slow::with(&camera);
    let size = nix::pty::Winsize {
        ws_row: 24,
        ws_col: 100,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let mut command = slow.place.command("queue");
    let command = command
        .arg("--follow")
        .env("TERM", "xterm")
        .stdin(Stdio::null());
    let _following = Following(command.stdout(pty.slave).spawn().unwrap());
    let screen = Screen::of(pty.master);
    screen.until("an empty queue", |text| text.contains("nothing waits"));
    slow.service.press(&json!({"pre": 3, "post": 0}), true);
    screen.until("a bar", |text| {
        text.contains("marking  [######              ] 3")
    });
    screen.until("it drawn anew", |text| text.contains("\x1b[2A\r\x1b[J"));
    slow.go_on();
    screen.until("its end", |text| {
        let last = text.rsplit("\x1b[J").next().unwrap_or("");
        last.contains("nothing waits") && last.contains("1 highlight done")
    });
    assert_eq!(slow.service.stop(), Some(0));
}

/// All that was written to a terminal.
struct Screen(
    std::sync::mpsc::Receiver<Vec<u8>>,
    std::cell::RefCell<String>,
);

impl Screen {
    fn of(master: OwnedFd) -> Screen {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut master = std::fs::File::from(master);
            let mut part = vec![0; 4096];
            while let Ok(n @ 1..) = master.read(&mut part) {
                if tell.send(part[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Screen(told, std::cell::RefCell::default())
    }

    fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !wanted(&self.1.borrow()) {
            assert!(Instant::now() < limit, "no {what}: {:?}", self.1.borrow());
            if let Ok(part) = self.0.recv_timeout(Duration::from_millis(100)) {
                self.1
                    .borrow_mut()
                    .push_str(&String::from_utf8_lossy(&part));
            }
        }
    }
}

/// The verdict is made anew every now and then.
fn health_until(what: &str, service: &Service, wanted: impl Fn(&Value) -> bool) {
    let limit = Instant::now() + PATIENCE;
    loop {
        let health = service.get("/health").unwrap();
        if wanted(&health) {
            return;
        }
        assert!(Instant::now() < limit, "health never {what}: {health}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn without_ffmpeg_health_says_so_and_jobs_wait_until_it_is_there() {
    let camera = pattern();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ffmpeg = dir.path().join("ffmpeg");
    let more = format!("{}[finish]\nffmpeg = \"{}\"\n", logo(), ffmpeg.display());
    let place = place(&court1(&camera), more);
    let mut service = place.start();
    service.wait_until_held(&["court1"], 4.0);
    let (_, answer) = service.press(&json!({"pre": 1, "post": 0}), true);
    let id = answer["press_id"].as_str().unwrap();
    service.wait_for("a job that waits", |s| {
        s["queue"]["waiting"][0]["stage"] == "finish"
    });
    health_until("says so", &service, |health| {
        health["status"] == "degraded"
            && health["reasons"].to_string().contains("apt install ffmpeg")
    });
    let (code, said) = run(&mut place.command("queue"));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("finishing waits since"), "{said}");

    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("ffmpeg"))
        .find(|program| program.exists());
    std::os::unix::fs::symlink(real.unwrap(), &ffmpeg).unwrap();
    let (code, said) = run(place.command("queue").args(["retry", id]));
    assert_eq!(code, 0, "{said}");
    service.wait_for("its end", |s| s["queue"]["counts"]["done"] == 1);
    // How full this machine's own disk is is no matter here.
    health_until("forgets FFmpeg", &service, |health| {
        !health["reasons"].to_string().contains("ffmpeg")
    });
    let clip = place.clip(id, "court1").unwrap();
    assert!(clip.with_extension("marked.mp4").exists());
    let facts = crate::sidecar(&clip);
    assert_eq!(facts["attempts"], 0, "no attempt was counted");
    assert_eq!(service.stop(), Some(0));
}
