//! What S3 servers say: their errors in words that help, and the few fields of XML that an
//! upload needs. Pure.

use jiff::Timestamp;
use roxmltree::{Document, Node};

use crate::base::{Coded, Sentence};
use crate::config::S3Target;
use crate::queue::work::Failure;
use crate::upload::http::HttpAnswer;
use crate::upload::sentence::S3UploadSentence;

/// The most of a server's own words that is repeated.
const MESSAGE_CHARS: usize = 300;

/// `<Error><Code>…</Code><Message>…</Message></Error>`, empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub code: String,
    pub message: String,
}

impl Said {
    pub fn in_body(body: &[u8]) -> Said {
        let text = String::from_utf8_lossy(body);
        let Ok(document) = Document::parse(&text) else {
            return Said::default();
        };
        let root = document.root_element();
        if root.tag_name().name() != "Error" {
            return Said::default();
        }
        Said {
            code: child(root, "Code").unwrap_or_default(),
            message: child(root, "Message").unwrap_or_default(),
        }
    }

    /// Whether it is about who asks or when, not about what was asked for.
    pub fn is_about_credentials(&self) -> bool {
        matches!(
            self.code.as_str(),
            "InvalidAccessKeyId"
                | "NotSignedUp"
                | "SignatureDoesNotMatch"
                | "RequestTimeTooSkewed"
                | "AuthorizationHeaderMalformed"
                | "ExpiredToken"
                | "InvalidToken"
        )
    }
}

fn child(node: Node<'_, '_>, name: &str) -> Option<String> {
    let mut children = node.children();
    let found = children.find(|child| child.tag_name().name() == name)?;
    Some(found.text().unwrap_or_default().trim().to_owned())
}

/// Text of the first element of this name below the root.
pub fn field(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    child(document.root_element(), name)
}

/// A part that the server holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u32,
    pub size_bytes: u64,
    /// Not every server lists it.
    pub etag: Option<String>,
}

/// A page of ListParts, and where the next begins.
pub fn listed(body: &[u8]) -> Option<(Vec<ListedPart>, Option<String>)> {
    let text = std::str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "ListPartsResult" {
        return None;
    }
    let parts = root.children().filter(|n| n.tag_name().name() == "Part");
    let parts = parts.filter_map(|part| {
        Some(ListedPart {
            number: child(part, "PartNumber")?.parse().ok()?,
            size_bytes: child(part, "Size")?.parse().ok()?,
            etag: child(part, "ETag"),
        })
    });
    let parts = parts.collect();
    let more = child(root, "IsTruncated").is_some_and(|text| text == "true");
    let next = child(root, "NextPartNumberMarker").filter(|_| more);
    Some((parts, next))
}

/// Ids of the uploads in parts that were begun under this very key.
pub fn begun(body: &[u8], key: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let Ok(document) = Document::parse(&text) else {
        return Vec::new();
    };
    let uploads = document.root_element().children();
    let uploads = uploads.filter(|n| n.tag_name().name() == "Upload");
    let ours = uploads.filter(|upload| child(*upload, "Key").as_deref() == Some(key));
    ours.filter_map(|upload| child(upload, "UploadId"))
        .collect()
}

/// How the queue is to take an answer that is no success.
pub fn failure(answer: &HttpAnswer, doing: &str, target: &S3Target, now: Timestamp) -> Failure {
    let said = Said::in_body(&answer.body);
    let words = repeated(&said, target);
    let explain = |why| explained(why, &said, target);
    let failure = answer.failure_with(doing, &words, explain, now);
    let later = matches!(
        said.code.as_str(),
        "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" | "OperationAborted"
    );
    let skewed = matches!(
        said.code.as_str(),
        "RequestTimeTooSkewed" | "RequestExpired"
    );
    match failure {
        Failure::Failed { why } if skewed => Failure::unavailable(skew(why, answer, now)),
        Failure::Failed { why } if later => Failure::Unavailable {
            why,
            retry_after_ms: None,
        },
        other => other,
    }
}

/// The server's words, without what must not be repeated.
fn repeated(said: &Said, target: &S3Target) -> String {
    if said.code.is_empty() {
        return String::new();
    }
    let mut message: String = said.message.chars().take(MESSAGE_CHARS).collect();
    for secret in [target.secret_access_key.reveal(), &target.access_key_id] {
        if !secret.is_empty() {
            message = message.replace(secret, "***");
        }
    }
    let message = message.trim_end_matches('.');
    format!("{} ({message})", said.code).replace(" ()", "")
}

/// With what to do.
fn explained(why: Sentence, said: &Said, target: &S3Target) -> Sentence {
    let S3Target { bucket, region, .. } = target;
    let known = match said.code.as_str() {
        "InvalidAccessKeyId" | "NotSignedUp" => S3UploadSentence::KeyUnknown { why },
        "SignatureDoesNotMatch" => S3UploadSentence::SecretWrong { why },
        "NoSuchBucket" => S3UploadSentence::NoBucket {
            why,
            bucket: bucket.clone(),
        },
        "AccessDenied" | "AllAccessDisabled" => S3UploadSentence::Denied {
            why,
            bucket: bucket.clone(),
        },
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => S3UploadSentence::RegionWrong {
            why,
            region: region.clone(),
        },
        "InvalidStorageClass" => S3UploadSentence::StorageClassWrong { why },
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => {
            S3UploadSentence::BytesDiffer { why }
        }
        code if code.starts_with("KMS") => S3UploadSentence::KmsKeyWrong { why },
        _ => return why,
    };
    known.sentence()
}

/// By how much the clocks differ.
fn skew(why: Sentence, answer: &HttpAnswer, now: Timestamp) -> S3UploadSentence {
    let theirs = answer.header("date").and_then(|text| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(at.timestamp().as_second() - now.as_second())
    });
    match theirs {
        Some(by_s) if by_s > 0 => S3UploadSentence::ClockBehind { why, by_s },
        Some(by_s) => S3UploadSentence::ClockAhead { why, by_s: -by_s },
        None => S3UploadSentence::ClockDiffers { why },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::target;
    use super::*;

    fn answer(status: u16, code: &str, message: &str) -> HttpAnswer {
        let mut headers = ureq::http::HeaderMap::new();
        let date = "Fri, 24 May 2013 00:20:00 GMT";
        headers.insert("date", date.parse().unwrap());
        HttpAnswer {
            server: "https://s3".to_owned(),
            status,
            headers,
            body: format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            )
            .into_bytes(),
        }
    }

    fn told(status: u16, code: &str) -> Failure {
        let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        failure(&answer(status, code, "why."), "upload", &target(), now)
    }

    #[test]
    fn errors_say_what_to_change_and_count() {
        for (code, word) in [
            ("InvalidAccessKeyId", "access_key_id"),
            ("SignatureDoesNotMatch", "secret_access_key"),
            ("NoSuchBucket", "\"clips\""),
            ("AccessDenied", "s3:PutObject"),
            ("AuthorizationHeaderMalformed", "eu-central-1"),
            ("BadDigest", "damaged"),
        ] {
            let failure = told(403, code);
            assert!(matches!(failure, Failure::Failed { .. }), "{failure:?}");
            let text = failure.to_string();
            assert!(text.contains(word) && text.contains(code), "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_and_a_server_that_is_busy_wait() {
        let failure = told(403, "RequestTimeTooSkewed");
        assert!(
            matches!(failure, Failure::Unavailable { .. }),
            "{failure:?}"
        );
        assert!(failure.to_string().contains("1200 s behind"), "{failure}");
        for (status, code) in [
            (400, "RequestTimeout"),
            (503, "SlowDown"),
            (409, "OperationAborted"),
        ] {
            assert!(
                matches!(told(status, code), Failure::Unavailable { .. }),
                "{code}"
            );
        }
    }

    #[test]
    fn keys_that_a_server_repeats_are_not_repeated() {
        let now = Timestamp::UNIX_EPOCH;
        let loud = answer(403, "AccessDenied", "KEYCANARY and SECRETCANARY may not");
        let text = failure(&loud, "upload", &target(), now).to_string();
        assert!(
            !text.contains("CANARY") && text.contains("may not"),
            "{text}"
        );
    }

    #[test]
    fn of_the_uploads_that_were_begun_only_those_of_the_very_key_are_ours() {
        let page = br#"<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <Upload><Key>a.mp4</Key><UploadId>1</UploadId></Upload>
            <Upload><Key>a.mp4.mp4</Key><UploadId>2</UploadId></Upload>
            <Upload><Key>a.mp4</Key><UploadId>3</UploadId></Upload></ListMultipartUploadsResult>"#;
        assert_eq!(begun(page, "a.mp4"), ["1", "3"]);
        assert_eq!(begun(b"<html", "a.mp4"), [""; 0]);
    }

    #[test]
    fn pages_of_parts_are_read_with_and_without_a_namespace() {
        let page = br#"<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>
            <Part><PartNumber>1</PartNumber><ETag>&quot;ab&quot;</ETag><Size>5</Size></Part>
            <Part><PartNumber>2</PartNumber><Size>6</Size></Part></ListPartsResult>"#;
        let (parts, next) = listed(page).unwrap();
        assert_eq!(next.as_deref(), Some("2"));
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].etag.as_deref(), Some("\"ab\""));
        assert_eq!(parts[1].size_bytes, 6);
        assert_eq!(listed(b"<html/>"), None);
        assert_eq!(Said::in_body(b"not xml"), Said::default());
    }
}
