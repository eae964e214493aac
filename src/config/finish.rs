//! `[finish]`: what becomes of the picture.
//!
//! Not here: FFmpeg (`finish`).

use std::path::PathBuf;

use super::checker::{Checker, ValueSentence};
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::logo::{CORNERS, Corner, Logo};
use super::template;
use super::written::Table;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "finish",
    &[
        key("text", Kind::Text, "", "drawn into the picture: `\"{venue} {court} {time}\"`, also `{camera}` and `{date}`; without it, none"),
        key("text_corner", Kind::Choice, "\"bottom-left\"", "as a logo's `corner`"),
        key("vertical", Kind::Flag, "false", "`true`: a 9:16 version for phones beside the wide one"),
        key("crf", Kind::Whole, "23", "quality: lower is better and larger, 18 to 28 make sense"),
        key("preset", Kind::Choice, "", "of x264, like `\"veryfast\"`; without it, the best that keeps up on this machine"),
        key("encoder", Kind::Choice, "\"auto\"", "`\"libx264\"`; `\"h264_v4l2m2m\"`: the encoder of a Raspberry Pi up to 4"),
        key("ffmpeg", Kind::Text, "\"ffmpeg\"", "the program, or its whole path"),
        key("jobs", Kind::Whole, "1", "clips at once"),
    ],
);
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

/// What becomes of the picture. Without logos, text and `vertical` nothing is encoded again.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    pub logos: Vec<Logo>,
    pub text: Option<Text>,
    /// A 9:16 version beside the wide one.
    pub vertical: bool,
    /// 0..=51
    pub crf: u8,
    /// An x264 preset; `None`: the best one that keeps up on this machine.
    pub preset: Option<String>,
    pub encoder: Encoder,
    /// The program; a name is looked for in `PATH`.
    pub ffmpeg: PathBuf,
    /// How many clips at once.
    pub jobs: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// With `{venue}`, `{court}`, `{camera}`, `{date}`, `{time}` (the press, venue-local).
    pub template: String,
    pub corner: Corner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoder {
    /// `h264_v4l2m2m` where it works, else libx264.
    Auto,
    Libx264,
    V4l2m2m,
}

impl Finish {
    /// Whether the picture is encoded again.
    pub fn marks(&self) -> bool {
        !self.logos.is_empty() || self.text.is_some()
    }
}

impl Default for Finish {
    fn default() -> Finish {
        Finish {
            logos: Vec::new(),
            text: None,
            vertical: false,
            crf: 23,
            preset: None,
            encoder: Encoder::Auto,
            ffmpeg: PathBuf::from("ffmpeg"),
            jobs: 1,
        }
    }
}

crate::sentences! {
    /// What is wrong with how pictures are made; follows `key = value`.
    pub enum FinishKeySentence {
        NoProgram {} = "config_no_program":
            "is neither a program's name nor its whole path; write it like \"ffmpeg\" or \
             \"/usr/bin/ffmpeg\"",
    }
}

pub fn check(check: &mut Checker<'_>, logos: Vec<Logo>) -> Finish {
    let table = check.written.table("finish");
    let usual = Finish::default();
    let encoders = [
        ("auto", Encoder::Auto),
        ("libx264", Encoder::Libx264),
        ("h264_v4l2m2m", Encoder::V4l2m2m),
    ];
    let presets = PRESETS.map(|name| (name, Some(name)));
    let preset = check.choice(table, "preset", &presets, None);
    let crf = check.whole(table, "crf", 0..=51, "from 0 to 51", 23);
    let jobs = check.whole(table, "jobs", 1..=8, "of clips at once", 1);
    Finish {
        logos,
        text: text(check, table),
        vertical: check.flag(table, "vertical", usual.vertical),
        crf: crf.unwrap_or(usual.crf),
        preset: preset.map(str::to_owned),
        encoder: check.choice(table, "encoder", &encoders, usual.encoder),
        ffmpeg: ffmpeg(check, table).unwrap_or(usual.ffmpeg),
        jobs: jobs.unwrap_or(usual.jobs),
    }
}

/// A name, or a whole path.
fn ffmpeg(check: &mut Checker<'_>, table: &Table) -> Option<PathBuf> {
    let text = check.text(table, "ffmpeg", FinishKeySentence::NoProgram {}, |text| {
        let name = !text.is_empty() && !text.contains(['/', '\0']);
        name || (text.starts_with('/') && !text.contains('\0'))
    })?;
    Some(PathBuf::from(text))
}

fn text(check: &mut Checker<'_>, table: &Table) -> Option<Text> {
    let corner = check.choice(table, "text_corner", &CORNERS, Corner::BottomLeft);
    let cell = table.get("text")?;
    let Some(text) = cell.text().map(str::trim) else {
        check.found.reject(cell, ValueSentence::NotText {});
        return None;
    };
    match template::mark(text) {
        Ok(()) => Some(Text {
            template: text.to_owned(),
            corner,
        }),
        Err(why) => {
            check.found.reject(cell, why);
            None
        }
    }
}
