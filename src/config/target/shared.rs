//! What targets of several kinds share: the key of the video, addresses, secrets, certificates.

use std::path::{Path, PathBuf};

use url::Url;

use crate::base::sentence::{Coded, Sentence};
use crate::config::checker::{Checker, KeySentence, ValueSentence};
use crate::config::secret::{Secret, secret};
use crate::config::template::KeyTemplate;
use crate::config::text_file::read_text;
use crate::config::written::{Cell, Table};

crate::sentences! {
    /// What is wrong with an address; within another sentence.
    pub enum WebAddressSentence {
        NoAddress {} = "config_no_web_address": "is no web address",
        OtherScheme {} = "config_web_address_other_scheme":
            "begins neither with https:// nor with http://",
        Credentials {} = "config_web_address_with_credentials":
            "holds a user name or password, which have keys of their own",
        Query {} = "config_web_address_query": "has a ? or # in it",
        WithPath {} = "config_web_address_path":
            "has a path; that belongs into register_path and finalize_path",
        PortZero {} = "config_web_address_port_zero": "has port 0",
    }
}

crate::sentences! {
    /// What is wrong with a value of a target; follows `key = value`.
    pub enum TargetValueSentence {
        NotEncrypted {} = "config_target_not_encrypted":
            "is not encrypted: everybody on the way can see the clips; write https:// \
             where the server has it",
        NotSendable { example: &'static str } = "config_target_not_sendable":
            "cannot be sent; write letters, digits and signs, like \"{example}\"",
        CaMissing {} = "config_ca_file_missing":
            "does not exist; copy the certificate authority there",
        CaUnreadable { why: Sentence } = "config_ca_file_unreadable": "{why}",
        NoCertificate {} = "config_ca_file_no_certificate":
            "holds no certificate; it must be PEM, with BEGIN CERTIFICATE",
    }
}

/// Reports a key that must be there.
pub fn needs(check: &mut Checker<'_>, table: &Table, key: &str, example: &str) {
    if table.get(key).is_none() {
        let id = table.text("id");
        let which = id.map_or_else(String::new, |id| format!(" {id}"));
        let what = KeySentence::Missing {
            table: format!("[[target]]{which}"),
            missing: key.to_owned(),
            example: format!("\"{example}\""),
        };
        check.found.problem(&table.place, what);
    }
}

pub fn key(check: &mut Checker<'_>, table: &Table) -> KeyTemplate {
    let Some(cell) = table.get("key") else {
        return KeyTemplate::default();
    };
    match cell.text().map(KeyTemplate::new) {
        Some(Ok(key)) => return key,
        Some(Err(why)) => check.found.reject(cell, why),
        None => check.found.reject(cell, ValueSentence::NotText {}),
    }
    KeyTemplate::default()
}

/// A web address; `path`: it may have one.
pub fn url(
    check: &mut Checker<'_>,
    table: &Table,
    key: &str,
    example: &str,
    path: bool,
) -> Option<Url> {
    needs(check, table, key, example);
    let cell = table.get(key)?;
    let why = match cell.text().map(|text| web_address(text.trim(), path)) {
        Some(Ok(url)) => {
            warn_of_plain_http(check, cell, &url);
            return Some(url);
        }
        Some(Err(why)) => why.sentence(),
        None => ValueSentence::NoText {}.sentence(),
    };
    let example = format!("\"{example}\"");
    check
        .found
        .reject(cell, ValueSentence::WriteItLike { why, example });
    None
}

/// A web address without user, query and fragment; without path unless it may have one.
fn web_address(text: &str, path: bool) -> Result<Url, WebAddressSentence> {
    let url = Url::parse(text).map_err(|_| WebAddressSentence::NoAddress {})?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(WebAddressSentence::OtherScheme {});
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(WebAddressSentence::Credentials {});
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(WebAddressSentence::Query {});
    }
    if !path && url.path() != "/" {
        return Err(WebAddressSentence::WithPath {});
    }
    if url.port() == Some(0) {
        return Err(WebAddressSentence::PortZero {});
    }
    Ok(url)
}

fn warn_of_plain_http(check: &mut Checker<'_>, cell: &Cell, url: &Url) {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    if url.scheme() == "http" && !loopback {
        let why = TargetValueSentence::NotEncrypted {};
        check.found.warn_of(cell, why);
    }
}

/// A text that stands in a header.
pub fn header_text(
    check: &mut Checker<'_>,
    table: &Table,
    key: &str,
    example: &'static str,
) -> Option<String> {
    needs(check, table, key, example);
    let wrong = TargetValueSentence::NotSendable { example };
    check.text(table, key, wrong, is_header_text)
}

pub fn is_header_text(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

pub fn target_secret(
    check: &mut Checker<'_>,
    table: &Table,
    key: &str,
    id: &str,
) -> Option<Secret> {
    let credential = format!("target.{id}.{key}");
    let file_key = format!("{key}_file");
    let before = check.found.problems.len();
    let read = secret(check, table, key, &credential);
    if read.is_none() && check.found.problems.len() == before {
        needs(check, table, &file_key, "/etc/hindsight/cloud.secret");
    }
    if let (Some(""), Some(cell)) = (read.as_ref().map(Secret::reveal), table.get(key)) {
        check.found.reject(cell, ValueSentence::Empty {});
    }
    read
}

pub fn ca_file(check: &mut Checker<'_>, table: &Table) -> Option<PathBuf> {
    let path = check.path(table, "ca_file", "/etc/hindsight/ca.pem")?;
    if let (Some(cell), Err(why)) = (table.get("ca_file"), is_pem(&path)) {
        check.found.reject(cell, why);
    }
    Some(path)
}

fn is_pem(path: &Path) -> Result<(), TargetValueSentence> {
    let text = read_text(path).map_err(|why| match path.exists() {
        true => TargetValueSentence::CaUnreadable {
            why: why.sentence(),
        },
        false => TargetValueSentence::CaMissing {},
    })?;
    match text.contains("-----BEGIN CERTIFICATE-----") {
        true => Ok(()),
        false => Err(TargetValueSentence::NoCertificate {}),
    }
}
