//! A real backend for signed uploads: checks every signature over the bytes it received, hands
//! out addresses, takes files, and does what it is told to do wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hindsight::config::SignedUrlFields;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::waiting::sha256;

pub const SECRET: &str = "canary-secret-of-both-sides";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Register,
    Put,
    Finalize,
}

pub const STAGES: [Stage; 3] = [Stage::Register, Stage::Put, Stage::Finalize];

/// What is done wrong, once.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered so instead.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Takes the file, and answers this about it.
    Says(Value),
    /// In an answer that is fine otherwise.
    Header(&'static str, String),
    /// Never answers.
    Hang,
}

pub struct Seen {
    pub stage: Stage,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Of the requests that are JSON.
    pub json: Value,
}

#[derive(Clone)]
pub struct Video {
    token: String,
    pub registration: Value,
    pub bytes: Option<Vec<u8>>,
    pub finalized: bool,
}

pub struct Inner {
    pub fields: SignedUrlFields,
    pub unix_s: i64,
    pub faults: VecDeque<(Stage, Fault)>,
    pub seen: Vec<Seen>,
    /// By id: `v1`, `v2` … in the order of registration.
    pub videos: BTreeMap<String, Video>,
    nonces: BTreeSet<String>,
    /// Requests that no honest box would send.
    pub wrongs: Vec<String>,
}

pub struct Backend {
    pub addr: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Backend {
    pub fn start(unix_s: i64) -> Backend {
        let inner = Arc::new(Mutex::new(Inner {
            fields: SignedUrlFields::default(),
            unix_s,
            faults: VecDeque::new(),
            seen: Vec::new(),
            videos: BTreeMap::new(),
            nonces: BTreeSet::new(),
            wrongs: Vec::new(),
        }));
        let app = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        let (end, ended) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    served = axum::serve(listener, app) => served.unwrap(),
                    _ = ended => {}
                }
            });
        });
        Backend {
            addr: told.recv().unwrap(),
            inner,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn fault(&self, stage: Stage, fault: Fault) {
        self.inner().faults.push_back((stage, fault));
    }

    pub fn count(&self, stage: Stage) -> usize {
        let inner = self.inner();
        inner.seen.iter().filter(|seen| seen.stage == stage).count()
    }

    /// Kind and bytes of what was finalized, in the order of registration; nothing twice.
    pub fn holds(&self) -> Vec<(String, Vec<u8>)> {
        let inner = self.inner();
        assert_eq!(inner.wrongs, Vec::<String>::new());
        let mut held: Vec<(String, Vec<u8>)> = Vec::new();
        let mut videos: Vec<_> = inner.videos.iter().collect();
        videos.sort_by_key(|(id, _)| id.trim_start_matches('v').parse::<u32>().unwrap());
        let finalized = videos.iter().filter(|(_, video)| video.finalized);
        for (_, video) in finalized {
            let kind = find(&video.registration, &inner.fields.kind).unwrap();
            let kind = kind.as_str().unwrap().to_owned();
            assert!(held.iter().all(|(other, _)| *other != kind), "{kind} twice");
            held.push((kind, video.bytes.clone().unwrap()));
        }
        held
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn signature(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// `data.url` in `{"data": {"url": …}}`.
pub fn find<'v>(body: &'v Value, name: &str) -> Option<&'v Value> {
    name.split('.')
        .try_fold(body, |place, part| place.get(part))
}

fn nested(name: &str, value: Value) -> Value {
    name.rsplit('.')
        .fold(value, |value, part| json!({ part: value }))
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(object), Value::Object(other)) = (one.as_object_mut(), other.clone()) {
        for (key, value) in other {
            let old = object.remove(&key).unwrap_or(Value::Null);
            object.insert(key, merged(old, value));
        }
        return one;
    }
    other
}

async fn serve(
    State(inner): State<Arc<Mutex<Inner>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (answer, hang) = {
        let mut inner = inner.lock().unwrap();
        let date = inner.date();
        let (mut answer, hang) = inner.answer(&method, &uri, &headers, &body);
        // Else the server would tell the time of this machine.
        answer
            .headers_mut()
            .entry("date")
            .or_insert(date.parse().unwrap());
        (answer, hang)
    };
    if hang {
        std::future::pending::<()>().await;
    }
    answer
}

impl Inner {
    fn date(&self) -> String {
        let now = jiff::Timestamp::from_second(self.unix_s).unwrap();
        jiff::fmt::rfc2822::to_string(&now.to_zoned(jiff::tz::TimeZone::UTC)).unwrap()
    }

    fn answer(
        &mut self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> (Response, bool) {
        let stage = match (method.as_str(), uri.path()) {
            ("POST", path) if path.contains("final") => Stage::Finalize,
            ("POST", _) => Stage::Register,
            _ => Stage::Put,
        };
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
        self.seen.push(Seen {
            stage,
            path: uri.path().to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            json: serde_json::from_slice(body).unwrap_or_default(),
        });
        let next = self.faults.iter().position(|(at, _)| *at == stage);
        let fault = next
            .and_then(|at| self.faults.remove(at))
            .map(|(_, fault)| fault);
        match &fault {
            Some(Fault::Hang) => return (StatusCode::OK.into_response(), true),
            Some(Fault::Answer(status, more, body)) => {
                let status = StatusCode::from_u16(*status).unwrap();
                let mut answer = (status, body.clone()).into_response();
                for (name, value) in more {
                    answer.headers_mut().insert(*name, value.parse().unwrap());
                }
                return (answer, false);
            }
            _ => {}
        }
        let mut answer = match stage {
            Stage::Register => self.register(uri, headers, body),
            Stage::Put => self.put(uri, body),
            Stage::Finalize => self.finalize(uri, headers, body),
        };
        match fault {
            Some(Fault::Says(value)) => {
                answer = (StatusCode::OK, value.to_string()).into_response()
            }
            Some(Fault::Header(name, value)) => {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
            _ => {}
        }
        (answer, false)
    }

    fn wrong(&mut self, status: u16, what: &str) -> Response {
        self.wrongs.push(what.to_owned());
        let status = StatusCode::from_u16(status).unwrap();
        (status, json!({ "message": what }).to_string()).into_response()
    }

    /// Over the bytes as they came; an answer if they are not to be trusted.
    fn check(&mut self, path: &str, headers: &HeaderMap, body: &[u8]) -> Option<Response> {
        let get = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("").to_owned()
        };
        let (stamp, nonce) = (get("x-timestamp"), get("x-nonce"));
        let text = format!("v1:POST:{path}:{stamp}:{nonce}:{}", sha256(body));
        let off = stamp
            .parse::<i64>()
            .map_or(i64::MAX, |s| (s - self.unix_s).abs());
        let what = if get("x-device-id") != "box-17" || get("x-client-id") != "arena" {
            "unknown device"
        } else if get("x-body-sha256") != sha256(body) {
            "other body"
        } else if get("x-signature") != signature(SECRET, &text) {
            "bad signature"
        } else if nonce.len() != 32 || !self.nonces.insert(nonce) {
            "nonce seen before"
        } else if off > 300 {
            "time is off"
        } else {
            return None;
        };
        Some(self.wrong(401, what))
    }

    fn register(&mut self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
        if let Some(answer) = self.check(uri.path(), headers, body) {
            return answer;
        }
        let registration: Value = serde_json::from_slice(body).unwrap();
        let number = self.videos.len() + 1;
        let (id, token) = (format!("v{number}"), format!("canary-{number}"));
        let video = Video {
            token: token.clone(),
            registration,
            bytes: None,
            finalized: false,
        };
        self.videos.insert(id.clone(), video);
        let fields = &self.fields;
        let url = format!("/store/{id}?signature={token}");
        let answer = [
            nested(&fields.id, id.into()),
            nested(&fields.upload_url, url.into()),
            nested(
                &fields.upload_headers,
                json!({ "x-amz-meta-venue": "arena" }),
            ),
        ];
        let answer = answer.into_iter().fold(json!({}), merged);
        (StatusCode::CREATED, answer.to_string()).into_response()
    }

    fn put(&mut self, uri: &Uri, body: &[u8]) -> Response {
        let id = uri.path().trim_start_matches("/store/").to_owned();
        let wanted = self.videos.get(&id).map(|video| video.token.clone());
        let token = uri.query().unwrap_or("").trim_start_matches("signature=");
        if wanted.as_deref() != Some(token) {
            return self.wrong(403, "no such address");
        }
        if let Some(video) = self.videos.get_mut(&id) {
            video.bytes = Some(body.to_vec());
        }
        let etag = format!("\"etag-{}\"", body.len());
        (StatusCode::OK, [("etag", etag)]).into_response()
    }

    fn finalize(&mut self, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Response {
        if let Some(answer) = self.check(uri.path(), headers, body) {
            return answer;
        }
        let said: Value = serde_json::from_slice(body).unwrap();
        let id = uri.path().split('/').rev().nth(1).unwrap().to_owned();
        let (size, hash) = (&self.fields.size_bytes, &self.fields.sha256);
        let Some(video) = self.videos.get_mut(&id) else {
            return (StatusCode::NOT_FOUND, "{}").into_response();
        };
        let Some(bytes) = &video.bytes else {
            return self.wrong(409, "nothing was sent");
        };
        let same = find(&said, size) == Some(&json!(bytes.len()))
            && find(&said, hash) == Some(&json!(sha256(bytes)));
        if !same {
            return self.wrong(409, "other bytes than announced");
        }
        video.finalized = true;
        let answer = merged(
            nested(size, json!(bytes.len())),
            nested(hash, json!(sha256(bytes))),
        );
        (StatusCode::OK, answer.to_string()).into_response()
    }
}
