//! Through a backend of the venue's own, which says for each file where to upload it to.
//!
//! Each file is registered (POST; the answer holds an id and a signed address), sent there
//! (PUT), and finalized (POST with its size, SHA-256 and the store's ETag). It counts as
//! uploaded when the backend has answered the finalization with yes, and has not named
//! another size or hash. The backend's requests are signed (`sign`); its names for things are
//! configuration (`talk`). `tests/upload/signed_url.json` is the contract.
//!
//! What is finalized is noted and not sent again; so is what was sent and not yet finalized.
//! Signed addresses are secrets: they are neither noted nor told, and asked for anew.

mod probe;
mod sign;
mod talk;

use std::fs::File;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use super::attempt::{Adapter, Attempt};
use super::bundle::{Content, Item, unreadable};
use super::hash::{self, Hash, Sum};
use super::http::{Body, HttpAnswer, HttpClient, Request, Session, Stretch};
use super::sentence::{BackendSentence, UploadSentence};
use super::types::{Limits, UploadError};
use crate::base::{Coded, Sentence, hex};
use crate::config::SignedUrlTarget;
use crate::config::template::KeyTemplate;
use crate::queue::work::{Failure, Uploaded};
use sign::{RequestSigner, Signed};
use talk::Ticket;

/// A clock that is off by more is told of when a backend does not trust a request.
const SKEW_S: i64 = 120;
/// How soon to look again whether the clock has been set.
const CLOCK_LOOK_MS: u64 = 60_000;

pub struct SignedUrlAdapter {
    target: SignedUrlTarget,
    client: HttpClient,
}

impl SignedUrlAdapter {
    /// `id` is the target's, for errors.
    pub fn new(
        id: &str,
        target: &SignedUrlTarget,
        limits: Limits,
    ) -> Result<SignedUrlAdapter, UploadError> {
        let ca_file = target.ca_file.as_deref();
        Ok(SignedUrlAdapter {
            client: HttpClient::new(id, &target.url, ca_file, limits)?,
            target: target.clone(),
        })
    }
}

/// How the files are called: a backend has folders of its own.
pub fn names() -> KeyTemplate {
    KeyTemplate::new("{press}-{camera}.mp4").unwrap_or_default()
}

impl Adapter for SignedUrlAdapter {
    fn send(&self, attempt: &Attempt<'_>) -> Result<Uploaded, Failure> {
        if !attempt.shared.clock.wall().is_set() {
            return Err(Failure::Unavailable {
                why: UploadSentence::SignatureNeedsClock {}.sentence(),
                retry_after_ms: Some(CLOCK_LOOK_MS),
            });
        }
        let noted = attempt.resume.cloned();
        let mut sending = Sending {
            target: &self.target,
            attempt,
            session: self.client.session(attempt.flow.stop()),
            resume: noted
                .and_then(|noted| serde_json::from_value(noted).ok())
                .unwrap_or_default(),
        };
        let mut ids = Vec::new();
        for item in &attempt.bundle.items {
            attempt.flow.leave()?;
            ids.push(sending.item(item)?);
        }
        // The video is the first.
        let place = ids.into_iter().next().unwrap_or_default();
        Ok(Uploaded { place })
    }
}

/// What is noted between attempts.
#[derive(Default, Serialize, Deserialize)]
struct Resume {
    /// Finalized.
    done: Vec<Noted>,
    /// In the store, but perhaps not finalized.
    sent: Option<Noted>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Noted {
    file_name: String,
    sha256: String,
    /// What the backend calls it.
    id: String,
    etag: Option<String>,
}

impl Noted {
    fn is(&self, item: &Item, sha256: &Hash) -> bool {
        self.file_name == talk::file_name(item) && self.sha256 == hex(sha256)
    }
}

/// One attempt.
struct Sending<'a> {
    target: &'a SignedUrlTarget,
    attempt: &'a Attempt<'a>,
    session: Session,
    resume: Resume,
}

impl Sending<'_> {
    /// What the backend calls it, once it holds it.
    fn item(&mut self, item: &Item) -> Result<String, Failure> {
        let flow = &self.attempt.flow;
        let known = item.sha256.as_deref().and_then(hash::from_hex);
        let sha256 = match known {
            Some(known) => known,
            None => hash::of_item(item, flow)?,
        };
        let mut done = self.resume.done.iter();
        if let Some(done) = done.find(|done| done.is(item, &sha256)) {
            flow.add(item.size_bytes);
            return Ok(done.id.clone());
        }
        let before = flow.done_bytes();
        let sent = match self.sent_before(item, &sha256)? {
            Some(sent) => sent,
            None => {
                let sent = self.anew(item, &sha256)?;
                self.finalize(item, &sent)?;
                sent
            }
        };
        flow.set(before.saturating_add(item.size_bytes));
        self.resume.done.push(sent.clone());
        self.resume.sent = None;
        self.note()?;
        Ok(sent.id)
    }

    /// What an earlier attempt sent, if the backend takes it now.
    fn sent_before(&self, item: &Item, sha256: &Hash) -> Result<Option<Noted>, Failure> {
        let sent = self.resume.sent.as_ref();
        let Some(sent) = sent.filter(|sent| sent.is(item, sha256)) else {
            return Ok(None);
        };
        match self.finalize(item, sent) {
            Ok(()) => Ok(Some(sent.clone())),
            // It knows nothing of it any more, or holds something else: from the beginning.
            Err(Failure::Failed { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Registered and sent.
    fn anew(&mut self, item: &Item, sha256: &Hash) -> Result<Noted, Failure> {
        let ticket = self.register(item, sha256)?;
        self.attempt.flow.leave()?;
        let etag = self.put(item, sha256, &ticket)?;
        let sent = Noted {
            file_name: talk::file_name(item).to_owned(),
            sha256: hex(sha256),
            id: ticket.id,
            etag,
        };
        self.resume.sent = Some(sent.clone());
        self.note()?;
        Ok(sent)
    }

    fn note(&self) -> Result<(), Failure> {
        // Texts only: nothing here can fail to be JSON.
        let resume = serde_json::to_value(&self.resume).ok();
        self.attempt.notebook.note(resume)
    }

    fn now(&self) -> Timestamp {
        let ns = i128::from(self.attempt.shared.clock.wall().unix_ns);
        Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn register(&self, item: &Item, sha256: &Hash) -> Result<Ticket, Failure> {
        let Attempt { job, shared, .. } = self.attempt;
        let fields = &self.target.fields;
        let body = talk::registration(fields, item, &hex(sha256), job.sidecar, &shared.venue);
        let doing = format!("registration of {}", talk::file_name(item));
        let answer = self.ask(&self.target.register_path, &body, &doing, "register_path")?;
        talk::ticket(fields, &answer.body).map_err(|what| {
            Failure::failed(BackendSentence::BadAnswer {
                doing,
                server: answer.server.clone(),
                what: what.sentence(),
            })
        })
    }

    fn finalize(&self, item: &Item, sent: &Noted) -> Result<(), Failure> {
        let fields = &self.target.fields;
        let (size_bytes, sha256) = (item.size_bytes, &sent.sha256);
        let body = talk::finalization(fields, size_bytes, sha256, sent.etag.as_deref());
        let doing = format!("finalization of {}", sent.file_name);
        let path = self
            .target
            .finalize_path
            .replace("{id}", &escaped(&sent.id));
        let answer = self.ask(&path, &body, &doing, "finalize_path")?;
        talk::holds(fields, &answer.body, size_bytes, sha256).map_err(|what| {
            Failure::failed(BackendSentence::HoldsOther {
                doing,
                server: answer.server.clone(),
                what: what.sentence(),
            })
        })
    }

    /// A signed POST that was answered with yes.
    fn ask(&self, path: &str, body: &[u8], doing: &str, key: &str) -> Result<HttpAnswer, Failure> {
        let mut url = self.target.url.clone();
        url.set_path(path);
        let signer = RequestSigner {
            device_id: &self.target.device_id,
            client_id: &self.target.client_id,
            secret: self.target.secret.reveal(),
        };
        let mut headers = signer.headers(&Signed {
            method: "POST",
            path: url.path(),
            body,
            unix_s: self.now().as_second(),
            nonce: &sign::nonce(),
        });
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        headers.push(("accept".to_owned(), "application/json".to_owned()));
        let answer = self.session.send(Request {
            method: "POST",
            url: &url,
            headers,
            body: Body::Bytes(body),
        })?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(self.refused(&answer, doing, key)),
        }
    }

    fn refused(&self, answer: &HttpAnswer, doing: &str, key: &str) -> Failure {
        let said = talk::said(&answer.body, self.target.secret.reveal());
        let failure = answer.failure(doing, &said, self.now());
        if talk::is_never(&self.target.never, answer.status, &answer.body) {
            return match failure.why() {
                Some(why) => {
                    Failure::permanent(BackendSentence::ListedAsNever { why: why.clone() })
                }
                None => failure,
            };
        }
        let Failure::Failed { why } = failure else {
            return failure;
        };
        match answer.status {
            401 | 403 => self.not_trusted(answer, why),
            404 | 405 => Failure::failed(BackendSentence::PathDoubtful {
                why,
                key: key.to_owned(),
            }),
            _ => Failure::Failed { why },
        }
    }

    /// A clock that is wrong is set sooner or later, so it waits; all else is configuration.
    fn not_trusted(&self, answer: &HttpAnswer, why: Sentence) -> Failure {
        let theirs = answer.header("date");
        let theirs = theirs.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let skew_s = theirs.map_or(0, |theirs| {
            self.now().as_second() - theirs.timestamp().as_second()
        });
        let by_s = skew_s.abs();
        if by_s <= SKEW_S {
            return Failure::failed(BackendSentence::NotTrusted { why });
        }
        let why = match skew_s > 0 {
            true => BackendSentence::ClockFast { why, by_s },
            false => BackendSentence::ClockSlow { why, by_s },
        };
        Failure::Unavailable {
            why: why.sentence(),
            retry_after_ms: Some(CLOCK_LOOK_MS),
        }
    }

    /// The store's ETag, if it gives one.
    fn put(&self, item: &Item, sha256: &Hash, ticket: &Ticket) -> Result<Option<String>, Failure> {
        let doing = format!("upload of {}", talk::file_name(item));
        let url = store(&self.target.url, &ticket.upload_url).map_err(|what| {
            Failure::failed(BackendSentence::BadAddress {
                doing: doing.clone(),
                server: self.target.url.origin().ascii_serialization(),
                what: what.sentence(),
            })
        })?;
        let mut headers = ticket.headers.clone();
        if !headers.iter().any(|(name, _)| name == "content-type") {
            let content_type = item.part.content_type().to_owned();
            headers.push(("content-type".to_owned(), content_type));
        }
        let request = |body| Request {
            method: "PUT",
            url: &url,
            headers,
            body,
        };
        let (flow, session) = (&self.attempt.flow, &self.session);
        let answer = match &item.content {
            Content::Bytes(bytes) => session.send(request(Body::Bytes(bytes)))?,
            Content::File(path) => {
                let file = File::open(path).map_err(|error| unreadable(path, &error))?;
                let body = Body::File(Stretch {
                    path,
                    file: &file,
                    offset: 0,
                    len: item.size_bytes,
                    sum: Sum::Sha256(*sha256),
                    meter: flow.meter(),
                });
                flow.telling(|| session.send(request(body)))?
            }
        };
        self.stored(&answer, sha256, &doing)
    }

    fn stored(
        &self,
        answer: &HttpAnswer,
        sha256: &Hash,
        doing: &str,
    ) -> Result<Option<String>, Failure> {
        if !answer.is_success() {
            return Err(self.not_stored(answer, doing));
        }
        let want = base64(sha256);
        if let Some(there) = answer.header("x-amz-checksum-sha256")
            && there != want
        {
            return Err(Failure::failed(BackendSentence::StoreHoldsOther {
                doing: doing.to_owned(),
                server: answer.server.clone(),
                there: there.to_owned(),
                wanted: want,
            }));
        }
        let etag = answer.header("etag");
        Ok(etag.map(|etag| etag.trim_matches('"').to_owned()))
    }

    /// An address that expired on a slow line says nothing against the file: it waits, and the
    /// next attempt asks for a new one.
    fn not_stored(&self, answer: &HttpAnswer, doing: &str) -> Failure {
        let failure = answer.failure(doing, &talk::code(&answer.body), self.now());
        let Failure::Failed { why } = failure else {
            return failure;
        };
        if talk::says_expired(answer.status, &answer.body) {
            return Failure::unavailable(BackendSentence::AddressExpired { why });
        }
        match answer.status {
            403 => Failure::failed(BackendSentence::StoreWantsHeaders { why }),
            _ => Failure::Failed { why },
        }
    }
}

/// Where a signed address leads: not to less secrecy than the backend's own. The error
/// completes "an address …".
fn store(ours: &Url, address: &str) -> Result<Url, BackendSentence> {
    let url = ours
        .join(address)
        .map_err(|_| BackendSentence::NoAddress {})?;
    match (ours.scheme(), url.scheme()) {
        (_, "https") | ("http", "http") => Ok(url),
        ("https", "http") => Err(BackendSentence::AddressNotEncrypted {}),
        _ => Err(BackendSentence::AddressNotHttp {}),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A part of a path.
fn escaped(id: &str) -> String {
    id.bytes().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_never_leads_from_https_to_http() {
        let safe: Url = "https://api.example.com".parse().unwrap();
        let open: Url = "http://127.0.0.1:1".parse().unwrap();
        let good = |ours: &Url, address: &str| store(ours, address).map(String::from);
        let there = "https://store.example.com/x?y".to_owned();
        assert_eq!(good(&safe, &there), Ok(there.clone()));
        assert_eq!(good(&open, &there), Ok(there));
        assert_eq!(
            good(&open, "/put/7"),
            Ok("http://127.0.0.1:1/put/7".to_owned())
        );
        assert!(good(&safe, "http://store.example.com/x").is_err());
        assert!(good(&safe, "file:///etc/passwd").is_err());
        assert!(good(&safe, "https://").is_err());
    }

    #[test]
    fn an_id_stays_one_part_of_the_path() {
        assert_eq!(escaped("a-7_.~Z"), "a-7_.~Z");
        assert_eq!(escaped("../x?y#\u{e9}"), "..%2Fx%3Fy%23%C3%A9");
    }
}
