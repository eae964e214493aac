//! A request on its way to its handler: what the server and the guard found out about it.

use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;

use super::api::Api;
use super::backend::ApiBackend;
use super::guard::identify::Peer;
use super::guard::principal::Principal;
use super::refusal::ApiRefusal;
use super::route::Route;
use super::sentence::RequestSentence;

/// `CLOCK_MONOTONIC` when a request's headers had been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArrivalTime(pub u64);

/// The row of a request's route.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchedRoute(pub &'static Route);

pub(super) struct ApiCall {
    pub api: Api,
    pub route: &'static Route,
    pub arrival: ArrivalTime,
    pub peer: Peer,
    pub principal: Principal,
    headers: HeaderMap,
}

impl FromRequestParts<Api> for ApiCall {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<ApiCall, ApiRefusal> {
        let found = &parts.extensions;
        let (Some(MatchedRoute(route)), Some(arrival), Some(peer), Some(principal)) = (
            found.get().copied(),
            found.get().copied(),
            found.get().copied(),
            found.get::<Principal>().cloned(),
        ) else {
            let broken = RequestSentence::Broken {};
            return Err(ApiRefusal::new(StatusCode::INTERNAL_SERVER_ERROR, broken));
        };
        Ok(ApiCall {
            api: api.clone(),
            route,
            arrival,
            peer,
            principal,
            headers: parts.headers.clone(),
        })
    }
}

/// How long looking at the service may take.
const LOOK: Duration = Duration::from_secs(10);

impl ApiCall {
    /// Asks the service for what can be had at once.
    pub async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ApiBackend) -> T + Send + 'static,
    ) -> Result<T, ApiRefusal> {
        self.within(LOOK, work).await
    }

    pub async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce(&ApiBackend) -> T + Send + 'static,
    ) -> Result<T, ApiRefusal> {
        self.api.blocking(self.route.bound, limit, work).await
    }

    /// Reads no more than the route takes, and waits for no body that does not come.
    pub async fn read(&self, body: Body) -> Result<Bytes, ApiRefusal> {
        let most_bytes = self.route.body_bytes;
        let too_large = || {
            let said = RequestSentence::BodyTooLarge { most_bytes };
            ApiRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, said)
        };
        let announced = self.headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > most_bytes) {
            return Err(too_large());
        }
        let bytes = axum::body::to_bytes(body, most_bytes);
        match tokio::time::timeout(self.api.settings.limits.body, bytes).await {
            Ok(read) => read.map_err(|_| too_large()),
            Err(_) => Err(ApiRefusal::new(
                StatusCode::REQUEST_TIMEOUT,
                RequestSentence::BodyLate {},
            )),
        }
    }
}
