//! Saying things to people on the terminal.

use std::fmt::Display;
use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

static HUSHED: AtomicBool = AtomicBool::new(false);

/// Nothing is said any more.
pub(super) fn hush() {
    HUSHED.store(true, Ordering::Relaxed);
}

/// Whether both go to the same terminal, file or socket (a service's journal).
pub(super) fn stdout_is_stderr() -> bool {
    let place = |of: std::os::fd::BorrowedFd<'_>| {
        let found = nix::sys::stat::fstat(of).ok()?;
        Some((found.st_dev, found.st_ino))
    };
    let out = place(std::io::stdout().as_fd());
    out.is_some() && out == place(std::io::stderr().as_fd())
}

/// A line to stdout. The service must not fall over a closed terminal.
pub(super) fn say(line: impl Display) {
    if HUSHED.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// "1 clip", "3 clips".
pub(super) fn many(count: u64, what: &str) -> String {
    many_of(count, what, &format!("{what}s"))
}

pub(super) fn many_of(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// "12.0 s".
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// "9 ms", "1.4 s".
pub(super) fn short_time(ns: u64) -> String {
    match ns / 1_000_000 {
        0 => "less than a millisecond".to_owned(),
        ms @ 1..1000 => format!("{ms} ms"),
        ms => seconds(ms),
    }
}

/// "15 MB", "1.2 GB".
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes.div_ceil(1_000_000)),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Long texts in columns of a table, wrapped nowhere.
pub(super) fn table(rows: &[Vec<String>]) -> String {
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
