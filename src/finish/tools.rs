//! What this machine has: an FFmpeg that runs, an encoder that works, a font.
//!
//! Asked at the first clip that needs it and kept; what was missing is asked again.
//! Not here: how FFmpeg is run (`run`).

use std::path::Path;

use super::plan::{self, Coder};
use super::run::{Bounds, RunError, first_line, run};
use super::sentence::ToolSentence;
use crate::base::Stop;
use crate::config::Encoder;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tools {
    pub coder: Coder,
}

const PROBE_MS: u64 = 20_000;
/// No probe writes a file.
const PROBE_FILE: u64 = 1 << 20;

/// Why nothing can be made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolError {
    Run(RunError),
    Lacks(ToolSentence),
}

/// The first encoder that works, of those that may be used.
pub fn find(
    program: &Path,
    encoder: Encoder,
    limit_ms: u64,
    stop: &Stop,
) -> Result<Tools, ToolError> {
    let coders: &[Coder] = match encoder {
        Encoder::Auto => &[Coder::V4l2m2m, Coder::X264],
        Encoder::Libx264 => &[Coder::X264],
        Encoder::V4l2m2m => &[Coder::V4l2m2m],
    };
    let mut why = String::new();
    for &coder in coders {
        match probe(program, &plan::probe(coder), limit_ms, stop) {
            Ok(_) => return Ok(Tools { coder }),
            // It ran and said no: the next.
            Err(RunError::GaveUp { said, .. }) => why = said,
            Err(other) => return Err(ToolError::Run(other)),
        }
    }
    let coder = coders.last().map_or("libx264", |coder| coder.name());
    Err(ToolError::Lacks(ToolSentence::NoCoder { coder, why }))
}

/// `FFmpeg 5.1.8`, as far as it says so.
pub fn version(program: &Path, limit_ms: u64, stop: &Stop) -> Result<String, ToolError> {
    let bounds = bounds(limit_ms);
    let line = first_line(program, &plan::version(), &bounds, stop).map_err(ToolError::Run)?;
    Ok(version_in(&line).map_or("FFmpeg".to_owned(), |v| format!("FFmpeg {v}")))
}

/// `ffmpeg version 5.1.8-0+deb12u1 Copyright (c) …`
fn version_in(line: &str) -> Option<&str> {
    let version = line
        .strip_prefix("ffmpeg version ")?
        .split_whitespace()
        .next()?;
    // What a distribution made of it is of no interest.
    version.split('-').next().filter(|v| !v.is_empty())
}

/// A font that this FFmpeg draws with.
pub fn font(program: &Path, limit_ms: u64, stop: &Stop) -> Result<String, ToolError> {
    let places = ["/usr/share/fonts", "/usr/local/share/fonts"];
    let font = places.iter().find_map(|place| best_below(Path::new(place)));
    let font = font.ok_or(ToolError::Lacks(ToolSentence::NoFont {}))?;
    let argv = plan::probe_text(&font);
    match probe(program, &argv, limit_ms, stop) {
        Ok(_) => Ok(font),
        Err(RunError::GaveUp { said, .. }) => {
            Err(ToolError::Lacks(ToolSentence::NoText { why: said }))
        }
        Err(other) => Err(ToolError::Run(other)),
    }
}

fn probe(
    program: &Path,
    argv: &[std::ffi::OsString],
    limit_ms: u64,
    stop: &Stop,
) -> Result<bool, RunError> {
    run(program, argv, &bounds(limit_ms), &|_| {}, stop)
}

fn bounds(limit_ms: u64) -> Bounds {
    Bounds {
        whole_ms: limit_ms.min(PROBE_MS),
        stalled_ms: PROBE_MS,
        plays_us: 0,
        room: None,
        largest_file: PROBE_FILE,
    }
}

/// Faces that are easy to read over a moving picture, the best first.
const FACES: &[&str] = &[
    "DejaVuSans-Bold.ttf",
    "NotoSans-Bold.ttf",
    "LiberationSans-Bold.ttf",
    "FreeSansBold.ttf",
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
];
/// Enough for any machine with fonts on it; a loop of links ends here.
const MOST_FILES: usize = 20_000;

/// The best face below a folder; else the first that is a font at all, by name.
fn best_below(folder: &Path) -> Option<String> {
    let mut fonts = Vec::new();
    let mut todo = vec![folder.to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MOST_FILES {
                break;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                _ => fonts.extend(as_font(&entry.path())),
            }
        }
    }
    fonts.sort();
    fonts.into_iter().next().map(|(_, path)| path)
}

/// Its rank among the faces and its path, if it is a font.
fn as_font(path: &Path) -> Option<(usize, String)> {
    let name = path.file_name()?.to_str()?;
    let kind = path.extension()?.to_str()?.to_ascii_lowercase();
    if !["ttf", "otf"].contains(&kind.as_str()) {
        return None;
    }
    let rank = FACES.iter().position(|face| *face == name);
    Some((rank.unwrap_or(FACES.len()), path.to_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_version_is_told_without_what_a_distribution_made_of_it() {
        let debian = "ffmpeg version 5.1.8-0+deb12u1 Copyright (c) 2000-2025 the FFmpeg developers";
        assert_eq!(version_in(debian), Some("5.1.8"));
        let built = "ffmpeg version n7.1 Copyright (c) 2000-2024 the FFmpeg developers";
        assert_eq!(version_in(built), Some("n7.1"));
        assert_eq!(version_in("ffprobe"), None);
        assert_eq!(version_in("ffmpeg version "), None);
    }

    #[test]
    fn the_face_that_reads_best_is_taken_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(best_below(dir.path()), None);
        std::fs::create_dir_all(dir.path().join("z/deep")).unwrap();
        std::fs::write(dir.path().join("README"), "").unwrap();
        std::fs::write(dir.path().join("Aardvark.otf"), "").unwrap();
        let only = best_below(dir.path()).unwrap();
        assert!(only.ends_with("Aardvark.otf"));
        std::fs::write(dir.path().join("z/deep/DejaVuSans-Bold.ttf"), "").unwrap();
        std::fs::write(dir.path().join("DejaVuSans.ttf"), "").unwrap();
        let best = best_below(dir.path()).unwrap();
        assert!(best.ends_with("z/deep/DejaVuSans-Bold.ttf"), "{best}");
    }
}
