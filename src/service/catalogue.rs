//! All codes of the program: what each room says to people, in one list, for `docs/codes.md` and whoever translates.
//!
//! A room that declares sentences adds its `CATALOGUE` here; the tests say which is missing, and
//! `HINDSIGHT_CODES=write cargo test --lib service::catalogue` writes the document anew.
//!
//! Not here: the sentences themselves (each room has its own).

use crate::access::AccessError;
use crate::appliance::sentence::{BoxSentence, CardFileError, DiskAdvice, WifiError};
use crate::base::notice::NoticeSentence;
use crate::base::press::PressSentence;
use crate::base::sentence::CatalogueEntry;
use crate::board::{BoardError, BoardNote, BoardPartName};
use crate::config;
use crate::cut::{CutNote, NoFootage};
use crate::finish;
use crate::health::HealthSentence;
use crate::highlight::sentence::{AdmissionSentence, ClipSentence};
use crate::ingest::{BufferSentence, CaptureSentence, PacketSentence, QuirkSentence, RtspStep};
use crate::queue;
use crate::ring::RingErrorSentence;
use crate::storage::sentence::StorageSentence;
use crate::trigger::hours::ClosedSentence;
use crate::upload;
use crate::web::{DoneSentence, GuardSentence, RequestSentence};

/// Every code, by room.
pub fn catalogue() -> impl Iterator<Item = &'static CatalogueEntry> {
    let lists = ROOMS.iter().flat_map(|(_, lists)| lists.iter());
    lists.flat_map(|entries| entries.iter())
}

/// What each says, in the order of the document.
const ROOMS: &[(&str, &[&[CatalogueEntry]])] = &[
    ("Health: reasons", &[HealthSentence::CATALOGUE]),
    (
        "Cameras and their rings",
        &[
            CaptureSentence::CATALOGUE,
            PacketSentence::CATALOGUE,
            RtspStep::CATALOGUE,
            QuirkSentence::CATALOGUE,
            BufferSentence::CATALOGUE,
            RingErrorSentence::CATALOGUE,
        ],
    ),
    (
        "Buttons and lights",
        &[
            BoardError::CATALOGUE,
            BoardNote::CATALOGUE,
            BoardPartName::CATALOGUE,
        ],
    ),
    ("Opening hours", &[ClosedSentence::CATALOGUE]),
    (
        "Presses",
        &[PressSentence::CATALOGUE, AdmissionSentence::CATALOGUE],
    ),
    (
        "Clips",
        &[
            NoFootage::CATALOGUE,
            CutNote::CATALOGUE,
            ClipSentence::CATALOGUE,
        ],
    ),
    ("The storage", &[StorageSentence::CATALOGUE]),
    (
        "The box: notices",
        &[
            BoxSentence::CATALOGUE,
            DiskAdvice::CATALOGUE,
            CardFileError::CATALOGUE,
            WifiError::CATALOGUE,
            NoticeSentence::CATALOGUE,
        ],
    ),
    ("Queue", queue::CATALOGUES),
    ("Finishing", finish::CATALOGUES),
    ("Uploads", upload::CATALOGUES),
    ("Configuration", config::CATALOGUES),
    ("Requests to the API", &[RequestSentence::CATALOGUE]),
    ("What was done", &[DoneSentence::CATALOGUE]),
    ("Who may ask", &[GuardSentence::CATALOGUE]),
    ("Users, sessions and links", &[AccessError::CATALOGUE]),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;
    use std::fmt::Write;
    use std::path::{Path, PathBuf};

    const HEAD: &str = "\
# Codes

Whatever the service says to people through its API, in sidecars, in the queue and in its health has a stable `code`,
`args`, and an English text made from both. Programs go by codes; a page in another language makes its own sentences
from codes and arguments. Codes are never renamed and never used for something else.

An argument is a number in the unit that its name ends with (`_bytes`, `_ms`, `_s`, `_percent`), a text that is not to be
translated (a name, a word of the operating system), or a sentence with a code of its own.

This page is generated from the program and compared with it in a test.
";

    fn document() -> String {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let mut text = HEAD.to_owned();
        for (room, lists) in ROOMS {
            write!(
                text,
                "\n## {room}\n\n| code | arguments | English | what to do |\n|---|---|---|---|\n"
            )
            .unwrap();
            for entry in lists.iter().flat_map(|entries| entries.iter()) {
                let args: Vec<String> = entry.args.iter().map(|arg| format!("`{arg}`")).collect();
                let columns = [
                    format!("`{}`", entry.code),
                    args.join(", "),
                    cell(entry.text),
                    cell(entry.remedy),
                ];
                writeln!(text, "| {} |", columns.join(" | ")).unwrap();
            }
        }
        text
    }

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_document_has_every_code_as_the_program_says_it() {
        let path = root().join("docs/codes.md");
        if std::env::var("HINDSIGHT_CODES").is_ok_and(|what| what == "write") {
            std::fs::write(&path, document()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        let lines = written
            .lines()
            .zip(document().lines().map(str::to_owned).collect::<Vec<_>>());
        for (number, (is, should)) in lines.enumerate() {
            assert_eq!(is, should, "docs/codes.md:{}", number + 1);
        }
        assert_eq!(
            written,
            document(),
            "docs/codes.md is of another program: see the head of this file"
        );
    }

    #[test]
    fn codes_are_unique_and_well_formed_and_so_are_their_arguments() {
        let snake = |word: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(plain)
        };
        let mut seen = BTreeSet::new();
        for entry in catalogue() {
            assert!(
                snake(entry.code) && entry.code.contains('_'),
                "{}",
                entry.code
            );
            assert!(seen.insert(entry.code), "{} is said twice", entry.code);
            assert!(!entry.text.is_empty(), "{} says nothing", entry.code);
            assert!(entry.args.iter().all(|arg| snake(arg)), "{}", entry.code);
        }
    }

    /// The names of all enums that `sentences!` declares below `folder`, but for those of tests.
    fn declared(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                declared(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let body = text.split("#[cfg(test)]").next().unwrap();
            let calls = body.split("\ncrate::sentences! {").skip(1);
            found.extend(calls.map(|call| {
                let name = call
                    .split("enum ")
                    .nth(1)
                    .unwrap()
                    .split(' ')
                    .next()
                    .unwrap();
                (path.clone(), name.to_owned())
            }));
        }
    }

    #[test]
    fn no_room_is_forgotten() {
        let mut all = Vec::new();
        declared(&root().join("src"), &mut all);
        assert!(all.len() >= ROOMS.len(), "only {all:?}");
        // Some rooms have a list of their own, which stands here.
        let lists = [
            "src/service/catalogue.rs",
            "src/config/mod.rs",
            "src/queue/mod.rs",
            "src/finish/mod.rs",
            "src/upload/mod.rs",
        ];
        let lists = lists.map(|path| std::fs::read_to_string(root().join(path)).unwrap());
        for (path, name) in all {
            let word = format!("{name}::CATALOGUE");
            let listed = lists.iter().any(|list| list.contains(&word));
            assert!(
                listed,
                "{name} of {} is not in the catalogue",
                path.display()
            );
        }
    }
}
