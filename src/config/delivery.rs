//! What is done with a clip: the mark, the queue, where it is uploaded to, how
//! long it is kept; as the program trusts it.
//!
//! Not here: FFmpeg (`finish`), the network (`upload`), the jobs (`queue`).
//! Called by: the room's face, `checked`.

use std::path::PathBuf;

use url::Url;

use super::checked::Secret;
use super::template::KeyTemplate;
use crate::base::hours::DailyWindow;

/// What becomes of the picture. Without logos, text and `vertical` nothing is encoded again.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    pub logos: Vec<Logo>,
    pub text: Option<Text>,
    /// A 9:16 version beside the wide one.
    pub vertical: bool,
    /// 0..=51
    pub crf: u8,
    /// An x264 preset; `None`: the best one that keeps up on this machine.
    pub preset: Option<String>,
    pub encoder: Encoder,
    /// The program; a name is looked for in `PATH`.
    pub ffmpeg: PathBuf,
    /// How many clips at once.
    pub jobs: usize,
}

impl Finish {
    /// Whether the picture is encoded again.
    pub fn marks(&self) -> bool {
        !self.logos.is_empty() || self.text.is_some()
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Logo {
    /// A PNG.
    pub file: PathBuf,
    /// Several in one corner stand below each other.
    pub corner: Corner,
    /// Of the picture's width; above 0, at most 1.
    pub rel_width: f64,
    /// From the picture's edges, in pixels of a picture 1080 high.
    pub margin_px: u32,
    /// 0 is invisible, 1 covers.
    pub opacity: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corner {
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
    Center,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// With `{venue}`, `{court}`, `{camera}`, `{date}`, `{time}` (the press, venue-local).
    pub template: String,
    pub corner: Corner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// `h264_v4l2m2m` where it works, else libx264.
    Auto,
    Libx264,
    V4l2m2m,
}

/// How jobs are tried, and how long what is done is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Of each stage; only attempts that the far side answered, or that FFmpeg ran, count.
    pub max_attempts: u32,
    /// Uploaded highlights go after this.
    pub keep_uploaded_ms: u64,
    /// Without an upload target: highlights go after this; `None`: never.
    pub keep_ms: Option<u64>,
    /// Whether the unmarked clip stays beside the marked one.
    pub keep_raw: bool,
}

/// What all targets share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UploadSettings {
    /// Bits per second of all uploads together; `None`: no limit.
    pub max_rate_bps: Option<u64>,
    /// Only within these hours.
    pub window: Option<DailyWindow>,
}

/// Where highlights are uploaded to.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// As a camera's id is written; names its state in the sidecar.
    pub id: String,
    pub kind: TargetKind,
}

// There are a handful of them at most.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum TargetKind {
    Folder(FolderTarget),
    S3(S3Target),
    SignedUrl(SignedUrlTarget),
}

impl TargetKind {
    /// Where files go and how they are called; `None` where somebody else decides.
    pub fn place(&self) -> Option<(String, &KeyTemplate)> {
        match self {
            TargetKind::Folder(folder) => {
                Some((folder.path.to_string_lossy().into_owned(), &folder.key))
            }
            TargetKind::S3(s3) => Some((format!("{} {}", s3.endpoint, s3.bucket), &s3.key)),
            TargetKind::SignedUrl(_) => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct FolderTarget {
    /// Absolute. Must exist: an unmounted share is not made anew on the box's own disk.
    pub path: PathBuf,
    /// See [`S3Target::key`].
    pub key: KeyTemplate,
}

#[derive(Clone, Debug, PartialEq)]
pub struct S3Target {
    /// `https://…` or `http://…`, without bucket, user and query.
    pub endpoint: Url,
    pub region: String,
    pub bucket: String,
    /// The video's name; what lies beside it (vertical, thumbnail, sidecar) takes its stem.
    pub key: KeyTemplate,
    pub path_style: bool,
    pub storage_class: Option<String>,
    /// `AES256` or `aws:kms`.
    pub encryption: Option<String>,
    pub kms_key: Option<String>,
    pub cache_control: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// More certificate authorities than the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SignedUrlTarget {
    /// Of the backend: scheme, host and port.
    pub url: Url,
    pub device_id: String,
    pub client_id: String,
    /// Of the HMAC.
    pub secret: Secret,
    /// Path of the POST that registers the metadata.
    pub register_path: String,
    /// Path of the POST that finalizes; `{id}` is what the backend called the video.
    pub finalize_path: String,
    pub fields: SignedUrlFields,
    /// Answers that end the job without a retry.
    pub never: Vec<Never>,
    /// More certificate authorities than the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

/// Names of JSON fields in the backend's language; dots go into objects (`data.upload_url`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrlFields {
    /// In the registration: what the file is (`video`, `vertical`, `thumbnail`, `sidecar`).
    pub kind: String,
    pub file_name: String,
    pub content_type: String,
    pub press_id: String,
    pub camera_id: String,
    pub venue: String,
    pub court: String,
    /// Of the press: RFC 3339, UTC; missing while the box did not know the time.
    pub pressed_at: String,
    /// Of the press within the clip.
    pub press_offset_ms: String,
    pub duration_ms: String,
    /// In the answer to the registration.
    pub id: String,
    pub upload_url: String,
    /// An object of headers to send with the PUT; may be missing from the answer.
    pub upload_headers: String,
    /// In the registration and in the finalization.
    pub size_bytes: String,
    pub sha256: String,
    /// In the finalization: as storage answered the PUT; missing where it gave none.
    pub etag: String,
}

impl SignedUrlFields {
    /// All names, by our own word for each.
    pub fn each_mut(&mut self) -> [(&'static str, &mut String); 16] {
        [
            ("kind", &mut self.kind),
            ("file_name", &mut self.file_name),
            ("content_type", &mut self.content_type),
            ("press_id", &mut self.press_id),
            ("camera_id", &mut self.camera_id),
            ("venue", &mut self.venue),
            ("court", &mut self.court),
            ("pressed_at", &mut self.pressed_at),
            ("press_offset_ms", &mut self.press_offset_ms),
            ("duration_ms", &mut self.duration_ms),
            ("id", &mut self.id),
            ("upload_url", &mut self.upload_url),
            ("upload_headers", &mut self.upload_headers),
            ("size_bytes", &mut self.size_bytes),
            ("sha256", &mut self.sha256),
            ("etag", &mut self.etag),
        ]
    }
}

impl Default for SignedUrlFields {
    /// Our own words.
    fn default() -> SignedUrlFields {
        let mut fields = SignedUrlFields {
            kind: String::new(),
            file_name: String::new(),
            content_type: String::new(),
            press_id: String::new(),
            camera_id: String::new(),
            venue: String::new(),
            court: String::new(),
            pressed_at: String::new(),
            press_offset_ms: String::new(),
            duration_ms: String::new(),
            id: String::new(),
            upload_url: String::new(),
            upload_headers: String::new(),
            size_bytes: String::new(),
            sha256: String::new(),
            etag: String::new(),
        };
        for (ours, name) in fields.each_mut() {
            *name = ours.to_owned();
        }
        fields
    }
}

/// `403`, or `403 outside_allowed_window`: a status, and a word that the body must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Never {
    pub status: u16,
    pub word: Option<String>,
}

impl Default for Finish {
    fn default() -> Finish {
        Finish {
            logos: Vec::new(),
            text: None,
            vertical: false,
            crf: 23,
            preset: None,
            encoder: Encoder::Auto,
            ffmpeg: PathBuf::from("ffmpeg"),
            jobs: 1,
        }
    }
}

impl Default for QueueSettings {
    fn default() -> QueueSettings {
        QueueSettings {
            max_attempts: 3,
            keep_uploaded_ms: 7 * 24 * 3_600_000,
            keep_ms: None,
            keep_raw: true,
        }
    }
}
