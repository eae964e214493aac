//! The log of a process that reads cameras: lines on their way to the service, few of each camera.
//!
//! Not here: what is done with them there (`process::supervisor`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use tokio::sync::Notify;

use crate::base::{CameraId, Clock, RealClock, lock};

use super::super::process::lines::{LineBudget, LineFate};
use super::super::process::message::{CameraIndex, LogLine, short};

/// Lines that may wait.
const WAITING: usize = 64;
/// Characters of a line: fewer than the service takes.
const LONGEST: usize = 500;

static LINES: OnceLock<Arc<LogLines>> = OnceLock::new();

/// The lines that wait.
#[derive(Debug)]
pub struct LogLines {
    cameras: Vec<CameraId>,
    level: LevelFilter,
    said: Arc<Notify>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    lines: VecDeque<LogLine>,
    /// One more than cameras.
    budgets: Vec<LineBudget>,
}

impl LogLines {
    /// From now on this process's log; errors in the program, too. `said` hears of lines.
    pub fn install(cameras: Vec<CameraId>, level: LevelFilter, said: Arc<Notify>) -> Arc<LogLines> {
        let waiting = Waiting {
            lines: VecDeque::new(),
            budgets: vec![LineBudget::default(); cameras.len() + 1],
        };
        let lines = LINES.get_or_init(|| {
            Arc::new(LogLines {
                cameras,
                level,
                said,
                waiting: Mutex::new(waiting),
            })
        });
        if log::set_logger(&**lines).is_ok() {
            log::set_max_level(level);
        }
        std::panic::set_hook(Box::new(|panic| {
            log::error!(target: "hindsight", event = "error_panic"; "an error in a process that reads cameras: {panic}");
        }));
        lines.clone()
    }

    pub fn next(&self) -> Option<LogLine> {
        lock(&self.waiting).lines.pop_front()
    }
}

impl Log for LogLines {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        // As in the service: other people's crates log what they send and get.
        let most = match of.target().starts_with("hindsight") {
            true => self.level,
            false => self.level.min(LevelFilter::Error),
        };
        of.level() <= most
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut keys = Keys::default();
        let _ = record.key_values().visit(&mut keys);
        let camera = keys.camera.and_then(|id| {
            let at = self.cameras.iter().position(|known| known.as_str() == id)?;
            CameraIndex::try_from(at).ok()
        });
        let now = RealClock.mono_ns();
        let mut waiting = lock(&self.waiting);
        let budget = camera.map_or(self.cameras.len(), usize::from);
        let Some(budget) = waiting.budgets.get_mut(budget) else {
            return;
        };
        let mut text = record.args().to_string();
        match budget.line(now) {
            LineFate::LeftOut => return,
            LineFate::Said => {}
            LineFate::SaidAfter { left_out } => {
                text = format!("{text} ({left_out} lines before this were too many)");
            }
        }
        if waiting.lines.len() < WAITING {
            waiting.lines.push_back(LogLine {
                camera,
                level: record.level(),
                event: keys.event.unwrap_or_else(|| "error_foreign".to_owned()),
                text: printable(&text),
            });
            self.said.notify_one();
        }
    }

    fn flush(&self) {}
}

/// As the service takes it.
pub fn printable(text: &str) -> String {
    short(text, LONGEST)
}

#[derive(Default)]
struct Keys {
    event: Option<String>,
    camera: Option<String>,
}

impl<'kvs> VisitSource<'kvs> for Keys {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        match key.as_str() {
            "event" => self.event = Some(value.to_string()),
            "camera" => self.camera = Some(value.to_string()),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_camera_calls_itself_is_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(printable(&"x".repeat(5_000)).len(), LONGEST);
    }
}
