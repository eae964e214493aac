//! AWS Signature Version 4 in the `Authorization` header. Pure.
//!
//! Ours, because rusty-s3 only presigns URLs.
//!
//! The header rather than a presigned URL: nothing that would let somebody else upload ever
//! stands in a URL. Of a file that is sent, its checksum is signed as a header; what we write
//! ourselves (XML, the sidecar's copy) is signed whole.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use url::Url;

use crate::base::hex;
use crate::upload::hash::{Hash, of_bytes};

/// What is signed of the body.
#[derive(Clone, Copy)]
pub enum S3Payload<'a> {
    Bytes(&'a [u8]),
    /// Nothing but what its headers say of it: its checksum.
    Unsigned,
}

/// Who signs.
pub struct S3Signer<'a> {
    pub access_key_id: &'a str,
    pub secret: &'a str,
    pub region: &'a str,
}

impl S3Signer<'_> {
    /// All headers to send: those given (lower case), those of the signature, and it.
    pub fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: Vec<(String, String)>,
        body: S3Payload<'_>,
        now: Timestamp,
    ) -> Vec<(String, String)> {
        let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = now.strftime("%Y%m%d").to_string();
        let mut headers = headers;
        let body = match body {
            S3Payload::Bytes(bytes) => hex(&of_bytes(bytes)),
            S3Payload::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
        };
        headers.push(("x-amz-content-sha256".to_owned(), body.clone()));
        headers.push(("x-amz-date".to_owned(), stamp.clone()));
        let mut signed = headers.clone();
        signed.push(("host".to_owned(), host(url)));
        signed.sort();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut canonical = format!("{method}\n{}\n{}\n", url.path(), query(url));
        for (name, value) in &signed {
            let words: Vec<&str> = value.split_whitespace().collect();
            // Writing to a string cannot fail.
            let _ = writeln!(canonical, "{name}:{}", words.join(" "));
        }
        let _ = write!(canonical, "\n{names}\n{body}");
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let hash = hex(&of_bytes(canonical.as_bytes()));
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
        let signature = hex(&keyed(&self.key(&day), &text));
        let id = self.access_key_id;
        headers.push((
            "authorization".to_owned(),
            format!(
                "AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={names},Signature={signature}"
            ),
        ));
        headers
    }

    fn key(&self, day: &str) -> Hash {
        let first = keyed(format!("AWS4{}", self.secret).as_bytes(), day);
        let region = keyed(&first, self.region);
        keyed(&keyed(&region, "s3"), "aws4_request")
    }
}

fn keyed(key: &[u8], text: &str) -> Hash {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Names and values encoded and sorted.
fn query(url: &Url) -> String {
    let pairs = url.query_pairs();
    let mut pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{}={}", encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

/// As the signature wants it: all but letters, digits and `-_.~` as `%XX`.
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SIGNER: S3Signer<'static> = S3Signer {
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region: "us-east-1",
    };

    fn signature(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let url = Url::parse(url).unwrap();
        let all = SIGNER.sign(method, &url, headers.collect(), S3Payload::Bytes(body), now);
        let (name, value) = all.last().unwrap();
        assert_eq!(name, "authorization");
        value.rsplit('=').next().unwrap().to_owned()
    }

    #[test]
    fn the_documented_examples_of_the_signature_come_out() {
        assert_eq!(
            signature(
                "GET",
                "https://examplebucket.s3.amazonaws.com/test.txt",
                &[("range", "bytes=0-9")],
                b"",
            ),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature(
                "PUT",
                "https://examplebucket.s3.amazonaws.com/test%24file.text",
                &[
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                b"Welcome to Amazon S3.",
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            signature(
                "GET",
                "https://examplebucket.s3.amazonaws.com/?lifecycle",
                &[],
                b""
            ),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature(
                "GET",
                "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J",
                &[],
                b"",
            ),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn what_is_no_letter_is_encoded_byte_by_byte() {
        assert_eq!(encoded("a b/ü~"), "a%20b%2F%C3%BC~");
    }
}
