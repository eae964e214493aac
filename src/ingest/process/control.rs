//! What the thread of the cameras' processes shares with those who ask and stop it.
//!
//! Not here: what that thread does (`supervisor`).

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crate::base::{Stop, StopLevel, lock};

/// How cameras are spread over processes.
#[derive(Clone, Debug)]
pub struct ReaderProcesses {
    /// This program.
    pub program: PathBuf,
    /// That cameras share, where there are more than eight.
    pub count: usize,
    /// Of all of them together.
    pub memory_bytes: u64,
}

impl ReaderProcesses {
    /// What one may have before it ends itself: what a large picture takes, several times.
    const ONE_BYTES: u64 = 64_000_000;

    pub(super) fn one_bytes(&self) -> u64 {
        Self::ONE_BYTES.min(self.memory_bytes)
    }
}

/// Pids of the processes that read cameras now. Nothing that they ask for elsewhere is to be given to them.
#[derive(Clone, Debug, Default)]
pub struct ReaderPids(Arc<Mutex<BTreeSet<i32>>>);

impl ReaderPids {
    pub fn contains(&self, pid: i32) -> bool {
        lock(&self.0).contains(&pid)
    }

    pub(super) fn begun(&self, pid: i32) {
        lock(&self.0).insert(pid);
    }

    pub(super) fn ended(&self, pid: i32) {
        lock(&self.0).remove(&pid);
    }

    pub fn all(&self) -> Vec<i32> {
        lock(&self.0).iter().copied().collect()
    }
}

/// How the thread is told to end.
#[derive(Debug)]
pub struct Control {
    pub stop: Stop,
    pub told: AtomicBool,
    pub wake: UnixStream,
}

impl Control {
    /// It is to end, whatever the stop says.
    pub fn tell(&self) {
        self.told.store(true, SeqCst);
        self.wake();
    }

    pub fn wake(&self) {
        // A full pipe wakes it as well.
        let _ = (&self.wake).write(&[0]);
    }

    /// It is to end.
    pub fn due(&self) -> bool {
        self.stop.level() >= StopLevel::Now || self.told.load(SeqCst)
    }
}
