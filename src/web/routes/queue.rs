//! What is still to be done with highlights.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::limit::{LimitQuery, limit_of};
use crate::base::sentence::{Arg, Coded};
use crate::web::call::Call;
use crate::web::port::{QueueCommand, QueueRefusal};
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::{DoneSentence, RequestSentence};

/// To a change of the queue.
#[derive(Clone, Debug, Serialize)]
pub struct QueueChanged {
    /// True.
    pub success: bool,
    /// In English, for people.
    pub message: String,
    pub code: String,
    pub args: BTreeMap<String, Arg>,
    /// Ids of the jobs that were changed.
    pub jobs: Vec<String>,
}

pub async fn list(
    call: Call,
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiRefusal> {
    let limit = limit_of(query)?;
    let looked = call.look(move |port| port.queue(limit)).await?;
    Ok(Json(looked))
}

pub async fn retry(call: Call, body: Body) -> Result<Json<QueueChanged>, ApiRefusal> {
    let body = call.read(body).await?;
    let command =
        retried(&body).ok_or_else(|| ApiRefusal::bad_request(RequestSentence::RetryUnclear {}))?;
    change(&call, command, |jobs| DoneSentence::Retried { jobs }).await
}

pub async fn drop_job(call: Call, body: Body) -> Result<Json<QueueChanged>, ApiRefusal> {
    let body = call.read(body).await?;
    let Some(QueueCommand::Retry(id)) = retried(&body) else {
        return Err(ApiRefusal::bad_request(RequestSentence::DropUnclear {}));
    };
    let command = QueueCommand::Drop(id);
    change(&call, command, |jobs| DoneSentence::Dropped { jobs }).await
}

/// Reads `{"id": "…"}` or `{"failed": true}`.
fn retried(body: &[u8]) -> Option<QueueCommand> {
    let Value::Object(fields) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    if fields.len() != 1 {
        return None;
    }
    match (fields.get("id"), fields.get("failed")) {
        (Some(Value::String(id)), None) => Some(QueueCommand::Retry(id.clone())),
        (None, Some(Value::Bool(true))) => Some(QueueCommand::RetryFailed),
        _ => None,
    }
}

async fn change(
    call: &Call,
    command: QueueCommand,
    done: fn(String) -> DoneSentence,
) -> Result<Json<QueueChanged>, ApiRefusal> {
    let changed = call.look(move |port| port.change_queue(&command)).await?;
    let jobs = changed.map_err(|refusal| match refusal {
        QueueRefusal::Unknown(said) => ApiRefusal::said(StatusCode::NOT_FOUND, said),
        QueueRefusal::Ambiguous(said) => ApiRefusal::said(StatusCode::CONFLICT, said),
        QueueRefusal::Unavailable(said) => ApiRefusal::said(StatusCode::SERVICE_UNAVAILABLE, said),
    })?;
    let said = match jobs.is_empty() {
        true => DoneSentence::NothingGivenUp {},
        false => done(jobs.join(", ")),
    };
    let said = said.sentence();
    Ok(Json(QueueChanged {
        success: true,
        message: said.text,
        code: said.code,
        args: said.args,
        jobs,
    }))
}
