//! The unfinished clip: what was taken goes to the temporary file, is synced
//! about once a second, and then its facts are noted beside it.
//!
//! Not here: where AUs come from and when it ends (`export`).

use std::io;
use std::path::Path;

use super::attempt::StepError;
use super::sample_log::SampleLog;
use super::source::RingSource;
use super::types::Tuning;
use crate::cut::{Cut, Fact, Offer};
use crate::disk::File;
use crate::media::AuMeta;
use crate::mp4;

/// So near to the end no sync is begun that the end would have to wait for.
const NEAR_NS: u64 = 300_000_000;
/// Between two times that sound is coded ahead.
const CODE_EVERY_NS: u64 = 1_000_000_000;
/// Written at once near the end.
const SMALL_BLOCK: usize = 1 << 15;

/// A cut and the file that it fills.
pub struct Running {
    pub cut: Cut,
    pub file: File,
    facts: SampleLog,
    pub reserve: u64,
    /// Data that is not written yet.
    pub buffer: Vec<u8>,
    pub written: u64,
    /// Up to where writing out was asked for.
    pushed: u64,
    synced: u64,
    last_sync_mono_ns: u64,
    last_sync_took_ns: u64,
    last_coded_mono_ns: u64,
    /// The names of the temporary files are on the disk.
    named: bool,
    /// Bytes written at once, and nanoseconds between syncs.
    block: usize,
    sync_every_ns: u64,
}

impl Running {
    /// `written` bytes of data are in the file, and on the disk.
    pub fn new(
        cut: Cut,
        file: File,
        facts: SampleLog,
        reserve: u64,
        written: u64,
        tuning: &Tuning,
        now_mono_ns: u64,
    ) -> Running {
        Running {
            cut,
            file,
            facts,
            reserve,
            buffer: Vec::with_capacity(tuning.block_bytes * 5 / 4),
            written,
            pushed: written,
            synced: written,
            last_sync_mono_ns: now_mono_ns,
            last_sync_took_ns: 0,
            last_coded_mono_ns: 0,
            named: false,
            block: tuning.block_bytes,
            sync_every_ns: tuning.sync_every_ns,
        }
    }

    fn data_end(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn note(&mut self, fact: Fact) {
        self.facts.note(fact, self.data_end());
    }

    pub fn lost(&mut self, from_pos: u64, to_pos: u64) {
        self.cut.lost(from_pos, to_pos);
        self.note(Fact::Lost { from_pos, to_pos });
    }

    pub fn know_params(&mut self, source: &RingSource, au: &AuMeta) {
        if au.flags.gap || !self.cut.needs_params(au.generation) {
            return;
        }
        // Where the ring has forgotten them, the cut leaves the AU.
        if let Ok(params) = source.params(au.generation) {
            self.cut.params(au.generation, &params);
            self.note(Fact::Params {
                generation: au.generation,
                params,
            });
        }
    }

    /// Offers the AU whose bytes stand in the buffer from `start` on.
    pub fn offer(&mut self, pos: u64, au: &AuMeta, start: usize) {
        // Parameter sets that change stand in front of their key frame.
        let prefix = self.cut.prefix(au);
        let offset = self.written + (start + prefix.len()) as u64;
        let offer = self.cut.offer(pos, au, offset);
        let au = *au;
        match offer {
            Offer::Take => {
                self.buffer.splice(start..start, prefix);
                self.note(Fact::Taken { pos, au, offset });
            }
            Offer::Hear => {
                let bytes = self.buffer.split_off(start);
                self.cut.hear(&au, &bytes);
                self.note(Fact::Heard { pos, au, bytes });
            }
            Offer::Note => {
                self.buffer.truncate(start);
                self.note(Fact::Noted { pos, au });
            }
            Offer::Leave => self.buffer.truncate(start),
        }
    }

    /// Hands the buffer to the kernel; with `push` the kernel begins to write.
    pub fn write(&mut self, push: bool) -> Result<(), StepError> {
        if !self.buffer.is_empty() {
            let at = mp4::data_offset(self.reserve) + self.written;
            self.file
                .write_all_at(&self.buffer, at)
                .map_err(|e| StepError::disk("writing the clip", &e))?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        if push && self.pushed < self.written {
            self.file
                .start_writeback(mp4::data_offset(self.reserve) + self.pushed);
            self.pushed = self.written;
        }
        Ok(())
    }

    /// While nothing happens: a block, or near the end whatever there is.
    pub fn write_out(&mut self, left_ns: u64) -> Result<(), StepError> {
        let enough = if left_ns < NEAR_NS {
            SMALL_BLOCK
        } else {
            self.block / 4
        };
        if self.buffer.len() >= enough {
            self.write(true)?;
        }
        Ok(())
    }

    /// Codes sound about once a second; not so late that the end would wait for it.
    pub fn code_if_due(&mut self, now_mono_ns: u64, left_ns: u64) {
        let since_ns = now_mono_ns.saturating_sub(self.last_coded_mono_ns);
        if left_ns >= NEAR_NS && since_ns >= CODE_EVERY_NS {
            self.cut.code_ahead();
            self.last_coded_mono_ns = now_mono_ns;
        }
    }

    /// About once a second; not so late that the end would wait for it.
    pub fn sync_if_due(
        &mut self,
        now_mono_ns: u64,
        left_ns: u64,
        now: impl Fn() -> u64,
    ) -> Result<(), StepError> {
        let due = now_mono_ns.saturating_sub(self.last_sync_mono_ns) >= self.sync_every_ns;
        let late = left_ns < NEAR_NS.max(2 * self.last_sync_took_ns);
        // The end itself may be late, too: then it is waited for no longer than this.
        let overdue = now_mono_ns.saturating_sub(self.last_sync_mono_ns) >= 3 * self.sync_every_ns;
        if !due || (late && !overdue) || self.synced == self.data_end() {
            return Ok(());
        }
        self.write(false)?;
        let failed = |e: io::Error| StepError::disk("syncing the clip", &e);
        self.file.sync().map_err(failed)?;
        if !self.named {
            let folder = self.file.path().parent().unwrap_or(Path::new("/"));
            self.file.disk().sync_dir(folder).map_err(failed)?;
            self.named = true;
        }
        self.synced = self.written;
        self.pushed = self.written;
        self.facts.synced(self.synced).map_err(failed)?;
        self.last_sync_mono_ns = now();
        self.last_sync_took_ns = self.last_sync_mono_ns.saturating_sub(now_mono_ns);
        Ok(())
    }
}
