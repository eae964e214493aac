//! Goes through folders, and has everything checked with what belongs to it.
//!
//! Not here: the checks (`clip`, `made`, `presses`).

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::checker::{
    StorageChecker, clips_of, extension, is_made, is_press_folder, name_of, sidecar_of,
};
use super::presses;
use crate::highlight::sidecar::{Sidecar, Status};
use crate::queue::sidecar::LARGEST_SIDECAR;
use crate::storage::StorageLayout;

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

impl StorageChecker {
    pub fn path(&mut self, path: &Path) {
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
            if is_made(path) && known.is_some() {
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

/// A picture beside the sidecar of its camera.
fn is_thumbnail(path: &Path, listing: &Listing) -> bool {
    extension(path) == "jpg" && listing.json.contains(&path.with_extension("json"))
}
