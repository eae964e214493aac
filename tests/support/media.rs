//! Test footage: a picture with its number drawn in, coded by FFmpeg, kept in
//! the build's folder for the next run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hindsight::demo::picture::draw_number;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    H264,
    H265,
}

/// What to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    pub codec: Codec,
    pub width: usize,
    pub height: usize,
    pub fps: u32,
    pub seconds: u32,
    /// The number in the first picture.
    pub first: u32,
    pub gop_seconds: u32,
    pub b_frames: u32,
    /// H.265 only: key frames are CRA, led by pictures that refer across them.
    /// The GOP's frames must be a multiple of `b_frames` + 1.
    pub open_gop: bool,
    /// A sound track: a beep of 100 ms at each full second, when the picture flashes white.
    pub beep: bool,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            codec: Codec::H264,
            width: 480,
            height: 270,
            fps: 25,
            seconds: 16,
            first: 0,
            gop_seconds: 1,
            b_frames: 0,
            open_gop: false,
            beep: false,
        }
    }
}

fn folder() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("footage");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// `make` of several at once would do the work twice, so others wait.
static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The footage as MP4 (H.265 as `hev1`).
pub fn mp4(recipe: Recipe) -> PathBuf {
    let _one = MAKING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let r = recipe;
    let name = format!(
        "v2-{:?}-{}x{}-{}fps-{}s-gop{}-b{}{}{}{}",
        r.codec,
        r.width,
        r.height,
        r.fps,
        r.seconds,
        r.gop_seconds,
        r.b_frames,
        if r.open_gop { "-open" } else { "" },
        if r.beep { "-beep" } else { "" },
        match r.first {
            0 => String::new(),
            first => format!("-from{first}"),
        }
    );
    let file = folder().join(format!("{name}.mp4"));
    if file.exists() {
        return file;
    }
    // Several test programs may run at once.
    let part = folder().join(format!("{name}.{}.part.mp4", std::process::id()));
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args([
            "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s",
        ])
        .arg(format!("{}x{}", r.width, r.height))
        .args(["-r", &r.fps.to_string(), "-i", "-"]);
    if r.beep {
        let beep = format!(
            "aevalsrc=if(lt(mod(t\\,1)\\,0.1)\\,sin(2*PI*1000*t)\\,0):s=48000:d={}",
            r.seconds
        );
        ffmpeg.args(["-f", "lavfi", "-i", &beep, "-c:a", "aac", "-b:a", "64k"]);
    }
    let gop = (r.gop_seconds * r.fps).to_string();
    let b = r.b_frames.to_string();
    match r.codec {
        Codec::H264 => ffmpeg
            .args(["-c:v", "libx264", "-preset", "veryfast", "-g", &gop, "-keyint_min", &gop])
            .args(["-sc_threshold", "0", "-bf", &b, "-b_strategy", "0", "-pix_fmt", "yuv420p"]),
        Codec::H265 => ffmpeg
            .args(["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-tag:v", "hev1", "-x265-params"])
            .arg(format!("keyint={gop}:min-keyint={gop}:scenecut=0:open-gop={}:bframes={b}:b-adapt=0:log-level=error", u8::from(r.open_gop))),
    };
    let mut child = ffmpeg
        .arg(&part)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg is needed: `make test` installs it");
    let mut pipe = child.stdin.take().unwrap();
    for n in r.first..r.first + r.fps * r.seconds {
        pipe.write_all(&picture(recipe, n)).unwrap();
    }
    drop(pipe);
    assert!(
        child.wait().unwrap().success(),
        "ffmpeg could not make {name}"
    );
    std::fs::rename(&part, &file).unwrap();
    file
}

/// Gray, with the number, a bar that moves, and a white field for 100 ms at each full second.
fn picture(r: Recipe, n: u32) -> Vec<u8> {
    let mut luma = vec![128; r.width * r.height];
    draw_number(&mut luma, r.width, u16::try_from(n).unwrap());
    let bar = usize::try_from(n).unwrap() * 3 % (r.width - 16);
    let flash = n % r.fps < r.fps.div_ceil(10);
    for y in r.height * 2 / 3..r.height {
        let row = y * r.width;
        luma[row..row + r.width].fill(if flash { 235 } else { 60 });
        luma[row + bar..row + bar + 16].fill(200);
    }
    luma
}

fn probe(file: &Path, entries: &str) -> Value {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-of",
            "json",
            "-show_entries",
            entries,
        ])
        .arg(file)
        .output()
        .expect("ffprobe is needed: `make test` installs it");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// The same as an elementary stream with a list of its access units, for the gst peer.
pub fn clip_for_peer(recipe: Recipe) -> Value {
    let file = mp4(recipe);
    let (codec, bsf) = match recipe.codec {
        Codec::H264 => ("h264", "h264_mp4toannexb"),
        Codec::H265 => ("h265", "hevc_mp4toannexb"),
    };
    let format = if codec == "h264" { "h264" } else { "hevc" };
    let es = file.with_extension(format!("{}.{codec}", std::process::id()));
    run(Command::new("ffmpeg")
        .args(["-y", "-v", "error", "-i"])
        .arg(&file)
        .args(["-map", "0:v", "-c", "copy", "-bsf:v", bsf, "-f", format])
        .arg(&es));
    let times = probe(&file, "packet=pts,dts,flags:stream=time_base");
    let base = times["streams"][0]["time_base"]
        .as_str()
        .unwrap()
        .split_once('/')
        .unwrap()
        .1;
    let base: i64 = base.parse().unwrap();
    let sizes = probe(&es, "packet=size");
    let times = times["packets"].as_array().unwrap();
    let sizes = sizes["packets"].as_array().unwrap();
    assert_eq!(
        times.len(),
        sizes.len(),
        "packets of {} and {}",
        file.display(),
        es.display()
    );
    let ticks = |v: &Value| v.as_i64().unwrap() * 90_000 / base;
    let first = times.iter().map(|t| ticks(&t["pts"])).min().unwrap();
    let aus: Vec<Value> = times
        .iter()
        .zip(sizes)
        .map(|(time, size)| {
            let pts = ticks(&time["pts"]) - first;
            let size: u64 = size["size"].as_str().unwrap().parse().unwrap();
            let number = (pts * i64::from(recipe.fps) + 45_000) / 90_000;
            let key = time["flags"].as_str().unwrap().contains('K');
            json!([size, pts, ticks(&time["dts"]) - first, number, key])
        })
        .collect();
    json!({"codec": codec, "es": es, "aus": aus, "fps": recipe.fps})
}

/// The sound of footage with `beep`, as ADTS.
pub fn adts(recipe: Recipe) -> PathBuf {
    let file = mp4(recipe);
    let out = file.with_extension(format!("{}.aac", std::process::id()));
    run(Command::new("ffmpeg")
        .args(["-y", "-v", "error", "-i"])
        .arg(&file)
        .args(["-map", "0:a", "-c", "copy", "-f", "adts"])
        .arg(&out));
    out
}
