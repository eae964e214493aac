//! `[[camera]]`: where its stream is, and what it is called.
//!
//! Not here: reaching it (`ingest`).

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use url::Url;

use super::checker::{Checker, KeySentence, ValueSentence};
use super::ids::Ids;
use super::keys::{Repeats, TableSpec, ValueKind as Kind, key};
use super::place::SourceLocation;
use super::secret::{Secret, secret};
use super::written::Table;
use crate::base::CameraId;
use crate::base::redact::{self, unescaped};
use crate::base::sentence::Coded;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::many(
    "camera",
    Repeats {
        example_id: "court1",
        example_key: "url",
        default_id: "",
    },
    &[
        key("id", Kind::Text, "", "becomes the clip's file name: a-z, 0-9, - and _"),
        key("name", Kind::Text, "", "for people; without it, the id"),
        key("court", Kind::Text, "", "what players call the place; without it, the name"),
        key("url", Kind::Address, "", "`\"rtsp://…\"` from the camera's manual, without user name and password"),
        key("username", Kind::Account, "", "as set up in the camera"),
        key("password", Kind::Secret, "", "as set up in the camera"),
        key("password_file", Kind::Path, "", "the same, on one line of a file of its own"),
        key("transport", Kind::Choice, "\"tcp\"", "`\"udp\"` only where `\"tcp\"` does not work"),
        key("sound", Kind::Choice, "\"auto\"", "`\"off\"`: record no sound of it; voices are personal data"),
        key("latency", Kind::Duration, "\"0s\"", "how late its picture is: `hindsight check --latency court1`"),
    ],
);
const URL_EXAMPLE: &str = "\"rtsp://192.0.2.10:554/stream1\"";
const LONGEST_LATENCY_MS: u64 = 10_000;

#[derive(Clone)]
pub struct Camera {
    pub id: CameraId,
    pub name: String,
    /// What people call the place it looks at; default: its name.
    pub court: String,
    /// `rtsp://`, without credentials.
    pub url: Url,
    pub credentials: Option<Credentials>,
    pub transport: Transport,
    pub sound: CameraSound,
    /// How much later than reality its picture arrives.
    pub latency_ms: u64,
}

#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: String,
    pub password: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

/// Which of a camera's sound is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CameraSound {
    /// Nobody said: all that can be.
    Unsaid,
    Auto,
    Off,
    /// Nobody said, and before an update only AAC could be: that, and no more.
    AsBefore,
}

impl Camera {
    /// The URL as people may see it.
    pub fn shown_url(&self) -> String {
        redact::redacted(self.url.as_str())
    }

    /// What it said, without those credentials of ours that it may have repeated.
    pub fn without_credentials_of(&self, text: &str) -> String {
        redact::without_those_of(self.url.as_str(), text)
    }
}

// Some cameras want their password in the path, so the URL is shown with care.
impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Camera")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("court", &self.court)
            .field("url", &self.shown_url())
            .field("credentials", &self.credentials)
            .field("transport", &self.transport)
            .field("sound", &self.sound)
            .field("latency_ms", &self.latency_ms)
            .finish()
    }
}

crate::sentences! {
    /// What is wrong with the cameras; whole sentences.
    pub enum CameraSentence {
        NoCamera { example: &'static str } = "config_no_camera":
            "there is no camera; add a line [[camera]], below it id = \"court1\" and url = {example}",
        NoCameraInEnvFile {} = "config_no_camera_in_env_file":
            "there is no camera; write CAMERA_1_URL=rtsp://192.0.2.10:554/stream1",
        SameUrl { one: CameraId, other: CameraId } = "config_cameras_same_url":
            "{one} and {other} have the same url",
        PasswordAlone { key: String } = "config_password_without_username":
            "{key} stands without a username; write username = \"…\" too",
        CommaInPath { key: String } = "config_camera_comma_in_path":
            "{key} has a comma in its path, which some cameras do not answer to; choose another path if it fails",
    }
}

crate::sentences! {
    /// What is wrong with the user name; follows `key = value`.
    pub enum UsernameSentence {
        NoUsername {} = "config_no_username": "is no user name; write it like \"viewer\"",
        WithoutPassword {} = "config_username_without_password":
            "stands without a password; add password_file = \"/etc/hindsight/court1.password\" \
             (or password = \"\" if it is empty)",
    }
}

crate::sentences! {
    /// What is wrong with a camera's URL; follows `key = value`.
    pub enum CameraUrlSentence {
        WithCredentials {} = "config_camera_url_with_credentials":
            "holds a user name or password; take them out of the url and write \
             username = \"…\" and password_file = \"…\" (or password = \"…\") below it",
        UnescapedCredentials {} = "config_camera_url_unescaped_credentials":
            "seems to hold a password with a sign in it that ends an address; write %2F for /, \
             %3F for ? and %23 for #",
        NoScheme {} = "config_camera_url_no_scheme": "does not begin with rtsp://",
        Encrypted {} = "config_camera_url_encrypted": "is encrypted RTSP, which hindsight cannot do",
        OtherScheme {} = "config_camera_url_other_scheme":
            "is no camera stream: those begin with rtsp://",
        Space {} = "config_camera_url_space": "has a space in it",
        NoAddress {} = "config_camera_url_no_address": "is no address",
        NoHost {} = "config_camera_url_no_host": "names no camera between rtsp:// and the path",
        BadNumbers {} = "config_camera_url_bad_numbers": "has an address of numbers that is none",
        PortZero {} = "config_camera_url_port_zero": "has port 0",
    }
}

/// All cameras; those that were refused are missing.
pub fn check(check: &mut Checker<'_>) -> Vec<Camera> {
    let written = check.written;
    let none = written.entries("camera").next().is_none() && !written.camera_unreadable;
    if none && !written.may_lack_cameras {
        no_camera(check);
    }
    let mut ids = Ids::of(&TABLE);
    let mut cameras: Vec<Camera> = Vec::new();
    for table in written.entries("camera") {
        let id = ids.take(table, check.found);
        // Without an id, the rest of it may have mistakes too.
        let Some(camera) = camera(table, id, check) else {
            continue;
        };
        if let Some(same) = cameras.iter().find(|other| other.url == camera.url) {
            let (one, other) = (same.id.clone(), camera.id.clone());
            let what = CameraSentence::SameUrl { one, other };
            check.found.warn(&table.place, what);
        }
        cameras.push(camera);
    }
    cameras
}

fn no_camera(check: &mut Checker<'_>) {
    let whole = check.written.whole.clone();
    let place = whole.unwrap_or(SourceLocation::CommandLine);
    let what = match place.is_env_file() {
        true => CameraSentence::NoCameraInEnvFile {},
        false => CameraSentence::NoCamera {
            example: URL_EXAMPLE,
        },
    };
    check.found.problem(&place, what);
}

fn camera(table: &Table, id: Option<CameraId>, check: &mut Checker<'_>) -> Option<Camera> {
    let url = url(table, id.as_ref(), check);
    let shown_id = id.as_ref().map_or("", CameraId::as_str);
    let name = check.label(table, "name", shown_id);
    let court = check.label(table, "court", &name);
    let credentials = credentials(table, shown_id, check);
    let transports = [("tcp", Transport::Tcp), ("udp", Transport::Udp)];
    let transport = check.choice(table, "transport", &transports, Transport::Tcp);
    let sounds = [("auto", CameraSound::Auto), ("off", CameraSound::Off)];
    let sound = check.choice(table, "sound", &sounds, CameraSound::Unsaid);
    let latency_ms = check.duration_ms(table, "latency", 0..=LONGEST_LATENCY_MS, 300, 0);
    Some(Camera {
        id: id?,
        name,
        court,
        url: url?,
        credentials,
        transport,
        sound,
        latency_ms,
    })
}

fn credentials(table: &Table, id: &str, check: &mut Checker<'_>) -> Option<Credentials> {
    let credential = format!("camera.{id}.password");
    let password = secret(check, table, "password", &credential);
    let any = table.get("password").or(table.get("password_file"));
    let Some(cell) = table.get("username") else {
        if let Some(cell) = any {
            let key = cell.name.clone();
            let what = CameraSentence::PasswordAlone { key };
            check.found.problem(&cell.place, what);
        }
        return None;
    };
    let Some(username) = cell.text().filter(|text| !text.is_empty()) else {
        check.found.reject(cell, UsernameSentence::NoUsername {});
        return None;
    };
    if password.is_none() && any.is_none() {
        let why = UsernameSentence::WithoutPassword {};
        check.found.reject(cell, why);
    }
    Some(Credentials {
        username: username.to_owned(),
        password: password?,
    })
}

fn url(table: &Table, id: Option<&CameraId>, check: &mut Checker<'_>) -> Option<Url> {
    let example = || URL_EXAMPLE.to_owned();
    let Some(cell) = table.get("url") else {
        // A camera of the env file without one was reported there.
        if !table.place.is_env_file() {
            let which = id.map_or_else(String::new, |id| format!(" {id}"));
            let what = KeySentence::Missing {
                table: format!("[[camera]]{which}"),
                missing: "url".to_owned(),
                example: example(),
            };
            check.found.problem(&table.place, what);
        }
        return None;
    };
    let Some(text) = cell.text() else {
        let example = example();
        check
            .found
            .reject(cell, ValueSentence::NotTextLike { example });
        return None;
    };
    match parsed(text) {
        Ok(url) => {
            if url.path().contains(',') {
                let key = cell.name.clone();
                let what = CameraSentence::CommaInPath { key };
                check.found.warn(&cell.place, what);
            }
            return Some(url);
        }
        // The predecessors wanted them in the URL, so there they can only be written right.
        Err(CameraUrlSentence::WithCredentials {}) if cell.place.is_env_file() => {
            let why = CameraUrlSentence::UnescapedCredentials {};
            check.found.reject(cell, why);
        }
        Err(why @ CameraUrlSentence::WithCredentials {}) => check.found.reject(cell, why),
        Err(why) => {
            let (why, example) = (why.sentence(), example());
            let why = ValueSentence::WriteItLike { why, example };
            check.found.reject(cell, why);
        }
    }
    None
}

/// The URL, or what is wrong with it.
fn parsed(text: &str) -> Result<Url, CameraUrlSentence> {
    let text = text.trim();
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        None => return Err(CameraUrlSentence::NoScheme {}),
        Some("rtsp") => {}
        Some("rtsps") => return Err(CameraUrlSentence::Encrypted {}),
        Some(_) => return Err(CameraUrlSentence::OtherScheme {}),
    }
    if without_credentials(text).1.is_some() {
        return Err(CameraUrlSentence::WithCredentials {});
    }
    if text.contains(char::is_whitespace) {
        return Err(CameraUrlSentence::Space {});
    }
    let url = Url::parse(text).map_err(|_| match text.contains('@') {
        true => CameraUrlSentence::WithCredentials {},
        false => CameraUrlSentence::NoAddress {},
    })?;
    let host = url.host_str().unwrap_or("");
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if host.is_empty() {
        return Err(CameraUrlSentence::NoHost {});
    }
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(CameraUrlSentence::BadNumbers {});
    }
    if url.port() == Some(0) {
        return Err(CameraUrlSentence::PortZero {});
    }
    Ok(url)
}

/// The URL without its credentials, and they: the last `@` before the path ends them.
pub fn without_credentials(url: &str) -> (String, Option<(String, String)>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let Some(at) = rest[..end].rfind('@') else {
        return (url.to_owned(), None);
    };
    let (username, password) = rest[..at].split_once(':').unwrap_or((&rest[..at], ""));
    let bare = format!("{scheme}://{}", &rest[at + 1..]);
    (bare, Some((unescaped(username), unescaped(password))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_out_of_a_url_whole() {
        let (a, b) = ("viewer".to_owned(), "p@ss:w%rd".to_owned());
        for url in [
            "rtsp://viewer:p%40ss%3aw%25rd@cam:554/s?x=1",
            "rtsp://viewer:p@ss:w%rd@cam:554/s?x=1",
        ] {
            let (bare, credentials) = without_credentials(url);
            assert_eq!(bare, "rtsp://cam:554/s?x=1");
            assert_eq!(credentials, Some((a.clone(), b.clone())), "{url}");
        }
        let (_, credentials) = without_credentials("rtsp://viewer@cam");
        assert_eq!(credentials, Some((a, String::new())));
        for none in ["rtsp://cam/a@b", "rtsp://cam?x=a@b", "cam"] {
            assert_eq!(without_credentials(none), (none.to_owned(), None));
        }
    }
}
