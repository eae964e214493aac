//! `[[target]]`: where highlights are uploaded to; a file for each kind.
//!
//! Not here: reaching a target (`upload`); whether a folder is mounted, which may come later.

mod folder;
mod s3;
mod shared;
mod signed_url;

pub use folder::{FolderKeySentence, FolderTarget};
pub use s3::{S3KeySentence, S3Target};
pub use shared::{TargetValueSentence, WebAddressSentence};
pub use signed_url::{Never, SignedUrlFields, SignedUrlSentence, SignedUrlTarget};

use super::checker::Checker;
use super::ids::Ids;
use super::keys::{Repeats, TableSpec, ValueKind as Kind, key};
use super::storage::Storage;
use super::template::KeyTemplate;
use super::written::Table;
use crate::base::CameraId;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::many(
    "target",
    Repeats {
        example_id: "cloud",
        example_key: "key",
        default_id: "",
    },
    &[
        key("id", Kind::Text, "", "names it in logs and in the sidecar"),
        key("kind", Kind::Choice, "", "`\"folder\"`, `\"s3\"` or `\"signed-url\"`"),
        key("path", Kind::Path, "", "a disk or share that is mounted; must exist").only(&["folder"]),
        key("key", Kind::Text, "\"{venue}/{date}/{press}-{camera}.mp4\"", "the video's name there; also `{court}` and `{time}`").only(&["folder", "s3"]),
        key("endpoint", Kind::Address, "", "like `\"https://s3.eu-central-1.amazonaws.com\"`").only(&["s3"]),
        key("region", Kind::Text, "\"us-east-1\"", "as the provider calls it").only(&["s3"]),
        key("bucket", Kind::Text, "", "its name").only(&["s3"]),
        key("path_style", Kind::Flag, "true", "`false`: the bucket's name in front of the host").only(&["s3"]),
        key("storage_class", Kind::Text, "", "like `\"STANDARD_IA\"`; without it, the bucket's").only(&["s3"]),
        key("encryption", Kind::Choice, "", "`\"AES256\"` or `\"aws:kms\"`; without it, the bucket's").only(&["s3"]),
        key("kms_key", Kind::Text, "", "only with `\"aws:kms\"`; without it, the account's").only(&["s3"]),
        key("cache_control", Kind::Text, "\"max-age=31536000, immutable\"", "empty: none").only(&["s3"]),
        key("access_key_id", Kind::Account, "", "of somebody who may put and get objects there").only(&["s3"]),
        key("secret_access_key", Kind::Secret, "", "of the same").only(&["s3"]),
        key("secret_access_key_file", Kind::Path, "", "the same, on one line of a file of its own").only(&["s3"]),
        key("url", Kind::Address, "", "scheme, host and port of your server").only(&["signed-url"]),
        key("device_id", Kind::Text, "", "this box, as the server knows it").only(&["signed-url"]),
        key("client_id", Kind::Text, "", "the venue, as the server knows it").only(&["signed-url"]),
        key("secret", Kind::Secret, "", "signs the requests").only(&["signed-url"]),
        key("secret_file", Kind::Path, "", "the same, on one line of a file of its own").only(&["signed-url"]),
        key("register_path", Kind::Text, "\"/api/v1/videos\"", "of the request that asks for an address").only(&["signed-url"]),
        key("finalize_path", Kind::Text, "\"/api/v1/videos/{id}/finalize\"", "of the request that says it is uploaded").only(&["signed-url"]),
        key("fields", Kind::List, "", "names of JSON fields that differ from ours, `\"OURS=THEIRS\"`").only(&["signed-url"]),
        key("never", Kind::List, "[\"403 outside_allowed_window\"]", "answers after which it is not tried again").only(&["signed-url"]),
        key("ca_file", Kind::Path, "", "a certificate authority of your own, PEM").only(&["s3", "signed-url"]),
    ],
);

/// Where highlights are uploaded to.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetSettings {
    /// As a camera's id is written; names its state in the sidecar.
    pub id: String,
    pub kind: TargetKind,
}

// There are a handful of them at most.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum TargetKind {
    Folder(FolderTarget),
    S3(S3Target),
    SignedUrl(SignedUrlTarget),
}

impl TargetKind {
    /// Where files go and how they are called; `None` where somebody else decides.
    pub fn place(&self) -> Option<(String, &KeyTemplate)> {
        match self {
            TargetKind::Folder(folder) => {
                Some((folder.path.to_string_lossy().into_owned(), &folder.key))
            }
            TargetKind::S3(s3) => Some((format!("{} {}", s3.endpoint, s3.bucket), &s3.key)),
            TargetKind::SignedUrl(_) => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TargetWord {
    Folder,
    S3,
    SignedUrl,
}

impl TargetWord {
    const ALL: [(&'static str, TargetWord); 3] = [
        ("folder", TargetWord::Folder),
        ("s3", TargetWord::S3),
        ("signed-url", TargetWord::SignedUrl),
    ];
}

crate::sentences! {
    /// What is wrong with a target; whole sentences.
    pub enum TargetSentence {
        SamePlace { id: String, other: String } = "config_targets_same_place":
            "[[target]] {id} would write over what target {other} uploads; leave one out, or \
             give it another key",
        NoKind {} = "config_target_no_kind":
            "[[target]] has no kind; write kind = \"folder\", \"s3\" or \"signed-url\"",
    }
}

/// All targets; those that were refused are missing.
pub fn check(check: &mut Checker<'_>, storage: &Storage) -> Vec<TargetSettings> {
    let written = check.written;
    let mut ids = Ids::of(&TABLE);
    let mut targets = Vec::new();
    for table in written.entries("target") {
        let id = ids.take(table, check.found);
        let shown = id.as_ref().map_or("", CameraId::as_str);
        let kind = kind(check, table, shown, storage);
        if let (Some(id), Some(kind)) = (id, kind) {
            let id = id.as_str().to_owned();
            if let Some(other) = at_one_place(&targets, &kind) {
                let (id, other) = (id.clone(), other.to_owned());
                let what = TargetSentence::SamePlace { id, other };
                check.found.problem(&table.place, what);
            }
            targets.push(TargetSettings { id, kind });
        }
    }
    targets
}

/// A target whose files would get the same names in the same place.
fn at_one_place<'t>(targets: &'t [TargetSettings], kind: &TargetKind) -> Option<&'t str> {
    let place = kind.place()?;
    let mut others = targets.iter();
    let other = others.find(|other| other.kind.place().as_ref() == Some(&place))?;
    Some(&other.id)
}

fn kind(check: &mut Checker<'_>, table: &Table, id: &str, storage: &Storage) -> Option<TargetKind> {
    if table.get("kind").is_none() {
        let what = TargetSentence::NoKind {};
        check.found.problem(&table.place, what);
        return None;
    }
    let kinds = TargetWord::ALL.map(|(word, kind)| (word, Some(kind)));
    let kind = check.choice(table, "kind", &kinds, None)?;
    let all = TargetWord::ALL;
    let word = all
        .iter()
        .find(|(_, other)| *other == kind)
        .map(|(word, _)| word);
    for key in TABLE.keys {
        let here = word.is_some_and(|word| key.only.contains(word));
        if let (Some(home), false) = (key.only.first(), here) {
            let belongs = format!("a target with kind = \"{home}\"");
            check.misplaced(table, key.name, &belongs);
        }
    }
    Some(match kind {
        TargetWord::Folder => TargetKind::Folder(folder::check(check, table, storage)?),
        TargetWord::S3 => TargetKind::S3(s3::check(check, table, id)?),
        TargetWord::SignedUrl => TargetKind::SignedUrl(signed_url::check(check, table, id)?),
    })
}
