//! The files of one job: the clip and the logos as they are read, and what is made of them, which
//! goes again unless it is kept.
//!
//! Not here: what is made (`plan`), who makes it (`ffmpeg_finisher`), the files' final names (`queue`).

use std::fs::File;
use std::path::PathBuf;

use super::clip::Clip;
use super::place::SizedLogo;
use super::plan::Outputs;
use super::sentence::FinishingSentence;
use crate::config::Logo;
use crate::disk::{Disk, files::for_people};
use crate::mp4;
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

pub fn read_clip(disk: &Disk, job: &Job<'_>) -> Result<(PathBuf, Clip), Failure> {
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
    let opened = disk
        .open_read(&path)
        .and_then(|file| Ok((file.reader()?, file.len()?)));
    let (file, bytes) = opened.map_err(|e| unreadable(for_people(&e)))?;
    let inspected = mp4::inspect(std::io::BufReader::new(file), bytes)
        .map_err(|e| unreadable(e.to_string()))?;
    let doubtful = job
        .sidecar
        .damaged
        .iter()
        .map(|damaged| damaged.frames)
        .sum();
    let clip = Clip::of(&inspected, bytes, doubtful);
    let clip = clip.ok_or_else(|| unreadable("it has no picture".to_owned()))?;
    Ok((absolute, clip))
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
