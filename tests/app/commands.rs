//! The commands beside the service, and what the API of the real house says.

use std::process::{Command, Stdio};

use hindsight::demo::DemoCamera;
use serde_json::{Value, json};

use crate::service::{Place, Told, camera};
use crate::{conforms, court1, pattern, run};

fn hindsight() -> Command {
    Command::new(env!("CARGO_BIN_EXE_hindsight"))
}

#[test]
fn the_demo_presses_by_itself_beside_another_and_leaves_clips_that_verify() {
    let state = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let start = || {
        let mut command = hindsight();
        command.args(["demo", "--exit", "--press-after", "3s"]);
        command.env("XDG_STATE_HOME", state.path());
        std::thread::spawn(move || run(&mut command))
    };
    let demos = [start(), start()].map(|demo| demo.join().unwrap());
    for (code, said) in &demos {
        assert_eq!(*code, 0, "{said}");
        assert!(said.contains("verified: "), "{said}");
        assert!(said.contains(" after the window closed"), "{said}");
        let ring = said
            .split(" in ")
            .find_map(|rest| rest.strip_prefix("/dev/shm/"));
        let ring = ring.unwrap().split(';').next().unwrap();
        assert!(
            !std::path::Path::new("/dev/shm").join(ring).exists(),
            "{ring} is left"
        );
    }
    let storages = ["hindsight-demo", "hindsight-demo-2"].map(|name| state.path().join(name));
    let (code, said) = run(hindsight().arg("verify").args(&storages));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("2 clips, 2 sidecars"), "{said}");
    for storage in storages {
        let uploaded = format!("{}-uploaded", storage.display());
        let ends = names_below(std::path::Path::new(&uploaded));
        for end in [".mp4", ".jpg", ".json"] {
            assert!(ends.iter().any(|name| name.ends_with(end)), "{ends:?}");
        }
    }
}

/// Names of all files below a folder.
fn names_below(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(names_below(&path));
        } else {
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    names
}

#[test]
fn press_ring_check_and_verify_speak_with_the_running_service() {
    let (one, two) = (pattern(), pattern());
    let cameras = court1(&one) + &camera("goal", two.url().as_str(), "");
    let place = Place::new(&Told::default(), &cameras);
    let (code, said) = run(&mut place.command("press"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("hindsight run"), "{said}");
    let (code, said) = run(&mut place.command("ring"));
    assert_eq!(code, 2, "{said}");

    let mut service = place.start();
    service.wait_until_held(&["court1", "goal"], 4.0);
    let (code, said) = run(place
        .command("press")
        .args(["--wait", "--pre", "2s", "--post", "1s"]));
    assert_eq!(code, 0, "{said}");
    let files = format!(" 3.0 s clip → {}/highlights/", place.storage().display());
    assert_eq!(said.matches(&files).count(), 2, "{said}");
    let (code, said) = run(place
        .command("press")
        .args(["--camera", "goal", "--pre", "500s"]));
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("more than the 40 s that the rings hold"),
        "{said}"
    );

    let (code, said) = run(place
        .command("press")
        .args(["--camera", "goal", "--post", "5s"]));
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&mut place.command("ring"));
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("court1 (court1)") && said.contains("goal (goal)"),
        "{said}"
    );
    assert!(said.contains("key frames"), "{said}");
    assert!(said.contains("readers export of press"), "{said}");

    let (code, said) = run(&mut place.command("check"));
    assert_eq!(code, 0, "{said}");
    let size = "H.264 1280x720";
    for word in [
        size,
        "30.0",
        "Mbit/s",
        "key frames every",
        "1.0 s",
        "AAC 48000 Hz",
        "clock reports",
        "memory ",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let asked = |camera: &DemoCamera, method: &str| {
        let asked = camera.asked();
        asked.iter().filter(|a| a.method == method).count()
    };
    let before = asked(&one, "PLAY");
    plays_from_a_pipe(place.command("tap").arg("court1"));
    assert_eq!(
        asked(&one, "PLAY"),
        before,
        "the tap asks the camera for nothing"
    );
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");

    let (code, said) = run(place.command("ring").arg("goal"));
    assert_eq!(code, 0, "the ring of a dead service: {said}");
    assert!(
        said.contains("no service is running") && said.contains("Mbit/s"),
        "{said}"
    );
}

/// `tap | ffmpeg -i -`, for three seconds of it.
fn plays_from_a_pipe(tap: &mut Command) {
    let mut tap = tap
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let player = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-stats", "-i", "-", "-t", "3"])
        .args(["-map", "0:v", "-map", "0:a", "-f", "null", "-"])
        .stdin(tap.stdout.take().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&player.stderr);
    assert!(player.status.success(), "{said}");
    let shown = said.rsplit("frame=").next().unwrap().trim_start();
    let frames: u32 = shown.split(' ').next().unwrap().parse().unwrap();
    assert!(
        (85..=95).contains(&frames),
        "{frames} frames in 3 s: {said}"
    );
    // The player has left: so does the tap, without a word.
    assert_eq!(tap.wait().unwrap().code(), Some(0));
}

#[test]
fn check_says_what_is_wrong_with_which_camera() {
    let good = pattern();
    let cameras = court1(&good) + &camera("dead", "rtsp://127.0.0.1:9/none", "");
    let place = Place::new(&Told::default(), &cameras);
    let (code, said) = run(&mut place.command("check"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("WRONG  dead: "), "{said}");
    assert!(!said.contains("WRONG  court1"), "{said}");
}

#[test]
fn verify_finds_a_flipped_bit_and_a_missing_folder() {
    let camera = pattern();
    let place = Place::new(
        &Told {
            post: "0s",
            ..Told::default()
        },
        &court1(&camera),
    );
    let mut service = place.start();
    service.wait_until_held(&["court1"], 4.0);
    let (_, answer) = service.press(&json!({}), true);
    assert_eq!(service.stop(), Some(0));
    assert_eq!(place.verify(), "");
    let clip = place
        .clip(answer["press_id"].as_str().unwrap(), "court1")
        .unwrap();
    let mut bytes = std::fs::read(&clip).unwrap();
    // The end of a sample: the middle may be a length, and then a second thing is wrong.
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&clip, bytes).unwrap();
    let (code, said) = run(hindsight().arg("verify").arg(place.storage()));
    assert_eq!(code, 1, "{said}");
    let told = said.lines().filter(|line| line.contains("court1.mp4"));
    assert_eq!(told.count(), 1, "one line a fault: {said}");
    let (code, said) = run(hindsight().args(["verify", "/nonexistent/folder"]));
    assert_eq!(code, 2, "{said}");
}

#[test]
fn the_real_house_answers_as_its_schemas_say_and_gives_its_files() {
    let camera = pattern();
    let place = Place::new(&Told::default(), &court1(&camera));
    let mut service = place.start();
    service.wait_until_held(&["court1"], 4.0);
    let (_, taken) = service.press(&json!({"pre": 2, "post": 8}), false);
    conforms("press", &taken);
    // While an export follows the ring.
    let status = service.wait_for("an export", |s| s["buffers"][0]["readers"][0].is_object());
    conforms("status", &status);
    let (_, answer) = service.press(&json!({"camera_id": "court1", "duration": 2}), true);
    conforms("press", &answer);
    // And the rest of the frame that was on screen at the start.
    let plays_ms = answer["clips"][0]["duration_ms"].as_u64().unwrap();
    assert!((2000..=2034).contains(&plays_ms), "{answer}");
    conforms("health", &service.get("/health").unwrap());

    let list = service.get("/highlights").unwrap();
    let listed = &list["highlights"][0];
    assert_eq!(listed["clip"], answer["clips"][0]["clip"], "{list}");
    let url = |path: &Value| format!("http://127.0.0.1:{}{}", place.port, path.as_str().unwrap());
    let mut served = ureq::get(url(&listed["clip"])).call().unwrap();
    let press_id = answer["press_id"].as_str().unwrap();
    let clip = std::fs::read(place.clip(press_id, "court1").unwrap()).unwrap();
    assert!(served.body_mut().read_to_vec().unwrap() == clip);
    let mut served = ureq::get(url(&listed["sidecar"])).call().unwrap();
    let facts: Value = served.body_mut().read_json().unwrap();
    assert_eq!(facts["press_id"], press_id);
    conforms("sidecar", &facts);
    assert_eq!(listed["facts"], facts);
    assert_eq!(service.stop(), Some(0));
}
