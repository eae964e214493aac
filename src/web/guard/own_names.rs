//! Under which names this box may be asked, and from which pages. Pure.
//!
//! A browser can be made to ask this box in somebody else's name in two ways. Either a foreign page sends the request
//! (its `Origin` is foreign); or a foreign name is made to lead to this box's address ("DNS rebinding": then `Host` is
//! foreign, and `Origin` equals it). So `Host` must be ours. An address written as a number is always ours: what leads to
//! it is the network alone, and a page at such an address came from this box.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnNames {
    of_machine: Vec<String>,
    configured: Vec<String>,
}

impl OwnNames {
    /// `hostname`, with and without `.local`, and those of the config.
    pub fn new(hostname: &str, configured: &[String]) -> OwnNames {
        let host = hostname.trim().trim_end_matches('.').to_ascii_lowercase();
        let mut names = vec!["localhost".to_owned()];
        if !host.is_empty() {
            let first = host.split('.').next().unwrap_or(&host);
            names.push(format!("{first}.local"));
            names.push(host);
        }
        OwnNames {
            of_machine: names,
            configured: configured
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
        }
    }

    /// Whether `host[:port]` is this box.
    pub fn are(&self, host: &str) -> bool {
        match host_of(host) {
            Some(HostName::Address(_)) => true,
            Some(HostName::Name(name)) => {
                is_among(name, &self.of_machine) || is_among(name, &self.configured)
            }
            None => false,
        }
    }

    /// Whether it is one of the config's.
    pub fn are_configured(&self, host: &str) -> bool {
        match host_of(host) {
            Some(HostName::Name(name)) => is_among(name, &self.configured),
            Some(HostName::Address(_)) | None => false,
        }
    }
}

fn is_among(name: &str, names: &[String]) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

enum HostName<'a> {
    Address(IpAddr),
    Name(&'a str),
}

/// Without its port.
fn host_of(host: &str) -> Option<HostName<'_>> {
    let is_port = |text: &str| text.len() <= 5 && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let port_is_right = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        let address = address.parse::<Ipv6Addr>().ok()?;
        return port_is_right.then_some(HostName::Address(address.into()));
    }
    let name = match host.split_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) => return None,
        None => host,
    };
    match name.parse::<Ipv4Addr>() {
        Ok(address) => Some(HostName::Address(address.into())),
        Err(_) => Some(HostName::Name(name)),
    }
}

/// Whether `host[:port]` can only mean this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    match host_of(host) {
        Some(HostName::Address(ip)) => ip.is_loopback(),
        Some(HostName::Name(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Whether a page of `origin` is one of the `host` that it asks.
pub(super) fn is_same_origin(origin: &str, host: &str) -> bool {
    let scheme = "http://";
    origin
        .strip_prefix(scheme)
        .is_some_and(|page| page.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_localhost_the_machines_name_and_the_configs_names_are_ours() {
        let names = OwnNames::new("Arena-2.lan\n", &["replay.venue.example".to_owned()]);
        for own in [
            "192.0.2.1",
            "192.0.2.1:8080",
            "10.0.0.7:80",
            "[2001:db8::1]:8080",
            "[::1]",
            "localhost:8080",
            "LOCALHOST",
            "arena-2.lan",
            "arena-2.local:8080",
            "Arena-2.local.",
            "replay.VENUE.example:443",
        ] {
            assert!(names.are(own), "{own}");
        }
        for foreign in [
            "",
            ":8080",
            "evil.example",
            "arena-2",
            "arena-2.lan.evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "192.0.2",
            "192.0.2.1:80:80",
            "192.0.2.1:evil",
            "0x7f.1",
            "[::1",
            "[::1]evil.example",
            "[evil.example]",
            "localhost@evil.example",
            "localhost..",
            "replay.venue.example:",
        ] {
            let empty_port = foreign.ends_with(':');
            assert!(!names.are(foreign) || empty_port, "{foreign}");
        }
        assert!(OwnNames::new("", &[]).are("localhost"));
        assert!(!OwnNames::new("", &[]).are(".local"));
    }

    #[test]
    fn a_page_is_ours_if_it_came_from_where_it_asks() {
        assert!(is_same_origin("http://box.local:8080", "box.local:8080"));
        assert!(is_same_origin("http://BOX.local", "box.local"));
        for origin in [
            "",
            "null",
            "http://",
            "http://box.local",
            "https://box.local:8080",
            "http://evil.example:8080",
        ] {
            assert!(!is_same_origin(origin, "box.local:8080"), "{origin}");
        }
    }
}
