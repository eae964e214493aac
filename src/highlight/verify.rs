//! `hindsight verify`: the integrity checker of clips, sidecars and presses.
//!
//! Reads, never writes, and may run beside the service. Not here: recovery,
//! which mends. Called by: app, tests.

mod clip;
mod made;
mod presses;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::sidecar::{Sidecar, Status};
use crate::base::PressId;
use crate::queue::sidecar::LARGEST_SIDECAR;
use crate::storage::{HighlightFileKind, StorageLayout};

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

/// Checks every clip, sidecar and press at or below each path. A clip that is
/// given by itself needs no sidecar.
pub fn verify(paths: &[PathBuf]) -> Report {
    let mut checker = Checker::default();
    for path in paths {
        checker.path(path);
    }
    checker.report
}

#[derive(Debug, Default)]
struct Checker {
    report: Report,
    folders: BTreeSet<PathBuf>,
    storages: BTreeSet<PathBuf>,
}

/// What stands in a folder.
#[derive(Debug, Default)]
struct Listing {
    folders: Vec<PathBuf>,
    clips: Vec<PathBuf>,
    json: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

impl Listing {
    fn files(&self) -> Vec<PathBuf> {
        [&self.clips[..], &self.others[..]].concat()
    }
}

impl Checker {
    fn fault(&mut self, path: &Path, what: impl Into<String>) {
        self.report.faults.push(Finding {
            path: path.to_owned(),
            what: what.into(),
        });
    }

    fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.report.notes.push(Finding {
            path: path.to_owned(),
            what: what.into(),
        });
    }

    fn path(&mut self, path: &Path) {
        match fs::metadata(path) {
            Err(e) => self.unreadable(path, &e),
            Ok(meta) if meta.is_dir() => {
                let here = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                if let Some(storage) = presses::storage_around(&here) {
                    self.storage(&storage, &here);
                }
                self.folder(&here);
            }
            Ok(_) => self.file(path),
        }
    }

    /// One file by itself.
    fn file(&mut self, path: &Path) {
        let listing = match extension(path) {
            "mp4" if sidecar_of(path).exists() => return self.file(&sidecar_of(path)),
            "mp4" => Listing {
                clips: vec![path.to_owned()],
                ..Listing::default()
            },
            "json" => {
                let beside = path.parent().and_then(|folder| list(folder).ok());
                let beside = beside.unwrap_or_default();
                let of_it = |clip: &PathBuf| sidecar_of(clip) == *path;
                Listing {
                    clips: beside.clips.into_iter().filter(of_it).collect(),
                    others: beside.others,
                    json: vec![path.to_owned()],
                    ..Listing::default()
                }
            }
            _ => {
                self.fault(path, "neither a clip (.mp4) nor a sidecar (.json)");
                return;
            }
        };
        self.together(&listing, true);
    }

    fn folder(&mut self, path: &Path) {
        if !self.folders.insert(path.to_owned()) {
            return;
        }
        if presses::is_storage(path) {
            self.storage(path, path);
        }
        let listing = match list(path) {
            Ok(listing) => listing,
            Err(e) => return self.unreadable(path, &e),
        };
        self.together(&listing, false);
        if is_press_folder(path) {
            for other in listing.others.iter().filter(|o| !is_thumbnail(o, &listing)) {
                self.note(other, "neither a clip nor a sidecar");
            }
        }
        for folder in &listing.folders {
            if !self
                .storages
                .iter()
                .any(|s| StorageLayout::new(s).tmp() == *folder)
            {
                self.folder(folder);
            }
        }
    }

    /// Clips and sidecars of one folder. `alone`: they were given by name.
    fn together(&mut self, listing: &Listing, alone: bool) {
        let mut sidecars: Vec<(PathBuf, Option<Sidecar>)> = Vec::new();
        for path in &listing.json {
            let folder = path.parent().unwrap_or(Path::new(""));
            let has_clip = clips_of(path)
                .iter()
                .any(|clip| listing.clips.contains(clip));
            if alone || has_clip || is_press_folder(folder) {
                self.report.sidecars += 1;
                sidecars.push((path.clone(), self.sidecar(path, &listing.clips)));
            }
        }
        for (path, sidecar) in &sidecars {
            if let Some(sidecar) = sidecar {
                self.made(path, sidecar, &listing.files());
            }
        }
        for path in &listing.clips {
            let sidecar = sidecar_of(path);
            let known = sidecars.iter().find(|(p, _)| *p == sidecar);
            if made::is_made(path) && known.is_some() {
                // Looked at with its sidecar.
                continue;
            }
            self.report.clips += 1;
            match known {
                Some((_, Some(sidecar))) => self.clip_with(path, sidecar),
                // The sidecar's fault is said already.
                Some((_, None)) => self.tables(path),
                None => self.clip_alone(path, alone),
            }
        }
    }

    /// Reads and checks a sidecar as such.
    fn sidecar(&mut self, path: &Path, clips: &[PathBuf]) -> Option<Sidecar> {
        let sidecar = match read_limited(path).map(|bytes| Sidecar::from_bytes(&bytes)) {
            Ok(Ok(sidecar)) => sidecar,
            Ok(Err(e)) => {
                self.fault(path, format!("not a sidecar: {e}"));
                return None;
            }
            Err(e) => {
                self.unreadable(path, &e);
                return None;
            }
        };
        if let Some(what) = sidecar.contradiction() {
            self.fault(path, what);
        }
        let stem = name_of(path).trim_end_matches(".json").to_owned();
        if stem != sidecar.camera.id.as_str() {
            let what = format!("it is the sidecar of camera {}", sidecar.camera.id);
            self.fault(path, what);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        if is_press_folder(folder) && name_of(folder) != sidecar.press_id.as_str() {
            self.fault(path, format!("it belongs to press {}", sidecar.press_id));
        }
        let of_this = clips_of(path);
        let there: Vec<&PathBuf> = clips.iter().filter(|c| of_this.contains(c)).collect();
        match (&sidecar.file_name, sidecar.status) {
            (None, Status::None) if !there.is_empty() => self.fault(
                path,
                format!(
                    "it says that there is no clip, but {} is there",
                    name_of(there[0])
                ),
            ),
            (Some(name), _)
                if sidecar.removed.is_none() && !there.iter().any(|clip| name_of(clip) == name) =>
            {
                self.fault(path, format!("its clip {name} is missing"));
            }
            _ => {}
        }
        Some(sidecar)
    }

    /// A clip that no sidecar describes.
    fn clip_alone(&mut self, path: &Path, alone: bool) {
        self.tables(path);
        if alone {
            return self.note(
                path,
                "no sidecar beside it: only the clip itself was checked",
            );
        }
        // The service may be at work: the journal is read first, then the sidecar is looked for again.
        let pending = presses::is_pending(path);
        if sidecar_of(path).exists() {
            return;
        }
        match pending {
            true => self.note(
                path,
                "its sidecar is not written yet; the service writes it when it runs",
            ),
            false => self.fault(
                path,
                "no sidecar, and the journal knows no press of it: somebody else put it here, or a sidecar was deleted",
            ),
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
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

fn list(path: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        // Links are not followed: what they lead to is not the storage's.
        let kind = entry.file_type()?;
        match extension(&path) {
            _ if kind.is_dir() => listing.folders.push(path),
            "mp4" if kind.is_file() => listing.clips.push(path),
            "json" if kind.is_file() => listing.json.push(path),
            _ => listing.others.push(path),
        }
    }
    listing.folders.sort();
    listing.clips.sort();
    listing.json.sort();
    listing.others.sort();
    Ok(listing)
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?
        .take(LARGEST_SIDECAR)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

/// `court1.mp4` and `court1.suspect.mp4` have `court1.json`.
fn sidecar_of(clip: &Path) -> PathBuf {
    let name = name_of(clip);
    let stem = HighlightFileKind::split(name).map_or(name, |(stem, _)| stem);
    clip.with_file_name(HighlightFileKind::Sidecar.of_stem(stem))
}

fn clips_of(sidecar: &Path) -> [PathBuf; 2] {
    let name = name_of(sidecar);
    let stem = HighlightFileKind::split(name).map_or(name, |(stem, _)| stem);
    [HighlightFileKind::Clip, HighlightFileKind::Suspect]
        .map(|file| sidecar.with_file_name(file.of_stem(stem)))
}

/// A picture beside the sidecar of its camera.
fn is_thumbnail(path: &Path, listing: &Listing) -> bool {
    extension(path) == "jpg" && listing.json.contains(&path.with_extension("json"))
}

fn is_press_folder(path: &Path) -> bool {
    PressId::try_from(name_of(path).to_owned()).is_ok()
}
