//! `kind = "s3"`: a bucket.

use std::path::PathBuf;

use url::Url;

use super::shared::{self, is_header_text};
use crate::config::checker::Checker;
use crate::config::secret::Secret;
use crate::config::template::KeyTemplate;
use crate::config::written::Table;

const DEFAULT_REGION: &str = "us-east-1";
/// A committed name never changes what it holds.
const DEFAULT_CACHE_CONTROL: &str = "max-age=31536000, immutable";

#[derive(Clone, Debug, PartialEq)]
pub struct S3Target {
    /// `https://…` or `http://…`, without bucket, user and query.
    pub endpoint: Url,
    pub region: String,
    pub bucket: String,
    /// The video's name; what lies beside it (vertical, thumbnail, sidecar) takes its stem.
    pub key: KeyTemplate,
    pub path_style: bool,
    pub storage_class: Option<String>,
    /// `AES256` or `aws:kms`.
    pub encryption: Option<String>,
    pub kms_key: Option<String>,
    pub cache_control: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// More certificate authorities than the system's, PEM.
    pub ca_file: Option<PathBuf>,
}

crate::sentences! {
    /// What is wrong with a value of a bucket; follows `key = value`.
    pub enum S3KeySentence {
        NoRegion {} = "config_s3_no_region":
            "is no region; write it as the provider calls it, like \"eu-central-1\"",
        NoStorageClass {} = "config_s3_no_storage_class":
            "is no storage class; write it like \"STANDARD_IA\"",
        NoBucket {} = "config_s3_no_bucket":
            "cannot be a bucket; its name has 3 to 63 characters out of a-z, 0-9, '-' and \
             '.', the first and the last a letter or a digit",
        DotInBucket {} = "config_s3_dot_in_bucket":
            "has a dot in it, which TLS does not take in front of a host; write \
             path_style = true",
        NoKmsKey {} = "config_s3_no_kms_key": "is no key of KMS; write its id or ARN",
        KmsKeyAlone {} = "config_s3_kms_key_alone":
            "counts only with encryption = \"aws:kms\"; write that too",
        NoCacheControl {} = "config_s3_no_cache_control":
            "cannot stand in a header; write it like \"max-age=86400\"",
    }
}

pub fn check(check: &mut Checker<'_>, table: &Table, id: &str) -> Option<S3Target> {
    let example = "https://s3.eu-central-1.amazonaws.com";
    let endpoint = shared::url(check, table, "endpoint", example, true);
    let region = check.text(table, "region", S3KeySentence::NoRegion {}, |text| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    });
    let path_style = check.flag(table, "path_style", true);
    let bucket = bucket(check, table, path_style);
    let access_key_id = shared::header_text(check, table, "access_key_id", "AKIAIOSFODNN7EXAMPLE");
    let secret_access_key = shared::target_secret(check, table, "secret_access_key", id);
    let wrong = S3KeySentence::NoStorageClass {};
    let storage_class = check.text(table, "storage_class", wrong, |text| {
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    });
    let (encryption, kms_key) = encryption(check, table);
    let cache_control = cache_control(check, table);
    let key = shared::key(check, table);
    let ca_file = shared::ca_file(check, table);
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

fn bucket(check: &mut Checker<'_>, table: &Table, path_style: bool) -> Option<String> {
    shared::needs(check, table, "bucket", "arena-highlights");
    let bucket = check.text(table, "bucket", S3KeySentence::NoBucket {}, can_be_a_bucket)?;
    if let (Some(cell), true) = (table.get("bucket"), bucket.contains('.') && !path_style) {
        check.found.reject(cell, S3KeySentence::DotInBucket {});
    }
    Some(bucket)
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

fn encryption(check: &mut Checker<'_>, table: &Table) -> (Option<String>, Option<String>) {
    let kinds = ["AES256", "aws:kms"].map(|word| (word, Some(word)));
    let encryption = check.choice(table, "encryption", &kinds, None);
    let kms_key = check.text(table, "kms_key", S3KeySentence::NoKmsKey {}, is_header_text);
    if let (Some(cell), true) = (table.get("kms_key"), encryption != Some("aws:kms")) {
        check.found.reject(cell, S3KeySentence::KmsKeyAlone {});
    }
    (encryption.map(str::to_owned), kms_key)
}

/// Empty: none.
fn cache_control(check: &mut Checker<'_>, table: &Table) -> Option<String> {
    if table.get("cache_control").is_none() {
        return Some(DEFAULT_CACHE_CONTROL.to_owned());
    }
    let fits = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let wrong = S3KeySentence::NoCacheControl {};
    let text = check.text(table, "cache_control", wrong, fits)?;
    (!text.is_empty()).then_some(text)
}
