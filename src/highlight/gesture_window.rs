//! A press that was taken before its gesture was known gets the window that the
//! gesture gives it.
//!
//! Until then its exports wait; what is in the journal is the plain window, and that is
//! what holds if the decision does not come, comes too late or cannot be written down.
//!
//! Not here: gestures (`trigger`), the taking (`admission`).

use std::sync::Arc;

use super::engine::Engine;
use super::jobs::ExportJob;
use super::journal::{CameraRecord, NotDurable, PressRecord};
use super::source::witnesses;
use crate::base::{Press, PressId};
use crate::config;
use crate::cut::estimate;
use crate::cut::{self, NoFootage, Window};

/// Why a press keeps its plain window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecided {
    #[error("press {0} is not waiting for its gesture: its clips have begun with the plain window")]
    TooLate(PressId),
    #[error("{0}; the plain window holds")]
    NotDurable(#[from] NotDurable),
}

/// The exports of an undecided press, out of everybody's reach. Dropped, they begin.
struct PendingJobs<'a> {
    engine: &'a Arc<Engine>,
    taken: Arc<PressRecord>,
    /// One for each camera, in their order.
    jobs: Vec<ExportJob>,
}

impl Drop for PendingJobs<'_> {
    fn drop(&mut self) {
        let mut state = self.engine.state();
        state.taking -= 1;
        for mut job in self.jobs.drain(..) {
            (job.undecided, job.not_before_mono_ns) = (false, 0);
            state.waiting.push(job);
        }
        drop(state);
        self.engine.kick();
    }
}

impl Engine {
    pub fn decide(
        self: &Arc<Engine>,
        id: &PressId,
        window: config::PressWindow,
    ) -> Result<(), NotDecided> {
        let too_late = || NotDecided::TooLate(id.clone());
        let mut held = self.hold(id).ok_or_else(too_late)?;
        let plain = &held.taken.press;
        if (plain.pre_ms, plain.post_ms) == (window.pre_ms, window.post_ms) {
            return Ok(());
        }
        let store = self.store.get().ok_or_else(too_late)?;
        let (decided, bytes) = held.with(window);
        let decided = Arc::new(decided);
        store.journal.decide(decided.clone())?;
        held.replace(&decided, &bytes);
        Ok(())
    }

    /// Takes the exports of an undecided press; `None` if one of them has begun.
    fn hold(self: &Arc<Engine>, id: &PressId) -> Option<PendingJobs<'_>> {
        let mut state = self.state();
        let is_its = |job: &ExportJob| job.undecided && job.taken.press.id == *id;
        let taken = state.waiting.iter().find(|job| is_its(job))?.taken.clone();
        let waiting = state.waiting.iter().filter(|job| is_its(job)).count();
        if waiting < taken.cameras.len() {
            return None;
        }
        let (mut jobs, others): (Vec<ExportJob>, Vec<ExportJob>) =
            std::mem::take(&mut state.waiting)
                .into_iter()
                .partition(is_its);
        state.waiting = others;
        state.taking += 1;
        jobs.sort_by_key(|job| job.camera);
        Some(PendingJobs {
            engine: self,
            taken,
            jobs,
        })
    }
}

impl PendingJobs<'_> {
    /// The press with that window, and the bytes that each clip will need.
    fn with(&self, window: config::PressWindow) -> (PressRecord, Vec<u64>) {
        let press = Press {
            pre_ms: window.pre_ms,
            post_ms: window.post_ms,
            ..self.taken.press.clone()
        };
        let (cameras, bytes) = self.jobs.iter().map(|job| planned(job, window)).unzip();
        (PressRecord { press, cameras }, bytes)
    }

    fn replace(&mut self, decided: &Arc<PressRecord>, bytes: &[u64]) {
        for (job, bytes) in self.jobs.iter_mut().zip(bytes) {
            job.taken = decided.clone();
            job.progress.expect(*bytes);
        }
        let mut state = self.engine.state();
        let presses = state.presses.iter_mut().rev();
        let mut its = presses.filter(|press| Arc::ptr_eq(&press.taken, &self.taken));
        if let Some(press) = its.next() {
            press.taken = decided.clone();
        }
    }
}

/// One camera with another window. It was asked at the press, so it keeps what it has
/// where it has nothing for this one.
fn planned(job: &ExportJob, window: config::PressWindow) -> (CameraRecord, u64) {
    let camera = job.about();
    let wanted = Window {
        pre_ms: window.pre_ms,
        post_ms: window.post_ms,
        ..camera.plan.window
    };
    let ring = job.ring.as_ref().ok_or(NoFootage::Empty {});
    let planned = ring.and_then(|ring| Ok((ring, cut::plan(ring, &wanted)?)));
    match planned {
        Ok((ring, plan)) => {
            let expected = estimate(ring, plan.first_pos, plan.window.end_mono_ns());
            let camera = CameraRecord {
                witnesses: witnesses(ring, plan.first_pos),
                plan,
                ..camera.clone()
            };
            (camera, expected.bytes)
        }
        Err(why) => {
            log::warn!(
                target: "hindsight", event = "clip_window",
                camera = camera.id.as_str(), press = job.taken.press.id.as_str();
                "{}: {why}; its clip keeps the plain window", camera.id
            );
            (camera.clone(), job.progress.rest())
        }
    }
}
