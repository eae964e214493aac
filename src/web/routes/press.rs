//! Presses.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::time::Instant;

use crate::base::{PressAck, PressError, PressId, PressRequest, Source};
use crate::web::answers::press::{AskedCameras, ClipOutcome, PressAnswer};
use crate::web::answers::said::SaidAnswer;
use crate::web::api::Bound;
use crate::web::api_call::ApiCall;
use crate::web::backend::ApiBackend;
use crate::web::guard::sentence::GuardSentence;
use crate::web::press_query::{self, PressChoice, PressQuery};
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::{CountOfCameras, DoneSentence, RequestSentence};

#[derive(Deserialize)]
pub struct WaitQuery {
    #[serde(default)]
    wait: String,
}

pub async fn save_clip(
    call: ApiCall,
    query: Result<Query<WaitQuery>, QueryRejection>,
    RawQuery(wishes): RawQuery,
    body: Body,
) -> Result<Response, ApiRefusal> {
    let settings = &call.api.settings;
    if !settings.presses {
        let said = RequestSentence::PressesOff {};
        return Err(ApiRefusal::new(StatusCode::FORBIDDEN, said));
    }
    let wait = match query.as_ref().map(|q| q.wait.as_str()) {
        Ok("" | "false" | "0") => false,
        Ok("true" | "1") => true,
        _ => return Err(ApiRefusal::bad_request(RequestSentence::WaitUnclear {})),
    };
    let body = call.read(body).await?;
    let cameras = call.api.cameras_of(&call.principal);
    if cameras.is_empty() && call.principal.court().is_some() {
        let said = GuardSentence::CourtWithoutCameras {};
        return Err(ApiRefusal::new(StatusCode::FORBIDDEN, said));
    }
    let choice = PressChoice {
        cameras: &cameras,
        pre_ms: settings.pre_ms,
        post_ms: settings.post_ms,
        ring_ms: settings.ring_ms,
    };
    let PressQuery {
        cameras,
        camera_id,
        pre_ms,
        post_ms,
    } = press_query::read(&body, wishes.as_deref(), &choice).map_err(ApiRefusal::bad_request)?;
    let request = PressRequest {
        cameras,
        instant_mono_ns: call.arrival.0,
        pre_ms,
        post_ms,
        source: Source::Http,
        button: None,
    };
    let pressed = call
        .within(settings.limits.press, move |service| {
            service.presses.press(&request)
        })
        .await?;
    Ok(match pressed {
        Ok(ack) => taken(&call, camera_id, ack, wait).await.into_response(),
        Err(error) => not_taken(&call, camera_id, error).into_response(),
    })
}

/// The answer to a press that is durable.
async fn taken(
    call: &ApiCall,
    camera_id: AskedCameras,
    ack: PressAck,
    wait: bool,
) -> Json<PressAnswer> {
    let cameras = CountOfCameras(ack.press.cameras.len());
    let mut said = match ack.refused.len() {
        0 => DoneSentence::Taken { cameras },
        refused => DoneSentence::TakenPartly { cameras, refused },
    };
    let mut clips = None;
    if wait {
        clips = wait_for_clips(call, &ack.press.id, ack.press.post_ms).await;
        if clips.is_none() {
            said = DoneSentence::ClipsLater {};
        }
    }
    Json(PressAnswer {
        said: SaidAnswer::done(said),
        trigger_time: call.api.rfc3339(ack.press.wall_unix_ns),
        trigger_mono_ns: call.arrival.0,
        camera_id,
        press_id: Some(ack.press.id),
        refused: ack.refused,
        notes: ack.notes,
        clips,
    })
}

/// How long one who waits keeps the place of another.
const TURN: Duration = Duration::from_millis(500);

/// Waits in short turns: many can wait at once, and who hangs up is not waited for.
async fn wait_for_clips(call: &ApiCall, press: &PressId, post_ms: u64) -> Option<Vec<ClipOutcome>> {
    // As long as the window may take, and then what a busy disk may take.
    let limit = Duration::from_millis(post_ms) + Duration::from_secs(120);
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let id = press.clone();
        let turn = move |service: &ApiBackend| service.presses.wait(&id, TURN);
        match call.api.blocking(Bound::Waiters, limit, turn).await {
            Ok(None) => {}
            Ok(Some(clips)) => return Some(clips),
            Err(_) => return None,
        }
    }
    None
}

/// The answer to a press of which nothing was kept.
fn not_taken(
    call: &ApiCall,
    camera_id: AskedCameras,
    error: PressError,
) -> (StatusCode, Json<PressAnswer>) {
    let status = match error {
        PressError::Stopping | PressError::NoCamera(_) => StatusCode::SERVICE_UNAVAILABLE,
        PressError::Closed(_) => StatusCode::CONFLICT,
        PressError::DiskFull(_) | PressError::Storage(_) => StatusCode::INSUFFICIENT_STORAGE,
    };
    let answer = PressAnswer {
        said: SaidAnswer::refused(error.sentence()),
        trigger_time: call.api.now(),
        trigger_mono_ns: call.arrival.0,
        camera_id,
        press_id: None,
        refused: match error {
            PressError::NoCamera(refused) => refused,
            _ => Vec::new(),
        },
        notes: Vec::new(),
        clips: None,
    };
    (status, Json(answer))
}
