//! The sidecars' one writer once highlight has written them, and the order in which
//! the queue's files get their names and lose them.
//!
//! | step | cut short before it | then |
//! |---|---|---|
//! | finished files are renamed, the marked video last | in `tmp` | swept, made again |
//! | their folder is synced, the sidecar names them | under their names | taken as they are ([`Sidecars::found`]) |
//! | the sidecar says `removed` | | nothing has happened |
//! | the files are removed, their folder is synced | | removed at the next start |
//! | the sidecar is removed, then empty folders | a sidecar without files that says so | removed at the next start |
//!
//! Not here: what a sidecar says (`machine`), when it is changed (`workers`).

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use super::sidecar::{LARGEST_SIDECAR, MarkedMeta, Sidecar};
use super::work::Finished;
use crate::base::quantity::ToFloat;
use crate::base::{hex, lock};
use crate::disk::{Disk, File, Lock};
use crate::media::Track;
use crate::mp4;
use crate::storage::{HighlightFileKind, StorageLayout};

/// An open storage's sidecars. Shared by all who change them.
pub struct Sidecars {
    pub disk: Disk,
    pub layout: StorageLayout,
    writing: Mutex<()>,
    /// The storage is ours as long as anybody may write.
    _lock: Arc<Lock>,
}

/// What is found of a finishing that was cut short.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub marked: Option<MarkedMeta>,
    pub vertical: bool,
    pub thumbnail: bool,
}

fn damaged(path: &Path, why: impl std::fmt::Display) -> io::Error {
    let text = format!("{} is no sidecar: {why}", path.display());
    io::Error::new(ErrorKind::InvalidData, text)
}

impl Sidecars {
    pub fn new(disk: Disk, layout: StorageLayout, lock: Arc<Lock>) -> Sidecars {
        Sidecars {
            disk,
            layout,
            writing: Mutex::default(),
            _lock: lock,
        }
    }

    pub fn read(&self, path: &Path) -> io::Result<Sidecar> {
        let bytes = self.disk.read_file(path, LARGEST_SIDECAR)?;
        Sidecar::from_bytes(&bytes).map_err(|e| damaged(path, e))
    }

    /// Reads the sidecar, lets `how` change it, and writes it where it says that it
    /// did; durable on return. One after the other, whoever calls.
    pub fn change(
        &self,
        path: &Path,
        how: impl FnOnce(&mut Sidecar) -> bool,
    ) -> io::Result<Sidecar> {
        let _one = lock(&self.writing);
        let mut sidecar = self.read(path)?;
        if how(&mut sidecar) {
            let temp = self
                .layout
                .work_file(&sidecar.press_id, &sidecar.camera.id, "json");
            let bytes = sidecar.to_bytes();
            let written = self.disk.write_atomically(&temp, path, &bytes);
            if written.is_err() {
                // It may be there, it may not: nothing is left of it but its end.
                let _ = self.disk.remove(&temp);
            }
            written?;
        }
        Ok(sidecar)
    }

    /// Gives finished files their names, durable on return. The marked video comes
    /// last: where it stands, the others do. What an earlier finishing left under
    /// these names and this one did not make is removed.
    pub fn adopt(&self, path: &Path, sidecar: &Sidecar, made: &Finished) -> io::Result<()> {
        let camera = &sidecar.camera.id;
        let marked = made.marked.as_ref().map(|(path, _)| path);
        let files = [
            (
                made.thumbnail.as_ref(),
                HighlightFileKind::Thumbnail.name(camera),
            ),
            (
                made.vertical.as_ref(),
                HighlightFileKind::Vertical.name(camera),
            ),
            (marked, HighlightFileKind::Marked.name(camera)),
        ];
        for (from, name) in &files {
            let to = path.with_file_name(name);
            match from {
                Some(from) => self.disk.rename(from, &to)?,
                None => self.disk.remove(&to)?,
            }
        }
        self.sync_folder(path)
    }

    /// Throws away what was made and not adopted.
    pub fn discard(&self, made: &Finished) {
        let marked = made.marked.as_ref().map(|(path, _)| path);
        let files = [made.thumbnail.as_ref(), made.vertical.as_ref(), marked];
        for file in files.into_iter().flatten() {
            // What is left of it, the next start sweeps.
            let _ = self.disk.remove(file);
        }
    }

    /// What an earlier run finished and could not write down: the last of the files
    /// that are to be made is there and fits the clip.
    pub fn found(
        &self,
        path: &Path,
        sidecar: &Sidecar,
        marks: bool,
        vertical: bool,
    ) -> io::Result<Option<Found>> {
        let camera = &sidecar.camera.id;
        let there = |name: String| {
            let path = path.with_file_name(name);
            Ok::<_, io::Error>(self.disk.exists(&path)?.then_some(path))
        };
        let thumbnail = there(HighlightFileKind::Thumbnail.name(camera))?.is_some();
        let upright = there(HighlightFileKind::Vertical.name(camera))?;
        let meta = match there(HighlightFileKind::Marked.name(camera))? {
            Some(marked) if marks => self.facts_of(&marked, sidecar)?,
            _ => None,
        };
        let whole = match (marks, &upright) {
            (true, _) => meta.is_some(),
            (false, Some(upright)) => vertical && self.facts_of(upright, sidecar)?.is_some(),
            (false, None) => false,
        };
        Ok(whole.then_some(Found {
            marked: meta,
            vertical: upright.is_some(),
            thumbnail,
        }))
    }

    /// A video's facts, if it plays as long as the clip does.
    fn facts_of(&self, video: &Path, sidecar: &Sidecar) -> io::Result<Option<MarkedMeta>> {
        let Some(clip) = &sidecar.meta else {
            return Ok(None);
        };
        let file = self.disk.open_read(video)?;
        let size_bytes = file.len()?;
        // Of FFmpeg's making: it is no clip of ours.
        let reader = io::BufReader::new(file.reader()?);
        let Ok(seen) = mp4::inspect_encoded(reader, size_bytes) else {
            return Ok(None);
        };
        let duration_sec = seen.duration_90k.to_float() / 90_000.0;
        let of = |wanted: Track| seen.tracks.iter().find(move |t| t.track() == wanted);
        let entry = of(Track::Video).and_then(|t| t.entries.first());
        let same = (duration_sec - clip.duration_sec).abs() <= 1.5 / clip.fps.max(1.0);
        let Some(entry) = entry.filter(|_| same) else {
            return Ok(None);
        };
        Ok(Some(MarkedMeta {
            codec: entry.codec,
            width: entry.width,
            height: entry.height,
            fps: clip.fps,
            duration_sec,
            audio_codec: of(Track::Audio).and_then(|t| Some(t.entries.first()?.codec)),
            size_bytes,
            sha256: hash_of(&self.disk, video)?,
        }))
    }

    /// What speaks against removing the unmarked clip; `None`: the marked one is on
    /// the disk, byte for byte as it was made.
    pub fn against_the_marked(&self, path: &Path, sidecar: &Sidecar) -> io::Result<Option<String>> {
        let (Some(name), Some(meta)) = (&sidecar.wm_path, &sidecar.meta_wm) else {
            return Ok(Some("there is no marked video".to_owned()));
        };
        let marked = path.with_file_name(name);
        let hash = hash_of(&self.disk, &marked)?;
        let differs = || format!("{} changed since it was made", marked.display());
        Ok((hash != meta.sha256).then(differs))
    }

    /// Removes the unmarked clip; its sidecar says so already.
    pub fn remove_raw(&self, path: &Path, sidecar: &Sidecar) -> io::Result<()> {
        let Some(name) = &sidecar.file_name else {
            return Ok(());
        };
        self.disk.remove(&path.with_file_name(name))
    }

    /// Removes a highlight whose sidecar says so already, and its folders where they are empty.
    pub fn remove_all(&self, path: &Path, sidecar: &Sidecar) -> io::Result<()> {
        for file in files_of(path, sidecar) {
            self.disk.remove(&file)?;
        }
        // No power cut may leave a clip that no sidecar describes.
        self.sync_folder(path)?;
        self.disk.remove(path)?;
        // Others may stand in them.
        if let Some(folder) = path.parent()
            && std::fs::remove_dir(folder).is_ok()
            && let Some(day) = folder.parent()
        {
            let _ = std::fs::remove_dir(day);
        }
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk
            .sync_dir(path.parent().unwrap_or(self.layout.root()))
    }
}

/// Every file of a highlight but its sidecar, there or not.
fn files_of(sidecar_path: &Path, sidecar: &Sidecar) -> Vec<PathBuf> {
    let camera = &sidecar.camera.id;
    let made = HighlightFileKind::ALL
        .into_iter()
        .filter(|file| file.is_made());
    let names = sidecar.file_name.clone().into_iter();
    let names = names.chain(made.map(|file| file.name(camera)));
    names
        .map(|name| sidecar_path.with_file_name(name))
        .collect()
}

/// SHA-256 of a file, as 64 hex digits.
pub fn hash_of(disk: &Disk, path: &Path) -> io::Result<String> {
    hash_file(&disk.open_read(path)?)
}

/// The same, of an open one.
pub fn hash_file(file: &File) -> io::Result<String> {
    // Small enough to stay in the processor's cache between the copy and the hash.
    let mut hasher = Sha256::new();
    let mut block = vec![0; 1 << 17];
    let mut at = 0;
    loop {
        let n = file.read_at(&mut block, at)?;
        if n == 0 {
            break;
        }
        hasher.update(&block[..n]);
        at += n as u64;
    }
    Ok(hex(&hasher.finalize()))
}
