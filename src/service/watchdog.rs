//! Feeds systemd's watchdog by progress: as long as every loop of the service turns
//! (`health::progress`), and not by a timer. Where one stands, it says so, keeps a report, and feeds no
//! more: systemd ends the process and starts another, and what the rings hold is adopted. A loop may stand as long
//! as systemd waits for a word, so it is ended after twice `WatchdogSec` at the latest.
//!
//! While the service stops, loops end one after the other; then `TimeoutStopSec` watches instead.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::composition::Service;
use super::monitor::Monitor;
use super::report::{self, Weight};
use crate::base::{Clock, Heartbeat, RealClock, Stop, StopLevel};
use crate::health::progress::{self, LoopProgress, LoopSample, Stands};
use crate::health::systemd::{Systemd, status_line};
use crate::health::{Status, Verdict};

/// Between two looks where systemd names no time.
const LOOK: Duration = Duration::from_secs(2);

/// Dropping it ends the feeding.
pub(crate) struct Watchdog {
    /// A look now, not at its time.
    now: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Watching {
    systemd: Option<Systemd>,
    monitor: Arc<Monitor>,
    heartbeats: Vec<Arc<Heartbeat>>,
    stop: Stop,
    progress: LoopProgress,
    /// What was told of the health last.
    told: String,
    /// A loop stands, and that has been told.
    stands: bool,
}

/// Tells systemd that the service has started, and watches over it from now on.
pub(crate) fn start(service: &Service, stop: &Stop) -> io::Result<Watchdog> {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let systemd = Systemd::of(&env, std::process::id())?;
    let limit = systemd.as_ref().and_then(Systemd::watchdog);
    let limit_ns = limit.and_then(|limit| u64::try_from(limit.as_nanos()).ok());
    let watching = Watching {
        systemd,
        monitor: service.monitor.clone(),
        heartbeats: service.heartbeats(),
        stop: stop.clone(),
        progress: LoopProgress::new(limit_ns.unwrap_or(progress::LIMIT_NS)),
        told: String::new(),
        stands: false,
    };
    watching.say("READY=1");
    let (now, asked) = channel();
    let thread = std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            let mut watching = watching;
            let pause = watching.pause();
            loop {
                watching.look();
                match asked.recv_timeout(pause) {
                    Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
    Ok(Watchdog {
        now: Some(now),
        thread: Some(thread),
    })
}

impl Watchdog {
    /// The wish to stop has been heard: systemd hears of it at once.
    pub fn stopping(&self) {
        // Gone only where its thread is.
        if let Some(now) = &self.now {
            let _ = now.send(());
        }
    }
}

impl Watching {
    /// Four words in the time that systemd waits for one.
    fn pause(&self) -> Duration {
        let limit = self.systemd.as_ref().and_then(Systemd::watchdog);
        limit.map_or(LOOK, |limit| (limit / 4).min(LOOK))
    }

    fn look(&mut self) {
        if self.stop.level() > StopLevel::Running {
            if self.told != STOPPING {
                self.told = STOPPING.to_owned();
                self.say(STOPPING);
            }
            return self.say("WATCHDOG=1");
        }
        let standing = self
            .progress
            .look(&seen(&self.heartbeats), RealClock.mono_ns());
        self.tell_standing(&standing);
        if standing.is_empty() {
            self.say("WATCHDOG=1");
        }
        // Not asked where something stands: it may hold what the answer needs.
        let line = match standing.first() {
            None => health_line(self.monitor.last_verdict().as_ref()),
            Some(first) => status_line(&format!("{} stands still", first.name)),
        };
        if self.told != line {
            self.say(&line);
            self.told = line;
        }
    }

    fn tell_standing(&mut self, standing: &[Stands]) {
        let stood = std::mem::replace(&mut self.stands, !standing.is_empty());
        let names: Vec<String> = standing
            .iter()
            .map(|stands| format!("{} for {} s", stands.name, stands.ms / 1000))
            .collect();
        let names = names.join(", ");
        match (stood, self.stands) {
            (false, true) => {
                log::error!(target: "hindsight", event = "error_stands_still"; "a part of the program stands still: {names}; systemd is told no more that all is well, and restarts it");
                report::fault(
                    Weight::Program,
                    &format!("a part of the program stands still: {names}"),
                );
            }
            (true, false) => {
                log::warn!(target: "hindsight", event = "system_goes_on"; "all parts of the program go on again");
            }
            _ => {}
        }
    }

    fn say(&self, words: &str) {
        if let Some(systemd) = &self.systemd
            && let Err(error) = systemd.say(words)
        {
            log::debug!(target: "hindsight", event = "system_notify"; "systemd cannot be told {words:?}: {error}");
        }
    }
}

const STOPPING: &str = "STOPPING=1\nSTATUS=open clips run to their end";

fn health_line(verdict: Option<&Verdict>) -> String {
    let text = match verdict {
        None => "started".to_owned(),
        Some(verdict) if verdict.status == Status::Healthy => "all is well".to_owned(),
        Some(verdict) => {
            let status = format!("{:?}", verdict.status).to_lowercase();
            let reasons = verdict.reasons.iter();
            let reasons: Vec<String> = reasons
                .map(|r| format!("{}: {}", r.place, r.what))
                .collect();
            format!("{status}: {}", reasons.join("; "))
        }
    };
    status_line(&text)
}

fn seen(heartbeats: &[Arc<Heartbeat>]) -> Vec<LoopSample> {
    let look = |heartbeat: &Arc<Heartbeat>| {
        let beats = heartbeat.beats();
        let stat = heartbeat.thread().and_then(|thread| {
            std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()
        });
        LoopSample {
            name: heartbeat.name().to_owned(),
            beats,
            held_by_kernel: stat.is_some_and(|stat| progress::held_by_kernel(&stat)),
        }
    };
    heartbeats.iter().map(look).collect()
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.now.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
