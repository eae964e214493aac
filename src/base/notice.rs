//! Something about the box, not the house, that staff should know: who finds it
//! (`appliance`, an update) writes a file, the service tells it.
//!
//! A notice is one JSON file, `{"code", "args", "what", "where", "what_to_do", "fault"}`, in a folder that is
//! in memory: after a restart of the box whoever finds it finds it again.
//!
//! Not here: what is said of the box (`appliance`), what health makes of it (`health`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::sentence::{Arg, Coded, Sentence};

/// One thing that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// `None`: whoever wrote it had words only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, Arg>,
    /// Names nothing of the house: strangers may read it.
    pub what: String,
    /// A file, a disk.
    #[serde(rename = "where")]
    pub place: String,
    pub what_to_do: String,
    /// Worth a light; otherwise it is only told.
    #[serde(default)]
    pub fault: bool,
}

impl Notice {
    pub fn new(said: &impl Coded, place: impl Into<String>) -> Notice {
        Notice {
            code: Some(said.code().to_owned()),
            args: said.args(),
            what: said.to_string(),
            place: place.into(),
            what_to_do: said.remedy().unwrap_or_default(),
            fault: true,
        }
    }

    /// One that no light shows.
    pub fn warning(said: &impl Coded, place: impl Into<String>) -> Notice {
        Notice {
            fault: false,
            ..Notice::new(said, place)
        }
    }

    /// What is wrong; `None`: it has no code.
    pub fn sentence(&self) -> Option<Sentence> {
        Some(Sentence {
            code: self.code.clone()?,
            args: self.args.clone(),
            text: self.what.clone(),
        })
    }
}

crate::sentences! {
    /// What is said of notices themselves.
    pub enum NoticeSentence {
        Unreadable {} = "notice_unreadable": "a note about this box cannot be read"
            => "restart the box; if it comes back, its software is damaged",
    }
}

/// Notices beyond this number say nothing new.
const MOST: usize = 32;
const LARGEST: u64 = 64 * 1024;

/// All notices of a folder, by the names of their files. A folder that is not there
/// has none; a file that is no notice is told as one.
pub fn read(folder: &Path) -> Vec<Notice> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    paths.sort();
    paths.iter().take(MOST).map(|path| read_one(path)).collect()
}

fn read_one(path: &Path) -> Notice {
    let small = std::fs::metadata(path).is_ok_and(|facts| facts.len() <= LARGEST);
    let text = small.then(|| std::fs::read(path).ok()).flatten();
    let notice: Option<Notice> = text.and_then(|text| serde_json::from_slice(&text).ok());
    notice
        .unwrap_or_else(|| Notice::new(&NoticeSentence::Unreadable {}, path.display().to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn notices_are_read_in_order_and_what_is_no_notice_is_told_as_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("missing")), []);
        let disk = Notice::new(&NoticeSentence::Unreadable {}, "SSD");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("b.json", &serde_json::to_string(&disk).unwrap());
        write("a.json", "{\"what\": 3}");
        write("a.tmp", "half");
        let found = read(dir.path());
        assert_eq!(found.len(), 2);
        assert!(found[0].place.ends_with("a.json"), "{found:?}");
        assert_eq!(found[1], disk);
        assert_eq!(found[1].sentence().unwrap().code, "notice_unreadable");
    }

    #[test]
    fn a_notice_without_a_code_is_read_by_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let old =
            r#"{"what": "no disk", "where": "SSD", "what_to_do": "plug one in", "fault": true}"#;
        std::fs::write(dir.path().join("disk-00.json"), old).unwrap();
        let found = read(dir.path());
        assert_eq!((found[0].what.as_str(), found[0].fault), ("no disk", true));
        assert_eq!(found[0].sentence(), None);
    }
}
