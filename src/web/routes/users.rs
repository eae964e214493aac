//! The users, for administrators.

use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use serde::{Deserialize, Serialize};

use super::accounts::{done, parsed, refused, with_store};
use crate::access::{AccessError, AccountRole, NewAccount};
use crate::web::answers::said::SaidAnswer;
use crate::web::api_call::ApiCall;
use crate::web::refusal::ApiRefusal;
use crate::web::sentence::DoneSentence;

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsersAnswer {
    pub users: Vec<UserRow>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserRow {
    pub name: String,
    pub role: AccountRole,
    /// Of a kiosk.
    pub court: Option<String>,
    pub created_at: String,
}

pub async fn list(call: ApiCall) -> Result<Json<UsersAnswer>, ApiRefusal> {
    let users = with_store(&call, |store, _| store.accounts()).await?;
    let rows = users.into_iter().map(|user| UserRow {
        name: user.name,
        role: user.role,
        court: user.court,
        created_at: call.api.rfc3339_s(user.created_unix_s),
    });
    Ok(Json(UsersAnswer {
        users: rows.collect(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUserBody {
    name: String,
    role: AccountRole,
    password: String,
    court: Option<String>,
}

pub async fn add(call: ApiCall, body: Body) -> Result<Json<SaidAnswer>, ApiRefusal> {
    let shape = "{\"name\": \"…\", \"role\": \"staff\", \"password\": \"…\"}, with \"court\" for the role kiosk";
    // The first one comes by the token that the box shows, or by a command on the box.
    if !with_store(&call, |store, _| store.claimed()).await? {
        return Err(refused(AccessError::Unclaimed {}));
    }
    let asked: NewUserBody = parsed(&call, body, shape).await?;
    let name = asked.name.clone();
    let new = NewAccount {
        name: asked.name,
        role: asked.role,
        court: asked.court,
    };
    let added = call
        .with_password(move |store, now| store.add(new, &asked.password, now))
        .await?;
    added.map_err(refused)?;
    Ok(done(DoneSentence::UserAdded { name }))
}

pub async fn remove(
    call: ApiCall,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<SaidAnswer>, ApiRefusal> {
    let unknown = |_| {
        refused(AccessError::UserUnknown {
            name: String::new(),
        })
    };
    let Path(name) = name.map_err(unknown)?;
    let removed = name.clone();
    with_store(&call, move |store, _| store.remove(&name)).await?;
    Ok(done(DoneSentence::UserRemoved { name: removed }))
}
