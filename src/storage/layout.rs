//! Where what stands below a storage's root.
//!
//! ```text
//! <root>/lock                               held by the service
//! <root>/journal                            acknowledged presses
//! <root>/access/                            users, sessions, shared links
//! <root>/sound.json                         cameras of which only AAC is recorded, as before an update
//! <root>/tmp/<press>.<camera>.part          a clip while it is written
//! <root>/tmp/<press>.<camera>.facts         what its exporter noted of it
//! <root>/tmp/<press>-<camera>.*             what is being made of a clip
//! <root>/highlights/<day>/<press>/<camera>.json            the sidecar
//!                                 <camera>.mp4             the clip
//!                                 <camera>.suspect.mp4     a clip about which two readers disagree
//!                                 <camera>.marked.mp4      with the venue's logo
//!                                 <camera>.vertical.mp4    9:16
//!                                 <camera>.jpg             at the press
//! ```
//!
//! Kept free for what is to come: `recordings/` and `snapshots/`.
//!
//! Names derive from press and camera, so each step of a commit can be repeated. Pure.

use std::path::{Path, PathBuf};

use super::names::{self, HighlightFileKind};
use crate::base::{CameraId, Press, PressId};

/// The folders and files of one storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageLayout {
    root: PathBuf,
}

impl StorageLayout {
    pub fn new(root: impl Into<PathBuf>) -> StorageLayout {
        StorageLayout { root: root.into() }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Locked by the one service that may write.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Acknowledged presses.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Who may sign in.
    pub fn access(&self) -> PathBuf {
        self.root.join("access")
    }

    /// Cameras of which only AAC is recorded, as it was before an update.
    pub fn sound(&self) -> PathBuf {
        self.root.join("sound.json")
    }

    /// What is being written; on the storage's own file system. Swept at start.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// All highlights.
    pub fn highlights(&self) -> PathBuf {
        self.root.join("highlights")
    }

    /// All that the service itself makes there and must be able to write to.
    pub fn own(&self) -> [PathBuf; 5] {
        [
            self.root.clone(),
            self.lock(),
            self.journal(),
            self.tmp(),
            self.highlights(),
        ]
    }

    /// The temporary file behind the finishing or the change of one highlight.
    pub fn work_file(&self, press: &PressId, camera: &CameraId, ending: &str) -> PathBuf {
        self.tmp().join(names::work_file(press, camera, ending))
    }

    /// Every name of one camera of one press.
    pub fn highlight(&self, press: &Press, camera: &CameraId) -> HighlightPaths {
        let day = self.highlights().join(day_folder(&press.folder));
        let folder = day.join(press.id.as_str());
        let file = |file: HighlightFileKind| folder.join(file.name(camera));
        let temp = |ending: &str| self.tmp().join(format!("{}.{camera}.{ending}", press.id));
        HighlightPaths {
            clip: file(HighlightFileKind::Clip),
            suspect: file(HighlightFileKind::Suspect),
            sidecar: file(HighlightFileKind::Sidecar),
            part: temp("part"),
            facts: temp("facts"),
            sidecar_temp: temp("json"),
            day,
            folder,
        }
    }
}

/// Every name of one camera of one press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HighlightPaths {
    /// `highlights/<day>`
    pub day: PathBuf,
    /// `highlights/<day>/<press>`
    pub folder: PathBuf,
    pub clip: PathBuf,
    pub suspect: PathBuf,
    pub sidecar: PathBuf,
    pub part: PathBuf,
    pub facts: PathBuf,
    /// The sidecar before it has its name.
    pub sidecar_temp: PathBuf,
}

impl HighlightPaths {
    /// The clip's final name.
    pub fn clip_as(&self, suspect: bool) -> &Path {
        if suspect { &self.suspect } else { &self.clip }
    }
}

/// A journal is not trusted to name folders outside of the storage.
fn day_folder(text: &str) -> &str {
    if names::is_day(text) {
        text
    } else {
        names::UNDATED
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::{BootId, Source};
    use crate::storage::UNDATED;

    fn press(folder: &str) -> Press {
        let boot_id = BootId([1; 16]);
        Press {
            id: PressId::new(boot_id, 1),
            boot_id,
            instant_mono_ns: 1,
            pre_ms: 0,
            post_ms: 0,
            source: Source::Http,
            button: None,
            cameras: Vec::new(),
            folder: folder.to_owned(),
            wall_unix_ns: 0,
            wall_synchronised: false,
        }
    }

    #[test]
    fn a_folder_out_of_a_damaged_journal_stays_inside_the_storage() {
        let camera = CameraId::new("court1").unwrap();
        let layout = StorageLayout::new("/s");
        for (written, used) in [("2026-11-21", "2026-11-21"), ("../../etc", UNDATED)] {
            let press = press(written);
            let paths = layout.highlight(&press, &camera);
            let folder = format!("/s/highlights/{used}/{}", press.id);
            assert_eq!(paths.folder, Path::new(&folder));
            assert_eq!(paths.clip, Path::new(&folder).join("court1.mp4"));
            assert!(paths.part.starts_with("/s/tmp"));
        }
    }
}
