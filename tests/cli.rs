//! The program as somebody at a shell sees it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

fn hindsight(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("hindsight"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HINDSIGHT_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_help_of_each_command_has_an_example() {
    for name in [
        "run", "demo", "check", "press", "ring", "tap", "users", "token", "update", "verify",
    ] {
        let output = hindsight(&[name, "--help"]);
        let text = stdout(&output);
        assert!(output.status.success(), "{name}");
        let (_, examples) = text
            .split_once("\nExample")
            .unwrap_or_else(|| panic!("{text}"));
        assert!(examples.contains(&format!("hindsight {name}")), "{text}");
    }
    for name in ["off", "test"] {
        let text = stdout(&hindsight(&["board", name, "--help"]));
        assert!(text.contains(&format!("hindsight board {name}")), "{text}");
    }
    for name in ["disk", "config"] {
        let text = stdout(&hindsight(&["appliance", name, "--help"]));
        let example = format!("Example:\n  hindsight appliance {name}");
        assert!(text.contains(&example), "{text}");
    }
    let text = stdout(&hindsight(&["--help"]));
    assert!(text.contains("Examples:\n  hindsight demo"), "{text}");
}

#[test]
fn the_version_names_the_commit() {
    let text = stdout(&hindsight(&["--version"]));
    let (_, commit) = text
        .split_once("(commit ")
        .unwrap_or_else(|| panic!("{text}"));
    let commit: String = commit
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let in_repository = Command::new("git")
        .args(["cat-file", "-e", &format!("{commit}^{{commit}}")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let known = in_repository.is_ok_and(|output| output.status.success());
    assert!(known || commit == "unknown", "{text}");
    assert!(text.starts_with(&format!("hindsight {} ", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_missing_configuration_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.toml");
    for name in ["run", "check", "ring", "press"] {
        let output = hindsight(&[name, "--config", missing.to_str().unwrap()]);
        let code = if name == "check" { 1 } else { 2 };
        assert_eq!(output.status.code(), Some(code), "{name}");
        let wanted = format!(
            "the configuration cannot be used:\n{}: there is no such file; copy \
             hindsight.example.toml there and fill in the cameras, or name another with \
             --config FILE (\"hindsight demo\" needs none)\n",
            missing.display()
        );
        assert_eq!(stderr(&output), wanted, "{name}");
    }
}

/// A folder with a configuration, and its path.
fn configured(text: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("venue.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

const CAMERA: &str = "[[camera]]\nid = \"court1\"\nurl = \"rtsp://127.0.0.1:1/s\"\n";

#[test]
fn a_wrong_configuration_shows_all_that_is_wrong_and_leaves_with_2() {
    let (_dir, path) = configured(
        "[ring]\nsecnods = 90\n[[camera]]\nid = \"court1\"\nurl = \"rtsp://a:canary@x/y\"\n",
    );
    let output = command(&["run"])
        .env("HINDSIGHT_CONFIG", &path)
        .env("HINDSIGHT_LOG_LEVEL", "loud")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[1].starts_with(&format!("{path}:2: [ring] secnods is unknown")));
    assert!(lines[2].starts_with(&format!("{path}:5: [[camera]] url = \"rtsp://***@x/y\"")));
    assert!(lines[3].starts_with("environment: HINDSIGHT_LOG_LEVEL = \"loud\""));
    assert!(!text.contains("canary"));
}

#[test]
fn a_camera_that_is_not_there_is_told_with_those_that_are() {
    let (_dir, path) = configured(CAMERA);
    for arguments in [
        &["tap", "court2"][..],
        &["ring", "court2"],
        &["press", "--camera", "court2"],
        &["check", "--latency", "court2"],
    ] {
        let output = command(arguments)
            .args(["--config", &path])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            stderr(&output),
            "there is no camera court2; there are: court1\n"
        );
    }
}

#[test]
fn what_was_typed_wrong_leaves_with_2() {
    for arguments in [
        &["tap", "../x"][..],
        &["press", "--pre", "40"],
        &["demo", "--exit", "--press-after", "soon"],
        &["verify"],
        &["rnu"],
        &["run", "--log-level", "loud"],
    ] {
        let output = hindsight(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}
#[test]
fn a_reader_that_has_seen_enough_is_no_accident() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..3000 {
        fs::write(dir.path().join(format!("{n}.mp4")), b"not an mp4").unwrap();
    }
    let mut child = command(&["verify", dir.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn on_a_terminal_q_stops_without_enter_and_the_terminal_is_as_before() {
    let demo = format!("{} demo; stty -a", cargo_bin!("hindsight").display());
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new("timeout")
        .args(["120", "script", "--quiet", "--command", &demo, "/dev/null"])
        .env("XDG_STATE_HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    let mut typed = false;
    loop {
        let count = output.read(&mut bytes).unwrap();
        if count == 0 {
            break;
        }
        text += &String::from_utf8_lossy(&bytes[..count]);
        if !typed && text.contains("API") {
            child.stdin.as_mut().unwrap().write_all(b"q").unwrap();
            typed = true;
        }
    }
    assert!(child.wait().unwrap().success());
    let (_, stty) = text.split_once("speed").unwrap_or_else(|| panic!("{text}"));
    assert!(
        stty.contains(" icanon") && stty.contains(" echo "),
        "{text}"
    );
}

#[test]
fn no_password_and_no_token_is_in_anything_the_program_says() {
    let dir = tempfile::tempdir().unwrap();
    let rings = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = dir.path().join("venue.toml");
    let toml = format!(
        "[storage]\npath = {:?}\n[ring]\ndir = {:?}\nmax_bitrate = \"500k\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\ntoken = \"canary-canary-canary\"\n\
         [[camera]]\nid = \"court1\"\nusername = \"viewer\"\npassword = \"canary-pass\"\n\
         url = \"rtsp://127.0.0.1:1/user=viewer&password=canary-path\"\n",
        dir.path(),
        rings.path()
    );
    fs::write(&path, toml).unwrap();
    let path = path.to_str().unwrap();
    let secrets = ["canary-canary", "canary-pass", "canary-path"];

    let checked = hindsight(&["check", "--config", path, "--log-level", "trace"]);
    let mut said = stdout(&checked) + &stderr(&checked);

    let mut run = command(&[
        "run",
        "--config",
        path,
        "--log-level",
        "trace",
        "--log-format",
        "json",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut log = std::io::BufReader::new(run.stderr.take().unwrap());
    let mut status = None;
    let mut line = String::new();
    while std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0 {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if event["event"] == "system_started" {
            let url = format!("http://{}/status", event["listen"].as_str().unwrap());
            let answer = ureq::get(url)
                .header("Authorization", "Bearer canary-canary-canary")
                .call();
            status = Some(answer.unwrap().body_mut().read_to_string().unwrap());
        }
        // By then it tried the camera, and said so.
        if event["event"] == "camera_retry" {
            let _ = run.stdin.as_mut().unwrap().write_all(b"q\n");
        }
        said += &line;
        line.clear();
    }
    let output = run.wait_with_output().unwrap();
    said += &stdout(&output);
    said += &status.unwrap_or_else(|| panic!("it did not start: {said}"));
    for secret in secrets {
        let at = said.lines().find(|line| line.contains(secret));
        assert_eq!(at, None, "{secret} was told");
    }
    assert!(said.contains("password=***"), "no URL was shown: {said}");
}

/// A config with a simulated board of one button and one light.
fn with_a_simulated_board() -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hindsight.toml");
    let text = "[board]\nbackend = \"sim\"\n[[camera]]\nid = \"court1\"\nurl = \"rtsp://127.0.0.1/\"\n\
                [[button]]\nid = \"wall\"\npin = 5\n[[led]]\npin = 17\nrole = \"ready\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (dir, file)
}

#[test]
fn board_off_without_a_real_light_is_done_with_a_sentence() {
    let (_dir, config) = with_a_simulated_board();
    let output = hindsight(&["board", "off", "--config", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("\"sim\""), "{}", stdout(&output));
}

#[test]
fn board_test_walks_through_a_simulated_board_by_lines_on_stdin() {
    let (_dir, config) = with_a_simulated_board();
    // Answers each question that has the words with the line; what was said, and the exit code.
    let walk = |answers: &[(&str, &str)]| {
        let mut child = command(&["board", "test", "--config", &config])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut said = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            for (_, answer) in answers.iter().filter(|(words, _)| line.contains(words)) {
                stdin.write_all(answer.as_bytes()).unwrap();
            }
            said += &line;
            said.push('\n');
        }
        (said, child.wait().unwrap().code())
    };
    let (said, code) = walk(&[("Do you see it?", "y\n"), ("press the button", "1\n")]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("ok  button wall, pin 5 (29 on the header)"),
        "{said}"
    );
    // How long is this machine's affair: a simulated touch is let go by a thread.
    assert!(said.contains("  seen, held for "), "{said}");
    let (said, code) = walk(&[("Do you see it?", "q\n")]);
    assert_eq!(code, Some(130), "{said}");
}
