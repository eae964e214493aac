//! Kinds of values that several tables share: yes or no, lists, numbers with a
//! point, texts, paths. A bad one is reported and its default stands in.
//!
//! Not here: lengths of time, whole numbers, choices, names (`check`).
//! Called by: `check`, `button`, `mark`, `target`.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::check::Checker;
use super::problem::SourceLocation;
use super::units::{rate_bps, show_bps};
use super::written::{Cell, Table, Value};

impl Checker<'_> {
    /// `true` or `false`.
    pub fn flag(&mut self, table: Option<&Table>, key: &str, default: bool) -> bool {
        let Some(cell) = table.and_then(|table| table.get(key)) else {
            return default;
        };
        let in_file = matches!(cell.place, SourceLocation::File { .. });
        let why = match &cell.value {
            Value::Other(text) if text == "true" => return true,
            Value::Other(text) if text == "false" => return false,
            // From the environment everything comes as text.
            Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" if !in_file => return true,
                "false" if !in_file => return false,
                word @ ("true" | "false") => format!("stands in quotes; write {word} without them"),
                _ => "is neither true nor false".to_owned(),
            },
            _ => "is neither true nor false".to_owned(),
        };
        self.found.reject(cell, why);
        default
    }

    /// Texts in brackets; from the environment, between commas.
    pub fn list<'t>(
        &mut self,
        table: Option<&'t Table>,
        key: &str,
        example: &str,
    ) -> Option<(&'t Cell, Vec<String>)> {
        let cell = table.and_then(|table| table.get(key))?;
        match &cell.value {
            Value::List(texts) => Some((cell, texts.clone())),
            Value::Text(text) if !matches!(cell.place, SourceLocation::File { .. }) => {
                let parts = text.split(',').map(str::trim);
                let parts = parts.filter(|part| !part.is_empty());
                Some((cell, parts.map(str::to_owned).collect()))
            }
            _ => {
                let why = format!("is no list of texts; write it like {example}");
                self.found.reject(cell, why);
                None
            }
        }
    }

    /// A number within `range`, with or without a point.
    pub fn number(
        &mut self,
        table: Option<&Table>,
        key: &str,
        range: RangeInclusive<f64>,
        default: f64,
    ) -> f64 {
        let Some(cell) = table.and_then(|table| table.get(key)) else {
            return default;
        };
        let in_file = matches!(cell.place, SourceLocation::File { .. });
        let read = match &cell.value {
            Value::Whole(number) => i32::try_from(*number).ok().map(f64::from),
            Value::Other(text) => text.parse::<f64>().ok(),
            Value::Text(text) if !in_file => text.trim().parse().ok(),
            _ => None,
        };
        let why = match read {
            Some(number) if range.contains(&number) => return number,
            Some(_) => format!(
                "is out of reach; write {} to {}",
                range.start(),
                range.end()
            ),
            None => match &cell.value {
                Value::Text(text) if text.parse::<f64>().is_ok() => {
                    format!("stands in quotes; write {text} without them")
                }
                _ => format!("is no number; write it like {default}"),
            },
        };
        self.found.reject(cell, why);
        default
    }

    /// One line of text that `rule` accepts; `right` says what would be.
    pub fn text(
        &mut self,
        table: Option<&Table>,
        key: &str,
        right: &str,
        rule: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let cell = table.and_then(|table| table.get(key))?;
        match &cell.value {
            Value::Text(text) if rule(text.trim()) => return Some(text.trim().to_owned()),
            Value::Text(_) => self.found.reject(cell, right),
            _ => self.found.reject(cell, "is not text; put it in quotes"),
        }
        None
    }

    /// A whole path.
    pub fn path(&mut self, table: Option<&Table>, key: &str, example: &str) -> Option<PathBuf> {
        let cell = table.and_then(|table| table.get(key))?;
        match &cell.value {
            Value::Text(text) if Path::new(text).is_absolute() && !text.contains('\0') => {
                return Some(PathBuf::from(text));
            }
            Value::Text(_) => {
                let why = format!("is not a whole path; begin it with /, as in \"{example}\"");
                self.found.reject(cell, why);
            }
            _ => {
                let why = format!("is not text; write it like \"{example}\"");
                self.found.reject(cell, why);
            }
        }
        None
    }

    /// Bits per second within `range`.
    pub fn rate_bps(
        &mut self,
        table: Option<&Table>,
        key: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let cell = table.and_then(|table| table.get(key))?;
        let read = match &cell.value {
            Value::Text(text) => rate_bps(text).ok(),
            Value::Whole(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        match read {
            Some(bps) if range.contains(&bps) => return Some(bps),
            Some(_) => {
                let (least, most) = (show_bps(*range.start()), show_bps(*range.end()));
                let why = format!(
                    "bits per second is out of reach; write \"{least}\" to \"{most}\", as in \"8M\""
                );
                self.found.reject(cell, why);
            }
            None => {
                let why = "is no bit rate; write bits per second like \"8M\" or \"800k\"";
                self.found.reject(cell, why);
            }
        }
        None
    }

    /// Reports a key that belongs to another kind of entry. True if it is there.
    pub fn misplaced(&mut self, table: &Table, key: &str, belongs: &str) -> bool {
        let Some(cell) = table.get(key) else {
            return false;
        };
        let text = format!("{} belongs to {belongs}; leave it out here", cell.name);
        self.found.problem(&cell.place, text);
        true
    }
}
