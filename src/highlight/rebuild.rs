//! What an earlier attempt, or an earlier run, has brought to its final name: its sidecar as it
//! is, or one that is made from the clip.
//!
//! Not here: who asks (`steps`, `recover`), `verify`, which mends nothing.

use std::io::{self, ErrorKind};

use super::attempt::{ExportAttempt, StepError};
use super::embedded_report;
use super::jobs::NamedClip;
use super::journal::CameraRecord;
use super::sentence::ClipSentence;
use super::sidecar::Sidecar;
use super::store::OpenStorage;
use super::types::Outcome;
use crate::base::Coded;
use crate::base::quantity::ToFloat;
use crate::cut::{CutReport, Ended};
use crate::media::Codec;
use crate::mp4::{self, Inspected};
use crate::queue::sidecar::LARGEST_SIDECAR;
use crate::storage::HighlightPaths;

/// What became of one camera of a press, if its sidecar is there; durable on return:
/// who wrote it may have died, or failed, between its rename and the directory's sync.
pub fn its_sidecar(store: &OpenStorage, names: &HighlightPaths) -> io::Result<Option<Outcome>> {
    let bytes = match store.disk.read_file(&names.sidecar, LARGEST_SIDECAR) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidData) => {
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    // One that is damaged is written anew.
    let Ok(sidecar) = Sidecar::from_bytes(&bytes) else {
        return Ok(None);
    };
    store.disk.sync_dir(&names.folder)?;
    Ok(Some(Outcome::of(&sidecar, &names.folder, &names.sidecar)))
}

impl ExportAttempt<'_> {
    /// A committed clip whose sidecar was not written: from what it says about
    /// itself, else from its index.
    pub fn rebuild(&self, suspect: bool) -> Result<NamedClip, StepError> {
        let path = self.names.clip_as(suspect);
        let failed = |e: io::Error| StepError::disk("reading the finished clip", &e);
        let file = self.store.disk.open_read(path).map_err(failed)?;
        let size_bytes = file.len().map_err(failed)?;
        let mut reason = suspect.then(|| ClipSentence::DisagreementLost {}.sentence());
        let report = match embedded_report::extract(&file).map_err(failed)? {
            Some(report) => report,
            None => {
                let reader = io::BufReader::new(file.reader().map_err(failed)?);
                let seen = mp4::inspect(reader, size_bytes);
                seen.map(|seen| from_index(&seen, self.job.about()))
                    .unwrap_or_else(|error| {
                        let error = error.to_string();
                        reason = Some(ClipSentence::Unreadable { error }.sentence());
                        from_plan(self.job.about())
                    })
            }
        };
        Ok(NamedClip {
            report,
            // One that cannot be read keeps its name: it is committed.
            suspect: reason,
            named_suspect: suspect,
            size_bytes,
            hash: None,
        })
    }
}

/// What is certain of a clip of which nothing else is left.
fn from_plan(camera: &CameraRecord) -> CutReport {
    let plan = &camera.plan;
    let anchor = plan.mappings.first();
    CutReport {
        codec: Codec::H264,
        width: 0,
        height: 0,
        audio_codec: None,
        fps: 0.0,
        duration_sec: 0.0,
        pre_seconds: 0.0,
        post_seconds: 0.0,
        ended: Ended::Restart,
        gaps: Vec::new(),
        damaged: Vec::new(),
        certainty: plan.certainty,
        press_90k: plan.press_90k,
        anchor_90k: anchor.map_or(0, |m| m.anchor_90k),
        anchor_mono_ns: anchor.map_or(0, |m| m.anchor_mono_ns),
        alignment: None,
        epochs: Vec::new(),
        notes: vec![ClipSentence::GapsUnknown {}.sentence()],
        end_of_window_mono_ns: None,
        first_frame_mono_ns: 0,
        frames_shown: 0,
    }
}

fn from_index(seen: &Inspected, camera: &CameraRecord) -> CutReport {
    let video = seen.tracks.first();
    let entry = video.and_then(|track| track.entries.first());
    let shown = video.map_or(0, |track| track.shown().count());
    let duration_sec = seen.duration_90k.to_float() / 90_000.0;
    let pre_sec = (camera.plan.window.pre_ms.to_float() / 1000.0).min(duration_sec);
    let audio = seen.tracks.get(1).and_then(|track| track.entries.first());
    CutReport {
        codec: entry.map_or(Codec::H264, |e| e.codec),
        width: entry.map_or(0, |e| e.width),
        height: entry.map_or(0, |e| e.height),
        audio_codec: audio.map(|e| e.codec),
        fps: shown.to_float() / duration_sec.max(0.001),
        duration_sec,
        pre_seconds: pre_sec,
        post_seconds: duration_sec - pre_sec,
        frames_shown: shown as u64,
        ..from_plan(camera)
    }
}
