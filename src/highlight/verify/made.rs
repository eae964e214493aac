//! What was made of a clip: the marked video, the vertical one, the thumbnail.
//!
//! Not here: the clip itself (`clip`).

use std::path::{Path, PathBuf};

use super::checker::StorageChecker;
use super::clip::size_and_hash;
use crate::highlight::sidecar::{Removed, Sidecar, Status};
use crate::storage::HighlightFileKind;

impl StorageChecker {
    /// Whether what a sidecar names is there as it says. `there`: all files of its folder.
    pub(super) fn made(&mut self, path: &Path, sidecar: &Sidecar, there: &[PathBuf]) {
        let held = |name: &str| there.contains(&path.with_file_name(name));
        match sidecar.removed {
            Some(Removed::All) => {
                let what = "its removal was cut short; the service brings it to its end";
                return self.note(path, what);
            }
            Some(Removed::Raw) if sidecar.file_name.as_deref().is_some_and(held) => {
                let what = "the removal of its unmarked clip was cut short; the service brings it to its end";
                self.note(path, what);
            }
            _ => {}
        }
        let named = [
            &sidecar.wm_path,
            &sidecar.vertical_path,
            &sidecar.thumbnail_path,
        ];
        for name in named.into_iter().flatten() {
            if !held(name) {
                self.fault(path, format!("its {name} is missing"));
            }
        }
        let camera = &sidecar.camera.id;
        let made = [
            HighlightFileKind::Marked.name(camera),
            HighlightFileKind::Vertical.name(camera),
            HighlightFileKind::Thumbnail.name(camera),
        ];
        for name in made.into_iter().filter(|name| held(name)) {
            if !named.into_iter().flatten().any(|known| *known == name) {
                let what = match sidecar.status {
                    Status::Queued | Status::Finishing | Status::QueuedRetry => {
                        "finished, and not written down yet; the service takes it up"
                    }
                    _ => "made of this clip, but its sidecar does not name it",
                };
                self.note(&path.with_file_name(name), what);
            }
        }
        self.marked(path, sidecar, &held);
    }

    fn marked(&mut self, path: &Path, sidecar: &Sidecar, held: &dyn Fn(&str) -> bool) {
        let Some(name) = sidecar.wm_path.as_ref().filter(|name| held(name)) else {
            return;
        };
        let video = path.with_file_name(name);
        let Some(meta) = &sidecar.meta_wm else {
            return self.fault(
                path,
                format!("it names {name} and says nothing of it (meta_wm)"),
            );
        };
        match size_and_hash(&video) {
            Err(e) => self.unreadable(&video, &e),
            Ok((size, _)) if size != meta.size_bytes => {
                let said = meta.size_bytes;
                self.fault(&video, format!("it has {size} bytes; its sidecar says {said}"));
            }
            Ok((_, hash)) if hash != meta.sha256 => self.fault(
                &video,
                "its bytes changed since it was made (SHA-256 differs from its sidecar): check the disk",
            ),
            Ok(_) => {}
        }
    }
}
