//! The camera's door: Basic, and Digest with MD5 (RFC 2069 and 2617), as real cameras have it.
//!
//! The one use of MD5 in the house:
//! RTSP cameras know nothing better.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::script::{Login, Scheme};

const REALM: &str = "hindsight demo";

/// The `WWW-Authenticate` header's value.
pub(super) fn challenge(login: &Login, nonce: &str) -> String {
    match login.scheme {
        Scheme::Basic => format!("Basic realm=\"{REALM}\""),
        Scheme::Digest => format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\""),
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
        Scheme::Digest => {
            scheme.eq_ignore_ascii_case("digest") && digest_fits(login, nonce, method, rest)
        }
    }
}

fn digest_fits(login: &Login, nonce: &str, method: &str, fields: &str) -> bool {
    let field = |name: &str| field(fields, name).unwrap_or_default();
    let secret = md5_hex(&format!("{}:{REALM}:{}", login.username, login.password));
    let what = md5_hex(&format!("{method}:{}", field("uri")));
    let expected = match field("qop") {
        "" => md5_hex(&format!("{secret}:{nonce}:{what}")),
        qop => md5_hex(&format!(
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
    md5(text.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// RFC 1321.
fn md5(message: &[u8]) -> [u8; 16] {
    const TURNS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    let bits = u64::try_from(message.len()).unwrap_or(0) * 8;
    padded.extend_from_slice(&bits.to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let mut words = [0_u32; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let [mut a, mut b, mut c, mut d] = state;
        for i in 0..64 {
            let (mixed, word) = match i / 16 {
                0 => (b & c | !b & d, i),
                1 => (d & b | !d & c, (5 * i + 1) % 16),
                2 => (b ^ c ^ d, (3 * i + 5) % 16),
                _ => (c ^ (b | !d), 7 * i % 16),
            };
            let sum = a
                .wrapping_add(mixed)
                .wrapping_add(sine(i))
                .wrapping_add(words[word]);
            let turned = sum.rotate_left(TURNS[i / 16][i % 4]);
            (a, d, c, b) = (d, c, b, b.wrapping_add(turned));
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    digest
}

/// MD5's table: the first 32 bits behind the point of |sin(i + 1)|.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn sine(i: usize) -> u32 {
    let angle = f64::from(u32::try_from(i).unwrap_or(0) + 1);
    (angle.sin().abs() * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
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
