//! `hindsight appliance config` in a folder that stands for the box: what is on the card, what is handed
//! over, what is told; boot after boot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hindsight::base::notice;
use hindsight::config::{self, Config, Sources};

/// A box whose data disk is a folder.
struct Card {
    root: tempfile::TempDir,
}

const CAMERA: &str = "[[camera]]\r\nid = \"court1\"\r\nurl = \"rtsp://192.0.2.10:554/stream1\"\r\n";

impl Card {
    fn new() -> Card {
        let root = tempfile::tempdir().unwrap();
        for folder in [
            "boot/firmware",
            "run/hindsight-disk",
            "dev",
            "proc/sys/kernel",
            "proc/device-tree",
            "sys/class/leds/ACT",
        ] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for (file, text) in [
            ("dev/console", ""),
            ("proc/sys/kernel/hostname", "localhost\n"),
            ("proc/device-tree/serial-number", "100000001234abcd\0"),
            ("sys/class/leds/ACT/trigger", "none [mmc0] timer\n"),
        ] {
            fs::write(root.path().join(file), text).unwrap();
        }
        Card { root }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path("boot/firmware").join(name), bytes).unwrap();
    }

    fn on_card(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path("boot/firmware").join(name)).ok()
    }

    /// A boot: what is in memory is gone.
    fn boot(&self) -> String {
        for folder in ["run/hindsight", "run/hindsight-box"] {
            let _ = fs::remove_dir_all(self.path(folder));
        }
        fs::write(self.path("dev/console"), "").unwrap();
        fs::write(self.path("sys/class/leds/ACT/trigger"), "[mmc0]").unwrap();
        self.take_over()
    }

    fn take_over(&self) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
        command.args(["appliance", "config", "--root"]);
        let out = command.arg(self.root.path()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned()
            + &String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(0), "{said}");
        said
    }

    /// What the service would run with.
    fn runs(&self) -> Config {
        let sources = Sources {
            file: Some(self.path("run/hindsight/hindsight.toml")),
            may_lack_cameras: true,
            ..Sources::default()
        };
        config::load(&sources).unwrap().config
    }

    fn cameras(&self) -> Vec<String> {
        let cameras = self.runs().cameras;
        cameras.iter().map(|camera| camera.id.to_string()).collect()
    }

    fn notices(&self) -> Vec<String> {
        let all = notice::read(&self.path("run/hindsight/notices"));
        all.iter()
            .map(|n| format!("{}: {}: {}", n.place, n.what, n.what_to_do))
            .collect()
    }

    fn blinks(&self) -> bool {
        fs::read_to_string(self.path("sys/class/leds/ACT/trigger")).unwrap() == "timer"
    }
}

/// Every file of the card with its bytes.
fn all_of(folder: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let changed = entry.metadata().unwrap().modified().unwrap();
            (name, fs::read(entry.path()).unwrap(), changed)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_good_file_runs_and_a_second_boot_writes_nothing_to_the_card() {
    let card = Card::new();
    card.put("hindsight.toml", CAMERA);
    let said = card.boot();
    assert!(said.contains("the card's configuration runs"), "{said}");
    assert_eq!(card.cameras(), ["court1"]);
    assert_eq!(card.notices(), [""; 0]);
    assert_eq!(card.on_card("hindsight-error.txt"), None);
    assert!(!card.blinks());
    let config = card.runs();
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:8080");
    let token = card.on_card("token.txt").unwrap();
    let token = token.lines().next().unwrap();
    assert_eq!(config.http.token.unwrap().reveal(), token);
    let screen = fs::read_to_string(card.path("dev/console")).unwrap();
    assert!(
        screen.contains(&format!("the API's token is {token}")),
        "{screen}"
    );
    let name = fs::read_to_string(card.path("proc/sys/kernel/hostname")).unwrap();
    assert!(
        screen.contains(&format!("this box is {name}, http://{name}.local:8080")),
        "{screen}"
    );
    assert!(name.starts_with("hindsight-") && name.len() == "hindsight-".len() + 6);
    let before = all_of(&card.path("boot/firmware"));
    card.boot();
    assert_eq!(all_of(&card.path("boot/firmware")), before);
    let screen = fs::read_to_string(card.path("dev/console")).unwrap();
    assert!(!screen.contains("token"), "told once: {screen}");
    let mode = |file: &str| fs::metadata(card.path(file)).unwrap().permissions().mode() & 0o777;
    for (file, want) in [
        ("run/hindsight/hindsight.toml", 0o640),
        ("run/hindsight/token", 0o640),
        ("run/hindsight", 0o750),
        ("run/hindsight-disk/box", 0o700),
        ("run/hindsight-disk/box/token", 0o600),
        ("run/hindsight-box/ssh/ssh_host_ed25519_key", 0o600),
    ] {
        assert_eq!(mode(file), want, "{file}");
    }
}

#[test]
fn a_bad_file_does_not_stop_the_box_and_the_error_file_says_line_key_and_remedy() {
    let card = Card::new();
    card.put("hindsight.toml", CAMERA);
    card.boot();
    let bad = format!("[ring]\r\nsecnds = 90\r\n[http]\r\n{CAMERA}latency = \"300\"\r\n");
    card.put("hindsight.toml", &bad);
    let said = card.boot();
    assert!(said.contains("the last good configuration runs"), "{said}");
    assert_eq!(card.cameras(), ["court1"]);
    assert!(card.blinks());
    let error = card.on_card("hindsight-error.txt").unwrap();
    for part in [
        "hindsight.toml: the configuration cannot be used, the last good one runs\r\n",
        "    line 2: [ring] secnds is unknown; did you mean seconds?",
        "    line 7: [[camera]] latency = \"300\" has no unit; write milliseconds like \"300ms\"\r\n",
    ] {
        assert!(error.contains(part), "{part:?} is not in\n{error}");
    }
    let before = all_of(&card.path("boot/firmware"));
    card.boot();
    assert_eq!(all_of(&card.path("boot/firmware")), before, "written once");
    card.put("hindsight.toml", CAMERA.replace("court1", "court2"));
    card.boot();
    assert_eq!(card.cameras(), ["court2"]);
    assert_eq!(
        card.on_card("hindsight-error.txt"),
        None,
        "gone when all is well"
    );
    card.put("hindsight.toml", &bad);
    card.boot();
    assert_eq!(
        card.cameras(),
        ["court2"],
        "the last good one is the newest"
    );
}

#[test]
fn a_box_that_never_had_a_good_file_comes_up_and_answers_on_its_network() {
    let card = Card::new();
    let answers = || {
        let config = card.runs();
        assert!(config.cameras.is_empty());
        assert_eq!(config.http.listen.to_string(), "0.0.0.0:8080");
        assert!(config.http.token.is_some());
        assert!(card.blinks());
        card.notices().join("\n")
    };
    card.boot();
    let told = answers();
    assert!(told.starts_with("hindsight.toml: the configuration cannot be used, so no camera is watched: there is no such file"), "{told}");
    card.put("hindsight.toml", "[ring\nseconds = 90");
    card.boot();
    let told = answers();
    assert!(told.contains("line 1: the closing ] is missing"), "{told}");
    // As the card comes: all in comments, but perhaps the lights are written already.
    card.put(
        "hindsight.toml",
        "# all in comments\n[[led]]\npin = 17\nrole = \"status\"\n",
    );
    let said = card.boot();
    assert!(said.contains("without cameras"), "{said}");
    let told = answers();
    assert!(
        told.starts_with(
            "hindsight.toml: no camera is configured yet: there is no camera; add a line [[camera]]"
        ),
        "{told}"
    );
    assert_eq!(card.runs().leds.len(), 1);
}

#[test]
fn whatever_the_editor_made_of_the_file_it_is_read_or_told_in_plain_words() {
    let card = Card::new();
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(CAMERA.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let marked = [b"\xef\xbb\xbf", CAMERA.as_bytes()].concat();
    for bytes in [utf16, marked] {
        card.put("hindsight.toml", bytes);
        card.boot();
        assert_eq!(card.cameras(), ["court1"]);
        assert_eq!(card.notices(), [""; 0]);
    }
    card.put("hindsight.toml", b"[venue]\nname = \"S\xe3o\"\n");
    card.boot();
    let told = card.notices().join("\n");
    assert!(
        told.contains("line 2 has a letter that is not UTF-8; save the file as UTF-8"),
        "{told}"
    );
    fs::remove_file(card.path("boot/firmware/hindsight.toml")).unwrap();
    card.put("hindsight.toml.txt", CAMERA.replace("court1", "twice"));
    card.boot();
    assert_eq!(card.cameras(), ["twice"]);
    assert_eq!(card.notices(), [""; 0]);
    card.put("hindsight.toml", CAMERA);
    card.boot();
    assert_eq!(card.cameras(), ["court1"]);
    let told = card.notices().join("\n");
    assert!(
        told.starts_with("hindsight.toml.txt: two configurations are on the card"),
        "{told}"
    );
    assert!(!card.blinks(), "a warning, no fault");
}

#[test]
fn files_beside_the_configuration_are_handed_over_and_the_last_good_ones_kept() {
    let card = Card::new();
    let logo = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/logo.png")).unwrap();
    card.put("logo.png", &logo);
    card.put("court1.password", "geheim\r\n");
    let text = format!(
        "{CAMERA}username = \"viewer\"\npassword_file = \"/boot/firmware/court1.password\"\n\
         [[logo]]\nfile = \"/boot/firmware/logo.png\"\n"
    );
    card.put("hindsight.toml", &text);
    let said = card.boot();
    assert!(
        said.contains("the card's configuration runs"),
        "{said}{:?}",
        card.notices()
    );
    let config = card.runs();
    assert_eq!(
        config.cameras[0]
            .credentials
            .as_ref()
            .unwrap()
            .password
            .reveal(),
        "geheim"
    );
    let copied = &config.finish.logos[0].file;
    assert!(
        copied.starts_with(card.path("run/hindsight/firmware")),
        "{copied:?}"
    );
    assert_eq!(fs::read(copied).unwrap(), logo);
    // The logo is gone: its line is named, and the last good one still has it.
    fs::remove_file(card.path("boot/firmware/logo.png")).unwrap();
    card.boot();
    let told = card.notices().join("\n");
    let want =
        "line 7: [[logo]] file = \"/boot/firmware/logo.png\" does not exist; copy the logo there";
    assert!(told.contains(want), "{told}");
    assert_eq!(fs::read(&card.runs().finish.logos[0].file).unwrap(), logo);
    // So has a box whose card cannot be read at all.
    fs::rename(card.path("boot/firmware"), card.path("boot/gone")).unwrap();
    card.boot();
    assert_eq!(fs::read(&card.runs().finish.logos[0].file).unwrap(), logo);
    let told = card.notices().join("\n");
    assert!(
        told.contains("the card's first part cannot be read"),
        "{told}"
    );
}

#[test]
fn clips_that_would_go_beside_the_disk_are_refused() {
    let card = Card::new();
    card.put(
        "hindsight.toml",
        format!("[storage]\npath = \"/srv/clips\"\n{CAMERA}"),
    );
    card.boot();
    let told = card.notices().join("\n");
    assert!(
        told.contains("[storage] path = \"/srv/clips\" is not on the disk of this box"),
        "{told}"
    );
}

#[test]
fn a_token_of_ones_own_counts() {
    let card = Card::new();
    card.put(
        "hindsight.toml",
        format!("[http]\ntoken = \"chosen-by-the-venue\"\n{CAMERA}"),
    );
    card.boot();
    assert_eq!(
        card.runs().http.token.unwrap().reveal(),
        "chosen-by-the-venue"
    );
    card.put("hindsight.toml", CAMERA);
    card.put("token.txt", "another-of-the-venue\r\n");
    card.boot();
    assert_eq!(
        card.runs().http.token.unwrap().reveal(),
        "another-of-the-venue"
    );
}

#[test]
fn the_wifi_is_taken_over_and_its_password_is_gone_from_the_card() {
    let card = Card::new();
    card.put("hindsight.toml", CAMERA);
    let text = "ssid = Arena\r\npassword = streng geheim\r\ncountry = BR\r\n";
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    card.put("wifi.txt", &utf16);
    card.boot();
    let left = card.on_card("wifi.txt").unwrap();
    assert!(
        left.starts_with("ssid = Arena\r\npassword = (taken over)\r\n"),
        "{left}"
    );
    assert!(left.len() >= utf16.len() && !left.contains("geheim"));
    let handed = || fs::read_to_string(card.path("run/hindsight-box/wpa_supplicant.conf")).unwrap();
    assert!(handed().contains("psk=\"streng geheim\""));
    let before = all_of(&card.path("boot/firmware"));
    card.boot();
    assert!(handed().contains("psk=\"streng geheim\""));
    assert_eq!(all_of(&card.path("boot/firmware")), before);
    assert_eq!(card.notices(), [""; 0]);
    // Another disk: it does not know the password.
    fs::remove_dir_all(card.path("run/hindsight-disk/box")).unwrap();
    card.boot();
    let told = card.notices().join("\n");
    assert!(
        told.contains("wifi.txt: the Wi-Fi's password is not known any more"),
        "{told}"
    );
    card.put("wifi.txt", "ssid = Arena\npassword = short\n");
    card.boot();
    let told = card.notices().join("\n");
    assert!(
        told.contains("password has 5 characters") && !told.contains("short"),
        "{told}"
    );
}

#[test]
fn without_a_disk_the_wifis_password_stays_on_the_card() {
    let card = Card::new();
    fs::remove_dir(card.path("run/hindsight-disk")).unwrap();
    let text = "ssid = Arena\r\npassword = streng geheim\r\n";
    card.put("wifi.txt", text);
    card.put("hindsight.toml", CAMERA);
    card.boot();
    assert_eq!(card.on_card("wifi.txt").unwrap(), text);
    let handed = fs::read_to_string(card.path("run/hindsight-box/wpa_supplicant.conf")).unwrap();
    assert!(handed.contains("psk=\"streng geheim\""));
}

#[test]
fn a_key_opens_ssh_and_no_key_closes_it_and_the_box_keeps_its_own_key() {
    let card = Card::new();
    card.put("hindsight.toml", CAMERA);
    card.boot();
    let handed = card.path("run/hindsight-box/ssh/authorized_keys");
    assert!(!handed.exists());
    let key = format!("ssh-ed25519 {} me@home", "A".repeat(60));
    card.put("authorized_keys", format!("# mine\r\n{key}\r\n"));
    card.boot();
    assert_eq!(fs::read_to_string(&handed).unwrap(), format!("{key}\n"));
    let own = || fs::read(card.path("run/hindsight-box/ssh/ssh_host_ed25519_key.pub")).unwrap();
    let first = own();
    card.put("authorized_keys", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    card.boot();
    let told = card.notices().join("\n");
    assert!(
        told.contains(
            "authorized_keys: the keys for logging in cannot be used: line 1 is no public key"
        ),
        "{told}"
    );
    assert_eq!(
        fs::read_to_string(&handed).unwrap(),
        format!("{key}\n"),
        "as it was"
    );
    fs::remove_file(card.path("boot/firmware/authorized_keys")).unwrap();
    card.boot();
    assert!(!handed.exists());
    card.boot();
    assert!(!handed.exists(), "forgotten on the disk too");
    assert_eq!(own(), first);
}

#[test]
fn to_take_over_twice_in_a_boot_changes_nothing() {
    let card = Card::new();
    card.put("hindsight.toml", format!("[ring]\nsecnds = 90\n{CAMERA}"));
    card.boot();
    let folder = card.path("run/hindsight");
    let before = (
        card.notices(),
        fs::read(folder.join("hindsight.toml")).unwrap(),
        all_of(&card.path("boot/firmware")),
    );
    card.take_over();
    let after = (
        card.notices(),
        fs::read(folder.join("hindsight.toml")).unwrap(),
        all_of(&card.path("boot/firmware")),
    );
    assert_eq!(before, after);
}

/// Calls that change something; strace counts each kind apart.
const CALLS: [&str; 9] = [
    "write",
    "pwrite64",
    "?rename,?renameat,renameat2",
    "fsync",
    "fdatasync",
    "?mkdir,mkdirat",
    "?unlink,unlinkat",
    "?chmod,fchmodat",
    "ftruncate",
];

/// Takes over, and is killed at its `n`-th call of a kind. False: it has fewer. `None`: it cannot be
/// done on this machine.
fn killed_at(card: &Card, calls: &str, n: usize) -> Option<bool> {
    let out = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("trace={calls}"))
        .arg("-e")
        .arg(format!("inject={calls}:signal=SIGKILL:when={n}"))
        .arg(env!("CARGO_BIN_EXE_hindsight"))
        .args(["appliance", "config", "--root"])
        .arg(card.root.path())
        .output();
    match out {
        Ok(out) if out.status.success() => Some(false),
        Ok(out) if String::from_utf8_lossy(&out.stderr).contains("Operation not permitted") => None,
        Ok(_) => Some(true),
        Err(_) => None,
    }
}

#[test]
fn wherever_it_is_killed_the_next_boot_has_taken_over_everything_and_lost_nothing() {
    const MOST: usize = 200;
    let mut kills = Vec::new();
    for calls in CALLS {
        for n in 1..=MOST {
            assert!(n < MOST, "it never ends: {calls}");
            match a_boot_that_is_killed(calls, n) {
                None => {
                    eprintln!("SKIPPED: strace is not there, or may not trace");
                    return;
                }
                Some(false) => break,
                Some(true) => kills.push((calls, n)),
            }
        }
    }
    assert!(kills.len() > 20, "it was killed only so: {kills:?}");
}

/// A boot with everything new on the card, killed at a call; what the next one makes of it.
fn a_boot_that_is_killed(calls: &str, n: usize) -> Option<bool> {
    let card = Card::new();
    card.put("hindsight.toml", CAMERA);
    card.boot();
    let token = card.on_card("token.txt");
    card.put("hindsight.toml", CAMERA.replace("court1", "court2"));
    card.put("wifi.txt", "ssid = Arena\r\npassword = streng geheim\r\n");
    let key = format!("ssh-ed25519 {} me@home", "A".repeat(60));
    card.put("authorized_keys", &key);
    if !killed_at(&card, calls, n)? {
        return Some(false);
    }
    // A bad file now: what was taken over before counts, the old one or the new one whole.
    card.put("hindsight.toml", "[ring\n");
    card.boot();
    let at = format!("{calls} {n}");
    let cameras = card.cameras();
    assert!(
        cameras == ["court1"] || cameras == ["court2"],
        "{at}: {cameras:?}"
    );
    let wifi = fs::read_to_string(card.path("run/hindsight-box/wpa_supplicant.conf")).unwrap();
    assert!(wifi.contains("psk=\"streng geheim\""), "{at}: {wifi}");
    let left = card.on_card("wifi.txt").unwrap();
    assert!(!left.contains("geheim"), "{at}: {left}");
    let handed = fs::read_to_string(card.path("run/hindsight-box/ssh/authorized_keys"));
    assert_eq!(handed.unwrap(), format!("{key}\n"), "{at}");
    assert_eq!(card.on_card("token.txt"), token, "{at}");
    Some(true)
}
