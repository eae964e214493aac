//! Passwords and tokens: written out, in a file of their own, or from systemd.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::checked::Secret;
use super::problem::{Findings, SourceLocation};
use super::written::{Cell, Table, Value};

/// Whether users other than owner and group may read the file.
pub fn others_may_read(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

/// Where systemd puts the credentials of this service (`$CREDENTIALS_DIRECTORY`).
#[derive(Clone, Debug, Default)]
pub struct SystemdCredentials {
    pub dir: Option<PathBuf>,
}

impl SystemdCredentials {
    fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.dir.as_ref()?.join(name);
        path.is_file().then_some(path)
    }
}

/// The secret of a table: `key`, `<key>_file`, or else systemd's credential of that name.
/// `None`: none was given, or a problem was reported.
pub fn secret(
    table: &Table,
    key: &str,
    credentials: &SystemdCredentials,
    credential: &str,
    found: &mut Findings,
) -> Option<Secret> {
    let file_key = format!("{key}_file");
    let from_systemd = credentials.file(credential);
    let (plain, file) = (table.get(key), table.get(&file_key));
    if let (Some(cell), Some(path)) = (from_systemd.as_ref(), plain.or(file)) {
        found.warn(
            &path.place,
            format!(
                "{} counts, and not systemd's credential {} beside it",
                path.name,
                cell.display()
            ),
        );
    }
    match (plain, file, from_systemd) {
        (Some(plain), Some(_), _) => {
            found.reject(
                plain,
                format!("stands beside {file_key}; write only one of the two"),
            );
            None
        }
        (Some(plain), None, _) => written_out(plain, found),
        (None, Some(file), _) => from_file(key, file, found),
        (None, None, Some(path)) => {
            let place = SourceLocation::Environment;
            read(&path)
                .map_err(|why| found.problem(&place, format!("{}: {why}", path.display())))
                .ok()
        }
        (None, None, None) => None,
    }
}

fn written_out(cell: &Cell, found: &mut Findings) -> Option<Secret> {
    let Value::Text(text) = &cell.value else {
        found.reject(cell, "is not text; put it in quotes");
        return None;
    };
    if let SourceLocation::File { path, .. } = &cell.place
        && others_may_read(Path::new(path))
    {
        found.warn(
            &cell.place,
            format!(
                "{} stands in a file that everybody on this machine may read; chmod o-r it, or \
                 move the secret to a file of its own",
                cell.name
            ),
        );
    }
    Some(Secret::new(text))
}

fn from_file(key: &str, cell: &Cell, found: &mut Findings) -> Option<Secret> {
    let Value::Text(text) = &cell.value else {
        found.reject(cell, "is not text; write the file's whole path in quotes");
        return None;
    };
    let path = Path::new(text);
    if !path.is_absolute() {
        let name = match key {
            "token" => "token",
            "password" => "court1.password",
            _ => "cloud.secret",
        };
        found.reject(
            cell,
            format!("is not a whole path; begin it with /, as in \"/etc/hindsight/{name}\""),
        );
        return None;
    }
    match read(path) {
        Ok(secret) => {
            if others_may_read(path) {
                found.warn(
                    &cell.place,
                    format!(
                        "{} = {} may be read by everybody on this machine; chmod o-r it",
                        cell.name,
                        cell.shown()
                    ),
                );
            }
            Some(secret)
        }
        Err(why) => {
            found.reject(cell, why);
            None
        }
    }
}

/// The file's one line, or what is wrong with it, without a word of what it says.
fn read(path: &Path) -> Result<Secret, String> {
    const LONGEST: u64 = 4096;
    let facts = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !facts.is_file() {
        return Err("is no file; name the file that holds the secret".to_owned());
    }
    if facts.len() > LONGEST {
        return Err(
            "is too long for a secret; the file must hold it alone, on one line".to_owned(),
        );
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let line = text
        .trim_start_matches('\u{feff}')
        .trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err("is empty; write the secret into it, on one line".to_owned());
    }
    if line.contains(['\n', '\r']) {
        return Err(
            "has several lines; the file must hold the secret alone, on one line".to_owned(),
        );
    }
    Ok(Secret::new(line))
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "does not exist; make the file and write the secret into it".to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "may not be read by this user; give the file to the service's user".to_owned()
        }
        _ => format!("cannot be read: {error}"),
    }
}
