//! A request that is answered with a reason instead of what it asked for.
//!
//! Not here: the reasons (`sentence`, `guard`, and the rooms that refuse).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answers::said::SaidAnswer;
use crate::base::sentence::{Coded, Sentence};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiRefusal {
    pub status: StatusCode,
    pub why: Sentence,
}

impl ApiRefusal {
    pub fn new(status: StatusCode, why: impl Coded) -> ApiRefusal {
        ApiRefusal {
            status,
            why: why.sentence(),
        }
    }

    /// What another room said.
    pub fn said(status: StatusCode, why: Sentence) -> ApiRefusal {
        ApiRefusal { status, why }
    }

    pub fn bad_request(why: impl Coded) -> ApiRefusal {
        ApiRefusal::new(StatusCode::BAD_REQUEST, why)
    }

    pub fn body(self) -> SaidAnswer {
        SaidAnswer::refused(self.why)
    }
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self.body())).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}
