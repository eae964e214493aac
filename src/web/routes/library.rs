//! The list of highlights.

use axum::Json;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use super::limit::{LIST_MOST, LimitQuery, limit_of};
use crate::web::answers::highlights::HighlightList;
use crate::web::api_call::ApiCall;
use crate::web::refusal::ApiRefusal;

pub async fn highlights(
    call: ApiCall,
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Result<Json<HighlightList>, ApiRefusal> {
    let limit = limit_of(query)?;
    if call.principal.court().is_none() {
        let list = call.look(move |service| service.library.highlights(limit));
        return Ok(Json(list.await?));
    }
    // Of one court: there may be many of others in between.
    let cameras = call.api.cameras_of(&call.principal);
    let list = call.look(|service| service.library.highlights(LIST_MOST));
    let HighlightList { mut highlights } = list.await?;
    highlights.retain(|highlight| cameras.contains(&highlight.camera));
    highlights.truncate(limit);
    Ok(Json(HighlightList { highlights }))
}
