//! A storage that is ours: its folder found or made, locked, and looked at again.
//!
//! Not here: what lies in it (`layout`), who may still write (`budget`).

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{AccessFlags, access};

use super::layout::StorageLayout;
use super::sentence::StorageSentence;
use crate::base::{Coded, Sentence};
use crate::disk::{Disk, Lock, Space, files::for_people, mounted};

/// The storage of this service, and nobody else's.
pub struct HeldStorage {
    pub disk: Disk,
    pub layout: StorageLayout,
    /// Whoever writes into it keeps a copy.
    pub lock: Arc<Lock>,
    /// Device and inode of the root as it was opened.
    identity: (u64, u64),
}

/// Why a storage could not be opened.
#[derive(Debug)]
pub enum NotHeld {
    /// It may come: a disk that is not mounted yet, no room, an error.
    Trouble(Sentence),
    /// Another process has it.
    Locked { root: PathBuf },
}

/// What the disk said, for people; `what` says what was tried.
pub fn failed(path: &Path, what: &'static str, error: &io::Error) -> Sentence {
    let failed = StorageSentence::Failed {
        path: path.display().to_string(),
        what,
        error: for_people(error),
    };
    failed.sentence()
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

impl HeldStorage {
    /// Makes the folder where it is missing; never on a disk that should be mounted and is not.
    pub fn open(disk: &Disk, root: &Path) -> Result<HeldStorage, NotHeld> {
        let trouble =
            |what: &'static str| move |e: io::Error| NotHeld::Trouble(failed(root, what, &e));
        if let Some(why) = not_mounted(root) {
            return Err(NotHeld::Trouble(why));
        }
        disk.make_dirs(root)
            .map_err(trouble("cannot make the storage folder"))?;
        let root = &*root
            .canonicalize()
            .map_err(trouble("cannot find the storage folder"))?;
        // By its real name, too: a link may lead to the disk that is not there.
        if let Some(why) = not_mounted(root) {
            return Err(NotHeld::Trouble(why));
        }
        let trouble =
            |what: &'static str| move |e: io::Error| NotHeld::Trouble(failed(root, what, &e));
        let layout = StorageLayout::new(root.to_owned());
        let lock = Lock::take(&layout.lock())
            .map_err(trouble("cannot lock the storage"))?
            .ok_or_else(|| NotHeld::Locked {
                root: root.to_owned(),
            })?;
        Ok(HeldStorage {
            identity: identity(root).map_err(trouble("cannot find the storage folder"))?,
            disk: disk.clone(),
            layout,
            lock: Arc::new(lock),
        })
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
}
