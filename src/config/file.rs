//! The TOML file, as written. Keeps every line; stops at nothing it can step over.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::near::did_you_mean;
use super::problem::{Findings, SourceLocation};
use super::written::{
    Cell, KEYS, Table, Value, WrittenConfig, header, is_secret, keys_of, known, repeated,
};

/// Reads the file into `written`. False if nothing can be concluded from it.
pub fn read(path: &Path, written: &mut WrittenConfig, found: &mut Findings) -> bool {
    let shown = path.display().to_string();
    let whole = SourceLocation::File {
        path: shown.clone(),
        line: 0,
    };
    written.whole = Some(whole.clone());
    match read_text(path) {
        Ok(text) => parse(&shown, &text, written, found),
        Err(why) => {
            found.problem(&whole, why);
            false
        }
    }
}

/// A text file of at most a megabyte, or why not.
pub fn read_text(path: &Path) -> Result<String, String> {
    const LARGEST: u64 = 1 << 20;
    let explained = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "there is no such file; copy hindsight.example.toml there and fill in the cameras, \
             or name another with --config FILE (\"hindsight demo\" needs none)"
                .to_owned()
        }
        std::io::ErrorKind::PermissionDenied => {
            "may not be read by this user; change its owner or group, or run as the service's user"
                .to_owned()
        }
        _ => format!("cannot be read: {error}"),
    };
    let facts = std::fs::metadata(path).map_err(explained)?;
    if facts.is_dir() {
        return Err("is a folder; name the file in it".to_owned());
    }
    if facts.len() > LARGEST {
        return Err("is larger than 1 MB; is it the right file?".to_owned());
    }
    let bytes = std::fs::read(path).map_err(explained)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| "is not UTF-8 text; save it as UTF-8 in the editor".to_owned())?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// Takes TOML text apart. False if it is no TOML.
pub fn parse(path: &str, text: &str, written: &mut WrittenConfig, found: &mut Findings) -> bool {
    let reading = Reading { path, text };
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        reading.report_syntax(&errors, found);
        return false;
    }
    let mut entries: Vec<_> = root.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let place = reading.place(key.span().start);
        let name: &str = key.get_ref();
        match (repeated(name), value.get_ref()) {
            (Some(name), DeValue::Array(array)) => {
                for element in array.iter() {
                    reading.entry(name, element, written, found);
                }
            }
            (Some(name), _) => {
                written.camera_unreadable |= name == "camera";
                let text = format!(
                    "{name} is written as if there were only one; begin each {name} with a line [[{name}]]"
                );
                found.problem(&place, text);
            }
            (None, DeValue::Table(table)) => reading.table(name, &place, table, written, found),
            (None, value) => reading.stray(name, &place, value, found),
        }
    }
    true
}

struct Reading<'a> {
    path: &'a str,
    text: &'a str,
}

impl Reading<'_> {
    fn place(&self, at: usize) -> SourceLocation {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        SourceLocation::File {
            path: self.path.to_owned(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        }
    }

    // The parser's own display shows the line, and a password may stand in it.
    fn report_syntax(&self, errors: &[toml::de::Error], found: &mut Findings) {
        let mut seen = None;
        for error in errors {
            let place = self.place(error.span().map_or(0, |span| span.start));
            if seen.as_ref() == Some(&place) {
                continue;
            }
            found.problem(&place, self.syntax(&place, error.message()));
            seen = Some(place);
        }
    }

    /// What is wrong with a line, and the key and value in question if they may be shown.
    fn syntax(&self, place: &SourceLocation, message: &str) -> String {
        let line = match place {
            SourceLocation::File { line, .. } => self.text.lines().nth(line.saturating_sub(1)),
            _ => None,
        };
        let (key, value) = line
            .and_then(|line| line.split_once('='))
            .map_or(("", ""), |(key, value)| (key.trim(), value.trim()));
        let shown = match line.unwrap_or("").trim() {
            header if is_header(header) => format!("{header} "),
            _ => key_and_value(key, value),
        };
        match message {
            "string values must be quoted, expected literal string" => match value.chars().next() {
                None | Some('#') => format!("{shown}has no value; write one behind the ="),
                Some(first) if first.is_ascii_digit() => {
                    format!("{shown}is no number; with a unit it stands in quotes, as in \"40s\"")
                }
                Some('“' | '”' | '„' | '‘' | '’' | '«' | '`') => format!(
                    "{shown}stands in quotes of a word processor; type plain ones, like \"this\""
                ),
                Some(_) => format!("{shown}is text without quotes; write it like \"this\""),
            },
            "invalid basic string, expected `\"`" => format!("{shown}lacks its closing quote"),
            _ if value.starts_with('"') && value.contains('\\') => {
                format!("{shown}has a \\ in it; write each twice, or 'the text in these quotes'")
            }
            "unclosed table, expected `]`" => "the closing ] is missing".to_owned(),
            "key with no value, expected `=`" => {
                "is neither [TABLE] nor KEY = VALUE; comments begin with #".to_owned()
            }
            "duplicate key" => {
                format!("{shown}stands here for the second time; keep one of the two")
            }
            "unexpected key or value, expected newline, `#`" => {
                format!("{shown}has something behind its value; write one KEY = VALUE a line")
            }
            other => format!("{shown}cannot be understood: {}", other.replace('\n', ", ")),
        }
    }

    fn table(
        &self,
        name: &str,
        place: &SourceLocation,
        table: &DeTable<'_>,
        written: &mut WrittenConfig,
        found: &mut Findings,
    ) {
        let Some((name, _)) = KEYS.iter().find(|(known, _)| *known == name) else {
            found.problem(place, unknown_table(name));
            return;
        };
        let mut cells = Table::new(place.clone());
        self.cells(name, &format!("[{name}]"), table, &mut cells, found);
        let target = written.table_mut(name, place);
        *target = cells;
    }

    fn entry(
        &self,
        name: &'static str,
        element: &Spanned<DeValue<'_>>,
        written: &mut WrittenConfig,
        found: &mut Findings,
    ) {
        let place = self.place(element.span().start);
        let DeValue::Table(table) = element.get_ref() else {
            written.camera_unreadable |= name == "camera";
            let text = format!("{name} is no table; begin each {name} with a line [[{name}]]");
            found.problem(&place, text);
            return;
        };
        let mut cells = Table::new(place);
        self.cells(name, &header(name), table, &mut cells, found);
        written.push(name, cells);
    }

    fn cells(
        &self,
        name: &str,
        shown: &str,
        table: &DeTable<'_>,
        into: &mut Table,
        found: &mut Findings,
    ) {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let place = self.place(key.span().start);
            match known(name, key.get_ref()) {
                Some((_, key)) => {
                    let value = self.value(key, value);
                    into.set(key, Cell::new(place, format!("{shown} {key}"), key, value));
                }
                None => found.problem(&place, unknown_key(name, shown, key.get_ref())),
            }
        }
    }

    fn value(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Whole(number),
                    Err(_) => Value::Other(number.to_string()),
                }
            }
            _ if is_secret(key) => Value::Other(String::new()),
            DeValue::Array(array) => match texts(array) {
                Some(texts) => Value::List(texts),
                None => self.source(value),
            },
            _ => self.source(value),
        }
    }

    fn source(&self, value: &Spanned<DeValue<'_>>) -> Value {
        Value::Other(self.text.get(value.span()).unwrap_or("").to_owned())
    }

    fn stray(&self, name: &str, place: &SourceLocation, value: &DeValue<'_>, found: &mut Findings) {
        let is_table = KEYS.iter().any(|(table, _)| *table == name);
        let text = if is_table && matches!(value, DeValue::Array(_)) {
            format!("[[{name}]] has double brackets; there is only one, so write [{name}]")
        } else if is_table {
            format!("{name} is a table; write [{name}] on a line of its own and its keys below")
        } else if let Some(table) = table_with(name) {
            format!("{name} stands outside of its table; write it below {table}")
        } else {
            unknown_table(name)
        };
        found.problem(place, text);
    }
}

/// The texts of an array, if it holds nothing else.
fn texts(array: &[Spanned<DeValue<'_>>]) -> Option<Vec<String>> {
    let texts = array.iter().map(|element| match element.get_ref() {
        DeValue::String(text) => Some(text.clone().into_owned()),
        _ => None,
    });
    texts.collect()
}

/// `[ring]` or `[[camera]]`, and nothing else.
fn is_header(line: &str) -> bool {
    let name = line.trim_start_matches('[').trim_end_matches(']');
    name.len() < line.len() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `key = value `, if it is a key of ours. In a line that cannot be understood a secret may
/// stand anywhere, so the value is shown only where it is short and plain.
fn key_and_value(key: &str, value: &str) -> String {
    const LONGEST: usize = 12;
    let ours = KEYS.iter().any(|(_, keys)| keys.contains(&key));
    let near_secrets =
        is_secret(key) || matches!(key, "url" | "endpoint" | "username" | "access_key_id");
    let word = value.split_whitespace().next().unwrap_or("");
    let bare = word.strip_prefix('"').unwrap_or(word);
    let plain =
        bare.len() <= LONGEST && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    match word {
        _ if !ours => String::new(),
        "" => format!("{key} = "),
        word if plain && !near_secrets => format!("{key} = {word} "),
        _ => format!("{key} = … "),
    }
}

fn unknown_table(name: &str) -> String {
    let tables = KEYS.iter().map(|(table, _)| *table);
    let hint = match table_with(name) {
        Some(table) => format!("; it is a key of {table}"),
        None => did_you_mean(name, tables.clone()),
    };
    let all: Vec<&str> = tables.collect();
    format!("{name} is unknown{hint} (there are: {})", all.join(", "))
}

fn unknown_key(table: &str, shown: &str, key: &str) -> String {
    let keys = keys_of(table);
    let mut hint = did_you_mean(key, keys.iter().copied());
    // Several tables have ids: which was meant nobody can tell.
    if hint.is_empty() && key != "id" {
        hint = table_with(key).map_or(hint, |other| format!("; it belongs below {other}"));
    }
    let all = keys.join(", ");
    format!("{shown} {key} is unknown{hint} (there are: {all})")
}

/// The table that has this key, if one does.
fn table_with(key: &str) -> Option<String> {
    let (table, _) = KEYS.iter().find(|(_, keys)| keys.contains(&key))?;
    Some(header(table))
}
