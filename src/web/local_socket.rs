//! The socket by which the box's own commands reach the service: no guest of the network gets there, and no flood of
//! theirs takes its places.
//!
//! It lies in a folder that only its owner may enter, in systemd's runtime directory or else where the rings are. The
//! folder's name is made of the storage's path, which a command knows by the same configuration; a lock on the folder says
//! that its service lives, so that what a dead one left is replaced, and nobody takes a living one's place.
//!
//! Not here: what is said over it (HTTP, as everywhere); who may open it once the folder was passed (`server` asks the
//! kernel for the user of each peer).

use crate::base::hex;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// `RuntimeDirectory=` of the unit.
const RUN: &str = "/run/hindsight-control";
const SOCKET: &str = "socket";

/// The folder below `base` for the service of this storage.
fn folder(base: &Path, storage: &Path) -> PathBuf {
    let digest = Sha256::digest(storage.as_os_str().as_encoded_bytes());
    let short = hex(&digest[..8]);
    // No ring has such a name.
    base.join(format!("hindsight.{short}.control"))
}

/// Where a service puts it.
pub fn place(storage: &Path, ring_dir: &Path) -> PathBuf {
    // Of several, the first is ours.
    let given = std::env::var_os("RUNTIME_DIRECTORY");
    let given = given
        .as_deref()
        .and_then(|dirs| std::env::split_paths(dirs).next());
    folder(given.as_deref().unwrap_or(ring_dir), storage)
}

/// To the service of this storage, if its socket is there and may be opened; whatever it is, `Err` means: by TCP.
pub fn connect(storage: &Path, ring_dir: &Path) -> io::Result<UnixStream> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for base in [Path::new(RUN), ring_dir] {
        match connect_in(&folder(base, storage), storage) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_in(folder: &Path, storage: &Path) -> io::Result<UnixStream> {
    let held = open_folder(folder)?;
    // Where everybody may make folders, somebody may have made this one.
    let owner = held.metadata()?.uid();
    let own = nix::unistd::geteuid().as_raw();
    let trusted =
        owner == 0 || owner == own || fs::metadata(storage).is_ok_and(|s| s.uid() == owner);
    if !trusted {
        return Err(ErrorKind::PermissionDenied.into());
    }
    UnixStream::connect(short_path(&held))
}

/// No link is followed.
fn open_folder(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
}

/// However long the folder's own path is: a socket's has 108 bytes.
fn short_path(folder: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))
}

/// Why there is none. The service goes on without.
#[derive(Debug, thiserror::Error)]
pub enum LocalSocketError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} is not a folder of this user alone")]
    Foreign(PathBuf),
    #[error("{0} is in use by another hindsight")]
    InUse(PathBuf),
}

/// A socket that is listened on; dropping it removes it.
#[derive(Debug)]
pub struct LocalSocket {
    folder: PathBuf,
    listener: Option<UnixListener>,
    /// Its lock is held as long as this lives.
    _held: Flock<File>,
}

impl LocalSocket {
    pub fn bind(folder: &Path) -> Result<LocalSocket, LocalSocketError> {
        let failed = |source| LocalSocketError::Io {
            path: folder.to_owned(),
            source,
        };
        let held = hold(folder)?;
        let path = short_path(&held);
        // Of one that is dead: its lock is ours now.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(LocalSocket {
            folder: folder.to_owned(),
            listener: Some(listener),
            _held: held,
        })
    }

    /// Once.
    pub(super) fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        // The lock is let go of afterwards. What stays is replaced by the next service.
        let _ = fs::remove_file(self.folder.join(SOCKET));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The folder, made where it is missing, and locked.
fn hold(folder: &Path) -> Result<Flock<File>, LocalSocketError> {
    let failed = |source| LocalSocketError::Io {
        path: folder.to_owned(),
        source,
    };
    for _ in 0..10 {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let opened = match open_folder(folder) {
            // Its owner has just left.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(_) => return Err(LocalSocketError::Foreign(folder.to_owned())),
            Ok(opened) => opened,
        };
        let facts = opened.metadata().map_err(failed)?;
        if facts.uid() != nix::unistd::geteuid().as_raw() || facts.mode() & 0o077 != 0 {
            return Err(LocalSocketError::Foreign(folder.to_owned()));
        }
        let held = match Flock::lock(opened, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Err(LocalSocketError::InUse(folder.to_owned())),
            Err((_, errno)) => return Err(failed(errno.into())),
        };
        // Between the opening and the lock its owner may have removed it.
        let named = fs::symlink_metadata(folder);
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (facts.dev(), facts.ino())) {
            return Ok(held);
        }
    }
    Err(LocalSocketError::InUse(folder.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn storage() -> &'static Path {
        Path::new("/var/lib/hindsight")
    }

    #[test]
    fn a_living_ones_place_is_kept_and_a_dead_ones_is_taken() {
        let base = tempfile::tempdir().unwrap();
        let at = folder(base.path(), storage());
        let first = LocalSocket::bind(&at).unwrap();
        assert!(connect_in(&at, storage()).is_ok());
        assert!(matches!(
            LocalSocket::bind(&at),
            Err(LocalSocketError::InUse(_))
        ));
        assert!(connect_in(&at, storage()).is_ok(), "it is still there");
        drop(first);
        assert!(!at.exists(), "who leaves leaves nothing");
        assert_eq!(
            connect_in(&at, storage()).unwrap_err().kind(),
            ErrorKind::NotFound
        );
        // One that was killed leaves its socket; the kernel let go of its lock.
        DirBuilder::new().mode(0o700).create(&at).unwrap();
        drop(UnixListener::bind(at.join(SOCKET)).unwrap());
        assert_eq!(
            connect_in(&at, storage()).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let next = LocalSocket::bind(&at).unwrap();
        assert!(connect_in(&at, storage()).is_ok());
        drop(next);
    }

    #[test]
    fn a_folder_that_others_made_or_may_enter_is_not_used() {
        let base = tempfile::tempdir().unwrap();
        let at = folder(base.path(), storage());
        fs::create_dir(&at).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            LocalSocket::bind(&at),
            Err(LocalSocketError::Foreign(_))
        ));
        fs::remove_dir(&at).unwrap();
        std::os::unix::fs::symlink(base.path(), &at).unwrap();
        assert!(matches!(
            LocalSocket::bind(&at),
            Err(LocalSocketError::Foreign(_))
        ));
        assert!(connect_in(&at, storage()).is_err());
    }

    #[test]
    fn a_long_path_and_two_storages_are_no_trouble() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("d".repeat(150));
        fs::create_dir(&deep).unwrap();
        let [one, other] = ["/a", "/b"].map(|storage| folder(&deep, Path::new(storage)));
        let _one = LocalSocket::bind(&one).unwrap();
        let _other = LocalSocket::bind(&other).unwrap();
        assert!(
            connect_in(&one, Path::new("/a")).is_ok()
                && connect_in(&other, Path::new("/b")).is_ok()
        );
    }
}
