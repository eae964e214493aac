//! The one who looks after the room: opens the storage when it comes, mends the
//! journal, reads on in the rings' indices, calls those who wait for another attempt, notices that the wall
//! clock was set; and the end of a run.
//!
//! Not here: what it calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use crate::base::Coded;
use crate::storage::sentence::StorageSentence;

/// While somebody waits for another attempt.
const BUSY: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_secs(1);
/// How long those who work may take to notice that they are told to leave.
pub const LEAVING: Duration = Duration::from_secs(2);

/// Runs until it is told to leave.
pub fn keep(engine: &Arc<Engine>) {
    let mut synchronised = false;
    while !engine.leaving.is_now() {
        engine.heartbeat.beat();
        engine.rings.follow();
        // So that the first press of a day need not ask.
        engine.days.date(engine.clock.wall().unix_ns);
        match engine.open_store() {
            Ok(true) => engine.let_old_rings_go(),
            Ok(false) => engine.notify(),
            Err(error) => {
                let error = error.to_string();
                engine.cannot_open(StorageSentence::Unusable { error }.sentence());
            }
        }
        if let Some(store) = engine.store.get()
            && let Err(error) = store.journal.mend()
        {
            let error = error.to_string();
            let failed = StorageSentence::JournalRefused { error }.sentence();
            engine.state().counts.last_disk_error = Some(failed);
        }
        if !synchronised && engine.store.get().is_some() && engine.clock.wall().synchronised {
            synchronised = true;
            engine.correct_clocks();
        }
        // Notes when the finishing began.
        engine.leaving.is_grace_over(engine.clock.mono_ns());
        let waiting = engine.has_waiting();
        if waiting {
            engine.kick();
        }
        let nap = if waiting { BUSY } else { IDLE };
        rest(engine, nap);
    }
}

/// Sleeps in short pieces, so that a room that is dropped does not wait for it.
fn rest(engine: &Engine, nap: Duration) {
    let until = Instant::now() + nap;
    while !engine.leaving.is_now() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || engine.leaving.wait(left.min(BUSY)) {
            return;
        }
        if engine.has_waiting() && nap > BUSY {
            return;
        }
    }
}

/// Returns when nobody works any more, or nobody can go on in time.
pub fn drain(engine: &Arc<Engine>, mut say: impl FnMut(&str)) {
    let mut said = String::new();
    // A clip that the disk refuses is at work now and then: it is told as refused.
    let mut refused = 0;
    loop {
        if engine.leaving.is_now() {
            return leave(engine, LEAVING);
        }
        let state = engine.state();
        let (active, waiting, retrying) = engine.unfinished(&state);
        let over = engine.leaving.is_grace_over(engine.clock.mono_ns());
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
            what_is_waited_for(engine, all, refused)
        };
        if text != said {
            say(&text);
            said = text;
        }
        let state = engine.state();
        drop(engine.wait_for_change(state, Duration::from_millis(100)));
    }
}

fn clips(count: usize) -> String {
    match count {
        1 => "1 clip".to_owned(),
        n => format!("{n} clips"),
    }
}

fn what_is_waited_for(engine: &Engine, all: usize, refused: usize) -> String {
    let status = engine.status();
    let exports = status.pending.iter().flat_map(|press| &press.exports);
    let longest_ms = exports.map(|e| e.window_ends_in_ms).max().unwrap_or(0);
    let mut text = format!("waiting for {}", clips(all));
    if longest_ms > 0 {
        // The window, unless the grace ends before: then with what there is.
        let grace_ms = engine.settings.stop_grace_ms;
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
pub fn leave(engine: &Engine, limit: Duration) {
    let until = Instant::now() + limit;
    let mut state = engine.state();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if engine.unfinished(&state).0 == 0 || left.is_zero() {
            return;
        }
        state = engine.wait_for_change(state, left);
    }
}
