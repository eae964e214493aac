//! What is sent of a highlight: which files, in which order, under which names. Pure but for
//! the sizes of the files.
//!
//! The video comes first, the copy of the sidecar last: its presence means that all is there.
//!
//! Not here: where it goes.

use std::path::{Path, PathBuf};

use super::naming;
use super::sentence::UploadSentence;
use crate::config::template::KeyTemplate;
use crate::queue::sidecar::{Meta, Sidecar, Status};
use crate::queue::work::{Failure, Job};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    Video,
    Vertical,
    Thumbnail,
    Sidecar,
}

impl FileRole {
    /// Behind the video's stem.
    fn end(self) -> &'static str {
        match self {
            FileRole::Video => ".mp4",
            FileRole::Vertical => "-vertical.mp4",
            FileRole::Thumbnail => ".jpg",
            FileRole::Sidecar => ".json",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            FileRole::Video | FileRole::Vertical => "video/mp4",
            FileRole::Thumbnail => "image/jpeg",
            FileRole::Sidecar => "application/json",
        }
    }
}

/// Where the bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    File(PathBuf),
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub part: FileRole,
    /// The object's key, or the path below a folder.
    pub key: String,
    pub content: Content,
    pub size_bytes: u64,
    /// 64 hex digits, where the sidecar knows it; adapters take the others' from the file.
    pub sha256: Option<String>,
}

impl Item {
    /// It is on this box's disk, but not as its sidecar says.
    pub fn damaged(&self) -> Failure {
        match &self.content {
            Content::File(path) => damaged(path),
            Content::Bytes(_) => damaged(Path::new(&self.key)),
        }
    }
}

/// What lies on this box's disk is not what its sidecar says, or not what it was a moment ago.
pub fn damaged(path: &Path) -> Failure {
    Failure::failed(UploadSentence::ClipDamaged {
        path: path.display().to_string(),
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// In the order in which they are sent: at least the video and the sidecar.
    pub items: Vec<Item>,
}

impl Bundle {
    pub fn of(job: &Job<'_>, template: &KeyTemplate, venue: &str) -> Result<Bundle, Failure> {
        let stem = naming::stem(template, venue, job.sidecar);
        let about = job.sidecar;
        let video = job
            .video()
            .ok_or_else(|| Failure::permanent(UploadSentence::NoVideo {}))?;
        let marked = about.meta_wm.as_ref().filter(|_| about.wm_path.is_some());
        let sha256 = marked.map_or(about.sha256.clone(), |m| Some(m.sha256.clone()));
        let mut items = vec![item(FileRole::Video, &stem, video, sha256)?];
        let beside = [
            (FileRole::Vertical, &about.vertical_path),
            (FileRole::Thumbnail, &about.thumbnail_path),
        ];
        for (part, name) in beside {
            if let Some(name) = name {
                items.push(item(part, &stem, job.folder.join(name), None)?);
            }
        }
        let bytes = copy(about, &items).to_bytes();
        items.push(Item {
            part: FileRole::Sidecar,
            key: format!("{stem}{}", FileRole::Sidecar.end()),
            size_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            content: Content::Bytes(bytes),
            sha256: None,
        });
        Ok(Bundle { items })
    }

    pub fn total_bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size_bytes).sum()
    }

    /// The video's name there.
    pub fn place(&self) -> &str {
        self.items.first().map_or("", |item| &item.key)
    }
}

fn item(
    part: FileRole,
    stem: &str,
    path: PathBuf,
    sha256: Option<String>,
) -> Result<Item, Failure> {
    let facts = std::fs::metadata(&path).map_err(|error| unreadable(&path, &error))?;
    Ok(Item {
        part,
        key: format!("{stem}{}", part.end()),
        content: Content::File(path),
        size_bytes: facts.len(),
        sha256,
    })
}

/// One of our own files cannot be read: gone is gone; all else is the disk's trouble, which
/// may pass.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let why = UploadSentence::FileUnreadable {
        path: path.display().to_string(),
        error: crate::disk::files::for_people(error),
    };
    match error.kind() {
        std::io::ErrorKind::NotFound => Failure::permanent(why),
        _ => Failure::unavailable(why),
    }
}

/// The sidecar as others get it: it describes the video that lies beside it, and nothing of
/// this box's disk, errors and uploads.
fn copy(sidecar: &Sidecar, items: &[Item]) -> Sidecar {
    let name_of = |part: FileRole| {
        let item = items.iter().find(|item| item.part == part)?;
        item.key.rsplit('/').next().map(str::to_owned)
    };
    let mut copy = sidecar.clone();
    if let (Some(marked), Some(_)) = (&sidecar.meta_wm, &sidecar.wm_path) {
        copy.size_bytes = Some(marked.size_bytes);
        copy.sha256 = Some(marked.sha256.clone());
        copy.meta = Some(Meta {
            codec: marked.codec,
            width: marked.width,
            height: marked.height,
            fps: marked.fps,
            duration_sec: marked.duration_sec,
            audio_codec: marked.audio_codec,
        });
    }
    copy.file_name = name_of(FileRole::Video);
    copy.vertical_path = name_of(FileRole::Vertical);
    copy.thumbnail_path = name_of(FileRole::Thumbnail);
    copy.wm_path = None;
    copy.meta_wm = None;
    copy.status = Status::Uploaded;
    copy.reason = None;
    copy.reason_code = None;
    copy.reason_args.clear();
    copy.stage = None;
    copy.attempts = 0;
    copy.set_error(None);
    copy.updated_at = None;
    copy.uploads = Vec::new();
    copy.removed = None;
    copy.dropped = false;
    // A note that names a file of this box is of no use elsewhere.
    let names_a_path = |note: &String| note.split_whitespace().any(|word| word.starts_with('/'));
    copy.notes.retain(|note| !names_a_path(note));
    copy.note_codes.retain(|note| !names_a_path(&note.text));
    copy
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::sidecar;
    use super::*;
    use crate::queue::sidecar::{MarkedMeta, Stage, TargetState, UploadStatus};

    fn rig(about: &Sidecar) -> (tempfile::TempDir, Result<Bundle, Failure>) {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "court1.mp4",
            "court1.marked.mp4",
            "court1.v.mp4",
            "court1.jpg",
        ] {
            std::fs::write(dir.path().join(name), b"bytes").unwrap();
        }
        let job = Job {
            folder: dir.path(),
            sidecar: about,
            tmp: Path::new("/nowhere"),
        };
        let template = KeyTemplate::new("{venue}/{press}-{camera}.mp4").unwrap();
        let bundle = Bundle::of(&job, &template, "Park");
        (dir, bundle)
    }

    #[test]
    fn the_video_goes_first_and_the_sidecar_last_under_one_stem() {
        let mut about = sidecar();
        about.vertical_path = Some("court1.v.mp4".to_owned());
        about.thumbnail_path = Some("court1.jpg".to_owned());
        let (dir, bundle) = rig(&about);
        let bundle = bundle.unwrap();
        let stem = format!("Park/{}-court1", about.press_id);
        let keys: Vec<&str> = bundle.items.iter().map(|i| i.key.as_str()).collect();
        let ends = [".mp4", "-vertical.mp4", ".jpg", ".json"];
        assert_eq!(keys, ends.map(|end| format!("{stem}{end}")));
        assert_eq!(
            bundle.items[0].content,
            Content::File(dir.path().join("court1.mp4"))
        );
        assert_eq!(bundle.items[0].sha256, about.sha256);
        assert_eq!(bundle.place(), keys[0]);
    }

    #[test]
    fn the_copy_of_the_sidecar_describes_the_marked_video_and_nothing_of_this_box() {
        let mut about = sidecar();
        about.wm_path = Some("court1.marked.mp4".to_owned());
        about.meta_wm = Some(MarkedMeta {
            codec: crate::media::Codec::H264,
            width: 1280,
            height: 720,
            fps: 25.0,
            duration_sec: 49.9,
            audio_codec: None,
            size_bytes: 5,
            sha256: "ab".repeat(32),
        });
        about.thumbnail_path = Some("court1.jpg".to_owned());
        about.status = Status::QueuedRetry;
        about.stage = Some(Stage::Upload);
        about.attempts = 2;
        about.last_error = Some("canary in /srv/secret".to_owned());
        about.updated_at = Some("canary".to_owned());
        about
            .notes
            .push("the logo /etc/canary.png was small".to_owned());
        about.uploads = vec![TargetState {
            target: "canary".to_owned(),
            status: UploadStatus::Waiting,
            attempts: 2,
            last_error: Some("canary".to_owned()),
            last_error_code: None,
            last_error_args: Default::default(),
            updated_at: "canary".to_owned(),
            place: None,
            resume: Some(serde_json::json!("canary")),
        }];
        let (_dir, bundle) = rig(&about);
        let bundle = bundle.unwrap();
        let Content::Bytes(bytes) = &bundle.items.last().unwrap().content else {
            panic!("no bytes")
        };
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(
            !text.contains("canary") && !text.contains("marked.mp4"),
            "{text}"
        );
        let copy = Sidecar::from_bytes(bytes).unwrap();
        assert_eq!(copy.contradiction(), None);
        let stem = format!("{}-court1", about.press_id);
        assert_eq!(copy.file_name, Some(format!("{stem}.mp4")));
        assert_eq!(copy.thumbnail_path, Some(format!("{stem}.jpg")));
        assert_eq!(copy.sha256, Some("ab".repeat(32)));
        assert_eq!(copy.meta.unwrap().height, 720);
        assert_eq!(copy.notes.len(), 1);
        assert_eq!(bundle.items[0].sha256, Some("ab".repeat(32)));
    }

    #[test]
    fn a_video_that_is_gone_is_never_tried_again() {
        let mut about = sidecar();
        about.file_name = Some("missing.mp4".to_owned());
        let (_dir, bundle) = rig(&about);
        assert!(matches!(bundle, Err(Failure::Permanent { .. })));
    }
}
