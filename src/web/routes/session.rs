//! Setting the box up, signing in and out, and who is signed in.

use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::accounts::{done, parsed, refused, with_store};
use crate::access::{AccessError, AccountRole, Lifetime, Standing};
use crate::web::answers::said::SaidAnswer;
use crate::web::api_call::ApiCall;
use crate::web::guard::identify::Peer;
use crate::web::guard::principal::Principal;
use crate::web::guard::role::Role;
use crate::web::guard::sentence::GuardSentence;
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::DoneSentence;
use axum::http::StatusCode;

/// To whoever asks who they are.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MeAnswer {
    /// False: the box has no administrator yet, and nobody can sign in.
    pub claimed: bool,
    /// `kiosk`, `staff`, `admin`, `bearer`, `local`; `null`: not signed in.
    pub role: Option<&'static str>,
    pub name: Option<String>,
    /// Of a kiosk.
    pub court: Option<String>,
}

pub async fn me(call: ApiCall) -> Result<Json<MeAnswer>, ApiRefusal> {
    let claimed = with_store(&call, |store, _| store.claimed()).await?;
    let user = signed_in(&call.principal);
    Ok(Json(MeAnswer {
        claimed,
        role: call.principal.role().map(Role::name),
        name: user.map(|user| user.name.clone()),
        court: user.and_then(|user| user.court.clone()),
    }))
}

fn signed_in(principal: &Principal) -> Option<&Standing> {
    match principal {
        Principal::User(standing) => Some(standing),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimBody {
    token: String,
    name: String,
    password: String,
}

pub async fn claim(call: ApiCall, body: Body) -> Result<Response, ApiRefusal> {
    let shape = "{\"token\": \"…\", \"name\": \"…\", \"password\": \"…\"}";
    let asked: ClaimBody = parsed(&call, body, shape).await?;
    if let Err(wait) = begin_try(&call) {
        return Ok(wait);
    }
    let name = asked.name.clone();
    let claimed = call
        .with_password(move |store, now| {
            store.claim(&asked.token, &asked.name, &asked.password, now)
        })
        .await?;
    end_try(&call, claimed.as_ref().err());
    claimed.map_err(refused)?;
    log::info!(target: "hindsight", event = "system_claimed"; "the box has been set up: its administrator is {name:?}");
    Ok(done(DoneSentence::Claimed { name }).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    name: String,
    password: String,
}

pub async fn sign_in(call: ApiCall, body: Body) -> Result<Response, ApiRefusal> {
    let asked: SignInBody = parsed(&call, body, "{\"name\": \"…\", \"password\": \"…\"}").await?;
    if let Err(wait) = begin_try(&call) {
        return Ok(wait);
    }
    let address = match call.peer {
        Peer::Address(address) => address.to_canonical().to_string(),
        Peer::Local => "local".to_owned(),
    };
    let signed_in = call
        .with_password(move |store, now| store.sign_in(&asked.name, &asked.password, &address, now))
        .await?;
    end_try(&call, signed_in.as_ref().err());
    let signed_in = signed_in.map_err(refused)?;
    let cookie = cookie(
        &call,
        signed_in.secret.reveal(),
        max_age(signed_in.standing.role),
    );
    let name = signed_in.standing.name;
    Ok((cookie, done(DoneSentence::SignedIn { name })).into_response())
}

pub async fn sign_out(call: ApiCall) -> Result<Response, ApiRefusal> {
    let Some(user) = signed_in(&call.principal) else {
        return Err(refused(AccessError::SessionUnknown {}));
    };
    let id = user.session.clone();
    with_store(&call, move |store, now| store.end_session(&id, now)).await?;
    Ok((cookie(&call, "", Some(0)), done(DoneSentence::SignedOut {})).into_response())
}

/// How long a browser keeps the cookie; `None`: until it is closed. How long it is good for is decided here.
fn max_age(role: AccountRole) -> Option<u64> {
    match Lifetime::of(role) {
        Lifetime::Whole(lasts) => Some(lasts.as_secs()),
        Lifetime::Idle(_) => None,
    }
}

fn cookie(
    call: &ApiCall,
    secret: &str,
    max_age_s: Option<u64>,
) -> [(header::HeaderName, HeaderValue); 1] {
    let name = call.api.guard.cookie();
    let age = max_age_s.map_or(String::new(), |seconds| format!("; Max-Age={seconds}"));
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Lax{age}");
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    [(header::SET_COOKIE, value)]
}

/// `Err`: the answer to one who has tried too often.
#[allow(clippy::result_large_err)]
fn begin_try(call: &ApiCall) -> Result<(), Response> {
    call.api.guard.begin_try(call.peer).map_err(|wait_s| {
        let said = GuardSentence::TooManyTries { wait_s };
        let refusal = ApiRefusal::new(StatusCode::TOO_MANY_REQUESTS, said);
        ([(header::RETRY_AFTER, wait_s.to_string())], refusal).into_response()
    })
}

/// Only what was wrong counts.
fn end_try(call: &ApiCall, error: Option<&AccessError>) {
    if !matches!(
        error,
        Some(AccessError::SignIn {} | AccessError::ClaimToken {})
    ) {
        call.api.guard.try_succeeded(call.peer);
    }
}

/// Sessions that stand: all for an administrator, their own for others.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SessionsAnswer {
    pub sessions: Vec<SessionRow>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SessionRow {
    pub id: String,
    /// The user's.
    pub name: String,
    pub role: AccountRole,
    pub created_at: String,
    /// To a quarter of an hour.
    pub seen_at: String,
    /// Where it was begun.
    pub address: String,
    /// It is the one that asks.
    pub current: bool,
}

pub async fn sessions(call: ApiCall) -> Result<Json<SessionsAnswer>, ApiRefusal> {
    let all = with_store(&call, |store, now| store.sessions(now)).await?;
    let current = signed_in(&call.principal).map(|user| user.session.as_str());
    let shown = all
        .into_iter()
        .filter(|(_, name)| sees(&call.principal, name));
    let rows = shown.map(|(session, name)| SessionRow {
        current: current == Some(session.id.as_str()),
        id: session.id,
        name,
        role: session.role,
        created_at: call.api.rfc3339_s(session.created_unix_s),
        seen_at: call.api.rfc3339_s(session.seen_unix_s),
        address: session.address,
    });
    Ok(Json(SessionsAnswer {
        sessions: rows.collect(),
    }))
}

/// Whether sessions of the user `name` are theirs to see and to end.
fn sees(principal: &Principal, name: &str) -> bool {
    match principal.role() {
        Some(Role::Admin | Role::Local) => true,
        _ => signed_in(principal).is_some_and(|user| user.name == name),
    }
}

pub async fn end_session(
    call: ApiCall,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<SaidAnswer>, ApiRefusal> {
    let unknown = || refused(AccessError::SessionUnknown {});
    let Path(id) = id.map_err(|_| unknown())?;
    let all = with_store(&call, |store, now| store.sessions(now)).await?;
    let theirs = all
        .iter()
        .any(|(session, name)| session.id == id && sees(&call.principal, name));
    if !theirs {
        return Err(unknown());
    }
    with_store(&call, move |store, now| store.end_session(&id, now)).await?;
    Ok(done(DoneSentence::SessionEnded {}))
}
