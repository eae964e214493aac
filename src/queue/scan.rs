//! What is there: reads every sidecar once, keeps little of it.
//!
//! Reads only.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::sidecar::{LARGEST_SIDECAR, Sidecar};
use crate::disk::Disk;
use crate::storage::StorageLayout;
use crate::storage::listing::{is_sidecar, subfolders};

/// A highlight on the disk.
#[derive(Clone, Debug)]
pub struct ScannedHighlight {
    pub path: PathBuf,
    pub sidecar: Sidecar,
    /// Of all its files, but for its thumbnail.
    pub bytes: u64,
    /// Its unmarked clip is there.
    pub raw: bool,
}

/// Why a highlight cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error(transparent)]
    Disk(#[from] std::io::Error),
    #[error(transparent)]
    Sidecar(#[from] serde_json::Error),
    #[error("{} is not there", .0.display())]
    Gone(PathBuf),
}

/// Calls `see` for every highlight below a storage, `bad` for every sidecar that cannot
/// be read; stops where `see` says false.
pub fn scan(
    storage: &StorageLayout,
    disk: &Disk,
    mut see: impl FnMut(ScannedHighlight) -> bool,
    mut bad: impl FnMut(&Path, ScanError),
) {
    for day in subfolders(&storage.highlights()) {
        for press in subfolders(&day) {
            if !press_folder(&press, disk, &mut see, &mut bad) {
                return;
            }
        }
    }
}

fn press_folder(
    press: &Path,
    disk: &Disk,
    see: &mut impl FnMut(ScannedHighlight) -> bool,
    bad: &mut impl FnMut(&Path, ScanError),
) -> bool {
    let entries = std::fs::read_dir(press).into_iter().flatten().flatten();
    let names: Vec<OsString> = entries.map(|entry| entry.file_name()).collect();
    let sidecars = names.iter().map(Path::new);
    for name in sidecars.filter(|name| is_sidecar(name)) {
        let path = press.join(name);
        match look(&path, disk, &names) {
            Ok(seen) => {
                if !see(seen) {
                    return false;
                }
            }
            Err(error) => bad(&path, error),
        }
    }
    true
}

fn look(path: &Path, disk: &Disk, names: &[OsString]) -> Result<ScannedHighlight, ScanError> {
    let text = disk.read_file(path, LARGEST_SIDECAR)?;
    let sidecar = Sidecar::from_bytes(&text)?;
    let there = |name: &Option<String>| {
        let name = name.as_ref().map(OsStr::new);
        name.is_some_and(|name| names.iter().any(|held| held == name))
    };
    let raw = there(&sidecar.file_name);
    // What a sidecar says is believed: asking for each file's size would take as long
    // as all the rest.
    let marked = sidecar.meta_wm.as_ref().map_or(0, |meta| meta.size_bytes);
    let sizes = [
        u64::try_from(text.len()).unwrap_or(0),
        sidecar.size_bytes.filter(|_| raw).unwrap_or(0),
        Some(marked)
            .filter(|_| there(&sidecar.wm_path))
            .unwrap_or(0),
        size_of(path, &sidecar.vertical_path),
    ];
    Ok(ScannedHighlight {
        raw,
        path: path.to_owned(),
        bytes: sizes.iter().sum(),
        sidecar,
    })
}

/// Of a file beside the sidecar of which that says no size.
fn size_of(path: &Path, name: &Option<String>) -> u64 {
    let file = name.as_ref().map(|name| path.with_file_name(name));
    let found = file.and_then(|file| std::fs::metadata(file).ok());
    found.map_or(0, |of| of.len())
}

/// One highlight, as it is now.
pub fn one(path: &Path, disk: &Disk) -> Result<ScannedHighlight, ScanError> {
    let mut found = None;
    let mut why = ScanError::Gone(path.to_owned());
    if let Some(press) = path.parent() {
        press_folder(
            press,
            disk,
            &mut |seen: ScannedHighlight| {
                if seen.path == path {
                    found = Some(seen);
                }
                found.is_none()
            },
            &mut |bad: &Path, error| {
                if bad == path {
                    why = error;
                }
            },
        );
    }
    found.ok_or(why)
}
