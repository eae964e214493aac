//! The words to systemd (`sd_notify`): a datagram to the socket that it names. Thin.
//!
//! ReasonDetail not the crate `sd-notify` (0.5): it takes a name with `@` for a file's and so finds no abstract socket, and its
//! socket blocks, so that a systemd that hangs would hold up who feeds its watchdog.
//!
//! Not here: when to say what (`service`), whether all is well (`progress`).

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to systemd, where it started us and wants to hear.
#[derive(Debug)]
pub struct Systemd {
    socket: UnixDatagram,
    to: SocketAddr,
    /// Without a word for so long, it restarts us.
    watchdog: Option<Duration>,
}

impl Systemd {
    /// By `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` of the environment; `None`: nobody wants to hear.
    pub fn of(env: &BTreeMap<String, String>, pid: u32) -> std::io::Result<Option<Systemd>> {
        let Some(name) = env.get("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let to = match name.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A systemd that hangs holds nobody up; the next word comes soon.
        socket.set_nonblocking(true)?;
        Ok(Some(Systemd {
            socket,
            to,
            watchdog: watchdog(env, pid),
        }))
    }

    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// One or several assignments, each on a line: `READY=1`, `STATUS=…`, `WATCHDOG=1`, `STOPPING=1`.
    pub fn say(&self, words: &str) -> std::io::Result<()> {
        self.socket
            .send_to_addr(words.as_bytes(), &self.to)
            .map(drop)
    }
}

fn watchdog(env: &BTreeMap<String, String>, pid: u32) -> Option<Duration> {
    let ours = env
        .get("WATCHDOG_PID")
        .is_none_or(|named| named.parse() == Ok(pid));
    let micros: u64 = env.get("WATCHDOG_USEC")?.parse().ok()?;
    (ours && micros > 0).then(|| Duration::from_micros(micros))
}

/// A status line: one line, and not too long for a terminal.
pub fn status_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    format!("STATUS={line}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn words_arrive_at_a_socket_with_a_path_and_at_an_abstract_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let abstract_name = format!("hindsight-test-{}", std::process::id());
        let abstract_addr = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let sockets = [
            (
                UnixDatagram::bind(&path).unwrap(),
                path.display().to_string(),
            ),
            (
                UnixDatagram::bind_addr(&abstract_addr).unwrap(),
                format!("@{abstract_name}"),
            ),
        ];
        for (socket, name) in sockets {
            let systemd = Systemd::of(&env(&[("NOTIFY_SOCKET", &name)]), 1)
                .unwrap()
                .unwrap();
            assert_eq!(systemd.watchdog(), None);
            systemd.say("READY=1\nSTATUS=all is well").unwrap();
            let mut words = [0; 100];
            let n = socket.recv(&mut words).unwrap();
            assert_eq!(&words[..n], b"READY=1\nSTATUS=all is well");
        }
    }

    #[test]
    fn without_systemd_nothing_is_said_and_its_watchdog_is_for_the_one_it_names() {
        assert!(Systemd::of(&env(&[]), 1).unwrap().is_none());
        assert!(
            Systemd::of(&env(&[("NOTIFY_SOCKET", "")]), 1)
                .unwrap()
                .is_none()
        );
        let usec = ("WATCHDOG_USEC", "30000000");
        assert_eq!(watchdog(&env(&[usec]), 7), Some(Duration::from_secs(30)));
        assert_eq!(
            watchdog(&env(&[usec, ("WATCHDOG_PID", "7")]), 7),
            Some(Duration::from_secs(30))
        );
        assert_eq!(watchdog(&env(&[usec, ("WATCHDOG_PID", "8")]), 7), None);
        assert_eq!(watchdog(&env(&[("WATCHDOG_USEC", "0")]), 7), None);
        assert_eq!(status_line("a\nb"), "STATUS=a b");
    }
}
