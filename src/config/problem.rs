//! What is wrong with a configuration, for the one who wrote it.

use std::fmt;

use super::written::Cell;

/// Where something was written. Sorts in the order in which sources are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceLocation {
    /// The TOML file; line 0: the file as a whole.
    File { path: String, line: usize },
    /// The predecessors' `--env-file`.
    EnvFile { path: String, line: usize },
    /// The process's environment.
    Environment,
    /// `--set`.
    CommandLine,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceLocation::File { path, line: 0 } | SourceLocation::EnvFile { path, line: 0 } => {
                f.write_str(path)
            }
            SourceLocation::File { path, line } | SourceLocation::EnvFile { path, line } => {
                write!(f, "{path}:{line}")
            }
            SourceLocation::Environment => f.write_str("environment"),
            SourceLocation::CommandLine => f.write_str("command line"),
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: SourceLocation,
    /// Key, value and what would be right. Never a secret.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
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
pub(super) struct Findings {
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    pub notes: Vec<String>,
    rejected: Vec<(SourceLocation, String)>,
}

impl Findings {
    pub fn problem(&mut self, place: &SourceLocation, text: impl Into<String>) {
        self.problems.push(Problem {
            place: place.clone(),
            text: text.into(),
        });
    }

    /// A value that cannot be used. `why` follows `key = value`: what is wrong
    /// with it and what would be right.
    pub fn reject(&mut self, cell: &Cell, why: impl fmt::Display) {
        self.problem(
            &cell.place,
            format!("{} = {} {why}", cell.name, cell.shown()),
        );
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

    pub fn warn(&mut self, place: &SourceLocation, text: impl fmt::Display) {
        self.warnings.push(format!("{place}: {text}"));
    }

    pub fn note(&mut self, place: &SourceLocation, text: impl fmt::Display) {
        self.notes.push(format!("{place}: {text}"));
    }

    pub fn into_error(mut self) -> ConfigError {
        self.problems.sort_by(|a, b| a.place.cmp(&b.place));
        ConfigError {
            problems: self.problems,
        }
    }
}
