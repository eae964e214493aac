//! The parts of a large file: how large, which the server holds, what their checksums add up to. Pure but for
//! the reading of a file.

use std::fs::File;
use std::path::Path;

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};

use super::answers;
use super::bucket::base64;
use crate::queue::work::Failure;
use crate::upload::hash;

const PART_BYTES: u64 = 8 << 20;
const MOST_PARTS: u64 = 10_000;

/// Parts of 8 MiB, or as large as it takes for 10,000 to be enough; whole MiB.
pub fn part_bytes(size_bytes: u64) -> u64 {
    let least = size_bytes.div_ceil(MOST_PARTS).div_ceil(1 << 20) << 20;
    least.max(PART_BYTES)
}

/// What is noted, so that a restart can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultipartUpload {
    pub key: String,
    pub size_bytes: u64,
    pub sha256: String,
    pub part_bytes: u64,
    pub upload_id: String,
    pub parts: Vec<SentPart>,
}

/// A part that the server took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentPart {
    pub number: u32,
    pub etag: String,
    pub crc32: u32,
    /// The server named its own checksum, and it was right.
    pub proved: bool,
}

impl MultipartUpload {
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
    pub fn keep(&mut self, listed: &[answers::ListedPart]) {
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

    pub fn completion(&self) -> String {
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
    pub fn of(parts: &[(u32, u64)]) -> Sums {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn open(parts: &[(u32, &str)]) -> MultipartUpload {
        MultipartUpload {
            key: "k".to_owned(),
            size_bytes: 20 << 20,
            sha256: "00".repeat(32),
            part_bytes: 8 << 20,
            upload_id: "u".to_owned(),
            parts: parts
                .iter()
                .map(|(number, etag)| SentPart {
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
        let there = |number, size_bytes, etag: Option<&str>| answers::ListedPart {
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
