//! An open storage: locked, its folders made, its journal read.
//!
//! Not here: what is done with it (`engine`, `commit`, `recover`).

use std::collections::HashSet;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::journal::{Journal, JournalContents, JournalError};
use super::types::StartError;
use crate::base::{Sentence, lock};
use crate::disk::Disk;
use crate::queue::store::Sidecars;
use crate::storage::HighlightPaths;
use crate::storage::held::{self, HeldStorage, NotHeld};

/// The storage of this service, and what highlights need of it.
pub struct OpenStorage {
    held: HeldStorage,
    pub journal: Journal,
    /// Folders whose names are known to be durable.
    durable: Mutex<HashSet<PathBuf>>,
    /// Written by the queue, too, once they are there; they hold the storage's lock.
    pub sidecars: Arc<Sidecars>,
}

impl Deref for OpenStorage {
    type Target = HeldStorage;

    fn deref(&self) -> &HeldStorage {
        &self.held
    }
}

/// Why a storage could not be opened.
pub enum NotOpen {
    /// It may come: a disk that is not mounted yet, no room, an error.
    Trouble(Sentence),
    /// No waiting helps.
    Never(StartError),
}

impl From<NotHeld> for NotOpen {
    fn from(why: NotHeld) -> NotOpen {
        match why {
            NotHeld::Trouble(why) => NotOpen::Trouble(why),
            NotHeld::Locked { root } => NotOpen::Never(StartError::Locked { path: root }),
        }
    }
}

impl OpenStorage {
    pub fn open(disk: &Disk, root: &Path) -> Result<(OpenStorage, JournalContents), NotOpen> {
        let held = HeldStorage::open(disk, root)?;
        let layout = &held.layout;
        let trouble = |path: &Path, what, e| NotOpen::Trouble(held::failed(path, what, &e));
        for folder in [layout.tmp(), layout.highlights()] {
            disk.make_dir(&folder)
                .map_err(|e| trouble(&folder, "cannot make the folder", e))?;
        }
        let opened = Journal::open(disk, layout.root());
        let (journal, contents) = opened.map_err(|error| match error {
            JournalError::Io(e) => trouble(&layout.journal(), "cannot use the journal", e),
            JournalError::Foreign(why) => NotOpen::Never(StartError::Journal {
                path: layout.journal(),
                why,
            }),
        })?;
        let sidecars = Sidecars::new(disk.clone(), layout.clone(), held.lock.clone());
        Ok((
            OpenStorage {
                sidecars: Arc::new(sidecars),
                journal,
                durable: Mutex::default(),
                held,
            },
            contents,
        ))
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
