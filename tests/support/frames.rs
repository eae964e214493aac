//! What a clip shows, frame by frame: FFmpeg decodes it, and the number drawn
//! in each picture is read.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use hindsight::demo::picture::read_number;

/// A frame that a player shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// When, from the beginning of the clip.
    pub pts_seconds: f64,
    /// The number in the picture; none where its check blocks are not right.
    pub number: Option<u32>,
}

/// Width to which pictures are made small before they are read.
const WIDTH: usize = 320;

/// Every frame of the first video track that FFmpeg shows, edit list applied, in order.
pub fn read_frames(path: &Path) -> Vec<Seen> {
    let height = small_height(path);
    let mut ffmpeg = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-hide_banner",
            "-loglevel",
            "info",
            "-nostats",
            "-i",
        ])
        .arg(path)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-vf"])
        .arg(format!(
            "showinfo=checksum=0,scale={WIDTH}:{height}:flags=area,format=gray"
        ))
        .args(["-f", "rawvideo", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ffmpeg is installed (tests/install)");
    let mut stderr = ffmpeg.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).unwrap();
        log
    });
    let mut stdout = ffmpeg.stdout.take().unwrap();
    let mut numbers = Vec::new();
    let mut picture = vec![0; WIDTH * height];
    while stdout.read_exact(&mut picture).is_ok() {
        numbers.push(read_number(&picture, WIDTH, height).map(u32::from));
    }
    let status = ffmpeg.wait().unwrap();
    let log = log.join().unwrap();
    assert!(
        status.success(),
        "ffmpeg cannot decode {}:\n{log}",
        path.display()
    );
    let times = shown_at(&log);
    assert_eq!(times.len(), numbers.len(), "{}:\n{log}", path.display());
    let seen = times.into_iter().zip(numbers);
    seen.map(|(pts_seconds, number)| Seen {
        pts_seconds,
        number,
    })
    .collect()
}

/// (seconds, number) of every frame shown. Panics at a picture without a readable number.
pub fn read_frame_numbers(path: &Path) -> Vec<(f64, u32)> {
    read_frames(path)
        .into_iter()
        .enumerate()
        .map(|(i, seen)| {
            let number = seen.number.unwrap_or_else(|| {
                let at = seen.pts_seconds;
                panic!("{}: no number in frame {i} at {at} s", path.display())
            });
            (seen.pts_seconds, number)
        })
        .collect()
}

/// What `showinfo` printed: `… pts_time:1.24 …`, a line a frame.
fn shown_at(log: &str) -> Vec<f64> {
    let lines = log.lines().filter(|line| line.contains("Parsed_showinfo"));
    lines
        .filter_map(|line| {
            let text = line.split("pts_time:").nth(1)?.split_whitespace().next()?;
            text.parse().ok()
        })
        .collect()
}

/// Height of a picture of `WIDTH` with the clip's proportions.
fn small_height(path: &Path) -> usize {
    let probe = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-of",
            "csv=p=0:s=x",
        ])
        .args(["-show_entries", "stream=width,height"])
        .arg(path)
        .output()
        .expect("ffprobe is installed (tests/install)");
    let text = String::from_utf8_lossy(&probe.stdout);
    let size: Vec<usize> = text
        .trim()
        .split('x')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [width, height] = size[..] else {
        let why = String::from_utf8_lossy(&probe.stderr);
        panic!("{} has no video: {text} {why}", path.display());
    };
    (height * WIDTH).div_ceil(width)
}
