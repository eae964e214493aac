//! Reads a text file, or says why it cannot be read.

use std::path::Path;

const LARGEST: u64 = 1 << 20;

crate::sentences! {
    /// Why a text file cannot be read.
    pub enum TextFileSentence {
        Missing {} = "config_file_missing":
            "there is no such file; copy hindsight.example.toml there and fill in the cameras, \
             or name another with --config FILE (\"hindsight demo\" needs none)",
        Forbidden {} = "config_file_forbidden":
            "may not be read by this user; change its owner or group, or run as the service's user",
        Unreadable { error: String } = "config_file_unreadable": "cannot be read: {error}",
        Folder {} = "config_file_is_a_folder": "is a folder; name the file in it",
        TooLarge {} = "config_file_too_large": "is larger than 1 MB; is it the right file?",
        NotUtf8 {} = "config_file_not_utf8": "is not UTF-8 text; save it as UTF-8 in the editor",
    }
}

/// A text file of at most a megabyte, or why not.
pub fn read_text(path: &Path) -> Result<String, TextFileSentence> {
    let explained = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => TextFileSentence::Missing {},
        std::io::ErrorKind::PermissionDenied => TextFileSentence::Forbidden {},
        _ => TextFileSentence::Unreadable {
            error: error.to_string(),
        },
    };
    let facts = std::fs::metadata(path).map_err(explained)?;
    if facts.is_dir() {
        return Err(TextFileSentence::Folder {});
    }
    if facts.len() > LARGEST {
        return Err(TextFileSentence::TooLarge {});
    }
    let bytes = std::fs::read(path).map_err(explained)?;
    let text = String::from_utf8(bytes).map_err(|_| TextFileSentence::NotUtf8 {})?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}
