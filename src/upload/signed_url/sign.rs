//! The signature of a request: HMAC-SHA256 over
//! `v1:{METHOD}:{PATH}:{timestamp}:{nonce}:{bodySha256}`. Pure.
//!
//! Timestamp: seconds of 1970 in decimal digits. Nonce: 32 hex digits, never twice. Hash and
//! signature: hex digits in lower case. The path is the one sent, without query.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::hex;
use crate::upload::hash::of_bytes;

/// Who signs.
pub struct RequestSigner<'a> {
    pub device_id: &'a str,
    pub client_id: &'a str,
    pub secret: &'a str,
}

/// What is signed.
pub struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub body: &'a [u8],
    pub unix_s: i64,
    pub nonce: &'a str,
}

impl RequestSigner<'_> {
    /// The headers that a backend checks.
    pub fn headers(&self, request: &Signed<'_>) -> Vec<(String, String)> {
        let body_sha256 = hex(&of_bytes(request.body));
        let text = text(request, &body_sha256);
        [
            ("X-Device-Id", self.device_id.to_owned()),
            ("X-Client-Id", self.client_id.to_owned()),
            ("X-Timestamp", request.unix_s.to_string()),
            ("X-Nonce", request.nonce.to_owned()),
            ("X-Body-SHA256", body_sha256),
            ("X-Signature", signature(self.secret, &text)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

fn text(request: &Signed<'_>, body_sha256: &str) -> String {
    let Signed {
        method,
        path,
        unix_s,
        nonce,
        ..
    } = request;
    format!("v1:{method}:{path}:{unix_s}:{nonce}:{body_sha256}")
}

fn signature(secret: &str, text: &str) -> String {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// Never the same twice.
pub fn nonce() -> String {
    format!("{:032x}", fastrand::u128(..))
}
