//! What stands in a request's headers: the token, the session, whose page it comes from. Pure.

use axum::http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};

/// The one value of a header; `None` if it is missing, repeated or not text.
pub(super) fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

pub(super) fn bearer_is(headers: &HeaderMap, token_sha256: &[u8; 32]) -> bool {
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

/// The cookie of that name; `None` if there are two: one of them was put there by somebody else.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut values = pairs.filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    });
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::UPGRADE).iter();
    asked.filter_map(|value| value.to_str().ok()).any(|value| {
        value
            .split(',')
            .any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
    })
}

/// A form on a foreign page can post, but not as JSON.
pub fn is_json_or_nothing(headers: &HeaderMap) -> bool {
    let empty = single(headers, header::CONTENT_LENGTH) == Some("0")
        || !(headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING));
    if !headers.contains_key(header::CONTENT_TYPE) && empty {
        return true;
    }
    let kind = single(headers, header::CONTENT_TYPE).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn only_the_right_bearer_is_the_bearer() {
        let token = Sha256::digest(b"s3cret").into();
        let is = |values: &[&str]| {
            let headers: Vec<_> = values
                .iter()
                .map(|value| ("authorization", *value))
                .collect();
            bearer_is(&map(&headers), &token)
        };
        assert!(is(&["Bearer s3cret"]) && is(&["bearer  s3cret"]));
        for wrong in [
            "Bearer s3cre",
            "Bearer s3crett",
            "Basic s3cret",
            "s3cret",
            "Bearer ",
            "",
        ] {
            assert!(!is(&[wrong]), "{wrong}");
        }
        assert!(!is(&[]) && !is(&["Bearer s3cret", "Bearer s3cret"]));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_two_are_none() {
        let name = "hindsight_8080";
        let found = |lines: &[&str]| {
            let headers: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            cookie(&map(&headers), name).map(str::to_owned)
        };
        assert_eq!(found(&["hindsight_8080=ab"]).as_deref(), Some("ab"));
        assert_eq!(
            found(&["a=b; hindsight_8080=ab; hindsight_80=x"]).as_deref(),
            Some("ab")
        );
        assert_eq!(found(&["a=b", "hindsight_8080=ab"]).as_deref(), Some("ab"));
        for none in [
            &["hindsight_8080=a; hindsight_8080=b"][..],
            &["hindsight_8080=a", "hindsight_8080=a"],
            &["Hindsight_8080=a"],
            &["hindsight_8080"],
            &[],
        ] {
            assert_eq!(found(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_post_is_json_or_has_no_body() {
        let is = |headers: &[(&str, &str)]| is_json_or_nothing(&map(headers));
        assert!(is(&[]) && is(&[("content-length", "0")]));
        let json = ("content-type", "application/json; charset=utf-8");
        assert!(is(&[json, ("content-length", "2")]));
        assert!(!is(&[("content-length", "2")]) && !is(&[("transfer-encoding", "chunked")]));
        let form = ("content-type", "application/x-www-form-urlencoded");
        assert!(!is(&[form, ("content-length", "0")]));
        assert!(!is(&[
            ("content-type", "text/plain"),
            ("content-length", "9")
        ]));
    }

    #[test]
    fn a_websocket_is_known_by_what_it_asks_for() {
        assert!(is_websocket(&map(&[("upgrade", "h2c, WebSocket")])));
        assert!(!is_websocket(&map(&[("upgrade", "h2c")])) && !is_websocket(&map(&[])));
    }
}
