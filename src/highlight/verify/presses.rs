//! A storage's journal and temporary folder, as far as `verify` asks.
//!
//! Not here: what belongs to each (`clip`, `made`).

use std::fs;
use std::path::{Path, PathBuf};

use super::checker::{StorageChecker, is_press_folder, name_of};
use crate::base::Press;
use crate::highlight::journal::{self, JournalError};
use crate::storage::{HighlightPaths, StorageLayout};

/// A folder that a service stores into.
pub(super) fn is_storage(path: &Path) -> bool {
    let layout = StorageLayout::new(path);
    layout.journal().is_file() && layout.highlights().is_dir()
}

/// The storage that `path` is, or lies in.
pub(super) fn storage_around(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|p| is_storage(p)).map(Path::to_owned)
}

/// Whether the journal around a clip still holds its press.
pub(super) fn is_pending(clip: &Path) -> bool {
    let Some(folder) = clip.parent().filter(|folder| is_press_folder(folder)) else {
        return false;
    };
    let pending = storage_around(folder).and_then(|storage| journal::pending(&storage).ok());
    pending.is_some_and(|held| {
        held.pending
            .iter()
            .any(|taken| taken.press.id.as_str() == name_of(folder))
    })
}

impl StorageChecker {
    /// The presses of `storage` whose highlights are at or below `within`.
    pub(super) fn storage(&mut self, storage: &Path, within: &Path) {
        if !self.storages.insert(storage.to_owned()) {
            return;
        }
        let path = StorageLayout::new(storage).journal();
        let held = match journal::pending(storage) {
            Ok(held) => held,
            Err(JournalError::Io(e)) => return self.unreadable(&path, &e),
            Err(JournalError::Foreign(why)) => {
                return self.fault(&path, format!("not a journal of presses: {why}"));
            }
        };
        if held.unread_bytes > 0 {
            let what = format!(
                "{} bytes at its end were never finished, as a power cut leaves them; no acknowledged press was in them",
                held.unread_bytes
            );
            self.note(&path, what);
        }
        for taken in &held.pending {
            self.pending(storage, &taken.press, within);
        }
        if within == storage {
            self.leftovers(storage);
        }
    }

    fn pending(&mut self, storage: &Path, press: &Press, within: &Path) {
        let layout = StorageLayout::new(storage);
        let names = press
            .cameras
            .iter()
            .map(|camera| layout.highlight(press, camera));
        let names: Vec<HighlightPaths> = names.collect();
        let Some(folder) = names
            .first()
            .map(|n| &n.folder)
            .filter(|f| f.starts_with(within))
        else {
            return;
        };
        self.report.presses += 1;
        let waiting: Vec<&str> = press
            .cameras
            .iter()
            .zip(&names)
            .filter(|(_, names)| !names.sidecar.exists())
            .map(|(camera, _)| camera.as_str())
            .collect();
        let what = if waiting.is_empty() {
            "all its sidecars are written; the next start takes the press out of the journal"
                .to_owned()
        } else {
            format!(
                "an acknowledged press that is not finished yet ({}); the service finishes it when it runs",
                waiting.join(", ")
            )
        };
        self.note(folder, what);
    }

    fn leftovers(&mut self, storage: &Path) {
        let tmp = StorageLayout::new(storage).tmp();
        let Ok(entries) = fs::read_dir(&tmp) else {
            return;
        };
        for entry in entries.flatten() {
            self.note(
                &entry.path(),
                "being written, or left by a stop in the middle; the next start uses or removes it",
            );
        }
    }
}
