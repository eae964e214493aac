//! The two files on the FAT partition that say which slot is started.
//!
//! They are written in place: each is one sector, which a card writes whole or not at all, and
//! neither the directory nor the table of the FAT moves. One after the other, each synced before
//! the next, and the second one first if it is not as the first: so at any moment a reader finds
//! what was before or what is now, and nothing older.
//!
//! Not here: what they mean (`state`).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{StateFileError, UpdateError};
use super::state::SlotState;
use crate::disk::Disk;

/// In the order in which they count.
pub const NAMES: [&str; 2] = ["slots-0.env", "slots-1.env"];

pub struct SlotStore {
    disk: Disk,
    folder: PathBuf,
}

impl SlotStore {
    pub fn new(disk: &Disk, folder: &Path) -> SlotStore {
        SlotStore {
            disk: disk.clone(),
            folder: folder.to_owned(),
        }
    }

    fn path(&self, copy: usize) -> PathBuf {
        self.folder.join(NAMES[copy])
    }

    /// Why one cannot be read is as good as that it does not count.
    fn copy(&self, copy: usize) -> Result<SlotState, StateFileError> {
        let path = self.path(copy);
        match self.disk.read_file(&path, 1 << 20) {
            Ok(bytes) => SlotState::decode(&bytes).map_err(|why| StateFileError::Bad { path, why }),
            Err(error) => Err(StateFileError::Unread { path, error }),
        }
    }

    /// What they say.
    pub fn read(&self) -> Result<SlotState, UpdateError> {
        match (self.copy(0), self.copy(1)) {
            (Ok(state), _) | (Err(_), Ok(state)) => Ok(state),
            (Err(first), Err(second)) => Err(UpdateError::NoState {
                first: Box::new(first),
                second: Box::new(second),
            }),
        }
    }

    /// Whether they could be written; changes nothing. Who finds out afterwards has overwritten a
    /// slot for nothing.
    pub fn probe(&self) -> Result<(), UpdateError> {
        let _writable = Writable::made(&self.disk, &self.folder)?;
        for path in [0, 1].map(|copy| self.path(copy)) {
            match self.disk.open_rw(&path) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(UpdateError::io("opening", &path)(error)),
            }
        }
        Ok(())
    }

    /// Both say `state` from now on. After an error they say what they said, or `state`.
    pub fn write(&self, state: SlotState) -> Result<(), UpdateError> {
        let (first, second) = (self.copy(0).ok(), self.copy(1).ok());
        if first == Some(state) && second == Some(state) {
            return Ok(());
        }
        let _writable = Writable::made(&self.disk, &self.folder)?;
        if let (Some(now), true) = (first, first != second) {
            // Were the first torn, an old second would count.
            self.put(1, now)?;
        }
        self.put(0, state)?;
        self.put(1, state)
    }

    fn put(&self, copy: usize, state: SlotState) -> Result<(), UpdateError> {
        let path = self.path(copy);
        let file = match self.disk.open_rw(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.disk.create(&path),
            other => other,
        };
        let file = file.map_err(UpdateError::io("opening", &path))?;
        let len = file.len().map_err(UpdateError::io("looking at", &path))?;
        if len != 0 && len != SlotState::LEN as u64 {
            // Somebody's editor was here; the other copy counts meanwhile.
            file.set_len(SlotState::LEN as u64)
                .map_err(UpdateError::io("mending", &path))?;
        }
        file.write_all_at(&state.encode(), 0)
            .map_err(UpdateError::io("writing", &path))?;
        file.sync().map_err(UpdateError::io("syncing", &path))
    }
}

/// The image mounts the FAT partition read-only; it is writable for as long as this lives.
struct Writable(Option<PathBuf>);

impl Writable {
    fn made(disk: &Disk, folder: &Path) -> Result<Writable, UpdateError> {
        let space = disk.space(folder);
        let space = space.map_err(UpdateError::io("looking at", folder))?;
        if !space.read_only {
            return Ok(Writable(None));
        }
        remount(folder, "rw").map_err(UpdateError::io("making writable", folder))?;
        Ok(Writable(Some(folder.to_owned())))
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        if let Some(folder) = &self.0
            && let Err(error) = remount(folder, "ro")
        {
            eprintln!(
                "{} stays writable until the next start: {error}",
                folder.display()
            );
        }
    }
}

fn remount(folder: &Path, how: &str) -> std::io::Result<()> {
    let mut command = Command::new("mount");
    command.arg("-o").arg(format!("remount,{how}")).arg(folder);
    let done = command.output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said = said.lines().next().unwrap_or("nothing");
    Err(std::io::Error::other(format!(
        "mount says: {said}; if the card has become read-only by itself, it is worn out: replace it"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::update::state::Slot;
    use std::fs;

    fn store(copies: [Option<&[u8]>; 2]) -> (tempfile::TempDir, SlotStore) {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in NAMES.iter().zip(copies) {
            if let Some(bytes) = bytes {
                fs::write(dir.path().join(name), bytes).unwrap();
            }
        }
        let store = SlotStore::new(&Disk::default(), dir.path());
        (dir, store)
    }

    #[test]
    fn the_second_file_counts_where_the_first_is_missing_or_damaged() {
        let good = SlotState::settled(Slot::B).encode();
        for bad in [
            None,
            Some(&b""[..]),
            Some(&[0; 512][..]),
            Some(&[1; 600][..]),
        ] {
            let (_dir, there) = store([bad, Some(&good)]);
            assert_eq!(there.read().unwrap(), SlotState::settled(Slot::B));
        }
        let (dir, none) = store([Some(&[0; 512]), None]);
        let error = none.read().unwrap_err().to_string();
        let words = format!(
            "{}/slots-0.env its checksum does not hold",
            dir.path().display()
        );
        assert!(error.contains(&words), "{error}");
        assert!(error.contains("slots-1.env cannot be read"), "{error}");
    }

    #[test]
    fn both_files_are_written_whatever_they_were_and_stay_the_files_they_were() {
        use std::os::unix::fs::MetadataExt;
        let other = SlotState::settled(Slot::A).encode();
        let wanted = SlotState::trying_other(Slot::B);
        for bad in [None, Some(&b""[..]), Some(&[1; 600][..]), Some(&other[..])] {
            for copies in [[bad, Some(&other[..])], [Some(&other[..]), bad]] {
                let (dir, store) = store(copies);
                let numbers =
                    || NAMES.map(|name| Some(fs::metadata(dir.path().join(name)).ok()?.ino()));
                let before = numbers();
                store.write(wanted).unwrap();
                for name in NAMES {
                    assert_eq!(fs::read(dir.path().join(name)).unwrap(), wanted.encode());
                }
                for (before, after) in before.iter().zip(numbers()) {
                    assert!(before.is_none() || *before == after);
                }
            }
        }
    }
}
