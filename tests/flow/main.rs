//! End to end: real RTSP servers, the real program, real FFmpeg reading the
//! frame numbers back.
#![allow(clippy::unwrap_used)]

mod button;
mod exact;
mod lights;
mod sound;
mod together;
mod trouble;

#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/gst.rs"]
mod gst;
#[path = "../support/media.rs"]
mod media;
#[path = "../support/oracle.rs"]
mod oracle;
#[path = "../support/service.rs"]
mod service;

use std::path::Path;

/// The numbers that FFmpeg shows of a clip, in order.
fn numbers(clip: &Path) -> Vec<u32> {
    frames::read_frame_numbers(clip)
        .into_iter()
        .map(|(_, number)| number)
        .collect()
}

/// How long a player plays it, in seconds, by ffprobe.
fn plays_s(clip: &Path) -> f64 {
    let out = std::process::Command::new("ffprobe")
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
    let text = String::from_utf8_lossy(&out.stdout);
    text.trim().parse().unwrap_or(f64::NAN)
}
