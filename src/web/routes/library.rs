//! The list of highlights.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde_json::{Value, json};

use super::limit::{LimitQuery, limit_of};
use crate::web::call::Call;
use crate::web::refusal::ApiRefusal;

pub async fn highlights(
    call: Call,
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiRefusal> {
    let limit = limit_of(query)?;
    let list = call.look(move |port| port.highlights(limit)).await?;
    Ok(Json(json!({ "highlights": list })))
}
