//! A configuration with the files it names, as one: so that the last good one can be kept in
//! one file, whole or not at all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::complete::named_files;
use super::error::CardConfigError;
use crate::appliance::files;
use crate::appliance::firmware::Firmware;

/// Of all files together.
const LARGEST: usize = 24 << 20;

/// A text and the card's files it names. Those that could not be read are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub text: String,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    text: String,
    /// In base64.
    files: BTreeMap<String, String>,
}

impl Set {
    /// The text with its files from the card; also what could not be read, and why.
    pub fn collect(text: String, firmware: &Firmware) -> (Set, Vec<CardConfigError>) {
        let (mut files, mut wrong) = (BTreeMap::new(), Vec::new());
        let mut room = LARGEST;
        for name in named_files(&text) {
            match firmware.read(&name) {
                Ok(Some(bytes)) if bytes.len() <= room => {
                    room -= bytes.len();
                    files.insert(name, bytes);
                }
                Ok(Some(_)) => wrong.push(CardConfigError::FileTooLarge {
                    file: name,
                    most_mb: LARGEST >> 20,
                }),
                // The check says so, with its line.
                Ok(None) => {}
                Err(error) => wrong.push(CardConfigError::FileUnreadable { file: name, error }),
            }
        }
        (Set { text, files }, wrong)
    }

    /// `None`: there is none, or it cannot be read.
    pub fn load(path: &Path) -> Option<Set> {
        let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let files = kept.files.into_iter();
        let files: Option<BTreeMap<String, Vec<u8>>> = files
            .map(|(name, text)| Some((name, BASE64.decode(text).ok()?)))
            .collect();
        Some(Set {
            text: kept.text,
            files: files?,
        })
    }

    /// Durable on return; the old one, or the new one whole.
    pub fn keep(&self, path: &Path) -> io::Result<()> {
        let files = self.files.iter();
        let kept = Kept {
            text: self.text.clone(),
            files: files
                .map(|(name, bytes)| (name.clone(), BASE64.encode(bytes)))
                .collect(),
        };
        files::write(path, &serde_json::to_vec(&kept)?, 0o600)
    }

    /// Copies the files to where the service may read them; others that lay there go.
    pub fn put_files(&self, folder: &Path) -> io::Result<()> {
        files::folder(folder, 0o750)?;
        files::give(folder)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !self.files.contains_key(name.as_ref()) {
                files::remove(&path)?;
            }
        }
        for (name, bytes) in &self.files {
            files::write_for_the_service(&folder.join(name), bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::appliance::system::System;

    #[test]
    fn a_set_is_kept_whole_and_what_is_no_set_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let firmware = Firmware::new(dir.path(), System { mounts: false });
        fs::write(dir.path().join("logo.png"), [0x89, 0, 255]).unwrap();
        let text = "a = '/boot/firmware/logo.png' b = '/boot/firmware/gone.pem'".to_owned();
        let (set, wrong) = Set::collect(text, &firmware);
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(set.files["logo.png"], [0x89, 0, 255]);
        let path = dir.path().join("box/last-good.json");
        set.keep(&path).unwrap();
        assert_eq!(Set::load(&path).unwrap(), set);
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::write(run.join("old.pem"), "x").unwrap();
        set.put_files(&run).unwrap();
        let names: Vec<_> = fs::read_dir(&run)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, ["logo.png"]);
        fs::write(&path, "{\"text\": \"half").unwrap();
        assert_eq!(Set::load(&path), None);
        assert_eq!(Set::load(&dir.path().join("none")), None);
    }
}
