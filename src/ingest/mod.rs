//! RTSP cameras → rings. Never waits: not for disk, a reader, or a lock that
//! one of them can hold.
//!
//! Belongs here: the retina adapter, the reconnect policy, the stall watch, the
//! normaliser that gives each access unit its place in media time.
//! Not here: the ring itself (`ring`), what a window is (`highlight`), a
//! verdict on the cameras' health (`health`).
//!
//! Each camera is a task, many tasks share a thread with a runtime of its own:
//! `session` (retina) → `normalizer` (flags, epochs; `timeline`) → the ring.
//!
//! Limitations, each with a line in the log when it is met: H.264 streams that
//! only have recovery points (intra refresh) and never a key frame are not
//! stored; G.711 and all audio but AAC is left out.

mod camera;
mod error_text;
mod gop;
mod normalizer;
mod probe;
mod reconnect;
mod sentence;
mod session;
mod settings;
mod state;
mod timeline;
mod tracks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use retina::client::SessionGroup;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::base::{CameraId, Clock, Coded, Heartbeat, Sentence, Stop, StopLevel};
use crate::config::Camera;
use crate::ring::{RingError, RingOpened, RingReader, RingSpec, RingWriter};

use camera::Task;
use settings::POLITE;
use state::CameraShared;

pub use probe::{Probe, ProbeError, probe};
pub use sentence::{BufferSentence, CaptureSentence, RtspStep};
pub use settings::{Limits, Settings};
pub use state::{CameraState, ConnectionPhase};

/// Cameras of 4 Mbit/s that one thread feeds with room to spare.
const CAMERAS_PER_THREAD: usize = 120;
/// Between two beats of a thread that has nothing else to do.
const BEAT: Duration = Duration::from_secs(1);
/// Why ingest did not start. Names the fix.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("{camera}: cannot open its ring: {source}")]
    Ring { camera: CameraId, source: RingError },
    #[error("cannot start a thread for the cameras: {0}")]
    Thread(std::io::Error),
}

/// Running ingest. Dropping it does not stop it; raise the `Stop` or call [`Ingest::stop`].
#[derive(Debug)]
pub struct Ingest {
    shared: Vec<Arc<CameraShared>>,
    old_rings: Vec<(CameraId, RingReader)>,
    threads: Vec<JoinHandle<()>>,
    heartbeats: Vec<Arc<Heartbeat>>,
    ending: Arc<Ending>,
    clock: SharedClock,
}

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

/// `dyn Clock` has no `Debug`.
#[derive(Clone)]
struct SharedClock(Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("clock")
    }
}

/// Opens all rings, then starts the cameras on threads of their own. Ends when
/// `stop` reaches `Now` or [`Ingest::stop`] is called; `Finish` does not end it.
pub fn start(settings: Settings, clock: Arc<dyn Clock>, stop: Stop) -> Result<Ingest, IngestError> {
    start_with(settings, clock, stop, Limits::default())
}

/// [`start`] with other limits, for tests that cannot wait so long.
pub fn start_with(
    settings: Settings,
    clock: Arc<dyn Clock>,
    stop: Stop,
    limits: Limits,
) -> Result<Ingest, IngestError> {
    let count = thread_count(settings.cameras.len());
    let mut threads = (0..count)
        .map(IngestThread::new)
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(IngestError::Thread)?;
    let (mut old_rings, mut all_shared) = (Vec::new(), Vec::new());
    for (index, camera) in settings.cameras.iter().enumerate() {
        let (writer, found) = open_ring(&settings, camera)?;
        let shared = Arc::new(CameraShared::new(
            camera.id.clone(),
            say_ring(&camera.id, &found),
        ));
        if let RingOpened::Replaced { old: Some(old), .. } = found {
            old_rings.push((camera.id.clone(), old));
        }
        all_shared.push(shared.clone());
        let thread = &mut threads[index % count];
        let group = thread.group.clone();
        let task = Task::new(
            camera,
            writer,
            shared,
            &settings,
            clock.clone(),
            limits,
            group,
        );
        thread.tasks.push(task);
    }
    let ending = Arc::new(Ending {
        stop: stop.clone(),
        told: AtomicBool::new(false),
        wakes: threads.iter().map(|thread| thread.wake.clone()).collect(),
    });
    let waking = Arc::downgrade(&ending);
    stop.tell(move || waking.upgrade().iter().for_each(|ending| ending.wake()));
    let heartbeats = threads
        .iter()
        .map(|thread| thread.heartbeat.clone())
        .collect();
    let threads = start_threads(threads, &ending).map_err(IngestError::Thread)?;
    Ok(Ingest {
        shared: all_shared,
        old_rings,
        threads,
        heartbeats,
        ending,
        clock: SharedClock(clock),
    })
}

impl Ingest {
    /// A snapshot of every camera, in the order of the config.
    pub fn states(&self) -> Vec<CameraState> {
        let now_mono_ns = self.clock.0.mono_ns();
        self.shared
            .iter()
            .map(|shared| shared.snapshot(now_mono_ns))
            .collect()
    }

    /// Rings of the time before this start that could not be adopted and can
    /// still be read: pending presses are exported from them. Handed over: each is
    /// memory until nobody has it any more.
    pub fn take_old_rings(&mut self) -> Vec<(CameraId, RingReader)> {
        std::mem::take(&mut self.old_rings)
    }

    /// One for each thread of cameras: it beats while their tasks are got to.
    pub fn heartbeats(&self) -> &[Arc<Heartbeat>] {
        &self.heartbeats
    }

    /// Tells the cameras' threads to end; does not wait for them.
    pub fn stop(&self) {
        self.ending.tell();
    }

    /// Waits until all threads have ended.
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

fn open_ring(
    settings: &Settings,
    camera: &Camera,
) -> Result<(RingWriter, RingOpened), IngestError> {
    let spec = RingSpec::sized(
        &settings.ring.dir,
        camera.id.clone(),
        settings.boot_id,
        settings.ring.seconds,
        settings.ring.max_bitrate_bps,
    );
    RingWriter::open(&spec).map_err(|source| IngestError::Ring {
        camera: camera.id.clone(),
        source,
    })
}

/// Logs how the ring was found.
fn say_ring(camera: &CameraId, found: &RingOpened) -> Sentence {
    let (event, said) = match found {
        RingOpened::Created => ("buffer_created", BufferSentence::Created {}),
        RingOpened::Adopted { entries_held } => (
            "buffer_adopted",
            BufferSentence::Adopted {
                entries: *entries_held,
            },
        ),
        RingOpened::Replaced { why, .. } => (
            "buffer_replaced",
            BufferSentence::Replaced {
                why: why.to_string(),
            },
        ),
    };
    let id = camera.as_str();
    log::info!(target: "hindsight", event = event, camera = id; "{id}: ring {said}");
    said.sentence()
}

/// The cameras of one thread.
struct IngestThread {
    runtime: Runtime,
    wake: Arc<Notify>,
    group: Arc<SessionGroup>,
    heartbeat: Arc<Heartbeat>,
    tasks: Vec<Task>,
}

impl IngestThread {
    fn new(index: usize) -> std::io::Result<IngestThread> {
        Ok(IngestThread {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            wake: Arc::default(),
            group: Arc::new(SessionGroup::default()),
            heartbeat: Arc::new(Heartbeat::new(format!("ingest-{index}"))),
            tasks: Vec::new(),
        })
    }

    fn run(self, ending: &Ending) {
        let IngestThread {
            runtime,
            wake,
            group,
            heartbeat,
            tasks,
        } = self;
        runtime.block_on(async {
            let running: Vec<_> = tasks
                .into_iter()
                .map(|task| tokio::spawn(task.run()))
                .collect();
            while !ending.due() {
                heartbeat.beat();
                // Woken, or time for the next beat.
                let _ = tokio::time::timeout(BEAT, wake.notified()).await;
            }
            for task in &running {
                task.abort();
            }
            for task in running {
                let _ = task.await;
            }
            let _ = tokio::time::timeout(POLITE, group.await_teardown()).await;
        });
        // A name that is still being looked up must not hold us.
        runtime.shutdown_background();
    }
}

/// Starts all threads or none.
fn start_threads(
    threads: Vec<IngestThread>,
    ending: &Arc<Ending>,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let threads: std::io::Result<Vec<_>> = threads
        .into_iter()
        .enumerate()
        .map(|(index, thread)| {
            let ending = ending.clone();
            std::thread::Builder::new()
                .name(format!("ingest-{index}"))
                .spawn(move || thread.run(&ending))
        })
        .collect();
    if threads.is_err() {
        // Those already running would write for nobody.
        ending.tell();
    }
    threads
}
