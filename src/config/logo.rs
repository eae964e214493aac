//! `[[logo]]`: a picture that is drawn into every clip.
//!
//! Not here: whether the file is a PNG (`png`); drawing it (`finish`).

use std::path::PathBuf;

use super::checker::Checker;
use super::keys::{Repeats, TableSpec, ValueKind as Kind, key};
use super::png::look_at;
use super::written::Table;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::many(
    "logo",
    Repeats {
        example_id: "",
        example_key: "file",
        default_id: "",
    },
    &[
        key("file", Kind::Path, "", "a PNG, best with a transparent background"),
        key("corner", Kind::Choice, "\"bottom-right\"", "`\"top-left\"`, `\"top-right\"`, `\"bottom-left\"`, `\"center\"`; several stack"),
        key("rel_width", Kind::Number, "0.2", "of the picture's width"),
        key("margin", Kind::Whole, "24", "pixels from the edges, in a picture 1080 high"),
        key("opacity", Kind::Number, "0.6", "0 is invisible, 1 covers"),
    ],
);
const EXAMPLE: &str = "/etc/hindsight/logo.png";
pub const CORNERS: [(&str, Corner); 5] = [
    ("top-left", Corner::TopLeft),
    ("top-right", Corner::TopRight),
    ("bottom-left", Corner::BottomLeft),
    ("bottom-right", Corner::BottomRight),
    ("center", Corner::Center),
];

#[derive(Clone, Debug, PartialEq)]
pub struct Logo {
    /// A PNG.
    pub file: PathBuf,
    /// Several in one corner stand below each other.
    pub corner: Corner,
    /// Of the picture's width; above 0, at most 1.
    pub rel_width: f64,
    /// From the picture's edges, in pixels of a picture 1080 high.
    pub margin_px: u32,
    /// 0 is invisible, 1 covers.
    pub opacity: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Corner {
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
    Center,
}

/// Those that were refused are missing.
pub fn check(check: &mut Checker<'_>) -> Vec<Logo> {
    let logos = check.written.entries("logo");
    logos.filter_map(|table| logo(check, table)).collect()
}

fn logo(check: &mut Checker<'_>, table: &Table) -> Option<Logo> {
    check.needs(table, "file", format!("\"{EXAMPLE}\""));
    let file = check.path(table, "file", EXAMPLE);
    // Looked at here, so that it fails at the start and not at the first clip.
    if let (Some(cell), Some(Err(why))) = (table.get("file"), file.as_deref().map(look_at)) {
        check.found.reject(cell, why);
    }
    let margin = check.whole(table, "margin", 0..=500, "of pixels", 24);
    Some(Logo {
        corner: check.choice(table, "corner", &CORNERS, Corner::BottomRight),
        rel_width: check.number(table, "rel_width", 0.01..=1.0, 0.2),
        margin_px: margin.unwrap_or(24),
        opacity: check.number(table, "opacity", 0.0..=1.0, 0.6),
        file: file?,
    })
}
