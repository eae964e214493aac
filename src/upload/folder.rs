//! Into a folder: a mounted disk or share.
//!
//! The folder must exist, and be mounted where it should be: what is copied into an empty
//! mount point fills the box's own disk and vanishes at the next mount. It counts as not
//! mounted if `/etc/fstab` promises a mount that is missing, or if it lies on the system's
//! own disk although it stands below `/mnt`, `/media` or `/run/media`, or was on another disk
//! before.
//!
//! A file is copied under a hidden name, synced, read back from the disk, and renamed: under
//! its own name it is whole. Shares can hang the thread that asks them anything, for ever: a
//! thread of its own does it (`folder/copy.rs`), and is left behind if it does not come back.
//! Whatever is wrong with a folder waits: once it is mended, all goes on by itself.

mod copy;
mod failure;
mod probe;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::attempt::{Adapter, Attempt};
use super::sentence::FolderUploadSentence;
use crate::base::lock;
use crate::config::FolderTarget;
use crate::disk::Disk;
use crate::queue::work::{Failure, Uploaded};
use copy::{Copier, News};
use failure::silent;

/// How long a share may be silent before it counts as gone.
const SILENT: Duration = Duration::from_secs(60);
/// How often the stop signal is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long the copy is waited for when told to stop.
const GRACE: Duration = Duration::from_millis(1_500);

pub struct FolderAdapter {
    root: PathBuf,
    disk: Disk,
    /// Device it was on when it was last seen mounted.
    seen: Arc<Mutex<Option<u64>>>,
    /// Threads that hang in the kernel.
    left: Mutex<Vec<JoinHandle<()>>>,
}

impl FolderAdapter {
    pub fn new(target: &FolderTarget) -> FolderAdapter {
        FolderAdapter::with_disk(target, Disk::default())
    }

    /// One whose disk may be struck by faults.
    pub fn with_disk(target: &FolderTarget, disk: Disk) -> FolderAdapter {
        FolderAdapter {
            root: target.path.clone(),
            disk,
            seen: Arc::default(),
            left: Mutex::default(),
        }
    }

    fn left(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        lock(&self.left)
    }

    /// Hears of the copy until it is done (`Ok`), or goes away from it (`Err`).
    fn listen(
        &self,
        attempt: &Attempt<'_>,
        news: &Receiver<News>,
    ) -> Result<Result<(), Failure>, Failure> {
        let flow = &attempt.flow;
        let mut heard = Instant::now();
        let mut told_to_stop: Option<Instant> = None;
        loop {
            match news.recv_timeout(LOOK) {
                Ok(News::Bytes(bytes)) => flow.add(bytes),
                Ok(News::Alive) => {}
                Ok(News::Done(result)) => return Ok(result),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::unavailable(FolderUploadSentence::ThreadEnded {}));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if flow.leave().is_err() {
                        let since = told_to_stop.get_or_insert_with(Instant::now);
                        if since.elapsed() >= GRACE {
                            return Err(Failure::Cancelled);
                        }
                    }
                    if heard.elapsed() >= SILENT {
                        return Err(silent(&self.root));
                    }
                    continue;
                }
            }
            heard = Instant::now();
        }
    }
}

impl Adapter for FolderAdapter {
    fn send(&self, attempt: &Attempt<'_>) -> Result<Uploaded, Failure> {
        {
            let mut left = self.left();
            left.retain(|thread| !thread.is_finished());
            if !left.is_empty() {
                return Err(silent(&self.root));
            }
        }
        let (tell, told) = channel();
        let copier = Copier {
            root: self.root.clone(),
            disk: self.disk.clone(),
            seen: Arc::clone(&self.seen),
            items: attempt.bundle.items.clone(),
            shared: Arc::clone(attempt.shared),
            stop: attempt.flow.stop().clone(),
            tell,
        };
        let thread = std::thread::Builder::new().name("upload-folder".to_owned());
        let thread = thread.spawn(move || copier.run());
        let thread = thread.map_err(|error| {
            Failure::unavailable(FolderUploadSentence::NoThread {
                error: error.to_string(),
            })
        })?;
        match self.listen(attempt, &told) {
            Ok(result) => {
                // It has said its last word.
                let _ = thread.join();
                result?;
            }
            Err(failure) => {
                self.left().push(thread);
                return Err(failure);
            }
        }
        let place = self.root.join(attempt.bundle.place());
        Ok(Uploaded {
            place: place.to_string_lossy().into_owned(),
        })
    }
}
