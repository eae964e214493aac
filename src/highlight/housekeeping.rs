//! The one who looks after the room: opens the storage when it comes, mends the
//! journal, reads on in the rings' indices, calls those who wait for another attempt, notices that the wall
//! clock was set; and the end of a run.
//!
//! Called by: the room's face (`mod`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use crate::base::StopLevel;

/// While somebody waits for another attempt.
const BUSY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(1);

/// Runs until it is told to leave.
pub fn keep(core: &Arc<Engine>) {
    let mut synchronised = false;
    while !core.told_to_leave() {
        core.heartbeat.beat();
        core.rings.follow();
        // So that the first press of a day need not ask.
        core.days.date(core.clock.wall().unix_ns);
        match core.open_store() {
            Ok(true) => core.let_old_rings_go(),
            Ok(false) => core.notify(),
            Err(error) => core.cannot_open(error.to_string()),
        }
        if let Some(store) = core.store.get()
            && let Err(error) = store.journal.mend()
        {
            core.state().counts.last_disk_error = Some(format!("the journal: {error}"));
        }
        if !synchronised && core.store.get().is_some() && core.clock.wall().synchronised {
            synchronised = true;
            core.correct_clocks();
        }
        // Notes when the finishing began.
        core.grace_is_over(core.clock.mono_ns());
        let waiting = core.has_waiting();
        if waiting {
            core.kick();
        }
        let nap = if waiting { BUSY } else { IDLE };
        let next = match core.stop.level() {
            StopLevel::Running => StopLevel::Finish,
            _ => StopLevel::Now,
        };
        rest(core, next, nap);
    }
}

/// Sleeps in short pieces, so that a room that is dropped does not wait for it.
fn rest(core: &Engine, next: StopLevel, nap: Duration) {
    let until = Instant::now() + nap;
    while !core.told_to_leave() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || core.stop.wait(next, left.min(BUSY)) {
            return;
        }
        if core.has_waiting() && nap > BUSY {
            return;
        }
    }
}

/// Returns when nobody works any more, or nobody can go on in time.
pub fn drain(core: &Arc<Engine>, mut say: impl FnMut(&str)) {
    let mut said = String::new();
    // A clip that the disk refuses is at work now and then: it is told as refused.
    let mut refused = 0;
    loop {
        if core.told_to_leave() {
            return leave(core, super::LEAVING);
        }
        let state = core.state();
        let (active, waiting, retrying) = core.unfinished(&state);
        let over = core.grace_is_over(core.clock.mono_ns());
        if active == 0 && waiting == 0 && (retrying == 0 || over) {
            if retrying > 0 {
                say(&format!(
                    "{} could not be finished because of the disk: the next start goes on with {}",
                    clips(retrying),
                    if retrying == 1 { "it" } else { "them" }
                ));
            }
            return;
        }
        drop(state);
        let text = {
            let all = active + waiting + retrying;
            refused = retrying.max(refused).min(all);
            what_is_waited_for(core, all, refused)
        };
        if text != said {
            say(&text);
            said = text;
        }
        let state = core.state();
        drop(core.wait_for_change(state, Duration::from_millis(100)));
    }
}

fn clips(count: usize) -> String {
    match count {
        1 => "1 clip".to_owned(),
        n => format!("{n} clips"),
    }
}

fn what_is_waited_for(core: &Engine, all: usize, refused: usize) -> String {
    let status = core.status();
    let exports = status.pending.iter().flat_map(|press| &press.exports);
    let longest_ms = exports.map(|e| e.window_ends_in_ms).max().unwrap_or(0);
    let mut text = format!("waiting for {}", clips(all));
    if longest_ms > 0 {
        // The window, unless the grace ends before: then with what there is.
        let grace_ms = core.settings.stop_grace_ms;
        let seconds = longest_ms.min(grace_ms).div_ceil(1000);
        text.push_str(&format!(", at most {} s more", round_up(seconds)));
    }
    if refused > 0 {
        text.push_str(&format!(" ({refused} of them because of the disk)"));
    }
    text
}

/// So that a line is said now and then, not every second.
fn round_up(seconds: u64) -> u64 {
    if seconds > 5 {
        seconds.next_multiple_of(5)
    } else {
        seconds
    }
}

/// Waits until everybody has left, at most `limit`.
pub fn leave(core: &Engine, limit: Duration) {
    let until = Instant::now() + limit;
    let mut state = core.state();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if core.unfinished(&state).0 == 0 || left.is_zero() {
            return;
        }
        state = core.wait_for_change(state, left);
    }
}
