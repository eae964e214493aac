//! `[[target]]`, checked.
//!
//! Not here: reaching a target (`upload`); whether a folder is mounted, which may come later.
//! Called by: `check`.

use std::path::{Path, PathBuf};

use url::Url;

use super::check::Checker;
use super::checked::{Secret, Storage};
use super::delivery::{
    FolderTarget, Never, S3Target, SignedUrlFields, SignedUrlTarget, Target, TargetKind,
};
use super::ids::Ids;
use super::near::did_you_mean;
use super::secret::secret;
use super::template::KeyTemplate;
use super::written::{Cell, Table, Value, keys_of};
use crate::base::CameraId;

const DEFAULT_REGION: &str = "us-east-1";
/// A committed name never changes what it holds.
const DEFAULT_CACHE_CONTROL: &str = "max-age=31536000, immutable";
const DEFAULT_REGISTER_PATH: &str = "/api/v1/videos";
const DEFAULT_FINALIZE_PATH: &str = "/api/v1/videos/{id}/finalize";
const DEFAULT_NEVER: &str = "403 outside_allowed_window";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    S3,
    SignedUrl,
}

impl Kind {
    const ALL: [(&'static str, Kind); 3] = [
        ("folder", Kind::Folder),
        ("s3", Kind::S3),
        ("signed-url", Kind::SignedUrl),
    ];

    fn keys(self) -> &'static [&'static str] {
        match self {
            Kind::Folder => &["path", "key"],
            Kind::S3 => &[
                "endpoint",
                "region",
                "bucket",
                "key",
                "path_style",
                "storage_class",
                "encryption",
                "kms_key",
                "cache_control",
                "access_key_id",
                "secret_access_key",
                "secret_access_key_file",
                "ca_file",
            ],
            Kind::SignedUrl => &[
                "url",
                "device_id",
                "client_id",
                "secret",
                "secret_file",
                "register_path",
                "finalize_path",
                "fields",
                "never",
                "ca_file",
            ],
        }
    }
}

/// All targets; those that were refused are missing.
pub fn targets(check: &mut Checker<'_>, storage: &Storage) -> Vec<Target> {
    let written = check.written;
    let mut ids = Ids::of("target");
    let mut targets = Vec::new();
    for table in written.entries("target") {
        let id = ids.take(table, check.found);
        let shown = id.as_ref().map_or("", CameraId::as_str);
        let kind = check.target_kind(table, shown, storage);
        if let (Some(id), Some(kind)) = (id, kind) {
            let id = id.as_str().to_owned();
            if let Some(other) = at_one_place(&targets, &kind) {
                let text = format!(
                    "[[target]] {id} would write over what target {other} uploads; leave one out, or \
                     give it another key"
                );
                check.found.problem(&table.place, text);
            }
            targets.push(Target { id, kind });
        }
    }
    targets
}

/// A target whose files would get the same names in the same place.
fn at_one_place<'t>(targets: &'t [Target], kind: &TargetKind) -> Option<&'t str> {
    let place = kind.place()?;
    let mut others = targets.iter();
    let other = others.find(|other| other.kind.place().as_ref() == Some(&place))?;
    Some(&other.id)
}

impl Checker<'_> {
    fn target_kind(&mut self, table: &Table, id: &str, storage: &Storage) -> Option<TargetKind> {
        if table.get("kind").is_none() {
            let text = "[[target]] has no kind; write kind = \"folder\", \"s3\" or \"signed-url\"";
            self.found.problem(&table.place, text);
            return None;
        }
        let kinds = Kind::ALL.map(|(word, kind)| (word, Some(kind)));
        let kind = self.choice(Some(table), "kind", &kinds, None)?;
        for key in keys_of("target") {
            let mut homes = Kind::ALL
                .iter()
                .filter(|(_, kind)| kind.keys().contains(key));
            let Some((home, _)) = homes.next() else {
                continue;
            };
            if !kind.keys().contains(key) {
                let belongs = format!("a target with kind = \"{home}\"");
                self.misplaced(table, key, &belongs);
            }
        }
        Some(match kind {
            Kind::Folder => TargetKind::Folder(self.folder(table, storage)?),
            Kind::S3 => TargetKind::S3(self.s3(table, id)?),
            Kind::SignedUrl => TargetKind::SignedUrl(self.signed_url(table, id)?),
        })
    }

    fn folder(&mut self, table: &Table, storage: &Storage) -> Option<FolderTarget> {
        let key = self.key(table);
        self.needs(table, "path", "/mnt/nas/highlights");
        let path = self.path(Some(table), "path", "/mnt/nas/highlights")?;
        if let (Some(cell), true) = (table.get("path"), path.starts_with(&storage.path)) {
            let storage = storage.path.display();
            let why = format!(
                "lies in [storage] path ({storage}); clips are there already, name a folder of \
                 another disk or share"
            );
            self.found.reject(cell, why);
        }
        Some(FolderTarget { path, key })
    }

    fn s3(&mut self, table: &Table, id: &str) -> Option<S3Target> {
        let entry = Some(table);
        let endpoint = self.url(
            table,
            "endpoint",
            "https://s3.eu-central-1.amazonaws.com",
            true,
        );
        let region = self.text(
            entry,
            "region",
            "is no region; write it as the provider calls it, like \"eu-central-1\"",
            |text| {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                (1..=64).contains(&text.len()) && text.bytes().all(plain)
            },
        );
        let path_style = self.flag(entry, "path_style", true);
        let bucket = self.bucket(table, path_style);
        let access_key_id = self.header_text(table, "access_key_id", "AKIAIOSFODNN7EXAMPLE");
        let secret_access_key = self.target_secret(table, "secret_access_key", id);
        let storage_class = self.text(
            entry,
            "storage_class",
            "is no storage class; write it like \"STANDARD_IA\"",
            |text| {
                let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
                (1..=64).contains(&text.len()) && text.bytes().all(plain)
            },
        );
        let (encryption, kms_key) = self.encryption(table);
        let cache_control = self.cache_control(table);
        let (key, ca_file) = (self.key(table), self.ca_file(table));
        Some(S3Target {
            endpoint: endpoint?,
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            bucket: bucket?,
            key,
            path_style,
            storage_class,
            encryption,
            kms_key,
            cache_control,
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            ca_file,
        })
    }

    fn signed_url(&mut self, table: &Table, id: &str) -> Option<SignedUrlTarget> {
        let url = self.url(table, "url", "https://api.example.com", false);
        let device_id = self.header_text(table, "device_id", "box-17");
        let client_id = self.header_text(table, "client_id", "arena-central");
        let secret = self.target_secret(table, "secret", id);
        let register_path = self.url_path(table, "register_path", DEFAULT_REGISTER_PATH);
        let finalize_path = self.url_path(table, "finalize_path", DEFAULT_FINALIZE_PATH);
        if let (Some(cell), false) = (table.get("finalize_path"), finalize_path.contains("{id}")) {
            let why = "has no {id}, by which the backend tells videos apart; write it like \
                       \"/api/v1/videos/{id}/finalize\"";
            self.found.reject(cell, why);
        }
        let (fields, never) = (self.fields(table), self.never(table));
        let ca_file = self.ca_file(table);
        Some(SignedUrlTarget {
            url: url?,
            device_id: device_id?,
            client_id: client_id?,
            secret: secret?,
            register_path,
            finalize_path,
            fields,
            never,
            ca_file,
        })
    }

    /// Reports a key that must be there.
    fn needs(&mut self, table: &Table, key: &str, example: &str) {
        if table.get(key).is_none() {
            let which = table
                .text("id")
                .map_or_else(String::new, |id| format!(" {id}"));
            let text = format!("[[target]]{which} has no {key}; write {key} = \"{example}\"");
            self.found.problem(&table.place, text);
        }
    }

    fn key(&mut self, table: &Table) -> KeyTemplate {
        let Some(cell) = table.get("key") else {
            return KeyTemplate::default();
        };
        let read = match &cell.value {
            Value::Text(text) => KeyTemplate::new(text),
            _ => Err("is not text; put it in quotes".to_owned()),
        };
        read.unwrap_or_else(|why| {
            self.found.reject(cell, why);
            KeyTemplate::default()
        })
    }

    fn url(&mut self, table: &Table, key: &str, example: &str, path: bool) -> Option<Url> {
        self.needs(table, key, example);
        let cell = table.get(key)?;
        let read = match &cell.value {
            Value::Text(text) => web_address(text.trim(), path),
            _ => Err("is not text".to_owned()),
        };
        match read {
            Ok(url) => {
                self.warn_of_plain_http(cell, &url);
                Some(url)
            }
            Err(why) => {
                let why = format!("{why}; write it like \"{example}\"");
                self.found.reject(cell, why);
                None
            }
        }
    }

    fn warn_of_plain_http(&mut self, cell: &Cell, url: &Url) {
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        };
        if url.scheme() == "http" && !loopback {
            let text = format!(
                "{} = {} is not encrypted: everybody on the way can see the clips; write https:// \
                 where the server has it",
                cell.name,
                cell.shown()
            );
            self.found.warn(&cell.place, text);
        }
    }

    fn bucket(&mut self, table: &Table, path_style: bool) -> Option<String> {
        self.needs(table, "bucket", "arena-highlights");
        let right = "cannot be a bucket; its name has 3 to 63 characters out of a-z, 0-9, '-' and \
                     '.', the first and the last a letter or a digit";
        let bucket = self.text(Some(table), "bucket", right, can_be_a_bucket)?;
        if let (Some(cell), true) = (table.get("bucket"), bucket.contains('.') && !path_style) {
            let why = "has a dot in it, which TLS does not take in front of a host; write \
                       path_style = true";
            self.found.reject(cell, why);
        }
        Some(bucket)
    }

    fn encryption(&mut self, table: &Table) -> (Option<String>, Option<String>) {
        let kinds = ["AES256", "aws:kms"].map(|word| (word, Some(word)));
        let encryption = self.choice(Some(table), "encryption", &kinds, None);
        let kms_key = self.text(
            Some(table),
            "kms_key",
            "is no key of KMS; write its id or ARN",
            is_header_text,
        );
        if let (Some(cell), true) = (table.get("kms_key"), encryption != Some("aws:kms")) {
            let why = "counts only with encryption = \"aws:kms\"; write that too";
            self.found.reject(cell, why);
        }
        (encryption.map(str::to_owned), kms_key)
    }

    /// Empty: none.
    fn cache_control(&mut self, table: &Table) -> Option<String> {
        if table.get("cache_control").is_none() {
            return Some(DEFAULT_CACHE_CONTROL.to_owned());
        }
        let right = "cannot stand in a header; write it like \"max-age=86400\"";
        let fits = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        let text = self.text(Some(table), "cache_control", right, fits)?;
        (!text.is_empty()).then_some(text)
    }

    /// A text that stands in a header.
    fn header_text(&mut self, table: &Table, key: &str, example: &str) -> Option<String> {
        self.needs(table, key, example);
        let right = format!("cannot be sent; write letters, digits and signs, like \"{example}\"");
        self.text(Some(table), key, &right, is_header_text)
    }

    fn target_secret(&mut self, table: &Table, key: &str, id: &str) -> Option<Secret> {
        let credential = format!("target.{id}.{key}");
        let file_key = format!("{key}_file");
        let before = self.found.problems.len();
        let read = secret(table, key, self.credentials, &credential, self.found);
        if read.is_none() && self.found.problems.len() == before {
            self.needs(table, &file_key, "/etc/hindsight/cloud.secret");
        }
        if let (Some(""), Some(cell)) = (read.as_ref().map(Secret::reveal), table.get(key)) {
            self.found.reject(cell, "is empty");
        }
        read
    }

    fn url_path(&mut self, table: &Table, key: &str, default: &str) -> String {
        let right = format!("is no path; begin it with /, as in \"{default}\"");
        let fits = |text: &str| {
            let plain = |b: u8| b.is_ascii_graphic() && !b"?#\\\"{}".contains(&b);
            let bare = match key {
                "finalize_path" => text.replace("{id}", ""),
                _ => text.to_owned(),
            };
            text.starts_with('/') && bare.len() <= 200 && bare.bytes().all(plain)
        };
        let text = self.text(Some(table), key, &right, fits);
        text.unwrap_or_else(|| default.to_owned())
    }

    /// `["OURS=THEIRS"]` over our own names.
    fn fields(&mut self, table: &Table) -> SignedUrlFields {
        let mut fields = SignedUrlFields::default();
        let example = "[\"upload_url=data.url\"]";
        let Some((cell, written)) = self.list(Some(table), "fields", example) else {
            return fields;
        };
        for pair in &written {
            if let Err(why) = set_field(&mut fields, pair) {
                self.found.reject(cell, why);
            }
        }
        if let Some((one, other)) = clash(&mut fields) {
            let why = format!("puts {one} and {other} into one place; give each its own");
            self.found.reject(cell, why);
        }
        fields
    }

    fn never(&mut self, table: &Table) -> Vec<Never> {
        let example = format!("[\"{DEFAULT_NEVER}\"]");
        let default = || never(DEFAULT_NEVER).into_iter().collect();
        if table.get("never").is_none() {
            return default();
        }
        let Some((cell, written)) = self.list(Some(table), "never", &example) else {
            return default();
        };
        let mut answers = Vec::new();
        for text in &written {
            match never(text) {
                Some(answer) => answers.push(answer),
                None => {
                    let why = format!(
                        "has {text:?}, which is no answer; write a status from 400 to 599 and, if \
                         you like, a word of the answer, as in \"{DEFAULT_NEVER}\""
                    );
                    self.found.reject(cell, why);
                }
            }
        }
        answers
    }

    fn ca_file(&mut self, table: &Table) -> Option<PathBuf> {
        let path = self.path(Some(table), "ca_file", "/etc/hindsight/ca.pem")?;
        if let (Some(cell), Err(why)) = (table.get("ca_file"), is_pem(&path)) {
            self.found.reject(cell, why);
        }
        Some(path)
    }
}

/// A web address without user, query and fragment; without path unless it may have one.
fn web_address(text: &str, path: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no web address".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("begins neither with https:// nor with http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password, which have keys of their own".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a ? or # in it".to_owned());
    }
    if !path && url.path() != "/" {
        return Err("has a path; that belongs into register_path and finalize_path".to_owned());
    }
    if url.port() == Some(0) {
        return Err("has port 0".to_owned());
    }
    Ok(url)
}

fn can_be_a_bucket(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    (3..=63).contains(&bytes.len())
        && bytes.iter().all(|b| plain(*b) || matches!(b, b'-' | b'.'))
        && ends.iter().flatten().all(|b| plain(**b))
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
}

fn is_header_text(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn set_field(fields: &mut SignedUrlFields, pair: &str) -> Result<(), String> {
    let right = "write OURS=THEIRS, as in \"upload_url=data.url\"";
    let Some((ours, theirs)) = pair.split_once('=') else {
        return Err(format!("has {pair:?}, which renames nothing; {right}"));
    };
    let (ours, theirs) = (ours.trim(), theirs.trim());
    let good = |part: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
        !part.is_empty() && part.chars().all(plain)
    };
    if theirs.len() > 200 || !theirs.split('.').all(good) {
        return Err(format!("has {pair:?}, which names no field; {right}"));
    }
    let mut each = fields.each_mut();
    let names = each.each_ref().map(|(name, _)| *name);
    match each.iter_mut().find(|(name, _)| *name == ours) {
        Some((_, field)) => {
            **field = theirs.to_owned();
            Ok(())
        }
        None => {
            let hint = did_you_mean(ours, names);
            let all = names.join(", ");
            Err(format!(
                "has {ours:?}, which is no field{hint} (there are: {all})"
            ))
        }
    }
}

/// Two fields of one request that would overwrite each other.
fn clash(fields: &mut SignedUrlFields) -> Option<(&'static str, &'static str)> {
    let sent = |(name, _): &(&str, String)| !name.starts_with("upload_") && *name != "id";
    let each = fields.each_mut().map(|(name, field)| (name, field.clone()));
    let each: Vec<_> = each.into_iter().filter(sent).collect();
    let within = |a: &str, b: &str| a == b || b.starts_with(&format!("{a}."));
    each.iter().enumerate().find_map(|(at, (one, a))| {
        let mut others = each[at + 1..].iter();
        let (other, _) = others.find(|(_, b)| within(a, b) || within(b, a))?;
        Some((*one, *other))
    })
}

/// `403` or `403 word`.
fn never(text: &str) -> Option<Never> {
    let (status, word) = match text.trim().split_once(char::is_whitespace) {
        Some((status, word)) => (status, Some(word.trim().to_owned())),
        None => (text.trim(), None),
    };
    let status = status
        .parse()
        .ok()
        .filter(|status| (400..600).contains(status))?;
    Some(Never { status, word })
}

fn is_pem(path: &Path) -> Result<(), String> {
    let text = super::file::read_text(path).map_err(|why| match path.exists() {
        true => why,
        false => "does not exist; copy the certificate authority there".to_owned(),
    })?;
    match text.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(()),
        false => Err("holds no certificate; it must be PEM, with BEGIN CERTIFICATE".to_owned()),
    }
}
