//! Passwords and tokens: written out, in a file of their own, or from systemd.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::checker::{Checker, ValueSentence};
use super::place::SourceLocation;
use super::problem::Findings;
use super::written::{Cell, Table};
use crate::base::sentence::{Coded, Sentence};

/// A password or token. Does not show itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself; only for the one who sends or compares it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<hidden>")
    }
}

crate::sentences! {
    /// What is wrong with a secret or the file that holds it; follows `key = value`.
    pub enum SecretFileSentence {
        BesideFile { file_key: String } = "config_secret_beside_file":
            "stands beside {file_key}; write only one of the two",
        PathIsNotText {} = "config_secret_path_not_text":
            "is not text; write the file's whole path in quotes",
        Open {} = "config_secret_file_open":
            "may be read by everybody on this machine; chmod o-r it",
        NotAFile {} = "config_secret_not_a_file": "is no file; name the file that holds the secret",
        TooLong {} = "config_secret_too_long":
            "is too long for a secret; the file must hold it alone, on one line",
        NotUtf8 {} = "config_secret_not_utf8": "is not UTF-8 text",
        Empty {} = "config_secret_empty": "is empty; write the secret into it, on one line",
        SeveralLines {} = "config_secret_several_lines":
            "has several lines; the file must hold the secret alone, on one line",
        Missing {} = "config_secret_file_missing":
            "does not exist; make the file and write the secret into it",
        Forbidden {} = "config_secret_file_forbidden":
            "may not be read by this user; give the file to the service's user",
        Unreadable { error: String } = "config_secret_file_unreadable": "cannot be read: {error}",
    }
}

crate::sentences! {
    /// What should be known about a secret; whole sentences.
    pub enum SecretSentence {
        CountsOverSystemd { key: String, credential: String } = "config_secret_over_systemd":
            "{key} counts, and not systemd's credential {credential} beside it",
        InOpenFile { key: String } = "config_secret_in_open_file":
            "{key} stands in a file that everybody on this machine may read; chmod o-r it, or \
             move the secret to a file of its own",
        Credential { path: String, why: Sentence } = "config_credential_unreadable": "{path}: {why}",
    }
}

/// Whether users other than owner and group may read the file.
pub fn others_may_read(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

/// The secret of a table: `key`, `<key>_file`, or else systemd's credential of that name.
/// `None`: none was given, or a problem was reported.
pub fn secret(
    check: &mut Checker<'_>,
    table: &Table,
    key: &str,
    credential: &str,
) -> Option<Secret> {
    let found = &mut *check.found;
    let file_key = format!("{key}_file");
    let from_systemd = check.credentials.file(credential);
    let (plain, file) = (table.get(key), table.get(&file_key));
    if let (Some(credential), Some(cell)) = (&from_systemd, plain.or(file)) {
        let what = SecretSentence::CountsOverSystemd {
            key: cell.name.clone(),
            credential: credential.display().to_string(),
        };
        found.warn(&cell.place, what);
    }
    match (plain, file, from_systemd) {
        (Some(plain), Some(_), _) => {
            found.reject(plain, SecretFileSentence::BesideFile { file_key });
            None
        }
        (Some(plain), None, _) => written_out(plain, found),
        (None, Some(file), _) => from_file(key, file, found),
        (None, None, Some(path)) => {
            let problem = |why: SecretFileSentence| {
                let what = SecretSentence::Credential {
                    path: path.display().to_string(),
                    why: why.sentence(),
                };
                found.problem(&SourceLocation::Environment, what);
            };
            read(&path).map_err(problem).ok()
        }
        (None, None, None) => None,
    }
}

fn written_out(cell: &Cell, found: &mut Findings) -> Option<Secret> {
    let Some(text) = cell.text() else {
        found.reject(cell, ValueSentence::NotText {});
        return None;
    };
    if let SourceLocation::File { path, .. } = &cell.place
        && others_may_read(Path::new(path))
    {
        let key = cell.name.clone();
        found.warn(&cell.place, SecretSentence::InOpenFile { key });
    }
    Some(Secret::new(text))
}

fn from_file(key: &str, cell: &Cell, found: &mut Findings) -> Option<Secret> {
    let Some(text) = cell.text() else {
        found.reject(cell, SecretFileSentence::PathIsNotText {});
        return None;
    };
    let path = Path::new(text);
    if !path.is_absolute() {
        let name = match key {
            "token" => "token",
            "password" => "court1.password",
            _ => "cloud.secret",
        };
        let example = format!("/etc/hindsight/{name}");
        found.reject(cell, ValueSentence::NotAWholePath { example });
        return None;
    }
    let secret = read(path).map_err(|why| found.reject(cell, why)).ok()?;
    if others_may_read(path) {
        found.warn_of(cell, SecretFileSentence::Open {});
    }
    Some(secret)
}

/// The file's one line, or what is wrong with it, without a word of what it says.
fn read(path: &Path) -> Result<Secret, SecretFileSentence> {
    const LONGEST: u64 = 4096;
    let facts = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !facts.is_file() {
        return Err(SecretFileSentence::NotAFile {});
    }
    if facts.len() > LONGEST {
        return Err(SecretFileSentence::TooLong {});
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| SecretFileSentence::NotUtf8 {})?;
    let text = text.trim_start_matches('\u{feff}');
    let line = text.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(SecretFileSentence::Empty {});
    }
    if line.contains(['\n', '\r']) {
        return Err(SecretFileSentence::SeveralLines {});
    }
    Ok(Secret::new(line))
}

fn unreadable(error: &std::io::Error) -> SecretFileSentence {
    match error.kind() {
        std::io::ErrorKind::NotFound => SecretFileSentence::Missing {},
        std::io::ErrorKind::PermissionDenied => SecretFileSentence::Forbidden {},
        _ => SecretFileSentence::Unreadable {
            error: error.to_string(),
        },
    }
}
