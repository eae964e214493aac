//! The answers.
//!
//! Blocking calls go to the blocking pool, each kind under a bound of its own,
//! so that neither a stuck disk nor patient clients keep a press from its turn.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{Port, QueueRefusal, QueueWish, Settings, ask, files, guard::Known};
use crate::base::{Clock, PressAck, PressError, PressRequest, Refusal, Source};

/// `CLOCK_MONOTONIC` when a request's headers had been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp(pub u64);

/// A request that is answered with a reason instead of what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub status: StatusCode,
    pub message: String,
}

impl Refused {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refused {
        Refused {
            status,
            message: message.into(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({"success": false, "message": self.message});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = header::HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// Largest body of a request, in bytes.
const BODY_BYTES: usize = 4096;
/// Most highlights in one list, and how many where nobody says.
const LIST_MOST: usize = 1000;
const LIST_USUAL: usize = 100;

#[derive(Clone)]
pub(super) struct Api(Arc<Inner>);

struct Inner {
    settings: Settings,
    port: Arc<dyn Port>,
    clock: Arc<dyn Clock>,
    presses: Arc<Semaphore>,
    waiters: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

impl Api {
    /// The bounds add up to less than the blocking pool has threads (`server::BLOCKING`).
    pub fn new(settings: Settings, port: Arc<dyn Port>, clock: Arc<dyn Clock>) -> Api {
        Api(Arc::new(Inner {
            settings,
            port,
            clock,
            presses: Arc::new(Semaphore::new(24)),
            waiters: Arc::new(Semaphore::new(16)),
            looks: Arc::new(Semaphore::new(4)),
            downloads: Arc::new(Semaphore::new(16)),
        }))
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/save-clip", post(save_clip))
            .route("/status", get(status))
            .route("/health", get(health))
            .route("/highlights", get(highlights))
            .route("/highlights/", get(highlights))
            .route("/queue", get(queue))
            .route("/queue/retry", post(retry))
            .route("/queue/drop", post(drop_job))
            .route("/highlights/{date}/{press}/{file}", get(file))
            .method_not_allowed_fallback(wrong_method)
            .fallback(wrong_path)
            .with_state(self)
    }

    /// Runs `work` on the blocking pool, at most so many at once as `bound` has
    /// room for. What exceeds `limit` runs on, and keeps its place, unheard.
    async fn blocking<T: Send + 'static>(
        &self,
        bound: &Arc<Semaphore>,
        limit: Duration,
        work: impl FnOnce(&dyn Port) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let (port, bound) = (self.0.port.clone(), bound.clone());
        let done = async {
            let permit = bound.acquire_owned().await;
            let work = move || {
                let _permit = permit;
                work(port.as_ref())
            };
            tokio::task::spawn_blocking(work).await
        };
        match tokio::time::timeout(limit, done).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(Refused::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "an error inside hindsight; its log says more",
            )),
            Err(_) => Err(Refused::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the service is too busy, or its disk does not answer; see /health, and try again",
            )),
        }
    }
}

async fn wrong_path(uri: Uri) -> Refused {
    let path: String = uri.path().chars().take(60).collect();
    Refused::new(
        StatusCode::NOT_FOUND,
        format!(
            "there is no {path} here; there are POST /save-clip, GET /status, GET /health, GET /highlights, GET /queue, POST /queue/retry and POST /queue/drop"
        ),
    )
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let right = match uri.path() {
        "/save-clip" | "/queue/retry" | "/queue/drop" => "POST",
        _ => "GET",
    };
    let path: String = uri.path().chars().take(60).collect();
    Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} wants {right}, not {method}"),
    )
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    wait: String,
}

async fn save_clip(
    State(api): State<Api>,
    Extension(stamp): Extension<Stamp>,
    query: Result<Query<Waiting>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let settings = &api.0.settings;
    if !settings.presses {
        let text = "presses over HTTP are switched off: [trigger] http = false";
        return Err(Refused::new(StatusCode::FORBIDDEN, text));
    }
    let bad = |text: String| Refused::new(StatusCode::BAD_REQUEST, text);
    let wait = match query.as_ref().map(|q| q.wait.as_str()) {
        Ok("" | "false" | "0") => false,
        Ok("true" | "1") => true,
        _ => return Err(bad("?wait= must be true or false".to_owned())),
    };
    let body = read_body(&headers, body, settings.limits.body).await?;
    let choice = ask::Choice {
        cameras: &settings.cameras,
        pre_ms: settings.pre_ms,
        post_ms: settings.post_ms,
        ring_ms: settings.ring_ms,
    };
    let wish = ask::read(&body, &choice).map_err(bad)?;
    let request = PressRequest {
        cameras: wish.cameras,
        instant_mono_ns: stamp.0,
        pre_ms: wish.pre_ms,
        post_ms: wish.post_ms,
        source: Source::Http,
        button: None,
    };
    let limit = settings.limits.press;
    let pressed = api
        .blocking(&api.0.presses, limit, move |port| port.press(&request))
        .await?;
    Ok(match pressed {
        Ok(ack) => taken(&api, stamp, wish.camera_id, ack, wait).await,
        Err(error) => not_taken(&api, stamp, wish.camera_id, &error),
    })
}

async fn read_body(headers: &HeaderMap, body: Body, limit: Duration) -> Result<Bytes, Refused> {
    let too_large = || {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {BODY_BYTES} bytes, or was cut off"),
        )
    };
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > BODY_BYTES) {
        return Err(too_large());
    }
    let bytes = axum::body::to_bytes(body, BODY_BYTES);
    match tokio::time::timeout(limit, bytes).await {
        Ok(read) => read.map_err(|_| too_large()),
        Err(_) => Err(Refused::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time",
        )),
    }
}

/// The answer to a press that is durable.
async fn taken(api: &Api, stamp: Stamp, camera_id: Value, ack: PressAck, wait: bool) -> Response {
    let timezone = &api.0.settings.timezone;
    let count = ack.press.cameras.len();
    let cameras = if count == 1 { "camera" } else { "cameras" };
    let mut answer = json!({
        "success": true,
        "message": format!("taken: {count} {cameras}"),
        "trigger_time": rfc3339(ack.press.wall_unix_ns, timezone),
        "trigger_mono_ns": stamp.0,
        "camera_id": camera_id,
        "press_id": ack.press.id,
        "refused": ack.refused,
        "notes": ack.notes,
    });
    if !ack.refused.is_empty() {
        let refused = ack.refused.len();
        answer["message"] = format!("taken: {count} {cameras}, refused: {refused}").into();
    }
    if wait {
        let waited = wait_for_clips(api, &ack).await;
        match waited {
            Some(clips) => answer["clips"] = clips.into(),
            None => {
                answer["message"] =
                    "taken; its clips are not written yet, see /highlights later".into();
            }
        }
    }
    Json(answer).into_response()
}

/// Waits in short turns: many can wait at once, and who hangs up is not waited for.
async fn wait_for_clips(api: &Api, ack: &PressAck) -> Option<Vec<Value>> {
    // As long as the window may take, and then what a busy disk may take.
    let limit = Duration::from_millis(ack.press.post_ms) + Duration::from_secs(120);
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let id = ack.press.id.clone();
        let turn = move |port: &dyn Port| port.wait(&id, TURN);
        match api.blocking(&api.0.waiters, limit, turn).await {
            Ok(None) => {}
            Ok(Some(clips)) => return Some(clips),
            Err(_) => return None,
        }
    }
    None
}

/// How long one who waits keeps the place of another.
const TURN: Duration = Duration::from_millis(500);

/// The answer to a press of which nothing was kept.
fn not_taken(api: &Api, stamp: Stamp, camera_id: Value, error: &PressError) -> Response {
    let (status, refused): (_, &[Refusal]) = match error {
        PressError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, &[]),
        PressError::Closed(_) => (StatusCode::CONFLICT, &[]),
        PressError::NoCamera(refused) => (StatusCode::SERVICE_UNAVAILABLE, refused),
        PressError::DiskFull(_) | PressError::Storage(_) => (StatusCode::INSUFFICIENT_STORAGE, &[]),
    };
    let answer = json!({
        "success": false,
        "message": error.to_string(),
        "trigger_time": now(api),
        "trigger_mono_ns": stamp.0,
        "camera_id": camera_id,
        "press_id": Value::Null,
        "refused": refused,
        "notes": [],
    });
    (status, Json(answer)).into_response()
}

async fn status(State(api): State<Api>) -> Result<Json<Value>, Refused> {
    let parts = api
        .blocking(&api.0.looks, LOOK, |port| port.status())
        .await?;
    Ok(Json(json!({
        "status": parts.status,
        "timestamp": now(&api),
        "captures": parts.captures,
        "buffers": parts.buffers,
        "queue": parts.queue,
        "board": parts.board,
        "health": parts.health,
    })))
}

/// How long looking at the house may take.
const LOOK: Duration = Duration::from_secs(10);

async fn health(
    State(api): State<Api>,
    Extension(known): Extension<Known>,
) -> Result<Json<Value>, Refused> {
    let mut verdict = api
        .blocking(&api.0.looks, LOOK, |port| port.health())
        .await?;
    if !known.0 {
        // A stranger learns that something is wrong, not the names and places of it.
        let reasons = verdict["reasons"].as_array().cloned().unwrap_or_default();
        let short = reasons.iter().map(|reason| json!({"what": reason["what"]}));
        verdict["reasons"] = short.collect::<Vec<_>>().into();
    }
    Ok(Json(verdict))
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<String>,
}

fn limit_of(query: Result<Query<Limit>, QueryRejection>) -> Result<usize, Refused> {
    match query.map(|q| q.0.limit.map(|text| text.parse())) {
        Ok(None) => Ok(LIST_USUAL),
        Ok(Some(Ok(limit))) if (1..=LIST_MOST).contains(&limit) => Ok(limit),
        _ => {
            let text = format!("?limit= must be a number from 1 to {LIST_MOST}");
            Err(Refused::new(StatusCode::BAD_REQUEST, text))
        }
    }
}

async fn highlights(
    State(api): State<Api>,
    query: Result<Query<Limit>, QueryRejection>,
) -> Result<Json<Value>, Refused> {
    let limit = limit_of(query)?;
    let list = api
        .blocking(&api.0.looks, LOOK, move |port| port.highlights(limit))
        .await?;
    Ok(Json(json!({ "highlights": list })))
}

async fn queue(
    State(api): State<Api>,
    query: Result<Query<Limit>, QueryRejection>,
) -> Result<Json<Value>, Refused> {
    let limit = limit_of(query)?;
    let looked = api
        .blocking(&api.0.looks, LOOK, move |port| port.queue(limit))
        .await?;
    Ok(Json(looked))
}

async fn retry(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refused> {
    let body = read_body(&headers, body, api.0.settings.limits.body).await?;
    let wish = ask::retry(&body).map_err(|text| Refused::new(StatusCode::BAD_REQUEST, text))?;
    changed(&api, wish, "tried again").await
}

async fn drop_job(
    State(api): State<Api>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Refused> {
    let body = read_body(&headers, body, api.0.settings.limits.body).await?;
    let wish = ask::drop_job(&body).map_err(|text| Refused::new(StatusCode::BAD_REQUEST, text))?;
    let what = "taken out of the queue; the files stay until keep_uploaded is over";
    changed(&api, wish, what).await
}

async fn changed(api: &Api, wish: QueueWish, what: &str) -> Result<Json<Value>, Refused> {
    let done = api
        .blocking(&api.0.looks, LOOK, move |port| port.change_queue(&wish))
        .await?;
    let ids = done.map_err(|refusal| match refusal {
        QueueRefusal::Unknown(text) => Refused::new(StatusCode::NOT_FOUND, text),
        QueueRefusal::Unclear(text) => Refused::new(StatusCode::CONFLICT, text),
        QueueRefusal::Trouble(text) => Refused::new(StatusCode::SERVICE_UNAVAILABLE, text),
    })?;
    let message = match ids.is_empty() {
        true => "no job was given up: nothing to try again".to_owned(),
        false => format!("{}: {what}", ids.join(", ")),
    };
    Ok(Json(
        json!({"success": true, "message": message, "jobs": ids}),
    ))
}

async fn file(
    State(api): State<Api>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let busy = || {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many downloads at once; try again in a moment",
        )
    };
    let Ok(Path((date, press, name))) = path else {
        return Err(files::missing());
    };
    let permit = api.0.downloads.clone().try_acquire_owned();
    let permit = permit.map_err(|_| busy())?;
    let root = api.0.settings.highlights.clone();
    let opened = tokio::task::spawn_blocking(move || files::open(&root, &date, &press, &name));
    match opened.await {
        Ok(Ok(opened)) => Ok(files::answer(opened, &headers, permit)),
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err(busy()),
    }
}

fn now(api: &Api) -> String {
    rfc3339(api.0.clock.wall().unix_ns, &api.0.settings.timezone)
}

/// With milliseconds and the venue's offset, as in `2026-11-21T18:03:07.250-03:00`.
fn rfc3339(unix_ns: i64, timezone: &TimeZone) -> String {
    let instant = Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
    let local = instant.to_zoned(timezone.clone());
    local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
