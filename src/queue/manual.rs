//! `retry` and `drop`: which jobs are meant; and doing it on the storage itself where
//! no service runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::core::Core;
use super::machine::{self, JobRules, NextStep, Rest, next};
use super::scan;
use super::sentence::QueueError;
use super::sidecar::{Sidecar, rfc3339};
use super::state::{believable_ms, job_id};
use super::status::{self, ListedJob};
use super::store::Sidecars;
use super::types::Which;
use crate::base::Clock;
use crate::config;
use crate::disk::{Disk, Lock};
use crate::storage::listing::file_name;
use crate::storage::{HighlightFileKind, StorageLayout};

/// A job that can be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// `<press>/<camera>`
    pub id: String,
    pub path: PathBuf,
    pub failed: bool,
}

/// Those that are meant: id and sidecar.
pub fn choose(
    candidates: &[Candidate],
    which: &Which,
) -> Result<Vec<(String, PathBuf)>, QueueError> {
    let part = match which {
        Which::Failed => {
            let failed = candidates.iter().filter(|c| c.failed);
            return Ok(failed.map(|c| (c.id.clone(), c.path.clone())).collect());
        }
        Which::Id(part) => part.trim(),
    };
    let exact = |c: &&Candidate| c.id == part;
    let holds = |c: &&Candidate| !part.is_empty() && c.id.contains(part);
    let mut found: Vec<&Candidate> = candidates.iter().filter(exact).collect();
    if found.is_empty() {
        found = candidates.iter().filter(holds).collect();
    }
    let press = |c: &Candidate| c.id.split('/').next().unwrap_or("").to_owned();
    match found.split_first() {
        None => Err(QueueError::Unknown {
            job: part.to_owned(),
        }),
        Some((first, others)) if others.iter().any(|o| press(o) != press(first)) => {
            Err(QueueError::Ambiguous {
                job: part.to_owned(),
                count: found.len(),
            })
        }
        Some(_) => Ok(found
            .iter()
            .map(|c| (c.id.clone(), c.path.clone()))
            .collect()),
    }
}

/// Jobs of a running queue; what was dropped can be meant too.
pub(super) fn candidates(core: &Core) -> Vec<Candidate> {
    let state = core.state();
    let jobs = state.jobs.iter().map(|(path, job)| Candidate {
        id: job_id(&job.press, &job.camera),
        path: path.clone(),
        failed: job.kept.rest == Some(Rest::Failed),
    });
    let dropped = state.resting.iter();
    let dropped = dropped.filter(|(_, kept)| kept.rest == Some(Rest::Dropped));
    let dropped = dropped.map(|(path, _)| Candidate {
        id: id_of(path),
        path: path.to_path_buf(),
        failed: false,
    });
    jobs.chain(dropped).collect()
}

/// As its folder and its name say.
fn id_of(path: &Path) -> String {
    let folder = path.parent().map(file_name).unwrap_or_default();
    let name = file_name(path);
    let stem = HighlightFileKind::split(&name).map_or(name.as_str(), |(stem, _)| stem);
    format!("{folder}/{stem}")
}

/// What a storage without a service holds.
pub struct Still {
    layout: StorageLayout,
    rules: JobRules,
    /// Sidecars of which something is still to be done, or that were given up.
    pub jobs: Vec<(PathBuf, Sidecar)>,
}

impl Still {
    /// Reads a storage. `targets` are their ids.
    pub fn read(storage: &Path, queue: &config::QueueSettings, targets: Vec<String>) -> Still {
        let rules = JobRules {
            targets,
            max_attempts: queue.max_attempts,
            keep_raw: queue.keep_raw,
        };
        let mut jobs = Vec::new();
        let see = |seen: scan::ScannedHighlight| {
            let rests = matches!(
                next(&seen.sidecar, &rules),
                NextStep::Rest(Rest::Uploaded | Rest::Ready | Rest::NoClip | Rest::Suspect)
            );
            if !rests {
                jobs.push((seen.path, seen.sidecar));
            }
            true
        };
        let layout = StorageLayout::new(storage);
        scan::scan(&layout, &Disk::default(), see, |_, _| {});
        jobs.sort_by(|a, b| b.1.created_at.cmp(&a.1.created_at));
        Still {
            layout,
            rules,
            jobs,
        }
    }

    /// For a table, newest first.
    pub fn list(&self, clock: &dyn Clock) -> Vec<ListedJob> {
        let wall = clock.wall();
        let jobs = self.jobs.iter().map(|(_, sidecar)| {
            let at_ms = believable_ms(&sidecar.created_at).filter(|_| wall.is_set());
            let age_ms = at_ms.map(|ms| (wall.unix_ns / 1_000_000).saturating_sub(ms));
            status::still(sidecar, age_ms.and_then(|ms| u64::try_from(ms).ok()))
        });
        jobs.collect()
    }

    fn candidates(&self) -> Vec<Candidate> {
        let jobs = self.jobs.iter().map(|(path, sidecar)| Candidate {
            id: job_id(&sidecar.press_id, &sidecar.camera.id),
            path: path.clone(),
            failed: next(sidecar, &self.rules) == NextStep::Rest(Rest::Failed),
        });
        jobs.collect()
    }

    /// Tries jobs again at the next start; their ids.
    pub fn retry(
        &self,
        which: &Which,
        clock: &dyn Clock,
        timezone: &jiff::tz::TimeZone,
    ) -> Result<Vec<String>, QueueError> {
        self.apply(which, &machine::JobEvent::Retried, clock, timezone)
    }

    /// Takes a job out of the queue.
    pub fn drop_job(
        &self,
        id: &str,
        clock: &dyn Clock,
        timezone: &jiff::tz::TimeZone,
    ) -> Result<Vec<String>, QueueError> {
        let which = Which::Id(id.to_owned());
        self.apply(&which, &machine::JobEvent::Dropped, clock, timezone)
    }

    fn apply(
        &self,
        which: &Which,
        event: &machine::JobEvent,
        clock: &dyn Clock,
        timezone: &jiff::tz::TimeZone,
    ) -> Result<Vec<String>, QueueError> {
        let chosen = choose(&self.candidates(), which)?;
        let root = self.layout.root();
        let failed = |e: std::io::Error| QueueError::disk(root, e);
        let lock = Lock::take(&self.layout.lock()).map_err(failed)?;
        let lock = lock.ok_or_else(|| QueueError::Locked {
            path: root.display().to_string(),
        })?;
        let sidecars = Sidecars::new(Disk::default(), self.layout.clone(), Arc::new(lock));
        let now = rfc3339(clock.wall().unix_ns, timezone);
        let mut ids = Vec::new();
        for (id, path) in chosen {
            sidecars
                .change(&path, |sidecar| {
                    machine::apply(sidecar, event, &self.rules, &now)
                })
                .map_err(failed)?;
            ids.push(id);
        }
        Ok(ids)
    }
}
