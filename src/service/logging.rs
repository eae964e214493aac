//! Where log lines go: stderr, readable or as JSON lines.
//!
//! A line is handed to a thread that writes it: a terminal that was stopped or a
//! pipe that nobody reads must not hold up a camera (law 1). What that thread cannot
//! keep up with is lost, and counted.
//!
//! Not here: which events there are (each room names its own).

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use env_logger::{Builder, Target, WriteStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, LevelFilter, Record};
use nix::sys::signal::SigSet;
use serde_json::Value as Json;

use super::say::above;
use crate::base::lock;
use crate::config::{Log, LogFormat};

/// Lines that may wait to be written.
const WAITING: usize = 1_000;
/// How long the end of the program waits for its last lines to be written.
pub(super) const LAST_LINES: Duration = Duration::from_secs(1);

/// The last lines, for a fault report, and how much of each.
const REMEMBERED: usize = 200;
const LONGEST_REMEMBERED: usize = 2_000;

/// Only the thread that writes lines and the one that writes a report come here.
static LAST: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Sends all log lines of the process to stderr. A second call changes nothing.
pub fn start(log: Log) {
    let queue = QUEUE.get_or_init(|| Queue::new(std::io::stderr()));
    let mut builder = Builder::new();
    // Other people's crates log what they send and get: URLs with passwords in their
    // path, whole session descriptions. All but errors are for our own lines only.
    builder
        .filter_level(log.level.min(LevelFilter::Error))
        .filter_module("hindsight", log.level)
        .target(Target::Pipe(Box::new(queue.clone())))
        .write_style(match colours() {
            true => WriteStyle::Always,
            false => WriteStyle::Never,
        });
    match log.format {
        LogFormat::Json => {
            builder.format(|out, record| writeln!(out, "{}", json_line(record, Timestamp::now())));
        }
        LogFormat::Text => {
            // Asked once: to ask again is to read files, and cameras' threads log, too.
            let timezone = TimeZone::system();
            builder.format(move |out, record| {
                let style = out.default_level_style(record.level());
                let now = Timestamp::now()
                    .to_zoned(timezone.clone())
                    .strftime("%Y-%m-%d %H:%M:%S%.3f");
                let level = level_word(record.level());
                writeln!(out, "{now} {style}{level:5}{style:#} {}", text_of(record))
            });
        }
    }
    let _ = builder.try_init();
}

/// The last log lines, oldest first, each with its line end.
pub(crate) fn last_lines() -> Vec<String> {
    let last = lock(&LAST);
    last.iter().cloned().collect()
}

fn remember(line: &[u8]) {
    let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST_REMEMBERED)]);
    let mut last = lock(&LAST);
    if last.len() == REMEMBERED {
        last.pop_front();
    }
    last.push_back(line.trim_end().to_owned() + "\n");
}

/// Waits until all lines so far are written, or so long that nobody can be reading.
pub fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish(LAST_LINES);
    }
}

fn colours() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb && std::env::var_os("NO_COLOR").is_none()
}

/// Lines on their way to a thread that writes them.
#[derive(Clone)]
struct Queue {
    lines: SyncSender<Waiting>,
    /// Since the last line that was written.
    lost: Arc<AtomicU64>,
}

enum Waiting {
    Line(Vec<u8>),
    /// To be answered when all before it is written.
    Finish(SyncSender<()>),
}

impl Queue {
    fn new(mut to: impl Write + Send + 'static) -> Queue {
        let (queue, lines) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let unwritten = lost.clone();
        // Without the thread the lines are lost; the program runs on.
        let _ = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                // It starts before the thread that takes the signals, and must not take any.
                let _ = SigSet::all().thread_block();
                for waiting in lines {
                    // Nobody is left to tell of a log that cannot be written.
                    match waiting {
                        Waiting::Line(line) => {
                            remember(&line);
                            drop(above(|| to.write_all(&line)));
                        }
                        Waiting::Finish(done) => drop(done.try_send(())),
                    }
                    let lost = unwritten.swap(0, Relaxed);
                    if lost > 0 {
                        let _ = writeln!(to, "{lost} log lines were lost: nobody read them");
                    }
                }
            });
        Queue { lines: queue, lost }
    }

    fn finish(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let (done, wait) = sync_channel(1);
        let mut last = Waiting::Finish(done);
        // A queue stays full only where nobody reads.
        while let Err(TrySendError::Full(back)) = self.lines.try_send(last) {
            if Instant::now() >= until {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
            last = back;
        }
        let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

impl Write for Queue {
    /// One line a call; that is how env_logger writes.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match self.lines.try_send(Waiting::Line(line.to_vec())) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
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

    /// A terminal that somebody stopped: takes nothing until it is let go.
    struct Stopped {
        go: std::sync::mpsc::Receiver<()>,
        written: std::sync::mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stopped {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.go.recv();
            self.written.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_terminal_that_takes_nothing_holds_nobody_up_and_what_was_lost_is_counted() {
        let (let_go, go) = std::sync::mpsc::channel();
        let (written, seen) = std::sync::mpsc::channel();
        let mut queue = Queue::new(Stopped { go, written });
        // If any of these waited, this test would not end.
        for n in 0..WAITING + 100 {
            queue.write_all(format!("line {n}\n").as_bytes()).unwrap();
        }
        queue.finish(Duration::ZERO);
        drop(let_go);
        queue.finish(Duration::from_secs(60));
        let text: Vec<u8> = seen.try_iter().flatten().collect();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("line 0\n") && text.contains("line 999\n"));
        assert!(text.contains("log lines were lost"), "{text}");
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
