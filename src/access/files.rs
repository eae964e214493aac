//! Reading and writing this room's files: only their owner may read them, each is written whole, under a lock, and each
//! is read again when it has become another file.
//!
//! Not here: what they hold, and which there are (`store`).

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::AccessError;
use super::records::{self, StoredFile};
use crate::disk::{Disk, Lock, files::for_people, mounted};
use crate::storage::StorageLayout;

/// The folder in the storage.
/// How long one waits for another who writes.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// The way to the files.
pub(super) struct AccessFiles {
    pub disk: Disk,
    pub storage: PathBuf,
}

/// A file as it was last read or written.
pub(super) struct Cached<R>(pub Option<(FileIdentity, R)>);

impl<R> Default for Cached<R> {
    fn default() -> Cached<R> {
        Cached(None)
    }
}

/// Another after each change: a file is never changed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    modified_ns: (i64, i64),
    bytes: u64,
}

impl AccessFiles {
    pub fn folder(&self) -> PathBuf {
        StorageLayout::new(&self.storage).access()
    }

    fn trouble(&self, path: &Path, error: &io::Error) -> AccessError {
        AccessError::Trouble {
            path: path.display().to_string(),
            why: for_people(error),
        }
    }

    pub fn damaged(&self, file: &str, why: &dyn std::fmt::Display) -> AccessError {
        let path = self.folder().join(file).display().to_string();
        AccessError::Damaged {
            path,
            why: why.to_string(),
        }
    }

    fn storage_is_there(&self) -> Result<(), AccessError> {
        match self.storage.is_dir() && mounted::missing_mount(&self.storage).is_none() {
            true => Ok(()),
            false => Err(AccessError::StorageMissing {
                path: self.storage.display().to_string(),
            }),
        }
    }

    /// The folder is there, and belongs to whom the storage belongs to.
    pub fn make_folder(&self) -> Result<(), AccessError> {
        self.storage_is_there()?;
        let folder = self.folder();
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => self.give_to_owner(&folder)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(self.trouble(&folder, &error)),
        }
        let synced = self.disk.sync_dir(&self.storage);
        synced.map_err(|error| self.trouble(&self.storage, &error))
    }

    pub fn has(&self, file: &str) -> Result<bool, AccessError> {
        let path = self.folder().join(file);
        self.disk
            .exists(&path)
            .map_err(|error| self.trouble(&path, &error))
    }

    /// For a change; two who change wait for each other.
    pub fn lock(&self) -> Result<Lock, AccessError> {
        let path = self.folder().join("lock");
        let begun = Instant::now();
        loop {
            let taken = Lock::take(&path).map_err(|error| self.trouble(&path, &error))?;
            if let Some(lock) = taken {
                self.give_to_owner(&path)?;
                return Ok(lock);
            }
            if begun.elapsed() > LOCK_PATIENCE {
                return Err(AccessError::Busy {
                    path: path.display().to_string(),
                });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// As the file is now, read again only if it is another. `if_missing` stands for one that is not there.
    pub fn fresh<'a, R: StoredFile>(
        &self,
        cached: &'a mut Cached<R>,
        if_missing: Option<R>,
    ) -> Result<&'a R, AccessError> {
        let path = self.folder().join(R::FILE);
        let identity = match fs::metadata(&path) {
            Ok(found) => FileIdentity::of(&found),
            Err(error) if error.kind() == ErrorKind::NotFound && if_missing.is_some() => {
                FileIdentity::MISSING
            }
            Err(error) => {
                cached.0 = None;
                self.storage_is_there()?;
                return Err(match error.kind() {
                    ErrorKind::NotFound => self.damaged(R::FILE, &"it is missing"),
                    _ => self.trouble(&path, &error),
                });
            }
        };
        let known = cached
            .0
            .as_ref()
            .is_some_and(|(known, _)| *known == identity);
        if !known {
            let older = cached.0.take();
            let mut record = match if_missing {
                Some(empty) if identity == FileIdentity::MISSING => empty,
                _ => self.read(&path)?,
            };
            if let Some((_, older)) = older {
                record.carry_over(&older);
            }
            cached.0 = Some((identity, record));
        }
        match &cached.0 {
            Some((_, record)) => Ok(record),
            None => Err(self.damaged(R::FILE, &"it went away")),
        }
    }

    fn read<R: StoredFile>(&self, path: &Path) -> Result<R, AccessError> {
        let bytes = self.disk.read_file(path, R::MOST_BYTES);
        let bytes = bytes.map_err(|error| match error.kind() {
            ErrorKind::InvalidData => self.damaged(R::FILE, &error),
            _ => self.trouble(path, &error),
        })?;
        records::read(&bytes).map_err(|fault| self.damaged(R::FILE, &fault))
    }

    pub fn write<R: StoredFile>(
        &self,
        cached: &mut Cached<R>,
        record: R,
    ) -> Result<(), AccessError> {
        let path = self.folder().join(R::FILE);
        let temp = path.with_extension("new");
        let bytes = records::written(&record).map_err(|fault| self.damaged(R::FILE, &fault))?;
        let owner = fs::metadata(self.folder()).map(|found| (found.uid(), found.gid()));
        let put = owner.and_then(|owner| self.disk.write_private(&temp, &path, &bytes, owner));
        put.map_err(|error| self.trouble(&path, &error))?;
        let found = fs::metadata(&path).map_err(|error| self.trouble(&path, &error))?;
        cached.0 = Some((FileIdentity::of(&found), record));
        Ok(())
    }

    /// What root makes for a service belongs to the service.
    fn give_to_owner(&self, path: &Path) -> Result<(), AccessError> {
        let give = || {
            let (storage, made) = (fs::metadata(&self.storage)?, fs::metadata(path)?);
            match (storage.uid(), storage.gid()) == (made.uid(), made.gid())
                || !nix::unistd::geteuid().is_root()
            {
                true => Ok(()),
                false => chown(path, Some(storage.uid()), Some(storage.gid())),
            }
        };
        give().map_err(|error| self.trouble(path, &error))
    }
}

impl FileIdentity {
    const MISSING: FileIdentity = FileIdentity {
        device: 0,
        inode: 0,
        modified_ns: (0, 0),
        bytes: 0,
    };

    fn of(found: &fs::Metadata) -> FileIdentity {
        FileIdentity {
            device: found.dev(),
            inode: found.ino(),
            modified_ns: (found.mtime(), found.mtime_nsec()),
            bytes: found.len(),
        }
    }
}
