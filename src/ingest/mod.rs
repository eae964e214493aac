//! RTSP cameras → rings. Never waits: not for disk, a reader, or a lock that
//! one of them can hold.
//!
//! Belongs here: the retina adapter, the reconnect policy, the stall watch, the
//! normaliser that gives each access unit its place in media time.
//! Not here: the ring itself (`ring`), what a window is (`highlight`), a
//! verdict on the cameras' health (`health`).
//!
//! Each camera is a task: `dial` (`relay`, where retina does not take what the camera says), `session` (retina) → `depacketize` (packets → access units) → `normalizer` (flags, epochs; `timeline`) → the ring. Tasks
//! share a thread with a runtime of its own (`runner`); that thread is, for the service, in a process of
//! its own that has locked itself in (`child`), which `process` starts and watches over.
//!
//! Limitations, each with a line in the log when it is met: H.264 streams that
//! only have recovery points (intra refresh) and never a key frame are not
//! stored; sound in other codings than AAC, G.711 and L16 is left out.

mod camera;
mod child;
mod depacketize;
mod dial;
mod error;
mod error_text;
mod gop;
mod normalizer;
mod probe;
mod process;
mod reach;
mod reconnect;
mod relay;
mod runner;
mod sdp;
mod sentence;
mod session;
mod settings;
mod stall;
mod state;
mod threads;
mod timeline;
mod tracks;

use std::sync::Arc;

use crate::base::{CameraId, Clock, Heartbeat, Stop};
use crate::ring::RingReader;

use process::Supervised;
use state::CameraShared;
use threads::Threads;

pub use child::{ReaderError, run as read_for_service};
pub use error::IngestError;
pub use probe::{Probe, ProbeError, probe};
pub use process::{ReaderPids, ReaderProcesses};
pub use sentence::{BufferSentence, CaptureSentence, PacketSentence, QuirkSentence, RtspStep};
pub use settings::{Limits, Settings};
pub use state::{CameraState, ConnectionPhase};

/// Running ingest. Dropping it does not stop it; raise the `Stop` or call [`Ingest::stop`].
#[derive(Debug)]
pub struct Ingest {
    shared: Vec<Arc<CameraShared>>,
    old_rings: Vec<(CameraId, RingReader)>,
    readers: Readers,
    clock: SharedClock,
}

/// Who reads the cameras.
#[derive(Debug)]
enum Readers {
    Threads(Threads),
    Processes(Supervised),
}

/// `dyn Clock` has no `Debug`.
#[derive(Clone)]
struct SharedClock(Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("clock")
    }
}

/// Opens all rings, then starts the cameras on threads of this process. Ends when
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
    let (threads, (shared, old_rings)) = Threads::start(&settings, &clock, &stop, limits)?;
    Ok(Ingest {
        shared,
        old_rings,
        readers: Readers::Threads(threads),
        clock: SharedClock(clock),
    })
}

/// The same in processes of their own, which is the service's way: whatever a camera sends, it harms
/// at most the process that reads it.
pub fn start_in_processes(
    settings: Settings,
    processes: ReaderProcesses,
    clock: Arc<dyn Clock>,
    stop: Stop,
    limits: Limits,
) -> Result<Ingest, IngestError> {
    let (supervised, old_rings) =
        Supervised::start(settings, processes, clock.clone(), &stop, limits)?;
    Ok(Ingest {
        shared: supervised.shared.clone(),
        old_rings,
        readers: Readers::Processes(supervised),
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

    /// The loops that must turn: threads of cameras, or the one that watches over their processes.
    pub fn heartbeats(&self) -> &[Arc<Heartbeat>] {
        match &self.readers {
            Readers::Threads(threads) => &threads.heartbeats,
            Readers::Processes(supervised) => &supervised.heartbeats,
        }
    }

    /// The processes that read cameras; none where threads do.
    pub fn reader_pids(&self) -> ReaderPids {
        match &self.readers {
            Readers::Threads(_) => ReaderPids::default(),
            Readers::Processes(supervised) => supervised.pids.clone(),
        }
    }

    /// Tells the readers to end; does not wait for them.
    pub fn stop(&self) {
        match &self.readers {
            Readers::Threads(threads) => threads.stop(),
            Readers::Processes(supervised) => supervised.stop(),
        }
    }

    /// Waits until all readers have ended.
    pub fn join(self) {
        match self.readers {
            Readers::Threads(threads) => threads.join(),
            Readers::Processes(supervised) => supervised.join(),
        }
    }
}
