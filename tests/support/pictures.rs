//! What a player shows of a clip, by FFmpeg: the numbers
//! drawn in the pictures, in the order in which they are shown.

use std::path::Path;
use std::process::Command;

use hindsight::demo::picture::read_number;

/// The number of each shown frame; `Err` says what FFmpeg complained about, or
/// which frame shows no number.
pub fn numbers(clip: &Path) -> Result<Vec<u32>, String> {
    let out = Command::new("ffmpeg")
        .args(["-v", "warning", "-i"])
        .arg(clip)
        .args([
            "-map",
            "0:v:0",
            "-fps_mode",
            "passthrough",
            "-vf",
            "scale=320:180",
        ])
        .args(["-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .map_err(|e| format!("ffmpeg cannot be started: {e}"))?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    if !out.status.success() {
        return Err(format!("ffmpeg cannot decode {}: {said}", clip.display()));
    }
    out.stdout
        .chunks(320 * 180)
        .enumerate()
        .map(|(n, luma)| {
            read_number(luma, 320, 180)
                .map(u32::from)
                .ok_or_else(|| format!("frame {n} of {} shows no number", clip.display()))
        })
        .collect()
}

/// How long a player plays it, in seconds, by ffprobe.
pub fn plays_s(clip: &Path) -> f64 {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
        ])
        .arg(clip)
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stdout)
        .trim()
        .parse()
        .unwrap_or(f64::NAN)
}
