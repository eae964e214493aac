//! Cameras on threads of this process: for tests, and for a look at one's own cameras.
//!
//! Not here: the way of the service, which reads them in processes of their own (`process`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::{CameraId, Clock, Heartbeat, Stop, StopLevel};
use crate::ring::{RingOpened, RingReader};

use super::error::IngestError;
use super::reach::Names;
use super::runner::Runner;
use super::settings::{Limits, Settings};
use super::state::CameraShared;

/// Cameras of 4 Mbit/s that one thread feeds with room to spare.
const CAMERAS_PER_THREAD: usize = 120;
/// Between two beats of a thread that has nothing else to do.
const BEAT: Duration = Duration::from_secs(1);

/// The threads.
#[derive(Debug)]
pub(super) struct Threads {
    threads: Vec<JoinHandle<()>>,
    pub heartbeats: Vec<Arc<Heartbeat>>,
    ending: Arc<Ending>,
}

/// What was found, camera by camera.
pub(super) type RingsFound = (Vec<Arc<CameraShared>>, Vec<(CameraId, RingReader)>);

/// Tells the threads that they are to end.
#[derive(Debug, Default)]
struct Ending {
    stop: Stop,
    told: AtomicBool,
    /// One for each thread.
    wakes: Vec<Arc<Notify>>,
}

impl Ending {
    fn tell(&self) {
        self.told.store(true, SeqCst);
        self.wake();
    }

    fn wake(&self) {
        self.wakes.iter().for_each(|wake| wake.notify_one());
    }

    fn due(&self) -> bool {
        self.stop.level() >= StopLevel::Now || self.told.load(SeqCst)
    }
}

impl Threads {
    /// Opens all rings, then starts the threads: all or none.
    pub fn start(
        settings: &Settings,
        clock: &Arc<dyn Clock>,
        stop: &Stop,
        limits: Limits,
    ) -> Result<(Threads, RingsFound), IngestError> {
        let count = thread_count(settings.cameras.len());
        let threads: std::io::Result<Vec<Runner>> = (0..count).map(|_| Runner::new()).collect();
        let mut threads = threads.map_err(IngestError::Thread)?;
        let (mut all_shared, mut old_rings) = (Vec::new(), Vec::new());
        for (index, camera) in settings.cameras.iter().enumerate() {
            let added =
                threads[index % count].add(camera, settings, limits, clock, Names::OfTheSystem);
            let (shared, found) = added.map_err(|source| IngestError::Ring {
                camera: camera.id.clone(),
                source,
            })?;
            if let RingOpened::Replaced { old: Some(old), .. } = found {
                old_rings.push((camera.id.clone(), old));
            }
            all_shared.push(shared);
        }
        let ending = Arc::new(Ending {
            stop: stop.clone(),
            told: AtomicBool::new(false),
            wakes: threads.iter().map(|_| Arc::default()).collect(),
        });
        let waking = Arc::downgrade(&ending);
        stop.tell(move || waking.upgrade().iter().for_each(|ending| ending.wake()));
        let heartbeats = (0..count).map(|n| Arc::new(Heartbeat::new(format!("ingest-{n}"))));
        let heartbeats: Vec<_> = heartbeats.collect();
        let threads = start_threads(threads, &heartbeats, &ending).map_err(IngestError::Thread)?;
        let threads = Threads {
            threads,
            heartbeats,
            ending,
        };
        Ok((threads, (all_shared, old_rings)))
    }

    /// Tells them to end; does not wait for them.
    pub fn stop(&self) {
        self.ending.tell();
    }

    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!(target: "hindsight", event = "error_ingest_thread"; "a thread of cameras ended by a fault in this program");
            }
        }
    }
}

fn thread_count(cameras: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cameras.div_ceil(CAMERAS_PER_THREAD).clamp(1, cores)
}

/// Starts all threads or none.
fn start_threads(
    threads: Vec<Runner>,
    heartbeats: &[Arc<Heartbeat>],
    ending: &Arc<Ending>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let each = threads.into_iter().zip(heartbeats).zip(&ending.wakes);
    let threads: std::io::Result<Vec<_>> = each
        .map(|((runner, heartbeat), wake)| {
            let (heartbeat, wake, ending) = (heartbeat.clone(), wake.clone(), ending.clone());
            let name = heartbeat.name().to_owned();
            let until = async move {
                while !ending.due() {
                    heartbeat.beat();
                    // Woken, or time for the next beat.
                    let _ = tokio::time::timeout(BEAT, wake.notified()).await;
                }
            };
            std::thread::Builder::new()
                .name(name)
                .spawn(move || runner.run(|_, reading| reading, until))
        })
        .collect();
    if threads.is_err() {
        // Those already running would write for nobody.
        ending.tell();
    }
    threads
}
