//! `[http]`: where the API and the page listen, and who may ask.
//!
//! Not here: opening a port (`web`).

use std::net::SocketAddr;

use super::checker::{Checker, Quoted};
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::place::SourceLocation;
use super::secret::{Secret, secret};
use super::written::{Cell, Table};
use crate::base::sentence::{Coded, Sentence};

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "http",
    &[
        key("listen", Kind::Text, "\"127.0.0.1:8080\"", "address and port; `\"0.0.0.0:8080\"`: everybody, and then a token is needed"),
        key("token", Kind::Secret, "", "what a remote control must know; at least 16 characters"),
        key("names", Kind::List, "", "names under which browsers ask, besides the machine's own and all addresses, like `[\"replay.venue.example\"]`"),
        key("token_file", Kind::Path, "", "the same, on one line of a file of its own"),
    ],
);
const MOST_NAMES: usize = 32;
const SHORTEST_TOKEN: usize = 16;
const LONGEST_TOKEN: usize = 512;

#[derive(Clone, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// Bearer token; `None` only on loopback.
    pub token: Option<Secret>,
    /// Names under which the box is asked, besides its own; in lower case.
    pub names: Vec<String>,
}

crate::sentences! {
    /// What is wrong with an address; follows `key = value`.
    pub enum HttpSentence {
        NoAddress {} = "config_no_listen_address":
            "is no address and port; write \"127.0.0.1:8080\" for this machine only, \
             \"0.0.0.0:8080\" for all",
        OpenWithoutToken {} = "config_open_without_token":
            "can be reached by other machines, so a token is needed; add token_file = \
             \"/etc/hindsight/token\" (make one with: openssl rand -hex 24), or listen on \
             \"127.0.0.1:8080\"",
    }
}

crate::sentences! {
    /// What is wrong with the names; follows `key = value`.
    pub enum HostNameSentence {
        NoHostName { name: Quoted } = "config_no_host_name":
            "names {name}, which is no name of a machine; write it as a browser shows it, without http://, port and path",
        TooMany { most: usize } = "config_too_many_host_names":
            "has too many names; at most {most}",
    }
}

crate::sentences! {
    /// What is wrong with a token; follows its name, and its value where it has one.
    pub enum TokenSentence {
        Short { characters: usize, least_characters: usize } = "config_token_too_short":
            "is a token of {characters} characters; use at least {least_characters} \
             (make one with: openssl rand -hex 24)",
        NoToken { most_characters: usize } = "config_no_token":
            "is no token; use up to {most_characters} letters, digits and signs without spaces \
             (make one with: openssl rand -hex 24)",
    }
}

crate::sentences! {
    /// The same about systemd's credential; a whole sentence.
    pub enum TokenCredentialSentence {
        Bad { why: Sentence } = "config_token_credential":
            "systemd's credential http.token {why}",
    }
}

pub fn check(check: &mut Checker<'_>) -> Http {
    let table = check.written.table("http");
    let token = secret(check, table, "token", "http.token");
    let cell = table.get("token").or(table.get("token_file"));
    if let Some(why) = token.as_ref().and_then(|token| wrong_with(token.reveal())) {
        report_token(check, cell, why);
    }
    let listen = listen(check, table);
    let open = !listen.ip().to_canonical().is_loopback();
    if let (true, None, None, Some(listen)) = (open, &token, cell, table.get("listen")) {
        check
            .found
            .reject(listen, HttpSentence::OpenWithoutToken {});
    }
    let names = names(check, table);
    Http {
        listen,
        token,
        names,
    }
}

fn names(check: &mut Checker<'_>, table: &Table) -> Vec<String> {
    let Some((cell, written)) = check.list(table, "names", "[\"replay.venue.example\"]") else {
        return Vec::new();
    };
    if written.len() > MOST_NAMES {
        check
            .found
            .reject(cell, HostNameSentence::TooMany { most: MOST_NAMES });
        return Vec::new();
    }
    if let Some(wrong) = written.iter().find(|name| !is_host_name(name)) {
        let name = Quoted(wrong.chars().take(60).collect());
        check
            .found
            .reject(cell, HostNameSentence::NoHostName { name });
        return Vec::new();
    }
    written
        .iter()
        .map(|name| name.to_ascii_lowercase())
        .collect()
}

fn is_host_name(name: &str) -> bool {
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(part)
}

fn wrong_with(token: &str) -> Option<TokenSentence> {
    if token.len() < SHORTEST_TOKEN {
        return Some(TokenSentence::Short {
            characters: token.len(),
            least_characters: SHORTEST_TOKEN,
        });
    }
    let visible = token.bytes().all(|b| b.is_ascii_graphic());
    (!visible || token.len() > LONGEST_TOKEN).then_some(TokenSentence::NoToken {
        most_characters: LONGEST_TOKEN,
    })
}

fn report_token(check: &mut Checker<'_>, cell: Option<&Cell>, why: TokenSentence) {
    match cell {
        Some(cell) => check.found.reject(cell, why),
        None => {
            let why = why.sentence();
            let what = TokenCredentialSentence::Bad { why };
            check.found.problem(&SourceLocation::Environment, what);
        }
    }
}

fn listen(check: &mut Checker<'_>, table: &Table) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 8080));
    let Some(cell) = table.get("listen") else {
        return default;
    };
    let text = cell.text().unwrap_or("").trim();
    text.parse().unwrap_or_else(|_| {
        check.found.reject(cell, HttpSentence::NoAddress {});
        default
    })
}
