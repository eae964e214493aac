//! What people write: tables of keys, each value with the place where it stands.
//!
//! Not a struct of serde's: that stops at the first mistake and forgets lines.
//! Here everything that was written is kept until all of it has been looked at.

use super::checked::redacted;
use super::problem::Place;

/// Every key there is, by table. `camera` is the one that may repeat.
pub const KEYS: &[(&str, &[&str])] = &[
    ("venue", &["name", "timezone"]),
    ("storage", &["path"]),
    ("ring", &["dir", "seconds", "max_bitrate"]),
    ("highlight", &["pre", "post", "stop_grace"]),
    ("trigger", &["mode"]),
    ("reconnect", &["initial_delay", "max_delay", "max_attempts"]),
    (
        "camera",
        &[
            "id",
            "name",
            "url",
            "username",
            "password",
            "password_file",
            "transport",
            "latency",
        ],
    ),
    ("http", &["listen", "token", "token_file"]),
    ("log", &["level", "format"]),
];

/// The key's own name where the table has it, for as long as the program runs.
pub fn known(table: &str, key: &str) -> Option<(&'static str, &'static str)> {
    let (table, keys) = KEYS.iter().find(|(name, _)| *name == table)?;
    let key = keys.iter().find(|name| **name == key)?;
    Some((table, key))
}

/// The keys of a table; none if there is no such table.
pub fn keys_of(table: &str) -> &'static [&'static str] {
    let found = KEYS.iter().find(|(name, _)| *name == table);
    found.map_or(&[], |(_, keys)| keys)
}

/// Whether a key's value must never be shown.
pub fn is_secret(key: &str) -> bool {
    matches!(key, "password" | "token")
}

/// A value as written.
#[derive(Clone, PartialEq)]
pub enum Value {
    Text(String),
    Whole(i64),
    /// Anything else, as it was written: `1.5`, `true`, `[…]`.
    Other(String),
}

/// A value, what it is called where it stands, and where that is.
#[derive(Clone)]
pub struct Cell {
    pub place: Place,
    /// `[ring] seconds`, `HINDSIGHT_RING_SECONDS`, `BUFFER_SECONDS`.
    pub name: String,
    pub value: Value,
    /// The value as people may see it, where that differs from `value`.
    shown: Option<String>,
}

impl Cell {
    /// `key` decides how much of the value may be seen.
    pub fn new(place: Place, name: impl Into<String>, key: &str, value: Value) -> Cell {
        let shown = match &value {
            _ if is_secret(key) => Some("<hidden>".to_owned()),
            Value::Text(url) if key == "url" => Some(format!("\"{}\"", redacted(url))),
            // A slip of the hand joins lines, and the password's is the next.
            Value::Text(name) if key == "username" && !is_plain_name(name) => {
                Some("<hidden>".to_owned())
            }
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

    /// The value for an error message: quoted if it is text, and without secrets.
    pub fn shown(&self) -> String {
        if let Some(shown) = &self.shown {
            return shown.clone();
        }
        match &self.value {
            Value::Text(text) => format!("{:?}", shortened(text)),
            Value::Whole(number) => number.to_string(),
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
    pub place: Place,
    cells: Vec<(&'static str, Cell)>,
}

impl Table {
    pub fn new(place: Place) -> Table {
        Table {
            place,
            cells: Vec::new(),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Cell> {
        let found = self.cells.iter().find(|(name, _)| *name == key);
        found.map(|(_, cell)| cell)
    }

    /// Puts a cell over the one of a lower source. A secret and the file that
    /// holds it are two ways to say one thing: the higher source's word counts.
    pub fn set(&mut self, key: &'static str, cell: Cell) {
        let twin = match key {
            "password" => Some("password_file"),
            "password_file" => Some("password"),
            "token" => Some("token_file"),
            "token_file" => Some("token"),
            _ => None,
        };
        let rank = std::mem::discriminant(&cell.place);
        self.cells.retain(|(name, old)| {
            let overruled = Some(*name) == twin && std::mem::discriminant(&old.place) != rank;
            *name != key && !overruled
        });
        self.cells.push((key, cell));
    }

    /// The text of a key, if it is text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// All that was written, from all sources.
#[derive(Clone, Debug, Default)]
pub struct Written {
    tables: Vec<(&'static str, Table)>,
    pub cameras: Vec<Table>,
    /// The file as a whole, to which what is missing should be added.
    pub whole: Option<Place>,
    /// A camera was written in a way that was reported already.
    pub camera_unreadable: bool,
}

impl Written {
    pub fn table(&self, name: &str) -> Option<&Table> {
        let found = self.tables.iter().find(|(table, _)| *table == name);
        found.map(|(_, table)| table)
    }

    /// The table of that name; made at `place` if nobody wrote it yet.
    pub fn table_mut(&mut self, name: &'static str, place: &Place) -> &mut Table {
        let found = self.tables.iter().position(|(table, _)| *table == name);
        let at = found.unwrap_or_else(|| {
            self.tables.push((name, Table::new(place.clone())));
            self.tables.len() - 1
        });
        &mut self.tables[at].1
    }

    pub fn get(&self, table: &str, key: &str) -> Option<&Cell> {
        self.table(table)?.get(key)
    }

    pub fn camera_mut(&mut self, id: &str) -> Option<&mut Table> {
        let mut cameras = self.cameras.iter_mut();
        cameras.find(|camera| camera.text("id") == Some(id))
    }

    /// The ids as written, in their order.
    pub fn camera_ids(&self) -> Vec<String> {
        let ids = self.cameras.iter().filter_map(|camera| camera.text("id"));
        ids.map(str::to_owned).collect()
    }
}
