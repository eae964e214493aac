//! Why the card's configuration does not run. A notice holds these as lines of text.

use crate::appliance::sentence::CardFileError;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum CardConfigError {
    #[error(
        "there is no such file; copy hindsight.example.toml to that name and fill in the cameras"
    )]
    Missing,
    #[error("cannot be read ({0}); copy it there anew")]
    Unreadable(io::Error),
    #[error("{0}")]
    NoText(CardFileError),
    #[error("cannot be put into {}: {error}", .path.display())]
    NotPlaced { path: PathBuf, error: io::Error },
    #[error(
        "[storage] path = \"{}\" is not on the disk of this box; write \"{storage}\", or leave the line out",
        .path.display()
    )]
    StorageElsewhere {
        path: PathBuf,
        storage: &'static str,
    },
    /// As the check of the configuration says them, one a line.
    #[error("{0}")]
    Problems(String),
    #[error(
        "{file} is too large; all files beside hindsight.toml together have at most {most_mb} MB"
    )]
    FileTooLarge { file: String, most_mb: usize },
    #[error("{file} cannot be read: {error}")]
    FileUnreadable { file: String, error: io::Error },
}
