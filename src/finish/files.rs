//! The files of one job: the clip and the logos as they are read, and what is made of them, which
//! goes again unless it is kept.
//!
//! Not here: what is made (`plan`), who makes it (`ffmpeg_finisher`), the files' final names (`queue`).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::clip::Clip;
use super::even;
use super::place::SizedLogo;
use super::plan::Outputs;
use super::sentence::FinishingSentence;
use crate::config::Logo;
use crate::disk::{Disk, File as DiskFile, files::for_people, files::is_full};
use crate::media::{TrackParams, slice};
use crate::mp4::{self, Inspected};
use crate::queue::work::{Failure, Job};
use crate::storage::names::work_file;

/// The files of one job, gone when this is dropped unless they are kept.
pub struct Files {
    pub outputs: Outputs,
    pub keep: bool,
}

impl Files {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        let videos = self.outputs.marked.iter().chain(&self.outputs.vertical);
        videos.chain([&self.outputs.thumbnail])
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is swept at the next start.
            self.all().for_each(|path| {
                let _ = std::fs::remove_file(path);
            });
        }
    }
}

/// The press in the clip, as played.
pub fn press_90k(job: &Job<'_>) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let ticks = (job.sidecar.pre_seconds.max(0.0) * 90_000.0).round() as u64;
    ticks
}

pub fn files(job: &Job<'_>, marked: bool, vertical: bool) -> Files {
    let (press, camera) = (&job.sidecar.press_id, &job.sidecar.camera.id);
    let path = |ending: &str| job.tmp.join(work_file(press, camera, ending));
    Files {
        outputs: Outputs {
            marked: marked.then(|| path("marked.mp4")),
            vertical: vertical.then(|| path("vertical.mp4")),
            thumbnail: path("thumbnail.jpg"),
        },
        keep: false,
    }
}

/// A clip as FFmpeg is shown it.
pub struct ClipFile {
    pub path: PathBuf,
    /// A copy of ours with even times, which goes when it was read.
    copy: bool,
}

impl Drop for ClipFile {
    fn drop(&mut self) {
        if self.copy {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

pub fn read_clip(disk: &Disk, job: &Job<'_>) -> Result<(ClipFile, Clip), Failure> {
    let path = job
        .clip()
        .ok_or_else(|| Failure::permanent(FinishingSentence::NoClip {}))?;
    let unreadable = |error: String| {
        Failure::failed(FinishingSentence::ClipUnreadable {
            path: path.display().to_string(),
            error,
        })
    };
    let absolute = std::path::absolute(&path).map_err(|e| unreadable(for_people(&e)))?;
    let file = disk
        .open_read(&absolute)
        .map_err(|e| unreadable(for_people(&e)))?;
    let (mut inspected, bytes) = inspected(&file).map_err(|e| unreadable(e.to_string()))?;
    let mut shown = ClipFile {
        path: absolute,
        copy: false,
    };
    if even::stumbles(&inspected, || reorders_nothing(&file, &inspected)) {
        let (press, camera) = (&job.sidecar.press_id, &job.sidecar.camera.id);
        shown.path = job.tmp.join(work_file(press, camera, "even.mp4"));
        shown.copy = true;
        write_even(disk, &file, &inspected, &shown.path).map_err(|e| unwritable(&shown.path, e))?;
        let copy = disk
            .open_read(&shown.path)
            .map_err(|e| unreadable(for_people(&e)))?;
        inspected = self::inspected(&copy)
            .map_err(|e| unreadable(e.to_string()))?
            .0;
    }
    let damaged = job.sidecar.damaged.iter().map(|damaged| damaged.frames);
    let clip = Clip::of(&inspected, bytes, damaged.sum());
    let clip = clip.ok_or_else(|| unreadable("it has no picture".to_owned()))?;
    Ok((shown, clip))
}

fn inspected(file: &DiskFile) -> io::Result<(Inspected, u64)> {
    let bytes = file.len()?;
    let reader = io::BufReader::new(file.reader()?);
    let inspected = mp4::inspect(reader, bytes).map_err(io::Error::other)?;
    Ok((inspected, bytes))
}

/// Whether no picture of a clip refers to a later one. What cannot be read is doubtful.
fn reorders_nothing(file: &DiskFile, inspected: &Inspected) -> bool {
    let Some(video) = inspected.tracks.first() else {
        return false;
    };
    let mut bytes = Vec::new();
    video.samples.iter().all(|sample| {
        let entry = usize::try_from(sample.entry).unwrap_or(usize::MAX);
        let Some(params) = video.entries.get(entry) else {
            return false;
        };
        bytes.resize(usize::try_from(sample.size).unwrap_or(0), 0);
        let read = file.read_exact_at(&mut bytes, sample.offset);
        read.is_ok() && !slice::has_b_slice(params.codec, &bytes)
    })
}

/// Writes the clip's bytes with an index of even times.
fn write_even(disk: &Disk, from: &DiskFile, inspected: &Inspected, to: &Path) -> io::Result<()> {
    const PIECE: usize = 1 << 20;
    let index = even::evened(inspected);
    let count = |track: usize| {
        let samples = inspected.tracks.get(track).map_or(0, |t| t.samples.len());
        u64::try_from(samples).unwrap_or(u64::MAX)
    };
    let entries = inspected.tracks.iter().flat_map(|t| t.entries.clone());
    let entries: Vec<TrackParams> = entries.collect();
    let reserve = mp4::reserve_for(count(0), count(1), &entries);
    let data = inspected.data.clone();
    let placed = mp4::place(reserve, data.end - data.start, &index).map_err(io::Error::other)?;
    let file = disk.create(to)?;
    file.write_all_at(&placed.front, 0)?;
    let mut at = mp4::data_offset(reserve);
    let mut bytes = vec![0; PIECE];
    let mut next = data.start;
    while next < data.end {
        let len = usize::try_from(data.end - next).unwrap_or(PIECE).min(PIECE);
        from.read_exact_at(&mut bytes[..len], next)?;
        file.write_all_at(&bytes[..len], at)?;
        let len = u64::try_from(len).unwrap_or(0);
        (next, at) = (next + len, at + len);
    }
    file.write_all_at(&placed.tail, at)
}

fn unwritable(path: &Path, error: io::Error) -> Failure {
    match is_full(&error) {
        true => Failure::unavailable(FinishingSentence::DiskRefused {
            error: error.to_string(),
        }),
        false => Failure::failed(FinishingSentence::FileFailed {
            path: path.display().to_string(),
            error: for_people(&error),
        }),
    }
}

/// The logos with the sizes of their files. They were checked at the start; what went since is waited for.
pub fn sized(logos: &[Logo]) -> Result<Vec<SizedLogo<'_>>, Failure> {
    logos
        .iter()
        .map(|logo| {
            let path = || logo.file.display().to_string();
            let file = File::open(&logo.file).map_err(|e| {
                Failure::unavailable(FinishingSentence::LogoGone {
                    path: path(),
                    error: for_people(&e),
                })
            })?;
            let decoder = png::Decoder::new(std::io::BufReader::new(file));
            let reader = decoder.read_info().map_err(|e| {
                Failure::unavailable(FinishingSentence::LogoNoPng {
                    path: path(),
                    error: e.to_string(),
                })
            })?;
            let (width, height) = reader.info().size();
            Ok(SizedLogo {
                logo,
                width,
                height,
            })
        })
        .collect()
}
