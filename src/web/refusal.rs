//! A request that is answered with a reason instead of what it asked for.
//!
//! Not here: the reasons (`sentence`, `guard`, and the rooms that refuse).

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::base::sentence::{Arg, Coded, Sentence};

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

    pub fn body(self) -> RefusalBody {
        RefusalBody {
            success: false,
            message: self.why.text,
            code: self.why.code,
            args: self.why.args,
        }
    }
}

/// What every refusal of the API says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RefusalBody {
    #[cfg_attr(test, schemars(extend("const" = false)))]
    pub success: bool,
    /// In English, for people.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub message: String,
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z][a-z0-9_]*$")))]
    pub code: String,
    pub args: BTreeMap<String, Arg>,
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
