//! From what people wrote to what the program trusts. Looks at everything
//! before it gives up, so that all mistakes are told at once.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use jiff::tz::TimeZone;
use log::LevelFilter;

use super::checked::{
    Config, Highlight, Http, Log, LogFormat, Reconnect, Secret, Storage, Trigger, Venue,
};
use super::near::did_you_mean;
use super::problem::{Findings, SourceLocation};
use super::secret::{SystemdCredentials, secret};
use super::units::{BadUnit, decimal, duration_ms, show_ms};
use super::written::{Cell, Table, Value, WrittenConfig};

/// Longest `pre` and `post`, each.
pub const LONGEST_WINDOW_MS: u64 = 30 * 60_000;
const SHORTEST_TOKEN: usize = 16;

/// All of it, or as much as could be made of it; `found` knows whether it can be trusted.
pub fn check(
    written: &WrittenConfig,
    credentials: &SystemdCredentials,
    found: &mut Findings,
) -> Config {
    let mut check = Checker {
        written,
        credentials,
        found,
    };
    let highlight = check.highlight();
    let cameras = super::camera::cameras(&mut check);
    let (buttons, leds) = check.buttons_and_leds(&highlight, &cameras);
    let (storage, finish) = (check.storage(), check.finish());
    Config {
        venue: check.venue(),
        ring: check.ring(&highlight, &buttons),
        trigger: check.trigger(),
        reconnect: check.reconnect(),
        http: check.http(),
        log: check.log(),
        board: check.board(),
        queue: check.queue(finish.marks()),
        upload: check.upload(),
        targets: super::target::targets(&mut check, &storage),
        highlight,
        cameras,
        buttons,
        leds,
        storage,
        finish,
        notices: None,
    }
}

/// A length of time as it would stand in this cell's source: the predecessors' file has seconds.
fn as_written_at(cell: &Cell, ms: u64) -> String {
    match cell.place {
        SourceLocation::EnvFile { .. } if ms.is_multiple_of(1000) => format!("{}", ms / 1000),
        SourceLocation::EnvFile { .. } => format!("{}.{:03}", ms / 1000, ms % 1000)
            .trim_end_matches('0')
            .to_owned(),
        _ => format!("\"{}\"", show_ms(ms)),
    }
}

/// Why what was read is no length of time within `range`, and what would be right.
fn no_duration(
    cell: &Cell,
    read: Result<u64, (BadUnit, String)>,
    range: &RangeInclusive<u64>,
    example_ms: u64,
) -> String {
    let right = |ms: u64| as_written_at(cell, ms);
    match read {
        Ok(ms) if ms > *range.end() => format!("is too long; at most {}", right(*range.end())),
        Ok(_) => format!("is too short; at least {}", right(*range.start())),
        Err((BadUnit::NoUnit, number)) if !number.starts_with('-') => {
            let number = number.trim();
            match decimal(number, 1000) {
                Some(ms) if !range.contains(&ms) => {
                    format!("has no unit; write milliseconds like \"{number}ms\"")
                }
                _ => format!("has no unit; if seconds are meant, write \"{number}s\""),
            }
        }
        Err(_) => format!("is no length of time; write it like {}", right(example_ms)),
    }
}

/// Why a cell is no whole number.
fn no_whole_number(cell: &Cell, what: &str, example: u64) -> String {
    let quoted = match &cell.value {
        Value::Text(text) => text.parse::<u64>().ok(),
        _ => None,
    };
    match quoted {
        Some(number) => format!("stands in quotes; write {number} without them"),
        None => format!("is not a whole number {what}; write it like {example}"),
    }
}

/// Looks at values one by one: a bad one is reported and its default stands in.
pub struct Checker<'a> {
    pub written: &'a WrittenConfig,
    pub credentials: &'a SystemdCredentials,
    pub found: &'a mut Findings,
}

impl Checker<'_> {
    /// A length of time within `range`.
    pub fn duration_ms(
        &mut self,
        table: Option<&Table>,
        key: &str,
        range: RangeInclusive<u64>,
        example_ms: u64,
        default: u64,
    ) -> u64 {
        let Some(cell) = table.and_then(|table| table.get(key)) else {
            return default;
        };
        let read = match &cell.value {
            Value::Text(text) => duration_ms(text).map_err(|bad| (bad, text.clone())),
            Value::Whole(number) => Err((BadUnit::NoUnit, number.to_string())),
            Value::Other(text) => duration_ms(text).map_err(|bad| (bad, text.clone())),
            Value::List(_) => Err((BadUnit::Shape, String::new())),
        };
        match read {
            Ok(ms) if range.contains(&ms) => ms,
            read => {
                let why = no_duration(cell, read, &range, example_ms);
                self.found.reject(cell, why);
                default
            }
        }
    }

    /// A whole number within `range`.
    pub fn whole(
        &mut self,
        table: Option<&Table>,
        key: &str,
        range: RangeInclusive<u64>,
        what: &str,
        example: u64,
    ) -> Option<u64> {
        let cell = table.and_then(|table| table.get(key))?;
        let read = match &cell.value {
            Value::Whole(number) => Some(i128::from(*number)),
            // From the environment everything comes as text.
            Value::Text(text) if !matches!(cell.place, SourceLocation::File { .. }) => {
                text.trim().parse().ok()
            }
            _ => None,
        };
        let Some(number) = read else {
            let why = no_whole_number(cell, what, example);
            self.found.reject(cell, why);
            return None;
        };
        match u64::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
        {
            Some(number) => Some(number),
            None => {
                let (least, most) = (range.start(), range.end());
                self.found
                    .reject(cell, format!("is out of reach; write {least} to {most}"));
                None
            }
        }
    }

    /// One of a few words, in any case.
    pub fn choice<T: Copy>(
        &mut self,
        table: Option<&Table>,
        key: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(cell) = table.and_then(|table| table.get(key)) else {
            return default;
        };
        let text = match &cell.value {
            Value::Text(text) => text.trim(),
            _ => "",
        };
        let taken = choices
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(text));
        if let Some((_, value)) = taken {
            return *value;
        }
        let quoted: Vec<String> = choices
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        let why = format!("is not one of {}", quoted.join(", "));
        self.found.reject(cell, why);
        default
    }

    /// A name for people: one line of 1 to 80 characters.
    pub fn label(&mut self, table: Option<&Table>, key: &str, default: &str) -> String {
        const LONGEST: usize = 80;
        let Some(cell) = table.and_then(|table| table.get(key)) else {
            return default.to_owned();
        };
        match &cell.value {
            Value::Text(text)
                if (1..=LONGEST).contains(&text.trim().chars().count())
                    && !text.contains(char::is_control) =>
            {
                return text.trim().to_owned();
            }
            Value::Text(text) => {
                let what = match text.trim().chars().count() {
                    long if long > LONGEST => format!("is too long for a name ({long} characters)"),
                    _ => "is no name".to_owned(),
                };
                let why = format!("{what}; write 1 to {LONGEST} characters on one line");
                self.found.reject(cell, why);
            }
            _ => self.found.reject(cell, "is not text; put it in quotes"),
        }
        default.to_owned()
    }

    pub fn path_or(&mut self, table: &str, key: &str, default: &str) -> PathBuf {
        let path = self.path(self.written.table(table), key, default);
        path.unwrap_or_else(|| PathBuf::from(default))
    }

    fn venue(&mut self) -> Venue {
        Venue {
            name: self.label(self.written.table("venue"), "name", "Hindsight"),
            timezone: self.timezone(),
            open: self.open(),
        }
    }

    fn timezone(&mut self) -> TimeZone {
        let Some(cell) = self.written.get("venue", "timezone") else {
            return TimeZone::system();
        };
        let text = match &cell.value {
            Value::Text(text) => text.trim(),
            _ => "",
        };
        if let Ok(zone) = TimeZone::get(text) {
            return zone;
        }
        let known: Vec<String> = jiff::tz::db()
            .available()
            .map(|name| name.to_string())
            .collect();
        let hint = did_you_mean(text, known.iter().map(String::as_str));
        let right = "; write it like \"America/Sao_Paulo\"".to_owned();
        let right = if hint.is_empty() { right } else { hint };
        self.found.reject(cell, format!("is no time zone{right}"));
        TimeZone::UTC
    }

    fn storage(&mut self) -> Storage {
        Storage {
            path: self.path_or("storage", "path", "/var/lib/hindsight"),
        }
    }

    fn highlight(&mut self) -> Highlight {
        let table = self.written.table("highlight");
        let window = 0..=LONGEST_WINDOW_MS;
        let pre_ms = self.duration_ms(table, "pre", window.clone(), 40_000, 40_000);
        let post_ms = self.duration_ms(table, "post", window, 10_000, 10_000);
        let stop_grace_ms = self.duration_ms(table, "stop_grace", 0..=300_000, 20_000, 20_000);
        let (pre, post) = (
            self.written.get("highlight", "pre"),
            self.written.get("highlight", "post"),
        );
        let bad = self.found.was_rejected(pre) || self.found.was_rejected(post);
        if let (false, Some(cell), true) = (bad, pre.or(post), pre_ms + post_ms < 1000) {
            let post = show_ms(post_ms);
            self.found.reject(
                cell,
                format!(
                    "with post = \"{post}\" makes clips of no length; together at least \"1s\""
                ),
            );
        }
        Highlight {
            pre_ms,
            post_ms,
            stop_grace_ms,
        }
    }

    fn trigger(&mut self) -> Trigger {
        let both = Trigger {
            keyboard: true,
            http: true,
        };
        let keyboard = Trigger {
            http: false,
            ..both
        };
        let http = Trigger {
            keyboard: false,
            ..both
        };
        let choices = [("keyboard", keyboard), ("http", http), ("both", both)];
        self.choice(self.written.table("trigger"), "mode", &choices, both)
    }

    fn reconnect(&mut self) -> Reconnect {
        let table = self.written.table("reconnect");
        let initial_ms = self.duration_ms(table, "initial_delay", 100..=600_000, 1000, 1000);
        let written = table.and_then(|table| table.get("max_delay"));
        let default = initial_ms.max(30_000);
        let max_ms = self.duration_ms(table, "max_delay", 100..=3_600_000, 30_000, default);
        let attempts = self.whole(table, "max_attempts", 0..=1_000_000, "of attempts", 0);
        if let Some(cell) = written.filter(|_| max_ms < initial_ms) {
            let initial = show_ms(initial_ms);
            self.found.reject(
                cell,
                format!("is shorter than the initial delay; write at least \"{initial}\""),
            );
        }
        Reconnect {
            initial_ms,
            max_ms,
            max_attempts: attempts
                .filter(|attempts| *attempts > 0)
                .and_then(|attempts| u32::try_from(attempts).ok()),
        }
    }

    fn http(&mut self) -> Http {
        let empty = Table::new(SourceLocation::CommandLine);
        let table = self.written.table("http").unwrap_or(&empty);
        let token = secret(table, "token", self.credentials, "http.token", self.found);
        let cell = table.get("token").or(table.get("token_file"));
        self.token_is_good(cell, token.as_ref());
        let listen = self.listen(table);
        let open = !listen.ip().to_canonical().is_loopback();
        if let (true, None, None, Some(listen)) = (open, &token, cell, table.get("listen")) {
            self.found.reject(
                listen,
                "can be reached by other machines, so a token is needed; add token_file = \
                 \"/etc/hindsight/token\" (make one with: openssl rand -hex 24), or listen on \
                 \"127.0.0.1:8080\"",
            );
        }
        Http { listen, token }
    }

    fn token_is_good(&mut self, cell: Option<&Cell>, token: Option<&Secret>) {
        let Some(text) = token.map(Secret::reveal) else {
            return;
        };
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        let why = if text.len() < SHORTEST_TOKEN {
            format!(
                "is a token of {} characters; use at least {SHORTEST_TOKEN}",
                text.len()
            )
        } else if !visible || text.len() > 512 {
            "is no token; use up to 512 letters, digits and signs without spaces".to_owned()
        } else {
            return;
        };
        let why = format!("{why} (make one with: openssl rand -hex 24)");
        match cell {
            Some(cell) => self.found.reject(cell, why),
            None => self.found.problem(
                &SourceLocation::Environment,
                format!("systemd's credential http.token {why}"),
            ),
        }
    }

    fn listen(&mut self, table: &Table) -> SocketAddr {
        let default = SocketAddr::from(([127, 0, 0, 1], 8080));
        let Some(cell) = table.get("listen") else {
            return default;
        };
        let text = match &cell.value {
            Value::Text(text) => text.trim(),
            _ => "",
        };
        text.parse().unwrap_or_else(|_| {
            self.found.reject(
                cell,
                "is no address and port; write \"127.0.0.1:8080\" for this machine only, \
                 \"0.0.0.0:8080\" for all",
            );
            default
        })
    }

    fn log(&mut self) -> Log {
        let table = self.written.table("log");
        // The predecessors' words are understood, but not advertised.
        let spoken = table.and_then(|table| table.text("level"));
        let level = match spoken
            .map(|text| text.trim().to_ascii_lowercase())
            .as_deref()
        {
            Some("warning") => LevelFilter::Warn,
            Some("critical" | "fatal") => LevelFilter::Error,
            _ => {
                let levels = [
                    ("error", LevelFilter::Error),
                    ("warn", LevelFilter::Warn),
                    ("info", LevelFilter::Info),
                    ("debug", LevelFilter::Debug),
                    ("trace", LevelFilter::Trace),
                ];
                self.choice(table, "level", &levels, LevelFilter::Info)
            }
        };
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let format = self.choice(table, "format", &formats, LogFormat::Text);
        Log { level, format }
    }
}
