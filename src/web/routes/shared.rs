//! One press's clips, for whoever has the link to them.
//!
//! The secret in the path is looked up by its hash, and stands in no log and in no answer.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::accounts::{refused, with_store};
use super::files;
use crate::access::{AccessError, LinkAnswer, SecretHash};
use crate::web::api_call::ApiCall;
use crate::web::guard::sentence::GuardSentence;
use crate::web::refusal::ApiRefusal;

pub async fn file(
    call: ApiCall,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiRefusal> {
    let unknown = || refused(AccessError::LinkUnknown {});
    let Path((secret, name)) = path.map_err(|_| unknown())?;
    let secret = SecretHash::of(&secret);
    let (press, day) = match with_store(&call, move |store, now| store.link(&secret, now)).await? {
        LinkAnswer::Unknown => return Err(unknown()),
        LinkAnswer::Over => {
            return Err(ApiRefusal::new(
                StatusCode::GONE,
                GuardSentence::LinkOver {},
            ));
        }
        LinkAnswer::Open { press, day } => (press, day),
    };
    // Videos and pictures: a sidecar tells of the box's targets and troubles.
    if !(name.ends_with(".mp4") || name.ends_with(".jpg")) {
        return Err(unknown());
    }
    let mut response = files::serve(&call, (day, press.to_string(), name), &headers).await?;
    let answered = response.headers_mut();
    // It may be withdrawn.
    answered.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answered.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    answered.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    Ok(response)
}
