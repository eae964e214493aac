//! Into an S3 bucket, whosever it is.
//!
//! Each file is looked for first (HEAD), sent if it is not there (one PUT, or `multipart`),
//! and looked at again: it counts as uploaded when the server names its size and, where it
//! knows one, its checksum: the SHA-256 of a file in one piece, the CRC-32 of one in parts.
//! The checksum is sent along and signed, so the server refuses what arrives damaged; the
//! SHA-256 is kept as the object's metadata `sha256`.
//!
//! Called by: the room's face.

mod answers;
mod multipart;
mod reach;
mod sign;

use std::fs::File;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use url::Url;

use super::hash::{self, Hash};
use super::http::{Answer, Body, Client, Limits, Request, Session};
use super::parcel::unreadable;
use super::{Adapter, Attempt, Content, Item, UploadError};
use crate::config::delivery::S3Target;
use crate::queue::work::{Failure, Uploaded};
use answers::Said;
use multipart::{CRC32, Large, SINGLE_BYTES, Sums};
use sign::{Payload, Signer};

/// Of a file in one piece; of one in parts it is a CRC-32, see `multipart`.
const SHA256: &str = "x-amz-checksum-sha256";

pub struct S3Adapter {
    target: S3Target,
    /// With the bucket, where keys begin; ends in `/`.
    base: Url,
    client: Client,
}

impl S3Adapter {
    /// `id` is the target's, for errors.
    pub fn new(id: &str, target: &S3Target, limits: Limits) -> Result<S3Adapter, UploadError> {
        let base = base(target).map_err(|why| UploadError::Target {
            target: id.to_owned(),
            why,
        })?;
        let ca_file = target.ca_file.as_deref();
        Ok(S3Adapter {
            client: Client::new(id, &base, ca_file, limits)?,
            target: target.clone(),
            base,
        })
    }
}

/// `https://endpoint/bucket/`, or `https://bucket.endpoint/`.
fn base(target: &S3Target) -> Result<Url, String> {
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
        return Err(format!(
            "endpoint = \"{}\" is an address without a name, before which no bucket can stand: set \
             path_style = true",
            target.endpoint
        ));
    };
    let named = url.set_host(Some(&format!("{bucket}.{host}")));
    named.map_err(|_| format!("bucket = \"{bucket}\" cannot be part of a host's name"))?;
    url.set_path(&format!("{prefix}/"));
    Ok(url)
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

impl Adapter for S3Adapter {
    fn send(&self, attempt: &Attempt<'_>) -> Result<Uploaded, Failure> {
        if !attempt.shared.clock.wall().is_set() {
            return Err(Failure::Wait {
                why:
                    "this box's clock was never set, and S3 wants the right time: it needs a time \
                      server (NTP)"
                        .to_owned(),
                retry_after_ms: Some(60_000),
            });
        }
        let sending = Sending {
            adapter: self,
            attempt,
            session: self.client.session(attempt.flow.stop()),
        };
        for item in &attempt.parcel.items {
            attempt.flow.leave()?;
            sending.item(item)?;
        }
        Ok(Uploaded {
            place: format!("{}/{}", self.target.bucket, attempt.parcel.place()),
        })
    }
}

/// One attempt.
struct Sending<'a> {
    adapter: &'a S3Adapter,
    attempt: &'a Attempt<'a>,
    session: Session,
}

/// What a HEAD said of an object that is there.
struct Held {
    size_bytes: Option<u64>,
    /// Base64.
    checksum: Option<String>,
    /// What was sent along: hex.
    sha256: Option<String>,
}

impl Held {
    /// Whether an earlier attempt brought this very file.
    fn is(&self, item: &Item, hash: &Hash) -> bool {
        let by_checksum = self.checksum.as_deref() == Some(&base64(hash));
        let by_note = self.sha256.as_deref() == Some(&hash::hex(hash));
        self.size_bytes == Some(item.size_bytes) && (by_checksum || by_note)
    }
}

impl Sending<'_> {
    fn now(&self) -> Timestamp {
        let ns = i128::from(self.attempt.shared.clock.wall().unix_ns);
        Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn url(&self, key: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.adapter.base.clone();
        let path = format!("{}{key}", url.path());
        url.set_path(&path);
        if !query.is_empty() {
            // Encoded as the signature wants it, so that both sides see the same.
            let pairs = query.iter();
            let pairs = pairs.map(|(n, v)| format!("{}={}", sign::encoded(n), sign::encoded(v)));
            url.set_query(Some(&pairs.collect::<Vec<_>>().join("&")));
        }
        url
    }

    /// Headers that an object is kept with.
    fn facts(&self, content_type: &str, sha256: &Hash) -> Vec<(String, String)> {
        let target = &self.adapter.target;
        let given = [
            ("content-type", Some(content_type)),
            ("content-disposition", Some("inline")),
            ("cache-control", target.cache_control.as_deref()),
            ("x-amz-storage-class", target.storage_class.as_deref()),
            ("x-amz-server-side-encryption", target.encryption.as_deref()),
            (
                "x-amz-server-side-encryption-aws-kms-key-id",
                target.kms_key.as_deref(),
            ),
            ("x-amz-meta-sha256", Some(&hash::hex(sha256))),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect()
    }

    /// Any answer.
    fn exchange(
        &self,
        method: &'static str,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Body<'_>,
    ) -> Result<Answer, Failure> {
        let payload = match &body {
            Body::None => Payload::Bytes(b""),
            Body::Bytes(bytes) => Payload::Bytes(bytes),
            Body::File { .. } => Payload::Unsigned,
        };
        let target = &self.adapter.target;
        let signer = Signer {
            access_key_id: &target.access_key_id,
            secret: target.secret_access_key.reveal(),
            region: &target.region,
        };
        let headers = signer.sign(method, url, headers, payload, self.now());
        self.session.send(Request {
            method,
            url,
            headers,
            body,
        })
    }

    /// An answer that says yes.
    fn ask(
        &self,
        method: &'static str,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Body<'_>,
        doing: &str,
    ) -> Result<Answer, Failure> {
        let answer = self.exchange(method, url, headers, body)?;
        self.yes(answer, doing)
    }

    fn yes(&self, answer: Answer, doing: &str) -> Result<Answer, Failure> {
        match answer.is_success() {
            true => Ok(answer),
            false => Err(self.failure(&answer, doing)),
        }
    }

    fn failure(&self, answer: &Answer, doing: &str) -> Failure {
        answers::failure(answer, doing, &self.adapter.target, self.now())
    }

    /// Whether the server named its checksum; an error if it is not this one.
    fn same_checksum(
        &self,
        answer: &Answer,
        header: &str,
        want: &str,
        doing: &str,
    ) -> Result<bool, Failure> {
        match answer.header(header) {
            None => Ok(false),
            Some(there) if there == want => Ok(true),
            Some(there) => Err(Failure::Failed {
                why: format!(
                    "{doing}: {} holds something else: its {header} is {there}, not {want}",
                    answer.server
                ),
            }),
        }
    }

    fn item(&self, item: &Item) -> Result<(), Failure> {
        let sha256 = self.meant(item)?;
        let url = self.url(&item.key, &[]);
        let before = self.attempt.flow.done_bytes();
        if self.held(&url)?.is_some_and(|held| held.is(item, &sha256)) {
            self.attempt.flow.add(item.size_bytes);
            return Ok(());
        }
        let sums = match &item.content {
            Content::Bytes(bytes) => {
                self.put(item, &url, Body::Bytes(bytes), &sha256)?;
                None
            }
            Content::File(path) => self.file(item, &url, path, &sha256)?,
        };
        self.attempt
            .flow
            .set(before.saturating_add(item.size_bytes));
        self.prove(item, &url, &sha256, sums.as_ref())
    }

    /// The hash that the far side must end up with. Of a small file what lies on the disk is
    /// compared with what its sidecar says; a large one is while it is sent.
    fn meant(&self, item: &Item) -> Result<Hash, Failure> {
        let known = item.sha256.as_deref().and_then(hash::from_hex);
        if let (Some(known), true) = (known, item.size_bytes > SINGLE_BYTES) {
            return Ok(known);
        }
        let found = hash::of_item(item, &self.attempt.flow)?;
        match known {
            Some(known) if known != found => Err(item.damaged()),
            _ => Ok(found),
        }
    }

    /// The checksums to expect where it went in parts.
    fn file(
        &self,
        item: &Item,
        url: &Url,
        path: &Path,
        sha256: &Hash,
    ) -> Result<Option<Sums>, Failure> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        if item.size_bytes > SINGLE_BYTES {
            let large = Large {
                sending: self,
                item,
                path,
                file: &file,
                sha256: *sha256,
            };
            return large.send().map(Some);
        }
        let body = Body::File {
            path,
            file: &file,
            offset: 0,
            len: item.size_bytes,
            flow: &self.attempt.flow,
        };
        self.put(item, url, body, sha256)?;
        Ok(None)
    }

    fn put(&self, item: &Item, url: &Url, body: Body<'_>, sha256: &Hash) -> Result<(), Failure> {
        let mut headers = self.facts(item.part.content_type(), sha256);
        headers.push((SHA256.to_owned(), base64(sha256)));
        let doing = format!("upload of {}", item.key);
        let answer = self.ask("PUT", url, headers, body, &doing)?;
        self.same_checksum(&answer, SHA256, &base64(sha256), &doing)?;
        Ok(())
    }

    /// What is there under this name; `None`: nothing that we could know of.
    fn held(&self, url: &Url) -> Result<Option<Held>, Failure> {
        let answer = self.head(url)?;
        if answer.says_later() {
            return Err(self.failure(&answer, "looking what is there"));
        }
        // Without the right to list a bucket, a name that is not there is "forbidden". What
        // really is forbidden, the PUT will say, and say why.
        Ok(answer.is_success().then(|| held(&answer)))
    }

    fn head(&self, url: &Url) -> Result<Answer, Failure> {
        let asked = ("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned());
        self.exchange("HEAD", url, vec![asked], Body::None)
    }

    /// The far side's own word for what it holds.
    fn prove(
        &self,
        item: &Item,
        url: &Url,
        sha256: &Hash,
        sums: Option<&Sums>,
    ) -> Result<(), Failure> {
        let doing = format!("proof of {}", item.key);
        let answer = self.head(url)?;
        if answer.status == 403 && Said::in_body(&answer.body).code.is_empty() {
            return Err(Failure::Failed {
                why: format!(
                    "{doing}: {} took the file but does not let us look at it: allow the access key \
                     s3:GetObject",
                    answer.server
                ),
            });
        }
        let answer = self.yes(answer, &doing)?;
        let there = held(&answer);
        let Answer { server, .. } = &answer;
        if there.size_bytes != Some(item.size_bytes) {
            let size = there
                .size_bytes
                .map_or("no size".to_owned(), |size| format!("{size} bytes"));
            return Err(Failure::Failed {
                why: format!(
                    "{doing}: {server} names {size}, not {} bytes",
                    item.size_bytes
                ),
            });
        }
        self.same_checksum(&answer, SHA256, &base64(sha256), &doing)?;
        if let Some(sums) = sums {
            let there = answer.header(CRC32).unwrap_or_default();
            let want = sums.expected(there);
            self.same_checksum(&answer, CRC32, want, &doing)?;
        }
        Ok(())
    }
}

fn held(answer: &Answer) -> Held {
    let text = |name| answer.header(name).map(str::to_owned);
    Held {
        size_bytes: answer
            .header("content-length")
            .and_then(|text| text.parse().ok()),
        checksum: text(SHA256),
        sha256: text("x-amz-meta-sha256"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::answers::tests::target;
    use super::*;

    #[test]
    fn a_bucket_stands_in_the_path_or_before_the_host() {
        let mut about = target();
        assert_eq!(base(&about).unwrap().as_str(), "http://127.0.0.1:1/clips/");
        about.path_style = false;
        let why = base(&about).unwrap_err();
        assert!(why.contains("path_style = true"), "{why}");
        about.endpoint = "https://s3.eu-central-1.example.com/".parse().unwrap();
        let url = base(&about).unwrap();
        assert_eq!(url.as_str(), "https://clips.s3.eu-central-1.example.com/");
    }

    #[test]
    fn what_is_there_is_ours_only_if_size_and_hash_are() {
        let item = Item {
            part: crate::upload::Part::Video,
            key: "k".to_owned(),
            content: Content::Bytes(b"goal".to_vec()),
            size_bytes: 4,
            sha256: None,
        };
        let hash = hash::of_bytes(b"goal");
        let there = |size, sha256: &Hash| Held {
            size_bytes: Some(size),
            checksum: None,
            sha256: Some(hash::hex(sha256)),
        };
        assert!(there(4, &hash).is(&item, &hash));
        assert!(!there(5, &hash).is(&item, &hash));
        assert!(!there(4, &hash::of_bytes(b"miss")).is(&item, &hash));
        let mute = Held {
            size_bytes: Some(4),
            checksum: None,
            sha256: None,
        };
        assert!(!mute.is(&item, &hash));
    }
}
