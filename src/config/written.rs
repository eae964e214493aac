//! What people write: tables of keys, each value with the place where it stands.
//!
//! Not a struct of serde's: that stops at the first mistake and forgets lines.
//! Here everything that was written is kept until all of it has been looked at.

use super::keys::{KeySpec, TableSpec, ValueKind};
use super::place::SourceLocation;
use crate::base::redact::redacted;

/// A value as written.
#[derive(Clone, PartialEq)]
pub enum Value {
    Text(String),
    Whole(i64),
    /// Of texts.
    List(Vec<String>),
    /// Anything else, as it was written: `1.5`, `true`, `[1, 2]`.
    Other(String),
}

/// A value, what it is called where it stands, and where that is.
#[derive(Clone)]
pub struct Cell {
    pub place: SourceLocation,
    /// `[ring] seconds`, `HINDSIGHT_RING_SECONDS`, `BUFFER_SECONDS`.
    pub name: String,
    pub value: Value,
    /// The value as people may see it, where that differs from `value`.
    shown: Option<String>,
}

impl Cell {
    /// `key` decides how much of the value may be seen.
    pub fn new(
        place: SourceLocation,
        name: impl Into<String>,
        key: &KeySpec,
        value: Value,
    ) -> Cell {
        let hidden = || Some("<hidden>".to_owned());
        let shown = match (key.kind, &value) {
            (ValueKind::Secret, _) => hidden(),
            (ValueKind::Address, Value::Text(url)) => Some(format!("\"{}\"", redacted(url))),
            // A slip of the hand joins lines, and the password's is the next.
            (ValueKind::Account, Value::Text(name)) if !is_plain_name(name) => hidden(),
            _ => None,
        };
        Cell {
            place,
            name: name.into(),
            value,
            shown,
        }
    }

    /// The same with another word for its value (as in the source, before it was translated).
    pub fn shown_as(mut self, shown: &str) -> Cell {
        self.shown = Some(format!("\"{shown}\""));
        self
    }

    /// The text, if it is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value for an error message: quoted if it is text, and without secrets.
    pub fn shown(&self) -> String {
        if let Some(shown) = &self.shown {
            return shown.clone();
        }
        match &self.value {
            Value::Text(text) => format!("{:?}", shortened(text)),
            Value::Whole(number) => number.to_string(),
            Value::List(texts) => shortened(&format!("{texts:?}")),
            Value::Other(text) => shortened(text),
        }
    }
}

// A cell may hold a secret, so it shows only what people may see.
impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} = {}", self.place, self.name, self.shown())
    }
}

fn is_plain_name(text: &str) -> bool {
    text.len() <= 24
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

/// A table: its place (that of its header) and its cells.
#[derive(Clone, Debug)]
pub struct Table {
    pub spec: &'static TableSpec,
    pub place: SourceLocation,
    cells: Vec<(&'static str, Cell)>,
}

/// What stands for a table that nobody wrote.
static NOTHING: Table = Table::new(&NO_SPEC, SourceLocation::CommandLine);
static NO_SPEC: TableSpec = TableSpec::one("", &[]);

impl Table {
    pub const fn new(spec: &'static TableSpec, place: SourceLocation) -> Table {
        Table {
            spec,
            place,
            cells: Vec::new(),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Cell> {
        let nothing = self.spec.keys.is_empty();
        debug_assert!(
            nothing || self.spec.key(key).is_some(),
            "{} {key}",
            self.spec.name
        );
        let found = self.cells.iter().find(|(name, _)| *name == key);
        found.map(|(_, cell)| cell)
    }

    /// Puts a cell over the one of a lower source. Of a secret and the file that
    /// holds it, the higher source's word counts.
    pub fn set(&mut self, key: &'static KeySpec, cell: Cell) {
        let twin = self.spec.twin(key).map(|twin| twin.name);
        let rank = std::mem::discriminant(&cell.place);
        self.cells.retain(|(name, old)| {
            let overruled = Some(*name) == twin && std::mem::discriminant(&old.place) != rank;
            *name != key.name && !overruled
        });
        self.cells.push((key.name, cell));
    }

    /// Puts a text there; its name is what the source calls it.
    pub fn put(&mut self, key: &str, place: &SourceLocation, name: &str, text: String) {
        if let Some(key) = self.spec.key(key) {
            self.set(key, Cell::new(place.clone(), name, key, Value::Text(text)));
        }
    }

    /// The text of a key, if it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    /// What the entry at place `number` (from 1) is called: its id; `button1` … where a button has
    /// none; its number where the table has no ids. Empty: it lacks the id it needs.
    pub fn called(&self, number: usize) -> String {
        let default = self
            .spec
            .repeats
            .as_ref()
            .map_or("", |many| many.default_id);
        match self.spec.has_ids().then(|| self.text("id")) {
            Some(Some(id)) => id.to_owned(),
            Some(None) if !default.is_empty() => format!("{default}{number}"),
            Some(None) => String::new(),
            None => number.to_string(),
        }
    }
}

/// All that was written, from all sources.
#[derive(Clone, Debug, Default)]
pub struct WrittenConfig {
    tables: Vec<Table>,
    /// Entries of the tables that repeat.
    entries: Vec<Table>,
    /// The file as a whole, to which what is missing should be added.
    pub whole: Option<SourceLocation>,
    /// A camera was written in a way that was reported already.
    pub camera_unreadable: bool,
    /// See `Sources`.
    pub may_lack_cameras: bool,
}

impl WrittenConfig {
    /// The table of that name; without any keys where nobody wrote it.
    pub fn table(&self, name: &str) -> &Table {
        let found = self.tables.iter().find(|table| table.spec.name == name);
        found.unwrap_or(&NOTHING)
    }

    /// The table of that name; made at `place` if nobody wrote it yet.
    pub fn table_mut(&mut self, spec: &'static TableSpec, place: &SourceLocation) -> &mut Table {
        let mut tables = self.tables.iter();
        let found = tables.position(|table| table.spec.name == spec.name);
        let at = found.unwrap_or_else(|| {
            self.tables.push(Table::new(spec, place.clone()));
            self.tables.len() - 1
        });
        &mut self.tables[at]
    }

    pub fn get(&self, table: &str, key: &str) -> Option<&Cell> {
        self.table(table).get(key)
    }

    pub fn push(&mut self, entry: Table) {
        self.entries.push(entry);
    }

    /// The entries of a table that repeats, in their order.
    pub fn entries<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Table> {
        let entries = self.entries.iter();
        entries.filter(move |entry| entry.spec.name == table)
    }

    /// By what the entry is called in `--set` and the environment.
    pub fn entry_mut(&mut self, table: &str, id: &str) -> Option<&mut Table> {
        let entries = self.entries.iter_mut();
        let of_table = entries.filter(|entry| entry.spec.name == table);
        let mut numbered = (1..).zip(of_table);
        let found = numbered.find(|(number, entry)| entry.called(*number) == id);
        found.map(|(_, entry)| entry)
    }

    /// What the entries of a table are called, in their order; those without a name are left out.
    pub fn ids(&self, table: &str) -> Vec<String> {
        let numbered = (1..).zip(self.entries(table));
        let ids = numbered.map(|(number, entry)| entry.called(number));
        ids.filter(|id| !id.is_empty()).collect()
    }
}
