//! Who asks: setting up, signing in and out, links, and what is refused on the way.

use std::time::Duration;

use hindsight::access::AccountRole;
use serde_json::{Value, json};

use super::box_with_users::{Ask, BoxWithUsers, PASSWORD, TOKEN};

fn claim_body(token: &str, name: &str, password: &str) -> String {
    json!({"token": token, "name": name, "password": password}).to_string()
}

#[test]
fn a_new_box_is_set_up_once_with_the_token_that_it_shows() {
    let made = BoxWithUsers::unclaimed(Some(TOKEN));
    let me = made.page("GET", "/api/me", "", None).json();
    assert_eq!(
        me,
        json!({"claimed": false, "role": null, "name": null, "court": null})
    );
    let early = made.try_sign_in("ana", PASSWORD);
    assert_eq!(
        (early.status, &early.json()["code"]),
        (409, &json!("claim_missing"))
    );
    let wrong = made.page(
        "POST",
        "/api/claim",
        &claim_body("K7QM", "ana", PASSWORD),
        None,
    );
    assert_eq!(
        (wrong.status, &wrong.json()["code"]),
        (401, &json!("claim_token_wrong"))
    );
    let token = made.store.setup_token().unwrap().unwrap();
    let short = made.page(
        "POST",
        "/api/claim",
        &claim_body(&token, "ana", "short"),
        None,
    );
    assert_eq!(
        (short.status, &short.json()["code"]),
        (400, &json!("password_too_short"))
    );
    assert_eq!(
        made.page("GET", "/api/me", "", None).json()["claimed"],
        false
    );
    let claimed = made.page(
        "POST",
        "/api/claim",
        &claim_body(&token, "ana", PASSWORD),
        None,
    );
    assert_eq!(
        (claimed.status, &claimed.json()["code"]),
        (200, &json!("claim_taken"))
    );
    let again = made.page(
        "POST",
        "/api/claim",
        &claim_body(&token, "eva", PASSWORD),
        None,
    );
    assert_eq!(
        (again.status, &again.json()["code"]),
        (409, &json!("claim_done"))
    );
    let cookie = made.sign_in("ana");
    let me = made.page("GET", "/api/me", "", Some(&cookie)).json();
    assert_eq!(
        me,
        json!({"claimed": true, "role": "admin", "name": "ana", "court": null})
    );
}

#[test]
fn a_session_is_a_cookie_that_no_script_reads_and_ends_when_it_is_told_to() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let answer = made.try_sign_in("bia", PASSWORD);
    let set = answer.header("set-cookie");
    let name = made.cookie_name();
    assert!(set.starts_with(&format!("{name}=")), "{set}");
    for part in ["Path=/", "HttpOnly", "SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Max-Age"), "{set}");
    assert!(
        !answer.body.contains(set.split(['=', ';']).nth(1).unwrap()),
        "only in the cookie"
    );
    let kiosk = made.try_sign_in("tv1", PASSWORD);
    assert!(
        kiosk.header("set-cookie").contains("Max-Age=7776000"),
        "{kiosk:?}"
    );
    let cookie = made.sign_in("bia");
    assert_eq!(made.page("GET", "/status", "", Some(&cookie)).status, 200);
    assert_eq!(made.page("GET", "/status", "", None).status, 401);
    let out = made.page("DELETE", "/api/session", "", Some(&cookie));
    assert_eq!(out.status, 200, "{out:?}");
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(made.page("GET", "/status", "", Some(&cookie)).status, 401);
}

#[test]
fn staff_is_signed_out_after_twelve_idle_hours() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let cookie = made.sign_in("bia");
    let asks = || made.page("GET", "/status", "", Some(&cookie)).status;
    for _ in 0..3 {
        made.running.clock.advance_ns(11 * 3600 * 1_000_000_000);
        assert_eq!(asks(), 200);
    }
    made.running.clock.advance_ns(12 * 3600 * 1_000_000_000);
    assert_eq!(asks(), 401);
}

#[test]
fn the_sixth_wrong_password_waits_and_a_session_that_stands_does_not() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let cookie = made.sign_in("bia");
    for _ in 0..5 {
        let wrong = made.try_sign_in("ana", "wrong password");
        assert_eq!(
            (wrong.status, &wrong.json()["code"]),
            (401, &json!("session_refused"))
        );
    }
    let sixth = made.try_sign_in("ana", PASSWORD);
    assert_eq!(
        (sixth.status, sixth.header("retry-after")),
        (429, "30"),
        "{sixth:?}"
    );
    assert_eq!(sixth.json()["code"], "auth_too_many_tries");
    assert_eq!(sixth.json()["args"]["wait_s"], 30);
    let claim = made.page(
        "POST",
        "/api/claim",
        &claim_body("x", "eva", PASSWORD),
        None,
    );
    assert_eq!(claim.status, 429, "tokens count with passwords");
    assert_eq!(made.page("GET", "/status", "", Some(&cookie)).status, 200);
    made.running.clock.advance_ns(30 * 1_000_000_000);
    assert_eq!(made.try_sign_in("ana", PASSWORD).status, 200);
}

#[test]
fn sessions_are_listed_and_ended_by_administrators_and_by_whose_they_are() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let [ana, bia, tv1] = ["ana", "bia", "tv1"].map(|name| made.sign_in(name));
    let list = |cookie: &str| {
        made.page("GET", "/api/sessions", "", Some(cookie)).json()["sessions"].clone()
    };
    assert_eq!(list(&ana).as_array().unwrap().len(), 3);
    let own = list(&bia);
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!(
        (&own[0]["name"], &own[0]["current"]),
        (&json!("bia"), &json!(true))
    );
    assert_eq!(own[0]["address"], "127.0.0.1");
    let id_of = |name: &str| {
        let all = list(&ana);
        let row = all
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == name)
            .cloned();
        row.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let end = |id: &str, cookie: &str| {
        made.page("DELETE", &format!("/api/sessions/{id}"), "", Some(cookie))
            .status
    };
    assert_eq!(end(&id_of("ana"), &bia), 404, "not theirs");
    assert_eq!(end(&id_of("tv1"), &ana), 200);
    assert_eq!(made.page("GET", "/highlights", "", Some(&tv1)).status, 401);
    assert_eq!(end(&id_of("bia"), &bia), 200);
    assert_eq!(end("0123456789abcdef", &ana), 404);
}

#[test]
fn users_come_and_go_and_one_that_goes_is_signed_out() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let ana = made.sign_in("ana");
    let ask = |method: &str, path: &str, body: Value| {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        made.page(method, path, &body, Some(&ana))
    };
    let added = ask(
        "POST",
        "/api/users",
        json!({"name": "João", "role": "staff", "password": PASSWORD}),
    );
    assert_eq!(added.status, 200, "{added:?}");
    let table = [
        (
            json!({"name": "João", "role": "staff", "password": PASSWORD}),
            409,
            "user_exists",
        ),
        (
            json!({"name": "", "role": "staff", "password": PASSWORD}),
            400,
            "user_name_wrong",
        ),
        (
            json!({"name": "x", "role": "staff", "password": "short"}),
            400,
            "password_too_short",
        ),
        (
            json!({"name": "x", "role": "kiosk", "password": PASSWORD}),
            400,
            "user_court_missing",
        ),
        (
            json!({"name": "x", "role": "root", "password": PASSWORD}),
            400,
            "request_body_unclear",
        ),
        (json!({"name": "x"}), 400, "request_body_unclear"),
        (
            json!({"name": "x".repeat(5000), "role": "staff", "password": PASSWORD}),
            413,
            "request_body_too_large",
        ),
    ];
    for (body, status, code) in table {
        let refused = ask("POST", "/api/users", body.clone());
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (status, Some(code)),
            "{body}"
        );
    }
    let joao = made.sign_in("João");
    let users = ask("GET", "/api/users", Value::Null);
    assert_eq!(users.json()["users"].as_array().unwrap().len(), 4);
    assert!(
        !users.body.contains("hash") && !users.body.contains("argon2"),
        "{users:?}"
    );
    assert_eq!(
        ask("DELETE", "/api/users/Jo%C3%A3o", Value::Null).status,
        200
    );
    assert_eq!(made.page("GET", "/status", "", Some(&joao)).status, 401);
    let last = ask("DELETE", "/api/users/ana", Value::Null);
    assert_eq!(
        (last.status, &last.json()["code"]),
        (409, &json!("user_last_admin"))
    );
}

#[test]
fn what_a_foreign_page_or_name_asks_is_refused_whoever_is_signed_in() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let cookie = made.sign_in("bia");
    let ask = |method: &str, path: &str, origin: Option<&str>| {
        let ask = Ask {
            cookie: Some(&cookie),
            origin,
            bearer: None,
        };
        made.ask(method, path, "", &ask)
    };
    let none = ask("POST", "/save-clip", None);
    assert_eq!(
        (none.status, &none.json()["code"]),
        (403, &json!("auth_origin_missing"))
    );
    let foreign = ask("POST", "/save-clip", Some("http://evil.example"));
    assert_eq!(
        (foreign.status, &foreign.json()["code"]),
        (403, &json!("auth_origin_not_ours"))
    );
    assert_eq!(ask("DELETE", "/api/session", None).status, 403);
    let own = made.origin();
    assert_eq!(ask("POST", "/save-clip", Some(&own)).status, 200);
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        let answer = made.running.send(&format!(
            "{method} /status HTTP/1.1\r\nhost: evil.example\r\ncookie: {cookie}\r\n\r\n"
        ));
        assert_eq!(answer.status, 403, "{method}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let machine = Ask {
        bearer: Some(&bearer),
        ..Ask::default()
    };
    assert_eq!(
        made.ask("POST", "/save-clip", "", &machine).status,
        200,
        "as ever"
    );
}

#[test]
fn a_kiosk_presses_and_sees_its_own_court_only() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let cookie = made.sign_in("tv1");
    let press = |body: &str| made.page("POST", "/save-clip", body, Some(&cookie));
    assert_eq!(press("{}").status, 200);
    let pressed = made.running.fake.pressed();
    assert_eq!(
        pressed[0]
            .cameras
            .iter()
            .map(|id| id.as_str())
            .collect::<Vec<_>>(),
        ["court1"]
    );
    let other = press(r#"{"camera_id": "goal"}"#);
    assert_eq!(
        (other.status, &other.json()["code"]),
        (400, &json!("request_camera_unknown"))
    );
    let file = |name: &str| {
        let path = format!("/highlights/2026-11-21/{}/{name}", super::house::PRESS_ID);
        made.page("GET", &path, "", Some(&cookie)).status
    };
    assert_eq!((file("court1.mp4"), file("goal.mp4")), (200, 404));
}

#[test]
fn a_link_shows_its_presss_videos_until_it_is_over_and_nothing_else() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let (link, id) = made.link(Duration::from_secs(60));
    let get = |link: &str, file: &str| made.page("GET", &format!("/s/{link}/{file}"), "", None);
    let clip = get(&link, "court1.mp4");
    assert_eq!((clip.status, clip.body.as_str()), (200, "goal"));
    assert_eq!(clip.header("cache-control"), "no-store");
    assert_eq!(clip.header("referrer-policy"), "no-referrer");
    assert_eq!(get(&link, "court1.jpg").status, 200);
    for none in [
        "court1.json",
        "nobody.mp4",
        "..%2f..%2faccess%2fusers.json",
        "lock",
    ] {
        assert_eq!(get(&link, none).status, 404, "{none}");
    }
    let guess = get(&"0".repeat(32), "court1.mp4");
    assert_eq!(
        (guess.status, &guess.json()["code"]),
        (404, &json!("link_unknown"))
    );
    made.running.clock.advance_ns(60 * 1_000_000_000);
    let over = get(&link, "court1.mp4");
    assert_eq!(
        (over.status, &over.json()["code"]),
        (410, &json!("link_over"))
    );
    assert!(!over.body.contains(&link), "{over:?}");
    made.store.revoke_link(&id).unwrap();
    let (link, id) = made.link(Duration::from_secs(60));
    assert_eq!(get(&link, "court1.mp4").status, 200);
    made.store.revoke_link(&id).unwrap();
    assert_eq!(get(&link, "court1.mp4").status, 410);
}

#[test]
fn without_a_token_this_machine_is_served_until_there_is_an_administrator() {
    let made = BoxWithUsers::unclaimed(None);
    let status = || made.ask("GET", "/status", "", &Ask::default()).status;
    assert_eq!(status(), 200);
    assert_eq!(
        made.page("GET", "/api/me", "", None).json()["role"],
        "local"
    );
    let first = json!({"name": "eva", "role": "admin", "password": PASSWORD}).to_string();
    let early = made.page("POST", "/api/users", &first, None);
    assert_eq!(
        (early.status, &early.json()["code"]),
        (409, &json!("claim_missing")),
        "not without the token"
    );
    let secret = made.store.setup_token().unwrap().unwrap();
    made.store
        .claim(&secret, "ana", PASSWORD, made.now())
        .unwrap();
    assert_eq!(status(), 401, "a tunnel ends on this machine, too");
    assert_eq!(made.page("GET", "/health", "", None).status, 200);
    let cookie = made.sign_in("ana");
    assert_eq!(made.page("GET", "/status", "", Some(&cookie)).status, 200);
}

#[test]
fn a_damaged_list_of_users_lets_machines_in_and_sets_nobody_up() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    let cookie = made.sign_in("ana");
    std::fs::write(made.folder().join("access/users.json"), "{").unwrap();
    let me = made.page("GET", "/api/me", "", Some(&cookie));
    let token = made.page(
        "POST",
        "/api/claim",
        &claim_body("x", "eva", PASSWORD),
        None,
    );
    let status = made.page("GET", "/status", "", Some(&cookie));
    for answer in [&token, &status] {
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (503, &json!("access_file_damaged")),
            "{answer:?}"
        );
    }
    assert_ne!(me.json()["claimed"], json!(false));
    let bearer = format!("Bearer {TOKEN}");
    let machine = Ask {
        bearer: Some(&bearer),
        ..Ask::default()
    };
    assert_eq!(made.ask("GET", "/status", "", &machine).status, 200);
    assert_eq!(made.page("GET", "/health", "", Some(&cookie)).status, 200);
}

#[test]
fn passwords_are_hashed_one_at_a_time_and_presses_go_on_meanwhile() {
    let made = BoxWithUsers::claimed(Some(TOKEN));
    made.add("caio", AccountRole::Staff);
    let bearer = format!("Bearer {TOKEN}");
    std::thread::scope(|scope| {
        let many: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| made.try_sign_in("caio", PASSWORD).status))
            .collect();
        let machine = Ask {
            bearer: Some(&bearer),
            ..Ask::default()
        };
        assert_eq!(made.ask("POST", "/save-clip", "", &machine).status, 200);
        for one in many {
            assert_eq!(one.join().unwrap(), 200);
        }
    });
}
