//! `kind = "folder"`: a disk or share.

use std::path::PathBuf;

use super::shared;
use crate::config::checker::Checker;
use crate::config::storage::Storage;
use crate::config::template::KeyTemplate;
use crate::config::written::Table;

const EXAMPLE: &str = "/mnt/nas/highlights";

#[derive(Clone, Debug, PartialEq)]
pub struct FolderTarget {
    /// Absolute. Must exist: an unmounted share is not made anew on the box's own disk.
    pub path: PathBuf,
    /// As that of a bucket.
    pub key: KeyTemplate,
}

crate::sentences! {
    /// What is wrong with a folder; follows `key = value`.
    pub enum FolderKeySentence {
        InStorage { storage: String } = "config_target_in_storage":
            "lies in [storage] path ({storage}); clips are there already, name a folder of \
             another disk or share",
    }
}

pub fn check(check: &mut Checker<'_>, table: &Table, storage: &Storage) -> Option<FolderTarget> {
    let key = shared::key(check, table);
    shared::needs(check, table, "path", EXAMPLE);
    let path = check.path(table, "path", EXAMPLE)?;
    if let (Some(cell), true) = (table.get("path"), path.starts_with(&storage.path)) {
        let storage = storage.path.display().to_string();
        check
            .found
            .reject(cell, FolderKeySentence::InStorage { storage });
    }
    Some(FolderTarget { path, key })
}
