//! What a check finds, and the names by which it knows what belongs together.
//!
//! Not here: what is checked (`clip`, `made`, `presses`), in which order (`walk`).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::PressId;
use crate::storage::HighlightFileKind;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub path: PathBuf,
    /// What is wrong, and what to do if something can be done.
    pub what: String,
}

/// What was looked at and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub clips: u64,
    pub sidecars: u64,
    /// Presses that the journal still holds.
    pub presses: u64,
    pub faults: Vec<Finding>,
    /// What is worth knowing and no fault.
    pub notes: Vec<Finding>,
}

#[derive(Debug, Default)]
pub(super) struct StorageChecker {
    pub report: Report,
    pub folders: BTreeSet<PathBuf>,
    pub storages: BTreeSet<PathBuf>,
}

impl StorageChecker {
    pub fn fault(&mut self, path: &Path, what: impl Into<String>) {
        self.report.faults.push(Finding {
            path: path.to_owned(),
            what: what.into(),
        });
    }

    pub fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.report.notes.push(Finding {
            path: path.to_owned(),
            what: what.into(),
        });
    }

    pub fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let what = match error.kind() {
            io::ErrorKind::NotFound => "does not exist".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "may not be read: run verify as the service's user, or as root".to_owned()
            }
            _ => format!("cannot be read: {error}"),
        };
        self.fault(path, what);
    }
}

pub(super) fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

pub(super) fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

/// `court1.mp4` and `court1.suspect.mp4` have `court1.json`.
pub(super) fn sidecar_of(clip: &Path) -> PathBuf {
    let name = name_of(clip);
    let stem = HighlightFileKind::split(name).map_or(name, |(stem, _)| stem);
    clip.with_file_name(HighlightFileKind::Sidecar.of_stem(stem))
}

pub(super) fn clips_of(sidecar: &Path) -> [PathBuf; 2] {
    let name = name_of(sidecar);
    let stem = HighlightFileKind::split(name).map_or(name, |(stem, _)| stem);
    [HighlightFileKind::Clip, HighlightFileKind::Suspect]
        .map(|file| sidecar.with_file_name(file.of_stem(stem)))
}

pub(super) fn is_press_folder(path: &Path) -> bool {
    PressId::try_from(name_of(path).to_owned()).is_ok()
}

/// A video that was made of a clip.
pub(super) fn is_made(video: &Path) -> bool {
    HighlightFileKind::split(name_of(video)).is_some_and(|(_, file)| file.is_made())
}
