//! The rules of the house, checked over the sources: who imports whom, where
//! `unsafe` may stand, how long a file may be, links that lead somewhere.

#![allow(clippy::unwrap_used)]

mod cycles;
mod names;
mod sizes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `dir` whose name ends with one of `ends`, sorted.
fn files(dir: &Path, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", ".cache"].contains(&name.as_str()) {
                    todo.push(path);
                }
            } else if ends.iter().any(|end| name.ends_with(end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

/// Source text without comments, so that words in them are no code.
fn code_of(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| match line.find("//") {
            Some(at) if !line[..at].contains('"') => &line[..at],
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// A file's text up to its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// Rooms that a room may import. `lib.rs` and `main.rs` see all.
fn may_import() -> BTreeMap<&'static str, Vec<&'static str>> {
    let ground = [
        "base", "config", "media", "mp4", "cut", "disk", "storage", "access", "spawn", "cage",
    ];
    let with = |more: &[&'static str]| [&ground[..], more].concat();
    BTreeMap::from([
        ("base", vec![]),
        ("config", vec!["base"]),
        ("media", vec!["base"]),
        ("disk", vec!["base"]),
        ("mp4", vec!["base", "media"]),
        ("cut", vec!["base", "media", "mp4"]),
        ("fragment", vec!["base", "media", "mp4"]),
        ("spawn", vec![]),
        ("cage", vec![]),
        ("storage", vec!["base", "disk"]),
        ("access", vec!["base", "disk", "storage"]),
        ("ring", with(&[])),
        ("trigger", with(&[])),
        ("board", with(&[])),
        ("finish", with(&["queue"])),
        ("update", with(&[])),
        ("upload", with(&["queue"])),
        ("demo", with(&[])),
        ("ingest", with(&["ring"])),
        ("tap", with(&["ring", "fragment"])),
        ("queue", with(&[])),
        ("highlight", with(&["ring", "queue"])),
        ("health", with(&[])),
        ("web", with(&[])),
        ("appliance", with(&[])),
    ])
}

fn room_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?;
    let room = first.trim_end_matches(".rs");
    (room != "lib" && room != "main" && room != "cli").then(|| room.to_owned())
}

/// Names behind `crate::` in `code`, also inside `use crate::{a, b::c}`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                    _ if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            found.push(word);
        } else {
            found.push(rest.to_owned());
        }
    }
    found
        .iter()
        .map(|path| {
            let name: String = path
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            // A macro stands at the crate's root, whatever room it is of.
            match path.trim()[name.len()..].starts_with('!') {
                true => String::new(),
                false => name,
            }
        })
        .filter(|name: &String| !name.is_empty())
        .collect()
}

#[test]
fn imports_are_found_in_groups_too() {
    let code = "use crate::base::Clock; use crate::{media::Track, ring::{a, b}, mp4}; crate::disk::x(); crate::sentences! {}";
    assert_eq!(imports(code), ["base", "media", "ring", "mp4", "disk"]);
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let rules = may_import();
    let mut faults = Vec::new();
    for path in files(&root().join("src"), &[".rs"]) {
        let Some(room) = room_of(&path) else { continue };
        // They put the rooms together; and what is put together knows no command.
        if room == "service" || room == "commands" {
            if room == "service" && imports(&code_of(&path)).contains(&"commands".to_owned()) {
                faults.push(format!("{}: service imports commands", shown(&path)));
            }
            continue;
        }
        let Some(allowed) = rules.get(room.as_str()) else {
            faults.push(format!("{}: no rule for room {room}", shown(&path)));
            continue;
        };
        for name in imports(&code_of(&path)) {
            if name != room && !allowed.contains(&name.as_str()) {
                faults.push(format!("{}: {room} imports {name}", shown(&path)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_ground_knows_no_tokio_and_no_sockets() {
    let ground = [
        "base",
        "config",
        "media",
        "mp4",
        "fragment",
        "disk",
        "access",
        "highlight",
        "ring",
        "spawn",
        "cage",
    ];
    for path in files(&root().join("src"), &[".rs"]) {
        let Some(room) = room_of(&path) else { continue };
        if !ground.contains(&room.as_str()) {
            continue;
        }
        let code = code_of(&path);
        for word in [
            "tokio::",
            "std::net::Tcp",
            "std::net::Udp",
            "retina::",
            "axum::",
        ] {
            assert!(!code.contains(word), "{} uses {word}", shown(&path));
        }
    }
}

/// Files that may hold `unsafe`; every one is worth a second reader.
const UNSAFE_FILES: &[&str] = &[
    "src/base/sys.rs",
    "src/board/sys.rs",
    "src/cage/sys.rs",
    "src/disk/sys.rs",
    "src/ring/shm.rs",
    "src/ring/sys.rs",
    "src/spawn/sys.rs",
];

#[test]
fn unsafe_stands_only_in_listed_files_and_each_says_why_it_is_sound() {
    let word = "unsafe";
    for path in files(&root().join("src"), &[".rs"]) {
        let name = shown(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        let uses: Vec<usize> = code_of(&path)
            .lines()
            .enumerate()
            .filter(|(_, line)| {
                ["{", "fn", "impl", "extern"]
                    .iter()
                    .any(|next| line.contains(&format!("{word} {next}")))
            })
            .map(|(n, _)| n)
            .collect();
        if !UNSAFE_FILES.contains(&name.as_str()) {
            assert!(uses.is_empty(), "{name}:{} uses unsafe", uses[0] + 1);
            assert!(
                !text.contains("allow(unsafe_code)"),
                "{name} allows unsafe code"
            );
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for n in uses {
            let explained = lines[n.saturating_sub(12)..=n]
                .iter()
                .any(|line| line.contains("SAFETY") || line.contains("# Safety"));
            assert!(explained, "{name}:{} has no SAFETY line", n + 1);
        }
    }
}

#[test]
fn every_room_opens_with_what_belongs_in_it() {
    for path in files(&root().join("src"), &[".rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} has no header saying what belongs in it",
            shown(&path)
        );
    }
}

#[test]
fn no_file_is_longer_than_a_room_should_be() {
    for path in files(&root(), &[".rs"]) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 800, "{}: {lines} lines, at most 800", shown(&path));
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        concat!("todo", "!("),
        concat!("unimplement", "ed!("),
        concat!("FIX", "ME"),
        concat!("#[ign", "ore"),
    ];
    for path in files(&root(), &[".rs", ".sh", ".py", ".toml"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in words {
            assert!(!text.contains(word), "{} says {word}", shown(&path));
        }
    }
}

#[test]
fn every_log_line_has_an_event_of_a_known_family() {
    let families = ["system_", "camera_", "buffer_", "clip_", "error_"];
    let mut faults = Vec::new();
    let mut lines = 0;
    for path in files(&root().join("src"), &[".rs"]) {
        let code = code_of(&path);
        for (at, _) in code.match_indices("log::") {
            let rest = &code[at + "log::".len()..];
            let levels = ["error!(", "warn!(", "info!(", "debug!(", "trace!("];
            let Some(open) = levels.iter().find(|level| rest.starts_with(*level)) else {
                continue;
            };
            lines += 1;
            // Key-values stand before the `;`, whose text may hold anything.
            let keys = rest[open.len()..].split(';').next().unwrap();
            let event = keys.split("event = ").nth(1).map(str::trim_start);
            let named = event.is_some_and(|event| match event.strip_prefix('"') {
                Some(name) => families.iter().any(|family| name.starts_with(family)),
                // A variable: its values are looked for below.
                None => event.starts_with("event"),
            });
            if !named {
                let line = code[..at].lines().count();
                faults.push(format!("{}:{line}", shown(&path)));
            }
        }
    }
    assert!(lines > 30, "only {lines} log lines were found");
    assert!(faults.is_empty(), "without an event: {faults:#?}");
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    let mut checked = 0;
    for path in files(&root(), &[".md"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("](") {
            let target: String = text[at + 2..].chars().take_while(|c| *c != ')').collect();
            if target.contains("://") || target.starts_with('#') || target.starts_with("mailto:") {
                continue;
            }
            let file = target.split('#').next().unwrap();
            let place = path.parent().unwrap().join(file);
            assert!(place.exists(), "{}: dead link {target}", shown(&path));
            checked += 1;
        }
    }
    assert!(checked > 0, "no link was found: is the README there?");
}

#[test]
fn the_map_names_every_room() {
    let map = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let room = entry.file_name().into_string().unwrap();
            assert!(
                map.contains(&format!("[`{room}`]")),
                "{room} is not on the map"
            );
        }
    }
}
