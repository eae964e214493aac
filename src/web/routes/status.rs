//! How the service is.

use axum::Json;

use crate::web::answers::health::HealthAnswer;
use crate::web::answers::status::StatusAnswer;
use crate::web::api_call::ApiCall;
use crate::web::guard::role::Access;
use crate::web::refusal::ApiRefusal;

pub async fn status(call: ApiCall) -> Result<Json<StatusAnswer>, ApiRefusal> {
    let snapshot = call.look(|service| service.status.status()).await?;
    Ok(Json(StatusAnswer {
        timestamp: call.api.now(),
        snapshot,
    }))
}

pub async fn health(call: ApiCall) -> Result<Json<HealthAnswer>, ApiRefusal> {
    let ask = || call.look(|service| service.status.health());
    if call.principal.may(Access::Staff) {
        return Ok(Json(ask().await?));
    }
    let memory = &call.api.health;
    if let Some(known) = memory.recall(call.api.clock.mono_ns()) {
        return Ok(Json(known));
    }
    let health = ask().await?.for_strangers();
    memory.learn(&health, call.api.clock.mono_ns());
    Ok(Json(health))
}
