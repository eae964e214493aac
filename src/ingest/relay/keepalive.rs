//! What keeps a camera's session up, whatever it answers. Pure.
//!
//! Retina asks again and again, and ends a session whose answer is missing or odd. So it is the relay that
//! answers retina, at once, and asks the camera itself: one that sends is alive.
//!
//! Not here: how often (retina, by the session's timeout).

use super::super::sentence::QuirkSentence as Quirk;
use super::text::{RtspText, StartLine};

/// Ways to ask, in the order in which they are tried.
const METHODS: [&str; 3] = ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER"];
/// Questions that may be open; the oldest is then no longer waited for.
const MOST_OPEN: usize = 2;

/// Which way the camera is asked, and what it did not answer.
#[derive(Debug, Default)]
pub struct KeepAlive {
    method: usize,
    /// Ways that it refused.
    refused: usize,
    open: Vec<u32>,
}

/// Whether a request does nothing but keep the session up.
pub fn keeps_up(method: &str) -> bool {
    METHODS.contains(&method)
}

/// What retina hears: all is well. It is told of no method, and so goes on with OPTIONS.
pub fn answer(session: &str) -> RtspText {
    RtspText {
        start: StartLine::Answer {
            status: 200,
            reason: "OK".to_owned(),
        },
        headers: vec![("Session".to_owned(), session.to_owned())],
        body: Vec::new(),
    }
}

impl KeepAlive {
    /// The camera said what it understands (`Public`).
    pub fn understands(&mut self, public: &str) {
        let offers = |method: &str| {
            let mut words = public.split([',', ' ']).map(str::trim);
            words.any(|word| word.eq_ignore_ascii_case(method))
        };
        // Some do not count OPTIONS as a sign of life.
        if self.refused == 0 && offers("GET_PARAMETER") {
            self.method = 1;
        }
    }

    /// The camera is asked, under this number. `Some`: it has left questions open.
    pub fn ask(&mut self, sequence: u32) -> (&'static str, Option<Quirk>) {
        let silent = self.open.len() >= MOST_OPEN;
        if silent {
            self.open.remove(0);
        }
        self.open.push(sequence);
        let method = METHODS.get(self.method).copied().unwrap_or("OPTIONS");
        (method, silent.then_some(Quirk::SilentKeepAlive {}))
    }

    /// It answered this one, with this status; 401 is asked again under another number. Whether it was ours.
    pub fn answered(&mut self, sequence: u32, status: u16) -> bool {
        let Some(at) = self.open.iter().position(|open| *open == sequence) else {
            return false;
        };
        self.open.drain(..=at);
        if !(200..300).contains(&status) && status != 401 && self.refused < METHODS.len() {
            self.refused += 1;
            self.method = (self.method + 1) % METHODS.len();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_understands_one_way_is_asked_in_that_one() {
        let mut up = KeepAlive::default();
        assert_eq!(up.ask(1), ("OPTIONS", None));
        assert!(up.answered(1, 200));
        up.understands("OPTIONS, DESCRIBE, GET_PARAMETER");
        assert_eq!(up.ask(2).0, "GET_PARAMETER");
        assert!(up.answered(2, 501));
        assert_eq!(up.ask(3).0, "SET_PARAMETER");
        assert!(up.answered(3, 400));
        assert_eq!(up.ask(4).0, "OPTIONS");
        assert!(up.answered(4, 551));
        // It refuses all: it is asked in one way, for ever.
        let last = up.ask(5).0;
        assert!(up.answered(5, 551));
        assert_eq!(up.ask(6).0, last);
    }

    #[test]
    fn a_camera_that_never_answers_is_asked_on_and_it_is_told() {
        let mut up = KeepAlive::default();
        let told: Vec<bool> = (1..6).map(|number| up.ask(number).1.is_some()).collect();
        assert_eq!(told, [false, false, true, true, true]);
        assert!(up.open.len() <= MOST_OPEN);
        assert!(!up.answered(1, 200));
        assert!(up.answered(5, 200));
        assert_eq!(up.ask(6).1, None);
    }

    #[test]
    fn only_what_does_nothing_else_keeps_up() {
        assert!(keeps_up("OPTIONS") && keeps_up("SET_PARAMETER"));
        assert!(!keeps_up("PLAY") && !keeps_up("TEARDOWN"));
    }
}
