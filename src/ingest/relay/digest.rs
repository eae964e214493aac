//! The answer to a challenge of Digest authentication, as RFC 7616 (and 2617, and 2069) has it. Pure.
//!
//! Not here: when a challenge is answered, and which (`sign_in`).

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::base::hex;

/// Challenges beyond these are not looked at.
const MOST_CHALLENGES: usize = 8;
/// Parameters of one challenge beyond these are not looked at.
const MOST_PARAMETERS: usize = 24;

/// How a digest is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DigestHash {
    Md5,
    Sha256,
}

impl DigestHash {
    fn hex(self, text: &[u8]) -> String {
        match self {
            DigestHash::Md5 => hex(&Md5::digest(text)),
            DigestHash::Sha256 => hex(&<Sha256 as sha2::Digest>::digest(text)),
        }
    }
}

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestQop {
    /// RFC 2069.
    Unsaid,
    Auth,
    AuthInt,
}

/// A challenge that can be answered by digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestChallenge {
    pub hash: DigestHash,
    /// The session variant: the nonce goes into the secret.
    pub session: bool,
    /// As the camera writes it, where it does: it wants that back.
    pub algorithm: Option<String>,
    pub realm: String,
    pub nonce: String,
    pub opaque: Option<String>,
    pub qop: DigestQop,
    pub stale: bool,
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    Digest(DigestChallenge),
    Basic,
    /// Of a scheme that we do not know, or without what it needs.
    Other,
}

/// All challenges of a header's value, in order, however they are separated.
pub fn challenges(value: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    let mut rest = value.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() && found.len() < MOST_CHALLENGES {
        let (scheme, behind) = word(rest);
        let (parameters, behind) = parameters(behind);
        // No word at all: what stands there is stepped over.
        let step = behind.chars().next().map_or(0, char::len_utf8);
        rest = match behind.len() < rest.len() {
            true => behind,
            false => behind.get(step..).unwrap_or_default(),
        };
        if !scheme.is_empty() {
            found.push(challenge(scheme, &parameters));
        }
    }
    found
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Challenge {
    if scheme.eq_ignore_ascii_case("basic") {
        return Challenge::Basic;
    }
    let get = |name: &str| {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        parameters.iter().find(same).map(|(_, value)| value.clone())
    };
    let algorithm = get("algorithm");
    let (Some(nonce), Some((hash, session))) = (get("nonce"), hash_of(algorithm.as_deref())) else {
        return Challenge::Other;
    };
    if !scheme.eq_ignore_ascii_case("digest") {
        return Challenge::Other;
    }
    Challenge::Digest(DigestChallenge {
        hash,
        session,
        algorithm,
        realm: get("realm").unwrap_or_default(),
        nonce,
        opaque: get("opaque"),
        qop: qop_of(get("qop").as_deref()),
        stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
    })
}

fn hash_of(algorithm: Option<&str>) -> Option<(DigestHash, bool)> {
    match algorithm.map(str::to_ascii_uppercase).as_deref() {
        None | Some("" | "MD5") => Some((DigestHash::Md5, false)),
        Some("MD5-SESS") => Some((DigestHash::Md5, true)),
        Some("SHA-256" | "SHA256") => Some((DigestHash::Sha256, false)),
        Some("SHA-256-SESS") => Some((DigestHash::Sha256, true)),
        Some(_) => None,
    }
}

fn qop_of(list: Option<&str>) -> DigestQop {
    let mut kinds = list.unwrap_or_default().split([',', ' ']).map(str::trim);
    let mut said = DigestQop::Unsaid;
    loop {
        match kinds.next() {
            Some(kind) if kind.eq_ignore_ascii_case("auth") => return DigestQop::Auth,
            Some(kind) if kind.eq_ignore_ascii_case("auth-int") => said = DigestQop::AuthInt,
            Some(_) => {}
            None => return said,
        }
    }
}

/// Up to a blank, a comma or `=`.
fn word(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"'))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// `a="b", c=d` with commas, blanks or both between; up to a word that is no parameter, the next scheme.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let begin = rest.trim_start_matches([' ', ',', '\t', ';']);
        let (name, behind) = word(begin);
        let Some(value) = behind.trim_start().strip_prefix('=') else {
            return (found, begin);
        };
        if name.is_empty() || found.len() >= MOST_PARAMETERS {
            return (found, "");
        }
        let (value, behind) = value_of(value.trim_start());
        found.push((name.to_owned(), value));
        rest = behind;
    }
}

fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|c: char| c == ',' || c.is_whitespace())
            .unwrap_or(text.len());
        let (value, behind) = text.split_at(end);
        return (value.to_owned(), behind);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// A request that is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct DigestRequest<'a> {
    pub username: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    /// Ours, for the challenges that take one.
    pub cnonce: &'a str,
    /// How often the nonce was used, this time counted.
    pub count: u32,
}

impl DigestChallenge {
    /// The value of the `Authorization` header for a request without a body.
    pub fn answer(&self, of: &DigestRequest) -> String {
        let hash = |text: String| self.hash.hex(text.as_bytes());
        let nonce = &self.nonce;
        let cnonce = of.cnonce;
        let mut secret = hash(format!("{}:{}:{}", of.username, self.realm, of.password));
        if self.session {
            secret = hash(format!("{secret}:{nonce}:{cnonce}"));
        }
        let (qop, what) = match self.qop {
            DigestQop::Unsaid => (None, format!("{}:{}", of.method, of.uri)),
            DigestQop::Auth => (Some("auth"), format!("{}:{}", of.method, of.uri)),
            DigestQop::AuthInt => {
                let body = hash(String::new());
                let what = format!("{}:{}:{body}", of.method, of.uri);
                (Some("auth-int"), what)
            }
        };
        let what = hash(what);
        let count = format!("{:08x}", of.count);
        let response = match qop {
            None => hash(format!("{secret}:{nonce}:{what}")),
            Some(qop) => hash(format!("{secret}:{nonce}:{count}:{cnonce}:{qop}:{what}")),
        };
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\"",
            quoted(of.username),
            quoted(&self.realm),
            quoted(nonce),
            of.uri,
        );
        if let Some(algorithm) = &self.algorithm {
            value += &format!(", algorithm={algorithm}");
        }
        if let Some(opaque) = &self.opaque {
            value += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        match qop {
            Some(qop) => value += &format!(", qop={qop}, nc={count}, cnonce=\"{cnonce}\""),
            None if self.session => value += &format!(", cnonce=\"{cnonce}\""),
            None => {}
        }
        value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn digest(value: &str) -> DigestChallenge {
        match challenges(value).first() {
            Some(Challenge::Digest(challenge)) => challenge.clone(),
            other => panic!("{value}: {other:?}"),
        }
    }

    fn response(value: &str, of: &DigestRequest) -> String {
        let answer = digest(value).answer(of);
        let (_, behind) = answer.split_once("response=\"").unwrap();
        behind.split('"').next().unwrap().to_owned()
    }

    /// The worked example of RFC 7616, 3.9.1.
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let of = DigestRequest {
            username: "Mufasa",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            count: 1,
        };
        let challenge = |algorithm| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        assert_eq!(
            response(&challenge("MD5"), &of),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            response(&challenge("SHA-256"), &of),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    /// RFC 2617, 3.5; and the same without qop (RFC 2069), reckoned by hand with md5sum.
    #[test]
    fn old_challenges_are_answered_in_the_old_way() {
        let of = DigestRequest {
            username: "Mufasa",
            password: "Circle Of Life",
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "0a4f113b",
            count: 1,
        };
        let with = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        assert_eq!(response(with, &of), "6629fae49393a05397450978507c4ef1");
        let without =
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        assert_eq!(response(without, &of), "670fd8c2df070c60b045671b8b24ff02");
        let answer = digest(without).answer(&of);
        for word in ["algorithm", "qop", "nc=", "cnonce"] {
            assert!(!answer.contains(word), "{answer}");
        }
    }

    #[test]
    fn the_session_variant_and_the_body_go_into_the_digest() {
        let of = DigestRequest {
            username: "u",
            password: "p",
            method: "SETUP",
            uri: "rtsp://h/x",
            cnonce: "c",
            count: 2,
        };
        let h = |text: &str| hex(&Md5::digest(text.as_bytes()));
        let secret = h(&format!("{}:n:c", h("u:r:p")));
        let what = h(&format!("SETUP:rtsp://h/x:{}", h("")));
        let value = "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess, qop=\"auth-int\"";
        assert_eq!(
            response(value, &of),
            h(&format!("{secret}:n:00000002:c:auth-int:{what}"))
        );
        let answer = digest(value).answer(&of);
        assert!(
            answer.contains("algorithm=MD5-sess, qop=auth-int, nc=00000002"),
            "{answer}"
        );
    }

    #[test]
    fn challenges_are_read_as_cameras_write_them() {
        for (value, nonce, realm) in [
            ("Digest realm=\"r\",nonce=\"n\"", "n", "r"),
            ("Digest realm=\"r\" nonce=\"n\"", "n", "r"),
            ("digest nonce=n,realm=\"r\"", "n", "r"),
            (
                "Digest realm=\"a, \\\"b\\\"\", nonce=\"n\", domain=\"::\", stale=FALSE",
                "n",
                "a, \"b\"",
            ),
            ("X-Vendor, Digest realm=\"r\", nonce=\"n\"", "n", "r"),
            ("Digest  realm = \"r\" , nonce = \"n\"", "n", "r"),
            ("Digest nonce=\"n\", realm=\"no end", "n", "no end"),
        ] {
            let all = challenges(value);
            let found = all.iter().find_map(|one| match one {
                Challenge::Digest(digest) => Some(digest),
                _ => None,
            });
            let found = found.unwrap_or_else(|| panic!("{value}: {all:?}"));
            assert_eq!((&*found.nonce, &*found.realm), (nonce, realm), "{value}");
            assert!(!found.stale);
        }
        let both = challenges("Basic realm=\"r\", Digest realm=\"r\", nonce=\"n\", stale=TRUE");
        assert_eq!(both.len(), 2);
        assert_eq!(both[0], Challenge::Basic);
        assert!(matches!(&both[1], Challenge::Digest(digest) if digest.stale));
        let vendor = challenges("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256");
        assert_eq!(vendor, [Challenge::Other]);
        assert_eq!(challenges("Digest realm=\"r\""), [Challenge::Other]);
    }

    proptest! {
        #[test]
        fn any_header_gives_an_answer(value in "[Dd]igest [ -~äß]{0,80}|[ -~]{0,80}|\\PC{0,40}") {
            let of = DigestRequest { username: "u", password: "p", method: "M", uri: "x", cnonce: "c", count: 1 };
            for challenge in challenges(&value) {
                if let Challenge::Digest(digest) = challenge {
                    prop_assert!(digest.answer(&of).contains("response="));
                }
            }
        }
    }
}
