//! A loop that turns says so: who watches over the process can tell a loop that turns from
//! one that stands.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// The beats of one loop. A beat costs two stores and no lock.
#[derive(Debug)]
pub struct Heartbeat {
    name: String,
    beats: AtomicU64,
    /// The kernel's number of the thread that beats; 0: it has not begun.
    thread: AtomicI32,
}

impl Heartbeat {
    pub fn new(name: impl Into<String>) -> Heartbeat {
        Heartbeat {
            name: name.into(),
            beats: AtomicU64::new(0),
            thread: AtomicI32::new(0),
        }
    }

    /// The loop has turned. Always from the same thread.
    pub fn beat(&self) {
        if self.thread.load(Relaxed) == 0 {
            self.thread.store(nix::unistd::gettid().as_raw(), Relaxed);
        }
        self.beats.fetch_add(1, Relaxed);
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn beats(&self) -> u64 {
        self.beats.load(Relaxed)
    }

    /// The thread's number, as in `/proc/self/task`.
    pub fn thread(&self) -> Option<i32> {
        Some(self.thread.load(Relaxed)).filter(|thread| *thread != 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pulse_knows_its_beats_and_its_thread() {
        let heartbeat = Heartbeat::new("ingest-0");
        assert_eq!((heartbeat.beats(), heartbeat.thread()), (0, None));
        heartbeat.beat();
        heartbeat.beat();
        assert_eq!((heartbeat.name(), heartbeat.beats()), ("ingest-0", 2));
        let task = format!("/proc/self/task/{}", heartbeat.thread().unwrap());
        assert!(std::path::Path::new(&task).exists());
    }
}
