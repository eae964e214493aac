//! No update records voices that were not recorded before it.
//!
//! Versions before this file existed recorded sound in AAC and no other. Over a storage that one of them has used, cameras
//! for which nobody wrote `sound` stay so; which ones is noted once, in the storage. A new storage has none.
//!
//! Not here: which track is taken (`ingest`).

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use serde::{Deserialize, Serialize};

use crate::base::CameraId;
use crate::config::{Camera, CameraSound, Config};
use crate::disk::{Disk, mounted::missing_mount};
use crate::storage::StorageLayout;

const VERSION: u32 = 1;
/// A longer note is none of ours.
const LARGEST: u64 = 1 << 16;

/// What was decided at the first start.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    version: u32,
    /// Cameras of which only AAC is recorded.
    only_aac: BTreeSet<CameraId>,
}

/// What the storage says.
#[derive(Debug, PartialEq, Eq)]
enum Storage {
    Noted(BTreeSet<CameraId>),
    /// A version without such notes has used it, or nobody can tell.
    UsedBefore,
    New,
}

/// Cameras of which only AAC is recorded. Where nobody can tell, none is recorded that might be new.
fn only_aac(storage: &Storage, cameras: &[Camera]) -> BTreeSet<CameraId> {
    match storage {
        Storage::Noted(noted) => noted.clone(),
        Storage::New => BTreeSet::new(),
        Storage::UsedBefore => {
            let unsaid = cameras.iter().filter(|c| c.sound == CameraSound::Unsaid);
            unsaid.map(|camera| camera.id.clone()).collect()
        }
    }
}

fn with(cameras: &[Camera], only_aac: &BTreeSet<CameraId>) -> Vec<Camera> {
    let mut cameras = cameras.to_vec();
    for camera in &mut cameras {
        if camera.sound == CameraSound::Unsaid && only_aac.contains(&camera.id) {
            camera.sound = CameraSound::AsBefore;
        }
    }
    cameras
}

/// The cameras, with what is recorded of their sound; notes it at the first start.
pub(crate) fn cameras(config: &Config, disk: &Disk) -> Vec<Camera> {
    let (storage, sure) = look(config, disk);
    let only_aac = only_aac(&storage, &config.cameras);
    if sure && !matches!(storage, Storage::Noted(_)) {
        let note = Note {
            version: VERSION,
            only_aac: only_aac.clone(),
        };
        if let Err(error) = write(config, disk, &note) {
            // The next start decides the same.
            log::debug!(target: "hindsight", event = "error_storage"; "cannot note whose sound is recorded: {error}");
        }
    }
    with(&config.cameras, &only_aac)
}

/// Likewise, and nothing is written.
pub(crate) fn cameras_as_seen(config: &Config, disk: &Disk) -> Vec<Camera> {
    let (storage, _) = look(config, disk);
    with(&config.cameras, &only_aac(&storage, &config.cameras))
}

/// Also whether that is sure.
fn look(config: &Config, disk: &Disk) -> (Storage, bool) {
    let root = &config.storage.path;
    if missing_mount(root).is_some() {
        return (Storage::UsedBefore, false);
    }
    let layout = StorageLayout::new(root);
    match read(&layout, disk) {
        Ok(Some(note)) => (Storage::Noted(note.only_aac), true),
        Ok(None) => match (
            disk.exists(&layout.journal()),
            disk.exists(&layout.highlights()),
        ) {
            (Ok(false), Ok(false)) => (Storage::New, true),
            (Ok(_), Ok(_)) => (Storage::UsedBefore, true),
            _ => (Storage::UsedBefore, false),
        },
        Err(_) => (Storage::UsedBefore, false),
    }
}

fn read(layout: &StorageLayout, disk: &Disk) -> io::Result<Option<Note>> {
    match disk.read_file(&layout.sound(), LARGEST) {
        Ok(bytes) => {
            let note: Note = serde_json::from_slice(&bytes)?;
            match note.version {
                VERSION => Ok(Some(note)),
                other => Err(io::Error::other(format!("its version is {other}"))),
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn write(config: &Config, disk: &Disk, note: &Note) -> io::Result<()> {
    let layout = StorageLayout::new(&config.storage.path);
    disk.make_dirs(layout.root())?;
    let to = layout.sound();
    let bytes = serde_json::to_vec(note)?;
    disk.write_atomically(&to.with_extension("new"), &to, &bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::{self, Sources};
    use std::path::Path;

    fn config(storage: &Path, cameras: &str) -> Config {
        let text = format!("[storage]\npath = {:?}\n{cameras}", storage.display());
        let file = storage.with_extension("toml");
        std::fs::write(&file, text).unwrap();
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        config::load(&sources).unwrap().config
    }

    const CAMERAS: &str = "[[camera]]\nid = \"plain\"\nurl = \"rtsp://192.0.2.1/\"\n\
        [[camera]]\nid = \"on\"\nurl = \"rtsp://192.0.2.2/\"\nsound = \"auto\"\n\
        [[camera]]\nid = \"off\"\nurl = \"rtsp://192.0.2.3/\"\nsound = \"off\"\n";
    const LATER: &str = "[[camera]]\nid = \"later\"\nurl = \"rtsp://192.0.2.4/\"\n";

    fn sounds(cameras: &[Camera]) -> Vec<CameraSound> {
        cameras.iter().map(|camera| camera.sound).collect()
    }

    #[test]
    fn what_is_recorded_follows_from_the_storage_and_from_what_somebody_wrote() {
        use CameraSound::{AsBefore, Auto, Off, Unsaid};
        let dir = tempfile::tempdir().unwrap();
        let config = config(&dir.path().join("s"), &format!("{CAMERAS}{LATER}"));
        let noted = |id: &str| Storage::Noted([CameraId::new(id).unwrap()].into());
        let table = [
            (Storage::New, [Unsaid, Auto, Off, Unsaid]),
            (Storage::UsedBefore, [AsBefore, Auto, Off, AsBefore]),
            (Storage::Noted(BTreeSet::new()), [Unsaid, Auto, Off, Unsaid]),
            (noted("plain"), [AsBefore, Auto, Off, Unsaid]),
            (noted("on"), [Unsaid, Auto, Off, Unsaid]),
        ];
        for (storage, expected) in table {
            let only_aac = only_aac(&storage, &config.cameras);
            assert_eq!(
                sounds(&with(&config.cameras, &only_aac)),
                expected,
                "{storage:?}"
            );
        }
    }

    #[test]
    fn a_storage_of_an_earlier_version_is_remembered_as_one() {
        use CameraSound::{AsBefore, Auto, Off, Unsaid};
        let dir = tempfile::tempdir().unwrap();
        let storage = dir.path().join("s");
        std::fs::create_dir_all(storage.join("highlights")).unwrap();
        let disk = Disk::default();
        let before = config(&storage, CAMERAS);
        assert_eq!(
            sounds(&cameras_as_seen(&before, &disk)),
            [AsBefore, Auto, Off]
        );
        assert_eq!(std::fs::read_dir(&storage).unwrap().count(), 1);
        assert_eq!(sounds(&cameras(&before, &disk)), [AsBefore, Auto, Off]);
        // A camera that is added later is no update's.
        let after = config(&storage, &format!("{CAMERAS}{LATER}"));
        for _ in 0..2 {
            assert_eq!(
                sounds(&cameras(&after, &disk)),
                [AsBefore, Auto, Off, Unsaid]
            );
        }
    }

    #[test]
    fn a_new_storage_stays_one_and_a_damaged_note_lets_no_voice_in() {
        use CameraSound::{AsBefore, Auto, Off, Unsaid};
        let dir = tempfile::tempdir().unwrap();
        let storage = dir.path().join("s");
        let disk = Disk::default();
        let config = config(&storage, CAMERAS);
        assert_eq!(sounds(&cameras(&config, &disk)), [Unsaid, Auto, Off]);
        std::fs::create_dir_all(storage.join("highlights")).unwrap();
        assert_eq!(sounds(&cameras(&config, &disk)), [Unsaid, Auto, Off]);
        let note = StorageLayout::new(&storage).sound();
        std::fs::write(&note, b"{\"version\":1,").unwrap();
        assert_eq!(sounds(&cameras(&config, &disk)), [AsBefore, Auto, Off]);
        assert_eq!(std::fs::read(&note).unwrap(), b"{\"version\":1,");
    }
}
