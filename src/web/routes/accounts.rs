//! What the routes of users and sessions have in common: the store, the bodies, the answers.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use crate::access::{AccessError, AccessStore, Moment};
use crate::web::answers::said::SaidAnswer;
use crate::web::api::Bound;
use crate::web::api_call::ApiCall;
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::{DoneSentence, RequestSentence};

pub fn done(said: DoneSentence) -> Json<SaidAnswer> {
    Json(SaidAnswer::done(said))
}

/// Reads a body of the form `shape`.
pub async fn parsed<T: DeserializeOwned>(
    call: &ApiCall,
    body: Body,
    shape: &'static str,
) -> Result<T, ApiRefusal> {
    let body = call.read(body).await?;
    serde_json::from_slice(&body)
        .map_err(|_| ApiRefusal::bad_request(RequestSentence::BodyUnclear { shape }))
}

pub fn refused(error: AccessError) -> ApiRefusal {
    use AccessError as E;
    let status = match &error {
        E::StorageMissing { .. }
        | E::Damaged { .. }
        | E::Trouble { .. }
        | E::Busy { .. }
        | E::NoRandom { .. } => StatusCode::SERVICE_UNAVAILABLE,
        E::ClaimToken {} | E::SignIn {} => StatusCode::UNAUTHORIZED,
        E::Unclaimed {}
        | E::AlreadyClaimed {}
        | E::UserExists { .. }
        | E::UserLastAdmin { .. }
        | E::UsersFull { .. } => StatusCode::CONFLICT,
        E::UserUnknown { .. } | E::SessionUnknown {} | E::LinkUnknown {} => StatusCode::NOT_FOUND,
        E::PasswordShort { .. }
        | E::PasswordLong { .. }
        | E::UserName { .. }
        | E::KioskWithoutCourt {}
        | E::CourtOfOthers {}
        | E::Court { .. } => StatusCode::BAD_REQUEST,
    };
    ApiRefusal::new(status, error)
}

/// How long the disk may take.
const DISK: Duration = Duration::from_secs(10);
/// The same for whoever waits for others' passwords to be hashed.
const PASSWORD: Duration = Duration::from_secs(30);

/// Asks the store, off the server's thread.
pub async fn with_store<T: Send + 'static>(
    call: &ApiCall,
    work: impl FnOnce(&AccessStore, Moment) -> Result<T, AccessError> + Send + 'static,
) -> Result<T, ApiRefusal> {
    let (store, now) = (call.api.guard.store.clone(), call.api.guard.moment());
    let asked = call
        .api
        .blocking(Bound::Accounts, DISK, move |_| work(&store, now))
        .await?;
    asked.map_err(refused)
}

impl ApiCall {
    /// The same for what hashes a password: one at a time, since each takes 19 MiB and all of a core.
    pub async fn with_password<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AccessStore, Moment) -> Result<T, AccessError> + Send + 'static,
    ) -> Result<Result<T, AccessError>, ApiRefusal> {
        let (store, now) = (self.api.guard.store.clone(), self.api.guard.moment());
        self.api
            .blocking(Bound::Passwords, PASSWORD, move |_| work(&store, now))
            .await
    }
}
