//! Where something was written.

use std::fmt;

/// Sorts in the order in which sources are read.
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

impl SourceLocation {
    /// Only there has a value a kind; elsewhere everything comes as text.
    pub fn is_toml(&self) -> bool {
        matches!(self, SourceLocation::File { .. })
    }

    pub fn is_env_file(&self) -> bool {
        matches!(self, SourceLocation::EnvFile { .. })
    }
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
