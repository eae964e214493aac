//! A public type's name has one meaning; headers name what is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{code_of, files, root, shown, without_tests};

/// Words that are read with their room's name before them, in every room.
const WITH_THEIR_ROOM: &[&str] = &[
    "Settings", // what a room is started with
    "Event",    // what a room tells
    "Status",   // what a room shows
    "Limits",   // a room's bounds
    "Args",     // a command's arguments
];

/// The name of a type that a line declares for other files.
fn declared(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let after = line.strip_prefix("pub")?;
    let after = match after.strip_prefix('(') {
        Some(scope) => scope.split_once(')')?.1,
        None => after,
    };
    let (kind, rest) = after.trim_start().split_once(' ')?;
    let type_like = ["struct", "enum", "trait", "type"].contains(&kind);
    let name = rest
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    (type_like && !name.is_empty()).then_some(name)
}

#[test]
fn a_public_type_name_means_one_thing() {
    assert_eq!(declared("pub(super) struct Ring<T> {"), Some("Ring"));
    assert_eq!(declared("pub fn ring() {"), None);
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files(&root().join("src"), &[".rs"]) {
        for name in without_tests(&code_of(&path)).lines().filter_map(declared) {
            places
                .entry(name.to_owned())
                .or_default()
                .insert(shown(&path));
        }
    }
    assert!(places.len() > 400, "only {} types were found", places.len());
    let twice = places
        .iter()
        .filter(|(name, files)| files.len() > 1 && !WITH_THEIR_ROOM.contains(&name.as_str()));
    let named: Vec<String> = twice
        .map(|(name, files)| format!("{name}: {files:?}"))
        .collect();
    assert!(named.is_empty(), "in several files:\n{}", named.join("\n"));
}

/// Every room and every file of one, by its name.
fn modules() -> BTreeSet<String> {
    let sources = files(&root().join("src"), &[".rs"]).into_iter();
    let parts = sources.flat_map(|path| {
        let inside = path
            .strip_prefix(root().join("src"))
            .unwrap()
            .with_extension("");
        let names = inside
            .iter()
            .map(|part| part.to_string_lossy().into_owned());
        names.collect::<Vec<_>>()
    });
    parts.collect()
}

#[test]
fn the_rooms_that_headers_send_a_reader_to_are_there() {
    let modules = modules();
    let mut faults = Vec::new();
    for path in files(&root().join("src"), &[".rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let header = text.lines().take_while(|line| line.starts_with("//!"));
        let header: Vec<&str> = header.collect();
        assert!(
            !header.iter().any(|line| line.contains("Called by")),
            "{}: who calls a file is found by a search, and a list of it goes stale",
            shown(&path)
        );
        let not_here = header.iter().skip_while(|line| !line.contains("Not here:"));
        let text: String = not_here
            .take_while(|line| line.trim() != "//!")
            .map(|line| line.trim_start_matches("//!"))
            .collect();
        for group in text
            .split('(')
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
        {
            let words = group.0.split('`').skip(1).step_by(2);
            let names =
                words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            for name in names.filter(|name| !modules.contains(*name)) {
                faults.push(format!("{}: `{name}`", shown(&path)));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "no such file or room:\n{}",
        faults.join("\n")
    );
}
