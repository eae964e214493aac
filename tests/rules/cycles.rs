//! No import goes in a circle between the files of a room, its `mod.rs` included.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{code_of, files, root, without_tests};

/// `src/queue/store.rs` is `["queue", "store"]`; `src/queue/mod.rs` is `["queue"]`.
type Module = Vec<String>;

fn modules() -> BTreeMap<Module, PathBuf> {
    let src = root().join("src");
    let sources = files(&src, &[".rs"]).into_iter();
    let named = sources.filter_map(|path| {
        let inside = path.strip_prefix(&src).ok()?.with_extension("");
        let mut parts: Module = inside
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        if parts.last().is_some_and(|last| last == "mod") {
            parts.pop();
        }
        (!parts.iter().any(|part| part == "tests")).then_some((parts, path))
    });
    named.collect()
}

/// The paths of a `use` tree: `a::{b, c::{d, e}}` is `a::b`, `a::c::d`, `a::c::e`.
fn leaves(tree: &str) -> Vec<String> {
    fn walk(tree: &str, before: &str, found: &mut Vec<String>) {
        let Some(open) = tree.find('{') else {
            let name = tree.split(" as ").next().unwrap_or_default().trim();
            if !name.is_empty() {
                found.push(format!("{before}{name}"));
            }
            return;
        };
        let before = format!("{before}{}", tree[..open].trim());
        let close = tree.rfind('}').unwrap_or(tree.len());
        let mut depth = 0;
        let mut start = open + 1;
        for (at, c) in tree[..close]
            .char_indices()
            .skip_while(|(at, _)| *at <= open)
        {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    walk(&tree[start..at], &before, found);
                    start = at + 1;
                }
                _ => {}
            }
        }
        walk(&tree[start..close], &before, found);
    }
    let mut found = Vec::new();
    walk(&tree.replace('\n', " "), "", &mut found);
    found
}

/// The tree of a `use` statement, if `statement` ends with one.
fn use_tree(statement: &str) -> Option<&str> {
    let lines = statement.lines().map(str::trim_start);
    let at = lines.clone().find(|line| {
        let after = line.strip_prefix("pub").unwrap_or(line);
        let scoped = after
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'));
        let after = scoped.map_or(after, |(_, rest)| rest);
        after.trim_start().starts_with("use ")
    })?;
    let start = statement.find(at)?;
    let tree = statement[start..]
        .split_once("use ")?
        .1
        .trim_end_matches(';');
    let of_a_tree = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_:{},*".contains(c);
    tree.chars().all(of_a_tree).then_some(tree)
}

/// Every path that the code names, in `use` or elsewhere.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split_inclusive(';') {
        let tree = use_tree(statement);
        found.extend(tree.map(leaves).into_iter().flatten());
        let rest = tree.map_or(statement, |tree| statement.split(tree).next().unwrap());
        let of_a_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let words = rest.split(|c: char| !of_a_path(c));
        found.extend(words.filter(|word| word.contains("::")).map(str::to_owned));
    }
    found
}

/// The file that `path`, named in `me`, leads to.
fn resolve(me: &Module, path: &str, modules: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let mut parts = path.split("::").map(str::trim).peekable();
    let mut at = me.clone();
    match *parts.peek()? {
        "crate" => {
            at.clear();
            parts.next();
        }
        "self" => {
            parts.next();
        }
        "super" => {
            while parts.next_if_eq(&"super").is_some() {
                at.pop();
            }
        }
        first => {
            at.push(first.to_owned());
            let child = modules.contains_key(&at);
            at.pop();
            if !child {
                return None;
            }
        }
    }
    for part in parts {
        at.push(part.to_owned());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    modules.contains_key(&at).then_some(at)
}

/// Who imports whom, within a room.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let modules = modules();
    let edges = modules.iter().map(|(me, path)| {
        let code = without_tests(&code_of(path)).to_owned();
        let named = paths(&code);
        let found = named.iter().filter_map(|path| resolve(me, path, &modules));
        let inside = found.filter(|other| other != me && other.first() == me.first());
        (me.clone(), inside.collect())
    });
    edges.collect()
}

fn reaches(from: &Module, to: &Module, edges: &BTreeMap<Module, BTreeSet<Module>>) -> bool {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from];
    while let Some(at) = todo.pop() {
        for next in edges.get(at).into_iter().flatten() {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                todo.push(next);
            }
        }
    }
    false
}

#[test]
fn no_import_goes_in_a_circle_within_a_room() {
    let edges = imports();
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > 200);
    let circular = edges.keys().filter(|file| reaches(file, file, &edges));
    let named: Vec<String> = circular.map(|file| file.join("/")).collect();
    assert!(named.is_empty(), "in a circle: {}", named.join(", "));
}

#[test]
fn circles_are_found_where_there_are_some() {
    let module = |name: &str| -> Module { name.split('/').map(str::to_owned).collect() };
    let modules: BTreeMap<Module, PathBuf> = ["a", "a/b", "a/c"]
        .map(|name| (module(name), PathBuf::new()))
        .into();
    let code = "pub(super) use b::{Thing, other as o};\nfn f() { super::c::g::<u8>() }";
    assert_eq!(paths(code), ["b::Thing", "b::other", "super::c::g::"]);
    let found = |me: &str, path: &str| resolve(&module(me), path, &modules);
    assert_eq!(found("a", "b::Thing"), Some(module("a/b")));
    assert_eq!(found("a/b", "super::c::g"), Some(module("a/c")));
    assert_eq!(found("a/b", "super::Thing"), Some(module("a")));
    assert_eq!(found("a/b", "std::fmt"), None);
    let edges = BTreeMap::from([
        (module("a"), BTreeSet::from([module("a/b")])),
        (module("a/b"), BTreeSet::from([module("a")])),
    ]);
    assert!(reaches(&module("a"), &module("a"), &edges));
    assert!(!reaches(&module("a/c"), &module("a"), &edges));
}
