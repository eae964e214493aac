//! One HTTP client for all: TLS by rustls with the system's authorities and a `ca_file`, no
//! redirects, bodies streamed from the disk, errors sorted into what the queue understands.
//!
//! Nothing of a URL but scheme, host and port, and nothing of a header, ever gets into an error.
//!
//! Not here: what is sent (`s3`, `signed_url`), sockets (`transport`).

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::transport::{Connector, RustlsConnector};
use ureq::{Agent, SendBody};
use url::Url;

use super::attempt::Meter;
use super::bundle::{damaged, unreadable};
use super::hash::{Sum, Summing};
use super::sentence::ServerSentence;
use super::transport::{TcpConnector, TransportError, Unresolved};
use super::types::{Limits, UploadError};
use crate::base::{Coded, Sentence, Stop, StopLevel};
use crate::queue::work::Failure;

/// The most of an answer that is read.
const ANSWER_BYTES: u64 = 1 << 20;
/// Bodies from here on wait a moment for the server's word that it wants them.
const ASK_FIRST_BYTES: u64 = 256 << 10;

/// Whom a target trusts. Made once.
pub struct HttpClient {
    tls: TlsConfig,
    limits: Limits,
}

impl HttpClient {
    /// Reads the certificate authorities. `target` is its id, for errors.
    pub fn new(
        target: &str,
        url: &Url,
        ca_file: Option<&Path>,
        limits: Limits,
    ) -> Result<HttpClient, UploadError> {
        let mut authorities = rustls_native_certs::load_native_certs().certs;
        if let Some(path) = ca_file {
            let found = rustls_native_certs::load_certs_from_paths(Some(path), None);
            if found.certs.is_empty() {
                let why = found.errors.first().map(ToString::to_string);
                return Err(UploadError::CaFile {
                    target: target.to_owned(),
                    file: path.to_owned(),
                    why: why.unwrap_or_else(|| "holds no certificate".to_owned()),
                });
            }
            authorities.extend(found.certs);
        }
        if authorities.is_empty() && url.scheme() == "https" {
            return Err(UploadError::NoAuthorities {
                target: target.to_owned(),
            });
        }
        let certificates = authorities
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        let roots = RootCerts::Specific(Arc::new(certificates.collect()));
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(roots)
            .build();
        Ok(HttpClient { tls, limits })
    }

    /// Connections of one attempt.
    pub fn session(&self, stop: &Stop) -> Session {
        let config = Agent::config_builder()
            .tls_config(self.tls.clone())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("hindsight/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .timeout_await_100(Some(Duration::from_secs(1)))
            .max_idle_connections(2)
            .build();
        let wire = TcpConnector {
            stop: stop.clone(),
            limits: self.limits,
        };
        let connector = wire.chain(RustlsConnector::default());
        Session {
            agent: Agent::with_parts(config, connector, Unresolved),
            stop: stop.clone(),
        }
    }
}

pub struct Session {
    agent: Agent,
    stop: Stop,
}

/// What is asked of a server.
pub struct Request<'a> {
    pub method: &'static str,
    pub url: &'a Url,
    pub headers: Vec<(String, String)>,
    pub body: Body<'a>,
}

pub enum Body<'a> {
    /// None at all (GET, HEAD, DELETE).
    None,
    Bytes(&'a [u8]),
    File(Stretch<'a>),
}

/// A stretch of a file, limited and counted on its way.
#[derive(Clone, Copy)]
pub struct Stretch<'a> {
    pub path: &'a Path,
    pub file: &'a File,
    pub offset: u64,
    pub len: u64,
    /// Of these bytes. Where others come from the disk, the last of them are not sent: nobody
    /// gets a whole file that is not the one that was meant.
    pub sum: Sum,
    pub meter: &'a Meter<'a>,
}

/// What the server said, whatever it said.
#[derive(Debug)]
pub struct HttpAnswer {
    /// `https://host:port`
    pub server: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Session {
    /// An error means: no whole answer. Any status is an answer.
    pub fn send(&self, request: Request<'_>) -> Result<HttpAnswer, Failure> {
        let server = request.url.origin().ascii_serialization();
        let trouble = RefCell::new(None);
        let result = self.exchange(request, &trouble, &server);
        if let Some(failure) = trouble.take() {
            return Err(failure);
        }
        result.map_err(|error| {
            if self.stop.level() >= StopLevel::Finish {
                return Failure::Cancelled;
            }
            sort(&error, &server)
        })
    }

    fn exchange(
        &self,
        request: Request<'_>,
        trouble: &RefCell<Option<Failure>>,
        server: &str,
    ) -> Result<HttpAnswer, ureq::Error> {
        let mut builder = ureq::http::Request::builder()
            .method(request.method)
            .uri(request.url.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let mut answer = match request.body {
            Body::None => self.agent.run(builder.body(())?)?,
            Body::Bytes(bytes) => self.agent.run(builder.body(bytes)?)?,
            Body::File(stretch) => {
                builder = builder.header("content-length", stretch.len);
                if stretch.len >= ASK_FIRST_BYTES {
                    builder = builder.header("expect", "100-continue");
                }
                let mut out = Outgoing::new(stretch, trouble);
                self.agent
                    .run(builder.body(SendBody::from_reader(&mut out))?)?
            }
        };
        let headers = answer.headers().clone();
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES);
        Ok(HttpAnswer {
            server: server.to_owned(),
            status,
            headers,
            body: body.read_to_vec()?,
        })
    }
}

/// A stretch of a file on its way out.
struct Outgoing<'a> {
    stretch: Stretch<'a>,
    sent: u64,
    summing: Option<Summing>,
    trouble: &'a RefCell<Option<Failure>>,
}

impl<'a> Outgoing<'a> {
    fn new(stretch: Stretch<'a>, trouble: &'a RefCell<Option<Failure>>) -> Outgoing<'a> {
        Outgoing {
            stretch,
            sent: 0,
            summing: Some(stretch.sum.begin()),
            trouble,
        }
    }

    fn next(&mut self, into: &mut [u8]) -> Result<usize, Failure> {
        let Stretch {
            path, file, meter, ..
        } = self.stretch;
        let left = self.stretch.len - self.sent;
        let want = into
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX))
            .min(meter.piece());
        if want == 0 {
            return Ok(0);
        }
        meter.may_send(want)?;
        let read = file.read_exact_at(&mut into[..want], self.stretch.offset + self.sent);
        read.map_err(|error| unreadable(path, &error))?;
        let sent = u64::try_from(want).unwrap_or(u64::MAX);
        if let Some(summing) = &mut self.summing {
            summing.update(&into[..want]);
        }
        if sent == left
            && let Some(summing) = self.summing.take()
            && summing.finish() != self.stretch.sum
        {
            return Err(damaged(path));
        }
        self.sent += sent;
        meter.add(sent);
        Ok(want)
    }
}

impl Read for Outgoing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.next(into).map_err(|failure| {
            let text = io::Error::other(failure.to_string());
            *self.trouble.borrow_mut() = Some(failure);
            text
        })
    }
}

impl HttpAnswer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// `503 Service Unavailable`
    pub fn status_words(&self) -> String {
        let status = StatusCode::from_u16(self.status).ok();
        let words = status.and_then(|s| s.canonical_reason()).unwrap_or("");
        format!("{} {words}", self.status).trim_end().to_owned()
    }

    /// Whether the server asks to come again later.
    pub fn says_later(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..=599)
    }

    /// How the queue is to take an answer that is no success. `doing` says what was asked
    /// ("upload of x.mp4"), `said` is the server's own explanation, if it gave one.
    pub fn failure(&self, doing: &str, said: &str, now: Timestamp) -> Failure {
        self.failure_with(doing, said, |why| why, now)
    }

    /// The same; `explain` adds what can be done about it.
    pub fn failure_with(
        &self,
        doing: &str,
        said: &str,
        explain: impl FnOnce(Sentence) -> Sentence,
        now: Timestamp,
    ) -> Failure {
        let (doing, server) = (doing.to_owned(), self.server.clone());
        let status = self.status_words();
        let why = explain(match said {
            "" => ServerSentence::Answered {
                doing,
                server,
                status,
            }
            .sentence(),
            said => ServerSentence::Said {
                doing,
                server,
                status,
                said: said.to_owned(),
            }
            .sentence(),
        });
        if self.says_later() {
            let asked = self.header("retry-after");
            return Failure::Unavailable {
                why,
                retry_after_ms: asked.and_then(|text| retry_after_ms(text, now)),
            };
        }
        if (300..400).contains(&self.status) {
            return Failure::failed(ServerSentence::Redirected { why });
        }
        Failure::Failed { why }
    }
}

/// Seconds, or a date.
fn retry_after_ms(text: &str, now: Timestamp) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    u64::try_from(at.as_millisecond() - now.as_millisecond()).ok()
}

/// What it means that there was no answer. Pure.
fn sort(error: &ureq::Error, server: &str) -> Failure {
    let untrusted = |text: &str| Failure::Unavailable {
        why: no_trust(server, text),
        retry_after_ms: None,
    };
    let told = |error: Option<&TransportError>| Failure::unavailable(told(server, error));
    let server = server.to_owned();
    match error {
        ureq::Error::Other(inner) => told(inner.downcast_ref::<TransportError>()),
        ureq::Error::Io(error) => match error.get_ref().and_then(|e| e.downcast_ref()) {
            Some(transport) => told(Some(transport)),
            None if error.kind() == io::ErrorKind::InvalidData => untrusted(&error.to_string()),
            None => Failure::unavailable(ServerSentence::ConnectionBroke {
                server,
                error: error.to_string(),
            }),
        },
        ureq::Error::Rustls(error) => untrusted(&error.to_string()),
        ureq::Error::Tls(error) => untrusted(error),
        ureq::Error::Timeout(_) => Failure::unavailable(ServerSentence::TooSlow { server }),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            Failure::failed(ServerSentence::NotHttp { server })
        }
        ureq::Error::BodyExceedsLimit(_) => Failure::failed(ServerSentence::TooMuch { server }),
        // Its words could hold the URL.
        _ => Failure::failed(ServerSentence::BadRequest { server }),
    }
}

fn told(server: &str, error: Option<&TransportError>) -> ServerSentence {
    let server = server.to_owned();
    match error {
        Some(TransportError::Connect(error))
            if error.kind() == io::ErrorKind::ConnectionRefused =>
        {
            ServerSentence::Refuses { server }
        }
        Some(TransportError::Connect(error)) => ServerSentence::NoWay {
            server,
            error: error.to_string(),
        },
        Some(error @ TransportError::Lookup(_)) => ServerSentence::NameUnknown {
            server,
            error: error.to_string(),
        },
        Some(error) => ServerSentence::ConnectionFailed {
            server,
            error: error.to_string(),
        },
        None => ServerSentence::NoConnection { server },
    }
}

/// A certificate that is not trusted, and what can be done about it.
fn no_trust(server: &str, error: &str) -> Sentence {
    let lower = error.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let why = ServerSentence::Untrusted {
        server: server.to_owned(),
        error: error.to_owned(),
    }
    .sentence();
    let known = if has(&["expired", "notvalidyet", "not valid yet"]) {
        ServerSentence::CertificateExpired { why }
    } else if has(&["unknownissuer", "unknown issuer", "casusedasendentity"]) {
        ServerSentence::UnknownAuthority { why }
    } else if has(&["notvalidforname", "not valid for name"]) {
        ServerSentence::WrongName { why }
    } else if has(&["corrupt", "invalid message", "invalidcontenttype"]) {
        ServerSentence::NotTls { why }
    } else {
        return why;
    };
    known.sentence()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> HttpAnswer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                map.insert(*name, value);
            }
        }
        HttpAnswer {
            server: "https://s3.example.com".to_owned(),
            status,
            headers: map,
            body: Vec::new(),
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(784_111_777).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn later_waits_as_long_as_the_server_says_and_all_else_counts() {
        for status in [408, 429, 500, 502, 503, 504] {
            let failure = answer(status, &[]).failure("upload", "", now());
            assert!(matches!(failure, Failure::Unavailable { .. }), "{status}");
        }
        for status in [301, 307, 400, 403, 404, 409, 413] {
            let failure = answer(status, &[]).failure("upload", "", now());
            assert!(matches!(failure, Failure::Failed { .. }), "{status}");
        }
        let date = "Sun, 06 Nov 1994 08:49:47 GMT";
        for (text, ms) in [("120", Some(120_000)), (date, Some(10_000)), ("soon", None)] {
            let failure = answer(429, &[("retry-after", text)]).failure("upload", "", now());
            let Failure::Unavailable { retry_after_ms, .. } = failure else {
                panic!("{failure:?}")
            };
            assert_eq!(retry_after_ms, ms, "{text}");
        }
    }

    #[test]
    fn no_answer_waits_and_says_what_to_look_at() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        for (error, word) in [
            (
                ureq::Error::from(TransportError::Connect(refused)),
                "refuses",
            ),
            (
                ureq::Error::from(TransportError::Lookup("x".to_owned())),
                "DNS",
            ),
            (
                ureq::Error::from(io::Error::from(io::ErrorKind::ConnectionReset)),
                "broke",
            ),
            (
                ureq::Error::from(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "invalid peer certificate: certificate expired: verification time 5",
                )),
                "clock",
            ),
        ] {
            let failure = sort(&error, "https://s3.example.com");
            assert!(
                matches!(failure, Failure::Unavailable { .. }),
                "{failure:?}"
            );
            let text = failure.to_string();
            assert!(
                text.contains(word) && text.contains("s3.example.com"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_never_repeats_the_address_it_was_about() {
        let secret = "https://s3.example.com/b/k?X-Amz-Signature=canary".to_owned();
        for error in [
            ureq::Error::BadUri(secret.clone()),
            ureq::Error::RequireHttpsOnly(secret),
        ] {
            let text = sort(&error, "https://s3.example.com").to_string();
            assert!(!text.contains("canary"), "{text}");
        }
    }
}
