//! Who may ask. Pure: headers in, yes or a refusal out.
//!
//! With a token: nobody without it, from wherever, but for `/health`. Without
//! one the server is on loopback only, and what threatens it is a browser on
//! this machine that shows somebody else's page: such a page's `Host` (DNS
//! rebinding) or `Origin` (a form, a script) is foreign, and refused.

pub mod role;
pub mod sentence;

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use sha2::{Digest, Sha256};

use self::sentence::GuardSentence;
use super::refusal::ApiRefusal;
use crate::config::Secret;

/// Whether the one who asks has shown that they may know everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known(pub bool);

#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// A digest, so that neither length nor content of the token shows in the
    /// time that a comparison takes.
    token_sha256: Option<[u8; 32]>,
}

impl Guard {
    pub fn new(token: Option<&Secret>) -> Guard {
        Guard {
            token_sha256: token.map(|t| Sha256::digest(t.reveal().as_bytes()).into()),
        }
    }

    pub fn look(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Known, ApiRefusal> {
        let known = match &self.token_sha256 {
            Some(token) => bearer_is(headers, token),
            None => {
                local_only(uri, headers)?;
                true
            }
        };
        if !known && uri.path() != "/health" {
            return Err(ApiRefusal::new(
                StatusCode::UNAUTHORIZED,
                GuardSentence::TokenNeeded {},
            ));
        }
        if method == Method::POST {
            json_or_nothing(headers)?;
        }
        Ok(Known(known))
    }
}

fn bearer_is(headers: &HeaderMap, token_sha256: &[u8; 32]) -> bool {
    let Some(given) = single(headers, header::AUTHORIZATION) else {
        return false;
    };
    let Some((scheme, given)) = given.split_once(' ') else {
        return false;
    };
    let given: [u8; 32] = Sha256::digest(given.trim().as_bytes()).into();
    let differing = given
        .iter()
        .zip(token_sha256)
        .fold(0, |acc, (a, b)| acc | (a ^ b));
    scheme.eq_ignore_ascii_case("bearer") && std::hint::black_box(differing) == 0
}

/// The one value of a header; `None` if it is missing, repeated or not text.
fn single(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

fn local_only(uri: &Uri, headers: &HeaderMap) -> Result<(), ApiRefusal> {
    let foreign = |why| ApiRefusal::new(StatusCode::FORBIDDEN, why);
    let Some(host) = single(headers, header::HOST) else {
        return Err(foreign(GuardSentence::HostUnclear {}));
    };
    let asked = uri.authority().map_or(host, |a| a.as_str());
    if !is_loopback(host) || !is_loopback(asked) {
        return Err(foreign(GuardSentence::HostForeign {}));
    }
    if headers.contains_key(header::ORIGIN) {
        let origin = single(headers, header::ORIGIN).unwrap_or("");
        let own = origin
            .strip_prefix("http://")
            .is_some_and(|o| o.eq_ignore_ascii_case(host));
        if !own {
            return Err(foreign(GuardSentence::OriginForeign {}));
        }
    }
    Ok(())
}

/// Whether `host[:port]` can only mean this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            let address = rest.split_once(']').map(|(address, _)| address);
            return address
                .and_then(|a| a.parse::<Ipv6Addr>().ok())
                .is_some_and(|a| a.is_loopback());
        }
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback())
}

/// A form on a foreign page can post, but not as JSON.
fn json_or_nothing(headers: &HeaderMap) -> Result<(), ApiRefusal> {
    let empty = single(headers, header::CONTENT_LENGTH) == Some("0")
        || !(headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING));
    if !headers.contains_key(header::CONTENT_TYPE) && empty {
        return Ok(());
    }
    let kind = single(headers, header::CONTENT_TYPE).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(ApiRefusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        GuardSentence::NotJson {},
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn look(token: Option<&str>, method: Method, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                name.parse::<header::HeaderName>().unwrap(),
                value.parse().unwrap(),
            );
        }
        let guard = Guard::new(token.map(Secret::new).as_ref());
        match guard.look(&method, &uri.parse().unwrap(), &map) {
            Ok(known) if known.0 => 200,
            Ok(_) => 203,
            Err(refused) => refused.status.as_u16(),
        }
    }

    #[test]
    fn with_a_token_only_its_bearer_is_served_and_strangers_get_health() {
        let right = ("authorization", "Bearer s3cret");
        let get = |uri, headers: &[_]| look(Some("s3cret"), Method::GET, uri, headers);
        assert_eq!(get("/status", &[right]), 200);
        assert_eq!(get("/status", &[("authorization", "bearer  s3cret")]), 200);
        assert_eq!(get("/health", &[right]), 200);
        assert_eq!(get("/health", &[]), 203);
        let wrong = [
            "Bearer s3cre",
            "Bearer s3crett",
            "Basic s3cret",
            "s3cret",
            "Bearer ",
            "",
        ];
        for value in wrong {
            assert_eq!(get("/status", &[("authorization", value)]), 401, "{value}");
        }
        assert_eq!(get("/status", &[]), 401);
        assert_eq!(get("/status", &[right, right]), 401);
        assert_eq!(get("/health/", &[]), 401);
    }

    #[test]
    fn without_a_token_only_this_machines_names_are_served() {
        let get = |host: &str| look(None, Method::GET, "/status", &[("host", host)]);
        for local in [
            "127.0.0.1:8080",
            "127.1.2.3",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
        ] {
            assert_eq!(get(local), 200, "{local}");
        }
        let foreign = [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[::2]",
            "[::1",
            "",
            "0.0.0.0:8080",
            "localhost@evil.example",
        ];
        for foreign in foreign {
            assert_eq!(get(foreign), 403, "{foreign}");
        }
        assert_eq!(look(None, Method::GET, "/status", &[]), 403);
        let both = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(look(None, Method::GET, "/status", &both), 403);
        let absolute = "http://evil.example/status";
        assert_eq!(
            look(None, Method::GET, absolute, &[("host", "localhost")]),
            403
        );
    }

    #[test]
    fn without_a_token_a_foreign_pages_request_is_refused() {
        let post = |origin: &str| {
            let headers = [("host", "localhost:8080"), ("origin", origin)];
            look(None, Method::POST, "/save-clip", &headers)
        };
        assert_eq!(post("http://localhost:8080"), 200);
        let foreign = [
            "null",
            "",
            "https://evil.example",
            "http://localhost:3000",
            "https://localhost:8080",
        ];
        for foreign in foreign {
            assert_eq!(post(foreign), 403, "{foreign}");
        }
    }

    #[test]
    fn a_post_is_json_or_has_no_body() {
        let post = |headers: &[(&str, &str)]| {
            let mut all = vec![("host", "localhost")];
            all.extend_from_slice(headers);
            look(None, Method::POST, "/save-clip", &all)
        };
        assert_eq!(post(&[]), 200);
        assert_eq!(post(&[("content-length", "0")]), 200);
        let json = ("content-type", "application/json; charset=utf-8");
        assert_eq!(post(&[json, ("content-length", "2")]), 200);
        assert_eq!(post(&[("content-length", "2")]), 415);
        assert_eq!(post(&[("transfer-encoding", "chunked")]), 415);
        let form = ("content-type", "application/x-www-form-urlencoded");
        assert_eq!(post(&[form, ("content-length", "0")]), 415);
        assert_eq!(
            post(&[("content-type", "text/plain"), ("content-length", "9")]),
            415
        );
    }
}
