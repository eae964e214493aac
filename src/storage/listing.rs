//! What a folder of the storage holds. Reads names only.

use std::path::{Path, PathBuf};

/// Folders in a folder; none where it cannot be read.
pub fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

/// Sidecars in a press's folder.
pub fn sidecars_in(press: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(press).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| is_sidecar(path)).collect()
}

/// By its name.
pub fn is_sidecar(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "json")
}

/// The last part of a path, as text.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
