//! Where what stands below a storage.
//!
//! ```text
//! <storage>/lock                       held by the service
//! <storage>/journal                    acknowledged presses
//! <storage>/tmp/<press>.<camera>.part  a clip while it is written
//! <storage>/tmp/<press>.<camera>.facts what its exporter noted of it
//! <storage>/highlights/<folder>/<press>/<camera>.mp4, .suspect.mp4, .json
//! ```
//!
//! What the queue adds to these is told in `queue::place`.
//!
//! Names derive from press and camera, so each step of a commit can be repeated.
//! Pure. Called by: store, export, close, recover, list.

use std::path::{Path, PathBuf};

use crate::base::{CameraId, Press};
pub use crate::queue::place::{highlights, tmp};

pub const UNDATED: &str = "undated";

/// Every name of one camera of one press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `highlights/<folder>`
    pub day: PathBuf,
    /// `highlights/<folder>/<press>`
    pub folder: PathBuf,
    pub clip: PathBuf,
    pub suspect: PathBuf,
    pub sidecar: PathBuf,
    pub part: PathBuf,
    pub facts: PathBuf,
    /// The sidecar before it has its name.
    pub sidecar_temp: PathBuf,
}

impl Names {
    pub fn of(storage: &Path, press: &Press, camera: &CameraId) -> Names {
        let day = highlights(storage).join(folder_name(&press.folder));
        let folder = day.join(press.id.as_str());
        let temp = |end: &str| tmp(storage).join(format!("{}.{camera}.{end}", press.id));
        Names {
            clip: folder.join(format!("{camera}.mp4")),
            suspect: folder.join(format!("{camera}.suspect.mp4")),
            sidecar: folder.join(format!("{camera}.json")),
            part: temp("part"),
            facts: temp("facts"),
            sidecar_temp: temp("json"),
            day,
            folder,
        }
    }

    /// The clip's final name.
    pub fn clip_as(&self, suspect: bool) -> &Path {
        if suspect { &self.suspect } else { &self.clip }
    }
}

/// A journal is not trusted to name folders outside of the storage.
fn folder_name(text: &str) -> &str {
    if is_day(text) { text } else { UNDATED }
}

/// `YYYY-MM-DD`.
pub fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| match i {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::highlight::journal::record::tests::taken;

    #[test]
    fn a_folder_out_of_a_damaged_journal_stays_inside_the_storage() {
        let camera = CameraId::new("court1").unwrap();
        let mut press = taken(1).press;
        for (written, used) in [("2026-11-21", "2026-11-21"), ("../../etc", UNDATED)] {
            press.folder = written.to_owned();
            let names = Names::of(Path::new("/s"), &press, &camera);
            let folder = format!("/s/highlights/{used}/{}", press.id);
            assert_eq!(names.folder, Path::new(&folder));
            assert_eq!(names.clip, Path::new(&folder).join("court1.mp4"));
            assert!(names.part.starts_with("/s/tmp"));
        }
    }
}
