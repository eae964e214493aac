//! How the service is.

use axum::Json;
use serde_json::{Value, json};

use crate::web::call::Call;
use crate::web::guard::role::Access;
use crate::web::refusal::ApiRefusal;

pub async fn status(call: Call) -> Result<Json<Value>, ApiRefusal> {
    let parts = call.look(|port| port.status()).await?;
    Ok(Json(json!({
        "status": parts.status,
        "timestamp": call.api.now(),
        "captures": parts.captures,
        "buffers": parts.buffers,
        "queue": parts.queue,
        "board": parts.board,
        "health": parts.health,
    })))
}

pub async fn health(call: Call) -> Result<Json<Value>, ApiRefusal> {
    let mut verdict = call.look(|port| port.health()).await?;
    if !call.principal.may(Access::Staff) {
        // A stranger learns that something is wrong, not the names and places of it.
        let reasons = verdict["reasons"].as_array().cloned().unwrap_or_default();
        let short = reasons.iter().map(|reason| json!({"what": reason["what"]}));
        verdict["reasons"] = short.collect::<Vec<_>>().into();
    }
    Ok(Json(verdict))
}
