//! `HINDSIGHT_…` from the environment, and `--set` from the command line.

use std::collections::BTreeMap;

use super::near::did_you_mean;
use super::problem::{Findings, Place};
use super::written::{Cell, KEYS, Value, Written, is_secret, keys_of, known};

const PREFIX: &str = "HINDSIGHT_";
/// Names that are options of the command line rather than keys.
const OPTIONS: [&str; 2] = ["HINDSIGHT_CONFIG", "HINDSIGHT_ENV_FILE"];

/// A key, and the camera it belongs to if it is one of a camera's.
type Target = (Option<String>, &'static str, &'static str);

/// The part of a variable's name that stands for a camera: capitals, `-` as `_`.
pub fn id_in_names(id: &str) -> String {
    id.to_ascii_uppercase().replace('-', "_")
}

/// Puts the environment over what was written so far. The cameras must be known by then.
pub fn read(env: &BTreeMap<String, String>, written: &mut Written, found: &mut Findings) {
    let names = names(&written.camera_ids());
    for (name, value) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        if OPTIONS.contains(&name.as_str()) {
            continue;
        }
        let place = Place::Environment;
        match names.get(name).map(Vec::as_slice) {
            None => found.problem(&place, unknown(name, &names, written)),
            Some([target]) => set(target, place, name.clone(), value, written),
            // Which of the two was meant nobody can tell; the colliding ids are reported apart.
            Some(_) => {}
        }
    }
}

/// Puts `TABLE.KEY=VALUE` and `camera.ID.KEY=VALUE` over what was written so far.
pub fn read_set(settings: &[String], written: &mut Written, found: &mut Findings) {
    let place = Place::CommandLine;
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

fn set(target: &Target, place: Place, name: String, value: &str, written: &mut Written) {
    let (camera, table, key) = target;
    let cell = Cell::new(place.clone(), name, key, Value::Text(value.to_owned()));
    match camera {
        None => written.table_mut(table, &place).set(key, cell),
        Some(id) => {
            if let Some(camera) = written.camera_mut(id) {
                camera.set(key, cell);
            }
        }
    }
}

/// Every name that means something, with what it means.
fn names(camera_ids: &[String]) -> BTreeMap<String, Vec<Target>> {
    let mut names: BTreeMap<String, Vec<Target>> = BTreeMap::new();
    for (table, keys) in KEYS.iter().filter(|(table, _)| *table != "camera") {
        for key in *keys {
            let name = format!("{PREFIX}{}_{}", table, key).to_ascii_uppercase();
            names.entry(name).or_default().push((None, table, key));
        }
    }
    let mut ids = camera_ids.to_vec();
    ids.sort();
    ids.dedup();
    for id in ids {
        for key in camera_keys() {
            let name = format!("{PREFIX}CAMERA_{}_{}", id_in_names(&id), key.to_uppercase());
            let target = (Some(id.clone()), "camera", key);
            names.entry(name).or_default().push(target);
        }
    }
    names
}

/// A camera's keys but its id: that is what the others are found by.
fn camera_keys() -> impl Iterator<Item = &'static str> {
    let keys = keys_of("camera").iter().copied();
    keys.filter(|key| *key != "id")
}

fn unknown(name: &str, names: &BTreeMap<String, Vec<Target>>, written: &Written) -> String {
    if let Some(rest) = name.strip_prefix("HINDSIGHT_CAMERA_") {
        return unknown_of_camera(name, rest, written);
    }
    let hint = did_you_mean(name, names.keys().map(String::as_str));
    if !hint.is_empty() {
        return format!("{name} is unknown{hint}");
    }
    format!("{name} is unknown; names are HINDSIGHT_<TABLE>_<KEY>, such as HINDSIGHT_RING_SECONDS")
}

fn unknown_of_camera(name: &str, rest: &str, written: &Written) -> String {
    let ids = written.camera_ids();
    let keys: Vec<String> = camera_keys().map(str::to_uppercase).collect();
    let own = ids.iter().find_map(|id| {
        let key = rest.strip_prefix(&id_in_names(id))?.strip_prefix('_')?;
        Some((id, key))
    });
    if let Some((id, key)) = own {
        let hint = did_you_mean(key, keys.iter().map(String::as_str));
        let all = keys.join(", ");
        return format!("{name} is no key of camera {id}{hint} (there are: {all})");
    }
    match ids.first() {
        Some(first) => format!(
            "{name} fits no camera (there are: {}); write it like HINDSIGHT_CAMERA_{}_URL",
            ids.join(", "),
            id_in_names(first)
        ),
        None => format!("{name} is unknown: no camera is configured that it could belong to"),
    }
}

fn target(path: &str, written: &Written) -> Result<Target, String> {
    let parts: Vec<&str> = path.split('.').collect();
    let (camera, table, key) = match parts.as_slice() {
        ["camera", id, key] => (Some((*id).to_owned()), "camera", *key),
        [table, key] if *table != "camera" => (None, *table, *key),
        ["camera", ..] => return Err("write it like camera.court1.latency=300ms".to_owned()),
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
    let ids = written.camera_ids();
    if let Some(id) = camera.as_ref().filter(|id| !ids.contains(id)) {
        return Err(format!(
            "there is no camera {id} (there are: {})",
            ids.join(", ")
        ));
    }
    if camera.is_some() && key == "id" {
        return Err("a camera is found by its id; change it in the file".to_owned());
    }
    let (table, key) = known(table, key).ok_or_else(|| {
        let keys = keys_of(table);
        let hint = did_you_mean(key, keys.iter().copied());
        format!("{key} is unknown{hint} (there are: {})", keys.join(", "))
    })?;
    Ok((camera, table, key))
}
