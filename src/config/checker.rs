//! Values of kinds that several tables share: texts, names, words, lists, paths, yes or no.
//! A bad one is reported and its default stands in.
//!
//! Not here: numbers, rates and lengths of time (`numbers`); what one table alone has (its file).

use std::fmt;
use std::path::{Path, PathBuf};

use super::problem::Findings;
use super::systemd::SystemdCredentials;
use super::written::{Cell, Table, Value, WrittenConfig};
use crate::base::sentence::{Arg, Coded, Sentence, ToArg};

crate::sentences! {
    /// What is wrong with a value of a common kind; follows `key = value`.
    pub enum ValueSentence {
        NotText {} = "config_not_text": "is not text; put it in quotes",
        NotTextLike { example: String } = "config_not_text_like": "is not text; write it like {example}",
        /// Of what the sentence within is about.
        WriteItLike { why: Sentence, example: String } = "config_write_it_like": "{why}; write it like {example}",
        /// Within another sentence.
        NoText {} = "config_no_text": "is not text",
        NeedlessQuotes { bare: String } = "config_needless_quotes": "stands in quotes; write {bare} without them",
        NotABool {} = "config_not_a_bool": "is neither true nor false",
        NotAList { example: &'static str } = "config_not_a_list": "is no list of texts; write it like {example}",
        NotOneOf { words: String } = "config_not_one_of": "is not one of {words}",
        NoName { most_characters: usize } = "config_no_name":
            "is no name; write 1 to {most_characters} characters on one line",
        NameTooLong { characters: usize, most_characters: usize } = "config_name_too_long":
            "is too long for a name ({characters} characters); write 1 to {most_characters} characters on one line",
        NotAWholePath { example: String } = "config_not_a_whole_path":
            "is not a whole path; begin it with /, as in \"{example}\"",
        Empty {} = "config_empty": "is empty",
    }
}

crate::sentences! {
    /// What is wrong with the keys of a table; a whole sentence.
    pub enum KeySentence {
        Missing { table: String, missing: String, example: String } = "config_key_missing":
            "{table} has no {missing}; write {missing} = {example}",
        Misplaced { key: String, belongs: String } = "config_key_misplaced":
            "{key} belongs to {belongs}; leave it out here",
    }
}

/// A text in a sentence, as it would be written in quotes; for programs the text alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(pub String);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl ToArg for Quoted {
    fn to_arg(&self) -> Arg {
        Arg::Text(self.0.clone())
    }
}

/// Looks at values one by one: a bad one is reported and its default stands in.
pub struct Checker<'a> {
    pub written: &'a WrittenConfig,
    pub credentials: &'a SystemdCredentials,
    pub found: &'a mut Findings,
}

impl Checker<'_> {
    /// `true` or `false`.
    pub fn flag(&mut self, table: &Table, key: &str, default: bool) -> bool {
        let Some(cell) = table.get(key) else {
            return default;
        };
        let in_file = cell.place.is_toml();
        let why = match &cell.value {
            Value::Other(text) if text == "true" => return true,
            Value::Other(text) if text == "false" => return false,
            // From the environment everything comes as text.
            Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" if !in_file => return true,
                "false" if !in_file => return false,
                word @ ("true" | "false") => ValueSentence::NeedlessQuotes {
                    bare: word.to_owned(),
                },
                _ => ValueSentence::NotABool {},
            },
            _ => ValueSentence::NotABool {},
        };
        self.found.reject(cell, why);
        default
    }

    /// Texts in brackets; from the environment, between commas.
    pub fn list<'t>(
        &mut self,
        table: &'t Table,
        key: &str,
        example: &'static str,
    ) -> Option<(&'t Cell, Vec<String>)> {
        let cell = table.get(key)?;
        match &cell.value {
            Value::List(texts) => Some((cell, texts.clone())),
            Value::Text(text) if !cell.place.is_toml() => {
                let parts = text.split(',').map(str::trim);
                let parts = parts.filter(|part| !part.is_empty());
                Some((cell, parts.map(str::to_owned).collect()))
            }
            _ => {
                self.found.reject(cell, ValueSentence::NotAList { example });
                None
            }
        }
    }

    /// One of a few words, in any case.
    pub fn choice<T: Copy>(
        &mut self,
        table: &Table,
        key: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(cell) = table.get(key) else {
            return default;
        };
        let text = cell.text().unwrap_or("").trim();
        let mut each = choices.iter();
        if let Some((_, value)) = each.find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return *value;
        }
        let quoted = choices.iter().map(|(word, _)| format!("\"{word}\""));
        let words = quoted.collect::<Vec<_>>().join(", ");
        self.found.reject(cell, ValueSentence::NotOneOf { words });
        default
    }

    /// A name for people: one line of 1 to 80 characters.
    pub fn label(&mut self, table: &Table, key: &str, default: &str) -> String {
        const LONGEST: usize = 80;
        let Some(cell) = table.get(key) else {
            return default.to_owned();
        };
        let why = match cell.text() {
            None => ValueSentence::NotText {},
            Some(text) => match text.trim().chars().count() {
                characters if characters > LONGEST => ValueSentence::NameTooLong {
                    characters,
                    most_characters: LONGEST,
                },
                1.. if !text.contains(char::is_control) => return text.trim().to_owned(),
                _ => ValueSentence::NoName {
                    most_characters: LONGEST,
                },
            },
        };
        self.found.reject(cell, why);
        default.to_owned()
    }

    /// One line of text that `rule` accepts; `wrong` says why another is refused.
    pub fn text(
        &mut self,
        table: &Table,
        key: &str,
        wrong: impl Coded,
        rule: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let cell = table.get(key)?;
        match cell.text().map(str::trim) {
            Some(text) if rule(text) => return Some(text.to_owned()),
            Some(_) => self.found.reject(cell, wrong),
            None => self.found.reject(cell, ValueSentence::NotText {}),
        }
        None
    }

    /// A whole path.
    pub fn path(&mut self, table: &Table, key: &str, example: &str) -> Option<PathBuf> {
        let cell = table.get(key)?;
        let why = match cell.text() {
            Some(text) if Path::new(text).is_absolute() && !text.contains('\0') => {
                return Some(PathBuf::from(text));
            }
            Some(_) => ValueSentence::NotAWholePath {
                example: example.to_owned(),
            },
            None => ValueSentence::NotTextLike {
                example: format!("\"{example}\""),
            },
        };
        self.found.reject(cell, why);
        None
    }

    /// Reports a key that must be there; `example` as it would be written.
    pub fn needs(&mut self, table: &Table, key: &str, example: impl Into<String>) {
        if table.get(key).is_none() {
            let what = KeySentence::Missing {
                table: table.spec.header(),
                missing: key.to_owned(),
                example: example.into(),
            };
            self.found.problem(&table.place, what);
        }
    }

    /// Reports a key that belongs to another kind of entry. True if it is there.
    pub fn misplaced(&mut self, table: &Table, key: &str, belongs: &str) -> bool {
        let Some(cell) = table.get(key) else {
            return false;
        };
        let what = KeySentence::Misplaced {
            key: cell.name.clone(),
            belongs: belongs.to_owned(),
        };
        self.found.problem(&cell.place, what);
        true
    }
}
