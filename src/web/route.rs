//! One row of the route table: all that is to be known of a route.
//!
//! Not here: the rows (`table`).

use axum::routing::{MethodFilter, MethodRouter};

use super::api::{Api, Bound};
use super::guard::role::Access;

/// `Get` answers HEAD, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteMethod {
    Get,
    Post,
    Delete,
}

impl RouteMethod {
    pub fn name(self) -> &'static str {
        match self {
            RouteMethod::Get => "GET",
            RouteMethod::Post => "POST",
            RouteMethod::Delete => "DELETE",
        }
    }

    pub(super) fn filter(self) -> MethodFilter {
        match self {
            RouteMethod::Get => MethodFilter::GET,
            RouteMethod::Post => MethodFilter::POST,
            RouteMethod::Delete => MethodFilter::DELETE,
        }
    }
}

/// The router is made of these alone: a route without a row does not exist.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: RouteMethod,
    /// With `{name}` for what varies.
    pub path: &'static str,
    /// Another spelling of the path.
    pub alias: Option<&'static str>,
    pub access: Access,
    /// What may stand behind the `?`; anything else is refused. `None`: nothing is looked at (to links that are shared,
    /// messengers add words of their own).
    pub query: Option<&'static [&'static str]>,
    /// Which places its blocking calls take.
    pub bound: Bound,
    /// Largest body that is read, in bytes; 0: none is.
    pub body_bytes: usize,
    /// Of its answer: `schemas/<name>.schema.json`.
    pub schema: Option<&'static str>,
    /// What it is, in a line of Markdown.
    pub about: &'static str,
    pub(super) handler: fn(MethodFilter) -> MethodRouter<Api>,
}
