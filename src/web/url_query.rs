//! What stands behind the `?` of an address. Pure.
//!
//! Not here: what a press makes of it (`press_query`), of which route which keys are known (`table`).

use url::form_urlencoded;

use super::sentence::RequestSentence;

/// Key and value as they are meant, in their order.
pub(super) fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or("").as_bytes());
    pairs.map(|(key, value)| (key.into_owned(), value.into_owned()))
}

/// A key that is passed over would be something else than what was asked for.
pub(super) fn known_only(query: Option<&str>, known: &[&str]) -> Result<(), RequestSentence> {
    let unknown = pairs(query).find(|(key, _)| !known.contains(&key.as_str()));
    let Some(key) = unknown.map(|(key, _)| short(&key)) else {
        return Ok(());
    };
    Err(match known {
        [] => RequestSentence::QueryUnwanted { key },
        known => RequestSentence::QueryKeyUnknown {
            key,
            keys: known.join(", "),
        },
    })
}

/// No more of a stranger's text than a message has room for.
pub(super) fn short(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(60).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_that_is_not_known_is_named_with_those_that_are() {
        let known: &[&[&str]] = &[&[], &["limit"], &["camera_id", "duration", "wait"]];
        for (query, known, said) in [
            (None, known[0], None),
            (Some(""), known[0], None),
            (Some("&&"), known[0], None),
            (Some("limit=5"), known[1], None),
            (Some("dur%61tion=2&wait=true"), known[2], None),
            (
                Some("limit=5"),
                known[0],
                Some("?limit= means nothing here; this address takes nothing behind a ?"),
            ),
            (
                Some("limit=5&Limit=6"),
                known[1],
                Some("?Limit= means nothing here; known are: limit"),
            ),
            (
                Some("durtion"),
                known[2],
                Some("?durtion= means nothing here; known are: camera_id, duration, wait"),
            ),
        ] {
            let refused = known_only(query, known).err().map(|said| said.to_string());
            assert_eq!(refused.as_deref(), said, "{query:?}");
        }
        let long = format!("{}=1", "ä".repeat(500));
        let refused = known_only(Some(&long), known[0]).unwrap_err().to_string();
        assert!(refused.chars().count() < 200);
    }
}
