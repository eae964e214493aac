//! Small files that are whole or not there, written only where they differ.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, Uid};

use super::OWNER;
use crate::disk::Disk;

/// Puts `bytes` there, all or nothing and durable, unless they are there already. Folders above are made.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return set_mode(path, mode);
    }
    let disk = Disk::default();
    if let Some(folder) = path.parent() {
        disk.make_dirs(folder)?;
    }
    let temp = beside(path);
    // Nobody may read a secret in the moment before its mode is set.
    disk.remove(&temp)?;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temp)
        .and_then(|_| set_mode(&temp, mode))?;
    disk.write_atomically(&temp, path, bytes)
}

/// The same, readable by the service's group and by nobody else.
pub fn write_for_the_service(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o640)?;
    give(path)
}

/// A folder with that mode, durable.
pub fn folder(path: &Path, mode: u32) -> io::Result<()> {
    Disk::default().make_dirs(path)?;
    set_mode(path, mode)
}

/// The service's group may read it.
pub fn give(path: &Path) -> io::Result<()> {
    match (Uid::effective().is_root(), Group::from_name(OWNER)) {
        (true, Ok(Some(group))) => {
            std::os::unix::fs::chown(path, Some(0), Some(group.gid.as_raw()))
        }
        // Tried out by somebody else than root, or where no service is installed.
        _ => Ok(()),
    }
}

/// Removes a file that need not be there.
pub fn remove(path: &Path) -> io::Result<()> {
    Disk::default().remove(path)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let now = fs::metadata(path)?.permissions().mode() & 0o7777;
    match now == mode {
        true => Ok(()),
        false => fs::set_permissions(path, Permissions::from_mode(mode)),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_file_is_written_only_where_it_differs_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        write(&path, b"one", 0o600).unwrap();
        let first = fs::metadata(&path).unwrap();
        assert_eq!(first.mode() & 0o777, 0o600);
        write(&path, b"one", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().ino(), first.ino());
        write(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let names = fs::read_dir(dir.path().join("a")).unwrap().count();
        assert_eq!(names, 1, "no temporary file is left");
        write(&path, b"two", 0o640).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }
}
