//! Passwords and tokens show up nowhere.

use std::path::{Path, PathBuf};

use hindsight::demo::{DemoCamera, Login, NonceLife, Scheme, Script};
use serde_json::Value;

use crate::run;
use crate::service::{PATIENCE, Place, Told, camera};

const PASSWORD: &str = "canary-9f2c-password";
const WRONG: &str = "canary-77aa-wrong";
const TOKEN: &str = "canary-51e0-token";
const QUERY: &str = "canary-0b3d-query";

fn guarded(password: &str) -> DemoCamera {
    DemoCamera::start(Script {
        login: Some(Login {
            username: "viewer".to_owned(),
            password: password.to_owned(),
            scheme: Scheme::Digest,
            nonce: NonceLife::Connection,
        }),
        keep_log: false,
        ..Script::default()
    })
    .unwrap()
}

/// Panics if a canary, or a plain encoding of one, is in it.
fn clean(what: &str, text: &[u8]) {
    use base64::Engine;
    let engine = base64::engine::general_purpose::STANDARD;
    for canary in [PASSWORD, WRONG, TOKEN, QUERY] {
        let encoded = engine.encode(format!("viewer:{canary}"));
        for needle in [canary, &canary[..11], encoded.as_str()] {
            let found = text.windows(needle.len()).any(|w| w == needle.as_bytes());
            assert!(
                !found,
                "{needle} is in {what}:\n{}",
                String::from_utf8_lossy(text)
            );
        }
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files_below(&path)),
            path => found.push(path),
        }
    }
    found
}

#[test]
fn no_password_or_token_is_found_anywhere_after_a_full_run() {
    let (good, refusing) = (guarded(PASSWORD), guarded("something else"));
    let with_query = format!("{}?authbasic={QUERY}&loginuse={QUERY}", good.url());
    let cameras = camera(
        "court1",
        good.url().as_str(),
        "username = \"viewer\"\npassword_file = \"court1.password\"",
    ) + &camera(
        "queried",
        &with_query,
        &format!("username = \"viewer\"\npassword = \"{PASSWORD}\""),
    ) + &camera(
        "refused",
        refusing.url().as_str(),
        &format!("username = \"viewer\"\npassword = \"{WRONG}\""),
    );
    let told = Told {
        more: "token_file = \"token\"".to_owned(),
        ..Told::default()
    };
    let place = Place::new(&told, &cameras);
    let secret = |name: &str, text: &str| {
        let path = place.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let password_file = secret("court1.password", PASSWORD);
    let token_file = secret("token", TOKEN);
    let text = std::fs::read_to_string(&place.config).unwrap();
    let text = text
        .replace("\"court1.password\"", &format!("{password_file:?}"))
        .replace("\"token\"", &format!("{token_file:?}"));
    std::fs::write(&place.config, text).unwrap();

    // As the predecessors had it: the password in the address.
    let with_password = good
        .url()
        .to_string()
        .replace("rtsp://", &format!("rtsp://viewer:{PASSWORD}@"));
    let env_file = secret("venue.env", &format!("CAMERA_9_URL={with_password}\n"));
    for format in ["text", "json"] {
        full_run(&place, format, &env_file);
    }
    for path in files_below(&place.storage()) {
        clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

fn full_run(place: &Place, format: &str, env_file: &str) {
    let mut service = place.start_with(&[
        "--log-level",
        "trace",
        "--log-format",
        format,
        "--env-file",
        env_file,
    ]);
    let ask = |path: &str| {
        let url = format!("http://127.0.0.1:{}{path}", place.port);
        let request = ureq::get(url).header("authorization", format!("Bearer {TOKEN}"));
        let mut answer = request.call().ok()?;
        answer.body_mut().read_to_string().ok()
    };
    let limit = std::time::Instant::now() + PATIENCE;
    loop {
        let status = ask("/status").unwrap_or_default();
        let status: Value = serde_json::from_str(&status).unwrap_or_default();
        let held = status["buffers"][0]["seconds_held"].as_f64().unwrap_or(0.0);
        let states = [2, 3].map(|at| &status["captures"]["cameras"][at]["state"]);
        if held > 2.0 && states == ["refused_password", "streaming"] {
            break;
        }
        assert!(
            std::time::Instant::now() < limit,
            "{status}\n{}",
            service.said()
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let commands: [&[&str]; 4] = [
        &["press", "--wait", "--pre", "1s", "--post", "0s"],
        &["ring"],
        &["check"],
        &["press", "--camera", "nobody"],
    ];
    for arguments in commands {
        let mut command = place.command(arguments[0]);
        let (_, said) = run(command.args(&arguments[1..]).args([
            "--log-level",
            "trace",
            "--env-file",
            env_file,
        ]));
        clean(&format!("{arguments:?}"), said.as_bytes());
    }
    for path in ["/status", "/health", "/highlights", "/highlights?limit=1"] {
        clean(path, ask(path).unwrap().as_bytes());
    }
    for file in ["cmdline", "comm", "mountinfo"] {
        let path = format!("/proc/{}/{file}", service.pid());
        clean(&path, &std::fs::read(&path).unwrap());
    }
    service.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(service.wait_for_end(), Some(0), "{}", service.said());
    let said = service.said();
    assert!(said.contains("refused"), "it did log: {said}");
    clean("the log", said.as_bytes());
    if format == "json" {
        assert_is_json_with_events(&said);
    }
}

/// Each line of the log is one object; the rest was printed for people.
fn assert_is_json_with_events(said: &str) {
    let mut events = Vec::new();
    for line in said.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line).unwrap();
        for key in ["timestamp", "level", "event", "message"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
        events.push(line["event"].as_str().unwrap().to_owned());
    }
    for event in [
        "system_started",
        "camera_connected",
        "clip_saved",
        "system_stopped",
    ] {
        assert!(events.iter().any(|e| e == event), "no {event}: {events:?}");
    }
}
