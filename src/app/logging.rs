//! Where log lines go: stderr, readable or as JSON lines.
//!
//! Not here: which events there are (each room names its own).
//! Called by: main, before anything else runs.

use crate::config::Log;

/// Sends all log lines of the process to stderr. A second call changes nothing.
pub fn start(log: Log) {
    let _ = log;
    todo!()
}
