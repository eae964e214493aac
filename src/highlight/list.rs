//! What is there: the newest highlights on the disk, and the room's state.
//!
//! Reads only. Called by: the room's face (`mod`).

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::engine::Engine;
use super::jobs::PressState;
use super::sidecar::Sidecar;
use super::{ExportPhase, ListedHighlight, PendingExport, PendingPress, Status, StorageState};
use crate::disk::Disk;
use crate::queue::sidecar::LARGEST_SIDECAR;
use crate::storage::listing::{file_name, sidecars_in, subfolders};
use crate::storage::{StorageLayout, names};

/// The newest highlights below a storage, newest first.
pub fn newest(storage: &Path, limit: usize) -> Vec<ListedHighlight> {
    let root = StorageLayout::new(storage).highlights();
    let (mut days, others): (Vec<PathBuf>, Vec<PathBuf>) = subfolders(&root)
        .into_iter()
        .partition(|day| names::is_day(&file_name(day)));
    days.sort();
    // Undated ones may be of any day: they are always looked at.
    let mut presses: Vec<PathBuf> = others.iter().flat_map(|day| subfolders(day)).collect();
    let undated = presses.len();
    for day in days.iter().rev() {
        if presses.len() - undated >= limit {
            break;
        }
        presses.extend(subfolders(day));
    }
    presses.sort_by_cached_key(|press| std::cmp::Reverse(touched(press)));
    let mut found: Vec<ListedHighlight> = Vec::new();
    for press in presses {
        if found.len() >= limit {
            break;
        }
        found.extend(sidecars_in(&press).iter().filter_map(|p| listed(&root, p)));
    }
    found.sort_by_cached_key(|listed| {
        let at: Option<jiff::Timestamp> = listed.sidecar.created_at.parse().ok();
        (std::cmp::Reverse(at), listed.sidecar_file.clone())
    });
    found.truncate(limit);
    found
}

fn touched(folder: &Path) -> SystemTime {
    let modified = std::fs::metadata(folder).and_then(|of| of.modified());
    modified.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn listed(root: &Path, path: &Path) -> Option<ListedHighlight> {
    let bytes = Disk::default().read_file(path, LARGEST_SIDECAR).ok()?;
    let sidecar = Sidecar::from_bytes(&bytes).ok()?;
    let below = |path: &Path| Some(path.strip_prefix(root).ok()?.to_str()?.to_owned());
    Some(ListedHighlight {
        clip: sidecar
            .file_name
            .as_ref()
            .filter(|_| sidecar.removed.is_none())
            .and_then(|name| below(&path.with_file_name(name))),
        sidecar_file: below(path)?,
        sidecar,
    })
}

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
                    Some(trouble) => Err(trouble),
                    None => Ok(space),
                };
                (
                    store.layout.root().to_owned(),
                    store.check().and_then(writable),
                )
            }
            None => {
                let trouble = self.state().trouble.clone();
                let text = trouble.unwrap_or_else(|| "the storage is not open".to_owned());
                (self.settings.storage.clone(), Err(text))
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
