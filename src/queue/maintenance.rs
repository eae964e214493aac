//! The one who looks after the queue: reads what is there, hears of what is new, and
//! deletes what is over.
//!
//! Not here: what is to go (`retention`), in which order files go (`store`).

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::core::Core;
use super::inbox::{Message, OpenedStorage};
use super::machine::{JobEvent as Change, NextStep, next};
use super::retention::{self, Kept, Steady};
use super::scan::{self, ScannedHighlight};
use super::sidecar::{Removed, Sidecar};
use super::workers::remove_raw;
use crate::storage::budget::StorageRoom;

/// Between two looks at what is to be deleted.
const LOOK: Duration = Duration::from_secs(30);
/// The same, when a sidecar could not be read; twice as long each time.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// How far back the present rate is told from.
const RECENT_MS: i64 = 7 * 86_400_000;

/// What is known of the room on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    pub free_bytes: u64,
    pub total_bytes: u64,
    /// Uploaded highlights, which go when room is needed.
    pub spare_bytes: u64,
    /// Of the disk, what no deletion could free.
    pub used_percent: u64,
    /// At the present rate, until presses are refused; `None`: for ever.
    pub days_left: Option<u64>,
}

/// Runs until the queue ends.
pub fn maintain(core: &Core, mail: &Receiver<Message>, facts: &dyn Fn(DiskUsage)) {
    let mut maintenance = Maintenance {
        core,
        facts,
        steady: Steady::default(),
        chores: VecDeque::new(),
        unread: Vec::new(),
        soon: LOOK_SOON,
    };
    while !core.leaving() {
        let limit = match (maintenance.chores.is_empty(), maintenance.unread.is_empty()) {
            (false, _) => Duration::ZERO,
            (true, false) => maintenance.soon,
            (true, true) => LOOK,
        };
        match mail.recv_timeout(limit) {
            Ok(Message::Open(open)) => maintenance.open(*open),
            Ok(Message::New(path)) => maintenance.look(path),
            Ok(Message::Wake) => {}
            Err(RecvTimeoutError::Timeout) => match maintenance.chores.pop_front() {
                Some(path) => maintenance.chore(&path),
                None => {
                    maintenance.read_again();
                    maintenance.retain();
                }
            },
            // Nobody can tell anything any more; what is known is worked on.
            Err(RecvTimeoutError::Disconnected) => {
                core.stop.wait(crate::base::StopLevel::Finish, LOOK);
                maintenance.retain();
            }
        }
    }
    core.wake();
}

struct Maintenance<'a> {
    core: &'a Core,
    facts: &'a dyn Fn(DiskUsage),
    steady: Steady,
    /// Sidecars that are to be settled, removed, or freed of their unmarked clip.
    chores: VecDeque<PathBuf>,
    /// Sidecars that could not be read.
    unread: Vec<PathBuf>,
    soon: Duration,
}

impl Maintenance<'_> {
    fn open(&mut self, open: OpenedStorage) {
        let sidecars = open.sidecars.clone();
        if self.core.open.set(open).is_err() {
            return;
        }
        let (core, chores, unread) = (self.core, &mut self.chores, &mut self.unread);
        let now = core.now();
        let see = |seen: ScannedHighlight| {
            let raw = raw_is_to_go(core, &seen);
            if core.state().know(&seen, &now) || raw {
                chores.push_back(seen.path);
            }
            !core.leaving()
        };
        scan::scan(&sidecars.layout, &sidecars.disk, see, |path, error| {
            log::warn!(target: "hindsight", event = "error_sidecar"; "{}: {error}; \"hindsight verify\" says more", path.display());
            unread.push(path.to_owned());
        });
        let mut state = core.state();
        state.ready = true;
        let (jobs, resting) = (state.jobs.len(), state.resting.len());
        drop(state);
        core.wake();
        log::info!(target: "hindsight", event = "system_queue", jobs, resting;
            "{jobs} highlights wait for their turn, {resting} are done");
        self.retain();
    }

    fn look(&mut self, path: PathBuf) {
        match self.core.look_again(&path) {
            Ok(true) => self.chores.push_back(path),
            Ok(false) => {}
            Err(_) => self.unread.push(path),
        }
    }

    fn read_again(&mut self) {
        for path in std::mem::take(&mut self.unread) {
            self.look(path);
        }
        self.soon = match self.unread.is_empty() {
            true => LOOK_SOON,
            false => (2 * self.soon).min(LOOK),
        };
    }

    fn chore(&mut self, path: &Path) {
        let Some(open) = self.core.open.get() else {
            return;
        };
        let sidecars = &open.sidecars;
        let Ok(sidecar) = sidecars.read(path) else {
            return;
        };
        let done = match next(&sidecar, &self.core.rules) {
            NextStep::Remove => self.remove(open, path),
            NextStep::Settle => self.core.change(sidecars, path, &Change::Settled).map(drop),
            _ => remove_raw(self.core, sidecars, path, &sidecar),
        };
        // What went wrong is told; the next start tries again.
        let _ = done;
        if self.core.look_again(path).is_err() {
            self.unread.push(path.to_owned());
        }
    }

    // ── retention ──

    fn retain(&mut self) {
        let core = self.core;
        let Some(open) = core.open.get().filter(|_| core.state().ready) else {
            return;
        };
        let now = core.now();
        let now_unix_ms = self.steady.unix_ms(now.mono_ns, now.wall);
        let space = open.sidecars.disk.space(open.sidecars.layout.root()).ok();
        let room = space.map(|space| StorageRoom {
            free_bytes: space.free,
            total_bytes: space.total,
        });
        let (paths, kept): (Vec<PathBuf>, Vec<Kept>) = core.state().keepable().into_iter().unzip();
        let rules = core.keep_rules();
        if let Some(room) = room {
            (self.facts)(facts(room, &kept, now_unix_ms, &rules));
        }
        for at in retention::what_goes(&kept, now_unix_ms, room, &rules) {
            if core.leaving() {
                return;
            }
            // Whoever is told says it himself.
            let _ = self.remove(open, &paths[at]);
        }
        if now_unix_ms.is_some() {
            self.stamp(open, &paths, &kept);
        }
    }

    /// Deletes a highlight, each step after the one that makes it safe.
    fn remove(&self, open: &OpenedStorage, path: &Path) -> Result<(), super::state::AttemptResult> {
        let (core, sidecars) = (self.core, &open.sidecars);
        let trouble = |error| core.disk_trouble(path, "deleting the highlight", &error);
        let sidecar = sidecars.read(path).map_err(trouble)?;
        if !(open.settled)(&sidecar.press_id) {
            return Ok(());
        }
        let sidecar = core.change(sidecars, path, &Change::Goes)?;
        if sidecar.removed != Some(Removed::All) {
            return Ok(());
        }
        sidecars.remove_all(path, &sidecar).map_err(trouble)?;
        core.state().forget(path);
        tell_deleted(&sidecar);
        Ok(())
    }

    /// Those whose times nobody knows begin to age now.
    fn stamp(&self, open: &OpenedStorage, paths: &[PathBuf], kept: &[Kept]) {
        let unknown = |kept: &Kept| {
            kept.rest.is_some() && kept.pressed_unix_ms.or(kept.changed_unix_ms).is_none()
        };
        for (path, _) in paths.iter().zip(kept).filter(|(_, kept)| unknown(kept)) {
            let stamped = self.core.change(&open.sidecars, path, &Change::Stamped);
            if stamped.is_err() || self.core.leaving() {
                return;
            }
            let _ = self.core.look_again(path);
        }
    }
}

fn tell_deleted(sidecar: &Sidecar) {
    let (press, camera) = (&sidecar.press_id, &sidecar.camera.id);
    log::info!(target: "hindsight", event = "clip_deleted",
        press = press.as_str(), camera = camera.as_str();
        "{camera}: the highlight of {} was deleted: its time was over, or room was needed", sidecar.created_at);
}

/// Left by an earlier run, or by an earlier configuration.
fn raw_is_to_go(core: &Core, seen: &ScannedHighlight) -> bool {
    let sidecar = &seen.sidecar;
    match sidecar.removed {
        Some(Removed::Raw) => seen.raw,
        Some(Removed::All) => false,
        None => !core.rules.keep_raw && seen.raw && sidecar.wm_path.is_some(),
    }
}

fn facts(
    room: StorageRoom,
    kept: &[Kept],
    now_unix_ms: Option<i64>,
    rules: &retention::RetentionRules,
) -> DiskUsage {
    let uploaded = kept
        .iter()
        .filter(|k| k.rest == Some(super::machine::Rest::Uploaded));
    let spare: u64 = uploaded.map(|k| k.bytes).sum();
    let ages = kept.iter().filter_map(|k| {
        let age_ms = now_unix_ms?.saturating_sub(k.pressed_unix_ms?);
        (0..RECENT_MS)
            .contains(&age_ms)
            .then_some((age_ms, k.bytes))
    });
    let recent: Vec<(i64, u64)> = ages.collect();
    let bytes = recent.iter().map(|(_, bytes)| bytes).sum();
    // A box that is new has no week behind it; a day at least.
    let oldest = recent.iter().map(|(age, _)| *age).max().unwrap_or(0);
    let since_ms = u64::try_from(oldest.max(86_400_000)).unwrap_or(1);
    let days = retention::days_left(room, spare, rules, bytes, since_ms);
    DiskUsage {
        free_bytes: room.free_bytes,
        total_bytes: room.total_bytes,
        spare_bytes: spare,
        used_percent: room.used_percent(spare),
        days_left: (days != u64::MAX).then_some(days),
    }
}
