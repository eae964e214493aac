//! `HINDSIGHT_…` from the environment, and `--set` from the command line.

use std::collections::BTreeMap;

use super::near::did_you_mean;
use super::problem::{Findings, SourceLocation};
use super::written::{
    Cell, KEYS, REPEATED, Value, WrittenConfig, is_secret, keys_of, known, repeated,
};

const PREFIX: &str = "HINDSIGHT_";
/// Names that are options of the command line rather than keys.
const OPTIONS: [&str; 2] = ["HINDSIGHT_CONFIG", "HINDSIGHT_ENV_FILE"];

/// A key, and the entry it belongs to if its table repeats.
type Target = (Option<String>, &'static str, &'static str);

/// The part of a variable's name that stands for an entry's id: capitals, `-` as `_`.
pub fn id_in_names(id: &str) -> String {
    id.to_ascii_uppercase().replace('-', "_")
}

/// Puts the environment over what was written so far. The entries must be known by then.
pub fn read(env: &BTreeMap<String, String>, written: &mut WrittenConfig, found: &mut Findings) {
    let names = names(written);
    for (name, value) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if OPTIONS.contains(&name.as_str()) {
            continue;
        }
        let place = SourceLocation::Environment;
        match names.get(name).map(Vec::as_slice) {
            None => found.problem(&place, unknown(name, &names, written)),
            Some([target]) => set(target, place, name.clone(), value, written),
            // Which of the two was meant nobody can tell; ids that are too like are reported apart.
            Some([one, two, ..]) if one.1 == two.1 && one.2 == two.2 => {}
            Some(several) => {
                let keys: Vec<String> = several.iter().map(dotted).collect();
                let keys = keys.join(" and ");
                found.problem(
                    &place,
                    format!("{name} fits {keys}; write it into the file"),
                );
            }
        }
    }
}

/// Puts `TABLE.KEY=VALUE` and `TABLE.ID.KEY=VALUE` over what was written so far.
pub fn read_set(settings: &[String], written: &mut WrittenConfig, found: &mut Findings) {
    let place = SourceLocation::CommandLine;
    for setting in settings {
        let Some((path, value)) = setting.split_once('=') else {
            found.problem(
                &place,
                "--set needs KEY=VALUE; write it like --set ring.seconds=120",
            );
            continue;
        };
        match target(path.trim(), written) {
            Ok(target) if is_secret(target.2) => found.problem(
                &place,
                format!(
                    "--set {path}: a secret on the command line can be seen by everybody on this \
                     machine; use {}_file",
                    target.2
                ),
            ),
            Ok(target) => set(
                &target,
                place.clone(),
                format!("--set {path}"),
                value,
                written,
            ),
            Err(why) => found.problem(&place, format!("--set {path}: {why}")),
        }
    }
}

fn set(
    target: &Target,
    place: SourceLocation,
    name: String,
    value: &str,
    written: &mut WrittenConfig,
) {
    let (id, table, key) = target;
    let cell = Cell::new(place.clone(), name, key, Value::Text(value.to_owned()));
    match id {
        None => written.table_mut(table, &place).set(key, cell),
        Some(id) => {
            if let Some(entry) = written.entry_mut(table, id) {
                entry.set(key, cell);
            }
        }
    }
}

/// `ring.seconds`, `camera.court1.latency`.
fn dotted((id, table, key): &Target) -> String {
    match id {
        None => format!("{table}.{key}"),
        Some(id) => format!("{table}.{id}.{key}"),
    }
}

/// Every name that means something, with what it means.
fn names(written: &WrittenConfig) -> BTreeMap<String, Vec<Target>> {
    let mut names: BTreeMap<String, Vec<Target>> = BTreeMap::new();
    for (table, keys) in KEYS.iter().filter(|(table, _)| repeated(table).is_none()) {
        for key in *keys {
            let name = format!("{PREFIX}{}_{}", table, key).to_ascii_uppercase();
            names.entry(name).or_default().push((None, table, key));
        }
    }
    for table in REPEATED {
        let mut ids = written.ids(table);
        ids.sort();
        ids.dedup();
        for id in ids {
            for key in keys_of_entry(table) {
                let name = format!("{}{}_{}", prefix(table), id_in_names(&id), key);
                let target = (Some(id.clone()), *table, key);
                let name = name.to_ascii_uppercase();
                names.entry(name).or_default().push(target);
            }
        }
    }
    names
}

/// `HINDSIGHT_CAMERA_`
fn prefix(table: &str) -> String {
    format!("{PREFIX}{}_", table.to_ascii_uppercase())
}

/// An entry's keys but its id: that is what the others are found by.
fn keys_of_entry(table: &str) -> impl Iterator<Item = &'static str> {
    let keys = keys_of(table).iter().copied();
    keys.filter(|key| *key != "id")
}

fn unknown(name: &str, names: &BTreeMap<String, Vec<Target>>, written: &WrittenConfig) -> String {
    for table in REPEATED {
        if let Some(rest) = name.strip_prefix(&prefix(table)) {
            return unknown_of_entry(name, table, rest, written);
        }
    }
    let hint = did_you_mean(name, names.keys().map(String::as_str));
    if !hint.is_empty() {
        return format!("{name} is unknown{hint}");
    }
    format!("{name} is unknown; names are HINDSIGHT_<TABLE>_<KEY>, such as HINDSIGHT_RING_SECONDS")
}

fn unknown_of_entry(name: &str, table: &str, rest: &str, written: &WrittenConfig) -> String {
    let ids = written.ids(table);
    let keys: Vec<String> = keys_of_entry(table).map(str::to_uppercase).collect();
    let own = ids.iter().find_map(|id| {
        let key = rest.strip_prefix(&id_in_names(id))?.strip_prefix('_')?;
        Some((id, key))
    });
    if let Some((id, key)) = own {
        let hint = did_you_mean(key, keys.iter().map(String::as_str));
        let all = keys.join(", ");
        return format!("{name} is no key of {table} {id}{hint} (there are: {all})");
    }
    let example = example_of(table).to_uppercase();
    match ids.first() {
        Some(first) => format!(
            "{name} fits no {table} (there are: {}); write it like {}{}_{example}",
            ids.join(", "),
            prefix(table),
            id_in_names(first)
        ),
        None => format!("{name} is unknown: no {table} is configured that it could belong to"),
    }
}

/// A key that makes a good example of its table.
fn example_of(table: &str) -> &'static str {
    match table {
        "camera" => "url",
        "target" => "key",
        "logo" => "file",
        _ => "pin",
    }
}

fn target(path: &str, written: &WrittenConfig) -> Result<Target, String> {
    let parts: Vec<&str> = path.split('.').collect();
    let (id, table, key) = match parts.as_slice() {
        [table, id, key] if repeated(table).is_some() => (Some((*id).to_owned()), *table, *key),
        [table, key] if repeated(table).is_none() => (None, *table, *key),
        ["camera", ..] => return Err("write it like camera.court1.latency=300ms".to_owned()),
        [table, ..] if repeated(table).is_some() => {
            let (first, key) = (written.ids(table), example_of(table));
            let first = first.first().map_or("1", String::as_str);
            return Err(format!("write it like {table}.{first}.{key}=…"));
        }
        _ => return Err("write it like ring.seconds=120".to_owned()),
    };
    let tables = KEYS.iter().map(|(table, _)| *table);
    if keys_of(table).is_empty() {
        let all: Vec<&str> = tables.clone().collect();
        let hint = did_you_mean(table, tables);
        return Err(format!(
            "{table} is unknown{hint} (there are: {})",
            all.join(", ")
        ));
    }
    if let Some(id) = &id {
        entry_can_be_set(table, id, key, written)?;
    }
    let (table, key) = known(table, key).ok_or_else(|| {
        let keys = keys_of(table);
        let hint = did_you_mean(key, keys.iter().copied());
        format!("{key} is unknown{hint} (there are: {})", keys.join(", "))
    })?;
    Ok((id, table, key))
}

fn entry_can_be_set(
    table: &str,
    id: &str,
    key: &str,
    written: &WrittenConfig,
) -> Result<(), String> {
    let ids = written.ids(table);
    if ids.is_empty() {
        return Err(format!("no {table} is configured"));
    }
    if !ids.iter().any(|known| known == id) {
        let all = ids.join(", ");
        return Err(format!("there is no {table} {id} (there are: {all})"));
    }
    if key == "id" && keys_of(table).contains(&"id") {
        return Err(format!(
            "a {table} is found by its id; change it in the file"
        ));
    }
    Ok(())
}
