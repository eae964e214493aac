//! What becomes of an error in the program: a log line and a report.
//!
//! Not here: how lines are written (`logging`), what a report holds (`report`).

use log::Level;

use super::logging;
use super::report::{self, Weight};

/// Errors in the program become log lines: written to stderr by whoever panics, they
/// would hold up a camera where nobody reads, and be no JSON. For the service.
pub fn tell() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !log::log_enabled!(target: "hindsight", Level::Error) {
            return usual(panic);
        }
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        log::error!(target: "hindsight", event = "error_panic", thread; "an error in the program: {panic}");
        report::fault(
            Weight::Program,
            &format!("an error in the program, in its thread {thread}: {panic}"),
        );
        if thread == "main" {
            logging::finish();
            report::finish(logging::LAST_LINES);
        }
    }));
}
