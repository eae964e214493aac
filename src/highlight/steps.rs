//! The stages of a job: export → commit → sidecar, or straight to a sidecar where
//! there is no clip. Each can be repeated, by this run or the next.
//!
//! Not here: what each does (`export`, `commit`, `rebuild`), who is tried when (`workers`).

use std::io;

use super::attempt::{ExportAttempt, StepError};
use super::export::Exported;
use super::jobs::JobStep;
use super::rebuild::its_sidecar;
use super::types::Outcome;

/// What came of a stage.
pub enum StepResult {
    To(JobStep),
    Done(Box<Outcome>),
}

impl ExportAttempt<'_> {
    /// Brings one stage to its end; after an error it can be tried again.
    pub fn stage(&self, stage: &mut JobStep) -> Result<StepResult, StepError> {
        match stage {
            JobStep::Export => {
                if let Some(there) = self.what_is_there()? {
                    return Ok(there);
                }
                let exported = self.run_beside(|| self.store.make_folder(self.names))?;
                let clip = self.close(exported)?;
                Ok(StepResult::To(JobStep::Settle(Box::new(clip))))
            }
            JobStep::Settle(clip) => {
                self.settle(clip)?;
                match std::mem::replace(stage, JobStep::Export) {
                    JobStep::Settle(clip) => Ok(StepResult::To(JobStep::Describe(clip))),
                    other => Ok(StepResult::To(other)),
                }
            }
            JobStep::Describe(clip) => Ok(StepResult::Done(Box::new(self.describe(clip)?))),
            JobStep::Rebuild { suspect } => self
                .rebuild(*suspect)
                .map(|clip| StepResult::To(JobStep::Settle(Box::new(clip)))),
            // A press has one end: whoever gave up may not have been able to look.
            JobStep::Explain(reason) => match self.what_is_there()? {
                Some(there) => Ok(there),
                None => Ok(StepResult::Done(Box::new(self.explain(reason)?))),
            },
        }
    }

    /// Exports, while the folder for the clip is made: two syncs of directories
    /// that nobody should wait for.
    fn run_beside(
        &self,
        make_folder: impl FnOnce() -> io::Result<()> + Send,
    ) -> Result<Exported, StepError> {
        let (made, exported) = std::thread::scope(|scope| {
            let folder = scope.spawn(make_folder);
            let exported = self.run();
            let made = folder.join();
            (made, exported)
        });
        let made = made.unwrap_or_else(|_| Err(io::Error::other("interrupted")));
        made.map_err(|e| StepError::disk("making the highlight's folder", &e))?;
        exported
    }

    /// What an earlier attempt, or an earlier run, has brought to its final name.
    fn what_is_there(&self) -> Result<Option<StepResult>, StepError> {
        let failed = |e: io::Error| StepError::disk("looking for what is there already", &e);
        if let Some(outcome) = its_sidecar(self.store, self.names).map_err(failed)? {
            return Ok(Some(StepResult::Done(Box::new(outcome))));
        }
        for suspect in [false, true] {
            let clip = self.names.clip_as(suspect);
            if self.store.disk.exists(clip).map_err(failed)? {
                return Ok(Some(StepResult::To(JobStep::Rebuild { suspect })));
            }
        }
        Ok(None)
    }
}
