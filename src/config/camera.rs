//! A camera's table, checked.

use std::net::Ipv4Addr;

use url::Url;

use super::check::Checker;
use super::checked::{Camera, Credentials, Transport};
use super::ids::Ids;
use super::problem::{Findings, SourceLocation};
use super::secret::secret;
use super::written::{Table, Value};
use crate::base::CameraId;

const URL_EXAMPLE: &str = "\"rtsp://192.0.2.10:554/stream1\"";
const LONGEST_LATENCY_MS: u64 = 10_000;

/// All cameras; those that were refused are missing.
pub fn cameras(check: &mut Checker<'_>) -> Vec<Camera> {
    let written = check.written;
    let none = written.entries("camera").next().is_none() && !written.camera_unreadable;
    if none && !written.may_lack_cameras {
        no_camera(check);
    }
    let mut ids = Ids::of("camera");
    let mut cameras: Vec<Camera> = Vec::new();
    for table in written.entries("camera") {
        let Some(id) = ids.take(table, check.found) else {
            // The rest of it may have mistakes too.
            camera(table, None, check);
            continue;
        };
        if let Some(camera) = camera(table, Some(id), check) {
            if let Some(same) = cameras.iter().find(|other| other.url == camera.url) {
                let text = format!("{} and {} have the same url", same.id, camera.id);
                check.found.warn(&table.place, text);
            }
            cameras.push(camera);
        }
    }
    cameras
}

fn no_camera(check: &mut Checker<'_>) {
    let place = check
        .written
        .whole
        .clone()
        .unwrap_or(SourceLocation::CommandLine);
    let right = match place {
        SourceLocation::EnvFile { .. } => {
            "write CAMERA_1_URL=rtsp://192.0.2.10:554/stream1".to_owned()
        }
        _ => format!("add a line [[camera]], below it id = \"court1\" and url = {URL_EXAMPLE}"),
    };
    check
        .found
        .problem(&place, format!("there is no camera; {right}"));
}

fn camera(table: &Table, id: Option<CameraId>, check: &mut Checker<'_>) -> Option<Camera> {
    let url = url(table, id.as_ref(), check.found);
    let shown_id = id.as_ref().map_or("", CameraId::as_str);
    let name = check.label(Some(table), "name", shown_id);
    let court = check.label(Some(table), "court", &name);
    let credentials = credentials(table, shown_id, check);
    let transport = check.choice(
        Some(table),
        "transport",
        &[("tcp", Transport::Tcp), ("udp", Transport::Udp)],
        Transport::Tcp,
    );
    let latency_ms = check.duration_ms(Some(table), "latency", 0..=LONGEST_LATENCY_MS, 300, 0);
    Some(Camera {
        id: id?,
        name,
        court,
        url: url?,
        credentials,
        transport,
        latency_ms,
    })
}

fn credentials(table: &Table, id: &str, check: &mut Checker<'_>) -> Option<Credentials> {
    let credential = format!("camera.{id}.password");
    let password = secret(
        table,
        "password",
        check.credentials,
        &credential,
        check.found,
    );
    let any = table.get("password").or(table.get("password_file"));
    let Some(cell) = table.get("username") else {
        if let Some(cell) = any {
            let text = format!(
                "{} stands without a username; write username = \"…\" too",
                cell.name
            );
            check.found.problem(&cell.place, text);
        }
        return None;
    };
    let username = match &cell.value {
        Value::Text(text) if !text.is_empty() => text.clone(),
        _ => {
            check
                .found
                .reject(cell, "is no user name; write it like \"viewer\"");
            return None;
        }
    };
    if password.is_none() && any.is_none() {
        check.found.reject(
            cell,
            "stands without a password; add password_file = \"/etc/hindsight/court1.password\" \
             (or password = \"\" if it is empty)",
        );
    }
    Some(Credentials {
        username,
        password: password?,
    })
}

fn url(table: &Table, id: Option<&CameraId>, found: &mut Findings) -> Option<Url> {
    let Some(cell) = table.get("url") else {
        // A camera of the env file without one was reported there.
        if !matches!(table.place, SourceLocation::EnvFile { .. }) {
            let which = id.map_or_else(String::new, |id| format!(" {id}"));
            found.problem(
                &table.place,
                format!("[[camera]]{which} has no url; write url = {URL_EXAMPLE}"),
            );
        }
        return None;
    };
    let Value::Text(text) = &cell.value else {
        found.reject(cell, format!("is not text; write it like {URL_EXAMPLE}"));
        return None;
    };
    let in_env_file = matches!(cell.place, SourceLocation::EnvFile { .. });
    let read = parsed(text).map_err(|why| match why {
        // The predecessors wanted them in the URL, so there they can only be written right.
        WITH_CREDENTIALS if in_env_file => {
            "seems to hold a password with a sign in it that ends an address; write %2F for /, \
             %3F for ? and %23 for #"
                .to_owned()
        }
        WITH_CREDENTIALS => WITH_CREDENTIALS.to_owned(),
        why => format!("{why}; write it like {URL_EXAMPLE}"),
    });
    let url = read.map_err(|why| found.reject(cell, why)).ok()?;
    if url.path().contains(',') {
        found.warn(
            &cell.place,
            format!(
                "{} has a comma in its path, which some cameras do not answer to; choose another path if it fails",
                cell.name
            ),
        );
    }
    Some(url)
}

const WITH_CREDENTIALS: &str = "holds a user name or password; take them out of the url and write \
     username = \"…\" and password_file = \"…\" (or password = \"…\") below it";

/// The URL, or what is wrong with it.
fn parsed(text: &str) -> Result<Url, &'static str> {
    let text = text.trim();
    match text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase())
    {
        None => return Err("does not begin with rtsp://"),
        Some(scheme) if scheme == "rtsps" => {
            return Err("is encrypted RTSP, which hindsight cannot do");
        }
        Some(scheme) if scheme != "rtsp" => {
            return Err("is no camera stream: those begin with rtsp://");
        }
        Some(_) => {}
    }
    if without_credentials(text).1.is_some() {
        return Err(WITH_CREDENTIALS);
    }
    if text.contains(char::is_whitespace) {
        return Err("has a space in it");
    }
    let url = Url::parse(text).map_err(|_| match text.contains('@') {
        true => WITH_CREDENTIALS,
        false => "is no address",
    })?;
    let host = url.host_str().unwrap_or("");
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if host.is_empty() {
        return Err("names no camera between rtsp:// and the path");
    }
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err("has an address of numbers that is none");
    }
    if url.port() == Some(0) {
        return Err("has port 0");
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

/// `%40` → `@`. What is no escape stays as it is: the predecessors took it so.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
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
