//! What is still to be done with highlights.

use axum::Json;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use serde_json::Value;

use super::limit::{LimitQuery, limit_of};
use crate::web::answers::queue::{QueueAnswer, QueueChanged};
use crate::web::answers::said::SaidAnswer;
use crate::web::api_call::ApiCall;
use crate::web::backend::{QueueChange, QueueRefusal};
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::{DoneSentence, RequestSentence};

pub async fn list(
    call: ApiCall,
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Result<Json<QueueAnswer>, ApiRefusal> {
    let limit = limit_of(query)?;
    let looked = call.look(move |service| service.jobs.queue(limit)).await?;
    Ok(Json(looked))
}

pub async fn retry(call: ApiCall, body: Body) -> Result<Json<QueueChanged>, ApiRefusal> {
    let body = call.read(body).await?;
    let wanted =
        retried(&body).ok_or_else(|| ApiRefusal::bad_request(RequestSentence::RetryUnclear {}))?;
    change(&call, wanted, |jobs| DoneSentence::Retried { jobs }).await
}

pub async fn drop_job(call: ApiCall, body: Body) -> Result<Json<QueueChanged>, ApiRefusal> {
    let body = call.read(body).await?;
    let Some(QueueChange::Retry(id)) = retried(&body) else {
        return Err(ApiRefusal::bad_request(RequestSentence::DropUnclear {}));
    };
    let wanted = QueueChange::Drop(id);
    change(&call, wanted, |jobs| DoneSentence::Dropped { jobs }).await
}

/// Reads `{"id": "…"}` or `{"failed": true}`.
fn retried(body: &[u8]) -> Option<QueueChange> {
    let Value::Object(fields) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    if fields.len() != 1 {
        return None;
    }
    match (fields.get("id"), fields.get("failed")) {
        (Some(Value::String(id)), None) => Some(QueueChange::Retry(id.clone())),
        (None, Some(Value::Bool(true))) => Some(QueueChange::RetryFailed),
        _ => None,
    }
}

async fn change(
    call: &ApiCall,
    wanted: QueueChange,
    done: fn(String) -> DoneSentence,
) -> Result<Json<QueueChanged>, ApiRefusal> {
    let changed = call
        .look(move |service| service.jobs.change(&wanted))
        .await?;
    let jobs = changed.map_err(refused)?;
    let said = match jobs.is_empty() {
        true => DoneSentence::NothingGivenUp {},
        false => done(jobs.join(", ")),
    };
    Ok(Json(QueueChanged {
        said: SaidAnswer::done(said),
        jobs,
    }))
}

fn refused(refusal: QueueRefusal) -> ApiRefusal {
    let (status, said) = match refusal {
        QueueRefusal::Unknown(said) => (StatusCode::NOT_FOUND, said),
        QueueRefusal::Ambiguous(said) => (StatusCode::CONFLICT, said),
        QueueRefusal::Unavailable(said) => (StatusCode::SERVICE_UNAVAILABLE, said),
    };
    ApiRefusal::said(status, said)
}
