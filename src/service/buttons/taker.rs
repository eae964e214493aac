//! One button's presses through the gate, and what became of them.
//!
//! Not here: what its edges mean, who does it when (`buttons`).

use std::sync::Arc;

use super::hands::Hands;
use crate::base::{PressId, PressRequest, Source};
use crate::config::{Button, PressWindow};
use crate::trigger::gesture::Gesture;

/// What is done for a button, in its order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Press { at_mono_ns: u64, undecided: bool },
    Again { at_mono_ns: u64, of_mono_ns: u64 },
    Decide { at_mono_ns: u64, gesture: Gesture },
}

/// What became of the press of an instant, for the cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PressOutcome {
    Taken { at_mono_ns: u64 },
    Refused { at_mono_ns: u64 },
}

/// Takes the presses of one button through the gate, one after the other.
pub(super) struct Taker {
    /// Of its button.
    pub(super) index: usize,
    button: Button,
    hands: Arc<dyn Hands>,
    /// Instant of the last press, and its id where it was taken.
    last: Option<(u64, Option<PressId>)>,
    /// What it saves behind its instant.
    post_ms: u64,
}

impl Taker {
    pub(super) fn new(index: usize, button: &Button, hands: &Arc<dyn Hands>) -> Taker {
        Taker {
            index,
            button: button.clone(),
            hands: hands.clone(),
            last: None,
            post_ms: 0,
        }
    }

    pub(super) fn act(&mut self, wish: Wish) -> Option<PressOutcome> {
        match wish {
            Wish::Press {
                at_mono_ns,
                undecided,
            } => Some(self.press(at_mono_ns, undecided)),
            Wish::Again {
                at_mono_ns,
                of_mono_ns,
            } => self.again(at_mono_ns, of_mono_ns),
            Wish::Decide {
                at_mono_ns,
                gesture,
            } => {
                self.decide(at_mono_ns, gesture);
                None
            }
        }
    }

    /// Doing it ended in an error of the program.
    pub(super) fn failed(&mut self, wish: Wish) -> Option<PressOutcome> {
        let id = self.button.id.as_str();
        log::error!(target: "hindsight", event = "clip_refused", button = id;
            "button {id}: {wish:?} was lost in an error in the program");
        let (Wish::Press { at_mono_ns, .. } | Wish::Again { at_mono_ns, .. }) = wish else {
            return None;
        };
        self.hands.failed();
        self.last = Some((at_mono_ns, None));
        Some(PressOutcome::Refused { at_mono_ns })
    }

    fn press(&mut self, at_mono_ns: u64, undecided: bool) -> PressOutcome {
        let button = &self.button;
        let request = PressRequest {
            cameras: button.cameras.clone(),
            instant_mono_ns: at_mono_ns,
            pre_ms: button.single.pre_ms,
            post_ms: button.single.post_ms,
            source: Source::Button,
            button: Some(button.id.clone()),
        };
        let others: Vec<PressWindow> = match undecided {
            true => [button.long, button.double].into_iter().flatten().collect(),
            false => Vec::new(),
        };
        // The gate has told.
        let taken = self.hands.press(&request, &others);
        let id = taken.ok().map(|ack| ack.press.id);
        let answer = match id {
            Some(_) => PressOutcome::Taken { at_mono_ns },
            None => PressOutcome::Refused { at_mono_ns },
        };
        self.last = Some((at_mono_ns, id));
        self.post_ms = self.button.single.post_ms;
        answer
    }

    /// A press within the cooldown of another: in its clip, if it gets one.
    fn again(&mut self, at_mono_ns: u64, of_mono_ns: u64) -> Option<PressOutcome> {
        if matches!(self.last, Some((_, None))) {
            // That was not known when it was heard.
            return Some(self.press(at_mono_ns, false));
        }
        self.hands.again();
        let id = self.button.id.as_str();
        let after_ms = at_mono_ns.saturating_sub(of_mono_ns) / 1_000_000;
        log::info!(target: "hindsight", event = "clip_again", button = id, after_ms;
            "button {id} was pressed again {after_ms} ms after its last press: {}",
            if after_ms < self.post_ms { "its clip has this moment, too" }
            else { "no other clip is made within its cooldown" });
        None
    }

    fn decide(&mut self, at_mono_ns: u64, gesture: Gesture) {
        let Some((at, Some(press))) = &self.last else {
            return;
        };
        let button = &self.button;
        let window = match gesture {
            Gesture::Plain => Some(button.single),
            Gesture::Long => button.long,
            Gesture::Double => button.double,
        };
        if let (true, Some(window)) = (*at == at_mono_ns, window) {
            self.hands.decide(press, window);
            self.post_ms = window.post_ms;
        }
    }
}
