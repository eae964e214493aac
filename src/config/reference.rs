//! The reference of all keys in `docs/config.md`, made from the tables' own lists.

use super::checked::TABLES;
use super::keys::{KeySpec, TableSpec, ValueKind};

/// In Markdown.
pub fn reference() -> String {
    TABLES.iter().map(|spec| of_table(spec)).collect()
}

fn of_table(spec: &TableSpec) -> String {
    let rows: String = spec.keys.iter().map(of_key).collect();
    format!(
        "### `{}`\n\n| key | value | default | |\n|---|---|---|---|\n{rows}\n",
        spec.header()
    )
}

fn of_key(key: &KeySpec) -> String {
    let default = match key.default {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    let only = match key.only {
        [] => String::new(),
        kinds => format!("{}: ", kinds.join(", ")),
    };
    let (name, kind, about) = (key.name, kind(key.kind), key.about);
    format!("| `{name}` | {kind} | {default} | {only}{about} |\n")
}

fn kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Text | ValueKind::Account => "text",
        ValueKind::Choice => "word",
        ValueKind::List => "list of texts",
        ValueKind::Path => "whole path",
        ValueKind::Duration => "length of time",
        ValueKind::Rate => "rate",
        ValueKind::Whole => "whole number",
        ValueKind::Number => "number",
        ValueKind::Flag => "`true` or `false`",
        ValueKind::Address => "address",
        ValueKind::Secret => "secret",
    }
}
