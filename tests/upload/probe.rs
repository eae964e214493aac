//! `hindsight check` asks targets whether they are there, and leaves nothing behind.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use hindsight::base::{Clock, RealClock, Stop};
use hindsight::upload::probe::{ProbeResult, probe};

use crate::rig::{LIMITS, config, folder_lines, holds_no_secret, s3_lines};
use crate::s3::{S3, SECRET};

fn asked(lines: &str) -> ProbeResult {
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let mut reached = probe(&config(lines), &clock, LIMITS, &Stop::default());
    assert_eq!(reached.len(), 1);
    let reached = reached.remove(0);
    assert_eq!(reached.id, "there");
    holds_no_secret(&format!("{reached:?}"));
    reached
}

fn refused(lines: &str, word: &str) {
    let why = asked(lines).answer.unwrap_err().to_string();
    assert!(why.contains(word), "{word} is not in: {why}");
}

fn names_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_folder_is_tried_out_and_left_as_it_was() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let reached = asked(&folder_lines(dir.path()));
    assert_eq!(reached.what, format!("folder {}", dir.path().display()));
    let words = reached.answer.unwrap();
    assert!(words.starts_with("can be written, "), "{words}");
    assert_eq!(names_in(dir.path()), 0);
    refused(
        &folder_lines(&dir.path().join("none")),
        "none does not exist: ",
    );
    refused(&folder_lines(Path::new("/proc/self")), "cannot write there");
}

#[test]
fn a_folder_that_belongs_to_somebody_else_is_told() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let closed = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(dir.path(), closed).unwrap();
    if nix::unistd::geteuid().is_root() {
        println!("SKIPPED: root may write everywhere");
        return;
    }
    refused(&folder_lines(dir.path()), "this user cannot write there");
}

#[test]
fn a_bucket_answers_whoever_has_its_key_and_tells_what_is_wrong_with_any_other() {
    let Some(server) = S3::start() else { return };
    let endpoint = format!("http://{}", server.address);
    let lines = s3_lines(&endpoint, "") + "path_style = true\n";
    let reached = asked(&lines);
    assert_eq!(reached.what, format!("bucket clips at {endpoint}"));
    assert_eq!(reached.answer.unwrap(), "answers, and knows the access key");
    assert_eq!(names_in(&server.object("")), 0);

    refused(&lines.replace(SECRET, "another"), "secret_access_key");
    refused(
        &lines.replace("\"clips\"", "\"none\""),
        "make the bucket \"none\"",
    );
}

#[test]
fn one_that_nobody_is_at_home_for_says_so() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let lines = s3_lines(&format!("http://{address}"), "") + "path_style = true\n";
    refused(&lines, "refuses connections");
    refused(
        &signed_lines(&format!("http://{address}")),
        "refuses connections",
    );
}

#[test]
fn a_backend_is_there_whatever_it_says_to_a_stranger() {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", backend.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = backend.accept().unwrap();
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap();
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    let reached = asked(&signed_lines(&url));
    assert_eq!(reached.what, format!("backend at {url}"));
    assert!(reached.answer.unwrap().starts_with("answers; "));
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("HEAD / HTTP/1.1\r\n"), "{heard}");
    assert!(
        !heard.to_ascii_lowercase().contains("x-signature"),
        "{heard}"
    );
}

fn signed_lines(url: &str) -> String {
    format!(
        "[[target]]\nid = \"there\"\nkind = \"signed-url\"\nurl = \"{url}\"\ndevice_id = \"box-1\"\n\
         client_id = \"club\"\nsecret = \"{SECRET}\"\n"
    )
}
