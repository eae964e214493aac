//! From the last access unit to the sidecar: index, sync, read back, rename
//! (the commit), hash, sidecar.
//!
//! Not here: how the data came into the file (`export`), who is asked again
//! after an error (`workers`).

use std::cell::Cell;
use std::io;

use crossbeam_channel::{Receiver, bounded};

use super::attempt::{ExportAttempt, StepError};
use super::embedded_report;
use super::events::Event;
use super::export::Exported;
use super::jobs::{ExportJob, NamedClip};
use super::sentence::ClipSentence;
use super::sidecar::{About, FileFacts, Sidecar};
use super::types::{ExportPhase, Outcome, milliseconds};
use crate::base::{Coded, Press, Sentence};
use crate::cut::{CutReport, FinishedCut};
use crate::disk::{Disk, File};
use crate::mp4::{self, Mp4Error};
use crate::queue::store::{hash_file, hash_of};
use crate::storage::listing::file_name;

impl ExportAttempt<'_> {
    /// Index, sync, read back, rename. After it the clip has its name, and only the
    /// directory's sync ([`ExportAttempt::settle`]) is left of the commit.
    pub fn close(&self, exported: Exported) -> Result<NamedClip, StepError> {
        self.engine.phase(self.job, ExportPhase::Closing, None);
        let Exported {
            cut,
            ended,
            file,
            reserve,
            written,
        } = exported;
        let mut finished = cut
            .finish(ended)
            .map_err(|nothing| StepError::Nothing(nothing.sentence()))?;
        finished.clip.created_unix_s = self.created_unix_s(&finished.report);
        if let Some(trouble) = &self.job.trouble {
            let error = trouble.clone();
            let note = ClipSentence::DiskRefused { error };
            finished.report.notes.push(note.sentence());
        }
        let size_bytes = self.write_index(&file, reserve, written, &finished)?;
        let failed = |e: io::Error| StepError::disk("finishing the clip", &e);
        // The bytes are final: they can be hashed while they are synced.
        let hash = hash_aside(file.disk().clone(), &file).map_err(failed)?;
        let suspect = sync_and_read_back(&file, size_bytes, reserve, &finished)?;
        drop(file);
        let to = self.names.clip_as(suspect.is_some());
        self.store
            .disk
            .rename(&self.names.part, to)
            .map_err(|e| StepError::disk("giving the clip its name", &e))?;
        Ok(NamedClip {
            report: finished.report,
            named_suspect: suspect.is_some(),
            suspect,
            size_bytes,
            hash: Some(hash),
        })
    }

    /// Writes the bytes around the data; the file's length.
    fn write_index(
        &self,
        file: &File,
        reserve: u64,
        written: u64,
        finished: &FinishedCut,
    ) -> Result<u64, StepError> {
        let unwritable = |e: Mp4Error| {
            let error = e.to_string();
            StepError::Nothing(ClipSentence::NotAClip { error }.sentence())
        };
        let failed = |e: io::Error| StepError::disk("writing the clip's index", &e);
        // Also what is not shown stays: facts name it, and somebody may have to read on from them.
        let sound = &finished.sound;
        let data_len = match sound.len() {
            0 => written,
            _ => finished.data_len,
        };
        let mut placed = mp4::place(reserve, data_len, &finished.clip).map_err(unwritable)?;
        embedded_report::embed(&mut placed.front, &finished.report);
        let data_end = mp4::data_offset(reserve) + data_len;
        let sound_at = data_end - u64::try_from(sound.len()).unwrap_or(0);
        file.write_all_at(sound, sound_at).map_err(failed)?;
        file.write_all_at(&placed.front, 0).map_err(failed)?;
        file.write_all_at(&placed.tail, data_end).map_err(failed)?;
        Ok(data_end + placed.tail.len() as u64)
    }

    /// Wall clock of the first shown frame; 0 while the clock was never set.
    fn created_unix_s(&self, report: &CutReport) -> u64 {
        let press = self.engine.wall.press_as_known(&self.job.taken.press);
        if !self.engine.clock.wall().is_set() && !press.wall_synchronised {
            return 0;
        }
        let since_ns = i128::from(report.first_frame_mono_ns) - i128::from(press.instant_mono_ns);
        let unix_ns = i128::from(press.wall_unix_ns) + since_ns;
        u64::try_from(unix_ns / 1_000_000_000).unwrap_or(0)
    }

    /// Syncs the directory: from here on the clip is committed.
    pub fn settle(&self, clip: &NamedClip) -> Result<(), StepError> {
        self.store
            .disk
            .sync_dir(&self.names.folder)
            .map_err(|e| StepError::disk("making the clip's name durable", &e))?;
        let press = &self.job.taken.press;
        let end = clip.report.end_of_window_mono_ns;
        self.engine.tell(&Event::Committed {
            press_id: press.id.clone(),
            camera: self.job.about().id.clone(),
            path: self.names.clip_as(clip.named_suspect).to_owned(),
            end_of_window_mono_ns: end.map(|at| at.max(press.instant_mono_ns)),
            committed_mono_ns: self.engine.clock.mono_ns(),
            duration_ms: milliseconds(clip.report.duration_sec),
            notes: clip.report.notes.clone(),
        });
        Ok(())
    }

    /// Hash and sidecar of a committed clip.
    pub fn describe(&self, clip: &mut NamedClip) -> Result<Outcome, StepError> {
        let path = self.names.clip_as(clip.named_suspect);
        let failed = |e: io::Error| StepError::disk("reading the clip to hash it", &e);
        let taken = clip.hash.take().and_then(|hash| hash.recv().ok());
        let sha256 = match taken {
            Some(hash) => hash.map_err(failed)?,
            None => hash_of(&self.store.disk, path).map_err(failed)?,
        };
        let file = FileFacts {
            file_name: file_name(path),
            size_bytes: clip.size_bytes,
            sha256,
        };
        self.write_sidecar(|about| {
            Sidecar::for_clip(about, file, &clip.report, clip.suspect.as_ref())
        })
    }

    /// The sidecar of a press that has no clip of this camera.
    pub fn explain(&self, reason: &Sentence) -> Result<Outcome, StepError> {
        self.write_sidecar(|about| Sidecar::without_clip(about, reason))
    }

    fn write_sidecar(
        &self,
        make: impl FnOnce(&About<'_>) -> Sidecar,
    ) -> Result<Outcome, StepError> {
        let failed = |e: io::Error| StepError::disk("writing the sidecar", &e);
        self.store.make_folder(self.names).map_err(failed)?;
        // Nobody corrects clocks between our look at ours and the rename.
        let writing = self.engine.wall.write_sidecar();
        let press = self.engine.wall.press_as_known(&self.job.taken.press);
        let sidecar = make(&about(self.job, &press, &self.engine.settings.timezone));
        self.store
            .disk
            .write_atomically(
                &self.names.sidecar_temp,
                &self.names.sidecar,
                &sidecar.to_bytes(),
            )
            .map_err(failed)?;
        drop(writing);
        // What is left of them, the next start sweeps.
        let _ = self.store.disk.remove(&self.names.facts);
        let _ = self.store.disk.remove(&self.names.part);
        Ok(Outcome::of(
            &sidecar,
            &self.names.folder,
            &self.names.sidecar,
        ))
    }
}

fn about<'a>(job: &'a ExportJob, press: &'a Press, timezone: &'a jiff::tz::TimeZone) -> About<'a> {
    let camera = job.about();
    About {
        press,
        camera_name: &camera.name,
        court: camera.court.as_deref(),
        camera_id: &camera.id,
        latency_ms: camera.plan.window.latency_ms,
        timezone,
    }
}

/// Both wait for different things: the sync for the disk, the readers for the processor.
fn sync_and_read_back(
    file: &File,
    size: u64,
    reserve: u64,
    finished: &FinishedCut,
) -> Result<Option<Sentence>, StepError> {
    let failed = |e: io::Error| StepError::disk("syncing the finished clip", &e);
    let disk_said = Cell::new(None);
    let reader = Listening {
        reader: file.reader().map_err(failed)?,
        failed: &disk_said,
    };
    let reader = io::BufReader::with_capacity(1 << 16, reader);
    std::thread::scope(|scope| {
        let sync = std::thread::Builder::new()
            .name("sync".to_owned())
            .spawn_scoped(scope, || file.sync());
        let difference = mp4::read_back(reader, size, reserve, &finished.clip);
        let synced = match sync {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the sync was interrupted"))),
            Err(_) => file.sync(),
        };
        synced.map_err(failed)?;
        // What cannot be read is no disagreement about it: the disk gets another try.
        if let Some(error) = disk_said.take() {
            return Err(StepError::disk("reading the clip back", &error));
        }
        let said = |difference| ClipSentence::ReadersDisagree { difference }.sentence();
        let difference = difference.map(|found| found.map(said));
        difference.map_err(|e| StepError::Disk {
            what: format!("reading the clip back: {e}"),
            full: false,
        })
    })
}

/// Remembers the disk's error, of which the readers of MP4 make a difference.
struct Listening<'a, R> {
    reader: R,
    failed: &'a Cell<Option<io::Error>>,
}

impl<R> Listening<'_, R> {
    fn hear<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed.set(Some(error));
            }
            kind.into()
        })
    }
}

impl<R: io::Read> io::Read for Listening<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(into);
        self.hear(result)
    }
}

impl<R: io::Seek> io::Seek for Listening<'_, R> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let result = self.reader.seek(to);
        self.hear(result)
    }
}

fn hash_aside(disk: Disk, file: &File) -> io::Result<Receiver<io::Result<String>>> {
    // Opened now: the name changes while it is read.
    let file = disk.open_read(file.path())?;
    let (send, receive) = bounded(1);
    std::thread::Builder::new()
        .name("hash".to_owned())
        .spawn(move || {
            // Nobody listens where the commit failed.
            let _ = send.send(hash_file(&file));
        })?;
    Ok(receive)
}
