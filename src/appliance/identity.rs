//! Who this box is: its id and host name, its SSH keys, the API's token.
//!
//! The id comes from the board's own serial (or its network's address), so it needs no disk and
//! stays when the card is flashed anew. Keys and token are made once and kept on the data disk.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::firmware::Firmware;
use super::system::{System, arguments};
use super::{Paths, files};
use crate::base::hex;
use crate::disk::Disk;

/// Where the token is told to whoever holds the card.
pub const TOKEN: &str = "token.txt";
/// Bytes of randomness of a token.
const RANDOM: usize = 24;
const KEYGEN: Duration = Duration::from_secs(60);

/// Six hex digits that are this machine's own.
pub fn id(paths: &Paths) -> io::Result<String> {
    let serial = fs::read_to_string(&paths.serial).unwrap_or_default();
    let serial = serial.trim_matches(['\0', '\n', ' ']).to_owned();
    let source = match (serial.is_empty(), address(&paths.net)) {
        (false, _) => serial,
        (true, Some(address)) => address,
        (true, None) => kept_random(&paths.kept().join("id"))?,
    };
    Ok(short(&source))
}

fn short(source: &str) -> String {
    let hash = Sha256::digest(format!("hindsight box {source}"));
    hex(&hash[..3])
}

/// The address of the first network interface that is hardware.
fn address(net: &Path) -> Option<String> {
    let mut folders: Vec<_> = fs::read_dir(net)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| folder.join("device").exists())
        .collect();
    folders.sort();
    let mut addresses = folders.iter().filter_map(|folder| {
        let address = fs::read_to_string(folder.join("address")).ok()?;
        let address = address.trim().to_owned();
        let own = !address.is_empty() && address.bytes().any(|b| !matches!(b, b'0' | b':'));
        own.then_some(address)
    });
    addresses.next()
}

/// What nobody guesses, as hex digits.
pub fn random() -> io::Result<String> {
    let mut bytes = [0; RANDOM];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(hex(&bytes))
}

fn kept_random(path: &Path) -> io::Result<String> {
    if let Ok(text) = fs::read_to_string(path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let made = random()?;
    files::write(path, format!("{made}\n").as_bytes(), 0o600)?;
    Ok(made)
}

/// Gives the kernel its host name, before anybody asks for it.
pub fn set_host_name(paths: &Paths, name: &str) -> io::Result<()> {
    if fs::read_to_string(&paths.hostname).is_ok_and(|now| now.trim() != name) {
        fs::write(&paths.hostname, name)?;
    }
    files::write(
        &paths.own.join("hostname"),
        format!("{name}\n").as_bytes(),
        0o644,
    )
}

/// A token, and whether it was made just now.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub is_new: bool,
}

/// The token that was made before; else the one on the card, which outlives a disk; else a new one.
/// Durable on return.
pub fn token(paths: &Paths, firmware: &Firmware) -> io::Result<Token> {
    let path = paths.kept().join("token");
    let told = firmware.line(TOKEN).filter(|text| is_token(text));
    let kept = fs::read_to_string(&path)
        .ok()
        .map(|text| text.trim().to_owned());
    let kept = kept.filter(|text| is_token(text));
    let (text, is_new) = match (told, kept) {
        // The person's word goes before ours: the file can be edited.
        (Some(told), _) => (told, false),
        (None, Some(kept)) => (kept, false),
        (None, None) => (random()?, true),
    };
    files::write(&path, format!("{text}\n").as_bytes(), 0o600)?;
    Ok(Token { text, is_new })
}

/// As the configuration would take it.
fn is_token(text: &str) -> bool {
    (16..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What is written to the card about a new token.
pub fn token_file(token: &str, name: &str) -> String {
    format!(
        "{token}\r\n\
         # The API's token of this box. A remote control sends it, as \"Authorization: Bearer …\", to\r\n\
         # http://{name}.local:8080. Written once: keep it, and delete this file if others can reach the card.\r\n"
    )
}

/// The box's own SSH key: made once, kept on the data disk, copied to where sshd looks for it.
pub fn host_key(paths: &Paths, system: &System) -> io::Result<()> {
    const NAME: &str = "ssh_host_ed25519_key";
    let kept = paths.kept().join("ssh");
    let key = kept.join(NAME);
    let public = kept.join(format!("{NAME}.pub"));
    files::folder(&kept, 0o700)?;
    if !(key.exists() && public.exists()) {
        let (new, new_public) = (kept.join("new"), kept.join("new.pub"));
        files::remove(&new)?;
        files::remove(&new_public)?;
        let asked = arguments![
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "hindsight",
            "-f",
            &new
        ];
        let ended = system.run("ssh-keygen", asked, KEYGEN)?;
        if !ended.well() {
            return Err(io::Error::other(format!("ssh-keygen {}", ended.in_words())));
        }
        let disk = Disk::default();
        disk.open_rw(&new)?.sync()?;
        disk.open_rw(&new_public)?.sync()?;
        // The private half last: a pair without it is made anew.
        disk.rename(&new_public, &public)?;
        disk.rename(&new, &key)?;
        disk.sync_dir(&kept)?;
    }
    let ssh = paths.own.join("ssh");
    files::folder(&paths.own, 0o755)?;
    files::folder(&ssh, 0o755)?;
    files::write(&ssh.join(NAME), &fs::read(&key)?, 0o600)?;
    files::write(&ssh.join(format!("{NAME}.pub")), &fs::read(&public)?, 0o644)
}

/// The lines of `authorized_keys` that are keys, or the number of the first that is none.
pub fn keys(text: &str) -> Result<Vec<String>, usize> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_key(line) {
            return Err(number + 1);
        }
        keys.push(line.to_owned());
    }
    Ok(keys)
}

/// `ssh-ed25519 AAAA… comment`, perhaps with options in front.
fn is_key(line: &str) -> bool {
    const KINDS: [&str; 7] = [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    ];
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_body = |word: &&str| word.starts_with("AAAA") && word.len() > 40;
    words
        .windows(2)
        .any(|pair| KINDS.contains(&pair[0]) && is_body(&pair[1]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn paths() -> (tempfile::TempDir, Paths) {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        (root, paths)
    }

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_id_is_the_boards_own_and_needs_no_disk() {
        let (_root, paths) = paths();
        let made = id(&paths).unwrap();
        assert_eq!(
            made,
            id(&paths).unwrap(),
            "kept where nothing else is there"
        );
        let net = &paths.net;
        put(&net.join("lo/address"), "00:00:00:00:00:00\n");
        put(&net.join("eth0/address"), "b8:27:eb:01:02:03\n");
        assert_eq!(id(&paths).unwrap(), made, "no hardware");
        put(&net.join("eth0/device/x"), "");
        let of_net = id(&paths).unwrap();
        assert_ne!(of_net, made);
        put(&paths.serial, "10000000abcdef01\0");
        let of_board = id(&paths).unwrap();
        assert!(of_board != of_net && of_board.len() == 6, "{of_board}");
        put(&paths.hostname, "localhost\n");
        set_host_name(&paths, &format!("hindsight-{of_board}")).unwrap();
        let name = fs::read_to_string(&paths.hostname).unwrap();
        assert_eq!(name, format!("hindsight-{of_board}"));
    }

    #[test]
    fn a_token_is_made_once_survives_a_new_disk_and_obeys_the_card() {
        let (root, paths) = paths();
        fs::create_dir_all(&paths.firmware).unwrap();
        let firmware = Firmware::new(&paths.firmware, System { mounts: false });
        let made = token(&paths, &firmware).unwrap();
        assert!(made.is_new && made.text.len() == 48);
        let again = token(&paths, &firmware).unwrap();
        assert!(!again.is_new && again.text == made.text);
        put(
            &firmware.path(TOKEN),
            &token_file(&made.text, "hindsight-1"),
        );
        fs::remove_dir_all(paths.kept()).unwrap();
        let after = token(&paths, &firmware).unwrap();
        assert!(!after.is_new && after.text == made.text, "the card knew it");
        put(&firmware.path(TOKEN), "short\r\n");
        assert!(token(&paths, &firmware).unwrap().text == made.text);
        put(&firmware.path(TOKEN), "chosen-by-the-venue-2026\r\n");
        assert!(token(&paths, &firmware).unwrap().text == "chosen-by-the-venue-2026");
        drop(root);
    }

    #[test]
    fn keys_are_told_from_other_lines() {
        let body = "A".repeat(60);
        let good = format!("# mine\r\nssh-ed25519 {body} me@home\r\n\r\nno-pty ssh-rsa {body}\n");
        assert_eq!(keys(&good).unwrap().len(), 2);
        assert_eq!(keys(""), Ok(vec![]));
        assert_eq!(keys(&format!("{good}hello\n")), Err(5));
        assert_eq!(keys("ssh-ed25519 AAAA\n"), Err(1));
        assert_eq!(
            keys(&format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n")),
            Err(1)
        );
    }
}
