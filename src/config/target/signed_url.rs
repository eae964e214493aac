//! `kind = "signed-url"`: a backend that names an address to upload to.

use std::path::PathBuf;

use url::Url;

use super::shared;
use crate::config::checker::{Checker, Quoted};
use crate::config::near::DidYouMean;
use crate::config::secret::Secret;
use crate::config::written::Table;

const DEFAULT_REGISTER_PATH: &str = "/api/v1/videos";
const DEFAULT_FINALIZE_PATH: &str = "/api/v1/videos/{id}/finalize";
const DEFAULT_NEVER: &str = "403 outside_allowed_window";

#[derive(Clone, Debug, PartialEq)]
pub struct SignedUrlTarget {
    /// Of the backend: scheme, host and port.
    pub url: Url,
    pub device_id: String,
    pub client_id: String,
    /// Of the HMAC.
    pub secret: Secret,
    /// Path of the POST that registers the metadata.
    pub register_path: String,
    /// Path of the POST that finalizes; `{id}` is what the backend called the video.
    pub finalize_path: String,
    pub fields: SignedUrlFields,
    /// Answers that end the job without a retry.
    pub never: Vec<Never>,
    /// More certificate authorities than the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

/// Names of JSON fields in the backend's language; dots go into objects (`data.upload_url`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrlFields {
    /// In the registration: what the file is (`video`, `vertical`, `thumbnail`, `sidecar`).
    pub kind: String,
    pub file_name: String,
    pub content_type: String,
    pub press_id: String,
    pub camera_id: String,
    pub venue: String,
    pub court: String,
    /// Of the press: RFC 3339, UTC; missing while the box did not know the time.
    pub pressed_at: String,
    /// Of the press within the clip.
    pub press_offset_ms: String,
    pub duration_ms: String,
    /// In the answer to the registration.
    pub id: String,
    pub upload_url: String,
    /// An object of headers to send with the PUT; may be missing from the answer.
    pub upload_headers: String,
    /// In the registration and in the finalization.
    pub size_bytes: String,
    pub sha256: String,
    /// In the finalization: as storage answered the PUT; missing where it gave none.
    pub etag: String,
}

impl SignedUrlFields {
    /// All names, by our own word for each.
    pub fn each_mut(&mut self) -> [(&'static str, &mut String); 16] {
        [
            ("kind", &mut self.kind),
            ("file_name", &mut self.file_name),
            ("content_type", &mut self.content_type),
            ("press_id", &mut self.press_id),
            ("camera_id", &mut self.camera_id),
            ("venue", &mut self.venue),
            ("court", &mut self.court),
            ("pressed_at", &mut self.pressed_at),
            ("press_offset_ms", &mut self.press_offset_ms),
            ("duration_ms", &mut self.duration_ms),
            ("id", &mut self.id),
            ("upload_url", &mut self.upload_url),
            ("upload_headers", &mut self.upload_headers),
            ("size_bytes", &mut self.size_bytes),
            ("sha256", &mut self.sha256),
            ("etag", &mut self.etag),
        ]
    }
}

impl Default for SignedUrlFields {
    /// Our own words.
    fn default() -> SignedUrlFields {
        let mut fields = SignedUrlFields {
            kind: String::new(),
            file_name: String::new(),
            content_type: String::new(),
            press_id: String::new(),
            camera_id: String::new(),
            venue: String::new(),
            court: String::new(),
            pressed_at: String::new(),
            press_offset_ms: String::new(),
            duration_ms: String::new(),
            id: String::new(),
            upload_url: String::new(),
            upload_headers: String::new(),
            size_bytes: String::new(),
            sha256: String::new(),
            etag: String::new(),
        };
        for (ours, name) in fields.each_mut() {
            *name = ours.to_owned();
        }
        fields
    }
}

/// `403`, or `403 outside_allowed_window`: a status, and a word that the body must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Never {
    pub status: u16,
    pub word: Option<String>,
}

crate::sentences! {
    /// What is wrong with a value of a backend; follows `key = value`.
    pub enum SignedUrlSentence {
        NoPath { example: &'static str } = "config_signed_url_no_path":
            "is no path; begin it with /, as in \"{example}\"",
        NoVideoId { placeholder: &'static str, example: &'static str } = "config_signed_url_no_video_id":
            "has no {placeholder}, by which the backend tells videos apart; write it like \"{example}\"",
        RenamesNothing { pair: Quoted } = "config_signed_url_renames_nothing":
            "has {pair}, which renames nothing; write OURS=THEIRS, as in \"upload_url=data.url\"",
        NamesNoField { pair: Quoted } = "config_signed_url_names_no_field":
            "has {pair}, which names no field; write OURS=THEIRS, as in \"upload_url=data.url\"",
        UnknownField { field: Quoted, near: DidYouMean, fields: String } = "config_signed_url_unknown_field":
            "has {field}, which is no field{near} (there are: {fields})",
        SameField { one: &'static str, other: &'static str } = "config_signed_url_same_field":
            "puts {one} and {other} into one place; give each its own",
        NoAnswer { answer: Quoted, example: &'static str } = "config_signed_url_no_answer":
            "has {answer}, which is no answer; write a status from 400 to 599 and, if \
             you like, a word of the answer, as in \"{example}\"",
    }
}

pub fn check(check: &mut Checker<'_>, table: &Table, id: &str) -> Option<SignedUrlTarget> {
    let url = shared::url(check, table, "url", "https://api.example.com", false);
    let device_id = shared::header_text(check, table, "device_id", "box-17");
    let client_id = shared::header_text(check, table, "client_id", "arena-central");
    let secret = shared::target_secret(check, table, "secret", id);
    let register_path = url_path(check, table, "register_path", DEFAULT_REGISTER_PATH);
    let finalize_path = url_path(check, table, "finalize_path", DEFAULT_FINALIZE_PATH);
    if let (Some(cell), false) = (table.get("finalize_path"), finalize_path.contains("{id}")) {
        let why = SignedUrlSentence::NoVideoId {
            placeholder: "{id}",
            example: DEFAULT_FINALIZE_PATH,
        };
        check.found.reject(cell, why);
    }
    let (fields, never) = (fields(check, table), nevers(check, table));
    let ca_file = shared::ca_file(check, table);
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

fn url_path(check: &mut Checker<'_>, table: &Table, key: &str, default: &'static str) -> String {
    let fits = |text: &str| {
        let plain = |b: u8| b.is_ascii_graphic() && !b"?#\\\"{}".contains(&b);
        let bare = match key {
            "finalize_path" => text.replace("{id}", ""),
            _ => text.to_owned(),
        };
        text.starts_with('/') && bare.len() <= 200 && bare.bytes().all(plain)
    };
    let wrong = SignedUrlSentence::NoPath { example: default };
    let text = check.text(table, key, wrong, fits);
    text.unwrap_or_else(|| default.to_owned())
}

/// `["OURS=THEIRS"]` over our own names.
fn fields(check: &mut Checker<'_>, table: &Table) -> SignedUrlFields {
    let mut fields = SignedUrlFields::default();
    let example = "[\"upload_url=data.url\"]";
    let Some((cell, written)) = check.list(table, "fields", example) else {
        return fields;
    };
    for pair in &written {
        if let Err(why) = set_field(&mut fields, pair) {
            check.found.reject(cell, why);
        }
    }
    if let Some((one, other)) = clash(&mut fields) {
        let why = SignedUrlSentence::SameField { one, other };
        check.found.reject(cell, why);
    }
    fields
}

fn set_field(fields: &mut SignedUrlFields, pair: &str) -> Result<(), SignedUrlSentence> {
    let quoted = || Quoted(pair.to_owned());
    let Some((ours, theirs)) = pair.split_once('=') else {
        return Err(SignedUrlSentence::RenamesNothing { pair: quoted() });
    };
    let (ours, theirs) = (ours.trim(), theirs.trim());
    let good = |part: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
        !part.is_empty() && part.chars().all(plain)
    };
    if theirs.len() > 200 || !theirs.split('.').all(good) {
        return Err(SignedUrlSentence::NamesNoField { pair: quoted() });
    }
    let mut each = fields.each_mut();
    let names = each.each_ref().map(|(name, _)| *name);
    match each.iter_mut().find(|(name, _)| *name == ours) {
        Some((_, field)) => {
            **field = theirs.to_owned();
            Ok(())
        }
        None => Err(SignedUrlSentence::UnknownField {
            field: Quoted(ours.to_owned()),
            near: DidYouMean::of(ours, names),
            fields: names.join(", "),
        }),
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

fn nevers(check: &mut Checker<'_>, table: &Table) -> Vec<Never> {
    let default = || never(DEFAULT_NEVER).into_iter().collect();
    let example = "[\"403 outside_allowed_window\"]";
    let Some((cell, written)) = check.list(table, "never", example) else {
        return default();
    };
    let mut answers = Vec::new();
    for text in &written {
        match never(text) {
            Some(answer) => answers.push(answer),
            None => {
                let why = SignedUrlSentence::NoAnswer {
                    answer: Quoted(text.clone()),
                    example: DEFAULT_NEVER,
                };
                check.found.reject(cell, why);
            }
        }
    }
    answers
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
