//! `[storage]`: where clips go.

use std::path::PathBuf;

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};

const DEFAULT_PATH: &str = "/var/lib/hindsight";

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "storage",
    &[
        key("path", Kind::Path, "\"/var/lib/hindsight\"", "clips go to `highlights/` in here"),
    ],
);

#[derive(Clone, Debug)]
pub struct Storage {
    pub path: PathBuf,
}

pub fn check(check: &mut Checker<'_>) -> Storage {
    let table = check.written.table("storage");
    let path = check.path(table, "path", DEFAULT_PATH);
    Storage {
        path: path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH)),
    }
}
