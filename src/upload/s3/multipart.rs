//! A large file in parts: begun, noted part by part, taken up again after a restart, completed
//! or given up.
//!
//! What is noted is the upload's id and each part's tag and checksum; the server is asked what
//! it really holds before anything is skipped. A part's checksum is CRC-32. The SHA-256 of the
//! whole is added up while parts are on their way (`part_pool`), and compared with what the sidecar
//! says before the upload is completed: what this box's disk damaged never becomes an object.
//!
//! Whoever is killed between a server's "begun" and his own note of it leaves an upload that
//! nobody knows of: before one is begun, those under the same key are given up.

use std::fs::File;
use std::path::Path;

use crc32fast::Hasher;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::answers::{self, Said};
use super::part_pool::{self, PartPool, PartUpload, Work};
use super::parts::{MultipartUpload, SentPart, Sums, part_bytes};
use super::requests::{Asking, Sending};
use crate::base::hex;
use crate::queue::work::Failure;
use crate::upload::bundle::Item;
use crate::upload::hash::{self, Hash};
use crate::upload::http::Body;
use crate::upload::sentence::S3UploadSentence;

/// Larger files go in parts.
pub const SINGLE_BYTES: u64 = 16_000_000;

/// A file to be sent in parts.
pub struct Large<'a> {
    pub sending: &'a Sending<'a>,
    pub item: &'a Item,
    pub path: &'a Path,
    pub file: &'a File,
    pub sha256: Hash,
}

impl Large<'_> {
    /// Sends what is missing, and completes it.
    pub fn send(&self) -> Result<Sums, Failure> {
        let mut open = match self.taken_up()? {
            Some(open) => open,
            None => {
                self.give_up_unknown()?;
                self.begun()?
            }
        };
        let result = self.send_parts(&mut open);
        let result = result.and_then(|()| self.complete(&open));
        let given_up = match &result {
            Err(Failure::Permanent { .. }) => true,
            Err(Failure::Failed { .. }) => self.sending.attempt.last,
            _ => false,
        };
        if given_up && let Err(failure) = self.abort(&open.upload_id) {
            // Nobody tries again: what is left there costs its owner money, but no clip.
            log::debug!(event = "clip_upload_abort"; "an upload in parts was not taken back: {failure}");
        }
        if given_up || result.is_ok() {
            self.sending.attempt.notebook.note(None)?;
        }
        result?;
        let parts = open
            .parts
            .iter()
            .map(|part| (part.crc32, open.len(part.number)));
        Ok(Sums::of(&parts.collect::<Vec<_>>()))
    }

    fn note(&self, open: &MultipartUpload) -> Result<(), Failure> {
        // Numbers and text: nothing here can fail to be JSON.
        let value = serde_json::to_value(open).unwrap_or_default();
        self.sending.attempt.notebook.note(Some(value))
    }

    fn begun(&self) -> Result<MultipartUpload, Failure> {
        let asking = &self.sending.asking;
        let mut headers = asking.facts(self.item.part.content_type(), &self.sha256);
        headers.push(("x-amz-checksum-algorithm".to_owned(), "CRC32".to_owned()));
        let url = asking.url(&self.item.key, &[("uploads", "")]);
        let doing = "beginning an upload in parts";
        let answer = asking.ask("POST", &url, headers, Body::Bytes(b""), doing)?;
        let upload_id = answers::field(&answer.body, "UploadId").filter(|id| !id.is_empty());
        let Some(upload_id) = upload_id else {
            return Err(Failure::failed(S3UploadSentence::NoUploadId {
                doing: doing.to_owned(),
                server: answer.server,
            }));
        };
        let open = MultipartUpload {
            key: self.item.key.clone(),
            size_bytes: self.item.size_bytes,
            sha256: hex(&self.sha256),
            part_bytes: part_bytes(self.item.size_bytes),
            upload_id,
            parts: Vec::new(),
        };
        self.note(&open)?;
        Ok(open)
    }

    /// What an earlier attempt left, as far as the server still holds it.
    fn taken_up(&self) -> Result<Option<MultipartUpload>, Failure> {
        let Some(noted) = self.sending.attempt.resume else {
            return Ok(None);
        };
        let Ok(mut open) = MultipartUpload::deserialize(noted) else {
            return Ok(None);
        };
        if open.key != self.item.key {
            // Of another file of this bundle, or under another name.
            return Ok(None);
        }
        let same = open.size_bytes == self.item.size_bytes
            && open.sha256 == hex(&self.sha256)
            && open.part_bytes == part_bytes(self.item.size_bytes);
        if !same {
            self.abort(&open.upload_id)?;
            return Ok(None);
        }
        let Some(listed) = self.listed(&open.upload_id)? else {
            return Ok(None);
        };
        open.keep(&listed);
        Ok(Some(open))
    }

    /// `None`: the server knows no such upload (any more).
    fn listed(&self, upload_id: &str) -> Result<Option<Vec<answers::ListedPart>>, Failure> {
        let asking = &self.sending.asking;
        let mut all = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut query = vec![("uploadId", upload_id)];
            if let Some(marker) = &marker {
                query.push(("part-number-marker", marker));
            }
            let url = asking.url(&self.item.key, &query);
            let answer = asking.exchange("GET", &url, Vec::new(), Body::None)?;
            if !answer.is_success() {
                let credentials = Said::in_body(&answer.body).is_about_credentials();
                if answer.says_later() || credentials {
                    return Err(asking.failure(&answer, "listing the parts of an upload"));
                }
                // Gone, or we may not know: all is sent again.
                return Ok(None);
            }
            let Some((parts, next)) = answers::listed(&answer.body) else {
                return Ok(None);
            };
            // A server that repeats itself must not keep us for ever.
            let empty = parts.is_empty();
            all.extend(parts);
            if next.is_none() || empty || next == marker {
                return Ok(Some(all));
            }
            marker = next;
        }
    }

    fn send_parts(&self, open: &mut MultipartUpload) -> Result<(), Failure> {
        let flow = &self.sending.attempt.flow;
        let upload_id = open.upload_id.clone();
        let upload = PartUpload {
            asking: &self.sending.asking,
            key: &self.item.key,
            path: self.path,
            file: self.file,
            meter: flow.meter(),
            upload_id: &upload_id,
            count: open.count(),
        };
        let mut sha256 = Sha256::new();
        part_pool::run(&upload, flow, |pool| {
            let fed = self.feed(open, &pool, &mut sha256);
            if fed.is_err() {
                pool.recall();
            }
            let rest = pool.rest(&mut |part| self.took(open, part));
            fed.and(rest)
        })?;
        match Hash::from(sha256.finalize()) == self.sha256 {
            true => Ok(()),
            false => Err(self.item.damaged()),
        }
    }

    /// Hands on what the server does not hold yet. The whole's hash takes longer than a part's
    /// checksum: it is added up while the part is on its way.
    fn feed(
        &self,
        open: &mut MultipartUpload,
        pool: &PartPool<'_>,
        sha256: &mut Sha256,
    ) -> Result<(), Failure> {
        for number in 1..=open.count() {
            let (offset, len) = (open.offset(number), open.len(number));
            let mut crc32 = Hasher::new();
            self.pieces(offset, len, |piece| crc32.update(piece))?;
            let crc32 = crc32.finalize();
            let there = open.parts.iter().find(|part| part.number == number);
            if there.is_some_and(|part| part.crc32 == crc32) {
                self.sending.attempt.flow.add(len);
            } else {
                let work = Work {
                    number,
                    offset,
                    len,
                    crc32,
                };
                pool.hand_on(work, &mut |part| self.took(open, part))?;
            }
            self.pieces(offset, len, |piece| sha256.update(piece))?;
        }
        Ok(())
    }

    /// Of a part as it is on the disk.
    fn pieces(&self, offset: u64, len: u64, mut each: impl FnMut(&[u8])) -> Result<(), Failure> {
        hash::pieces(self.path, self.file, offset, len, |piece| {
            each(piece);
            self.sending.attempt.flow.leave()
        })
    }

    /// The server holds it.
    fn took(&self, open: &mut MultipartUpload, part: SentPart) -> Result<(), Failure> {
        open.parts.retain(|other| other.number != part.number);
        open.parts.push(part);
        open.parts.sort_by_key(|part| part.number);
        self.note(open)
    }

    fn complete(&self, open: &MultipartUpload) -> Result<(), Failure> {
        let asking = &self.sending.asking;
        let url = asking.url(&self.item.key, &[("uploadId", &open.upload_id)]);
        let xml = open.completion();
        let headers = vec![("content-type".to_owned(), "application/xml".to_owned())];
        let doing = format!("completing {}", &self.item.key);
        let body = Body::Bytes(xml.as_bytes());
        let answer = asking.ask("POST", &url, headers, body, &doing)?;
        // The one request whose success can hold an error.
        if Said::in_body(&answer.body) != Said::default() {
            return Err(asking.failure(&answer, &doing));
        }
        Ok(())
    }

    fn abort(&self, upload_id: &str) -> Result<(), Failure> {
        abort(&self.sending.asking, &self.item.key, upload_id)
    }

    /// Gives up what was begun under this key and never noted. Servers need not tell.
    fn give_up_unknown(&self) -> Result<(), Failure> {
        let asking = &self.sending.asking;
        let key = self.item.key.as_str();
        let mut url = asking.url("", &[("uploads", ""), ("prefix", key)]);
        // The bucket itself is asked: its address ends without `/` where it stands in the path.
        if let Some(bucket) = url.path().strip_suffix('/').filter(|path| !path.is_empty()) {
            let bucket = bucket.to_owned();
            url.set_path(&bucket);
        }
        let answer = asking.exchange("GET", &url, Vec::new(), Body::None)?;
        if answer.is_success() {
            for upload_id in answers::begun(&answer.body, key) {
                // Once the next has begun and is noted, nobody looks for these again.
                self.abort(&upload_id)?;
            }
        }
        Ok(())
    }
}

/// What was noted under a key that this highlight has no longer (the template of names was
/// changed meanwhile) is given up.
pub fn give_up_strangers(sending: &Sending<'_>) -> Result<(), Failure> {
    let noted = sending.attempt.resume;
    let Some(open) = noted.and_then(|noted| MultipartUpload::deserialize(noted).ok()) else {
        return Ok(());
    };
    let mut items = sending.attempt.bundle.items.iter();
    match items.any(|item| item.key == open.key) {
        true => Ok(()),
        false => abort(&sending.asking, &open.key, &open.upload_id),
    }
}

/// Whatever the server says to it: more cannot be done. An error means that it did not hear.
fn abort(asking: &Asking<'_>, key: &str, upload_id: &str) -> Result<(), Failure> {
    let url = asking.url(key, &[("uploadId", upload_id)]);
    asking.exchange("DELETE", &url, Vec::new(), Body::None)?;
    Ok(())
}
