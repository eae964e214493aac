//! What is wrong with a configuration, for the one who wrote it.
//!
//! Not here: the sentences themselves, which stand beside what they judge.

use std::fmt;

use super::place::SourceLocation;
use super::written::Cell;
use crate::base::sentence::{Arg, Coded, Sentence};

/// One thing that is wrong or should be changed, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: SourceLocation,
    /// Key, value and what would be right. Never a secret. Beside its own arguments it has
    /// `file` and `line` or `source`, and where one value is meant, `key` and `value`: these
    /// stand in front of the catalogue's text, as in `key = value is too long`.
    pub sentence: Sentence,
}

impl Problem {
    fn new(place: &SourceLocation, mut sentence: Sentence) -> Problem {
        let mut arg = |name: &str, arg: Arg| sentence.args.insert(name.to_owned(), arg);
        match place {
            SourceLocation::File { path, line } | SourceLocation::EnvFile { path, line } => {
                arg("file", Arg::Text(path.clone()));
                if *line > 0 {
                    let line = i64::try_from(*line).unwrap_or(i64::MAX);
                    arg("line", Arg::Number(line));
                }
            }
            SourceLocation::Environment | SourceLocation::CommandLine => {
                arg("source", Arg::Text(place.to_string()));
            }
        }
        Problem {
            place: place.clone(),
            sentence,
        }
    }

    /// `why` follows `key = value`.
    fn of_value(cell: &Cell, why: &impl Coded) -> Problem {
        let (key, value) = (&cell.name, cell.shown());
        let mut sentence = why.sentence();
        sentence.text = format!("{key} = {value} {}", sentence.text);
        let mut arg = |name: &str, text: &str| {
            let text = Arg::Text(text.to_owned());
            sentence.args.insert(name.to_owned(), text)
        };
        arg("key", key);
        arg("value", &value);
        Problem::new(&cell.place, sentence)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.sentence)
    }
}

/// All problems found, in the order of their places; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

/// What reading and checking found on the way.
#[derive(Debug, Default)]
pub struct Findings {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub notes: Vec<Problem>,
    rejected: Vec<(SourceLocation, String)>,
}

impl Findings {
    pub fn problem(&mut self, place: &SourceLocation, what: impl Coded) {
        self.problems.push(Problem::new(place, what.sentence()));
    }

    /// A value that cannot be used. `why` follows `key = value`: what is wrong
    /// with it and what would be right.
    pub fn reject(&mut self, cell: &Cell, why: impl Coded) {
        self.problems.push(Problem::of_value(cell, &why));
        self.rejected.push((cell.place.clone(), cell.name.clone()));
    }

    /// Whether this value was refused: then nothing can be concluded from it.
    pub fn was_rejected(&self, cell: Option<&Cell>) -> bool {
        cell.is_some_and(|cell| {
            self.rejected
                .iter()
                .any(|(place, name)| *place == cell.place && *name == cell.name)
        })
    }

    pub fn warn(&mut self, place: &SourceLocation, what: impl Coded) {
        self.warnings.push(Problem::new(place, what.sentence()));
    }

    /// A value that should be changed although it works; `why` follows `key = value`.
    pub fn warn_of(&mut self, cell: &Cell, why: impl Coded) {
        self.warnings.push(Problem::of_value(cell, &why));
    }

    pub fn note(&mut self, place: &SourceLocation, what: impl Coded) {
        self.notes.push(Problem::new(place, what.sentence()));
    }

    pub fn into_error(mut self) -> ConfigError {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        ConfigError {
            problems: self.problems,
        }
    }
}
