//! The room's state, as others see it.
//!
//! Not here: what is on the disk (`list`).

use super::engine::Engine;
use super::jobs::PressState;
use super::types::{ExportPhase, PendingExport, PendingPress, Status, StorageState};
use crate::base::Coded;
use crate::storage::sentence::StorageSentence;

impl Engine {
    pub fn status(&self) -> Status {
        let storage = self.storage_state();
        let now = self.clock.mono_ns();
        let state = self.state();
        let counts = state.counts.clone();
        let pending = state.presses.iter().filter(|press| !press.retired);
        Status {
            storage,
            pending: pending.map(|press| self.pending(press, now)).collect(),
            presses_taken: counts.taken,
            presses_refused: counts.refused,
            clips_committed: counts.committed,
            clips_suspect: counts.suspect,
            clips_none: counts.none,
            disk_errors: counts.disk_errors,
            last_disk_error: counts.last_disk_error,
        }
    }

    fn pending(&self, press: &PressState, now_mono_ns: u64) -> PendingPress {
        let ours = press.taken.press.boot_id == self.settings.boot_id;
        let cameras = press.taken.cameras.iter().zip(&press.exports);
        let exports = cameras.map(|(camera, export)| PendingExport {
            camera_id: camera.id.clone(),
            phase: export.phase,
            written_bytes: export.progress.written(),
            window_ends_in_ms: if ours && export.phase != ExportPhase::Done {
                let end = camera.plan.window.end_mono_ns();
                end.saturating_sub(now_mono_ns) / 1_000_000
            } else {
                0
            },
            trouble: export.trouble.clone(),
        });
        PendingPress {
            press: press.taken.press.clone(),
            exports: exports.collect(),
        }
    }

    fn storage_state(&self) -> StorageState {
        let (path, checked) = match self.store.get() {
            Some(store) => {
                let writable = |space| match store.journal.trouble() {
                    Some(error) => Err(StorageSentence::JournalFailed {
                        path: store.journal.path().display().to_string(),
                        error,
                    }
                    .sentence()),
                    None => Ok(space),
                };
                (
                    store.layout.root().to_owned(),
                    store.check().and_then(writable),
                )
            }
            None => {
                let trouble = self.state().trouble.clone();
                let why = trouble.unwrap_or_else(|| StorageSentence::NotOpen {}.sentence());
                (self.settings.storage.clone(), Err(why))
            }
        };
        let (free_bytes, total_bytes) = match &checked {
            Ok(space) => (space.free, space.total),
            Err(_) => (0, 0),
        };
        StorageState {
            path,
            trouble: checked.err(),
            free_bytes,
            total_bytes,
        }
    }
}
