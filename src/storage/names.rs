//! What the files of a highlight are called, and what a name says. Pure.

use crate::base::{CameraId, PressId};

/// The day of presses from before the clock was ever set.
pub const UNDATED: &str = "undated";

/// A file in a press's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HighlightFileKind {
    Clip,
    /// A clip about which two readers disagree.
    Suspect,
    /// With the venue's logo.
    Marked,
    /// 9:16.
    Vertical,
    /// The picture at the press.
    Thumbnail,
    Sidecar,
}

impl HighlightFileKind {
    /// Those first whose ending ends with another's.
    pub const ALL: [HighlightFileKind; 6] = [
        HighlightFileKind::Suspect,
        HighlightFileKind::Marked,
        HighlightFileKind::Vertical,
        HighlightFileKind::Clip,
        HighlightFileKind::Thumbnail,
        HighlightFileKind::Sidecar,
    ];

    pub fn ending(self) -> &'static str {
        match self {
            HighlightFileKind::Clip => ".mp4",
            HighlightFileKind::Suspect => ".suspect.mp4",
            HighlightFileKind::Marked => ".marked.mp4",
            HighlightFileKind::Vertical => ".vertical.mp4",
            HighlightFileKind::Thumbnail => ".jpg",
            HighlightFileKind::Sidecar => ".json",
        }
    }

    /// Of one camera.
    pub fn name(self, camera: &CameraId) -> String {
        self.of_stem(camera.as_str())
    }

    /// The same where nobody knows whether the stem is a camera's id.
    pub fn of_stem(self, stem: &str) -> String {
        format!("{stem}{}", self.ending())
    }

    /// Stem and kind of a file by its name.
    pub fn split(name: &str) -> Option<(&str, HighlightFileKind)> {
        let mut all = HighlightFileKind::ALL.into_iter();
        all.find_map(|file| Some((name.strip_suffix(file.ending())?, file)))
    }

    /// Made of a clip by finishing.
    pub fn is_made(self) -> bool {
        match self {
            HighlightFileKind::Marked
            | HighlightFileKind::Vertical
            | HighlightFileKind::Thumbnail => true,
            HighlightFileKind::Clip | HighlightFileKind::Suspect | HighlightFileKind::Sidecar => {
                false
            }
        }
    }
}

/// A temporary file of one highlight's finishing or change.
pub fn work_file(press: &PressId, camera: &CameraId, ending: &str) -> String {
    format!("{press}-{camera}.{ending}")
}

/// `YYYY-MM-DD`.
pub fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

/// A folder that holds presses.
pub fn is_day_folder(text: &str) -> bool {
    is_day(text) || text == UNDATED
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_says_what_the_file_is() {
        let camera = CameraId::new("court1").unwrap();
        for file in HighlightFileKind::ALL {
            let name = file.name(&camera);
            assert_eq!(HighlightFileKind::split(&name), Some(("court1", file)));
        }
        assert_eq!(HighlightFileKind::split("court1.mp4.part"), None);
        assert_eq!(HighlightFileKind::split("court1"), None);
    }

    #[test]
    fn days_are_told_from_other_folders() {
        assert!(is_day_folder("2026-11-21") && is_day_folder("undated"));
        assert!(!is_day("undated") && !is_day_folder("2026-11-2x") && !is_day_folder(".."));
    }
}
