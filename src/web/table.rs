//! The route table. The router, the answers 404 and 405, the list in `docs/http.md` and the matrix of roles are made of it.
//!
//! A route that is added gets a row here; who may ask is checked in [`router`], from the row.

use axum::Router;
use axum::extract::{Extension, Request};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, on};

use super::api::{Api, Bound};
use super::api_call::MatchedRoute;
use super::guard::headers::is_json_or_nothing;
use super::guard::principal::Principal;
use super::guard::role::Access;
use super::guard::sentence::GuardSentence;
use super::press_query;
use super::refusal::ApiRefusal;
use super::route::{Route, RouteMethod};
use super::routes::{files, library, press, queue, session, shared, status, users};
use super::sentence::RequestSentence;
use super::url_query;

/// In the order in which they are listed to people.
pub static ROUTES: &[Route] = &[
    Route {
        method: RouteMethod::Post,
        path: "/save-clip",
        alias: None,
        access: Access::Kiosk,
        query: Some(press_query::QUERY_KEYS),
        bound: Bound::Presses,
        body_bytes: 4096,
        schema: Some("press"),
        about: "a press; what its body may say may stand behind the `?`, too (`?camera_id=court1&duration=30`), and `?wait=true`",
        handler: |method| on(method, press::save_clip),
    },
    Route {
        method: RouteMethod::Get,
        path: "/status",
        alias: None,
        access: Access::Staff,
        query: Some(&[]),
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
        query: Some(&[]),
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
        access: Access::Kiosk,
        query: Some(&["limit"]),
        bound: Bound::Looks,
        body_bytes: 0,
        schema: Some("highlights"),
        about: "the newest highlights, newest first (`?limit=`, 100 by default, at most 1000)",
        handler: |method| on(method, library::highlights),
    },
    Route {
        method: RouteMethod::Get,
        path: "/highlights/{date}/{press}/{file}",
        alias: None,
        access: Access::Kiosk,
        query: Some(&[]),
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
        query: Some(&["limit"]),
        bound: Bound::Looks,
        body_bytes: 0,
        schema: Some("queue"),
        about: "what is still to be done with highlights (marking, uploading) and what was given up, newest first (`?limit=` as above): `jobs`, and `status` as in `/status`",
        handler: |method| on(method, queue::list),
    },
    Route {
        method: RouteMethod::Post,
        path: "/queue/retry",
        alias: None,
        access: Access::Staff,
        query: Some(&[]),
        bound: Bound::Looks,
        body_bytes: 4096,
        schema: Some("queue_change"),
        about: "`{\"id\": \"…\"}` or `{\"failed\": true}`: tried again at once, from the beginning of the stage. 404: no such job, 409: the part of an id fits several presses",
        handler: |method| on(method, queue::retry),
    },
    Route {
        method: RouteMethod::Post,
        path: "/queue/drop",
        alias: None,
        access: Access::Staff,
        query: Some(&[]),
        bound: Bound::Looks,
        body_bytes: 4096,
        schema: Some("queue_change"),
        about: "`{\"id\": \"…\"}`: taken out of the queue; the files stay until `keep_uploaded` is over",
        handler: |method| on(method, queue::drop_job),
    },
    Route {
        method: RouteMethod::Get,
        path: "/s/{token}/{file}",
        alias: None,
        access: Access::Link,
        query: None,
        bound: Bound::Downloads,
        body_bytes: 0,
        schema: None,
        about: "a file of one press, by a link that was shared; 410 once the link has expired or was withdrawn",
        handler: |method| on(method, shared::file),
    },
    Route {
        method: RouteMethod::Get,
        path: "/api/me",
        alias: None,
        access: Access::Open,
        query: Some(&[]),
        bound: Bound::Accounts,
        body_bytes: 0,
        schema: Some("me"),
        about: "who asks (`role`, `name`, `court`), and whether the box has been set up (`claimed`)",
        handler: |method| on(method, session::me),
    },
    Route {
        method: RouteMethod::Post,
        path: "/api/claim",
        alias: None,
        access: Access::Open,
        query: Some(&[]),
        bound: Bound::Passwords,
        body_bytes: 4096,
        schema: Some("said"),
        about: "`{\"token\": \"…\", \"name\": \"…\", \"password\": \"…\"}`: the first administrator, with the token that `hindsight token` shows; 409 once there is one",
        handler: |method| on(method, session::claim),
    },
    Route {
        method: RouteMethod::Post,
        path: "/api/session",
        alias: None,
        access: Access::Open,
        query: Some(&[]),
        bound: Bound::Passwords,
        body_bytes: 4096,
        schema: Some("said"),
        about: "`{\"name\": \"…\", \"password\": \"…\"}`: signs in; the answer sets a cookie",
        handler: |method| on(method, session::sign_in),
    },
    Route {
        method: RouteMethod::Delete,
        path: "/api/session",
        alias: None,
        access: Access::User,
        query: Some(&[]),
        bound: Bound::Accounts,
        body_bytes: 0,
        schema: Some("said"),
        about: "signs out",
        handler: |method| on(method, session::sign_out),
    },
    Route {
        method: RouteMethod::Get,
        path: "/api/sessions",
        alias: None,
        access: Access::User,
        query: Some(&[]),
        bound: Bound::Accounts,
        body_bytes: 0,
        schema: Some("sessions"),
        about: "who is signed in: all for administrators, their own for others",
        handler: |method| on(method, session::sessions),
    },
    Route {
        method: RouteMethod::Delete,
        path: "/api/sessions/{id}",
        alias: None,
        access: Access::User,
        query: Some(&[]),
        bound: Bound::Accounts,
        body_bytes: 0,
        schema: Some("said"),
        about: "ends a session",
        handler: |method| on(method, session::end_session),
    },
    Route {
        method: RouteMethod::Get,
        path: "/api/users",
        alias: None,
        access: Access::Admin,
        query: Some(&[]),
        bound: Bound::Accounts,
        body_bytes: 0,
        schema: Some("users"),
        about: "the users",
        handler: |method| on(method, users::list),
    },
    Route {
        method: RouteMethod::Post,
        path: "/api/users",
        alias: None,
        access: Access::Admin,
        query: Some(&[]),
        bound: Bound::Passwords,
        body_bytes: 4096,
        schema: Some("said"),
        about: "`{\"name\": \"…\", \"role\": \"staff\", \"password\": \"…\"}`, for a kiosk with its `court`: a new user",
        handler: |method| on(method, users::add),
    },
    Route {
        method: RouteMethod::Delete,
        path: "/api/users/{name}",
        alias: None,
        access: Access::Admin,
        query: Some(&[]),
        bound: Bound::Accounts,
        body_bytes: 0,
        schema: Some("said"),
        about: "a user goes, and the sessions of that user end",
        handler: |method| on(method, users::remove),
    },
];

pub(super) fn router(api: Api) -> Router {
    let mut router = Router::new();
    for path in paths() {
        let mut here = MethodRouter::new();
        let mut right = Vec::new();
        for route in ROUTES.iter().filter(|route| answers(route, path)) {
            let handler = (route.handler)(route.method.filter());
            let guarded = handler
                .route_layer(from_fn(move |request, next| admit(route, request, next)))
                .route_layer(Extension(MatchedRoute(route)));
            here = here.merge(guarded);
            right.push(route.method.name());
        }
        let right = right.join(" or ");
        let wrong = move |Extension(principal): Extension<Principal>, method: Method, uri: Uri| async move {
            principal.admit(OF_NO_ROUTE)?;
            Err::<(), _>(wrong_method(&method, &uri, right))
        };
        router = router.route(path, here.fallback(wrong));
    }
    router.fallback(wrong_path).with_state(api)
}

/// Which routes there are is told to whoever may use some.
const OF_NO_ROUTE: Access = Access::Kiosk;

/// Lets those through whom the route is open to, if they ask for nothing that it does not know.
async fn admit(
    route: &'static Route,
    request: Request,
    next: Next,
) -> Result<Response, ApiRefusal> {
    match request.extensions().get::<Principal>() {
        Some(principal) => principal.admit(route.access)?,
        None => Principal::Nobody.admit(route.access)?,
    }
    let reads_only = request.method() == Method::GET || request.method() == Method::HEAD;
    if !reads_only && !is_json_or_nothing(request.headers()) {
        let said = GuardSentence::NotJson {};
        return Err(ApiRefusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, said));
    }
    if let Some(known) = route.query {
        url_query::known_only(request.uri().query(), known).map_err(ApiRefusal::bad_request)?;
    }
    Ok(next.run(request).await)
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

async fn wrong_path(
    Extension(principal): Extension<Principal>,
    uri: Uri,
) -> Result<(), ApiRefusal> {
    principal.admit(OF_NO_ROUTE)?;
    let listed = ROUTES.iter().filter(|route| !route.path.contains('{'));
    let mut listed: Vec<String> = listed
        .map(|route| format!("{} {}", route.method.name(), route.path))
        .collect();
    let last = listed.pop().unwrap_or_default();
    let said = RequestSentence::NoRoute {
        path: asked(&uri),
        routes: format!("{} and {last}", listed.join(", ")),
    };
    Err(ApiRefusal::new(StatusCode::NOT_FOUND, said))
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
}
