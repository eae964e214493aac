//! What each role gets of each route, asked for over real sockets and compared with `matrix.txt`.

use std::time::Duration;

use hindsight::access::AccountRole;
use hindsight::web::{ROUTES, Route};

use super::box_with_users::{Ask, BoxWithUsers, DAY, PASSWORD, TOKEN};
use super::house::PRESS_ID;

const COLUMNS: [&str; 6] = ["nobody", "link", "kiosk", "staff", "admin", "bearer"];

/// The status of a request in the name of `column` that is right in all else.
fn status(made: &BoxWithUsers, route: &Route, column: &str, link: &str) -> u16 {
    let user = match column {
        "kiosk" => Some("tv1"),
        "staff" => Some("bia"),
        "admin" => Some("ana"),
        _ => None,
    };
    let cookie = match column {
        // A link's secret is good for nothing else.
        "link" => Some(format!("{}={link}", made.cookie_name())),
        _ => user.map(|name| made.sign_in(name)),
    };
    let bearer = match column {
        "bearer" => Some(format!("Bearer {TOKEN}")),
        "link" => Some(format!("Bearer {link}")),
        _ => None,
    };
    let sessions = made.store.sessions(made.now()).unwrap();
    let own = sessions
        .iter()
        .rev()
        .find(|(_, name)| Some(name.as_str()) == user);
    let path = route
        .path
        .replace("{date}", DAY)
        .replace("{press}", PRESS_ID)
        .replace("{file}", "court1.mp4")
        .replace(
            "{token}",
            if column == "link" {
                link
            } else {
                "0123456789abcdef0123456789abcdef"
            },
        )
        .replace(
            "{id}",
            own.map_or("0123456789abcdef", |(session, _)| session.id.as_str()),
        )
        .replace("{name}", "guest");
    let body = match (route.method.name(), route.path) {
        ("POST", "/queue/retry" | "/queue/drop") => r#"{"id": "known"}"#.to_owned(),
        ("POST", "/api/claim") => {
            format!(r#"{{"token": "x", "name": "eva", "password": "{PASSWORD}"}}"#)
        }
        ("POST", "/api/session") => format!(r#"{{"name": "bia", "password": "{PASSWORD}"}}"#),
        ("POST", "/api/users") => {
            format!(r#"{{"name": "new", "role": "staff", "password": "{PASSWORD}"}}"#)
        }
        _ => String::new(),
    };
    let origin = made.origin();
    let ask = Ask {
        cookie: cookie.as_deref(),
        bearer: bearer.as_deref(),
        origin: Some(&origin),
    };
    made.ask(route.method.name(), &path, &body, &ask).status
}

#[test]
fn each_role_gets_of_each_route_what_the_committed_table_says() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let mut table = format!("{:<44}", "route");
    for column in COLUMNS {
        table.push_str(&format!("{column:>8}"));
    }
    table.push('\n');
    for route in ROUTES {
        table.push_str(&format!(
            "{:<44}",
            format!("{} {}", route.method.name(), route.path)
        ));
        for column in COLUMNS {
            // A fresh guest to remove, and none in the way of a new one.
            let _ = made.store.remove("new");
            if made.store.remove("guest").is_ok() || route.path.contains("{name}") {
                made.add("guest", AccountRole::Staff);
            }
            let (link, _) = made.link(Duration::from_secs(60));
            table.push_str(&format!("{:>8}", status(&made, route, column, &link)));
        }
        table.push('\n');
    }
    let committed = include_str!("matrix.txt");
    let committed: String = committed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(committed, table, "tests/web/matrix.txt must say:\n{table}");
}
