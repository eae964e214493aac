//! Who is let through, of those who only send headers; sessions are tried over real sockets (`tests/web`).

#![allow(clippy::unwrap_used)]

use super::*;
use crate::base::SimClock;
use crate::disk::Disk;

fn ask(guard: &Guard, request: &str, headers: &[(&str, &str)]) -> Result<Principal, u16> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = name.parse::<header::HeaderName>().unwrap();
        map.append(name, value.parse().unwrap());
    }
    let (method, uri) = request.split_once(' ').unwrap();
    let peer = Peer::Address([192, 0, 2, 7].into());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = guard
        .identify(peer, &method.parse().unwrap(), &uri.parse().unwrap(), &map)
        .await_on(&runtime);
    asked.map_err(|refusal| refusal.status.as_u16())
}

trait AwaitOn: Future + Sized {
    fn await_on(self, runtime: &tokio::runtime::Runtime) -> Self::Output {
        runtime.block_on(self)
    }
}
impl<F: Future> AwaitOn for F {}

fn guard_of(token: Option<&str>, storage: &std::path::Path) -> Guard {
    let names = OwnNames::new("arena", &["replay.example".to_owned()]);
    let store = AccessStore::new(Disk::default(), storage);
    let clock = Arc::new(SimClock::at(1, 1_795_000_000_000_000_000));
    Guard::new(
        token.map(Secret::new).as_ref(),
        names,
        8080,
        Arc::new(store),
        clock,
    )
}

fn nowhere(token: Option<&str>) -> Guard {
    guard_of(token, std::path::Path::new("/nonexistent"))
}

#[test]
fn the_bearer_is_believed_under_any_name_and_from_any_page() {
    let guard = nowhere(Some("s3cret"));
    let right = ("authorization", "Bearer s3cret");
    for more in [
        ("host", "evil.example"),
        ("origin", "http://evil.example"),
        ("cookie", "hindsight_8080=x"),
    ] {
        assert_eq!(
            ask(&guard, "POST /save-clip", &[right, more]),
            Ok(Principal::Bearer)
        );
    }
    assert_eq!(ask(&guard, "GET /status", &[right]), Ok(Principal::Bearer));
    let wrong = [("authorization", "Bearer s3cre"), ("host", "evil.example")];
    assert_eq!(ask(&guard, "GET /status", &wrong), Err(401));
    let wrong = [("authorization", "Bearer s3cre"), ("host", "arena.local")];
    assert_eq!(ask(&guard, "GET /status", &wrong), Ok(Principal::Nobody));
}

#[test]
fn a_foreign_name_is_refused_with_every_method_and_a_foreign_page_where_something_changes() {
    let guard = nowhere(Some("s3cret"));
    for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
        let request = format!("{method} /health");
        for host in ["evil.example", "", "arena.local.evil.example"] {
            assert_eq!(
                ask(&guard, &request, &[("host", host)]),
                Err(403),
                "{method} {host}"
            );
        }
        assert_eq!(ask(&guard, &request, &[]), Err(403), "{method}");
        let twice = [("host", "arena.local"), ("host", "arena.local")];
        assert_eq!(ask(&guard, &request, &twice), Err(403), "{method}");
        let own = ("host", "arena.local:8080");
        assert_eq!(
            ask(&guard, &request, &[own]),
            Ok(Principal::Nobody),
            "{method}"
        );
        let page = |origin| ask(&guard, &request, &[own, ("origin", origin)]);
        assert_eq!(
            page("http://arena.local:8080"),
            Ok(Principal::Nobody),
            "{method}"
        );
        let reads = ["GET", "HEAD"].contains(&method);
        for foreign in ["http://evil.example", "null", "", "http://arena.local"] {
            assert_eq!(page(foreign).is_ok(), reads, "{method} {foreign}");
        }
        let socket = [
            own,
            ("origin", "http://evil.example"),
            ("upgrade", "websocket"),
        ];
        assert_eq!(ask(&guard, &request, &socket), Err(403), "{method}");
    }
    let absolute = "GET http://evil.example/health";
    assert_eq!(ask(&guard, absolute, &[("host", "arena.local")]), Err(403));
    assert_eq!(
        ask(&guard, "GET /health", &[("host", "replay.example")]),
        Ok(Principal::Nobody)
    );
}

#[test]
fn a_cookie_changes_nothing_without_saying_which_page_it_comes_from() {
    let guard = nowhere(Some("s3cret"));
    let (host, cookie) = (("host", "arena.local"), ("cookie", "hindsight_8080=guess"));
    for request in ["POST /save-clip", "DELETE /api/session"] {
        assert_eq!(ask(&guard, request, &[host, cookie]), Err(403), "{request}");
    }
    let socket = [host, cookie, ("upgrade", "websocket")];
    assert_eq!(ask(&guard, "GET /api/live", &socket), Err(403));
    assert!(ask(&guard, "GET /status", &[host, cookie]).is_ok());
    let own = ("origin", "http://arena.local");
    assert!(ask(&guard, "POST /save-clip", &[host, cookie, own]).is_ok());
}

#[test]
fn without_a_token_only_this_machines_names_are_served() {
    let guard = nowhere(None);
    let get = |host: &str| ask(&guard, "GET /status", &[("host", host)]);
    for local in [
        "127.0.0.1:8080",
        "127.1.2.3",
        "localhost:8080",
        "LOCALHOST",
        "[::1]:8080",
    ] {
        assert_eq!(get(local), Ok(Principal::Local), "{local}");
    }
    let foreign = [
        "evil.example",
        "localhost.evil.example:8080",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "[::2]",
        "[::1",
        "",
        "0.0.0.0:8080",
        "localhost@evil.example",
    ];
    for foreign in foreign {
        assert_eq!(get(foreign), Err(403), "{foreign}");
    }
    assert_eq!(ask(&guard, "GET /status", &[]), Err(403));
    let both = [("host", "localhost"), ("host", "localhost")];
    assert_eq!(ask(&guard, "GET /status", &both), Err(403));
    let absolute = "GET http://evil.example/status";
    assert_eq!(ask(&guard, absolute, &[("host", "localhost")]), Err(403));
    let post = |origin: &str| {
        ask(
            &guard,
            "POST /save-clip",
            &[("host", "localhost:8080"), ("origin", origin)],
        )
    };
    assert_eq!(post("http://localhost:8080"), Ok(Principal::Local));
    for foreign in [
        "null",
        "",
        "https://evil.example",
        "http://localhost:3000",
        "https://localhost:8080",
    ] {
        assert_eq!(post(foreign), Err(403), "{foreign}");
    }
}

#[test]
fn once_there_is_an_administrator_this_machine_has_no_role_of_its_own() {
    let storage = tempfile::tempdir().unwrap();
    let guard = guard_of(None, storage.path());
    let here = [("host", "localhost:8080")];
    assert_eq!(ask(&guard, "GET /status", &here), Ok(Principal::Local));
    // A command does it, beside the service.
    let command = AccessStore::new(Disk::default(), storage.path());
    let token = command.setup_token().unwrap().unwrap();
    command
        .claim(&token, "ana", "golo na quadra", guard.moment())
        .unwrap();
    assert_eq!(ask(&guard, "GET /status", &here), Ok(Principal::Nobody));
    // Whatever becomes of the disk.
    std::fs::remove_dir_all(storage.path().join("access")).unwrap();
    assert_eq!(ask(&guard, "GET /status", &here), Ok(Principal::Nobody));
}

#[test]
fn a_list_of_users_that_cannot_be_read_is_no_box_without_an_owner() {
    let storage = tempfile::tempdir().unwrap();
    let store = AccessStore::new(Disk::default(), storage.path());
    store.claimed().unwrap();
    std::fs::write(storage.path().join("access/users.json"), "").unwrap();
    let guard = guard_of(None, storage.path());
    assert_eq!(
        ask(&guard, "GET /status", &[("host", "localhost")]),
        Ok(Principal::Nobody)
    );
    let session = [("host", "localhost"), ("cookie", "hindsight_8080=x")];
    let unclear = ask(&guard, "GET /status", &session).unwrap();
    assert!(
        matches!(&unclear, Principal::Unclear(why) if why.code == "access_file_damaged"),
        "{unclear:?}"
    );
}
