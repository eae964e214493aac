//! What is there: reads every sidecar once, keeps little of it.
//!
//! Reads only. Called by: the room at start, `hand`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::place;
use super::sidecar::Sidecar;
use crate::disk::Disk;

/// A highlight on the disk.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: PathBuf,
    pub sidecar: Sidecar,
    /// Of all its files.
    pub bytes: u64,
    /// Its unmarked clip is there.
    pub raw: bool,
}

/// Calls `see` for every highlight below a storage, `bad` for every sidecar that cannot
/// be read; stops where `see` says false.
pub fn scan(
    storage: &Path,
    disk: &Disk,
    mut see: impl FnMut(Seen) -> bool,
    mut bad: impl FnMut(&Path, String),
) {
    for day in place::subfolders(&place::highlights(storage)) {
        for press in place::subfolders(&day) {
            if !press_folder(&press, disk, &mut see, &mut bad) {
                return;
            }
        }
    }
}

fn press_folder(
    press: &Path,
    disk: &Disk,
    see: &mut impl FnMut(Seen) -> bool,
    bad: &mut impl FnMut(&Path, String),
) -> bool {
    let mut sizes = HashMap::new();
    let mut sidecars = Vec::new();
    for entry in std::fs::read_dir(press).into_iter().flatten().flatten() {
        let path = entry.path();
        let bytes = entry.metadata().map_or(0, |of| of.len());
        if path.extension().is_some_and(|end| end == "json") {
            sidecars.push(path.clone());
        }
        sizes.insert(path, bytes);
    }
    for path in sidecars {
        match look(&path, disk, &sizes) {
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

fn look(path: &Path, disk: &Disk, sizes: &HashMap<PathBuf, u64>) -> Result<Seen, String> {
    let read = disk.read_file(path, place::LARGEST_SIDECAR);
    let bytes = read.map_err(|e| e.to_string())?;
    let sidecar = Sidecar::from_bytes(&bytes).map_err(|e| e.to_string())?;
    let size = |path: &PathBuf| sizes.get(path).copied();
    let own = size(&path.to_owned()).unwrap_or(0);
    let files: u64 = place::files_of(path, &sidecar)
        .iter()
        .filter_map(size)
        .sum();
    let raw = sidecar.file_name.as_ref().map(|n| path.with_file_name(n));
    Ok(Seen {
        raw: raw.is_some_and(|raw| sizes.contains_key(&raw)),
        path: path.to_owned(),
        bytes: own + files,
        sidecar,
    })
}

/// One highlight, as it is now.
pub fn one(path: &Path, disk: &Disk) -> Result<Seen, String> {
    let mut found = None;
    let mut why = format!("{} is not there", path.display());
    if let Some(press) = path.parent() {
        press_folder(
            press,
            disk,
            &mut |seen: Seen| {
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
