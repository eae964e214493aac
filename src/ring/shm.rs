//! Shared memory: files, mappings, locks, and every call into the kernel that they need.
//!
//! Not here: what the bytes mean (`layout`), the order of accesses (`protocol`),
//! sleeping and waking (`sys`).
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::mman::{MapFlags, ProtFlags, mlock, mmap, munmap};
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs, statfs};

use super::error::RingError;
use super::protocol::LoadWord;

/// Ring files: the service writes, its group reads.
const RING_MODE: u32 = 0o640;
/// Lock files: who may open one may hold it, and so stop the writer.
const LOCK_MODE: u32 = 0o600;

/// A word of a mapping that cannot be stored to.
#[repr(transparent)]
pub struct ReadWord(AtomicU64);

impl LoadWord for ReadWord {
    #[inline]
    fn load(&self) -> u64 {
        LoadWord::load(&self.0)
    }
    #[inline]
    fn fence_acquire() {
        AtomicU64::fence_acquire();
    }
}

impl ReadWord {
    /// For the kernel to compare; not to be stored to.
    pub(super) fn as_ptr(&self) -> *const u64 {
        self.0.as_ptr()
    }
}

/// All of a ring file, mapped. The file never shrinks while it has a name or
/// a mapping: that is the rule which keeps readers from SIGBUS.
#[derive(Debug)]
struct Mapping {
    start: NonNull<c_void>,
    bytes: NonZeroUsize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and is only
// reached through atomic words.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: &File, bytes: u64, prot: ProtFlags, flags: MapFlags) -> io::Result<Mapping> {
        let bytes = usize::try_from(bytes)
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: no address is asked for, so nothing that exists is replaced.
        let start = unsafe { mmap(None, bytes, prot, flags, file, 0)? };
        Ok(Mapping { start, bytes })
    }

    fn words(&self) -> usize {
        self.bytes.get() / size_of::<AtomicU64>()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours, and whoever borrowed words is gone.
        let _ = unsafe { munmap(self.start, self.bytes.get()) };
    }
}

/// A ring mapped for reading.
#[derive(Debug)]
pub struct ReadMapping(Mapping);

impl ReadMapping {
    pub fn of(file: &File, bytes: u64) -> io::Result<ReadMapping> {
        let flags = MapFlags::MAP_SHARED;
        Mapping::of(file, bytes, ProtFlags::PROT_READ, flags).map(ReadMapping)
    }

    pub fn words(&self) -> &[ReadWord] {
        // SAFETY: page-aligned, mapped as long as `self` lives, and changed by
        // anybody only as atomic words. `ReadWord` loads relaxed, which is
        // defined on read-only memory.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr().cast(), self.0.words()) }
    }
}

/// A ring mapped for writing, every page present.
#[derive(Debug)]
pub struct WriteMapping(Mapping);

impl WriteMapping {
    pub fn of(file: &File, bytes: u64) -> io::Result<WriteMapping> {
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE;
        Mapping::of(file, bytes, prot, flags).map(WriteMapping)
    }

    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: page-aligned, mapped read-write as long as `self` lives, and
        // changed by anybody only as atomic words.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr().cast(), self.0.words()) }
    }

    /// Keeps the pages from being swapped out.
    pub fn lock(&self) -> io::Result<()> {
        // SAFETY: the range is ours; locking changes no byte of it.
        Ok(unsafe { mlock(self.0.start, self.0.bytes.get()) }?)
    }
}

fn io_error(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> RingError {
    let path = path.to_owned();
    move |source| RingError::Io { path, what, source }
}

/// Rings live in memory: anything but tmpfs would be worn out by them.
pub fn require_tmpfs(dir: &Path) -> Result<(), RingError> {
    let of = statfs(dir)
        .map_err(|e| io_error(dir, "cannot look at the folder of [ring] dir")(e.into()))?;
    if of.filesystem_type() == TMPFS_MAGIC {
        Ok(())
    } else {
        Err(RingError::NotTmpfs {
            path: dir.to_owned(),
        })
    }
}

/// Takes the writer's lock, held as long as the file is open. The lock file
/// stays behind: unlinking it would let two writers hold "the" lock.
pub fn lock_writer(path: &Path, ring: &Path) -> Result<File, RingError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(LOCK_MODE)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(io_error(
            path,
            "cannot open a ring's lock (if it belongs to another user, remove it)",
        ))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RingError::Locked {
            path: ring.to_owned(),
        }),
        Err(TryLockError::Error(e)) => Err(io_error(path, "cannot lock")(e)),
    }
}

/// Opens what should be a ring, waiting for nobody, not even for a FIFO's other end.
pub fn open_existing(path: &Path, write: bool) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is not a regular file",
        ))
    }
}

/// True if nobody but this user can have changed, or can change, the file.
pub fn is_ours_alone(file: &File) -> io::Result<bool> {
    let of = file.metadata()?;
    Ok(of.uid() == nix::unistd::geteuid().as_raw() && of.mode() & 0o022 == 0)
}

/// Reads words without mapping, so that no file can kill us.
pub fn read_words<const N: usize>(file: &File) -> io::Result<[u64; N]> {
    let mut words = [0; N];
    let mut bytes = vec![0; N * 8];
    file.read_exact_at(&mut bytes, 0)?;
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(words)
}

/// Stores a word without mapping; readers who mapped the file see it.
pub fn write_word(file: &File, word: usize, value: u64) -> io::Result<()> {
    let at = u64::try_from(word * 8).map_err(|_| io::ErrorKind::InvalidInput)?;
    file.write_all_at(&value.to_le_bytes(), at)
}

/// Device and inode: which file this is, whatever its name.
pub fn identity(of: &std::fs::Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

/// Removes what a killed writer left half made under its temporary name.
pub fn remove_leftover(path: &Path) -> Result<(), RingError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(io_error(path, "cannot remove a half-made ring")(e))
        }
        _ => Ok(()),
    }
}

/// A new file of `bytes` zeroes, all of them really there.
pub fn create(path: &Path, bytes: u64) -> Result<File, RingError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(RING_MODE)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(io_error(path, "cannot create a ring"))?;
    let made = allocate(&file, path, bytes).and_then(|()| {
        // Whatever the umask is, the group may read.
        file.set_permissions(std::fs::Permissions::from_mode(RING_MODE))
            .map_err(io_error(path, "cannot set the mode of a ring"))
    });
    if made.is_err() {
        let _ = std::fs::remove_file(path);
    }
    made.map(|()| file)
}

fn allocate(file: &File, path: &Path, bytes: u64) -> Result<(), RingError> {
    let len = libc::off_t::try_from(bytes).map_err(|_| {
        io_error(path, "cannot allocate a ring")(io::ErrorKind::InvalidInput.into())
    })?;
    loop {
        match fallocate(file, FallocateFlags::empty(), 0, len) {
            Ok(()) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(Errno::ENOSPC) => {
                let free = fstatfs(file).map_or(0, |of| {
                    let block = u64::try_from(of.block_size()).unwrap_or(0);
                    of.blocks_available().saturating_mul(block)
                });
                return Err(RingError::NoSpace {
                    path: path.parent().unwrap_or(path).to_owned(),
                    needed: bytes,
                    free,
                });
            }
            Err(e) => return Err(io_error(path, "cannot allocate a ring")(e.into())),
        }
    }
}
