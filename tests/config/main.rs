//! What people write into a configuration, what becomes of it, and what they are told.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hindsight::config::{
    self, CATALOGUES, Config, Loaded, LogFormat, Sources, TABLES, Transport, ValueKind, reference,
};
use tempfile::TempDir;

mod board;
mod delivery;

const CAMERA: &str = "[[camera]]\nid = \"court1\"\nurl = \"rtsp://192.0.2.10/s\"\n";
const CANARY: &str = "canary";

/// A folder with the sources of one configuration.
struct Desk {
    dir: TempDir,
    sources: Sources,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            dir: tempfile::tempdir().unwrap(),
            sources: Sources::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file that nobody else may read.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path
    }

    fn toml(mut self, text: &str) -> Desk {
        self.sources.file = Some(self.write("venue.toml", text));
        self
    }

    fn env_file(mut self, text: &str) -> Desk {
        self.sources.env_file = Some(self.write("venue.env", text));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Desk {
        self.sources.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn set(mut self, setting: &str) -> Desk {
        self.sources.set.push(setting.to_owned());
        self
    }

    fn load(&self) -> Loaded {
        config::load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    fn config(&self) -> Config {
        self.load().config
    }

    /// What people are told, without the folder's name.
    fn says(&self) -> String {
        let text = match config::load(&self.sources) {
            Err(error) => {
                assert!(!format!("{error:?}").contains(CANARY));
                error.to_string()
            }
            Ok(loaded) => {
                assert!(!format!("{loaded:?}").contains(CANARY));
                let warnings = loaded
                    .warnings
                    .iter()
                    .map(|line| format!("warning: {line}"));
                let notes = loaded.notes.iter().map(|line| format!("note: {line}"));
                let lines: Vec<String> = warnings.chain(notes).collect();
                if lines.is_empty() {
                    "fine".to_owned()
                } else {
                    lines.join("\n")
                }
            }
        };
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    let table = fs::read_to_string(root().join("tests/config/mistakes.txt")).unwrap();
    let mut wrong = Vec::new();
    let cases: Vec<&str> = table.split("====\n").skip(1).collect();
    for case in &cases {
        let mut parts: BTreeMap<&str, String> = BTreeMap::new();
        for part in case.split("---- ").skip(1) {
            let (name, text) = part.split_once('\n').unwrap();
            parts.insert(name, text.replace("@camera\n", CAMERA));
        }
        let mut desk = Desk::new();
        for (name, text) in &parts {
            desk = match *name {
                "venue.toml" => desk.toml(text),
                "venue.env" => desk.env_file(text),
                "environment" => {
                    text.lines()
                        .filter(|line| !line.is_empty())
                        .fold(desk, |desk, line| {
                            let (name, value) = line.split_once('=').unwrap();
                            desk.env(name, value)
                        })
                }
                "--set" => text
                    .lines()
                    .filter(|line| !line.is_empty())
                    .fold(desk, Desk::set),
                "says" => desk,
                other => panic!("no source is called {other}"),
            };
        }
        let (said, wanted) = (desk.says(), parts["says"].trim_end());
        if said != wanted || said.contains(CANARY) {
            wrong.push(format!("{case}---- but it said\n{said}\n"));
        }
    }
    assert!(cases.len() > 280, "only {} cases were found", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_loads_and_shows_the_defaults() {
    let example = root().join("hindsight.example.toml");
    let desk = Desk::new().toml(&fs::read_to_string(example).unwrap());
    assert_eq!(desk.says(), "fine");
    let config = desk.config();
    assert_eq!(config.venue.name, "Arena Central");
    assert_eq!(config.venue.timezone.iana_name(), Some("America/Sao_Paulo"));
    let camera = &config.cameras[0];
    assert_eq!(camera.id.as_str(), "court1");
    assert_eq!(camera.name, "Court 1, north");
    assert_eq!(camera.court, "Court 1");
    assert_eq!(camera.transport, Transport::Tcp);
    assert_eq!(camera.latency_ms, 300);
    let credentials = camera.credentials.as_ref().unwrap();
    assert_eq!(credentials.username, "viewer");
    assert_eq!(credentials.password.reveal(), "change me");

    let defaults = Desk::new().toml(CAMERA).config();
    let shown = |config: &Config| {
        let Config {
            venue: _,
            storage,
            ring,
            highlight,
            trigger,
            reconnect,
            cameras: _,
            http,
            log,
            board,
            buttons,
            leds,
            finish,
            queue,
            upload,
            targets,
            notices,
            ingest,
        } = config.clone();
        format!(
            "{storage:?} {ring:?} {highlight:?} {trigger:?} {reconnect:?} {ingest:?} {http:?} {log:?} \
             {board:?} {buttons:?} {leds:?} {finish:?} {queue:?} {upload:?} {targets:?} {notices:?}"
        )
    };
    assert_eq!(shown(&config), shown(&defaults));
}

/// Everything from the buttons on, with its comments' marks taken away.
#[test]
fn what_the_example_holds_in_comments_can_be_used() {
    let desk = Desk::new();
    for name in ["cloud.secret", "backend.secret"] {
        desk.write(name, "canary");
    }
    desk.write("ca.pem", "-----BEGIN CERTIFICATE-----\n");
    fs::write(desk.path("logo.png"), delivery::png(3, 2)).unwrap();
    let example = fs::read_to_string(root().join("hindsight.example.toml")).unwrap();
    let (before, after) = example.split_once("\n# (5) One").unwrap();
    let used = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_setting = bare.starts_with("[[") || bare.contains(" = ");
        let instead = bare.contains("\"…\"");
        match is_setting && !instead {
            true => bare.to_owned(),
            false => line.to_owned(),
        }
    };
    let after: Vec<String> = after.lines().map(used).collect();
    let dir = format!("{}/", desk.dir.path().display());
    let after = after.join("\n").replace("/etc/hindsight/", &dir);
    let desk = desk.toml(&format!("{before}\n# (5) One{after}\n"));
    assert_eq!(
        desk.says(),
        "warning: venue.toml:148: [queue] keep = \"30d\" counts only where nothing is uploaded; here \
         highlights go 7d after they were uploaded (keep_uploaded), and those that were not stay"
    );
    let config = desk.config();
    assert_eq!((config.buttons.len(), config.leds.len()), (2, 1));
    assert_eq!((config.finish.logos.len(), config.targets.len()), (1, 3));
}

#[test]
fn every_key_stands_in_the_example() {
    let example = fs::read_to_string(root().join("hindsight.example.toml")).unwrap();
    let mut table = String::new();
    let mut seen = Vec::new();
    for line in example.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            seen.push((table.clone(), key.to_owned()));
        }
    }
    for spec in TABLES {
        for key in spec.keys {
            let wanted = (spec.name.to_owned(), key.name.to_owned());
            assert!(
                seen.contains(&wanted),
                "{} {} is not in the example",
                spec.header(),
                key.name
            );
        }
    }
}

/// Between two marks; `HINDSIGHT_WRITE_DOCS=1` writes it anew.
#[test]
fn every_key_stands_in_the_docs_as_in_its_table() {
    let path = root().join("docs/config.md");
    let docs = fs::read_to_string(&path).unwrap();
    let (before, rest) = docs.split_once("<!-- keys -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of keys -->").unwrap();
    let wanted = format!(
        "{before}<!-- keys -->\n{}<!-- end of keys -->{after}",
        reference()
    );
    if std::env::var_os("HINDSIGHT_WRITE_DOCS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(
        docs == wanted,
        "docs/config.md is not what the tables say; HINDSIGHT_WRITE_DOCS=1 writes it"
    );
}

/// Of tables of which there is one: written out, it changes nothing.
#[test]
fn a_default_in_the_docs_is_the_programs() {
    let plain = format!("{:?}", Desk::new().toml(CAMERA).config());
    for spec in TABLES.iter().filter(|spec| spec.repeats.is_none()) {
        for key in spec.keys.iter().filter(|key| !key.default.is_empty()) {
            let toml = format!("[{}]\n{} = {}\n{CAMERA}", spec.name, key.name, key.default);
            let written = format!("{:?}", Desk::new().toml(&toml).config());
            assert_eq!(written, plain, "{} {}", spec.header(), key.name);
        }
    }
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    for spec in TABLES {
        for key in spec.keys.iter().filter(|key| key.kind == ValueKind::Secret) {
            assert!(spec.key(&format!("{}_file", key.name)).is_some());
        }
    }
}

#[test]
fn every_code_of_a_configuration_stands_once_and_says_what_it_is_about() {
    let mut codes: Vec<&str> = CATALOGUES
        .iter()
        .flat_map(|all| all.iter().map(|entry| entry.code))
        .collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    assert!(codes.iter().all(|code| code.starts_with("config_")));
}

#[test]
fn a_problem_has_a_code_and_arguments_beside_its_text() {
    let desk = Desk::new().toml("[highlight]\npre = 40\n");
    let error = config::load(&desk.sources).unwrap_err();
    let sentences: Vec<_> = error
        .problems
        .iter()
        .map(|problem| &problem.sentence)
        .collect();
    let [no_camera, no_unit] = &sentences[..] else {
        panic!("{error}");
    };
    let file = desk.path("venue.toml").display().to_string();
    assert_eq!(
        serde_json::to_value(no_unit).unwrap(),
        serde_json::json!({
            "code": "config_no_unit",
            "args": {"file": file, "line": 2, "key": "[highlight] pre", "value": "40", "number": "40"},
            "text": "[highlight] pre = 40 has no unit; if seconds are meant, write \"40s\"",
        })
    );
    assert_eq!(no_camera.code, "config_no_camera");
    assert!(!no_camera.args.contains_key("line"));
    let desk = Desk::new().toml(CAMERA).set("ring.secnods=1");
    let error = config::load(&desk.sources).unwrap_err();
    assert_eq!(
        serde_json::to_value(&error.problems[0].sentence).unwrap()["args"]["why"]["args"]["near"],
        "seconds"
    );
}

#[test]
fn command_line_over_environment_over_env_file_over_toml() {
    let desk = Desk::new().toml(&format!("[ring]\nseconds = 100\n{CAMERA}"));
    assert_eq!(desk.config().ring.seconds, 100);
    let desk = desk.env_file("BUFFER_SECONDS=110\n");
    assert_eq!(desk.config().ring.seconds, 110);
    let desk = desk.env("HINDSIGHT_RING_SECONDS", "120");
    assert_eq!(desk.config().ring.seconds, 120);
    let desk = desk.set("ring.seconds=130");
    assert_eq!(desk.config().ring.seconds, 130);
}

#[test]
fn every_key_can_be_set_from_the_environment() {
    let desk = Desk::new().toml(&CAMERA.replace("court1", "court-1"));
    let token = desk.write("token", "canary-canary-canary\n");
    let password = desk.write("password", "canary\r\n");
    let config = desk
        .env("HINDSIGHT_VENUE_NAME", "Arena")
        .env("HINDSIGHT_VENUE_TIMEZONE", "Europe/Berlin")
        .env("HINDSIGHT_STORAGE_PATH", "/srv")
        .env("HINDSIGHT_RING_DIR", "/run/x")
        .env("HINDSIGHT_RING_MAX_BITRATE", "800k")
        .env("HINDSIGHT_HIGHLIGHT_PRE", "20s")
        .env("HINDSIGHT_HIGHLIGHT_POST", "0s")
        .env("HINDSIGHT_HIGHLIGHT_STOP_GRACE", "5s")
        .env("HINDSIGHT_TRIGGER_MODE", "http")
        .env("HINDSIGHT_RECONNECT_INITIAL_DELAY", "2s")
        .env("HINDSIGHT_RECONNECT_MAX_DELAY", "1m")
        .env("HINDSIGHT_RECONNECT_MAX_ATTEMPTS", "7")
        .env("HINDSIGHT_HTTP_LISTEN", "0.0.0.0:80")
        .env("HINDSIGHT_HTTP_TOKEN_FILE", token.to_str().unwrap())
        .env("HINDSIGHT_LOG_FORMAT", "JSON")
        .env("HINDSIGHT_CAMERA_COURT_1_NAME", "Court 1")
        .env("HINDSIGHT_CAMERA_COURT_1_URL", "rtsp://cam/x")
        .env("HINDSIGHT_CAMERA_COURT_1_USERNAME", "viewer")
        .env(
            "HINDSIGHT_CAMERA_COURT_1_PASSWORD_FILE",
            password.to_str().unwrap(),
        )
        .env("HINDSIGHT_CAMERA_COURT_1_TRANSPORT", "udp")
        .env("HINDSIGHT_CAMERA_COURT_1_LATENCY", "250ms")
        .config();
    assert_eq!(config.venue.name, "Arena");
    assert_eq!(config.venue.timezone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(config.storage.path, Path::new("/srv"));
    assert_eq!(config.ring.dir, Path::new("/run/x"));
    assert_eq!(config.ring.max_bitrate_bps, 800_000);
    let highlight = config.highlight;
    assert_eq!((highlight.pre_ms, highlight.post_ms), (20_000, 0));
    assert_eq!(highlight.stop_grace_ms, 5000);
    assert!(config.trigger.http && !config.trigger.keyboard);
    assert_eq!(
        (config.reconnect.initial_ms, config.reconnect.max_ms),
        (2000, 60_000)
    );
    assert_eq!(config.reconnect.max_attempts, Some(7));
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:80");
    assert_eq!(config.http.token.unwrap().reveal(), "canary-canary-canary");
    assert_eq!(config.log.format, LogFormat::Json);
    let camera = &config.cameras[0];
    assert_eq!(
        (camera.name.as_str(), camera.url.as_str()),
        ("Court 1", "rtsp://cam/x")
    );
    assert_eq!(
        camera.credentials.as_ref().unwrap().password.reveal(),
        "canary"
    );
    assert_eq!((camera.transport, camera.latency_ms), (Transport::Udp, 250));
}

#[test]
fn the_predecessors_file_is_enough() {
    let desk = Desk::new().env_file(
        "\u{feff}# the old box\r\n\
         export CAMERA_1_URL=\"rtsp://viewer:can%40ary@192.0.2.10:554/stream1?a=b\"\r\n\
         CAMERA_1_NAME='Court 1'\r\n\
         CAMERA_2_URL=rtsp://192.0.2.11/stream1   # the other one\r\n\
         BUFFER_SECONDS=120.5\r\n\
         FINAL_CLIP_DURATION=25\r\n\
         CLIPS_DIR=/srv/clips\r\n\
         TRIGGER_MODE=BOTH\r\n\
         HTTP_PORT=9000\r\n\
         RECONNECT_INITIAL_DELAY=1.5\r\n\
         RECONNECT_MAX_DELAY=60\r\n\
         RECONNECT_MAX_ATTEMPTS=0\r\n\
         LOG_LEVEL=WARNING\r\n",
    );
    let config = desk.config();
    let [one, two] = &config.cameras[..] else {
        panic!("{} cameras", config.cameras.len());
    };
    assert_eq!((one.id.as_str(), one.name.as_str()), ("camera1", "Court 1"));
    assert_eq!(one.url.as_str(), "rtsp://192.0.2.10:554/stream1?a=b");
    let credentials = one.credentials.as_ref().unwrap();
    assert_eq!(credentials.username, "viewer");
    assert_eq!(credentials.password.reveal(), "can@ary");
    assert_eq!(
        (two.id.as_str(), two.name.as_str()),
        ("camera2", "Camera 2")
    );
    assert!(two.credentials.is_none());
    assert_eq!(config.ring.seconds, 121);
    assert_eq!(
        (config.highlight.pre_ms, config.highlight.post_ms),
        (25_000, 0)
    );
    assert_eq!(config.storage.path, Path::new("/srv/clips"));
    assert!(config.trigger.http && config.trigger.keyboard);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(
        (config.reconnect.initial_ms, config.reconnect.max_ms),
        (1500, 60_000)
    );
    assert_eq!(config.reconnect.max_attempts, None);
    assert_eq!(config.log.level, log::LevelFilter::Warn);
}

#[test]
fn an_env_file_adds_its_cameras_to_the_toml_files_and_overrides_those_of_the_same_id() {
    let toml = CAMERA.replace("court1", "camera2");
    let desk = Desk::new()
        .toml(&format!("{CAMERA}{toml}"))
        .env_file("CAMERA_2_NAME=Two\nCAMERA_3_URL=rtsp://192.0.2.12/s\n")
        .env("HINDSIGHT_CAMERA_CAMERA3_LATENCY", "1s");
    let config = desk.config();
    let names: Vec<_> = config
        .cameras
        .iter()
        .map(|camera| (camera.id.as_str(), camera.name.as_str()))
        .collect();
    let wanted = [
        ("court1", "court1"),
        ("camera2", "Two"),
        ("camera3", "Camera 3"),
    ];
    assert_eq!(names, wanted);
    assert_eq!(config.cameras[2].latency_ms, 1000);
}

#[test]
fn a_higher_sources_password_replaces_the_lower_ones_file() {
    let desk = Desk::new();
    let file = desk.write("password", "low");
    let toml = format!("{CAMERA}username = \"viewer\"\npassword_file = {file:?}\n");
    let desk = desk.toml(&toml);
    let password = |desk: &Desk| {
        let config = desk.config();
        let credentials = config.cameras[0].credentials.as_ref().unwrap();
        credentials.password.reveal().to_owned()
    };
    assert_eq!(password(&desk), "low");
    let desk = desk.env("HINDSIGHT_CAMERA_COURT1_PASSWORD", "high");
    assert_eq!(password(&desk), "high");
}

#[test]
fn systemds_credentials_are_found_by_their_names_and_what_is_written_counts_more() {
    let desk = Desk::new();
    let dir = desk.path("credentials");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("camera.court1.password"), "canary from systemd\n").unwrap();
    fs::write(dir.join("http.token"), "canary-canary-canary").unwrap();
    let desk = desk
        .toml(&format!("{CAMERA}username = \"viewer\"\n"))
        .env("CREDENTIALS_DIRECTORY", dir.to_str().unwrap());
    let config = desk.config();
    let credentials = config.cameras[0].credentials.as_ref().unwrap();
    assert_eq!(credentials.password.reveal(), "canary from systemd");
    assert_eq!(config.http.token.unwrap().reveal(), "canary-canary-canary");

    let desk = desk.env("HINDSIGHT_CAMERA_COURT1_PASSWORD", "written");
    let credentials = desk.config().cameras[0].credentials.clone().unwrap();
    assert_eq!(credentials.password.reveal(), "written");
    assert_eq!(
        desk.says(),
        "warning: environment: HINDSIGHT_CAMERA_COURT1_PASSWORD counts, and not systemd's \
         credential credentials/camera.court1.password beside it"
    );
    fs::write(dir.join("http.token"), "canary").unwrap();
    assert_eq!(
        desk.says(),
        "environment: systemd's credential http.token is a token of 6 characters; use at least \
         16 (make one with: openssl rand -hex 24)"
    );
}

#[test]
fn secrets_that_everybody_may_read_are_warned_of() {
    let desk = Desk::new();
    let file = desk.write("password", "canary");
    let toml = format!("{CAMERA}username = \"viewer\"\npassword_file = {file:?}\n");
    let desk = desk.toml(&toml);
    assert_eq!(desk.says(), "fine");
    chmod(&file, 0o644);
    assert_eq!(
        desk.says(),
        "warning: venue.toml:5: [[camera]] password_file = \"password\" may be read by everybody \
         on this machine; chmod o-r it"
    );

    let desk = Desk::new().toml(&format!(
        "{CAMERA}username = \"viewer\"\npassword = \"canary\"\n"
    ));
    assert_eq!(desk.says(), "fine");
    chmod(&desk.path("venue.toml"), 0o644);
    assert_eq!(
        desk.says(),
        "warning: venue.toml:5: [[camera]] password stands in a file that everybody on this \
         machine may read; chmod o-r it, or move the secret to a file of its own"
    );

    let desk = Desk::new().env_file("CAMERA_1_URL=rtsp://viewer:canary@192.0.2.10/s\n");
    assert_eq!(desk.says(), "fine");
    chmod(&desk.path("venue.env"), 0o644);
    assert_eq!(
        desk.says(),
        "warning: venue.env: holds passwords and may be read by everybody on this machine; \
         chmod o-r it"
    );
}

#[test]
fn a_secrets_file_holds_one_line() {
    for (text, said) in [
        ("", "is empty; write the secret into it, on one line"),
        ("\n\n", "is empty; write the secret into it, on one line"),
        (
            "canary\ncanary\n",
            "has several lines; the file must hold the secret alone, on one line",
        ),
        (
            &"canary".repeat(1000),
            "is too long for a secret; the file must hold it alone, on one line",
        ),
    ] {
        let desk = Desk::new();
        let file = desk.write("password", text);
        let toml = format!("{CAMERA}username = \"viewer\"\npassword_file = {file:?}\n");
        let wanted = format!("venue.toml:5: [[camera]] password_file = \"password\" {said}");
        assert_eq!(desk.toml(&toml).says(), wanted);
    }
}

#[test]
fn files_that_cannot_be_read_are_told_with_what_to_do() {
    let mut desk = Desk::new();
    desk.sources.file = Some(desk.path("none.toml"));
    assert_eq!(
        desk.says(),
        "none.toml: there is no such file; copy hindsight.example.toml there and fill in the \
         cameras, or name another with --config FILE (\"hindsight demo\" needs none)"
    );
    desk.sources.file = None;
    desk.sources.env_file = Some(desk.path("none.env"));
    assert_eq!(
        desk.says(),
        "none.env: there is no such file; name another with --env-file FILE"
    );
    desk.sources.env_file = None;
    desk.sources.file = Some(desk.write("latin1.toml", ""));
    fs::write(desk.path("latin1.toml"), b"name = \"Gen\xe8ve\"").unwrap();
    assert_eq!(
        desk.says(),
        "latin1.toml: is not UTF-8 text; save it as UTF-8 in the editor"
    );
    fs::create_dir(desk.path("dir.toml")).unwrap();
    desk.sources.file = Some(desk.path("dir.toml"));
    assert_eq!(desk.says(), "dir.toml: is a folder; name the file in it");
}

/// Pieces that a slip of the hand puts into a file, and what it may take out.
fn slip(text: &str, edits: &[(usize, usize, usize)]) -> String {
    const PIECES: [&str; 12] = [
        "", "\"", "'", "\n", "=", "[", "]", "#", "@", "é", "\\u", " x ",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for (at, cut, piece) in edits {
        let at = at % chars.len().max(1);
        let end = (at + cut % 12).min(chars.len());
        chars.splice(at.min(end)..end, PIECES[piece % PIECES.len()].chars());
    }
    chars.into_iter().collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn no_slip_of_the_hand_makes_it_panic_or_tell_a_secret(
        edits in proptest::collection::vec((0usize..2000, 0usize..12, 0usize..12), 1)
    ) {
        let toml = format!(
            "[ring]\nseconds = 90\n[http]\ntoken = \"geheim-geheim-geheim\"\n{CAMERA}\
             username = \"viewer\"\npassword = \"geheim\"\nlatency = \"300ms\"\n\
             [[button]]\npin = 17\ncameras = [\"court1\"]\n[[target]]\nid = \"cloud\"\nkind = \"s3\"\n\
             endpoint = \"https://s3.example.com\"\nbucket = \"arena\"\naccess_key_id = \"AKIA\"\n\
             secret_access_key = \"geheim\"\n"
        );
        let said = Desk::new().toml(&slip(&toml, &edits)).says();
        proptest::prop_assert!(!said.contains("geheim"), "{said}");
        let env = "CAMERA_1_URL=\"rtsp://viewer:geheim@192.0.2.10/s\"\nCAMERA_1_NAME='x'\n\
                   export BUFFER_SECONDS=90 # x\nHTTP_PORT=9000\n";
        let said = Desk::new().env_file(&slip(env, &edits)).says();
        proptest::prop_assert!(!said.contains("geheim"), "{said}");
    }
}
