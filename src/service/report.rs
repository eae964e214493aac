//! The last fault report: the last log lines and the status, kept on the storage as
//! `report/last-fault.txt` when the house turns unhealthy, when a loop stands still, and when the program
//! hits an error of its own.
//!
//! It is one file, whole or not there, of a bounded size, and written once a minute at most (but what the
//! program itself did wrong goes over an unhealthy house that was reported just now); a disk or a
//! lock that hangs holds up nobody but the thread that writes it. What ends the process from outside
//! (no memory, no power) leaves no report: the journal, or nothing, has it.
//!
//! Not here: when (`monitor`, `watchdog`, `panics`); `run` says where it goes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::logging;
use crate::disk::Disk;

/// Between two reports.
const PAUSE: Duration = Duration::from_secs(60);
/// So long the house may take to say how it is: what hangs may be just that.
const ANSWER: Duration = Duration::from_secs(2);
const LONGEST_STATUS: usize = 256 * 1024;

type Ask = Arc<dyn Fn() -> String + Send + Sync>;

/// Where reports go, and whom they ask.
struct Reporter {
    folder: PathBuf,
    status: Ask,
    state: Mutex<State>,
}

/// What is reported; the heavier last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Something around the program.
    House,
    /// The program itself.
    Program,
}

#[derive(Default)]
struct State {
    last: Option<(Instant, Weight)>,
    writing: Option<JoinHandle<()>>,
}

static REPORTER: OnceLock<Reporter> = OnceLock::new();

/// From now on reports go below `storage`; `status` is asked on a thread of its own. Once a process.
pub(crate) fn start(storage: &Path, status: impl Fn() -> String + Send + Sync + 'static) {
    let _ = REPORTER.set(Reporter {
        folder: storage.join("report"),
        status: Arc::new(status),
        state: Mutex::default(),
    });
}

/// Something is wrong: keeps a report, unless one as heavy was kept just now. Does not wait.
pub(crate) fn fault(weight: Weight, why: &str) {
    let Some(reporter) = REPORTER.get() else {
        return;
    };
    // Whoever panics may hold anything; a lock that is taken means that a report is on its way.
    let mut state = match reporter.state.try_lock() {
        Ok(state) => state,
        Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(std::sync::TryLockError::WouldBlock) => return,
    };
    let ago = state.last.map(|(at, weight)| (at.elapsed(), weight));
    if !is_due(ago, weight) {
        return;
    }
    state.last = Some((Instant::now(), weight));
    let (before, why) = (state.writing.take(), why.to_owned());
    // Without a thread there is no report; the log has the lines still.
    state.writing = std::thread::Builder::new()
        .name("report".to_owned())
        .spawn(move || {
            // One at a time; a disk that holds the first would hold this one, too.
            let _ = before.map(JoinHandle::join);
            write(reporter, &why);
        })
        .ok();
}

/// Whether a report is due after the last one, so long ago. Pure.
fn is_due(last: Option<(Duration, Weight)>, weight: Weight) -> bool {
    last.is_none_or(|(ago, before)| ago >= PAUSE || weight > before)
}

/// Waits until a report that is being written is there, or `limit` is over.
pub(crate) fn finish(limit: Duration) {
    let Some(reporter) = REPORTER.get() else {
        return;
    };
    let until = Instant::now() + limit;
    let mut state = reporter
        .state
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let Some(writing) = state.writing.take() else {
        return;
    };
    drop(state);
    while !writing.is_finished() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn write(reporter: &Reporter, why: &str) {
    let status = ask(reporter.status.clone())
        .recv_timeout(ANSWER)
        .unwrap_or_else(|_| "it did not answer".to_owned());
    let text = report(why, Timestamp::now(), &logging::last_lines(), &status);
    if let Err(error) = keep(&Disk::default(), &reporter.folder, &text) {
        log::warn!(target: "hindsight", event = "error_report";
            "the fault report cannot be kept in {}: {error}", reporter.folder.display());
    }
}

fn ask(status: Ask) -> Receiver<String> {
    let (tell, told) = channel();
    // Where it hangs it is left behind; the process is about to be restarted.
    let _ = std::thread::Builder::new()
        .name("report-status".to_owned())
        .spawn(move || drop(tell.send(status())));
    told
}

/// The text of a report. Pure.
fn report(why: &str, now: Timestamp, lines: &[String], status: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut status = status.to_owned();
    let mut end = status.len().min(LONGEST_STATUS);
    while !status.is_char_boundary(end) {
        end -= 1;
    }
    status.truncate(end);
    format!(
        "Hindsight {version}: {why}\nwritten {now} by this machine's clock\n\nThe last log lines:\n{}\nStatus:\n{status}\n",
        lines.concat()
    )
}

/// The storage itself is not made: where it is not there, its disk is not.
fn keep(disk: &Disk, folder: &Path, text: &str) -> io::Result<()> {
    disk.make_dir(folder)?;
    let path = folder.join("last-fault.txt");
    disk.write_atomically(&folder.join("last-fault.new"), &path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_report_says_why_and_has_lines_and_status_within_bounds() {
        let lines = ["one\n".to_owned(), "two\n".to_owned()];
        let status = "ä".repeat(LONGEST_STATUS);
        let text = report(
            "the house is unhealthy",
            Timestamp::UNIX_EPOCH,
            &lines,
            &status,
        );
        assert!(
            text.contains(": the house is unhealthy\nwritten 1970-01-01T00:00:00Z"),
            "{text}"
        );
        assert!(text.contains("\none\ntwo\n\nStatus:\nää"));
        assert!(text.len() < LONGEST_STATUS + 1000);
    }

    #[test]
    fn one_a_minute_is_kept_but_the_programs_own_errors_go_first() {
        let soon = |before, weight| is_due(Some((Duration::from_secs(1), before)), weight);
        assert!(is_due(None, Weight::House));
        assert!(!soon(Weight::House, Weight::House) && !soon(Weight::Program, Weight::Program));
        assert!(soon(Weight::House, Weight::Program) && !soon(Weight::Program, Weight::House));
        assert!(is_due(Some((PAUSE, Weight::Program)), Weight::House));
    }

    #[test]
    fn a_report_replaces_the_last_and_makes_no_storage_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("report");
        for text in ["old", "new"] {
            keep(&Disk::default(), &folder, text).unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
        assert_eq!(files.len(), 1);
        assert_eq!(
            std::fs::read(folder.join("last-fault.txt")).unwrap(),
            b"new"
        );
        let gone = dir.path().join("no-disk/report");
        assert!(keep(&Disk::default(), &gone, "x").is_err());
        assert!(!gone.exists());
    }
}
