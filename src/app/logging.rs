//! Where log lines go: stderr, readable or as JSON lines.
//!
//! Not here: which events there are (each room names its own).
//! Called by: main, before anything else runs.

use std::fmt::Write as _;
use std::io::Write as _;

use env_logger::{Builder, Target, WriteStyle};
use jiff::Timestamp;
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, LevelFilter, Record};
use serde_json::Value as Json;

use crate::config::{Log, LogFormat};

/// Sends all log lines of the process to stderr. A second call changes nothing.
pub fn start(log: Log) {
    let mut builder = Builder::new();
    // Other people's crates log what they send and get: URLs with passwords in their
    // path, whole session descriptions. All but errors are for our own lines only.
    builder
        .filter_level(log.level.min(LevelFilter::Error))
        .filter_module("hindsight", log.level)
        .target(Target::Stderr)
        .write_style(WriteStyle::Auto);
    match log.format {
        LogFormat::Json => {
            builder.format(|out, record| writeln!(out, "{}", json_line(record, Timestamp::now())));
        }
        LogFormat::Text => {
            builder.format(|out, record| {
                let style = out.default_level_style(record.level());
                let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S%.3f");
                let level = level_word(record.level());
                // env_logger takes the colours out where stderr is no terminal.
                writeln!(out, "{now} {style}{level:5}{style:#} {}", text_of(record))
            });
        }
    }
    let _ = builder.try_init();
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// The message, and behind it whatever it carries: `court1: connected (event=camera_connected)`.
fn text_of(record: &Record<'_>) -> String {
    let mut text = printable(&record.args().to_string());
    let mut separator = " (";
    for (key, value) in fields(record) {
        let value = match value {
            Json::String(text) => text,
            other => other.to_string(),
        };
        let _ = write!(text, "{separator}{key}={}", printable(&value));
        separator = " ";
    }
    if separator == " " {
        text.push(')');
    }
    text
}

/// What cameras and people name things must not steer the terminal or fake a line.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// One JSON object: `timestamp` (RFC 3339), `level`, `event`, `message`, and the key-values.
fn json_line(record: &Record<'_>, now: Timestamp) -> String {
    let mut fields = fields(record);
    let event = fields.iter().position(|(key, _)| key == "event");
    // A line without an event of its own comes from somebody else's crate.
    let event = event.map_or_else(|| record.target().into(), |at| fields.remove(at).1);
    let time = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let mut line = format!(
        "{{\"timestamp\":\"{time}\",\"level\":\"{}\",\"event\":{event},\"message\":{}",
        level_word(record.level()),
        Json::from(record.args().to_string())
    );
    let mut seen = Vec::new();
    for (key, value) in fields {
        let key = match key.as_str() {
            "timestamp" | "level" | "message" => format!("{key}_"),
            _ => key,
        };
        if !seen.contains(&key) {
            let _ = write!(line, ",{}:{value}", Json::from(key.as_str()));
            seen.push(key);
        }
    }
    line + "}"
}

fn fields(record: &Record<'_>) -> Vec<(String, Json)> {
    struct Collect(Vec<(String, Json)>);
    impl<'kvs> VisitSource<'kvs> for Collect {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
            self.0.push((key.to_string(), json_of(&value)));
            Ok(())
        }
    }
    let mut collect = Collect(Vec::new());
    let _ = record.key_values().visit(&mut collect);
    collect.0
}

fn json_of(value: &Value<'_>) -> Json {
    if let Some(number) = value.to_u64() {
        number.into()
    } else if let Some(number) = value.to_i64() {
        number.into()
    } else if let Some(number) = value.to_f64() {
        number.into()
    } else if let Some(flag) = value.to_bool() {
        flag.into()
    } else {
        value.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with_record<T>(
        kvs: &[(&str, Value<'_>)],
        message: &str,
        look: impl Fn(&Record<'_>) -> T,
    ) -> T {
        look(
            &Record::builder()
                .target("hindsight")
                .level(Level::Info)
                .key_values(&kvs)
                .args(format_args!("{message}"))
                .build(),
        )
    }

    #[test]
    fn a_json_line_is_one_object_with_the_event_and_its_values() {
        let kvs = [
            ("event", Value::from("camera_connected")),
            ("camera", Value::from("court1")),
            ("width", Value::from(1920u32)),
            ("message", Value::from("not the message")),
        ];
        let now = Timestamp::from_millisecond(1_790_000_000_123).unwrap();
        let line = with_record(&kvs, "court1: \"connected\"\nreally", |record| {
            json_line(record, now)
        });
        assert!(!line.contains('\n'));
        assert!(line.starts_with("{\"timestamp\":\"2026-09-21T14:13:20.123Z\",\"level\":"));
        let read: Json = serde_json::from_str(&line).unwrap();
        let want = serde_json::json!({
            "timestamp": "2026-09-21T14:13:20.123Z",
            "level": "info",
            "event": "camera_connected",
            "message": "court1: \"connected\"\nreally",
            "camera": "court1",
            "width": 1920,
            "message_": "not the message",
        });
        assert_eq!(read, want);
    }

    #[test]
    fn a_text_line_can_neither_steer_the_terminal_nor_fake_a_second_line() {
        let kvs = [("event", Value::from("camera_lost"))];
        let line = with_record(&kvs, "court1: \u{1b}[2Jgone\nerror fake", text_of);
        assert_eq!(
            line,
            "court1: \\u{1b}[2Jgone\\nerror fake (event=camera_lost)"
        );
        assert_eq!(with_record(&[], "plain", text_of), "plain");
    }
}
