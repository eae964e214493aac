//! The calls, each with its place for a fault.
//!
//! After a sync has failed, the kernel may have thrown the data away and marked
//! it clean: a later sync that succeeds says nothing about it. Who gets an error
//! from `sync` must write the data again, or give the file up.

use std::fs;
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::sys;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DiskCall {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Rename,
    SyncDir,
    MakeDir,
    Remove,
    Space,
}

/// What a test makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// It fails with this `errno` and does nothing.
    Error(Errno),
    /// A write takes only so many bytes; a file system has only so many left.
    Short(usize),
    /// A file system says this of itself.
    Space(Space),
}

/// Asked before every call; `None` lets it through.
pub trait Faults: Send + Sync {
    fn before(&self, call: DiskCall, path: &Path) -> Option<DiskFault>;
}

/// Room on a file system, in bytes, as an ordinary user has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    /// Taken and free. What is kept back for root is neither, as `df` counts.
    pub total: u64,
    pub read_only: bool,
}

/// The way to the kernel. Cheap to clone.
#[derive(Clone, Default)]
pub struct Disk {
    faults: Option<Arc<dyn Faults>>,
}

impl Disk {
    /// One whose calls `faults` may strike.
    pub fn with_faults(faults: Arc<dyn Faults>) -> Disk {
        Disk {
            faults: Some(faults),
        }
    }

    fn ask(&self, call: DiskCall, path: &Path) -> io::Result<Option<usize>> {
        let Some(faults) = &self.faults else {
            return Ok(None);
        };
        match faults.before(call, path) {
            None => Ok(None),
            Some(DiskFault::Short(n)) => Ok(Some(n)),
            Some(DiskFault::Error(errno)) => Err(errno.into()),
            Some(DiskFault::Space(_)) => Ok(None),
        }
    }

    fn open_with(&self, path: &Path, options: &fs::OpenOptions) -> io::Result<File> {
        self.ask(DiskCall::Open, path)?;
        Ok(File {
            file: options.open(path)?,
            path: path.to_owned(),
            disk: self.clone(),
        })
    }

    /// A new, empty file for reading and writing, mode 0640; what stood there is emptied.
    pub fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        self.open_with(path, options.mode(0o640))
    }

    /// An existing file for reading and writing.
    pub fn open_rw(&self, path: &Path) -> io::Result<File> {
        self.open_with(path, fs::OpenOptions::new().read(true).write(true))
    }

    /// An existing block device (or file) for reading and writing; a device that the
    /// system uses (mounted, part of another) is `EBUSY`.
    pub fn open_device(&self, path: &Path) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        if fs::metadata(path)?.file_type().is_block_device() {
            options.custom_flags(libc::O_EXCL);
        }
        self.open_with(path, &options)
    }

    pub fn open_read(&self, path: &Path) -> io::Result<File> {
        self.open_with(path, fs::OpenOptions::new().read(true))
    }

    /// All of a file that is at most `limit` bytes long.
    pub fn read_file(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let len = file.len()?;
        if len > limit {
            let text = format!("{} is {len} bytes, at most {limit}", path.display());
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(DiskCall::Rename, to)?;
        fs::rename(from, to)
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.ask(DiskCall::SyncDir, path)?;
        fs::File::open(path)?.sync_all()
    }

    /// Makes `path`, whose parent is there, a durable directory; true if it is new.
    pub fn make_dir(&self, path: &Path) -> io::Result<bool> {
        if path.is_dir() {
            return Ok(false);
        }
        self.ask(DiskCall::MakeDir, path)?;
        match fs::create_dir(path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => return Ok(false),
            other => other?,
        }
        let parent = path.parent().unwrap_or(Path::new("/"));
        if let Err(error) = self.sync_dir(parent) {
            // Not durable: let the next try meet it anew.
            let _ = fs::remove_dir(path);
            return Err(error);
        }
        Ok(true)
    }

    /// `make_dir` for `path` and all of its parents that are missing.
    pub fn make_dirs(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() || path.as_os_str().is_empty() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_dirs(parent)?;
        }
        self.make_dir(path).map(drop)
    }

    /// Removes a file; it need not be there.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(DiskCall::Remove, path)?;
        match fs::remove_file(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Whether a file (or anything else) has this name. An error is no "no".
    pub fn exists(&self, path: &Path) -> io::Result<bool> {
        self.ask(DiskCall::Open, path)?;
        path.try_exists()
    }

    pub fn space(&self, path: &Path) -> io::Result<Space> {
        let most = match self
            .faults
            .as_ref()
            .and_then(|f| f.before(DiskCall::Space, path))
        {
            None => None,
            Some(DiskFault::Space(space)) => return Ok(space),
            Some(DiskFault::Short(bytes)) => u64::try_from(bytes).ok(),
            Some(DiskFault::Error(errno)) => return Err(errno.into()),
        };
        let found = statvfs(path)?;
        // Narrower on a machine of 32 bits.
        #[allow(clippy::useless_conversion)]
        let bytes = |blocks| u64::from(blocks).saturating_mul(u64::from(found.fragment_size()));
        let free = bytes(found.blocks_available());
        let taken = bytes(found.blocks().saturating_sub(found.blocks_free()));
        Ok(Space {
            free: free.min(most.unwrap_or(u64::MAX)),
            total: taken.saturating_add(free),
            read_only: found.flags().contains(FsFlags::ST_RDONLY),
        })
    }

    /// Puts `bytes` under the name `to`, all or nothing, durable on return:
    /// `temp` → write → sync → rename → sync directory. `temp` must be on the
    /// same file system. After an error `to` is as it was, or new and whole.
    pub fn write_atomically(&self, temp: &Path, to: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.create(temp)?;
        self.commit(&file, to, bytes)
    }

    /// The same for what only `owner` (user and group) may read and write.
    pub fn write_private(
        &self,
        temp: &Path,
        to: &Path,
        bytes: &[u8],
        owner: (u32, u32),
    ) -> io::Result<()> {
        // One that was left there might be readable for others.
        self.remove(temp)?;
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = self.open_with(temp, &options)?;
        let made = file.file.metadata()?;
        if (made.uid(), made.gid()) != owner {
            fchown(&file.file, Some(owner.0), Some(owner.1))?;
        }
        self.commit(&file, to, bytes)
    }

    /// `file` gets `bytes` and the name `to`.
    fn commit(&self, file: &File, to: &Path, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        self.rename(&file.path, to)?;
        self.sync_dir(to.parent().unwrap_or(Path::new("/")))
    }
}

/// An open file.
pub struct File {
    file: fs::File,
    path: PathBuf,
    disk: Disk,
}

impl File {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    pub fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Room of a block device, or a file's length.
    pub fn device_len(&self) -> io::Result<u64> {
        (&self.file).seek(SeekFrom::End(0))
    }

    /// Writes all of `bytes`; a disk that takes only a part is asked again.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let most = self.disk.ask(DiskCall::Write, &self.path)?;
            let rest = &bytes[done..];
            let rest = &rest[..rest.len().min(most.unwrap_or(usize::MAX))];
            let at = offset + u64::try_from(done).unwrap_or(u64::MAX);
            match self.file.write_at(rest, at) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    pub fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.ask(DiskCall::Read, &self.path)?;
        self.file.read_exact_at(into, offset)
    }

    /// As much as one read gives; 0 at the end.
    pub fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.ask(DiskCall::Read, &self.path)?;
        loop {
            match self.file.read_at(into, offset) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    pub fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.ask(DiskCall::Truncate, &self.path)?;
        self.file.set_len(len)
    }

    /// Data, and what of the metadata is needed to find it, is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.ask(DiskCall::Sync, &self.path)?;
        self.file.sync_data()
    }

    /// Lets go of what the kernel keeps of it in memory, so far as it is on the disk. A hint.
    ///
    /// Of a file that was written in one go the kernel keeps pieces as large as that (Linux
    /// 6.16 and ext4), and each small write into one of them costs as a large one does.
    pub fn forget_cached(&self) {
        let _ = posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }

    /// Begins to write out from `from` on, without waiting.
    pub fn start_writeback(&self, from: u64) {
        sys::start_writeback(&self.file, from, 0);
    }

    /// A reader of its own, with its own position.
    pub fn reader(&self) -> io::Result<fs::File> {
        self.disk.ask(DiskCall::Open, &self.path)?;
        fs::File::open(&self.path)
    }
}

/// True if the error says that there is no room (disk or quota).
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// The error, and what to do about it where it speaks of the disk itself.
pub fn for_people(error: &io::Error) -> String {
    let hint = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EROFS) => {
            "; the system lets nobody write to a disk that failed: restart the box, and replace the disk if it comes back"
        }
        Some(Errno::EIO) => "; the disk or its cable fails: replace it",
        Some(Errno::EACCES | Errno::EPERM) => {
            "; the folder and all in it must belong to the user that runs hindsight (chown -R)"
        }
        Some(Errno::EEXIST | Errno::ENOTDIR) => "; a file is where a folder should be",
        _ => "",
    };
    format!("{error}{hint}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Mutex;

    /// Strikes the n-th call.
    struct Nth(Mutex<usize>, DiskFault);

    impl Faults for Nth {
        fn before(&self, _: DiskCall, _: &Path) -> Option<DiskFault> {
            let mut left = self.0.lock().unwrap();
            *left = left.checked_sub(1)?;
            (*left == 0).then_some(self.1)
        }
    }

    #[test]
    fn an_atomic_write_is_old_or_new_whatever_call_fails() {
        for errno in [Errno::EIO, Errno::ENOSPC] {
            let mut struck = 0;
            for n in 1..20 {
                let dir = tempfile::tempdir().unwrap();
                let (temp, to) = (dir.path().join("t"), dir.path().join("f"));
                Disk::default()
                    .write_atomically(&temp, &to, b"old")
                    .unwrap();
                let disk = Disk::with_faults(Arc::new(Nth(Mutex::new(n), DiskFault::Error(errno))));
                let result = disk.write_atomically(&temp, &to, b"newer");
                let held = fs::read(&to).unwrap();
                assert!(held == b"old" || held == b"newer", "call {n}: {held:?}");
                match result {
                    Err(_) => struck += 1,
                    Ok(()) => assert_eq!(held, b"newer"),
                }
            }
            assert_eq!(struck, 5, "open, write, sync, rename, sync directory");
        }
    }

    #[test]
    fn a_disk_that_takes_a_byte_at_a_time_still_gets_all() {
        struct Stingy;
        impl Faults for Stingy {
            fn before(&self, call: DiskCall, _: &Path) -> Option<DiskFault> {
                (call == DiskCall::Write).then_some(DiskFault::Short(1))
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::with_faults(Arc::new(Stingy));
        let file = disk.create(&dir.path().join("f")).unwrap();
        file.write_all_at(b"goal", 2).unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), b"\0\0goal");
    }

    #[test]
    fn no_room_is_told_from_other_errors() {
        assert!(is_full(&Errno::ENOSPC.into()));
        assert!(is_full(&Errno::EDQUOT.into()));
        assert!(!is_full(&Errno::EIO.into()));
    }

    #[test]
    fn directories_are_made_with_their_parents_and_space_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        let disk = Disk::default();
        disk.make_dirs(&deep).unwrap();
        assert!(deep.is_dir());
        assert!(!disk.make_dir(&deep).unwrap());
        let space = disk.space(&deep).unwrap();
        assert!(space.total >= space.free && !space.read_only);
    }
}
