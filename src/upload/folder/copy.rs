//! The copying thread of a folder: temp → write → sync → read back → rename → sync directory.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use sha2::{Digest, Sha256};

use crate::base::quantity::Megabytes;
use crate::base::{Stop, StopLevel, lock};
use crate::disk::{Disk, File, mounted};
use crate::queue::work::Failure;
use crate::upload::bundle::{Content, Item, unreadable};
use crate::upload::hash::{self, Hash};
use crate::upload::sentence::FolderUploadSentence;
use crate::upload::types::Shared;

const PIECE: usize = 256 << 10;

/// Names under which nothing but mount points is expected.
const MOUNT_PLACES: [&str; 3] = ["/mnt", "/media", "/run/media"];

/// What the copying thread tells.
pub enum News {
    /// So many more are there.
    Bytes(u64),
    /// Nothing was sent, but something moved.
    Alive,
    Done(Result<(), Failure>),
}

pub struct Copier {
    pub root: PathBuf,
    pub disk: Disk,
    pub seen: Arc<Mutex<Option<u64>>>,
    pub items: Vec<Item>,
    pub shared: Arc<Shared>,
    pub stop: Stop,
    pub tell: Sender<News>,
}

impl Copier {
    pub fn run(&self) {
        let result = self.mounted();
        let result = result.and_then(|()| self.items.iter().try_for_each(|item| self.put(item)));
        self.say(News::Done(result));
    }

    /// Nobody listens to a thread that was left behind.
    fn say(&self, news: News) {
        let _ = self.tell.send(news);
    }

    fn go_on(&self) -> Result<(), Failure> {
        self.say(News::Alive);
        if self.stop.level() >= StopLevel::Finish {
            return Err(Failure::Cancelled);
        }
        Ok(())
    }

    fn mounted(&self) -> Result<(), Failure> {
        let root = &self.root;
        if let Some(point) = mounted::missing_mount(root) {
            return Err(Failure::unavailable(FolderUploadSentence::NotMounted {
                path: root.display().to_string(),
                point: point.display().to_string(),
            }));
        }
        let facts = fs::metadata(root).map_err(|error| self.trouble(root, &error))?;
        if !facts.is_dir() {
            return Err(Failure::unavailable(FolderUploadSentence::NoFolder {
                path: root.display().to_string(),
            }));
        }
        let system = fs::metadata("/").map_or(0, |facts| facts.dev());
        let mut seen = lock(&self.seen);
        if is_bare_mount_point(root, facts.dev(), system, *seen) {
            return Err(Failure::unavailable(FolderUploadSentence::BareMountPoint {
                path: root.display().to_string(),
            }));
        }
        *seen = Some(facts.dev());
        Ok(())
    }

    fn put(&self, item: &Item) -> Result<(), Failure> {
        self.go_on()?;
        let to = self.root.join(&item.key);
        let known = item.sha256.as_deref().and_then(hash::from_hex);
        if self.is_there(item, &to, known)? {
            self.say(News::Bytes(item.size_bytes));
            return Ok(());
        }
        let folder = to.parent().unwrap_or(&self.root);
        // The root itself is never made: see above.
        let made = self.disk.make_dirs(folder);
        made.map_err(|error| self.trouble(folder, &error))?;
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let temp = folder.join(format!(".{name}.part"));
        let result = self.copy(item, &temp, known);
        let result = result.and_then(|()| {
            let renamed = self.disk.rename(&temp, &to);
            renamed.map_err(|error| self.trouble(&to, &error))
        });
        if result.is_err() {
            // Best effort: the next attempt writes over it.
            let _ = self.disk.remove(&temp);
        }
        result?;
        match self.disk.sync_dir(folder) {
            // Some shares know no sync of a folder.
            Err(error) if error.raw_os_error() != Some(Errno::EINVAL as i32) => {
                Err(self.trouble(folder, &error))
            }
            _ => Ok(()),
        }
    }

    /// The temporary file holds the item's bytes, proved.
    fn copy(&self, item: &Item, temp: &Path, known: Option<Hash>) -> Result<(), Failure> {
        let failed = |error: io::Error| self.trouble(temp, &error);
        let file = self.disk.create(temp).map_err(failed)?;
        let sent = match &item.content {
            Content::Bytes(bytes) => {
                file.write_all_at(bytes, 0).map_err(failed)?;
                self.say(News::Bytes(item.size_bytes));
                hash::of_bytes(bytes)
            }
            Content::File(path) => self.pour(path, item.size_bytes, &file)?,
        };
        if known.is_some_and(|known| known != sent) {
            return Err(item.damaged());
        }
        file.sync().map_err(failed)?;
        let there = self.read_back(temp)?;
        if there != (item.size_bytes, sent) {
            return Err(Failure::failed(FolderUploadSentence::LosesData {
                path: temp.display().to_string(),
                there_bytes: there.0,
                wanted_bytes: item.size_bytes,
            }));
        }
        Ok(())
    }

    fn pour(&self, from: &Path, len: u64, to: &File) -> Result<Hash, Failure> {
        let source = fs::File::open(from).map_err(|error| unreadable(from, &error))?;
        let mut source = source.take(len);
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE.min(self.shared.limiter.piece().max(4 << 10))];
        let mut done: u64 = 0;
        loop {
            self.go_on()?;
            let read = source.read(&mut piece);
            let read = read.map_err(|error| unreadable(from, &error))?;
            if read == 0 {
                break;
            }
            let (limiter, clock) = (&self.shared.limiter, &*self.shared.clock);
            let permitted = limiter.take(read, clock, &self.stop);
            permitted.map_err(|_| Failure::Cancelled)?;
            let written = to.write_all_at(&piece[..read], done);
            written.map_err(|error| self.trouble(to.path(), &error))?;
            hasher.update(&piece[..read]);
            let bytes = u64::try_from(read).unwrap_or(u64::MAX);
            done += bytes;
            self.say(News::Bytes(bytes));
        }
        Ok(hasher.finalize().into())
    }

    /// Size and hash as they are on the disk.
    fn read_back(&self, path: &Path) -> Result<(u64, Hash), Failure> {
        let failed = |error: io::Error| self.trouble(path, &error);
        let file = self.disk.open_read(path).map_err(failed)?;
        // What the kernel still has in memory proves nothing. A file system that cannot forget
        // is read as it is.
        let reader = file.reader().map_err(failed)?;
        let _ = posix_fadvise(&reader, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        loop {
            self.go_on()?;
            let read = file.read_at(&mut piece, at).map_err(failed)?;
            if read == 0 {
                return Ok((at, hasher.finalize().into()));
            }
            hasher.update(&piece[..read]);
            at += u64::try_from(read).unwrap_or(u64::MAX);
        }
    }

    /// Whether an earlier attempt brought it there.
    fn is_there(&self, item: &Item, to: &Path, known: Option<Hash>) -> Result<bool, Failure> {
        match fs::metadata(to) {
            Ok(facts) if facts.len() == item.size_bytes => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.trouble(to, &error)),
        }
        let wanted = match (known, &item.content) {
            (Some(known), _) => known,
            (None, Content::Bytes(bytes)) => hash::of_bytes(bytes),
            (None, Content::File(path)) => {
                let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
                hash::of_range(path, &file, 0, item.size_bytes, || self.go_on())?
            }
        };
        Ok(self.read_back(to)? == (item.size_bytes, wanted))
    }

    /// What is wrong with the folder waits until it is mended.
    fn trouble(&self, at: &Path, error: &io::Error) -> Failure {
        let (root, path) = (self.root.display().to_string(), at.display().to_string());
        let text = error.to_string();
        Failure::unavailable(match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) if !self.root.exists() => {
                FolderUploadSentence::Missing { path: root }
            }
            Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => FolderUploadSentence::Full {
                path: root,
                free_bytes: Megabytes(self.disk.space(&self.root).map_or(0, |space| space.free)),
                error: text,
            },
            Some(Errno::EROFS) => FolderUploadSentence::ReadOnly { path: root },
            Some(Errno::EACCES | Errno::EPERM) => {
                FolderUploadSentence::Denied { path, error: text }
            }
            Some(Errno::ESTALE | Errno::EIO | Errno::ENODEV | Errno::ENXIO | Errno::EHOSTDOWN) => {
                FolderUploadSentence::WentAway { path, error: text }
            }
            _ => FolderUploadSentence::Failed { path, error: text },
        })
    }
}

/// Whether the folder is only what is there while nothing is mounted. `device` is its own,
/// `system` that of `/`, `seen` where it was before.
fn is_bare_mount_point(root: &Path, device: u64, system: u64, seen: Option<u64>) -> bool {
    let in_mount_place = MOUNT_PLACES.iter().any(|place| root.starts_with(place));
    let was_elsewhere = seen.is_some_and(|seen| seen != device);
    device == system && (in_mount_place || was_elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_mount_point_is_not_taken_for_the_disk_that_belongs_there() {
        let bare = |root: &str, device, seen| is_bare_mount_point(Path::new(root), device, 1, seen);
        assert!(bare("/mnt/nas/clips", 1, None));
        assert!(bare("/media/stick", 1, None));
        assert!(!bare("/mnt/nas/clips", 2, None));
        assert!(!bare("/srv/clips", 1, None));
        // It was on a disk of its own, and now is not.
        assert!(bare("/srv/clips", 1, Some(2)));
        // Another stick.
        assert!(!bare("/srv/clips", 3, Some(2)));
    }
}
