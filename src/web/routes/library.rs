//! The list of highlights.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde_json::{Value, json};

use super::files::camera_of;
use super::limit::{LIST_MOST, LimitQuery, limit_of};
use crate::web::call::Call;
use crate::web::refusal::ApiRefusal;

pub async fn highlights(
    call: Call,
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiRefusal> {
    let limit = limit_of(query)?;
    let Some(_) = call.principal.court() else {
        let list = call.look(move |port| port.highlights(limit)).await?;
        return Ok(Json(json!({ "highlights": list })));
    };
    // Of one court: there may be many of others in between.
    let cameras = call.api.cameras_of(&call.principal);
    let mut list = call.look(|port| port.highlights(LIST_MOST)).await?;
    list.retain(|highlight| {
        let sidecar = highlight["sidecar"]
            .as_str()
            .and_then(|link| link.rsplit('/').next());
        sidecar
            .and_then(camera_of)
            .is_some_and(|camera| cameras.contains(&camera))
    });
    list.truncate(limit);
    Ok(Json(json!({ "highlights": list })))
}
