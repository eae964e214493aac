//! Where what stands below a storage, as far as the queue's files go.
//!
//! ```text
//! <storage>/tmp/<press>-<camera>.*                  what is being made
//! <storage>/highlights/<day>/<press>/<camera>.json          the sidecar
//!                                    <camera>.mp4           the clip
//!                                    <camera>.marked.mp4    with the venue's logo
//!                                    <camera>.vertical.mp4  9:16
//!                                    <camera>.jpg           at the press
//! ```
//!
//! Pure, but for the two that list folders. Called by: the room, highlight.

use std::path::{Path, PathBuf};

use super::sidecar::Sidecar;
use crate::base::{CameraId, PressId};

/// A sidecar is no larger, whatever its gaps.
pub const LARGEST_SIDECAR: u64 = 1 << 24;

/// Folder of all highlights.
pub fn highlights(storage: &Path) -> PathBuf {
    storage.join("highlights")
}

/// Folder of what is being written; on the storage's own file system.
pub fn tmp(storage: &Path) -> PathBuf {
    storage.join("tmp")
}

/// Name of the marked video.
pub fn marked(camera: &CameraId) -> String {
    format!("{camera}.marked.mp4")
}

/// Name of the 9:16 video.
pub fn vertical(camera: &CameraId) -> String {
    format!("{camera}.vertical.mp4")
}

/// Name of the picture at the press.
pub fn thumbnail(camera: &CameraId) -> String {
    format!("{camera}.jpg")
}

/// How people name a job: `<press>/<camera>`.
pub fn job_id(press: &PressId, camera: &CameraId) -> String {
    format!("{press}/{camera}")
}

/// Every file of a highlight but its sidecar, there or not.
pub fn files_of(sidecar_path: &Path, sidecar: &Sidecar) -> Vec<PathBuf> {
    let camera = &sidecar.camera.id;
    let clip = sidecar.file_name.clone();
    let names = clip
        .into_iter()
        .chain([marked(camera), vertical(camera), thumbnail(camera)]);
    names
        .map(|name| sidecar_path.with_file_name(name))
        .collect()
}

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
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect()
}

/// The last part of a path, as text.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
