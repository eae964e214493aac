//! What is wrong with the box: for the service (one JSON file a notice), for the console and the log, and
//! for who puts the card into a computer (`hindsight-error.txt`).

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{Paths, files};
use crate::base::{Notice, notice};

/// The notices of one command; another's are left alone.
pub struct Notices {
    folder: PathBuf,
    console: PathBuf,
    of: &'static str,
    all: Vec<Notice>,
}

impl Notices {
    /// None yet. `of`: the command, in the names of the files.
    pub fn of(paths: &Paths, of: &'static str) -> Notices {
        Notices {
            folder: paths.run.join("notices"),
            console: paths.console.clone(),
            of,
            all: Vec::new(),
        }
    }

    pub fn add(&mut self, notice: Notice) {
        let what_to_do = notice.what_to_do.replace('\n', "; ");
        log::warn!(target: "hindsight::appliance", event = "system_notice";
            "{}: {} ({what_to_do})", notice.place, notice.what);
        let text = format!("{}: {}\n  {}", notice.place, notice.what, notice.what_to_do);
        say(&self.console, &text);
        self.all.push(notice);
    }

    /// Writes them down instead of those that this command found before.
    pub fn keep(&self) -> io::Result<()> {
        let above = self.folder.parent().unwrap_or(&self.folder);
        files::folder(above, 0o750)?;
        files::give(above)?;
        files::folder(&self.folder, 0o755)?;
        let prefix = format!("{}-", self.of);
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&prefix) {
                files::remove(&path)?;
            }
        }
        for (number, notice) in self.all.iter().enumerate() {
            let path = self.folder.join(format!("{prefix}{number:02}.json"));
            files::write(&path, serde_json::to_string(notice)?.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Everybody's, in order: the disk's before the configuration's.
    pub fn all(&self) -> Vec<Notice> {
        let mut all = notice::read(&self.folder);
        let disk = |n: &Notice| !self.all.contains(n);
        all.sort_by_key(|notice| !disk(notice));
        all
    }
}

/// A line for who stands before the box's screen. Without one nobody hears it.
pub fn say(console: &std::path::Path, text: &str) {
    if let Ok(mut console) = fs::OpenOptions::new().append(true).open(console) {
        let text = text.replace('\n', "\r\n");
        let _ = write!(console, "\r\nhindsight: {text}\r\n");
    }
}

/// `hindsight-error.txt`, with the line ends of the oldest editor.
pub fn error_file(all: &[Notice]) -> String {
    let mut text = String::from(
        "What is wrong with this box, and what to do about it. The box writes this file at its start,\r\n\
         and takes it away when all is well.\r\n",
    );
    for notice in all {
        let (place, what) = (&notice.place, &notice.what);
        text.push_str(&format!("\r\n{place}: {what}\r\n"));
        for line in notice.what_to_do.lines() {
            text.push_str(&format!("    {line}\r\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_commands_notices_replace_its_own_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::below(root.path());
        fs::create_dir_all(root.path().join("dev")).unwrap();
        fs::write(&paths.console, "").unwrap();
        let mut disk = Notices::of(&paths, "disk");
        disk.add(Notice {
            what: "no SSD".to_owned(),
            place: "SSD".to_owned(),
            what_to_do: "plug one in".to_owned(),
            ..Notice::default()
        });
        disk.keep().unwrap();
        let mut config = Notices::of(&paths, "config");
        config.add(Notice {
            what: "it is wrong".to_owned(),
            place: "hindsight.toml".to_owned(),
            what_to_do: "line 3: mend it\nline 4: too".to_owned(),
            ..Notice::default()
        });
        config.keep().unwrap();
        let both = config.all();
        let places: Vec<&str> = both.iter().map(|notice| notice.place.as_str()).collect();
        assert_eq!(places, ["SSD", "hindsight.toml"]);
        let text = error_file(&both);
        assert!(
            text.contains("\r\nSSD: no SSD\r\n    plug one in\r\n"),
            "{text}"
        );
        assert!(
            text.ends_with("    line 3: mend it\r\n    line 4: too\r\n"),
            "{text}"
        );
        Notices::of(&paths, "config").keep().unwrap();
        assert_eq!(notice::read(&paths.run.join("notices")).len(), 1);
        let said = fs::read_to_string(&paths.console).unwrap();
        assert!(
            said.contains("hindsight: SSD: no SSD\r\n  plug one in"),
            "{said:?}"
        );
    }
}
