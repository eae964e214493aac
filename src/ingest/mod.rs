//! RTSP cameras → rings. Never waits: not for disk, a reader, or a lock that
//! one of them can hold.
//!
//! Belongs here: the retina adapter, the reconnect policy, the stall watch, the
//! normaliser that gives each access unit its place in media time.
//! Not here: the ring itself (`ring`), what a window is (`highlight`), a
//! verdict on the cameras' health (`health`).
//! Called by: app.

mod probe;
mod state;

use std::sync::Arc;

use crate::base::{BootId, CameraId, Clock, Stop};
use crate::config::checked::{Camera, Reconnect, RingSettings};
use crate::ring::{RingError, RingReader};

pub use probe::{Probe, ProbeError, probe};
pub use state::{CameraState, Phase};

/// All that ingest needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cameras: Vec<Camera>,
    pub ring: RingSettings,
    pub reconnect: Reconnect,
    /// pre + post of the longest usual window: what a ring must hold and a bit.
    pub window_ms: u64,
    pub boot_id: BootId,
}

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
pub struct Ingest {}

/// Opens all rings, then starts the cameras on threads of their own. Ends when
/// `stop` reaches `Now` or [`Ingest::stop`] is called; `Finish` does not end it.
pub fn start(settings: Settings, clock: Arc<dyn Clock>, stop: Stop) -> Result<Ingest, IngestError> {
    let _ = (settings, clock, stop);
    todo!()
}

impl Ingest {
    /// A snapshot of every camera, in the order of the config.
    pub fn states(&self) -> Vec<CameraState> {
        todo!()
    }

    /// Rings of the time before this start that could not be adopted and can
    /// still be read: pending presses are exported from them.
    pub fn old_rings(&self) -> Vec<(CameraId, RingReader)> {
        todo!()
    }

    /// Tells the cameras' threads to end; does not wait for them.
    pub fn stop(&self) {
        todo!()
    }

    /// Waits until all threads have ended.
    pub fn join(self) {
        todo!()
    }
}
