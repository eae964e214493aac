//! Saying things to people on the terminal.

use crate::base::lock;
use crate::base::quantity::ToFloat;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

static HUSHED: AtomicBool = AtomicBool::new(false);

/// The line that stays below all others and is rewritten in place; empty: none.
static BELOW: Mutex<String> = Mutex::new(String::new());

/// To the line's beginning, and all of it away.
const AWAY: &str = "\r\x1b[K";

fn below() -> MutexGuard<'static, String> {
    lock(&BELOW)
}

/// Whether stdout is a terminal on which a line can be rewritten.
pub(crate) fn rewrites() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stdout().is_terminal() && !dumb && !HUSHED.load(Ordering::Relaxed)
}

/// Keeps a short line below all others; `None`: no more.
pub(crate) fn keep_below(line: Option<&str>) {
    let line = line.unwrap_or_default();
    let mut kept = below();
    if *kept == line {
        return;
    }
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{AWAY}{line}").and_then(|()| out.flush());
    line.clone_into(&mut kept);
}

/// Has `write` write whole lines to the terminal above the line that stays below.
pub(crate) fn above<T>(write: impl FnOnce() -> T) -> T {
    let kept = below();
    if kept.is_empty() {
        return write();
    }
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{AWAY}").and_then(|()| out.flush());
    drop(out);
    let done = write();
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{kept}").and_then(|()| out.flush());
    done
}

/// Nothing is said any more.
pub(crate) fn hush() {
    HUSHED.store(true, Ordering::Relaxed);
}

/// Whether both go to the same terminal, file or socket (a service's journal).
pub(crate) fn stdout_is_stderr() -> bool {
    let place = |of: std::os::fd::BorrowedFd<'_>| {
        let found = nix::sys::stat::fstat(of).ok()?;
        Some((found.st_dev, found.st_ino))
    };
    let out = place(std::io::stdout().as_fd());
    out.is_some() && out == place(std::io::stderr().as_fd())
}

/// A line to stdout. The service must not fall over a closed terminal.
pub(crate) fn say(line: impl Display) {
    if HUSHED.load(Ordering::Relaxed) {
        return;
    }
    above(|| {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    });
}

/// "1 clip", "3 clips".
pub(crate) fn many(count: impl TryInto<u64>, what: &str) -> String {
    many_of(count, what, &format!("{what}s"))
}

pub(crate) fn many_of(count: impl TryInto<u64>, one: &str, more: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { more })
}

/// "12.0 s".
pub(crate) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// "9 ms", "1.4 s".
pub(crate) fn short_time(ns: u64) -> String {
    match ns / 1_000_000 {
        0 => "less than a millisecond".to_owned(),
        ms @ 1..1000 => format!("{ms} ms"),
        ms => seconds(ms),
    }
}

/// "40 s", "12 min", "5 h", "9 days": how long ago something was.
pub(crate) fn short_age(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

/// "15 MB", "1.2 GB".
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{:.1} GB", bytes.to_float() / 1e9),
    }
}

/// Long texts in columns of a table, wrapped nowhere.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_and_sizes_read_as_people_say_them() {
        assert_eq!(seconds(12_040), "12.0 s");
        assert_eq!(short_time(400_000), "less than a millisecond");
        assert_eq!(short_time(9_400_000), "9 ms");
        assert_eq!(short_time(1_430_000_000), "1.4 s");
        assert_eq!(bytes(15_000_001), "16 MB");
        assert_eq!(bytes(1_240_000_000), "1.2 GB");
        assert_eq!(
            many(1, "clip") + ", " + &many(0, "fault"),
            "1 clip, 0 faults"
        );
    }

    #[test]
    fn tables_stand_in_columns() {
        let rows = [["id", "name"], ["court1", "Platz ä"], ["x", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "id      name\ncourt1  Platz ä\nx\n");
    }
}
