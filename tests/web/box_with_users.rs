//! A server with users, a highlight, and requests in the name of each role.

use std::path::Path;
use std::time::Duration;

use hindsight::access::{AccessStore, AccountRole, Moment, NewAccount};
use hindsight::base::{Clock, PressId};
use hindsight::config::Secret;
use hindsight::disk::Disk;
use tempfile::TempDir;

use super::house::{Answer, Fake, PRESS_ID, Running, start_with};

pub const TOKEN: &str = "a-token-of-the-venue";
pub const PASSWORD: &str = "golo na quadra";
pub const DAY: &str = "2026-11-21";

pub struct BoxWithUsers {
    pub storage: TempDir,
    pub running: Running,
    pub store: AccessStore,
}

/// A request as a browser or a machine sends it.
#[derive(Clone, Default)]
pub struct Ask<'a> {
    pub cookie: Option<&'a str>,
    pub bearer: Option<&'a str>,
    pub origin: Option<&'a str>,
}

impl BoxWithUsers {
    /// Nobody has set it up.
    pub fn unclaimed(token: Option<&str>) -> BoxWithUsers {
        let storage = tempfile::tempdir().unwrap();
        let folder = storage.path().join("highlights").join(DAY).join(PRESS_ID);
        std::fs::create_dir_all(&folder).unwrap();
        for file in ["court1.mp4", "court1.jpg", "court1.json", "goal.mp4"] {
            std::fs::write(folder.join(file), "goal").unwrap();
        }
        let running = start_with(Fake::default(), |settings| {
            settings.token = token.map(Secret::new);
            settings.storage = storage.path().to_owned();
            settings.highlights = storage.path().join("highlights");
        });
        let store = AccessStore::new(Disk::default(), storage.path());
        BoxWithUsers {
            storage,
            running,
            store,
        }
    }

    /// With the administrator `ana`, the staff `bia`, and `tv1` on court 1 (camera `court1`).
    pub fn claimed(token: Option<&str>) -> BoxWithUsers {
        let made = BoxWithUsers::unclaimed(token);
        let secret = made.store.setup_token().unwrap().unwrap();
        made.store
            .claim(&secret, "ana", PASSWORD, made.now())
            .unwrap();
        made.add("bia", AccountRole::Staff);
        made.add("tv1", AccountRole::Kiosk);
        made
    }

    pub fn add(&self, name: &str, role: AccountRole) {
        let court = (role == AccountRole::Kiosk).then(|| "1".to_owned());
        let new = NewAccount {
            name: name.to_owned(),
            role,
            court,
        };
        self.store.add(new, PASSWORD, self.now()).unwrap();
    }

    pub fn now(&self) -> Moment {
        Moment::of(self.running.clock.as_ref() as &dyn Clock)
    }

    /// The secret of a link to the press, and its id.
    pub fn link(&self, lasts: Duration) -> (String, String) {
        let press = PressId::try_from(PRESS_ID.to_owned()).unwrap();
        let (secret, link) = self
            .store
            .make_link(&press, DAY, lasts, self.now())
            .unwrap();
        (secret.reveal().to_owned(), link.id)
    }

    pub fn origin(&self) -> String {
        format!("http://localhost:{}", self.running.addr.port())
    }

    pub fn cookie_name(&self) -> String {
        format!("hindsight_{}", self.running.addr.port())
    }

    pub fn ask(&self, method: &str, path: &str, body: &str, ask: &Ask) -> Answer {
        let port = self.running.addr.port();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\n");
        for (name, value) in [
            ("cookie", ask.cookie),
            ("authorization", ask.bearer),
            ("origin", ask.origin),
        ] {
            if let Some(value) = value {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        if !body.is_empty() {
            head.push_str(&format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            ));
        }
        self.running.send(&format!("{head}\r\n{body}"))
    }

    /// Of this box's own page.
    pub fn page(&self, method: &str, path: &str, body: &str, cookie: Option<&str>) -> Answer {
        let origin = self.origin();
        self.ask(
            method,
            path,
            body,
            &Ask {
                cookie,
                origin: Some(&origin),
                bearer: None,
            },
        )
    }

    pub fn try_sign_in(&self, name: &str, password: &str) -> Answer {
        let body = serde_json::json!({"name": name, "password": password}).to_string();
        self.page("POST", "/api/session", &body, None)
    }

    /// The cookie, as a browser sends it.
    pub fn sign_in(&self, name: &str) -> String {
        let answer = self.try_sign_in(name, PASSWORD);
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        let cookie = answer.header("set-cookie");
        cookie.split(';').next().unwrap().to_owned()
    }

    pub fn folder(&self) -> &Path {
        self.storage.path()
    }
}
