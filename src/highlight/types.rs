//! What the room is started with, and what it tells others.
//!
//! Not here: what it tells as it happens (`events`), its own state (`jobs`).

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Serialize;

use super::journal::JournalFault;
use crate::base::{BootId, CameraId, Press, PressId, Sentence};
use crate::cut::Ended;
use crate::disk::Disk;
use crate::queue::Inbox;
use crate::queue::sidecar::{Sidecar, Status as SidecarStatus};
use crate::ring::RingReader;

/// What the room must know of a camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraSettings {
    pub id: CameraId,
    pub name: String,
    /// What people call the place it looks at.
    pub court: String,
    /// How much later than reality its picture arrives.
    pub latency_ms: u64,
}

/// What the room is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[storage] path`; `highlights/`, `tmp/` and the journal are below it.
    pub storage: PathBuf,
    pub ring_dir: PathBuf,
    /// Of the venue: for folders and `created_at`.
    pub timezone: TimeZone,
    pub cameras: Vec<CameraSettings>,
    pub boot_id: BootId,
    /// How long open windows may run on after the first signal to stop.
    pub stop_grace_ms: u64,
    /// Rings that were replaced at this start; pending presses are exported from
    /// them. Let go, and their memory with them, when no press needs them any more.
    pub old_rings: Vec<(CameraId, RingReader)>,
    /// Where fewer bytes are free, presses are refused, so that there is room to finish
    /// what there is.
    pub reserve_bytes: u64,
    /// Told of every sidecar that is written.
    pub queue: Option<Inbox>,
}

/// Why the room cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{path}: {what}: {source}")]
    Io {
        path: PathBuf,
        what: &'static str,
        source: std::io::Error,
    },
    #[error(
        "{path} is in use by another hindsight: only one service may write to a storage; stop the other, or give this one another [storage] path"
    )]
    Locked { path: PathBuf },
    #[error("{path} cannot be read as a journal of presses: {why}")]
    Journal { path: PathBuf, why: JournalFault },
}

/// What became of one camera of a press.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub press_id: PressId,
    pub camera_id: CameraId,
    pub status: SidecarStatus,
    pub ended: Option<Ended>,
    /// Absolute; `None` without clip.
    pub clip: Option<PathBuf>,
    /// Absolute.
    pub sidecar: PathBuf,
    /// With `suspect` and `none`.
    pub reason: Option<String>,
    /// The same with its code; of an old sidecar without.
    #[serde(skip)]
    pub reason_sentence: Option<Sentence>,
    /// As played; 0 without clip.
    pub duration_ms: u64,
    pub size_bytes: u64,
}

impl Outcome {
    /// What a sidecar says, for those who wait.
    pub fn of(sidecar: &Sidecar, folder: &Path, path: &Path) -> Outcome {
        Outcome {
            press_id: sidecar.press_id.clone(),
            camera_id: sidecar.camera.id.clone(),
            status: sidecar.status,
            ended: sidecar.ended,
            clip: sidecar
                .file_name
                .as_ref()
                .filter(|_| sidecar.removed.is_none())
                .map(|name| folder.join(name)),
            sidecar: path.to_owned(),
            reason: sidecar.reason.clone(),
            reason_sentence: sidecar.reason_sentence(),
            duration_ms: sidecar
                .meta
                .as_ref()
                .map_or(0, |meta| milliseconds(meta.duration_sec)),
            size_bytes: sidecar.size_bytes.unwrap_or(0),
        }
    }
}

/// How far one camera of a pending press is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportPhase {
    /// For one of the places among those who write.
    Waiting,
    /// Its window runs, or its data is being written.
    Writing,
    /// Index, sync, rename, hash, sidecar.
    Closing,
    /// The disk refused; tried again.
    Retrying,
    /// It has its sidecar.
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PendingExport {
    pub camera_id: CameraId,
    pub phase: ExportPhase,
    pub written_bytes: u64,
    /// Milliseconds until its window has ended; 0 where it has.
    pub window_ends_in_ms: u64,
    /// With `Retrying`: what the disk said.
    pub trouble: Option<Sentence>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PendingPress {
    pub press: Press,
    pub exports: Vec<PendingExport>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StorageState {
    pub path: PathBuf,
    /// `None`: it is there and can be written.
    pub trouble: Option<Sentence>,
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// A snapshot for status and health.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    pub storage: StorageState,
    /// Acknowledged presses that are not retired, oldest first.
    pub pending: Vec<PendingPress>,
    /// Since this start.
    pub presses_taken: u64,
    pub presses_refused: u64,
    pub clips_committed: u64,
    pub clips_suspect: u64,
    pub clips_none: u64,
    /// Errors of the disk since this start.
    pub disk_errors: u64,
    pub last_disk_error: Option<Sentence>,
}

/// A highlight on the disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedHighlight {
    /// Below `highlights/`, with `/`; `None` without clip.
    pub clip: Option<String>,
    /// Below `highlights/`, with `/`.
    pub sidecar_file: String,
    pub sidecar: Sidecar,
}

/// What tests set otherwise than the service.
#[derive(Clone)]
pub struct Tuning {
    pub disk: Disk,
    /// Bytes kept free for a clip's index, instead of what the worst case needs.
    pub reserve: Option<u64>,
    /// Exports that write at once.
    pub writers: usize,
    /// Bytes of a clip's data written at once.
    pub block_bytes: usize,
    /// Between two syncs of a clip while its window runs.
    pub sync_every_ns: u64,
    /// An export waits so long for the gesture of its press, then it begins with the plain window.
    pub undecided_ns: u64,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning {
            disk: Disk::default(),
            reserve: None,
            writers: 16,
            block_bytes: 1 << 20,
            sync_every_ns: 1_000_000_000,
            undecided_ns: 3_000_000_000,
        }
    }
}

/// A clip's length as shown to people.
pub fn milliseconds(seconds: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(seconds)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0))
}
