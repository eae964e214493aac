//! Looks up names for processes that may not: one thread for each question, at most one question a camera.
//!
//! Not here: who asks (`reach`, in the other process).

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::message::Resolved;

/// Addresses beyond these are not tried.
const MOST: usize = 8;

/// Names that are being looked up.
pub struct NameServer {
    asked: BTreeSet<usize>,
    answers: Receiver<(usize, Resolved)>,
    answer: Sender<(usize, Resolved)>,
}

impl NameServer {
    pub fn new() -> NameServer {
        let (answer, answers) = channel();
        NameServer {
            asked: BTreeSet::new(),
            answers,
            answer,
        }
    }

    /// `wake` is called when the answer is there.
    pub fn ask(&mut self, camera: usize, name: &str, wake: impl Fn() + Send + 'static) {
        if !self.asked.insert(camera) {
            return;
        }
        let (name, answer) = (name.to_owned(), self.answer.clone());
        let looking = std::thread::Builder::new()
            .name("names".to_owned())
            .spawn(move || {
                let _ = answer.send((camera, look_up(&name)));
                wake();
            });
        if let Err(error) = looking {
            let found = Resolved::Nothing(error.to_string());
            let _ = self.answer.send((camera, found));
        }
    }

    pub fn next(&mut self) -> Option<(usize, Resolved)> {
        let answer = self.answers.try_recv().ok()?;
        self.asked.remove(&answer.0);
        Some(answer)
    }
}

fn look_up(name: &str) -> Resolved {
    let found = match (name, 0).to_socket_addrs() {
        Ok(found) => found,
        Err(error) => {
            let error = error.to_string();
            let words = error.rsplit(": ").next().unwrap_or_default();
            return Resolved::Nothing(words.to_lowercase());
        }
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|found| found.ip()) {
        if addresses.len() < MOST && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Resolved::Nothing("it has no address".to_owned()),
        false => Resolved::Addresses(addresses),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_is_looked_up_once_however_often_it_is_asked_for() {
        let (woken, wakes) = channel();
        let mut names = NameServer::new();
        for _ in 0..3 {
            let woken = woken.clone();
            names.ask(4, "localhost", move || woken.send(()).unwrap());
        }
        wakes.recv().unwrap();
        let (camera, found) = names.next().unwrap();
        let Resolved::Addresses(addresses) = found else {
            panic!("{found:?}")
        };
        assert!(camera == 4 && addresses.iter().all(IpAddr::is_loopback));
        assert!(names.next().is_none() && wakes.try_recv().is_err());
    }

    #[test]
    fn a_name_that_nobody_knows_is_an_answer() {
        let found = look_up("no-such-name.invalid");
        assert!(matches!(found, Resolved::Nothing(_)), "{found:?}");
    }
}
