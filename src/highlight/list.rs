//! The newest highlights on the disk. Reads only.
//!
//! Not here: what is still being made (`status`).

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::sidecar::Sidecar;
use super::types::ListedHighlight;
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
