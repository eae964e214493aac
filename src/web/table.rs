//! The route table. The router, the answers 404 and 405, the list in `docs/http.md` and the matrix of roles are made of it.
//!
//! A route that is added gets a row here; who may ask is checked in [`router`], from the row.

use axum::Router;
use axum::extract::Extension;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{MethodRouter, on};

use super::api::{Api, Bound};
use super::call::MatchedRoute;
use super::guard::role::Access;
use super::refusal::ApiRefusal;
use super::route::{Route, RouteMethod};
use super::routes::{files, library, press, queue, status};
use super::sentence::RequestSentence;

/// In the order in which they are listed to people.
pub static ROUTES: &[Route] = &[
    Route {
        method: RouteMethod::Post,
        path: "/save-clip",
        alias: None,
        access: Access::Staff,
        bound: Bound::Presses,
        body_bytes: 4096,
        schema: Some("press"),
        about: "a press",
        handler: |method| on(method, press::save_clip),
    },
    Route {
        method: RouteMethod::Get,
        path: "/status",
        alias: None,
        access: Access::Staff,
        bound: Bound::Looks,
        body_bytes: 0,
        schema: Some("status"),
        about: "cameras, presses that are not done, rings, buttons and lights, health",
        handler: |method| on(method, status::status),
    },
    Route {
        method: RouteMethod::Get,
        path: "/health",
        alias: None,
        access: Access::Open,
        bound: Bound::Looks,
        body_bytes: 0,
        schema: Some("health"),
        about: "whether presses give clips. Always status 200; the verdict is in the answer",
        handler: |method| on(method, status::health),
    },
    Route {
        method: RouteMethod::Get,
        path: "/highlights",
        alias: Some("/highlights/"),
        access: Access::Staff,
        bound: Bound::Looks,
        body_bytes: 0,
        schema: None,
        about: "the newest highlights, newest first (`?limit=`, 100 by default, at most 1000)",
        handler: |method| on(method, library::highlights),
    },
    Route {
        method: RouteMethod::Get,
        path: "/highlights/{date}/{press}/{file}",
        alias: None,
        access: Access::Staff,
        bound: Bound::Downloads,
        body_bytes: 0,
        schema: None,
        about: "their files, by the addresses that the list and the answers give; with Range, ETag and HEAD",
        handler: |method| on(method, files::file),
    },
    Route {
        method: RouteMethod::Get,
        path: "/queue",
        alias: None,
        access: Access::Staff,
        bound: Bound::Looks,
        body_bytes: 0,
        schema: None,
        about: "what is still to be done with highlights (marking, uploading) and what was given up, newest first (`?limit=` as above): `jobs`, and `status` as in `/status`",
        handler: |method| on(method, queue::list),
    },
    Route {
        method: RouteMethod::Post,
        path: "/queue/retry",
        alias: None,
        access: Access::Staff,
        bound: Bound::Looks,
        body_bytes: 4096,
        schema: None,
        about: "`{\"id\": \"…\"}` or `{\"failed\": true}`: tried again at once, from the beginning of the stage. 404: no such job, 409: the part of an id fits several presses",
        handler: |method| on(method, queue::retry),
    },
    Route {
        method: RouteMethod::Post,
        path: "/queue/drop",
        alias: None,
        access: Access::Staff,
        bound: Bound::Looks,
        body_bytes: 4096,
        schema: None,
        about: "`{\"id\": \"…\"}`: taken out of the queue; the files stay until `keep_uploaded` is over",
        handler: |method| on(method, queue::drop_job),
    },
];

pub(super) fn router(api: Api) -> Router {
    let mut router = Router::new();
    for path in paths() {
        let mut here = MethodRouter::new();
        let mut right = Vec::new();
        for route in ROUTES.iter().filter(|route| answers(route, path)) {
            let handler = (route.handler)(route.method.filter());
            here = here.merge(handler.route_layer(Extension(MatchedRoute(route))));
            right.push(route.method.name());
        }
        let right = right.join(" or ");
        let wrong =
            move |method: Method, uri: Uri| async move { wrong_method(&method, &uri, right) };
        router = router.route(path, here.fallback(wrong));
    }
    router.fallback(wrong_path).with_state(api)
}

fn answers(route: &Route, path: &str) -> bool {
    route.path == path || route.alias == Some(path)
}

/// Each once.
fn paths() -> Vec<&'static str> {
    let mut paths = Vec::new();
    for route in ROUTES {
        for path in std::iter::once(route.path).chain(route.alias) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

async fn wrong_path(uri: Uri) -> ApiRefusal {
    let listed = ROUTES.iter().filter(|route| !route.path.contains('{'));
    let mut listed: Vec<String> = listed
        .map(|route| format!("{} {}", route.method.name(), route.path))
        .collect();
    let last = listed.pop().unwrap_or_default();
    let said = RequestSentence::NoRoute {
        path: asked(&uri),
        routes: format!("{} and {last}", listed.join(", ")),
    };
    ApiRefusal::new(StatusCode::NOT_FOUND, said)
}

fn wrong_method(method: &Method, uri: &Uri, right: String) -> ApiRefusal {
    let said = RequestSentence::WrongMethod {
        path: asked(uri),
        right,
        method: method.to_string(),
    };
    ApiRefusal::new(StatusCode::METHOD_NOT_ALLOWED, said)
}

/// No more of a stranger's path than a message has room for.
fn asked(uri: &Uri) -> String {
    uri.path().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The list in `docs/http.md`.
    fn listed_in_docs() -> String {
        let mut lines = vec!["| | role | |".to_owned(), "|---|---|---|".to_owned()];
        for route in ROUTES {
            let (method, path, access) = (route.method.name(), route.path, route.access.name());
            let schema = match route.schema {
                Some(name) => format!(": [schema](../schemas/{name}.schema.json)"),
                None => String::new(),
            };
            let about = route.about;
            lines.push(format!(
                "| `{method} {path}` | {access} | {about}{schema} |"
            ));
        }
        lines.join("\n")
    }

    #[test]
    fn the_documents_list_the_routes_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/http.md");
        let text = std::fs::read_to_string(path).unwrap();
        let right = listed_in_docs();
        assert!(text.contains(&right), "docs/http.md must say:\n{right}");
    }

    #[test]
    fn no_two_rows_answer_the_same() {
        for (n, route) in ROUTES.iter().enumerate() {
            for other in &ROUTES[n + 1..] {
                let same = route.method == other.method && route.path == other.path;
                assert!(!same, "{} {}", route.method.name(), route.path);
            }
        }
    }

    #[test]
    fn a_schema_that_a_row_names_is_there() {
        for name in ROUTES.iter().filter_map(|route| route.schema) {
            let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&path).exists(), "{path}");
        }
    }
}
