//! Into an S3 bucket, whosever it is.
//!
//! Each file is looked for first (HEAD), sent if it is not there (one PUT, or `multipart`),
//! and looked at again: it counts as uploaded when the server names its size and, where it
//! knows one, its checksum: the SHA-256 of a file in one piece, the CRC-32 of one in parts.
//! The checksum is sent along and signed, so the server refuses what arrives damaged; the
//! SHA-256 is kept as the object's metadata `sha256`. What this box's disk damaged is noticed
//! while it is sent, and never becomes an object.

mod answers;
mod bucket;
mod multipart;
mod part_pool;
mod parts;
mod probe;
mod requests;
#[cfg(test)]
mod samples;
mod sign;

use std::fs::File;
use std::path::Path;

use url::Url;

use super::attempt::{Adapter, Attempt};
use super::bundle::{Content, Item, unreadable};
use super::hash::{self, Hash, Sum};
use super::http::{Body, HttpAnswer, Stretch};
use super::sentence::{S3UploadSentence, UploadSentence};
use crate::base::Coded;
use crate::queue::work::{Failure, Uploaded};
use answers::Said;
pub use bucket::S3Adapter;
use bucket::{CRC32, SHA256, base64};
use multipart::{Large, SINGLE_BYTES};
use parts::Sums;
use requests::{Asking, Sending};

impl Adapter for S3Adapter {
    fn send(&self, attempt: &Attempt<'_>) -> Result<Uploaded, Failure> {
        if !attempt.shared.clock.wall().is_set() {
            return Err(Failure::Unavailable {
                why: UploadSentence::S3NeedsClock {}.sentence(),
                retry_after_ms: Some(60_000),
            });
        }
        let sending = Sending {
            attempt,
            asking: Asking {
                adapter: self,
                shared: attempt.shared,
                session: self.client.session(attempt.flow.stop()),
            },
        };
        multipart::give_up_strangers(&sending)?;
        for item in &attempt.bundle.items {
            attempt.flow.leave()?;
            sending.item(item)?;
        }
        Ok(Uploaded {
            place: format!("{}/{}", self.target.bucket, attempt.bundle.place()),
        })
    }
}

impl Sending<'_> {
    fn item(&self, item: &Item) -> Result<(), Failure> {
        let flow = &self.attempt.flow;
        let known = item.sha256.as_deref().and_then(hash::from_hex);
        let sha256 = match known {
            Some(known) => known,
            None => hash::of_item(item, flow)?,
        };
        let url = self.asking.url(&item.key, &[]);
        let before = flow.done_bytes();
        if let Some(held) = self.asking.held(&url)?
            && held.is(item, &sha256)
            && self.same_parts(item, held.crc32.as_deref())?
        {
            flow.add(item.size_bytes);
            return Ok(());
        }
        let sums = match &item.content {
            Content::Bytes(bytes) => {
                self.asking.put(item, &url, Body::Bytes(bytes), &sha256)?;
                None
            }
            Content::File(path) => self.file(item, &url, path, &sha256)?,
        };
        flow.set(before.saturating_add(item.size_bytes));
        self.prove(item, &url, &sha256, sums.as_ref())
    }

    /// Whether what an earlier attempt completed and could not prove any more is whole.
    fn same_parts(&self, item: &Item, crc32: Option<&str>) -> Result<bool, Failure> {
        let (Some(there), Content::File(path)) = (crc32, &item.content) else {
            return Ok(true);
        };
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let go_on = || self.attempt.flow.leave();
        let sums = Sums::of_file(path, &file, item.size_bytes, go_on)?;
        Ok(sums.expected(there) == there)
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
        let flow = &self.attempt.flow;
        let stretch = Stretch {
            path,
            file: &file,
            offset: 0,
            len: item.size_bytes,
            sum: Sum::Sha256(*sha256),
            meter: flow.meter(),
        };
        let asking = &self.asking;
        flow.telling(|| asking.put(item, url, Body::File(stretch), sha256))?;
        Ok(None)
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
        let answer = self.asking.head(url)?;
        if answer.status == 403 && Said::in_body(&answer.body).code.is_empty() {
            return Err(Failure::failed(S3UploadSentence::NotShown {
                doing,
                server: answer.server,
            }));
        }
        let answer = self.asking.yes(answer, &doing)?;
        let there = requests::held(&answer);
        let HttpAnswer { server, .. } = &answer;
        if there.size_bytes != Some(item.size_bytes) {
            let (server, wanted_bytes) = (server.clone(), item.size_bytes);
            return Err(match there.size_bytes {
                Some(there_bytes) => Failure::failed(S3UploadSentence::OtherSize {
                    doing,
                    server,
                    there_bytes,
                    wanted_bytes,
                }),
                None => Failure::failed(S3UploadSentence::NoSize {
                    doing,
                    server,
                    wanted_bytes,
                }),
            });
        }
        self.asking
            .same_checksum(&answer, SHA256, &base64(sha256), &doing)?;
        if let Some(sums) = sums {
            let there = answer.header(CRC32).unwrap_or_default();
            let want = sums.expected(there);
            self.asking.same_checksum(&answer, CRC32, want, &doing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::requests::StoredObject;
    use super::*;
    use crate::base::hex;

    #[test]
    fn what_is_there_is_ours_only_if_size_and_hash_are() {
        let item = Item {
            part: crate::upload::FileRole::Video,
            key: "k".to_owned(),
            content: Content::Bytes(b"goal".to_vec()),
            size_bytes: 4,
            sha256: None,
        };
        let hash = hash::of_bytes(b"goal");
        let there = |size, sha256: &Hash| StoredObject {
            size_bytes: Some(size),
            checksum: None,
            crc32: None,
            sha256: Some(hex(sha256)),
        };
        assert!(there(4, &hash).is(&item, &hash));
        assert!(!there(5, &hash).is(&item, &hash));
        assert!(!there(4, &hash::of_bytes(b"miss")).is(&item, &hash));
        let mute = StoredObject {
            size_bytes: Some(4),
            checksum: None,
            crc32: None,
            sha256: None,
        };
        assert!(!mute.is(&item, &hash));
        let other = StoredObject {
            checksum: Some(base64(&hash::of_bytes(b"miss"))),
            ..there(4, &hash)
        };
        assert!(
            !other.is(&item, &hash),
            "its own word counts more than ours"
        );
    }
}
