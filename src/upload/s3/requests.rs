//! Signs requests, asks the server, and sorts what it answers. Shared by all connections of an
//! attempt.
//!
//! Not here: what is asked for (`s3`, `multipart`).

use jiff::Timestamp;
use url::Url;

use super::answers;
use super::bucket::{CRC32, S3Adapter, SHA256, base64};
use super::sign::{self, S3Payload, S3Signer};
use crate::base::hex;
use crate::queue::work::Failure;
use crate::upload::attempt::Attempt;
use crate::upload::bundle::Item;
use crate::upload::hash::Hash;
use crate::upload::http::{Body, HttpAnswer, Request, Session};
use crate::upload::sentence::ServerSentence;
use crate::upload::types::Shared;

pub struct Asking<'a> {
    pub adapter: &'a S3Adapter,
    pub shared: &'a Shared,
    pub session: Session,
}

/// One attempt.
pub struct Sending<'a> {
    pub attempt: &'a Attempt<'a>,
    pub asking: Asking<'a>,
}

/// What a HEAD said of an object that is there.
pub struct StoredObject {
    pub size_bytes: Option<u64>,
    /// Base64; of a file in one piece.
    pub checksum: Option<String>,
    /// Base64; of one in parts, of all bytes or of the parts' checksums.
    pub crc32: Option<String>,
    /// What was sent along: hex.
    pub sha256: Option<String>,
}

impl StoredObject {
    /// Whether an earlier attempt brought this very file.
    pub fn is(&self, item: &Item, hash: &Hash) -> bool {
        let same = match &self.checksum {
            Some(checksum) => *checksum == base64(hash),
            // Said by us when it began, so no proof of the bytes: its size is one.
            None => self.sha256.as_deref() == Some(&hex(hash)),
        };
        self.size_bytes == Some(item.size_bytes) && same
    }
}

impl Asking<'_> {
    pub fn now(&self) -> Timestamp {
        let ns = i128::from(self.shared.clock.wall().unix_ns);
        Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    pub fn url(&self, key: &str, query: &[(&str, &str)]) -> Url {
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
    pub fn facts(&self, content_type: &str, sha256: &Hash) -> Vec<(String, String)> {
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
            ("x-amz-meta-sha256", Some(&hex(sha256))),
        ];
        let given = given.into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect()
    }

    /// Any answer.
    pub fn exchange(
        &self,
        method: &'static str,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Body<'_>,
    ) -> Result<HttpAnswer, Failure> {
        let payload = match &body {
            Body::None => S3Payload::Bytes(b""),
            Body::Bytes(bytes) => S3Payload::Bytes(bytes),
            Body::File(_) => S3Payload::Unsigned,
        };
        let target = &self.adapter.target;
        let signer = S3Signer {
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
    pub fn ask(
        &self,
        method: &'static str,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Body<'_>,
        doing: &str,
    ) -> Result<HttpAnswer, Failure> {
        let answer = self.exchange(method, url, headers, body)?;
        self.yes(answer, doing)
    }

    pub fn yes(&self, answer: HttpAnswer, doing: &str) -> Result<HttpAnswer, Failure> {
        match answer.is_success() {
            true => Ok(answer),
            false => Err(self.failure(&answer, doing)),
        }
    }

    pub fn failure(&self, answer: &HttpAnswer, doing: &str) -> Failure {
        answers::failure(answer, doing, &self.adapter.target, self.now())
    }

    /// Whether the server named its checksum; an error if it is not this one.
    pub fn same_checksum(
        &self,
        answer: &HttpAnswer,
        header: &str,
        want: &str,
        doing: &str,
    ) -> Result<bool, Failure> {
        match answer.header(header) {
            None => Ok(false),
            Some(there) if there == want => Ok(true),
            Some(there) => Err(Failure::failed(ServerSentence::HoldsOther {
                doing: doing.to_owned(),
                server: answer.server.clone(),
                what: header.to_owned(),
                there: there.to_owned(),
                wanted: want.to_owned(),
            })),
        }
    }

    /// A file in one piece.
    pub fn put(
        &self,
        item: &Item,
        url: &Url,
        body: Body<'_>,
        sha256: &Hash,
    ) -> Result<(), Failure> {
        let mut headers = self.facts(item.part.content_type(), sha256);
        headers.push((SHA256.to_owned(), base64(sha256)));
        let doing = format!("upload of {}", item.key);
        let answer = self.ask("PUT", url, headers, body, &doing)?;
        self.same_checksum(&answer, SHA256, &base64(sha256), &doing)?;
        Ok(())
    }

    /// What is there under this name; `None`: nothing that we could know of.
    pub fn held(&self, url: &Url) -> Result<Option<StoredObject>, Failure> {
        let answer = self.head(url)?;
        if answer.says_later() {
            return Err(self.failure(&answer, "looking what is there"));
        }
        // Without the right to list a bucket, a name that is not there is "forbidden". What
        // really is forbidden, the PUT will say, and say why.
        Ok(answer.is_success().then(|| held(&answer)))
    }

    pub fn head(&self, url: &Url) -> Result<HttpAnswer, Failure> {
        let asked = ("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned());
        self.exchange("HEAD", url, vec![asked], Body::None)
    }
}

pub fn held(answer: &HttpAnswer) -> StoredObject {
    let text = |name| answer.header(name).map(str::to_owned);
    StoredObject {
        size_bytes: answer
            .header("content-length")
            .and_then(|text| text.parse().ok()),
        checksum: text(SHA256),
        crc32: text(CRC32),
        sha256: text("x-amz-meta-sha256"),
    }
}
