//! `?limit=` of the lists.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;

use crate::web::refusal::ApiRefusal;
use crate::web::sentence::RequestSentence;

/// Most entries in one list, and how many where nobody says.
pub(super) const LIST_MOST: usize = 1000;
const LIST_USUAL: usize = 100;

#[derive(Deserialize)]
pub struct LimitQuery {
    limit: Option<String>,
}

pub(super) fn limit_of(
    query: Result<Query<LimitQuery>, QueryRejection>,
) -> Result<usize, ApiRefusal> {
    match query.map(|q| q.0.limit.map(|text| text.parse())) {
        Ok(None) => Ok(LIST_USUAL),
        Ok(Some(Ok(limit))) if (1..=LIST_MOST).contains(&limit) => Ok(limit),
        _ => {
            let said = RequestSentence::LimitUnclear { most: LIST_MOST };
            Err(ApiRefusal::bad_request(said))
        }
    }
}
