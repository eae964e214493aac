//! A large file in parts: begun, noted part by part, taken up again after a restart, completed
//! or given up.
//!
//! What is noted is the upload's id and each part's tag and checksum; the server is asked what
//! it really holds before anything is skipped. A part's checksum is CRC-32. The SHA-256 of the
//! whole is added up while parts are on their way (`lanes`), and compared with what the sidecar
//! says before the upload is completed: what this box's disk damaged never becomes an object.
//!
//! Whoever is killed between a server's "begun" and his own note of it leaves an upload that
//! nobody knows of: before one is begun, those under the same key are given up.

use std::fs::File;
use std::path::Path;

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::answers::{self, Said};
use super::ask::Asking;
use super::lanes::{self, Lane, Lanes, Work};
use super::{Sending, base64};
use crate::queue::work::Failure;
use crate::upload::Item;
use crate::upload::hash::{self, Hash};
use crate::upload::http::Body;

/// Larger files go in parts.
pub const SINGLE_BYTES: u64 = 16_000_000;
/// The header that names a part's checksum, or the whole's.
pub const CRC32: &str = "x-amz-checksum-crc32";
const PART_BYTES: u64 = 8 << 20;
const MOST_PARTS: u64 = 10_000;

/// Parts of 8 MiB, or as large as it takes for 10,000 to be enough; whole MiB.
pub fn part_bytes(size_bytes: u64) -> u64 {
    let least = size_bytes.div_ceil(MOST_PARTS).div_ceil(1 << 20) << 20;
    least.max(PART_BYTES)
}

/// What is noted, so that a restart can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub key: String,
    pub size_bytes: u64,
    pub sha256: String,
    pub part_bytes: u64,
    pub upload_id: String,
    pub parts: Vec<Part>,
}

/// A part that the server took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub number: u32,
    pub etag: String,
    pub crc32: u32,
    /// The server named its own checksum, and it was right.
    pub proved: bool,
}

impl Open {
    pub fn offset(&self, number: u32) -> u64 {
        u64::from(number - 1) * self.part_bytes
    }

    pub fn len(&self, number: u32) -> u64 {
        (self.size_bytes - self.offset(number)).min(self.part_bytes)
    }

    pub fn count(&self) -> u32 {
        let count = self.size_bytes.div_ceil(self.part_bytes);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Drops what the server does not hold as we know it.
    fn keep(&mut self, listed: &[answers::Listed]) {
        let (size_bytes, part_bytes) = (self.size_bytes, self.part_bytes);
        self.parts.retain(|part| {
            let offset = u64::from(part.number.saturating_sub(1)) * part_bytes;
            let len = size_bytes.saturating_sub(offset).min(part_bytes);
            listed.iter().any(|there| {
                let same_tag = there.etag.as_ref().is_none_or(|etag| *etag == part.etag);
                there.number == part.number && there.size_bytes == len && same_tag
            })
        });
    }

    fn completion(&self) -> String {
        let mut xml = String::from(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
        );
        for part in &self.parts {
            let etag = part.etag.replace('&', "&amp;").replace('<', "&lt;");
            let etag = etag.replace('"', "&quot;");
            let number = part.number;
            xml += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>");
            if part.proved {
                let crc32 = base64(&part.crc32.to_be_bytes());
                xml += &format!("<ChecksumCRC32>{crc32}</ChecksumCRC32>");
            }
            xml += "</Part>";
        }
        xml + "</CompleteMultipartUpload>"
    }
}

/// What the server may name of the whole: servers take the one or the other.
pub struct Sums {
    /// Of all bytes.
    whole: String,
    /// Of the parts' checksums: `…-N`.
    composite: String,
}

impl Sums {
    /// Of each part in order: its checksum and length.
    fn of(parts: &[(u32, u64)]) -> Sums {
        let mut whole = Hasher::new();
        let mut composite = Hasher::new();
        for (crc32, len) in parts {
            whole.combine(&Hasher::new_with_initial_len(*crc32, *len));
            composite.update(&crc32.to_be_bytes());
        }
        let text = |hasher: Hasher| base64(&hasher.finalize().to_be_bytes());
        Sums {
            whole: text(whole),
            composite: format!("{}-{}", text(composite), parts.len()),
        }
    }

    /// Of a file as it is on the disk.
    pub fn of_file(
        path: &Path,
        file: &File,
        size_bytes: u64,
        go_on: impl Fn() -> Result<(), Failure>,
    ) -> Result<Sums, Failure> {
        let mut parts = Vec::new();
        let mut done = 0;
        while done < size_bytes {
            let len = (size_bytes - done).min(part_bytes(size_bytes));
            let mut hasher = Hasher::new();
            hash::pieces(path, file, done, len, |piece| {
                hasher.update(piece);
                go_on()
            })?;
            parts.push((hasher.finalize(), len));
            done += len;
        }
        Ok(Sums::of(&parts))
    }

    /// What `there` must be, by its shape.
    pub fn expected(&self, there: &str) -> &str {
        match there.contains('-') {
            true => &self.composite,
            false => &self.whole,
        }
    }
}

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
            Err(Failure::Never { .. }) => true,
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

    fn note(&self, open: &Open) -> Result<(), Failure> {
        // Numbers and text: nothing here can fail to be JSON.
        let value = serde_json::to_value(open).unwrap_or_default();
        self.sending.attempt.notebook.note(Some(value))
    }

    fn begun(&self) -> Result<Open, Failure> {
        let asking = &self.sending.asking;
        let mut headers = asking.facts(self.item.part.content_type(), &self.sha256);
        headers.push(("x-amz-checksum-algorithm".to_owned(), "CRC32".to_owned()));
        let url = asking.url(&self.item.key, &[("uploads", "")]);
        let doing = "beginning an upload in parts";
        let answer = asking.ask("POST", &url, headers, Body::Bytes(b""), doing)?;
        let upload_id = answers::field(&answer.body, "UploadId").filter(|id| !id.is_empty());
        let Some(upload_id) = upload_id else {
            let server = answer.server;
            return Err(Failure::Failed {
                why: format!("{doing}: {server} answered without an UploadId: is it an S3 server?"),
            });
        };
        let open = Open {
            key: self.item.key.clone(),
            size_bytes: self.item.size_bytes,
            sha256: hash::hex(&self.sha256),
            part_bytes: part_bytes(self.item.size_bytes),
            upload_id,
            parts: Vec::new(),
        };
        self.note(&open)?;
        Ok(open)
    }

    /// What an earlier attempt left, as far as the server still holds it.
    fn taken_up(&self) -> Result<Option<Open>, Failure> {
        let Some(noted) = self.sending.attempt.resume else {
            return Ok(None);
        };
        let Ok(mut open) = Open::deserialize(noted) else {
            return Ok(None);
        };
        if open.key != self.item.key {
            // Of another file of this parcel, or under another name.
            return Ok(None);
        }
        let same = open.size_bytes == self.item.size_bytes
            && open.sha256 == hash::hex(&self.sha256)
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
    fn listed(&self, upload_id: &str) -> Result<Option<Vec<answers::Listed>>, Failure> {
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

    fn send_parts(&self, open: &mut Open) -> Result<(), Failure> {
        let flow = &self.sending.attempt.flow;
        let upload_id = open.upload_id.clone();
        let lane = Lane {
            asking: &self.sending.asking,
            key: &self.item.key,
            path: self.path,
            file: self.file,
            meter: flow.meter(),
            upload_id: &upload_id,
            count: open.count(),
        };
        let mut sha256 = Sha256::new();
        lanes::run(&lane, flow, |lanes| {
            let fed = self.feed(open, &lanes, &mut sha256);
            if fed.is_err() {
                lanes.recall();
            }
            let rest = lanes.rest(&mut |part| self.took(open, part));
            fed.and(rest)
        })?;
        match Hash::from(sha256.finalize()) == self.sha256 {
            true => Ok(()),
            false => Err(self.item.damaged()),
        }
    }

    /// Hands on what the server does not hold yet. The whole's hash takes longer than a part's
    /// checksum: it is added up while the part is on its way.
    fn feed(&self, open: &mut Open, lanes: &Lanes<'_>, sha256: &mut Sha256) -> Result<(), Failure> {
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
                lanes.hand_on(work, &mut |part| self.took(open, part))?;
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
    fn took(&self, open: &mut Open, part: Part) -> Result<(), Failure> {
        open.parts.retain(|other| other.number != part.number);
        open.parts.push(part);
        open.parts.sort_by_key(|part| part.number);
        self.note(open)
    }

    fn complete(&self, open: &Open) -> Result<(), Failure> {
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
    let Some(open) = noted.and_then(|noted| Open::deserialize(noted).ok()) else {
        return Ok(());
    };
    let mut items = sending.attempt.parcel.items.iter();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(parts: &[(u32, &str)]) -> Open {
        Open {
            key: "k".to_owned(),
            size_bytes: 20 << 20,
            sha256: "00".repeat(32),
            part_bytes: 8 << 20,
            upload_id: "u".to_owned(),
            parts: parts
                .iter()
                .map(|(number, etag)| Part {
                    number: *number,
                    etag: (*etag).to_owned(),
                    crc32: 5,
                    proved: true,
                })
                .collect(),
        }
    }

    #[test]
    fn ten_thousand_parts_are_always_enough() {
        assert_eq!(part_bytes(25_000_000), 8 << 20);
        let large = 1 << 40;
        assert!(part_bytes(large) * MOST_PARTS >= large);
        assert_eq!(part_bytes(large) % (1 << 20), 0);
        let all = open(&[]);
        assert_eq!((all.count(), all.len(3)), (3, 4 << 20));
    }

    #[test]
    fn the_checksum_of_the_whole_comes_out_of_those_of_its_parts() {
        let parts = [&b"a goal "[..], &b"in the last "[..], &b"minute"[..]];
        let each = parts.map(|part| (crc32fast::hash(part), part.len() as u64));
        let sums = Sums::of(&each);
        let whole = crc32fast::hash(&parts.concat());
        assert_eq!(sums.expected("x"), base64(&whole.to_be_bytes()));
        assert!(sums.expected("x-3").ends_with("-3"));
    }

    #[test]
    fn only_parts_that_the_server_holds_as_they_were_sent_are_kept() {
        let mut kept = open(&[(1, "\"a\""), (2, "\"b\""), (3, "\"c\"")]);
        let there = |number, size_bytes, etag: Option<&str>| answers::Listed {
            number,
            size_bytes,
            etag: etag.map(str::to_owned),
        };
        kept.keep(&[
            there(1, 8 << 20, Some("\"a\"")),
            there(2, 8 << 20, Some("\"other\"")),
            there(3, 4 << 20, None),
        ]);
        let numbers: Vec<u32> = kept.parts.iter().map(|part| part.number).collect();
        assert_eq!(numbers, [1, 3]);
        kept.keep(&[there(3, 5, None)]);
        assert!(kept.parts.is_empty());
    }

    #[test]
    fn a_completion_names_each_part_with_its_tag_and_hash() {
        let xml = open(&[(1, "\"a&b\"")]).completion();
        let text = "<PartNumber>1</PartNumber><ETag>&quot;a&amp;b&quot;</ETag><ChecksumCRC32>";
        assert!(xml.contains(text), "{xml}");
        roxmltree::Document::parse(&xml).unwrap();
    }
}
