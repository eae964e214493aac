//! The highlights' files, with ranges.
//!
//! A file is served only by the name that the house gives: a date, a press id,
//! a camera with `.mp4`, `.suspect.mp4`, `.marked.mp4`, `.vertical.mp4`, `.jpg` or `.json`. Such a name cannot climb, and
//! no symbolic link on the way is followed. A file under its final name is whole (law 4).

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path as UrlPath;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use nix::fcntl::{OFlag, open as open_path, openat};
use nix::sys::stat::Mode;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::base::{CameraId, PressId};
use crate::storage::HighlightFileKind;
use crate::storage::names::is_day_folder;
use crate::web::api_call::ApiCall;
use crate::web::byte_range::{self, ByteRange};
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::RequestSentence;

pub async fn file(
    call: ApiCall,
    path: Result<UrlPath<(String, String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiRefusal> {
    let UrlPath((date, press, name)) = path.map_err(|_| missing())?;
    if let Some(camera) = camera_of(&name)
        && !call.api.cameras_of(&call.principal).contains(&camera)
        && call.principal.court().is_some()
    {
        return Err(missing());
    }
    serve(&call, (date, press, name), &headers).await
}

/// The file of that day, press and name.
pub(super) async fn serve(
    call: &ApiCall,
    (date, press, name): (String, String, String),
    headers: &HeaderMap,
) -> Result<Response, ApiRefusal> {
    let busy = || {
        let said = RequestSentence::DownloadsTaken {};
        ApiRefusal::new(StatusCode::SERVICE_UNAVAILABLE, said)
    };
    let permit = call.api.place(call.route.bound).ok_or_else(busy)?;
    let root = call.api.settings.highlights.clone();
    let opened = tokio::task::spawn_blocking(move || open(&root, &date, &press, &name));
    match opened.await {
        Ok(Ok(opened)) => Ok(answer(opened, headers, permit)),
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err(busy()),
    }
}

/// A file that may be served.
#[derive(Debug)]
struct HighlightFile {
    file: File,
    size: u64,
    etag: String,
    /// Its content type, and how long it may be kept.
    kind: (&'static str, &'static str),
}

fn missing() -> ApiRefusal {
    ApiRefusal::new(StatusCode::NOT_FOUND, RequestSentence::HighlightUnknown {})
}

/// Opens `<root>/<date>/<press>/<name>`. Blocks.
fn open(root: &Path, date: &str, press: &str, name: &str) -> Result<HighlightFile, ApiRefusal> {
    let kind = kind_of(name);
    let ours = is_day_folder(date)
        && PressId::try_from(press.to_owned()).is_ok()
        && camera_of(name).is_some();
    if !ours {
        return Err(missing());
    }
    let opened = open_below(root, &[date, press], name).and_then(|file| {
        let facts = file.metadata()?;
        Ok((file, facts))
    });
    match opened {
        Ok((file, facts)) if facts.is_file() => Ok(HighlightFile {
            size: facts.len(),
            etag: format!(
                "\"{:x}-{:x}-{:x}\"",
                facts.ino(),
                facts.mtime_nsec(),
                facts.len()
            ),
            file,
            kind,
        }),
        Err(error) if error.raw_os_error() == Some(libc::EIO) => Err(ApiRefusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            RequestSentence::HighlightUnreadable {},
        )),
        _ => Err(missing()),
    }
}

/// Whose file it is; `None`: it has no name of ours.
pub(super) fn camera_of(name: &str) -> Option<CameraId> {
    let (stem, _) = HighlightFileKind::split(name)?;
    CameraId::new(stem).ok()
}

/// A committed clip never changes, nor does what was made of it; a sidecar does.
fn kind_of(name: &str) -> (&'static str, &'static str) {
    const FOR_EVER: &str = "private, max-age=31536000, immutable";
    match name.rsplit('.').next() {
        Some("mp4") => ("video/mp4", FOR_EVER),
        Some("jpg") => ("image/jpeg", FOR_EVER),
        _ => ("application/json", "no-cache"),
    }
}

fn open_below(root: &Path, folders: &[&str], name: &str) -> io::Result<File> {
    let folder = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at: OwnedFd = open_path(root, folder, Mode::empty())?;
    for name in folders {
        at = openat(&at, *name, folder | OFlag::O_NOFOLLOW, Mode::empty())?;
    }
    // Not blocking: somebody may have put a pipe there.
    let plain = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    Ok(File::from(openat(&at, name, plain, Mode::empty())?))
}

/// The answer that sends it, or what is asked of it. `permit` is held until it is sent.
fn answer(opened: HighlightFile, asked: &HeaderMap, permit: OwnedSemaphorePermit) -> Response {
    let HighlightFile {
        file,
        size,
        etag,
        kind: (kind, caching),
    } = opened;
    let text = |name| asked.get(name).and_then(|value| value.to_str().ok());
    let common = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, caching),
        (header::ACCEPT_RANGES, "bytes"),
        (header::ETAG, etag.as_str()),
    ];
    if text(header::IF_NONE_MATCH).is_some_and(|known| known.contains(&etag)) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let same = text(header::IF_RANGE).is_none_or(|known| known == etag);
    let wanted = match text(header::RANGE) {
        Some(range) if same => byte_range::read(range, size),
        _ => ByteRange::Whole,
    };
    let (status, from, count) = match wanted {
        ByteRange::Whole => (StatusCode::OK, 0, size),
        ByteRange::Part(from, count) => (StatusCode::PARTIAL_CONTENT, from, count),
        ByteRange::BehindEnd => {
            let said = RequestSentence::RangeBehindEnd { size_bytes: size };
            let refused = ApiRefusal::new(StatusCode::RANGE_NOT_SATISFIABLE, said);
            let unit = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return (unit, refused).into_response();
        }
    };
    let length = [(header::CONTENT_LENGTH, count.to_string())];
    let part = (status == StatusCode::PARTIAL_CONTENT).then(|| {
        let last = from + count - 1;
        [(header::CONTENT_RANGE, format!("bytes {from}-{last}/{size}"))]
    });
    let body = Body::from_stream(stream(file, from, count, permit));
    match part {
        Some(part) => (status, common, length, part, body).into_response(),
        None => (status, common, length, body).into_response(),
    }
}

/// Read at once from the file.
const CHUNK: u64 = 256 * 1024;
/// A client that takes less than this for long only holds a place.
const SLOWEST_BYTES_PER_S: u64 = 32 * 1024;

fn stream(
    file: File,
    from: u64,
    count: u64,
    permit: OwnedSemaphorePermit,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
    let allowed = Duration::from_secs(60 + count / SLOWEST_BYTES_PER_S);
    let deadline = Instant::now() + allowed;
    let start = (Arc::new(file), from, count, permit);
    futures::stream::try_unfold(start, move |(file, from, left, permit)| async move {
        if left == 0 {
            return Ok(None);
        }
        if Instant::now() > deadline {
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        let reading = file.clone();
        let chunk = tokio::task::spawn_blocking(move || read_chunk(&reading, from, left));
        let chunk = chunk.await.map_err(io::Error::other)??;
        let read = u64::try_from(chunk.len()).map_err(io::Error::other)?;
        Ok(Some((chunk, (file, from + read, left - read, permit))))
    })
}

fn read_chunk(file: &File, from: u64, left: u64) -> io::Result<Bytes> {
    let size = usize::try_from(left.min(CHUNK)).unwrap_or(usize::MAX);
    let mut chunk = vec![0; size];
    file.read_exact_at(&mut chunk, from)?;
    Ok(Bytes::from(chunk))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_names_that_the_house_gives_are_opened_and_no_link_is_followed() {
        let base = tempfile::tempdir().unwrap();
        let root = base.path().join("highlights");
        let press = "0123abcd-00000000abc-00010002";
        let folder = root.join("2026-11-21").join(press);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(base.path().join("secret.json"), "x").unwrap();
        for name in [
            "court1.mp4",
            "court1.json",
            "court1.suspect.mp4",
            "court1.mp4.part",
            ".court1.mp4",
        ] {
            std::fs::write(folder.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink("../../../secret.json", folder.join("link.json")).unwrap();
        std::os::unix::fs::symlink("2026-11-21", root.join("2026-11-22")).unwrap();
        nix::unistd::mkfifo(&folder.join("pipe.mp4"), Mode::S_IRWXU).unwrap();

        let taken = |date: &str, press: &str, name: &str| open(&root, date, press, name).is_ok();
        for name in ["court1.mp4", "court1.json", "court1.suspect.mp4"] {
            assert!(taken("2026-11-21", press, name), "{name}");
        }
        let wrong = [
            "court1.mp4.part",
            ".court1.mp4",
            "link.json",
            "pipe.mp4",
            "court2.mp4",
            "..",
            "../../../secret.json",
            "court1",
            "",
            "court1.mp4\0",
            "COURT1.mp4",
        ];
        for name in wrong {
            assert!(!taken("2026-11-21", press, name), "{name:?}");
        }
        assert!(!taken("2026-11-22", press, "court1.mp4"), "a linked folder");
        assert!(!taken("..", "highlights", "court1.mp4"));
        assert!(!taken("2026-11-21", "..", "court1.mp4"));
    }
}
