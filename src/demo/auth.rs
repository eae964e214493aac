//! The camera's door: Basic, and Digest with MD5 (RFC 2069 and 2617) or SHA-256 (RFC 7616), as real cameras have it.
//!
//! MD5 is here, and in ingest's relay, because most RTSP cameras know nothing better.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::script::{Login, Scheme};
use crate::base::hex;

const REALM: &str = "hindsight demo";

/// The `WWW-Authenticate` header's value.
pub(super) fn challenge(login: &Login, nonce: &str, stale: bool) -> String {
    let stale = if stale { ", stale=true" } else { "" };
    match login.scheme {
        Scheme::Basic => format!("Basic realm=\"{REALM}\""),
        Scheme::Digest => format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\"{stale}"),
        Scheme::DigestSha256 => {
            format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", algorithm=\"SHA-256\"{stale}")
        }
    }
}

/// Whether an `Authorization` header's value opens the door.
pub(super) fn opens(login: &Login, nonce: &str, method: &str, header: Option<&str>) -> bool {
    let Some((scheme, rest)) = header.and_then(|h| h.trim().split_once(' ')) else {
        return false;
    };
    match login.scheme {
        Scheme::Basic => {
            let plain = format!("{}:{}", login.username, login.password);
            scheme.eq_ignore_ascii_case("basic") && rest.trim() == STANDARD.encode(plain)
        }
        Scheme::Digest | Scheme::DigestSha256 => {
            scheme.eq_ignore_ascii_case("digest") && digest_fits(login, nonce, method, rest)
        }
    }
}

fn digest_fits(login: &Login, nonce: &str, method: &str, fields: &str) -> bool {
    let field = |name: &str| field(fields, name).unwrap_or_default();
    let sha = login.scheme == Scheme::DigestSha256;
    if sha && field("algorithm") != "SHA-256" {
        return false;
    }
    let digest = |text: &str| match sha {
        true => hex(&<sha2::Sha256 as sha2::Digest>::digest(text)),
        false => md5_hex(text),
    };
    let secret = digest(&format!("{}:{REALM}:{}", login.username, login.password));
    let what = digest(&format!("{method}:{}", field("uri")));
    let expected = match field("qop") {
        "" => digest(&format!("{secret}:{nonce}:{what}")),
        qop => digest(&format!(
            "{secret}:{nonce}:{}:{}:{qop}:{what}",
            field("nc"),
            field("cnonce")
        )),
    };
    field("username") == login.username
        && field("nonce") == nonce
        && field("response").eq_ignore_ascii_case(&expected)
}

/// A field of `a="b", c=d`; values with commas in them are not understood.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.split(',').find_map(|part| {
        let (key, value) = part.split_once('=')?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

fn md5_hex(text: &str) -> String {
    hex(&Md5::digest(text))
}

#[cfg(test)]
mod tests {
    use super::super::script::NonceLife;
    use super::*;

    #[test]
    fn md5_gives_the_digests_of_its_rfc() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(md5_hex(text), digest);
        }
    }

    #[test]
    fn only_the_right_word_opens() {
        let mut login = Login {
            username: "viewer".into(),
            password: "pass".into(),
            scheme: Scheme::Basic,
            nonce: NonceLife::Connection,
        };
        let basic = "Basic dmlld2VyOnBhc3M=";
        assert!(opens(&login, "n", "DESCRIBE", Some(basic)));
        assert!(!opens(&login, "n", "DESCRIBE", Some("Basic xyz")));
        assert!(!opens(&login, "n", "DESCRIBE", None));
        login.scheme = Scheme::Digest;
        assert!(!opens(&login, "n", "DESCRIBE", Some(basic)));
        let ha1 = md5_hex("viewer:hindsight demo:pass");
        let ha2 = md5_hex("DESCRIBE:rtsp://h/x");
        let answer = |nonce: &str| {
            let response = md5_hex(&format!("{ha1}:n:{ha2}"));
            format!(
                "Digest username=\"viewer\", nonce=\"{nonce}\", uri=\"rtsp://h/x\", response=\"{response}\""
            )
        };
        assert!(opens(&login, "n", "DESCRIBE", Some(&answer("n"))));
        assert!(!opens(&login, "n", "SETUP", Some(&answer("n"))));
        assert!(!opens(&login, "n", "DESCRIBE", Some(&answer("old"))));
    }
}
