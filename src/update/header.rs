//! The first line of an update: what it is, before any of it is unpacked. Pure.
//!
//! `{"format":1,"version":"0.2.0","arch":"arm64","size":734003200,"sha256":"…"}` and a newline;
//! `size` and `sha256` are of the slot's bytes, unpacked.

use crate::base::hex;
use semver::Version;
use serde::Deserialize;

/// The longest that the line may be, its newline counted.
pub const LONGEST: usize = 1024;

/// The only format there is.
const FORMAT: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    format: u64,
    pub version: Version,
    /// As Debian calls it.
    pub arch: String,
    /// Bytes of the slot, unpacked.
    pub size: u64,
    /// Of these bytes, 64 hexadecimal digits.
    pub sha256: String,
}

#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// Why a first line is no header of an update.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    #[error("its first line is no header")]
    NoLine,
    #[error("its header is no text")]
    NoText,
    #[error("its first line is no header (JSON with a format)")]
    NoFormat,
    #[error("it has format {0}, and this version knows {FORMAT}: update to one in between first")]
    OtherFormat(u64),
    #[error("its header is wrong: {0}")]
    Fields(serde_json::Error),
    #[error("its header is wrong: sha256 must be 64 hexadecimal digits")]
    Sha256,
    #[error("its header is wrong: size must be more than 0")]
    Size,
}

impl Header {
    /// The header that `beginning` (of the file) begins with, and its length with the newline.
    pub fn of(beginning: &[u8]) -> Result<(Header, u64), HeaderError> {
        let mut bytes = beginning.iter().take(LONGEST);
        let line = bytes.position(|b| *b == b'\n');
        let line = &beginning[..line.ok_or(HeaderError::NoLine)?];
        let text = std::str::from_utf8(line).map_err(|_| HeaderError::NoText)?;
        let format: Format = serde_json::from_str(text).map_err(|_| HeaderError::NoFormat)?;
        if format.format != FORMAT {
            return Err(HeaderError::OtherFormat(format.format));
        }
        let header: Header = serde_json::from_str(text).map_err(HeaderError::Fields)?;
        let hex = header.sha256.len() == 64 && header.sha256.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            return Err(HeaderError::Sha256);
        }
        if header.size == 0 {
            return Err(HeaderError::Size);
        }
        Ok((header, line.len() as u64 + 1))
    }

    /// The SHA-256 of the slot's bytes is `digest`.
    pub fn is_of(&self, digest: &[u8]) -> bool {
        hex(digest).eq_ignore_ascii_case(&self.sha256)
    }

    /// By the rules of versions; what is behind a `+` does not count.
    pub fn is_older_than(&self, running: &Version) -> bool {
        self.version.cmp_precedence(running).is_lt()
    }
}

/// What Debian calls the processor that this program was built for.
pub fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        "x86_64" => "amd64",
        "arm" => "armhf",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn line(format: u64, version: &str, size: u64, sha256: &str) -> Vec<u8> {
        format!(
            "{{\"format\":{format},\"version\":\"{version}\",\"arch\":\"arm64\",\"size\":{size},\
             \"sha256\":\"{sha256}\"}}\nrest\n"
        )
        .into_bytes()
    }

    #[test]
    fn a_header_is_read_with_its_length() {
        let text = line(1, "0.2.0", 700, SHA);
        let (header, len) = Header::of(&text).unwrap();
        assert_eq!(&text[usize::try_from(len).unwrap()..], b"rest\n");
        assert_eq!((header.size, header.arch.as_str()), (700, "arm64"));
        assert_eq!(header.version, Version::new(0, 2, 0));
        let nothing = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new());
        assert!(header.is_of(&nothing));
        assert!(!header.is_of(&[0; 32]));
    }

    #[test]
    fn what_is_no_header_is_told() {
        for (text, words) in [
            (b"PK\x03\x04 no line".to_vec(), "first line is no header"),
            (vec![b'x'; 5000], "first line is no header"),
            (b"\xff\xfe\n".to_vec(), "no text"),
            (b"hello\n".to_vec(), "JSON with a format"),
            (b"{\"format\":1}\n".to_vec(), "missing field `version`"),
            (line(2, "0.2.0", 700, SHA), "it has format 2"),
            (line(1, "next", 700, SHA), "header is wrong"),
            (line(1, "0.2.0", 0, SHA), "size must be more than 0"),
            (line(1, "0.2.0", 700, "12"), "64 hexadecimal digits"),
            (
                line(1, "0.2.0", 700, &"g".repeat(64)),
                "64 hexadecimal digits",
            ),
        ] {
            let wrong = Header::of(&text).unwrap_err().to_string();
            assert!(wrong.contains(words), "{wrong}");
        }
    }

    #[test]
    fn versions_are_compared_as_versions() {
        let older = |theirs: &str, ours: &str| {
            let (header, _) = Header::of(&line(1, theirs, 1, SHA)).unwrap();
            header.is_older_than(&Version::parse(ours).unwrap())
        };
        assert!(older("0.9.0", "0.10.0"));
        assert!(older("0.2.0-rc.1", "0.2.0"));
        assert!(!older("0.2.0", "0.2.0"));
        assert!(
            !older("0.2.0+1", "0.2.0+2"),
            "a rebuild is no other version"
        );
        assert!(!older("1.0.0", "0.99.9"));
    }
}
