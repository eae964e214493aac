//! A bucket: where its keys begin, and the client that asks for them.
//!
//! Not here: requests (`requests`), sending (`s3`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::config::S3Target;
use crate::upload::http::HttpClient;
use crate::upload::types::{Limits, UploadError};

/// Of a file in one piece; of one in parts it is a CRC-32.
pub const SHA256: &str = "x-amz-checksum-sha256";
/// The header that names a part's checksum, or the whole's.
pub const CRC32: &str = "x-amz-checksum-crc32";

pub struct S3Adapter {
    pub target: S3Target,
    /// With the bucket, where keys begin; ends in `/`.
    pub base: Url,
    pub client: HttpClient,
}

impl S3Adapter {
    /// `id` is the target's, for errors.
    pub fn new(id: &str, target: &S3Target, limits: Limits) -> Result<S3Adapter, UploadError> {
        let base = base(target).map_err(|e| UploadError::Target {
            target: id.to_owned(),
            why: e.to_string(),
        })?;
        let ca_file = target.ca_file.as_deref();
        Ok(S3Adapter {
            client: HttpClient::new(id, &base, ca_file, limits)?,
            target: target.clone(),
            base,
        })
    }
}

/// Why a bucket has no address.
#[derive(Debug, thiserror::Error)]
enum BaseError {
    #[error(
        "endpoint = \"{0}\" is an address without a name, before which no bucket can stand: set path_style = true"
    )]
    NoName(Url),
    #[error("bucket = \"{0}\" cannot be part of a host's name")]
    NotInName(String),
}

/// `https://endpoint/bucket/`, or `https://bucket.endpoint/`.
fn base(target: &S3Target) -> Result<Url, BaseError> {
    let mut url = target.endpoint.clone();
    let S3Target { bucket, .. } = target;
    url.set_query(None);
    url.set_fragment(None);
    let prefix = url.path().trim_end_matches('/').to_owned();
    if target.path_style {
        url.set_path(&format!("{prefix}/{bucket}/"));
        return Ok(url);
    }
    let Some(url::Host::Domain(host)) = target.endpoint.host() else {
        return Err(BaseError::NoName(target.endpoint.clone()));
    };
    let named = url.set_host(Some(&format!("{bucket}.{host}")));
    named.map_err(|_| BaseError::NotInName(bucket.clone()))?;
    url.set_path(&format!("{prefix}/"));
    Ok(url)
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::target;
    use super::*;

    #[test]
    fn a_bucket_stands_in_the_path_or_before_the_host() {
        let mut about = target();
        assert_eq!(base(&about).unwrap().as_str(), "http://127.0.0.1:1/clips/");
        about.path_style = false;
        let why = base(&about).unwrap_err().to_string();
        assert!(why.contains("path_style = true"), "{why}");
        about.endpoint = "https://s3.eu-central-1.example.com/".parse().unwrap();
        let url = base(&about).unwrap();
        assert_eq!(url.as_str(), "https://clips.s3.eu-central-1.example.com/");
    }
}
