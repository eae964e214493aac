//! What is said to a backend, in the names that it has for things, and what it answers. Pure.
//!
//! A name with dots lies in objects: `data.url` is `{"data": {"url": …}}`.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::base::Wall;
use crate::config::{Never, SignedUrlFields};
use crate::queue::sidecar::Sidecar;
use crate::upload::bundle::{FileRole, Item};
use crate::upload::sentence::BackendSentence;

/// The most of a server's own words that is repeated.
const SAID_CHARS: usize = 200;

/// What a file is, in our words.
fn kind(part: FileRole) -> &'static str {
    match part {
        FileRole::Video => "video",
        FileRole::Vertical => "vertical",
        FileRole::Thumbnail => "thumbnail",
        FileRole::Sidecar => "sidecar",
    }
}

/// The name under which a file is registered.
pub fn file_name(item: &Item) -> &str {
    item.key.rsplit('/').next().unwrap_or(&item.key)
}

/// The body of a registration.
pub fn registration(
    fields: &SignedUrlFields,
    item: &Item,
    sha256: &str,
    about: &Sidecar,
    venue: &str,
) -> Vec<u8> {
    let video = about.meta_wm.as_ref().map(|marked| marked.duration_sec);
    let duration_sec = video.or(about.meta.as_ref().map(|meta| meta.duration_sec));
    let court = about.court.as_ref().unwrap_or(&about.camera.name);
    let mut body = Value::Object(Map::new());
    let mut say = |name: &str, value: Value| put(&mut body, name, value);
    say(&fields.kind, kind(item.part).into());
    say(&fields.file_name, file_name(item).into());
    say(&fields.content_type, item.part.content_type().into());
    say(&fields.size_bytes, item.size_bytes.into());
    say(&fields.sha256, sha256.into());
    say(&fields.press_id, about.press_id.to_string().into());
    say(&fields.camera_id, about.camera.id.as_str().into());
    say(&fields.venue, venue.into());
    say(&fields.court, court.as_str().into());
    if let Some(instant) = pressed_at(about) {
        say(&fields.pressed_at, instant.into());
    }
    say(&fields.press_offset_ms, ms(about.pre_seconds).into());
    if let Some(seconds) = duration_sec {
        say(&fields.duration_ms, ms(seconds).into());
    }
    body.to_string().into_bytes()
}

/// In UTC; `None` while the box's clock was never set.
fn pressed_at(about: &Sidecar) -> Option<String> {
    let instant: Timestamp = about.created_at.parse().ok()?;
    let wall = Wall {
        unix_ns: i64::try_from(instant.as_nanosecond()).ok()?,
        synchronised: about.clock.wall_synchronised,
    };
    wall.is_set().then(|| format!("{instant:.3}"))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seconds of a clip: far from where a float loses milliseconds"
)]
fn ms(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

/// The body of a finalization.
pub fn finalization(
    fields: &SignedUrlFields,
    size_bytes: u64,
    sha256: &str,
    etag: Option<&str>,
) -> Vec<u8> {
    let mut body = Value::Object(Map::new());
    put(&mut body, &fields.size_bytes, size_bytes.into());
    put(&mut body, &fields.sha256, sha256.into());
    if let Some(etag) = etag {
        put(&mut body, &fields.etag, etag.into());
    }
    body.to_string().into_bytes()
}

fn put(body: &mut Value, name: &str, value: Value) {
    let mut place = body;
    for part in name.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[part];
    }
    *place = value;
}

fn get<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    let found = name
        .split('.')
        .try_fold(body, |place, part| place.get(part));
    found.filter(|value| !value.is_null())
}

/// Texts and numbers are texts to us.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Where to send a file to.
#[derive(PartialEq, Eq)]
pub struct Ticket {
    /// What the backend calls it.
    pub id: String,
    /// A secret of its own: whoever has it may write.
    pub upload_url: String,
    pub headers: Vec<(String, String)>,
}

/// A backend's answer to a registration; the error completes "the answer …".
pub fn ticket(fields: &SignedUrlFields, body: &[u8]) -> Result<Ticket, BackendSentence> {
    let body: Value = serde_json::from_slice(body).map_err(|_| BackendSentence::NotJson {})?;
    let needed = |ours: &str, name: &str| {
        get(&body, name)
            .and_then(text)
            .ok_or_else(|| BackendSentence::NoField {
                name: name.to_owned(),
                names: names(&body),
                field: ours.to_owned(),
            })
    };
    let id = needed("id", &fields.id)?;
    if matches!(id.as_str(), "." | "..") {
        return Err(BackendSentence::BadId { id });
    }
    Ok(Ticket {
        id,
        upload_url: needed("upload_url", &fields.upload_url)?,
        headers: headers(get(&body, &fields.upload_headers))?,
    })
}

fn names(body: &Value) -> String {
    let Some(object) = body.as_object() else {
        return "nothing".to_owned();
    };
    let names = object.iter().take(20).flat_map(|(name, value)| {
        let inner = value.as_object().into_iter().flat_map(|inner| inner.keys());
        let inner: Vec<String> = inner.take(20).map(|key| format!("{name}.{key}")).collect();
        match inner.is_empty() {
            true => vec![name.clone()],
            false => inner,
        }
    });
    let names: Vec<String> = names.map(|name| plain(&name)).collect();
    match names.is_empty() {
        true => "nothing".to_owned(),
        false => names.join(", "),
    }
}

/// Headers for the PUT. Those that the connection makes itself are left out.
fn headers(value: Option<&Value>) -> Result<Vec<(String, String)>, BackendSentence> {
    const OWN: [&str; 4] = ["host", "content-length", "transfer-encoding", "connection"];
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let object = value
        .as_object()
        .ok_or(BackendSentence::HeadersNoObject {})?;
    let mut headers = Vec::new();
    for (name, value) in object {
        let name = name.to_ascii_lowercase();
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let value = text(value).filter(|value| value.bytes().all(|b| (32..127).contains(&b)));
        let (Some(value), false, true) = (value, name.is_empty(), name.bytes().all(good)) else {
            return Err(BackendSentence::BadHeader { name: plain(&name) });
        };
        if !OWN.contains(&name.as_str()) {
            headers.push((name, value));
        }
    }
    Ok(headers)
}

/// What a backend says it holds: an error if that is something else. A backend need not say.
pub fn holds(
    fields: &SignedUrlFields,
    body: &[u8],
    size_bytes: u64,
    sha256: &str,
) -> Result<(), BackendSentence> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Ok(());
    };
    let size = get(&body, &fields.size_bytes).and_then(text);
    if let Some(size) = size.filter(|size| *size != size_bytes.to_string()) {
        return Err(BackendSentence::OtherSize {
            there: plain(&size),
            wanted_bytes: size_bytes,
        });
    }
    let hash = get(&body, &fields.sha256).and_then(text);
    if let Some(hash) = hash.filter(|hash| !hash.eq_ignore_ascii_case(sha256)) {
        return Err(BackendSentence::OtherHash {
            there: plain(&hash),
            wanted: sha256.to_owned(),
        });
    }
    Ok(())
}

/// Whether an answer means that it will never work.
pub fn is_never(never: &[Never], status: u16, body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    never.iter().any(|answer| {
        let said = answer.word.as_ref().is_none_or(|word| body.contains(word));
        answer.status == status && said
    })
}

/// A backend's own explanation, without what could be a secret; empty if it gave none.
pub fn said(body: &[u8], secret: &str) -> String {
    const WORDS: [&str; 6] = [
        "message",
        "detail",
        "error.message",
        "error",
        "code",
        "title",
    ];
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return String::new();
    };
    let word = WORDS
        .iter()
        .find_map(|name| get(&body, name).and_then(text));
    let word = word.unwrap_or_default();
    let without = match secret {
        "" => word,
        secret => word.replace(secret, "…"),
    };
    plain(&without)
}

/// The code in a store's XML (`AccessDenied`); empty if there is none.
pub fn code(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let code = body
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or_else(String::new, |(code, _)| plain(code))
}

/// Whether a store refuses a signed address for nothing but its age, in the words of Amazon and
/// those like it, Google and Azure. What only names the parameter (`X-Amz-Expires`) does not.
pub fn says_expired(status: u16, body: &[u8]) -> bool {
    const WORDS: [&str; 2] = ["expired", "specified time frame"];
    let body = String::from_utf8_lossy(body).to_ascii_lowercase();
    matches!(status, 400 | 401 | 403 | 410) && WORDS.iter().any(|word| body.contains(word))
}

/// One short line, without web addresses: a signed one is a secret.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.filter(|word| !word.is_empty());
    let words: Vec<&str> = words
        .map(|word| if word.contains("://") { "…" } else { word })
        .collect();
    let line = words.join(" ");
    if line.chars().count() <= SAID_CHARS {
        return line;
    }
    line.chars().take(SAID_CHARS).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> SignedUrlFields {
        let mut fields = SignedUrlFields::default();
        for (ours, theirs) in pairs {
            let mut each = fields.each_mut();
            *each.iter_mut().find(|(name, _)| name == ours).unwrap().1 = (*theirs).to_owned();
        }
        fields
    }

    #[test]
    fn an_answer_is_read_by_the_names_the_backend_has_and_numbers_are_names_too() {
        let body = br#"{"data": {"video": 17, "url": "https://x/y?z"}, "with": {"X-A": "b", "Host": "x"}}"#;
        let fields = fields(&[
            ("id", "data.video"),
            ("upload_url", "data.url"),
            ("upload_headers", "with"),
        ]);
        let ticket = ticket(&fields, body).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(
            (ticket.id.as_str(), ticket.upload_url.as_str()),
            ("17", "https://x/y?z")
        );
        assert_eq!(ticket.headers, [("x-a".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn an_answer_without_address_is_no_success_and_says_which_fields_it_has() {
        let body = br#"{"id": "7", "upload_url": null, "data": {"url": "https://canary"}}"#;
        let Err(why) = ticket(&SignedUrlFields::default(), body) else {
            panic!("no error")
        };
        assert_eq!(
            why.to_string(),
            "has no field \"upload_url\" (it has: data.url, id, upload_url); write fields = \
             [\"upload_url=…\"] with the name that the backend gives it"
        );
    }

    #[test]
    fn what_a_backend_holds_is_compared_where_it_says_so() {
        let fields = SignedUrlFields::default();
        for (body, good) in [
            ("", true),
            ("OK", true),
            ("{}", true),
            (r#"{"size_bytes": 5, "sha256": "AB"}"#, true),
            (r#"{"size_bytes": "5"}"#, true),
            (r#"{"size_bytes": 4}"#, false),
            (r#"{"sha256": "ac"}"#, false),
        ] {
            assert_eq!(
                holds(&fields, body.as_bytes(), 5, "ab").is_ok(),
                good,
                "{body}"
            );
        }
    }

    #[test]
    fn never_is_a_status_and_a_word_if_there_is_one() {
        let never = [
            Never {
                status: 403,
                word: Some("outside".to_owned()),
            },
            Never {
                status: 410,
                word: None,
            },
        ];
        assert!(is_never(&never, 403, br#"{"code": "outside_hours"}"#));
        assert!(!is_never(&never, 403, b"denied"));
        assert!(!is_never(&never, 401, b"outside"));
        assert!(is_never(&never, 410, b""));
    }

    #[test]
    fn an_address_that_is_too_old_is_told_from_one_that_is_wrong() {
        for (status, body, expired) in [
            (
                403,
                "<Code>AccessDenied</Code><Message>Request has expired</Message>",
                true,
            ),
            (
                400,
                "<Code>ExpiredToken</Code><Message>Invalid argument.</Message>",
                true,
            ),
            (
                403,
                "Signature not valid in the specified time frame: Start …",
                true,
            ),
            (
                403,
                "<Code>AccessDenied</Code><Message>Access Denied</Message>",
                false,
            ),
            (
                403,
                "<Code>SignatureDoesNotMatch</Code><CanonicalRequest>PUT X-Amz-Expires=900",
                false,
            ),
            (404, "the upload has expired", false),
        ] {
            assert_eq!(says_expired(status, body.as_bytes()), expired, "{body}");
        }
    }

    #[test]
    fn a_servers_words_are_repeated_without_secrets_and_in_one_line() {
        let said = |body: &str| said(body.as_bytes(), "canary");
        assert_eq!(
            said(r#"{"error": {"message": "no\n such  client"}}"#),
            "no such client"
        );
        assert_eq!(said(r#"{"message": "canary is wrong"}"#), "… is wrong");
        assert_eq!(
            said(r#"{"detail": "see https://x/y?sig=1 now"}"#),
            "see … now"
        );
        assert_eq!(said("<html>"), "");
        let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(500));
        assert_eq!(said(&long).chars().count(), 201);
        assert_eq!(
            code(b"<Error><Code>AccessDenied</Code></Error>"),
            "AccessDenied"
        );
    }
}
