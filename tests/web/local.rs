//! The box's own commands: by the socket, with every right; `hindsight users` and `token` on the storage.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use hindsight::config::Secret;
use hindsight::web::RefusedPeers;
use hindsight::web::local_socket::place;
use tempfile::TempDir;

use super::box_with_users::{PASSWORD, TOKEN};
use super::house::{Fake, Running, start_with};

/// A box whose API no command reaches by TCP.
struct LocalBox {
    dir: TempDir,
    running: Option<Running>,
    /// The socket is for nobody.
    refuses: Arc<AtomicBool>,
}

impl LocalBox {
    fn new() -> LocalBox {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("storage")).unwrap();
        let config = format!(
            "[storage]\npath = \"{0}/storage\"\n[ring]\ndir = \"{0}\"\n[http]\nlisten = \"127.0.0.1:1\"\n\
             [[camera]]\nid = \"court1\"\nurl = \"rtsp://127.0.0.1:2/x\"\n",
            dir.path().display()
        );
        fs::write(dir.path().join("hindsight.toml"), config).unwrap();
        let mut made = LocalBox {
            dir,
            running: None,
            refuses: Arc::default(),
        };
        made.start();
        made
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn start(&mut self) {
        let (storage, rings) = (self.path().join("storage"), self.path().to_owned());
        let refuses = self.refuses.clone();
        self.running = Some(start_with(Fake::default(), |settings| {
            settings.token = Some(Secret::new(TOKEN));
            settings.local_socket = Some(place(&storage, &rings));
            settings.refused_peers = RefusedPeers::new(move |_| refuses.load(SeqCst));
            settings.storage = storage;
        }));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hindsight"));
        command
            .arg("--config")
            .arg(self.path().join("hindsight.toml"))
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn with_password(&self, arguments: &[&str], password: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // One that does not ask has left.
        let _ = writeln!(child.stdin.take().unwrap(), "{password}");
        child.wait_with_output().unwrap()
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn commands_come_by_the_socket_and_need_no_token() {
    let mut made = LocalBox::new();
    let pressed = made.run(&["press"]);
    assert!(pressed.status.success(), "{}", text(&pressed));
    assert_eq!(made.running.as_ref().unwrap().fake.pressed().len(), 1);
    assert!(made.run(&["queue"]).status.success());
    made.running.take().unwrap().stop();
    let left: Vec<_> = fs::read_dir(made.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "the socket went with its service: {left:?}");
    let alone = made.run(&["press"]);
    assert!(
        !alone.status.success() && text(&alone).contains("no service answers"),
        "{}",
        text(&alone)
    );
    made.start();
    assert!(made.run(&["press"]).status.success());
}

#[test]
fn the_socket_is_not_for_the_processes_that_read_cameras() {
    let made = LocalBox::new();
    made.refuses.store(true, SeqCst);
    let refused = made.run(&["press"]);
    assert!(!refused.status.success(), "{}", text(&refused));
    assert!(made.running.as_ref().unwrap().fake.pressed().is_empty());
    made.refuses.store(false, SeqCst);
    assert!(made.run(&["press"]).status.success());
}

#[test]
fn the_socket_is_not_for_other_users() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can ask as somebody else");
        return;
    }
    let made = LocalBox::new();
    let as_nobody = || made.command(&["press"]).uid(65534).gid(65534).output();
    for folder in [made.path(), &made.path().join("storage")] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let Ok(refused) = as_nobody() else {
        eprintln!("skipped: others may not run the program here");
        return;
    };
    assert!(
        !refused.status.success(),
        "the folder keeps them out: {}",
        text(&refused)
    );
    // Even where somebody opened the folder.
    let socket = place(&made.path().join("storage"), made.path());
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(socket.join("socket"), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = as_nobody().unwrap();
    assert!(!refused.status.success(), "{}", text(&refused));
    assert!(made.running.as_ref().unwrap().fake.pressed().is_empty());
    assert!(made.run(&["press"]).status.success());
}

#[test]
fn users_are_made_listed_reset_and_removed_beside_the_running_service() {
    let made = LocalBox::new();
    let token = made.run(&["token"]);
    assert!(
        token.status.success() && text(&token).trim().len() == 19,
        "{}",
        text(&token)
    );
    let early = made.with_password(&["users", "add", "bia", "--role", "staff"], PASSWORD);
    assert_eq!(early.status.code(), Some(1), "{}", text(&early));
    let added = made.with_password(&["users", "add", "ana", "--role", "admin"], PASSWORD);
    assert!(
        added.status.success() && text(&added).contains("has been set up"),
        "{}",
        text(&added)
    );
    assert!(text(&made.run(&["token"])).contains("set up already"));
    let kiosk = [
        "users", "add", "tv1", "--role", "kiosk", "--court", "Court 1",
    ];
    assert!(made.with_password(&kiosk, PASSWORD).status.success());
    let list = text(&made.run(&["users", "list"]));
    assert!(
        list.contains("ana") && list.contains("admin") && list.contains("Court 1"),
        "{list}"
    );
    let running = made.running.as_ref().unwrap();
    let sign_in = |password: &str| {
        let body = format!(r#"{{"name": "ana", "password": "{password}"}}"#);
        let length = body.len();
        running.send(&format!(
            "POST /api/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    };
    let cookie = sign_in(PASSWORD)
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let status = || {
        running
            .send(&format!(
                "GET /status HTTP/1.1\r\nhost: localhost\r\ncookie: {cookie}\r\n\r\n"
            ))
            .status
    };
    assert_eq!(status(), 200);
    let reset = made.with_password(&["users", "reset", "ana"], "another password");
    assert!(reset.status.success(), "{}", text(&reset));
    assert_eq!(status(), 401, "the running service has noticed");
    assert_eq!(
        (sign_in(PASSWORD).status, sign_in("another password").status),
        (401, 200)
    );
    let table: [(&[&str], &str, i32); 5] = [
        (&["users", "add", "ana", "--role", "staff"], "already", 1),
        (
            &["users", "add", "eva", "--role", "staff"],
            "at least 10 characters",
            1,
        ),
        (
            &["users", "add", "eva", "--role", "kiosk"],
            "belongs to a court",
            1,
        ),
        (&["users", "reset", "eva"], "no user", 1),
        (&["users", "remove", "ana"], "only administrator", 1),
    ];
    for (arguments, says, code) in table {
        let refused = made.with_password(arguments, "short");
        assert_eq!(
            refused.status.code(),
            Some(code),
            "{arguments:?}: {}",
            text(&refused)
        );
        assert!(
            text(&refused).contains(says),
            "{arguments:?}: {}",
            text(&refused)
        );
    }
    assert!(made.run(&["users", "remove", "tv1"]).status.success());
    fs::write(made.path().join("storage/access/users.json"), "").unwrap();
    let damaged = made.run(&["users", "list"]);
    assert_eq!(damaged.status.code(), Some(2), "{}", text(&damaged));
    assert!(
        text(&damaged).contains("users.json cannot be used"),
        "{}",
        text(&damaged)
    );
}
