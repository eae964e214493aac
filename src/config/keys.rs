//! What a table and a key are: each table's file lists its own, and everything else is made
//! from these lists (the known keys, the names for environment and `--set`, the reference in the docs).
//!
//! Not here: the lists (each table's file); all tables together (`checked`).

/// A table that people may write.
#[derive(Debug)]
pub struct TableSpec {
    pub name: &'static str,
    /// `None`: there is one, `[name]`.
    pub repeats: Option<Repeats>,
    pub keys: &'static [KeySpec],
}

/// Of a table in double brackets.
#[derive(Debug)]
pub struct Repeats {
    /// An id that shows what ids are like; empty: its entries have none and go by their numbers.
    pub example_id: &'static str,
    /// A key that makes a good example.
    pub example_key: &'static str,
    /// The id of an entry that names none is this and its number; empty: each must name one.
    pub default_id: &'static str,
}

/// A key of a table.
#[derive(Debug)]
pub struct KeySpec {
    pub name: &'static str,
    pub kind: ValueKind,
    /// As it would be written; empty: there is none.
    pub default: &'static str,
    /// For people, on one line.
    pub about: &'static str,
    /// The values of `kind` with which it counts; empty: with all.
    pub only: &'static [&'static str],
}

/// What stands behind a key; decides how much of it may be shown, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    Text,
    /// One of a few words, which the line about it names.
    Choice,
    /// Of texts.
    List,
    /// A whole path.
    Path,
    /// A length of time with its unit.
    Duration,
    /// Bits per second.
    Rate,
    Whole,
    /// With or without a point.
    Number,
    Flag,
    /// Shown without what may be a password in it.
    Address,
    /// The name of an account, shown only if it is a plain word.
    Account,
    /// Never shown, never taken from the command line; may be written as `<key>_file` instead.
    Secret,
}

pub const fn key(
    name: &'static str,
    kind: ValueKind,
    default: &'static str,
    about: &'static str,
) -> KeySpec {
    KeySpec {
        name,
        kind,
        default,
        about,
        only: &[],
    }
}

impl KeySpec {
    /// The same, but only for entries of these kinds.
    pub const fn only(mut self, kinds: &'static [&'static str]) -> KeySpec {
        self.only = kinds;
        self
    }

    pub fn is_secret(&self) -> bool {
        self.kind == ValueKind::Secret
    }

    /// Whether its value may be, or hold, what not everybody should see.
    pub fn is_near_secrets(&self) -> bool {
        use ValueKind::{Account, Address, Secret};
        matches!(self.kind, Account | Address | Secret)
    }
}

impl TableSpec {
    /// `[name]`
    pub const fn one(name: &'static str, keys: &'static [KeySpec]) -> TableSpec {
        TableSpec {
            name,
            repeats: None,
            keys,
        }
    }

    /// `[[name]]`
    pub const fn many(name: &'static str, repeats: Repeats, keys: &'static [KeySpec]) -> TableSpec {
        TableSpec {
            name,
            repeats: Some(repeats),
            keys,
        }
    }

    /// As it is written: `[ring]`, `[[camera]]`.
    pub fn header(&self) -> String {
        match self.repeats {
            Some(_) => format!("[[{}]]", self.name),
            None => format!("[{}]", self.name),
        }
    }

    pub fn key(&self, name: &str) -> Option<&'static KeySpec> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys.iter().map(|key| key.name)
    }

    /// All its keys, for people.
    pub fn all_names(&self) -> String {
        self.names().collect::<Vec<_>>().join(", ")
    }

    pub fn has_ids(&self) -> bool {
        self.key("id").is_some()
    }

    /// A secret's key and `<key>_file` are two ways to say one thing.
    pub fn twin(&self, key: &KeySpec) -> Option<&'static KeySpec> {
        match key.name.strip_suffix("_file") {
            Some(plain) => self.key(plain).filter(|plain| plain.is_secret()),
            None if key.is_secret() => self.key(&format!("{}_file", key.name)),
            None => None,
        }
    }
}
