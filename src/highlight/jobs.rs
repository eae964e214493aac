//! Presses and their jobs, as the room holds them in memory.
//!
//! Plain data. Not here: who is worked on when (`schedule`, `workers`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_channel::Receiver;

use super::journal::{CameraRecord, PressRecord};
use super::types::{ExportPhase, Outcome};
use crate::base::{BootId, Sentence};
use crate::cut::CutReport;
use crate::ring::RingReader;

/// Retired presses whose outcomes are still known to who waits for them.
const REMEMBERED: usize = 1000;

#[derive(Default)]
pub struct PressTable {
    /// Pending ones, and the last that were retired, in the order of taking.
    pub presses: Vec<PressState>,
    pub waiting: Vec<ExportJob>,
    /// Jobs at work.
    pub active: usize,
    /// Presses between their first look and their answer, also to their gesture.
    pub taking: usize,
    pub counts: PressCounts,
    /// Why the storage is not open.
    pub trouble: Option<Sentence>,
}

#[derive(Clone, Debug, Default)]
pub struct PressCounts {
    pub taken: u64,
    pub refused: u64,
    pub committed: u64,
    pub suspect: u64,
    pub none: u64,
    pub disk_errors: u64,
    pub last_disk_error: Option<Sentence>,
}

pub struct PressState {
    pub taken: Arc<PressRecord>,
    pub exports: Vec<ExportState>,
    pub retired: bool,
    /// Something of it was left to this run.
    pub of_earlier_run: bool,
}

pub struct ExportState {
    pub phase: ExportPhase,
    pub trouble: Option<Sentence>,
    pub outcome: Option<Outcome>,
    pub progress: Arc<ExportProgress>,
}

/// How far an export is, without a lock.
#[derive(Debug, Default)]
pub struct ExportProgress {
    written: AtomicU64,
    expected: AtomicU64,
}

impl ExportProgress {
    pub fn expect(&self, bytes: u64) {
        self.expected.store(bytes, Relaxed);
    }
    pub fn wrote(&self, bytes: u64) {
        self.written.store(bytes, Relaxed);
    }
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }
    /// Bytes that it will probably still write.
    pub fn rest(&self) -> u64 {
        self.expected.load(Relaxed).saturating_sub(self.written())
    }
}

/// A clip under its final name.
#[derive(Debug)]
pub struct NamedClip {
    pub report: CutReport,
    /// The difference where two readers disagree about it.
    pub suspect: Option<Sentence>,
    /// It stands under the name of a suspect one.
    pub named_suspect: bool,
    pub size_bytes: u64,
    /// The hash, if somebody is taking it already.
    pub hash: Option<Receiver<io::Result<String>>>,
}

/// What is left to do for one camera of a press.
pub enum JobStep {
    Export,
    /// The clip has its name; its directory is to be synced.
    Settle(Box<NamedClip>),
    /// The clip is committed; its sidecar is to be written.
    Describe(Box<NamedClip>),
    /// An earlier run committed the clip; the sidecar is to be made from it.
    Rebuild {
        suspect: bool,
    },
    /// There is no clip; the sidecar says why.
    Explain(Sentence),
}

pub struct ExportJob {
    pub taken: Arc<PressRecord>,
    /// Index into `taken.cameras`.
    pub camera: usize,
    /// As planned with; `None` for what an earlier run left.
    pub ring: Option<RingReader>,
    pub recovered: bool,
    pub progress: Arc<ExportProgress>,
    pub stage: JobStep,
    /// What the disk said when it refused last.
    pub trouble: Option<String>,
    /// It had no room.
    pub was_full: bool,
    /// Of this stage, one after the other.
    pub failures: u32,
    /// The unfinished file is to be thrown away.
    pub afresh: bool,
    pub not_before_mono_ns: u64,
    /// The gesture of its press may still give it another window.
    pub undecided: bool,
}

impl ExportJob {
    pub fn new(
        taken: Arc<PressRecord>,
        camera: usize,
        ring: Option<RingReader>,
        progress: Arc<ExportProgress>,
        stage: JobStep,
    ) -> ExportJob {
        ExportJob {
            taken,
            camera,
            recovered: ring.is_none(),
            ring,
            progress,
            stage,
            trouble: None,
            was_full: false,
            failures: 0,
            afresh: false,
            not_before_mono_ns: 0,
            undecided: false,
        }
    }

    pub fn about(&self) -> &CameraRecord {
        &self.taken.cameras[self.camera]
    }

    pub fn is_of_boot(&self, boot_id: BootId) -> bool {
        self.taken.press.boot_id == boot_id
    }
}

pub fn export_of<'a>(state: &'a mut PressTable, job: &ExportJob) -> Option<&'a mut ExportState> {
    let press = state
        .presses
        .iter_mut()
        .rev()
        .find(|press| Arc::ptr_eq(&press.taken, &job.taken))?;
    press.exports.get_mut(job.camera)
}

pub fn set_phase(
    state: &mut PressTable,
    job: &ExportJob,
    phase: ExportPhase,
    trouble: Option<Sentence>,
) {
    if let Some(export) = export_of(state, job) {
        export.phase = phase;
        export.trouble = trouble;
    }
}

pub fn forget_the_oldest(presses: &mut Vec<PressState>) {
    let retired = presses.iter().filter(|press| press.retired).count();
    if retired > REMEMBERED
        && let Some(oldest) = presses.iter().position(|press| press.retired)
    {
        presses.remove(oldest);
    }
}
