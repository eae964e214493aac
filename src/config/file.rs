//! The TOML file, as written. Keeps every line; stops at nothing it can step over.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::checked::{TABLES, table_names, table_spec};
use super::keys::{KeySpec, TableSpec};
use super::near::DidYouMean;
use super::place::SourceLocation;
use super::problem::Findings;
use super::syntax::SyntaxSentence;
use super::text_file::read_text;
use super::written::{Cell, Table, Value, WrittenConfig};

crate::sentences! {
    /// What is wrong with a table or a key in the file; whole sentences.
    pub enum FileSentence {
        NotRepeated { table: &'static str } = "config_table_not_repeated":
            "{table} is written as if there were only one; begin each {table} with a line [[{table}]]",
        NotATable { table: &'static str } = "config_entry_not_a_table":
            "{table} is no table; begin each {table} with a line [[{table}]]",
        Repeated { table: &'static str } = "config_table_repeated":
            "[[{table}]] has double brackets; there is only one, so write [{table}]",
        IsATable { table: &'static str } = "config_table_as_key":
            "{table} is a table; write [{table}] on a line of its own and its keys below",
        OutsideTable { key: String, table: String } = "config_key_outside_table":
            "{key} stands outside of its table; write it below {table}",
        UnknownTable { table: String, near: DidYouMean, tables: String } = "config_unknown_table":
            "{table} is unknown{near} (there are: {tables})",
        KeyAsTable { key: String, table: String, tables: String } = "config_key_as_table":
            "{key} is unknown; it is a key of {table} (there are: {tables})",
        UnknownKey { table: String, key: String, near: DidYouMean, keys: String } = "config_unknown_key":
            "{table} {key} is unknown{near} (there are: {keys})",
        KeyOfOtherTable { table: String, key: String, other: String, keys: String } = "config_key_of_other_table":
            "{table} {key} is unknown; it belongs below {other} (there are: {keys})",
    }
}

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

/// Takes TOML text apart. False if it is no TOML.
fn parse(path: &str, text: &str, written: &mut WrittenConfig, found: &mut Findings) -> bool {
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
        let spec = table_spec(name);
        match (
            spec.map(|spec| (spec, spec.repeats.is_some())),
            value.get_ref(),
        ) {
            (Some((spec, true)), DeValue::Array(array)) => {
                for element in array.iter() {
                    reading.entry(spec, element, written, found);
                }
            }
            (Some((spec, true)), _) => {
                written.camera_unreadable |= name == "camera";
                let table = spec.name;
                found.problem(&place, FileSentence::NotRepeated { table });
            }
            (Some((spec, false)), DeValue::Table(table)) => {
                let cells = reading.table(spec, place.clone(), table, found);
                *written.table_mut(spec, &place) = cells;
            }
            (spec, value) => {
                let what = stray(name, spec.map(|(spec, _)| spec), value);
                found.problem(&place, what);
            }
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
            let line = match &place {
                SourceLocation::File { line, .. } => self.text.lines().nth(line.saturating_sub(1)),
                _ => None,
            };
            let what = SyntaxSentence::of(line.unwrap_or(""), error.message());
            found.problem(&place, what);
            seen = Some(place);
        }
    }

    fn entry(
        &self,
        spec: &'static TableSpec,
        element: &Spanned<DeValue<'_>>,
        written: &mut WrittenConfig,
        found: &mut Findings,
    ) {
        let place = self.place(element.span().start);
        let DeValue::Table(table) = element.get_ref() else {
            let table = spec.name;
            written.camera_unreadable |= table == "camera";
            found.problem(&place, FileSentence::NotATable { table });
            return;
        };
        written.push(self.table(spec, place, table, found));
    }

    fn table(
        &self,
        spec: &'static TableSpec,
        place: SourceLocation,
        table: &DeTable<'_>,
        found: &mut Findings,
    ) -> Table {
        let mut cells = Table::new(spec, place);
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let place = self.place(key.span().start);
            match spec.key(key.get_ref()) {
                Some(key) => {
                    let name = format!("{} {}", spec.header(), key.name);
                    let value = self.value(key, value);
                    cells.set(key, Cell::new(place, name, key, value));
                }
                None => found.problem(&place, unknown_key(spec, key.get_ref())),
            }
        }
        cells
    }

    fn value(&self, key: &KeySpec, value: &Spanned<DeValue<'_>>) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::Text(text.clone().into_owned()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Whole(number),
                    Err(_) => Value::Other(number.to_string()),
                }
            }
            _ if key.is_secret() => Value::Other(String::new()),
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
}

/// The texts of an array, if it holds nothing else.
fn texts(array: &[Spanned<DeValue<'_>>]) -> Option<Vec<String>> {
    let texts = array.iter().map(|element| match element.get_ref() {
        DeValue::String(text) => Some(text.clone().into_owned()),
        _ => None,
    });
    texts.collect()
}

/// What is wrong with something at the top that is no table.
fn stray(name: &str, spec: Option<&'static TableSpec>, value: &DeValue<'_>) -> FileSentence {
    match (spec, value) {
        (Some(spec), DeValue::Array(_)) => FileSentence::Repeated { table: spec.name },
        (Some(spec), _) => FileSentence::IsATable { table: spec.name },
        (None, DeValue::Table(_)) => unknown_table(name),
        (None, _) => match table_with(name) {
            Some(table) => FileSentence::OutsideTable {
                key: name.to_owned(),
                table,
            },
            None => unknown_table(name),
        },
    }
}

fn unknown_table(name: &str) -> FileSentence {
    let tables = table_names().collect::<Vec<_>>().join(", ");
    match table_with(name) {
        Some(table) => FileSentence::KeyAsTable {
            key: name.to_owned(),
            table,
            tables,
        },
        None => FileSentence::UnknownTable {
            table: name.to_owned(),
            near: DidYouMean::of(name, table_names()),
            tables,
        },
    }
}

fn unknown_key(spec: &TableSpec, key: &str) -> FileSentence {
    let (table, key, keys) = (spec.header(), key.to_owned(), spec.all_names());
    let near = DidYouMean::of(&key, spec.names());
    // Several tables have ids: which was meant nobody can tell.
    let other = table_with(&key).filter(|_| near.nothing() && key != "id");
    match other {
        Some(other) => FileSentence::KeyOfOtherTable {
            table,
            key,
            other,
            keys,
        },
        None => FileSentence::UnknownKey {
            table,
            key,
            near,
            keys,
        },
    }
}

/// The table that has this key, if one does.
fn table_with(key: &str) -> Option<String> {
    let mut tables = TABLES.iter();
    tables
        .find(|spec| spec.key(key).is_some())
        .map(|spec| spec.header())
}
