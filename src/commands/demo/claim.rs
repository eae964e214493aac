//! Folders that no other demo uses while this one runs.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use super::error::DemoError;

/// Demos that one user can run at once.
const MOST: u32 = 99;

/// A folder that no other demo uses while this one runs.
pub(super) struct Claimed {
    pub path: PathBuf,
    _lock: Flock<File>,
}

impl Claimed {
    /// Takes `<base>/<name>`, or `<name>-2` and so on where others run.
    fn take(base: &Path, name: &str) -> io::Result<Claimed> {
        for number in 1..=MOST {
            let path = match number {
                1 => base.join(name),
                n => base.join(format!("{name}-{n}")),
            };
            std::fs::create_dir_all(&path)?;
            let file = path.join("demo.lock");
            let opened = File::options().create(true).append(true).open(&file)?;
            let inode = opened.metadata()?.ino();
            let Ok(lock) = Flock::lock(opened, FlockArg::LockExclusiveNonblock) else {
                continue;
            };
            // Its holder may have removed the folder between our opening and our locking.
            if std::fs::metadata(&file).is_ok_and(|facts| facts.ino() == inode) {
                return Ok(Claimed { path, _lock: lock });
            }
        }
        Err(io::Error::other(format!(
            "{MOST} demos are running already"
        )))
    }

    /// The folder and all in it.
    pub fn remove(self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// `$XDG_STATE_HOME/hindsight-demo`, or what comes nearest.
pub(super) fn storage() -> Result<Claimed, DemoError> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let state = folder("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let home = folder("HOME").map(|home| home.join(".local/state"));
    let own_temp = std::env::temp_dir().join(format!("hindsight-{}", nix::unistd::getuid()));
    let bases = [state, home, Some(own_temp)];
    first_of(bases, "hindsight-demo", "for clips")
}

/// Of the folders that there are, the first that can be had; the error is the last one's.
fn first_of<const N: usize>(
    bases: [Option<PathBuf>; N],
    name: &str,
    what: &'static str,
) -> Result<Claimed, DemoError> {
    let mut last = (PathBuf::new(), io::Error::from(io::ErrorKind::NotFound));
    for base in bases.into_iter().flatten() {
        match Claimed::take(&base, name) {
            Ok(claimed) => return Ok(claimed),
            Err(error) => last = (base, error),
        }
    }
    let (base, error) = last;
    Err(DemoError::NoPlace { what, base, error })
}

/// A folder on tmpfs; what a killed demo left in it goes.
pub(super) fn ring() -> Result<Claimed, DemoError> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let bases = [Some(PathBuf::from("/dev/shm")), runtime];
    let name = format!("hindsight-demo-{}", nix::unistd::getuid());
    let claimed = first_of(bases, &name, "in memory (tmpfs)")?;
    sweep(&claimed.path);
    Ok(claimed)
}

fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() != "demo.lock" {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn demos_side_by_side_have_folders_of_their_own_and_a_left_one_is_taken_again() {
        let base = tempfile::tempdir().unwrap();
        let first = Claimed::take(base.path(), "demo").unwrap();
        let second = Claimed::take(base.path(), "demo").unwrap();
        assert_eq!(first.path, base.path().join("demo"));
        assert_eq!(second.path, base.path().join("demo-2"));
        std::fs::write(first.path.join("ring"), "x").unwrap();
        drop(first);
        let third = Claimed::take(base.path(), "demo").unwrap();
        assert_eq!(third.path, base.path().join("demo"));
        sweep(&third.path);
        assert!(!third.path.join("ring").exists());
        second.remove();
        assert!(!base.path().join("demo-2").exists());
    }
}
