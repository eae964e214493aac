//! `[finish]`, `[[logo]]`, `[queue]` and `[upload]`, checked.
//!
//! Not here: FFmpeg (`finish`). A logo is looked at here, so that it fails at
//! the start and not at the first clip.
//! Called by: `check`.

use std::path::{Path, PathBuf};

use super::check::Checker;
use super::delivery::{Corner, Encoder, Finish, Logo, QueueSettings, Text, UploadSettings};
use super::hours::daily_window;
use super::template;
use super::units::show_ms;
use super::written::{Cell, Table, Value};
use crate::base::hours::DailyWindow;

const CORNERS: [(&str, Corner); 5] = [
    ("top-left", Corner::TopLeft),
    ("top-right", Corner::TopRight),
    ("bottom-left", Corner::BottomLeft),
    ("bottom-right", Corner::BottomRight),
    ("center", Corner::Center),
];
const PRESETS: [&str; 9] = [
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
];
const TEN_YEARS_MS: u64 = 3650 * 86_400_000;

impl Checker<'_> {
    pub fn finish(&mut self) -> Finish {
        let table = self.written.table("finish");
        let usual = Finish::default();
        let encoders = [
            ("auto", Encoder::Auto),
            ("libx264", Encoder::Libx264),
            ("h264_v4l2m2m", Encoder::V4l2m2m),
        ];
        let presets = PRESETS.map(|name| (name, Some(name)));
        let preset = self.choice(table, "preset", &presets, None);
        let crf = self.whole(table, "crf", 0..=51, "from 0 to 51", 23);
        let jobs = self.whole(table, "jobs", 1..=8, "of clips at once", 1);
        Finish {
            logos: self.logos(),
            text: self.mark_text(table),
            vertical: self.flag(table, "vertical", usual.vertical),
            crf: crf
                .and_then(|crf| u8::try_from(crf).ok())
                .unwrap_or(usual.crf),
            preset: preset.map(str::to_owned),
            encoder: self.choice(table, "encoder", &encoders, usual.encoder),
            ffmpeg: self.ffmpeg(table).unwrap_or(usual.ffmpeg),
            jobs: jobs
                .and_then(|jobs| usize::try_from(jobs).ok())
                .unwrap_or(usual.jobs),
        }
    }

    /// A name, or a whole path.
    fn ffmpeg(&mut self, table: Option<&Table>) -> Option<PathBuf> {
        let right = "is neither a program's name nor its whole path; write it like \"ffmpeg\" or \
                     \"/usr/bin/ffmpeg\"";
        let text = self.text(table, "ffmpeg", right, |text| {
            let name = !text.is_empty() && !text.contains(['/', '\0']);
            name || (text.starts_with('/') && !text.contains('\0'))
        })?;
        Some(PathBuf::from(text))
    }

    fn mark_text(&mut self, table: Option<&Table>) -> Option<Text> {
        let corner = self.choice(table, "text_corner", &CORNERS, Corner::BottomLeft);
        let cell = table.and_then(|table| table.get("text"))?;
        let read = match &cell.value {
            Value::Text(text) => template::mark(text.trim()).map(|()| text.trim().to_owned()),
            _ => Err("is not text; put it in quotes".to_owned()),
        };
        match read {
            Ok(template) => Some(Text { template, corner }),
            Err(why) => {
                self.found.reject(cell, why);
                None
            }
        }
    }

    fn logos(&mut self) -> Vec<Logo> {
        let written = self.written;
        let tables = written.entries("logo");
        tables.filter_map(|table| self.logo(table)).collect()
    }

    fn logo(&mut self, table: &Table) -> Option<Logo> {
        let entry = Some(table);
        let file = self.path(entry, "file", "/etc/hindsight/logo.png");
        match (table.get("file"), &file) {
            (None, _) => {
                let text = "[[logo]] has no file; write file = \"/etc/hindsight/logo.png\"";
                self.found.problem(&table.place, text);
            }
            (Some(cell), Some(file)) => self.logo_is_good(cell, file),
            _ => {}
        }
        let margin = self.whole(entry, "margin", 0..=500, "of pixels", 24);
        let corner = self.choice(entry, "corner", &CORNERS, Corner::BottomRight);
        Some(Logo {
            corner,
            rel_width: self.number(entry, "rel_width", 0.01..=1.0, 0.2),
            margin_px: margin.and_then(|px| u32::try_from(px).ok()).unwrap_or(24),
            opacity: self.number(entry, "opacity", 0.0..=1.0, 0.6),
            file: file?,
        })
    }

    fn logo_is_good(&mut self, cell: &Cell, file: &Path) {
        if let Err(why) = super::logo::look_at(file) {
            self.found.reject(cell, why);
        }
    }

    /// `marks`: whether the picture is encoded again.
    pub fn queue(&mut self, marks: bool) -> QueueSettings {
        let table = self.written.table("queue");
        let usual = QueueSettings::default();
        let attempts = self.whole(table, "max_attempts", 1..=100, "of attempts", 3);
        let days = 0..=TEN_YEARS_MS;
        let uploaded = usual.keep_uploaded_ms;
        let keep_ms = table.and_then(|table| table.get("keep")).map(|_| {
            let month = 30 * 86_400_000;
            self.duration_ms(table, "keep", 60_000..=TEN_YEARS_MS, month, month)
        });
        let queue = QueueSettings {
            max_attempts: attempts
                .and_then(|attempts| u32::try_from(attempts).ok())
                .unwrap_or(usual.max_attempts),
            keep_uploaded_ms: self.duration_ms(table, "keep_uploaded", days, uploaded, uploaded),
            keep_ms,
            keep_raw: self.flag(table, "keep_raw", usual.keep_raw),
        };
        if let (Some(cell), false) = (
            self.written.get("queue", "keep_raw"),
            queue.keep_raw || marks,
        ) {
            let text =
                "keep_raw = false does nothing here: no clip is marked, so there is no other";
            self.found.note(&cell.place, text);
        }
        self.keep_has_a_meaning(&queue);
        queue
    }

    /// What is not uploaded is never deleted where there is a target; what is never uploaded
    /// cannot go by when it was.
    fn keep_has_a_meaning(&mut self, queue: &QueueSettings) {
        let targets = self.written.entries("target").next().is_some();
        let (unused, other) = match targets {
            true => ("keep", "keep_uploaded"),
            false => ("keep_uploaded", "keep"),
        };
        let Some(cell) = self.written.get("queue", unused) else {
            return;
        };
        let why = match targets {
            true => format!(
                "counts only where nothing is uploaded; here highlights go {} after they were \
                 uploaded ({other}), and those that were not stay",
                show_ms(queue.keep_uploaded_ms)
            ),
            false => format!(
                "counts only with a [[target]]; here highlights stay for ever unless {other} says \
                 how long"
            ),
        };
        // What is usual anyhow, or stands beside the key that counts, misleads nobody.
        let as_usual = queue.keep_uploaded_ms == QueueSettings::default().keep_uploaded_ms;
        if !targets && (as_usual || queue.keep_ms.is_some()) {
            return;
        }
        let text = format!("{} = {} {why}", cell.name, cell.shown());
        self.found.warn(&cell.place, text);
    }

    pub fn upload(&mut self) -> UploadSettings {
        let table = self.written.table("upload");
        UploadSettings {
            max_rate_bps: self.rate_bps(table, "max_rate", 8_000..=10_000_000_000),
            window: self.upload_window(table),
        }
    }

    fn upload_window(&mut self, table: Option<&Table>) -> Option<DailyWindow> {
        let cell = table.and_then(|table| table.get("window"))?;
        let read = match &cell.value {
            Value::Text(text) => daily_window(text),
            _ => Err("is not text".to_owned()),
        };
        match read {
            Ok(window) => Some(window),
            Err(why) => {
                let why = format!("{why}; write it like \"00:00-07:00\"");
                self.found.reject(cell, why);
                None
            }
        }
    }
}
