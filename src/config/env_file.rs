//! The predecessors' `--env-file`: `NAME=value` lines under the names they had.
//!
//! Plain numbers are seconds here, as they were there.

use std::path::Path;

use super::near::nearest;
use super::problem::{Findings, SourceLocation};
use super::units::decimal;
use super::written::{Cell, Table, Value, WrittenConfig};

/// Names that still mean something, but for the cameras'.
const NAMES: [&str; 9] = [
    "BUFFER_SECONDS",
    "FINAL_CLIP_DURATION",
    "CLIPS_DIR",
    "TRIGGER_MODE",
    "HTTP_PORT",
    "RECONNECT_INITIAL_DELAY",
    "RECONNECT_MAX_DELAY",
    "RECONNECT_MAX_ATTEMPTS",
    "LOG_LEVEL",
];

/// One assignment.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    pub number: usize,
    pub name: String,
    pub value: String,
}

/// Reads the file over what was written so far. False if nothing can be concluded from it.
pub fn read(path: &Path, written: &mut WrittenConfig, found: &mut Findings) -> bool {
    let shown = path.display().to_string();
    let whole = SourceLocation::EnvFile {
        path: shown.clone(),
        line: 0,
    };
    if written.whole.is_none() {
        written.whole = Some(whole.clone());
    }
    let text = match super::file::read_text(path) {
        Ok(text) => text,
        Err(_) if !path.exists() => {
            found.problem(
                &whole,
                "there is no such file; name another with --env-file FILE",
            );
            return false;
        }
        Err(why) => {
            found.problem(&whole, why);
            return false;
        }
    };
    let secret = apply(&shown, &text, written, found);
    if secret && super::secret::others_may_read(path) {
        found.warn(
            &whole,
            "holds passwords and may be read by everybody on this machine; chmod o-r it",
        );
    }
    true
}

/// Puts the file's text over what was written so far; true if passwords stood in it.
pub fn apply(path: &str, text: &str, written: &mut WrittenConfig, found: &mut Findings) -> bool {
    let place = |line| SourceLocation::EnvFile {
        path: path.to_owned(),
        line,
    };
    let mut lines: Vec<Assignment> = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        match parse_line(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                if let Some(earlier) = lines.iter().position(|line| line.name == name) {
                    let old = lines.remove(earlier);
                    found.warn(
                        &place(number),
                        format!("{name} stands in line {} too; this line counts", old.number),
                    );
                }
                lines.push(Assignment {
                    number,
                    name,
                    value,
                });
            }
            Err(why) => found.problem(&place(number), why),
        }
    }
    let mut secret = false;
    let own_from = written.entries("camera").count();
    for line in lines.iter().filter(|line| !line.value.is_empty()) {
        let place = place(line.number);
        match line.name.strip_prefix("CAMERA_") {
            Some(rest) => secret |= camera(rest, line, &place, written, found),
            None => setting(line, &place, written, found),
        }
    }
    nameless(written, own_from, found);
    secret
}

/// A camera that only has a name is a mistake of numbering.
fn nameless(written: &WrittenConfig, from: usize, found: &mut Findings) {
    for camera in written.entries("camera").skip(from) {
        if camera.get("url").is_none() {
            let number = camera.text("id").unwrap_or("").replace("camera", "");
            found.problem(
                &camera.place,
                format!(
                    "CAMERA_{number}_NAME belongs to no camera; write CAMERA_{number}_URL=rtsp://… too"
                ),
            );
        }
    }
}

/// `NAME=value` with what shells and their relatives allow around it.
pub fn parse_line(line: &str) -> Result<Option<(String, String)>, String> {
    let line = line.trim();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    // The line itself is not shown: a password may stand in it.
    let (name, value) = line
        .split_once('=')
        .ok_or("is not NAME=value; comments begin with #")?;
    let name = name.trim_end();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err("has no plain name before the =; names are like CAMERA_1_URL".to_owned());
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some('\'') => single_quoted(value),
        Some('"') => double_quoted(value),
        _ => Some(bare(value)),
    };
    let value = value.ok_or_else(|| format!("{name} begins with a quote that nothing ends"))?;
    Ok(Some((name.to_owned(), value)))
}

/// Up to a comment, which begins with `#` after a space.
fn bare(value: &str) -> String {
    let comment = value
        .char_indices()
        .find(|(at, c)| *c == '#' && (*at == 0 || value[..*at].ends_with([' ', '\t'])));
    let end = comment.map_or(value.len(), |(at, _)| at);
    value[..end].trim_end().to_owned()
}

fn single_quoted(value: &str) -> Option<String> {
    let (inside, _) = value[1..].split_once('\'')?;
    Some(inside.to_owned())
}

fn double_quoted(value: &str) -> Option<String> {
    let mut inside = String::new();
    let mut chars = value[1..].chars();
    loop {
        match chars.next()? {
            '"' => return Some(inside),
            '\\' => match chars.next()? {
                escaped @ ('"' | '\\' | '$' | '`') => inside.push(escaped),
                other => inside.extend(['\\', other]),
            },
            other => inside.push(other),
        }
    }
}

fn setting(
    line: &Assignment,
    place: &SourceLocation,
    written: &mut WrittenConfig,
    found: &mut Findings,
) {
    let mut put = |table: &'static str, key: &'static str, value: String| {
        let cell = Cell::new(place.clone(), &line.name, key, Value::Text(value));
        written
            .table_mut(table, place)
            .set(key, cell.shown_as(&line.value));
    };
    match line.name.as_str() {
        "BUFFER_SECONDS" => put("ring", "seconds", whole_seconds(&line.value)),
        "CLIPS_DIR" => put("storage", "path", line.value.clone()),
        "TRIGGER_MODE" => put("trigger", "mode", line.value.clone()),
        "LOG_LEVEL" => put("log", "level", line.value.clone()),
        "RECONNECT_INITIAL_DELAY" => put("reconnect", "initial_delay", seconds(&line.value)),
        "RECONNECT_MAX_DELAY" => put("reconnect", "max_delay", seconds(&line.value)),
        "RECONNECT_MAX_ATTEMPTS" => put("reconnect", "max_attempts", line.value.clone()),
        "FINAL_CLIP_DURATION" => {
            put("highlight", "pre", seconds(&line.value));
            put("highlight", "post", "0s".to_owned());
            found.note(
                place,
                format!(
                    "FINAL_CLIP_DURATION = {:?}: a press saves that long before it and nothing after it",
                    line.value
                ),
            );
        }
        "HTTP_PORT" => http_port(line, place, written, found),
        _ => without_meaning(line, place, found),
    }
}

fn http_port(
    line: &Assignment,
    place: &SourceLocation,
    written: &mut WrittenConfig,
    found: &mut Findings,
) {
    let cell = Cell::new(
        place.clone(),
        &line.name,
        "listen",
        Value::Text(line.value.clone()),
    );
    let read = line.value.parse::<u16>().ok().filter(|port| *port > 0);
    let Some(port) = read else {
        found.reject(&cell, "is not a port; write a number from 1 to 65535");
        return;
    };
    let table = written.table_mut("http", place);
    let below = table.text("listen").and_then(|text| text.rsplit_once(':'));
    let host = below.map_or("127.0.0.1", |(host, _)| host).to_owned();
    if host == "127.0.0.1" {
        found.note(
            place,
            format!(
                "HTTP_PORT = \"{port}\": listens on 127.0.0.1, for this machine only; others need \
                 [http] listen and a token"
            ),
        );
    }
    let listen = Value::Text(format!("{host}:{port}"));
    let cell = Cell::new(place.clone(), &line.name, "listen", listen).shown_as(&line.value);
    table.set("listen", cell);
}

/// A plain number is seconds, rounded up to whole ones.
fn whole_seconds(value: &str) -> String {
    let ceiled = decimal(value, 1000).map(|ms| ms.div_ceil(1000).to_string());
    ceiled.unwrap_or_else(|| value.to_owned())
}

/// A plain number is seconds.
fn seconds(value: &str) -> String {
    match decimal(value, 1000) {
        Some(_) => format!("{value}s"),
        None => value.to_owned(),
    }
}

fn without_meaning(line: &Assignment, place: &SourceLocation, found: &mut Findings) {
    let name = &line.name;
    let why = match name.as_str() {
        _ if name.starts_with("FFMPEG_") => {
            "clips are cut without FFmpeg, so there is nothing to set"
        }
        "TEMP_DIR" => "unfinished clips lie beside the finished ones, and the rest in memory",
        "CHUNK_DURATION" => "the stream is kept frame by frame, not in chunks",
        _ if name.starts_with("HINDSIGHT_") => {
            let text =
                "belongs into the environment (systemd: EnvironmentFile=), not into --env-file";
            return found.problem(place, format!("{name} {text}"));
        }
        _ => match nearest(name, NAMES) {
            Some(near) => {
                return found.problem(place, format!("{name} is unknown; did you mean {near}?"));
            }
            None => "hindsight does not know it",
        },
    };
    found.warn(place, format!("{name} has no meaning here: {why}"));
}

/// `CAMERA_N_URL` and `CAMERA_N_NAME`; true if a password stood in it.
fn camera(
    rest: &str,
    line: &Assignment,
    place: &SourceLocation,
    written: &mut WrittenConfig,
    found: &mut Findings,
) -> bool {
    let (number, key) = rest.split_once('_').unwrap_or((rest, ""));
    let numbered = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if !numbered || !matches!(key, "URL" | "NAME") {
        let n = if numbered { number } else { "1" };
        found.problem(
            place,
            format!(
                "{} is unknown; a camera has CAMERA_{n}_URL and CAMERA_{n}_NAME",
                line.name
            ),
        );
        return false;
    }
    let id = format!("camera{number}");
    if written.entry_mut("camera", &id).is_none() {
        written.push("camera", new_camera(&id, number, place));
    }
    match written.entry_mut("camera", &id) {
        Some(camera) => put_into_camera(camera, key, line, place),
        None => false,
    }
}

/// True if a password stood in the line.
fn put_into_camera(
    camera: &mut Table,
    key: &str,
    line: &Assignment,
    place: &SourceLocation,
) -> bool {
    let cell = |key, value: String| Cell::new(place.clone(), &line.name, key, Value::Text(value));
    if key == "NAME" {
        camera.set("name", cell("name", line.value.clone()));
        return false;
    }
    let (url, credentials) = super::camera::without_credentials(&line.value);
    camera.set("url", cell("url", url));
    let Some((username, password)) = credentials else {
        return false;
    };
    camera.set("username", cell("username", username));
    camera.set("password", cell("password", password));
    true
}

fn new_camera(id: &str, number: &str, place: &SourceLocation) -> Table {
    let mut table = Table::new(place.clone());
    let cell =
        |name: &str, key, value: String| Cell::new(place.clone(), name, key, Value::Text(value));
    table.set("id", cell("camera's number", "id", id.to_owned()));
    table.set(
        "name",
        cell("camera's number", "name", format!("Camera {number}")),
    );
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_shells_and_their_relatives_write_them() {
        for (line, want) in [
            ("A=1", "1"),
            ("  export A = 1  ", "1"),
            ("A='x # y' # z", "x # y"),
            ("A=\"x \\\"y\\\" \\\\ \\d\"", "x \"y\" \\ \\d"),
            ("A=x#y # z", "x#y"),
            ("A=# nothing", ""),
            ("A=", ""),
            ("A=a=b", "a=b"),
            ("A=1\r", "1"),
        ] {
            let read = parse_line(line).unwrap().unwrap();
            assert_eq!(read, ("A".to_owned(), want.to_owned()), "{line:?}");
        }
        for nothing in ["", "  ", "# A=1", "\r"] {
            assert_eq!(parse_line(nothing), Ok(None));
        }
        for bad in ["A", "=1", "A B=1", "A=\"x", "A='x"] {
            assert!(parse_line(bad).is_err(), "{bad:?}");
        }
    }
}
