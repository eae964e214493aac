//! One attempt at one clip: a reader of the ring that writes as the ring fills.
//!
//! Data goes to the temporary file in large blocks, is synced about once a
//! second, and the facts of what is synced are noted beside it; so little is
//! left when the window ends, and what a killed exporter leaves behind can be
//! taken up again: by the next attempt, the next start, or as it stands after
//! a power cut.
//!
//! Not here: which AUs are taken (`cut`), how the clip gets its name (`commit`).

use std::io;
use std::path::Path;
use std::time::Duration;

use super::attempt::{ExportAttempt, StepError};
use super::sample_log::{self, LoggedSamples, SampleLog};
use super::sentence::ClipSentence;
use super::source::{ReadFrom, RingSource, SourceItem, slack_ns};
use super::writing::Running;
use crate::base::{Coded, Sentence};
use crate::cut::{Cut, Ended, Fact};
use crate::cut::{Estimate, estimate};
use crate::disk::File;
use crate::media::AuMeta;
use crate::mp4;

/// Footage that is overtaken so soon is not waited with.
const URGENT_NS: u64 = 5_000_000_000;
/// From here on every AU is waited for: the next may be the last.
const NEAR_THE_END_NS: u64 = 60_000_000;
/// So soon it is noticed that the room is dropped, and written what there is.
const LONGEST_NAP: Duration = Duration::from_millis(100);
/// Room beside the index for what the clip says about itself.
pub const REPORT_ROOM: u64 = 8192;

/// A clip's data, whole as far as it will ever be, in the temporary file.
pub struct Exported {
    pub cut: Cut,
    pub ended: Ended,
    pub file: File,
    pub reserve: u64,
    /// Bytes of data in the file.
    pub written: u64,
}

impl ExportAttempt<'_> {
    /// Reads the window to its end, as long as that takes.
    pub fn run(&self) -> Result<Exported, StepError> {
        let noted = self.noted()?;
        let source = self.source(noted.as_ref());
        self.is_there_room(source.as_ref())?;
        let (mut running, mut source) = match (noted, source) {
            (Some(noted), source) => (self.go_on(noted)?, source),
            (None, Some(source)) => (self.begin(&source)?, Some(source)),
            (None, None) => return Err(StepError::Nothing(self.why_nothing())),
        };
        let ended = match &mut source {
            Some(source) => self.follow(&mut running, source)?,
            None if self.job.is_of_boot(self.engine.settings.boot_id) => Ended::Restart,
            None => Ended::Power,
        };
        running.write(true)?;
        Ok(Exported {
            cut: running.cut,
            ended,
            file: running.file,
            reserve: running.reserve,
            written: running.written,
        })
    }

    /// After the disk was full: not before there is room for what is left,
    /// unless the ring is about to lose it.
    fn is_there_room(&self, source: Option<&RingSource>) -> Result<(), StepError> {
        let Some(source) = source.filter(|_| self.job.was_full) else {
            return Ok(());
        };
        let urgent = slack_ns(source.ring(), source.own_pos()).is_none_or(|ns| ns < URGENT_NS);
        let space = self.store.disk.space(self.store.layout.root());
        let free = space.map_or(u64::MAX, |space| space.free);
        let needed = self.estimate(source).bytes;
        if urgent || free >= needed {
            return Ok(());
        }
        Err(StepError::Disk {
            what: format!(
                "no room on {}: {} MB are free, this clip needs {} MB more",
                self.store.layout.root().display(),
                free / 1_000_000,
                needed.div_ceil(1_000_000)
            ),
            full: true,
        })
    }

    fn why_nothing(&self) -> Sentence {
        match self.job.is_of_boot(self.engine.settings.boot_id) {
            true => ClipSentence::RingGone {}.sentence(),
            false => ClipSentence::PowerCut {}.sentence(),
        }
    }

    /// What an earlier attempt left behind, if it can be taken up.
    fn noted(&self) -> Result<Option<(LoggedSamples, File, u64)>, StepError> {
        let failed = |e: io::Error| StepError::disk("reading the unfinished clip", &e);
        let disk = &self.store.disk;
        if self.job.afresh {
            return Ok(None);
        }
        let Some(mut noted) = sample_log::read(disk, &self.names.facts).map_err(failed)? else {
            return Ok(None);
        };
        let (press, camera) = (&self.job.taken.press.id, &self.job.about().id);
        if noted.begin.press_id != *press || noted.begin.camera_id != *camera {
            return Ok(None);
        }
        let file = match disk.open_rw(&self.names.part) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let before = mp4::data_offset(noted.begin.reserve);
        let held = file.len().map_err(failed)?.saturating_sub(before);
        let named = noted.keep_within(held);
        Ok((named > 0).then_some((noted, file, named)))
    }

    fn go_on(
        &self,
        (noted, file, written): (LoggedSamples, File, u64),
    ) -> Result<Running, StepError> {
        let failed = |e: io::Error| StepError::disk("taking up the unfinished clip", &e);
        let mut cut = Cut::new(&noted.begin.plan);
        noted.facts.iter().for_each(|fact| cut.replay(fact));
        let facts =
            SampleLog::go_on(&self.store.disk, &self.names.facts, &noted).map_err(failed)?;
        let reserve = noted.begin.reserve;
        file.set_len(mp4::data_offset(reserve) + written)
            .map_err(failed)?;
        let now_mono_ns = self.engine.clock.mono_ns();
        let tuning = &self.engine.tuning;
        Ok(Running::new(
            cut,
            file,
            facts,
            reserve,
            written,
            tuning,
            now_mono_ns,
        ))
    }

    fn begin(&self, source: &RingSource) -> Result<Running, StepError> {
        let failed = |e: io::Error| StepError::disk("beginning the clip", &e);
        let found = self.estimate(source);
        self.job.progress.expect(found.bytes);
        let reserve = self.reserve(source, &found);
        let disk = &self.store.disk;
        let (press, camera) = (&self.job.taken.press.id, &self.job.about().id);
        if self.job.afresh {
            // The old facts must not be found beside the new data.
            disk.remove(&self.names.facts).map_err(failed)?;
            let folder = self.names.facts.parent().unwrap_or(Path::new("/"));
            disk.sync_dir(folder).map_err(failed)?;
        }
        let file = disk.create(&self.names.part).map_err(failed)?;
        let facts = SampleLog::create(disk, &self.names.facts, press, camera, reserve, self.plan())
            .map_err(failed)?;
        // Room for the index, now: at the end it is only written over.
        let front = usize::try_from(mp4::data_offset(reserve)).unwrap_or(0);
        file.write_all_at(&vec![0; front], 0).map_err(failed)?;
        let cut = Cut::new(self.plan());
        let now_mono_ns = self.engine.clock.mono_ns();
        let tuning = &self.engine.tuning;
        Ok(Running::new(
            cut,
            file,
            facts,
            reserve,
            0,
            tuning,
            now_mono_ns,
        ))
    }

    fn estimate(&self, source: &RingSource) -> Estimate {
        let end = self.plan().window.end_mono_ns();
        estimate(source.ring(), source.own_pos(), end)
    }

    fn reserve(&self, source: &RingSource, found: &Estimate) -> u64 {
        let params: Vec<_> = found
            .generations
            .iter()
            .filter_map(|generation| source.ring().params(*generation).ok())
            .collect();
        if let Some(forced) = self.engine.tuning.reserve {
            return forced;
        }
        mp4::reserve_for(found.video, found.audio, &params) + REPORT_ROOM
    }

    /// The ring to read on in; `None` where no ring can hold more of the window.
    fn source(&self, noted: Option<&(LoggedSamples, File, u64)>) -> Option<RingSource> {
        let camera = self.job.about();
        let known = noted.map(|(noted, _, _)| Known::of(&noted.facts));
        if let (Some(ring), None) = (&self.job.ring, &known) {
            return Some(RingSource::on(ring.clone(), camera.plan.first_pos));
        }
        if !self.job.is_of_boot(self.engine.settings.boot_id) || !camera.plan.is_made() {
            return None;
        }
        let known = known.unwrap_or_default();
        let epoch = camera.plan.mappings.iter().map(|m| m.epoch).max();
        let mut witnesses = camera.witnesses.clone();
        witnesses.extend(known.newest.map(|(pos, au)| super::journal::Witness {
            pos,
            arrival_mono_ns: au.arrival_mono_ns,
        }));
        let from = ReadFrom {
            pos: known
                .next_pos
                .unwrap_or(camera.plan.first_pos)
                .max(camera.plan.first_pos),
            witnesses: &witnesses,
            epoch: known.epoch.max(epoch.unwrap_or(0)),
            generation: known.generation,
            after_mono_ns: known.newest.map_or(0, |(_, au)| au.arrival_mono_ns),
        };
        RingSource::find(
            self.engine.rings.all_of(&camera.id),
            self.engine.settings.boot_id,
            &from,
        )
    }

    fn follow(&self, running: &mut Running, source: &mut RingSource) -> Result<Ended, StepError> {
        let clock = &self.engine.clock;
        loop {
            let drained_mono_ns = clock.mono_ns();
            self.drain(running, source)?;
            if running.cut.complete(drained_mono_ns) {
                return Ok(if self.job.recovered {
                    Ended::Restart
                } else {
                    Ended::Complete
                });
            }
            if self.engine.leaving.is_grace_over(drained_mono_ns) {
                return Ok(Ended::Stopped);
            }
            let left_ns = running
                .cut
                .wake_hint_mono_ns()
                .saturating_sub(clock.mono_ns());
            running.write_out(left_ns)?;
            running.code_if_due(clock.mono_ns(), left_ns);
            running.sync_if_due(clock.mono_ns(), left_ns, || clock.mono_ns())?;
            self.job.progress.wrote(running.written);
            self.nap(source, &running.cut)?;
        }
    }

    /// Takes all that the ring has now.
    fn drain(&self, running: &mut Running, source: &mut RingSource) -> Result<(), StepError> {
        while !running.cut.done() {
            let before = running.buffer.len();
            match source.next(&mut running.buffer) {
                SourceItem::NotYet => break,
                SourceItem::Lost { from, to } => running.lost(from, to),
                SourceItem::Au { pos, au } => {
                    running.know_params(source, &au);
                    running.offer(pos, &au, before);
                }
            }
            if running.buffer.len() >= self.engine.tuning.block_bytes {
                self.leave_if_told()?;
                running.write(true)?;
                running.sync_if_due(self.engine.clock.mono_ns(), u64::MAX, || {
                    self.engine.clock.mono_ns()
                })?;
                self.job.progress.wrote(running.written);
            }
        }
        Ok(())
    }

    fn leave_if_told(&self) -> Result<(), StepError> {
        if self.engine.leaving.is_now() {
            return Err(StepError::Left);
        }
        Ok(())
    }

    /// Sleeps until it is worth looking again: by time while no single AU matters, near the
    /// end until one comes.
    fn nap(&self, source: &RingSource, cut: &Cut) -> Result<(), StepError> {
        let now_mono_ns = self.engine.clock.mono_ns();
        let left_ns = cut.wake_hint_mono_ns().saturating_sub(now_mono_ns);
        let calm = Duration::from_nanos(left_ns.saturating_sub(NEAR_THE_END_NS)).min(LONGEST_NAP);
        if calm > Duration::ZERO {
            self.engine.leaving.wait(calm);
        } else {
            let deadline_ns = cut.deadline_mono_ns().saturating_sub(now_mono_ns);
            let limit = Duration::from_nanos(deadline_ns.saturating_add(1_000_000));
            source.wait(limit.min(LONGEST_NAP));
        }
        self.leave_if_told()
    }
}

/// What the facts of an earlier attempt say about where to read on.
#[derive(Default)]
struct Known {
    next_pos: Option<u64>,
    newest: Option<(u64, AuMeta)>,
    epoch: u32,
    generation: u32,
}

impl Known {
    fn of(facts: &[Fact]) -> Known {
        let mut known = Known::default();
        for fact in facts {
            match fact {
                Fact::Params { generation, .. } => {
                    known.generation = known.generation.max(*generation);
                }
                Fact::Taken { pos, au, .. }
                | Fact::Heard { pos, au, .. }
                | Fact::Noted { pos, au } => {
                    known.next_pos = Some(pos + 1);
                    known.newest = Some((*pos, *au));
                    known.epoch = known.epoch.max(au.epoch);
                }
                Fact::Lost { to_pos, .. } => known.next_pos = Some(*to_pos),
            }
        }
        known
    }
}
