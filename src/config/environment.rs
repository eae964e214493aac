//! `HINDSIGHT_…` from the environment, and `--set` from the command line.

use std::collections::BTreeMap;

use super::checked::{TABLES, table_names, table_spec};
use super::ids::id_in_names;
use super::keys::{KeySpec, TableSpec};
use super::near::DidYouMean;
use super::place::SourceLocation;
use super::problem::Findings;
use super::written::{Cell, Value, WrittenConfig};
use crate::base::sentence::{Coded, Sentence};

const PREFIX: &str = "HINDSIGHT_";
/// Names that are options of the command line rather than keys.
const OPTIONS: [&str; 2] = ["HINDSIGHT_CONFIG", "HINDSIGHT_ENV_FILE"];

crate::sentences! {
    /// What is wrong with a variable; whole sentences.
    pub enum EnvironmentSentence {
        Ambiguous { variable: String, keys: String } = "config_variable_ambiguous":
            "{variable} fits {keys}; write it into the file",
        UnknownLike { variable: String, near: DidYouMean } = "config_variable_unknown_like":
            "{variable} is unknown{near}",
        Unknown { variable: String } = "config_variable_unknown":
            "{variable} is unknown; names are HINDSIGHT_<TABLE>_<KEY>, such as HINDSIGHT_RING_SECONDS",
        NoKeyOf { variable: String, table: &'static str, id: String, near: DidYouMean, keys: String } = "config_variable_unknown_key":
            "{variable} is no key of {table} {id}{near} (there are: {keys})",
        FitsNone { variable: String, table: &'static str, ids: String, example: String } = "config_variable_unknown_id":
            "{variable} fits no {table} (there are: {ids}); write it like {example}",
        NoEntry { variable: String, table: &'static str } = "config_variable_without_entry":
            "{variable} is unknown: no {table} is configured that it could belong to",
    }
}

crate::sentences! {
    /// What is wrong with a `--set`; whole sentences.
    pub enum SetSentence {
        NoValue {} = "config_set_no_value": "--set needs KEY=VALUE; write it like --set ring.seconds=120",
        Secret { path: String, key: &'static str } = "config_set_secret":
            "--set {path}: a secret on the command line can be seen by everybody on this \
             machine; use {key}_file",
        Bad { path: String, why: Sentence } = "config_set_unusable": "--set {path}: {why}",
    }
}

crate::sentences! {
    /// What is wrong with the key of a `--set`; within another sentence.
    pub enum KeyPathSentence {
        WriteItLike { example: String } = "config_set_write_it_like": "write it like {example}",
        UnknownTable { table: String, near: DidYouMean, tables: String } = "config_set_unknown_table":
            "{table} is unknown{near} (there are: {tables})",
        UnknownKey { key: String, near: DidYouMean, keys: String } = "config_set_unknown_key":
            "{key} is unknown{near} (there are: {keys})",
        NoEntries { table: &'static str } = "config_set_no_entries": "no {table} is configured",
        UnknownEntry { table: &'static str, id: String, ids: String } = "config_set_unknown_id":
            "there is no {table} {id} (there are: {ids})",
        FixedId { table: &'static str } = "config_set_id":
            "a {table} is found by its id; change it in the file",
    }
}

/// A key, and the entry it belongs to if its table repeats.
struct KeyPath {
    id: Option<String>,
    spec: &'static TableSpec,
    key: &'static KeySpec,
}

impl KeyPath {
    /// `ring.seconds`, `camera.court1.latency`.
    fn dotted(&self) -> String {
        let (table, key) = (self.spec.name, self.key.name);
        match &self.id {
            None => format!("{table}.{key}"),
            Some(id) => format!("{table}.{id}.{key}"),
        }
    }

    fn set(&self, place: SourceLocation, name: String, value: &str, written: &mut WrittenConfig) {
        let value = Value::Text(value.to_owned());
        let cell = Cell::new(place.clone(), name, self.key, value);
        let table = match &self.id {
            None => Some(written.table_mut(self.spec, &place)),
            Some(id) => written.entry_mut(self.spec.name, id),
        };
        if let Some(table) = table {
            table.set(self.key, cell);
        }
    }
}

/// Puts the environment over what was written so far. The entries must be known by then.
pub fn read(env: &BTreeMap<String, String>, written: &mut WrittenConfig, found: &mut Findings) {
    let names = names(written);
    let place = SourceLocation::Environment;
    for (name, value) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if OPTIONS.contains(&name.as_str()) {
            continue;
        }
        match names.get(name).map(Vec::as_slice) {
            None | Some([]) => found.problem(&place, unknown(name, &names, written)),
            Some([path]) => path.set(place.clone(), name.clone(), value, written),
            // Which of the two was meant nobody can tell; ids that are too like are reported apart.
            Some([one, two, ..])
                if one.spec.name == two.spec.name && one.key.name == two.key.name => {}
            Some(several) => {
                let keys: Vec<String> = several.iter().map(KeyPath::dotted).collect();
                let what = EnvironmentSentence::Ambiguous {
                    variable: name.clone(),
                    keys: keys.join(" and "),
                };
                found.problem(&place, what);
            }
        }
    }
}

/// Puts `TABLE.KEY=VALUE` and `TABLE.ID.KEY=VALUE` over what was written so far.
pub fn read_set(settings: &[String], written: &mut WrittenConfig, found: &mut Findings) {
    let place = SourceLocation::CommandLine;
    for setting in settings {
        let Some((path, value)) = setting.split_once('=') else {
            found.problem(&place, SetSentence::NoValue {});
            continue;
        };
        let what = match key_path(path.trim(), written) {
            Ok(KeyPath { key, .. }) if key.is_secret() => SetSentence::Secret {
                path: path.to_owned(),
                key: key.name,
            },
            Ok(target) => {
                target.set(place.clone(), format!("--set {path}"), value, written);
                continue;
            }
            Err(why) => SetSentence::Bad {
                path: path.to_owned(),
                why: why.sentence(),
            },
        };
        found.problem(&place, what);
    }
}

/// Every name that means something, with what it means.
fn names(written: &WrittenConfig) -> BTreeMap<String, Vec<KeyPath>> {
    let mut names: BTreeMap<String, Vec<KeyPath>> = BTreeMap::new();
    for spec in TABLES {
        let mut ids = written.ids(spec.name);
        ids.sort();
        ids.dedup();
        let entries = match spec.repeats {
            None => vec![None],
            Some(_) => ids.into_iter().map(Some).collect(),
        };
        for id in entries {
            let of_entry = id.as_deref().map(id_in_names).map(|id| format!("{id}_"));
            let begin = format!("{}{}", prefix(spec), of_entry.unwrap_or_default());
            for key in keys_for_variables(spec) {
                let name = format!("{begin}{}", key.name.to_ascii_uppercase());
                let id = id.clone();
                names
                    .entry(name)
                    .or_default()
                    .push(KeyPath { id, spec, key });
            }
        }
    }
    names
}

/// `HINDSIGHT_CAMERA_`
fn prefix(spec: &TableSpec) -> String {
    format!("{PREFIX}{}_", spec.name.to_ascii_uppercase())
}

/// All keys but an entry's id: that is what the others are found by.
fn keys_for_variables(spec: &TableSpec) -> impl Iterator<Item = &'static KeySpec> + use<> {
    spec.keys.iter().filter(|key| key.name != "id")
}

fn unknown(
    name: &str,
    names: &BTreeMap<String, Vec<KeyPath>>,
    written: &WrittenConfig,
) -> EnvironmentSentence {
    for spec in TABLES.iter().filter(|spec| spec.repeats.is_some()) {
        if let Some(rest) = name.strip_prefix(&prefix(spec)) {
            return unknown_of_entry(name, spec, rest, written);
        }
    }
    let variable = name.to_owned();
    let near = DidYouMean::of(name, names.keys().map(String::as_str));
    match near.nothing() {
        true => EnvironmentSentence::Unknown { variable },
        false => EnvironmentSentence::UnknownLike { variable, near },
    }
}

fn unknown_of_entry(
    name: &str,
    spec: &'static TableSpec,
    rest: &str,
    written: &WrittenConfig,
) -> EnvironmentSentence {
    let (variable, table, ids) = (name.to_owned(), spec.name, written.ids(spec.name));
    let own = ids.iter().find_map(|id| {
        let key = rest.strip_prefix(&id_in_names(id))?.strip_prefix('_')?;
        Some((id, key))
    });
    if let Some((id, key)) = own {
        let keys: Vec<String> = keys_for_variables(spec)
            .map(|key| key.name.to_uppercase())
            .collect();
        return EnvironmentSentence::NoKeyOf {
            variable,
            table,
            id: id.clone(),
            near: DidYouMean::of(key, keys.iter().map(String::as_str)),
            keys: keys.join(", "),
        };
    }
    match ids.first() {
        Some(first) => EnvironmentSentence::FitsNone {
            variable,
            table,
            ids: ids.join(", "),
            example: format!(
                "{}{}_{}",
                prefix(spec),
                id_in_names(first),
                example_of(spec).to_uppercase()
            ),
        },
        None => EnvironmentSentence::NoEntry { variable, table },
    }
}

/// A key that makes a good example of its table.
fn example_of(spec: &TableSpec) -> &'static str {
    spec.repeats.as_ref().map_or("", |many| many.example_key)
}

fn key_path(path: &str, written: &WrittenConfig) -> Result<KeyPath, KeyPathSentence> {
    let like = |example: String| Err(KeyPathSentence::WriteItLike { example });
    let parts: Vec<&str> = path.split('.').collect();
    let spec = table_spec(parts[0]);
    let repeats = spec.is_some_and(|spec| spec.repeats.is_some());
    let (id, table, key) = match (parts.as_slice(), spec) {
        ([table, id, key], _) if repeats => (Some((*id).to_owned()), *table, *key),
        ([table, key], _) if !repeats => (None, *table, *key),
        (["camera", ..], _) => return like("camera.court1.latency=300ms".to_owned()),
        ([table, ..], Some(spec)) if repeats => {
            let ids = written.ids(table);
            let (first, key) = (ids.first().map_or("1", String::as_str), example_of(spec));
            return like(format!("{table}.{first}.{key}=…"));
        }
        _ => return like("ring.seconds=120".to_owned()),
    };
    let spec = spec.ok_or_else(|| KeyPathSentence::UnknownTable {
        table: table.to_owned(),
        near: DidYouMean::of(table, table_names()),
        tables: table_names().collect::<Vec<_>>().join(", "),
    })?;
    if let Some(id) = &id {
        entry_can_be_set(spec, id, key, written)?;
    }
    let key = spec.key(key).ok_or_else(|| KeyPathSentence::UnknownKey {
        key: key.to_owned(),
        near: DidYouMean::of(key, spec.names()),
        keys: spec.all_names(),
    })?;
    Ok(KeyPath { id, spec, key })
}

fn entry_can_be_set(
    spec: &TableSpec,
    id: &str,
    key: &str,
    written: &WrittenConfig,
) -> Result<(), KeyPathSentence> {
    let (table, ids) = (spec.name, written.ids(spec.name));
    if ids.is_empty() {
        return Err(KeyPathSentence::NoEntries { table });
    }
    if !ids.iter().any(|known| known == id) {
        return Err(KeyPathSentence::UnknownEntry {
            table,
            id: id.to_owned(),
            ids: ids.join(", "),
        });
    }
    if key == "id" && spec.has_ids() {
        return Err(KeyPathSentence::FixedId { table });
    }
    Ok(())
}
