//! The card's FAT partition: read, and made writable only in the moment of a write.
//!
//! FAT has no journal: a rename over a file can leave both or none at a power cut. So whatever
//! counts is kept on the data disk too, and a file here is only written where it differs.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::system::{System, arguments};
use crate::disk::Disk;

/// Larger files are not ours.
const LARGEST: u64 = 24 << 20;

#[derive(Clone, Debug)]
pub struct Firmware {
    path: PathBuf,
    system: System,
}

impl Firmware {
    pub fn new(path: &Path, system: System) -> Firmware {
        Firmware {
            path: path.to_owned(),
            system,
        }
    }

    /// Whether the partition is mounted and its folder can be read.
    pub fn is_there(&self) -> bool {
        self.system.is_mounted(&self.path) && fs::read_dir(&self.path).is_ok()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file's bytes; `None`: there is none.
    pub fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match Disk::default().read_file(&self.path(name), LARGEST) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first line that says something, without comments; `None`: there is none.
    pub fn line(&self, name: &str) -> Option<String> {
        let text = super::text::decode(&self.read(name).ok()??).ok()?;
        let mut lines = text.lines().map(str::trim);
        let found = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        found.map(str::to_owned)
    }

    /// Puts a file there, unless it is there already with just these bytes.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if self
            .read(name)
            .is_ok_and(|found| found.as_deref() == Some(bytes))
        {
            return Ok(());
        }
        self.writable(|| {
            // FAT has no long modes and no owners; a name that Windows hides from nobody.
            let temp = self.path("hindsight-new.tmp");
            Disk::default().write_atomically(&temp, &self.path(name), bytes)
        })
    }

    /// Overwrites a file where it lies, so that what stood there is gone from its place on the
    /// card (as far as the card's own wear levelling lets anybody say so). Longer bytes stay behind `bytes`
    /// unless they are as long.
    pub fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.writable(|| {
            let mut file = OpenOptions::new().write(true).open(self.path(name))?;
            file.write_all(bytes)?;
            file.sync_all()
        })
    }

    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.writable(|| {
            let disk = Disk::default();
            disk.remove(&self.path(to))?;
            disk.rename(&self.path(from), &self.path(to))?;
            disk.sync_dir(&self.path)
        })
    }

    /// Removes a file; no write at all where it is not there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        if !self.path(name).exists() {
            return Ok(());
        }
        self.writable(|| {
            Disk::default().remove(&self.path(name))?;
            Disk::default().sync_dir(&self.path)
        })
    }

    /// Does `write` with the partition writable, and makes it read-only again.
    fn writable(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if !self.is_there() {
            let text = format!("{} is not mounted", self.path.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        self.system
            .mount(arguments!["-o", "remount,rw", &self.path])?;
        let written = write();
        let closed = self
            .system
            .mount(arguments!["-o", "remount,ro", &self.path]);
        written.and(closed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_read_with_their_windows_line_ends_and_written_only_where_they_differ() {
        let dir = tempfile::tempdir().unwrap();
        let firmware = Firmware::new(dir.path(), System { mounts: false });
        assert_eq!(firmware.read("a").unwrap(), None);
        assert_eq!(firmware.line("a"), None);
        firmware
            .write("a", b"# who\r\n\r\n S5T2 \r\nmore\r\n")
            .unwrap();
        assert_eq!(firmware.line("a").unwrap(), "S5T2");
        let before = fs::metadata(firmware.path("a"))
            .unwrap()
            .modified()
            .unwrap();
        firmware
            .write("a", b"# who\r\n\r\n S5T2 \r\nmore\r\n")
            .unwrap();
        let after = fs::metadata(firmware.path("a"))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(before, after);
        firmware.rename("a", "b").unwrap();
        firmware.overwrite("b", b"####").unwrap();
        let text = firmware.read("b").unwrap().unwrap();
        assert!(text.starts_with(b"####o\r\n"), "{text:?}");
        firmware.remove("b").unwrap();
        firmware.remove("b").unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_partition_that_is_not_mounted_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let firmware = Firmware::new(dir.path(), System { mounts: true });
        assert!(!firmware.is_there());
        let error = firmware.write("a", b"x").unwrap_err();
        assert!(error.to_string().ends_with("is not mounted"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
