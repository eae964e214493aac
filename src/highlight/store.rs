//! An open storage: locked, its folders made, its journal read.
//!
//! Not here: what is done with it (`engine`, `commit`, `recover`).

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::unistd::{AccessFlags, access};

use super::journal::{Journal, JournalContents, JournalError};
use super::sentence::StorageSentence;
use super::types::StartError;
use crate::base::{Coded, Sentence, lock};
use crate::disk::{Disk, Lock, Space, files::for_people, mounted};
use crate::queue::store::Sidecars;
use crate::storage::{HighlightPaths, StorageLayout};

/// The storage of this service, and nobody else's.
pub struct OpenStorage {
    pub disk: Disk,
    pub layout: StorageLayout,
    pub journal: Journal,
    /// Device and inode of the root as it was opened.
    identity: (u64, u64),
    /// Folders whose names are known to be durable.
    durable: Mutex<HashSet<PathBuf>>,
    /// Written by the queue, too, once they are there; they hold the storage's lock.
    pub sidecars: Arc<Sidecars>,
}

/// Why a storage could not be opened.
pub enum NotOpen {
    /// It may come: a disk that is not mounted yet, no room, an error.
    Trouble(Sentence),
    /// No waiting helps.
    Never(StartError),
}

fn trouble(path: &Path, what: &'static str, error: &io::Error) -> NotOpen {
    let failed = StorageSentence::Failed {
        path: path.display().to_string(),
        what,
        error: for_people(error),
    };
    NotOpen::Trouble(failed.sentence())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn not_mounted(root: &Path) -> Option<Sentence> {
    let point = mounted::missing_mount(root)?;
    let not_mounted = StorageSentence::NotMounted {
        path: root.display().to_string(),
        mount_point: point.display().to_string(),
    };
    Some(not_mounted.sentence())
}

impl OpenStorage {
    pub fn open(disk: &Disk, root: &Path) -> Result<(OpenStorage, JournalContents), NotOpen> {
        if let Some(text) = not_mounted(root) {
            return Err(NotOpen::Trouble(text));
        }
        let failed = |what: &'static str| move |e: io::Error| trouble(root, what, &e);
        disk.make_dirs(root)
            .map_err(failed("cannot make the storage folder"))?;
        let root = root
            .canonicalize()
            .map_err(failed("cannot find the storage folder"))?;
        // By its real name, too: a link may lead to the disk that is not there.
        if let Some(text) = not_mounted(&root) {
            return Err(NotOpen::Trouble(text));
        }
        let layout = StorageLayout::new(root.clone());
        let lock = Lock::take(&layout.lock())
            .map_err(|e| trouble(&root, "cannot lock the storage", &e))?;
        let lock = lock.ok_or_else(|| NotOpen::Never(StartError::Locked { path: root.clone() }))?;
        for folder in [layout.tmp(), layout.highlights()] {
            disk.make_dir(&folder)
                .map_err(|e| trouble(&folder, "cannot make the folder", &e))?;
        }
        let (journal, held) = Journal::open(disk, &root).map_err(|error| match error {
            JournalError::Io(e) => trouble(&layout.journal(), "cannot use the journal", &e),
            JournalError::Foreign(why) => NotOpen::Never(StartError::Journal {
                path: layout.journal(),
                why,
            }),
        })?;
        let identity =
            identity(&root).map_err(|e| trouble(&root, "cannot find the storage folder", &e))?;
        let sidecars = Sidecars::new(disk.clone(), layout.clone(), Arc::new(lock));
        Ok((
            OpenStorage {
                disk: disk.clone(),
                layout,
                sidecars: Arc::new(sidecars),
                journal,
                identity,
                durable: Mutex::default(),
            },
            held,
        ))
    }

    /// What is wrong with the storage now, for people; its room where nothing is.
    pub fn check(&self) -> Result<Space, Sentence> {
        let root = self.layout.root();
        let path = root.display().to_string();
        // The folder that was opened lies on the disk that was mounted then: one look at it is
        // enough, and every press takes it. Only where it is another is it asked why.
        let found = identity(root);
        if !matches!(found, Ok(now) if now == self.identity) {
            return Err(not_mounted(root).unwrap_or_else(|| match found {
                Ok(_) => StorageSentence::Replaced { path }.sentence(),
                Err(e) => StorageSentence::Unreachable {
                    path,
                    error: e.to_string(),
                }
                .sentence(),
            }));
        }
        let space = self.disk.space(root).map_err(|e| {
            let path = path.clone();
            let error = e.to_string();
            StorageSentence::RoomUnknown { path, error }.sentence()
        })?;
        if space.read_only {
            return Err(StorageSentence::ReadOnly { path }.sentence());
        }
        let tmp = self.layout.tmp();
        access(&tmp, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|e| {
            let path = tmp.display().to_string();
            let error = e.to_string();
            StorageSentence::NotWritable { path, error }.sentence()
        })?;
        Ok(space)
    }

    /// Makes a press's folder, so that a sync of it is all that a commit needs.
    pub fn make_folder(&self, names: &HighlightPaths) -> io::Result<()> {
        let mut durable = lock(&self.durable);
        for folder in [&names.day, &names.folder] {
            if durable.contains(folder) && folder.is_dir() {
                continue;
            }
            if !self.disk.make_dir(folder)? {
                // Somebody's, perhaps of a run that ended before its sync.
                let parent = folder.parent().unwrap_or(self.layout.root());
                self.disk.sync_dir(parent)?;
            }
            durable.insert(folder.clone());
        }
        Ok(())
    }

    /// Forgets a folder that no press will use any more.
    pub fn forget_folder(&self, names: &HighlightPaths) {
        let mut durable = lock(&self.durable);
        durable.remove(&names.folder);
    }

    /// Removes what no pending export needs from the temporary folder.
    pub fn sweep(&self, needed: &HashSet<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(self.layout.tmp()) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if !needed.contains(&path) {
                // Nobody misses it; the next start tries again.
                let _ = self.disk.remove(&path);
            }
        }
    }
}
