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
    let health = call.look(|service| service.status.health()).await?;
    Ok(Json(match call.principal.may(Access::Staff) {
        true => health,
        false => health.for_strangers(),
    }))
}
