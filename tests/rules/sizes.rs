//! How long a function and a file may be.

use super::{files, root, shown, without_tests};

const FUNCTION_LINES: usize = 60;
const FILE_LINES: usize = 500;

/// First line (from 1), and number of lines, of each function of rustfmt's text.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let begins = |line: &str| {
        let mut words = line.split_whitespace();
        let qualifiers = [
            "pub",
            "pub(crate)",
            "pub(super)",
            "const",
            "async",
            "unsafe",
        ];
        words.find(|word| !qualifiers.contains(word)) == Some("fn")
    };
    let starts = lines.iter().enumerate().filter(|(_, line)| begins(line));
    let sized = starts.filter_map(|(start, line)| {
        let close = " ".repeat(indent(line)) + "}";
        let rest = &lines[start..];
        let open = rest
            .iter()
            .position(|line| line.ends_with(['{', ';', '}']))?;
        if !rest[open].ends_with('{') {
            return Some((start + 1, open + 1));
        }
        let end = rest.iter().position(|line| *line == close)?;
        Some((start + 1, end + 1))
    });
    sized.collect()
}

#[test]
fn no_function_is_longer_than_a_screen() {
    let text = "fn a() {\n    b();\n}\n\npub fn c(\n    d: u8,\n) -> u8 {\n    d\n}\nfn e();\n";
    assert_eq!(functions(text), [(1, 3), (5, 5), (10, 1)]);
    let mut faults = Vec::new();
    let mut looked_at = 0;
    for path in files(&root().join("src"), &[".rs"]) {
        // A table of a test may be long.
        if path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs")
        {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for (line, lines) in functions(without_tests(&text)) {
            looked_at += 1;
            if lines > FUNCTION_LINES {
                faults.push(format!("{}:{line}: {lines} lines", shown(&path)));
            }
        }
    }
    assert!(looked_at > 1500, "only {looked_at} functions were found");
    assert!(
        faults.is_empty(),
        "at most {FUNCTION_LINES}:\n{}",
        faults.join("\n")
    );
}

#[test]
fn no_file_holds_more_code_than_can_be_read_at_once() {
    let mut faults = Vec::new();
    for path in files(&root().join("src"), &[".rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = without_tests(&text).lines().count();
        if lines > FILE_LINES {
            faults.push(format!("{}: {lines} lines", shown(&path)));
        }
    }
    assert!(
        faults.is_empty(),
        "at most {FILE_LINES}:\n{}",
        faults.join("\n")
    );
}
