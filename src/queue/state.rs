//! The jobs as the queue holds them in memory, and who is taken when.
//!
//! A lane is what work is done in: finishing (lane 0), and each upload target. What is
//! finished for good is kept in a few bytes, for retention.
//!
//! No lock, no clock, no files.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use jiff::Timestamp;

use super::machine::{JobRules, NextStep, Rest, next};
use super::order::{self, ReadyJob};
use super::retention::Kept;
use super::scan::ScannedHighlight;
use super::sidecar::{Sidecar, Stage, Status, UploadStatus};
use crate::base::{Backoff, BootId, CameraId, PressId, Sentence, Wall};

/// Longest that is waited because somebody else asked for it.
const LONGEST_ASKED_MS: u64 = 3_600_000;

/// What a job's turn came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    Done,
    /// Tried and gone wrong: tried again after a while.
    Again,
    /// Nobody was there: the whole lane waits.
    Unavailable {
        why: Sentence,
        asked_ms: Option<u64>,
    },
    /// By the house's own rules.
    Deferred {
        why: Sentence,
        again_in_ms: u64,
    },
    Cancelled,
}

/// The times at which something is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub mono_ns: u64,
    pub wall: Wall,
    pub boot_id: BootId,
}

impl Now {
    fn mono(&self) -> i64 {
        i64::try_from(self.mono_ns).unwrap_or(i64::MAX)
    }
}

/// When a job may have its next turn in a lane.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    turns: u32,
    not_before_mono_ns: u64,
}

/// How far a turn is, in permille.
pub type TurnProgress = Arc<AtomicU16>;

/// Something is still to be done with it, or it was given up.
#[derive(Debug)]
pub struct TrackedJob {
    pub press: PressId,
    pub camera: CameraId,
    pub born_mono_ns: i64,
    pub kept: Kept,
    pub view: View,
    /// Lanes in which it is to be worked on.
    wants: Vec<usize>,
    due: Vec<Due>,
    /// Lanes in which it is being worked on.
    busy: Vec<(usize, TurnProgress, u64)>,
}

/// What people see of it.
#[derive(Clone, Debug)]
pub struct View {
    pub status: Status,
    pub stage: Option<Stage>,
    pub attempts: u32,
    pub last_error: Option<Arc<Sentence>>,
    pub updated_at: Option<String>,
    pub uploads: Vec<UploadView>,
}

#[derive(Clone, Debug)]
pub struct UploadView {
    pub target: String,
    pub status: UploadStatus,
    pub attempts: u32,
    pub last_error: Option<Arc<Sentence>>,
}

/// Finishing, or a target.
#[derive(Debug, Default)]
pub struct LaneState {
    /// Failures in a row that were nobody's.
    waits: u32,
    not_before_mono_ns: u64,
    /// Somebody said when: nobody goes before.
    told: bool,
    /// Since when it waits, and why.
    pub held: Option<LaneHold>,
    slot: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneHold {
    pub since_mono_ns: u64,
    pub why: Sentence,
    /// By the house's own rules: nothing is wrong.
    pub calm: bool,
}

/// A job that got its turn.
#[derive(Clone, Debug)]
pub struct ClaimedJob {
    pub path: PathBuf,
    pub press: PressId,
    pub camera: CameraId,
    pub progress: TurnProgress,
}

#[derive(Debug)]
pub struct JobTable {
    pub jobs: BTreeMap<PathBuf, TrackedJob>,
    /// Of which nothing more will become.
    pub resting: HashMap<Box<Path>, Kept>,
    pub lanes: Vec<LaneState>,
    /// Everything that was there at the start is known.
    pub ready: bool,
    rules: JobRules,
    backoff: Backoff,
    random: fastrand::Rng,
}

impl JobTable {
    pub fn new(rules: JobRules, backoff: Backoff, seed: u64) -> JobTable {
        JobTable {
            jobs: BTreeMap::new(),
            resting: HashMap::new(),
            lanes: (0..=rules.targets.len())
                .map(|_| LaneState::default())
                .collect(),
            ready: false,
            rules,
            backoff,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// A highlight as it was found on the disk; true if it is to be settled or removed first.
    pub fn know(&mut self, seen: &ScannedHighlight, now: &Now) -> bool {
        let sidecar = &seen.sidecar;
        let wanted = next(sidecar, &self.rules);
        let rest = match &wanted {
            NextStep::Rest(rest) => Some(*rest),
            _ => None,
        };
        let kept = Kept {
            rest,
            pressed_unix_ms: believable_ms(&sidecar.created_at),
            changed_unix_ms: sidecar.updated_at.as_deref().and_then(believable_ms),
            bytes: seen.bytes,
        };
        let busy = self
            .jobs
            .get(&seen.path)
            .is_some_and(|job| !job.busy.is_empty());
        if at_rest(&kept) && !busy {
            self.jobs.remove(&seen.path);
            self.resting.insert(seen.path.as_path().into(), kept);
            return false;
        }
        self.resting.remove(seen.path.as_path());
        let wants = self.lanes_of(&wanted);
        let lanes = self.lanes.len();
        let job = self
            .jobs
            .entry(seen.path.clone())
            .or_insert_with(|| TrackedJob {
                press: sidecar.press_id.clone(),
                camera: sidecar.camera.id.clone(),
                born_mono_ns: born(sidecar, now),
                kept,
                view: View::of(sidecar),
                wants: Vec::new(),
                due: vec![Due::default(); lanes],
                busy: Vec::new(),
            });
        job.kept = kept;
        job.view = View::of(sidecar);
        job.wants = wants;
        matches!(wanted, NextStep::Settle | NextStep::Remove)
    }

    fn lanes_of(&self, next: &NextStep) -> Vec<usize> {
        match next {
            NextStep::Finish => vec![0],
            NextStep::Upload(targets) => {
                let at = |id: &String| self.rules.targets.iter().position(|t| t == id);
                targets.iter().filter_map(at).map(|at| at + 1).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What people see of a job at which somebody is at work.
    pub fn show(&mut self, path: &Path, sidecar: &Sidecar) {
        if let Some(job) = self.jobs.get_mut(path) {
            job.view = View::of(sidecar);
        }
    }

    /// It is not there any more.
    pub fn forget(&mut self, path: &Path) {
        self.jobs.remove(path);
        self.resting.remove(path);
    }

    /// The next one for a lane; it is being worked on from now on.
    pub fn take(&mut self, lane: usize, now_mono_ns: u64) -> Option<ClaimedJob> {
        if !self.ready {
            return None;
        }
        let jobs = self.jobs.values().enumerate();
        let ready = jobs.filter(|(_, job)| self.due(job, lane, now_mono_ns) == Some(0));
        let ready = ready.map(|(key, job)| ReadyJob {
            born_mono_ns: job.born_mono_ns,
            label_ms: job.kept.pressed_unix_ms.unwrap_or(0),
            key,
        });
        let mono = i64::try_from(now_mono_ns).unwrap_or(i64::MAX);
        let chosen = order::next(ready, mono, self.lanes[lane].slot)?.key;
        self.lanes[lane].slot += 1;
        let (path, job) = self.jobs.iter_mut().nth(chosen)?;
        let progress = TurnProgress::default();
        job.busy.push((lane, progress.clone(), now_mono_ns));
        Some(ClaimedJob {
            path: path.clone(),
            press: job.press.clone(),
            camera: job.camera.clone(),
            progress,
        })
    }

    /// Whether something waits for its turn in `lane`.
    pub fn is_wanted(&self, lane: usize) -> bool {
        self.jobs.values().any(|job| job.wants.contains(&lane))
    }

    /// Nanoseconds until `job` may have its turn in `lane`; `None`: it wants none there,
    /// or has it.
    fn due(&self, job: &TrackedJob, lane: usize, now_mono_ns: u64) -> Option<u64> {
        if !job.wants.contains(&lane) || job.busy.iter().any(|(at, ..)| *at == lane) {
            return None;
        }
        let own = job.due[lane];
        let all = &self.lanes[lane];
        let mono = i64::try_from(now_mono_ns).unwrap_or(i64::MAX);
        let young = mono.saturating_sub(job.born_mono_ns) < order::YOUNG_NS;
        // Somebody waits for a new one: it is tried once, whatever became of the others.
        let first = own.turns == 0 && young && !all.told;
        let from = match first {
            true => own.not_before_mono_ns,
            false => own.not_before_mono_ns.max(all.not_before_mono_ns),
        };
        Some(from.saturating_sub(now_mono_ns))
    }

    /// Nanoseconds until somebody may have his turn in `lane`.
    pub fn next_due(&self, lane: usize, now_mono_ns: u64) -> Option<u64> {
        if !self.ready {
            return None;
        }
        let jobs = self.jobs.values();
        jobs.filter_map(|job| self.due(job, lane, now_mono_ns))
            .min()
    }

    /// A turn is over.
    pub fn ended(&mut self, lane: usize, path: &Path, turn: &AttemptResult, now_mono_ns: u64) {
        let random = self.random.u64(..);
        let after = |ms: u64| now_mono_ns.saturating_add(ms.saturating_mul(1_000_000));
        let all = &mut self.lanes[lane];
        match turn {
            AttemptResult::Done | AttemptResult::Again => {
                all.waits = 0;
                all.not_before_mono_ns = 0;
                all.told = false;
                all.held = None;
            }
            AttemptResult::Unavailable { why, asked_ms } => {
                all.waits = all.waits.saturating_add(1);
                all.not_before_mono_ns =
                    after(delay_ms(self.backoff, all.waits, random, *asked_ms));
                all.told = asked_ms.is_some();
                all.hold(why, false, now_mono_ns);
            }
            AttemptResult::Deferred { why, again_in_ms } => {
                all.not_before_mono_ns = after((*again_in_ms).clamp(1_000, LONGEST_ASKED_MS));
                all.told = true;
                all.hold(why, true, now_mono_ns);
            }
            AttemptResult::Cancelled => {}
        }
        if let Some(job) = self.jobs.get_mut(path) {
            job.busy.retain(|(at, ..)| *at != lane);
            let due = &mut job.due[lane];
            match turn {
                AttemptResult::Again | AttemptResult::Unavailable { .. } => {
                    due.turns = due.turns.saturating_add(1);
                    due.not_before_mono_ns = after(self.backoff.delay_ms(due.turns, random));
                }
                _ => *due = Due::default(),
            }
            if job.busy.is_empty() && at_rest(&job.kept) {
                self.resting.insert(path.into(), job.kept);
                self.jobs.remove(path);
            }
        }
    }

    /// Somebody wants it tried now.
    pub fn hurry(&mut self, path: &Path) {
        if let Some(job) = self.jobs.get_mut(path) {
            job.due.fill(Due::default());
            for lane in &job.wants {
                let lane = &mut self.lanes[*lane];
                lane.not_before_mono_ns = 0;
                lane.told = false;
            }
        }
    }

    /// All at which nobody is at work, for retention.
    pub fn keepable(&self) -> Vec<(PathBuf, Kept)> {
        let resting = self
            .resting
            .iter()
            .map(|(path, kept)| (path.to_path_buf(), *kept));
        let idle = self.jobs.iter().filter(|(_, job)| job.busy.is_empty());
        resting
            .chain(idle.map(|(path, job)| (path.clone(), job.kept)))
            .collect()
    }
}

/// What the far side `asked_ms` for is kept to, up to an hour.
fn delay_ms(backoff: Backoff, failures: u32, random: u64, asked_ms: Option<u64>) -> u64 {
    let asked_ms = asked_ms.unwrap_or(0).min(LONGEST_ASKED_MS);
    backoff.delay_ms(failures, random).max(asked_ms)
}

/// Nothing more becomes of it, and nobody need look at it.
fn at_rest(kept: &Kept) -> bool {
    kept.rest.is_some_and(|rest| rest != Rest::Failed)
}

impl TrackedJob {
    /// Permille and since when, for each lane that works on it.
    pub fn at_work(&self) -> impl Iterator<Item = (usize, u16, u64)> {
        let busy = self.busy.iter();
        busy.map(|(lane, progress, since)| (*lane, progress.load(Relaxed), *since))
    }
}

impl LaneState {
    fn hold(&mut self, why: &Sentence, calm: bool, now_mono_ns: u64) {
        let since = self.held.as_ref().filter(|held| held.calm == calm);
        self.held = Some(LaneHold {
            since_mono_ns: since.map_or(now_mono_ns, |held| held.since_mono_ns),
            why: why.clone(),
            calm,
        });
    }
}

impl View {
    fn of(sidecar: &Sidecar) -> View {
        let uploads = sidecar.uploads.iter().map(|upload| UploadView {
            target: upload.target.clone(),
            status: upload.status,
            attempts: upload.attempts,
            last_error: upload.error().map(Arc::new),
        });
        View {
            status: sidecar.status,
            stage: sidecar.stage,
            attempts: sidecar.attempts,
            last_error: sidecar.error().map(Arc::new),
            updated_at: sidecar.updated_at.clone(),
            uploads: uploads.collect(),
        }
    }
}

/// How people name a job: `<press>/<camera>`.
pub fn job_id(press: &PressId, camera: &CameraId) -> String {
    format!("{press}/{camera}")
}

/// A label's milliseconds since 1970, unless it is of a clock that was never set.
pub fn believable_ms(label: &str) -> Option<i64> {
    let at: Timestamp = label.parse().ok()?;
    let unix_ms = at.as_millisecond();
    let wall = Wall {
        unix_ns: unix_ms.saturating_mul(1_000_000),
        synchronised: false,
    };
    wall.plausible().then_some(unix_ms)
}

/// The press on this boot's monotonic clock.
fn born(sidecar: &Sidecar, now: &Now) -> i64 {
    if sidecar.clock.boot_id == now.boot_id {
        return i64::try_from(sidecar.clock.press_mono_ns).unwrap_or(i64::MAX);
    }
    let wall_ns = now.wall.is_set().then_some(now.wall.unix_ns);
    let label_ms = believable_ms(&sidecar.created_at);
    let label_ns = label_ms.map(|ms| ms.saturating_mul(1_000_000));
    order::born_elsewhere(now.mono(), wall_ns, label_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::BACKOFF;

    #[test]
    fn the_far_side_is_obeyed_within_reason() {
        let delay = |asked_ms| delay_ms(BACKOFF, 1, 0, asked_ms);
        assert_eq!(delay(Some(90_000)), 90_000);
        assert_eq!(delay(Some(u64::MAX)), LONGEST_ASKED_MS);
        assert_eq!(delay(Some(5)), 2_000);
        assert_eq!(delay_ms(BACKOFF, 1, 1_000, None), 1_000);
    }
}
