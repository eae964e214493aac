//! The predecessors' `--env-file`: `NAME=value` lines under the names they had.
//!
//! Plain numbers are seconds here, as they were there.

use std::path::Path;

use super::checker::Quoted;
use super::keys::TableSpec;
use super::near::nearest;
use super::place::SourceLocation;
use super::problem::Findings;
use super::text_file::{TextFileSentence, read_text};
use super::units::decimal;
use super::written::{Cell, Table, Value, WrittenConfig};
use super::{camera, highlight, http, log, reconnect, ring, storage, trigger};

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

crate::sentences! {
    /// What should be known about the file, or one of its lines; whole sentences.
    pub enum EnvFileSentence {
        Missing {} = "config_env_file_missing":
            "there is no such file; name another with --env-file FILE",
        OpenSecrets {} = "config_env_file_open":
            "holds passwords and may be read by everybody on this machine; chmod o-r it",
        Twice { name: String, other_line: usize } = "config_env_file_twice":
            "{name} stands in line {other_line} too; this line counts",
        CameraWithoutUrl { number: String } = "config_env_file_camera_without_url":
            "CAMERA_{number}_NAME belongs to no camera; write CAMERA_{number}_URL=rtsp://… too",
        UnknownOfCamera { name: String, number: String } = "config_env_file_unknown_of_camera":
            "{name} is unknown; a camera has CAMERA_{number}_URL and CAMERA_{number}_NAME",
        OnlyBefore { seconds: Quoted } = "config_env_file_only_before":
            "FINAL_CLIP_DURATION = {seconds}: a press saves that long before it and nothing after it",
        OnlyThisMachine { port: u16 } = "config_env_file_only_this_machine":
            "HTTP_PORT = \"{port}\": listens on 127.0.0.1, for this machine only; others need \
             [http] listen and a token",
        BelongsToEnvironment { name: String } = "config_env_file_belongs_to_environment":
            "{name} belongs into the environment (systemd: EnvironmentFile=), not into --env-file",
        UnknownLike { name: String, near: &'static str } = "config_env_file_unknown_like":
            "{name} is unknown; did you mean {near}?",
        NoFfmpeg { name: String } = "config_env_file_no_ffmpeg":
            "{name} has no meaning here: clips are cut without FFmpeg, so there is nothing to set",
        NoTempDir { name: String } = "config_env_file_no_temp_dir":
            "{name} has no meaning here: unfinished clips lie beside the finished ones, and the rest in memory",
        NoChunks { name: String } = "config_env_file_no_chunks":
            "{name} has no meaning here: the stream is kept frame by frame, not in chunks",
        NoMeaning { name: String } = "config_env_file_no_meaning":
            "{name} has no meaning here: hindsight does not know it",
    }
}

crate::sentences! {
    /// What is wrong with a line. The line itself is not shown: a password may stand in it.
    pub enum EnvLineSentence {
        NoAssignment {} = "config_env_line_no_assignment":
            "is not NAME=value; comments begin with #",
        NoName {} = "config_env_line_no_name":
            "has no plain name before the =; names are like CAMERA_1_URL",
        OpenQuote { name: String } = "config_env_line_open_quote":
            "{name} begins with a quote that nothing ends",
    }
}

crate::sentences! {
    /// What is wrong with a port; follows `key = value`.
    pub enum PortSentence {
        NoPort {} = "config_env_file_no_port": "is not a port; write a number from 1 to 65535",
    }
}

/// One assignment.
#[derive(Clone, PartialEq, Eq)]
struct Assignment {
    number: usize,
    name: String,
    value: String,
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
    let text = match read_text(path) {
        Ok(text) => text,
        Err(TextFileSentence::Missing {}) => {
            found.problem(&whole, EnvFileSentence::Missing {});
            return false;
        }
        Err(why) => {
            found.problem(&whole, why);
            return false;
        }
    };
    let secret = apply(&shown, &text, written, found);
    if secret && super::secret::others_may_read(path) {
        found.warn(&whole, EnvFileSentence::OpenSecrets {});
    }
    true
}

/// Puts the file's text over what was written so far; true if passwords stood in it.
fn apply(path: &str, text: &str, written: &mut WrittenConfig, found: &mut Findings) -> bool {
    let place = |line| SourceLocation::EnvFile {
        path: path.to_owned(),
        line,
    };
    let mut lines: Vec<Assignment> = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let (name, value) = match parse_line(line) {
            Ok(None) => continue,
            Ok(Some(assignment)) => assignment,
            Err(why) => {
                found.problem(&place(number), why);
                continue;
            }
        };
        if let Some(earlier) = lines.iter().position(|line| line.name == name) {
            let what = EnvFileSentence::Twice {
                name: name.clone(),
                other_line: lines.remove(earlier).number,
            };
            found.warn(&place(number), what);
        }
        lines.push(Assignment {
            number,
            name,
            value,
        });
    }
    let mut secret = false;
    let own_from = written.entries("camera").count();
    for line in lines.iter().filter(|line| !line.value.is_empty()) {
        let place = place(line.number);
        match line.name.strip_prefix("CAMERA_") {
            Some(rest) => secret |= of_camera(rest, line, &place, written, found),
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
            let what = EnvFileSentence::CameraWithoutUrl { number };
            found.problem(&camera.place, what);
        }
    }
}

/// `NAME=value` with what shells and their relatives allow around it.
fn parse_line(line: &str) -> Result<Option<(String, String)>, EnvLineSentence> {
    let line = line.trim();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let assignment = line.split_once('=');
    let (name, value) = assignment.ok_or(EnvLineSentence::NoAssignment {})?;
    let name = name.trim_end();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(EnvLineSentence::NoName {});
    }
    let value = value.trim_start();
    let value = match value.chars().next() {
        Some('\'') => single_quoted(value),
        Some('"') => double_quoted(value),
        _ => Some(bare(value)),
    };
    let name = name.to_owned();
    match value {
        Some(value) => Ok(Some((name, value))),
        None => Err(EnvLineSentence::OpenQuote { name }),
    }
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

/// What each name becomes: its table, its key and its value.
fn setting(
    line: &Assignment,
    place: &SourceLocation,
    written: &mut WrittenConfig,
    found: &mut Findings,
) {
    let mut put = |spec: &'static TableSpec, key: &str, value: String| {
        if let Some(key) = spec.key(key) {
            let cell = Cell::new(place.clone(), &line.name, key, Value::Text(value));
            let table = written.table_mut(spec, place);
            table.set(key, cell.shown_as(&line.value));
        }
    };
    let value = || line.value.clone();
    match line.name.as_str() {
        "BUFFER_SECONDS" => put(&ring::TABLE, "seconds", whole_seconds(&line.value)),
        "CLIPS_DIR" => put(&storage::TABLE, "path", value()),
        "TRIGGER_MODE" => put(&trigger::TABLE, "mode", value()),
        "LOG_LEVEL" => put(&log::TABLE, "level", value()),
        "RECONNECT_INITIAL_DELAY" => {
            put(&reconnect::TABLE, "initial_delay", seconds(&line.value));
        }
        "RECONNECT_MAX_DELAY" => put(&reconnect::TABLE, "max_delay", seconds(&line.value)),
        "RECONNECT_MAX_ATTEMPTS" => put(&reconnect::TABLE, "max_attempts", value()),
        "FINAL_CLIP_DURATION" => {
            put(&highlight::TABLE, "pre", seconds(&line.value));
            put(&highlight::TABLE, "post", "0s".to_owned());
            let seconds = Quoted(value());
            found.note(place, EnvFileSentence::OnlyBefore { seconds });
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
    let Some(key) = http::TABLE.key("listen") else {
        return;
    };
    let cell = |text: String| Cell::new(place.clone(), &line.name, key, Value::Text(text));
    let read = line.value.parse::<u16>().ok().filter(|port| *port > 0);
    let Some(port) = read else {
        found.reject(&cell(line.value.clone()), PortSentence::NoPort {});
        return;
    };
    let table = written.table_mut(&http::TABLE, place);
    let below = table.text("listen").and_then(|text| text.rsplit_once(':'));
    let host = below.map_or("127.0.0.1", |(host, _)| host).to_owned();
    if host == "127.0.0.1" {
        found.note(place, EnvFileSentence::OnlyThisMachine { port });
    }
    let cell = cell(format!("{host}:{port}")).shown_as(&line.value);
    table.set(key, cell);
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
    let name = line.name.clone();
    let what = match line.name.as_str() {
        text if text.starts_with("FFMPEG_") => EnvFileSentence::NoFfmpeg { name },
        "TEMP_DIR" => EnvFileSentence::NoTempDir { name },
        "CHUNK_DURATION" => EnvFileSentence::NoChunks { name },
        text if text.starts_with("HINDSIGHT_") => {
            let what = EnvFileSentence::BelongsToEnvironment { name };
            return found.problem(place, what);
        }
        text => match nearest(text, NAMES) {
            Some(near) => {
                let what = EnvFileSentence::UnknownLike { name, near };
                return found.problem(place, what);
            }
            None => EnvFileSentence::NoMeaning { name },
        },
    };
    found.warn(place, what);
}

/// `CAMERA_N_URL` and `CAMERA_N_NAME`; true if a password stood in it.
fn of_camera(
    rest: &str,
    line: &Assignment,
    place: &SourceLocation,
    written: &mut WrittenConfig,
    found: &mut Findings,
) -> bool {
    let (number, key) = rest.split_once('_').unwrap_or((rest, ""));
    let numbered = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if !numbered || !matches!(key, "URL" | "NAME") {
        let what = EnvFileSentence::UnknownOfCamera {
            name: line.name.clone(),
            number: if numbered { number } else { "1" }.to_owned(),
        };
        found.problem(place, what);
        return false;
    }
    let id = format!("camera{number}");
    if written.entry_mut("camera", &id).is_none() {
        written.push(new_camera(&id, number, place));
    }
    match written.entry_mut("camera", &id) {
        Some(camera) => put_into_camera(camera, key, line, place),
        None => false,
    }
}

/// True if a password stood in the line.
fn put_into_camera(
    table: &mut Table,
    key: &str,
    line: &Assignment,
    place: &SourceLocation,
) -> bool {
    if key == "NAME" {
        table.put("name", place, &line.name, line.value.clone());
        return false;
    }
    let (url, credentials) = camera::without_credentials(&line.value);
    table.put("url", place, &line.name, url);
    let Some((username, password)) = credentials else {
        return false;
    };
    table.put("username", place, &line.name, username);
    table.put("password", place, &line.name, password);
    true
}

fn new_camera(id: &str, number: &str, place: &SourceLocation) -> Table {
    let mut table = Table::new(&camera::TABLE, place.clone());
    table.put("id", place, "camera's number", id.to_owned());
    table.put("name", place, "camera's number", format!("Camera {number}"));
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
