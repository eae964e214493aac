//! A storage with one clip in it, and a maker.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hindsight::base::Stop;
use hindsight::config::{Corner, Encoder, Finish, Logo};
use hindsight::finish::{FfmpegFinisher, Limits, Settings};
use hindsight::queue::sidecar::Sidecar;
use hindsight::queue::work::{Failure, Finished, Finisher, Job};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::source::{self, Coded};

pub struct Storage {
    pub dir: tempfile::TempDir,
    pub clip: PathBuf,
    pub sidecar: Sidecar,
}

/// How long the press is behind the clip's beginning.
pub const PRE_SECONDS: f64 = 1.0;
pub const PRESS: &str = "6f1c2a9e-00000abcdef-00017f3a";

impl Storage {
    /// With the clip that shows `[start, end)` (1/90000 s) of the footage.
    pub fn with(tracks: &[Coded], start: i64, end: i64) -> Storage {
        let (data, index) = source::cut(tracks, start, end);
        Storage::of(|path| {
            source::write(path, 20_000, &data, &index);
        })
    }

    /// With the clip that `write` leaves at the path it is given.
    pub fn of(write: impl FnOnce(PathBuf)) -> Storage {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("2026-11-21").join(PRESS);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(dir.path().join("tmp")).unwrap();
        let clip = folder.join("north.mp4");
        write(clip.clone());
        Storage {
            dir,
            clip,
            sidecar: sidecar(),
        }
    }

    pub fn tmp(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    /// What lies in the folder for unfinished files.
    pub fn left(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.tmp()).unwrap();
        let mut names: Vec<String> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn finish(&self, maker: &FfmpegFinisher, stop: &Stop) -> Result<Finished, Failure> {
        self.finish_heard(maker, stop, &|_| {})
    }

    pub fn finish_heard(
        &self,
        maker: &FfmpegFinisher,
        stop: &Stop,
        progress: &dyn Fn(u16),
    ) -> Result<Finished, Failure> {
        let tmp = self.tmp();
        let job = Job {
            folder: self.clip.parent().unwrap(),
            sidecar: &self.sidecar,
            tmp: &tmp,
        };
        maker.finish(&job, progress, stop)
    }

    /// Finished, with every permille that was heard rising to 1000.
    pub fn finished(&self, finish: Finish) -> Finished {
        let heard = RefCell::new(Vec::new());
        let maker = maker(finish);
        let finished = self.finish_heard(&maker, &Stop::default(), &|permille| {
            heard.borrow_mut().push(permille);
        });
        let finished = finished.unwrap();
        let heard = heard.into_inner();
        assert!(heard.is_sorted(), "{heard:?}");
        assert_eq!(heard.last(), Some(&1000));
        assert_eq!(maker.problem(), None);
        finished
    }
}

fn sidecar() -> Sidecar {
    let sidecar = json!({
        "type": "highlight", "status": "queued", "reason": null,
        "created_at": "2026-11-21T18:42:05.123+01:00",
        "press_id": PRESS,
        "camera": {"id": "north", "name": "North: it's [wide], 50 %"},
        "source": "http", "court": "Court 1",
        "file_name": "north.mp4", "size_bytes": 1, "sha256": "00",
        "meta": {"codec": "h264", "width": 320, "height": 180, "fps": 25.0, "duration_sec": 2.0, "audio_codec": null},
        "pre_seconds": PRE_SECONDS, "post_seconds": 1.0,
        "requested": {"pre_seconds": PRE_SECONDS, "post_seconds": 1.0},
        "ended": "complete", "gaps": [], "damaged": [],
        "clock": {"boot_id": "6f1c2a9e1b7e4c3a9d270d5a4b3c2e1f", "wall_synchronised": true,
            "press_mono_ns": 1, "latency_ms": 0, "mapping": null, "certainty": null, "alignment": null},
        "notes": []
    });
    Sidecar::from_bytes(sidecar.to_string().as_bytes()).unwrap()
}

pub fn maker(finish: Finish) -> FfmpegFinisher {
    maker_within(finish, Limits::default())
}

pub fn maker_within(finish: Finish, limits: Limits) -> FfmpegFinisher {
    FfmpegFinisher::new(Settings {
        finish,
        venue: "Tennis Club \"Süd\"".to_owned(),
        timezone: TimeZone::UTC,
        reserve_bytes: 1_000_000,
        limits,
    })
}

/// A settings' file of marks: nothing yet, but quick.
pub fn plain() -> Finish {
    Finish {
        encoder: Encoder::Libx264,
        preset: Some("veryfast".to_owned()),
        ..Finish::default()
    }
}

pub fn logo(file: &Path, corner: Corner, rel_width: f64, opacity: f64) -> Logo {
    Logo {
        file: file.to_path_buf(),
        corner,
        rel_width,
        margin_px: 24,
        opacity,
    }
}

/// A PNG of one colour.
pub fn png(dir: &Path, name: &str, (width, height): (u32, u32), rgba: [u8; 4]) -> PathBuf {
    let path = dir.join(name);
    let file = std::fs::File::create(&path).unwrap();
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    let pixels = rgba.repeat((width * height) as usize);
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    path
}

/// A program of ours in FFmpeg's place.
pub fn program(dir: &Path, script: &str) -> PathBuf {
    let path = dir.join("ffmpeg");
    std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// What ffprobe says of the first video stream.
pub fn probe(file: &Path, entries: &str) -> serde_json::Value {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json", "-show_entries", entries])
        .arg(file)
        .output()
        .expect("ffprobe is installed (tests/install)");
    let log = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{}: {log}", file.display());
    serde_json::from_slice(&out.stdout).unwrap()
}
