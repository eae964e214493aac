//! What people write: tables of keys, each value with the place where it stands.
//!
//! Not a struct of serde's: that stops at the first mistake and forgets lines.
//! Here everything that was written is kept until all of it has been looked at.

use super::checked::redacted;
use super::problem::SourceLocation;

/// Every key there is, by table. Those in [`REPEATED`] stand in double brackets.
pub const KEYS: &[(&str, &[&str])] = &[
    ("venue", &["name", "timezone", "open"]),
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
            "court",
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
    ("board", &["backend", "model", "chip"]),
    (
        "button",
        &[
            "id",
            "input",
            "pin",
            "active",
            "pull",
            "debounce",
            "device",
            "key",
            "role",
            "cameras",
            "pre",
            "post",
            "long_pre",
            "long_post",
            "double_pre",
            "double_post",
            "cooldown",
            "shutdown_hold",
        ],
    ),
    ("led", &["pin", "active", "role"]),
    (
        "finish",
        &[
            "text",
            "text_corner",
            "vertical",
            "crf",
            "preset",
            "encoder",
            "ffmpeg",
            "jobs",
        ],
    ),
    (
        "logo",
        &["file", "corner", "rel_width", "margin", "opacity"],
    ),
    (
        "queue",
        &["max_attempts", "keep_uploaded", "keep", "keep_raw"],
    ),
    ("upload", &["max_rate", "window"]),
    (
        "target",
        &[
            "id",
            "kind",
            "path",
            "key",
            "endpoint",
            "region",
            "bucket",
            "path_style",
            "storage_class",
            "encryption",
            "kms_key",
            "cache_control",
            "access_key_id",
            "secret_access_key",
            "secret_access_key_file",
            "url",
            "device_id",
            "client_id",
            "secret",
            "secret_file",
            "register_path",
            "finalize_path",
            "fields",
            "never",
            "ca_file",
        ],
    ),
];

/// The tables of which there may be several.
pub const REPEATED: &[&str] = &["camera", "button", "led", "logo", "target"];

/// The table's own name, if it is one that may repeat.
pub fn repeated(table: &str) -> Option<&'static str> {
    REPEATED.iter().find(|name| **name == table).copied()
}

/// A table's header as it is written: `[ring]`, `[[camera]]`.
pub fn header(table: &str) -> String {
    match repeated(table) {
        Some(_) => format!("[[{table}]]"),
        None => format!("[{table}]"),
    }
}

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
    matches!(key, "password" | "token" | "secret" | "secret_access_key")
}

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
    pub fn new(place: SourceLocation, name: impl Into<String>, key: &str, value: Value) -> Cell {
        let shown = match &value {
            _ if is_secret(key) => Some("<hidden>".to_owned()),
            Value::Text(url) if matches!(key, "url" | "endpoint") => {
                Some(format!("\"{}\"", redacted(url)))
            }
            // A slip of the hand joins lines, and the password's is the next.
            Value::Text(name)
                if matches!(key, "username" | "access_key_id") && !is_plain_name(name) =>
            {
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
    pub place: SourceLocation,
    cells: Vec<(&'static str, Cell)>,
}

impl Table {
    pub fn new(place: SourceLocation) -> Table {
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
        let twin = match key.strip_suffix("_file") {
            Some(plain) => is_secret(plain).then(|| plain.to_owned()),
            None => is_secret(key).then(|| format!("{key}_file")),
        };
        let rank = std::mem::discriminant(&cell.place);
        self.cells.retain(|(name, old)| {
            let overruled =
                Some(*name) == twin.as_deref() && std::mem::discriminant(&old.place) != rank;
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
pub struct WrittenConfig {
    tables: Vec<(&'static str, Table)>,
    /// Entries of the tables that repeat.
    entries: Vec<(&'static str, Table)>,
    /// The file as a whole, to which what is missing should be added.
    pub whole: Option<SourceLocation>,
    /// A camera was written in a way that was reported already.
    pub camera_unreadable: bool,
    /// See `Sources`.
    pub may_lack_cameras: bool,
}

impl WrittenConfig {
    pub fn table(&self, name: &str) -> Option<&Table> {
        let found = self.tables.iter().find(|(table, _)| *table == name);
        found.map(|(_, table)| table)
    }

    /// The table of that name; made at `place` if nobody wrote it yet.
    pub fn table_mut(&mut self, name: &'static str, place: &SourceLocation) -> &mut Table {
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

    pub fn push(&mut self, table: &'static str, entry: Table) {
        self.entries.push((table, entry));
    }

    /// The entries of a table that repeats, in their order.
    pub fn entries<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Table> {
        let of_table = self.entries.iter().filter(move |(name, _)| *name == table);
        of_table.map(|(_, entry)| entry)
    }

    /// What an entry is called in `--set` and the environment.
    pub fn entry_mut(&mut self, table: &str, id: &str) -> Option<&mut Table> {
        let of_table = self.entries.iter_mut().filter(|(name, _)| *name == table);
        let mut numbered = (1..).zip(of_table.map(|(_, entry)| entry));
        let found = numbered.find(|(number, entry)| called(table, *number, entry) == id);
        found.map(|(_, entry)| entry)
    }

    /// What the entries of a table are called, in their order; those without a name are left out.
    pub fn ids(&self, table: &str) -> Vec<String> {
        let numbered = (1..).zip(self.entries(table));
        let ids = numbered.map(|(number, entry)| called(table, number, entry));
        ids.filter(|id| !id.is_empty()).collect()
    }
}

/// What the entry at place `number` (from 1) is called: its id; `button1` … where a button has
/// none; its number where the table has no ids. Empty: it lacks the id it needs.
pub fn called(table: &str, number: usize, entry: &Table) -> String {
    match (entry.text("id"), table) {
        (Some(id), _) => id.to_owned(),
        (None, "button") => format!("button{number}"),
        (None, _) if !keys_of(table).contains(&"id") => number.to_string(),
        (None, _) => String::new(),
    }
}
