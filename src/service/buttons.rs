//! Between board and press gate: what the buttons' edges mean becomes presses, decisions and
//! the wish to stop the box.
//!
//! Of a few threads one hears all buttons. When it hears of a press it lets another hear
//! on and takes the press through the gate itself: nobody has to be woken for it, and
//! however long it waits for a disk, the buttons are heard. A button's presses are taken
//! one after the other, those of several buttons share a sync of the journal. At rest all
//! sleep without a deadline.
//!
//! Not here: what edges mean (`trigger`), opening hours and lights (`press_gate`), pins (`board`).

mod hands;
mod taker;

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use crate::base::{Clock, Coded, Sentence, lock};
use crate::board::{BoardError, BoardEvent, Edge};
use crate::config::Button;
use crate::trigger::gesture::{Action, GestureRules, Machine};
pub(crate) use hands::{Hands, ServiceHands};
use taker::{PressOutcome, Taker, Wish};

/// The threads. Dropping it ends them, after the presses that they have heard of.
pub(crate) struct Buttons {
    over: Option<Sender<()>>,
    /// Disconnected when no press is on its way any more.
    gone: Receiver<()>,
}

/// How long the end waits for presses that wait for a disk.
const LEAVING: Duration = Duration::from_secs(2);

impl Drop for Buttons {
    fn drop(&mut self) {
        drop(self.over.take());
        let _ = self.gone.recv_timeout(LEAVING);
    }
}

/// Starts to act on what is heard of `buttons`.
pub(crate) fn start(
    buttons: &[Button],
    heard: Receiver<BoardEvent>,
    hands: Arc<dyn Hands>,
    clock: Arc<dyn Clock>,
) -> io::Result<Buttons> {
    let (back, backs) = crossbeam_channel::unbounded();
    let (over, is_over) = crossbeam_channel::bounded::<()>(0);
    let (alive, gone) = crossbeam_channel::bounded::<()>(0);
    let row = buttons.iter().enumerate();
    let row = row.map(|(index, button)| OneButton::new(index, button, &hands));
    let mut listener = Listener {
        row: row.collect(),
        hands,
        clock,
        heard,
        over: is_over,
        ended: false,
        back,
        backs,
    };
    listener.look_at_the_start();
    let ear = Arc::new(Mutex::new(listener));
    // Each button may wait for a disk, and somebody must still hear.
    for _ in 0..=buttons.len() {
        let (ear, alive) = (ear.clone(), alive.clone());
        std::thread::Builder::new()
            .name("buttons".to_owned())
            .spawn(move || {
                serve(&ear);
                drop(alive);
            })?;
    }
    Ok(Buttons {
        over: Some(over),
        gone,
    })
}

/// Hears until there is something to do, does it, and gets in line again.
fn serve(ear: &Mutex<Listener>) {
    loop {
        let work = lock(ear).next();
        let Some(Work {
            mut taker,
            wish,
            back,
        }) = work
        else {
            return;
        };
        // A button that works no more after an error would be pressed in vain.
        let done = catch_unwind(AssertUnwindSafe(|| taker.act(wish)));
        let answer = done.unwrap_or_else(|_| taker.failed(wish));
        // Nobody listens at the end of the service.
        let _ = back.send(Back { taker, answer });
    }
}

/// One wish of one button, for whoever heard of it.
struct Work {
    taker: Taker,
    wish: Wish,
    back: Sender<Back>,
}

/// A button's wish was done.
struct Back {
    taker: Taker,
    answer: Option<PressOutcome>,
}

/// A button as the listener has it.
struct OneButton {
    id: String,
    machine: Machine,
    /// Why it does not work, as its backend says.
    broken: Option<BoardError>,
    stuck: bool,
    wishes: VecDeque<Wish>,
    /// Out while somebody does a wish of this button.
    taker: Option<Taker>,
}

impl OneButton {
    fn new(index: usize, button: &Button, hands: &Arc<dyn Hands>) -> OneButton {
        OneButton {
            id: button.id.clone(),
            machine: Machine::new(GestureRules::of(button)),
            broken: None,
            stuck: false,
            wishes: VecDeque::new(),
            taker: Some(Taker::new(index, button, hands)),
        }
    }

    /// For the staff.
    fn trouble(&self) -> Option<Sentence> {
        let stuck = self.stuck.then_some(BoardError::HeldLong {});
        self.broken.clone().or(stuck).map(|error| error.sentence())
    }
}

/// Hears all buttons.
struct Listener {
    row: Vec<OneButton>,
    hands: Arc<dyn Hands>,
    clock: Arc<dyn Clock>,
    heard: Receiver<BoardEvent>,
    over: Receiver<()>,
    /// What was begun is finished, and nothing is heard any more.
    ended: bool,
    back: Sender<Back>,
    backs: Receiver<Back>,
}

impl Listener {
    fn look_at_the_start(&mut self) {
        for button in 0..self.row.len() {
            if self.hands.held(button) == Some(true) {
                let now = self.clock.mono_ns();
                let actions = self.row[button].machine.held_at_start(now);
                self.act(button, actions);
            }
        }
    }

    /// Listens until there is something to do; `None`: never again.
    fn next(&mut self) -> Option<Work> {
        loop {
            if let Some(work) = self.work() {
                return Some(work);
            }
            if self.ended && self.row.iter().all(|button| button.taker.is_some()) {
                return None;
            }
            self.listen();
        }
    }

    /// The first wish of a button for which nobody does anything at present.
    fn work(&mut self) -> Option<Work> {
        let mut row = self.row.iter_mut();
        let button = row.find(|button| button.taker.is_some() && !button.wishes.is_empty())?;
        let wish = button.wishes.pop_front()?;
        let taker = button.taker.take()?;
        let back = self.back.clone();
        Some(Work { taker, wish, back })
    }

    /// Waits for the next that happens.
    fn listen(&mut self) {
        let timer = self.timer();
        select! {
            recv(self.heard) -> said => match said {
                Ok(said) => {
                    // A refusal that is known makes the next edge a press.
                    self.come_back();
                    self.hear(&said);
                }
                // The board is closed.
                Err(_) => self.end(),
            },
            recv(self.backs) -> back => {
                if let Ok(back) = back {
                    self.note(back);
                }
            },
            recv(timer) -> _ => {
                // What was heard before the time was up counts first.
                self.hear_all();
                self.pass();
            },
            recv(self.over) -> _ => self.end(),
        }
    }

    /// Hears what was said until now: the gate refuses presses by now, and says so.
    fn end(&mut self) {
        self.hear_all();
        self.heard = crossbeam_channel::never();
        self.over = crossbeam_channel::never();
        self.ended = true;
    }

    fn hear_all(&mut self) {
        let heard = self.heard.clone();
        heard.try_iter().for_each(|said| self.hear(&said));
    }

    fn come_back(&mut self) {
        let backs = self.backs.clone();
        backs.try_iter().for_each(|back| self.note(back));
    }

    /// When something happens although no edge comes; at rest: never.
    fn timer(&self) -> Receiver<std::time::Instant> {
        let deadlines = self.row.iter().filter_map(|b| b.machine.next_deadline());
        match deadlines.min() {
            None => crossbeam_channel::never(),
            Some(at) => {
                let left_ns = at.saturating_sub(self.clock.mono_ns());
                crossbeam_channel::after(Duration::from_nanos(left_ns))
            }
        }
    }

    fn pass(&mut self) {
        let now = self.clock.mono_ns();
        for button in 0..self.row.len() {
            let actions = self.row[button].machine.passed(now);
            self.act(button, actions);
        }
    }

    fn hear(&mut self, said: &BoardEvent) {
        match said {
            BoardEvent::Edge(edge) => self.edge(*edge),
            BoardEvent::Lost { button, edges } => self.lost(*button, *edges),
            BoardEvent::Trouble { button, what } => self.broken(*button, what.clone()),
        }
    }

    fn edge(&mut self, edge: Edge) {
        if let Some(button) = self.row.get_mut(edge.button) {
            let actions = button.machine.edge(edge.held, edge.at_mono_ns);
            self.act(edge.button, actions);
        }
    }

    fn lost(&mut self, index: usize, edges: u64) {
        let now = self.clock.mono_ns();
        let level = self.hands.held(index);
        // What was heard since tells better than the level how it came to be so.
        let level = level.filter(|_| self.heard.is_empty());
        if let Some(button) = self.row.get_mut(index) {
            let actions = match (edges, level) {
                (0, None) => Vec::new(),
                (0, Some(held)) => button.machine.found(held, now),
                _ => button.machine.lost(edges, now),
            };
            let pressed = actions.iter().any(|a| matches!(a, Action::Press { .. }));
            let instead = match pressed {
                true => "; a press was among them and is made now",
                false => "",
            };
            log::warn!(target: "hindsight", event = "error_button", button = button.id.as_str(), edges;
                "button {}: the kernel dropped {} of its edges{instead}", button.id,
                match edges { 0 => "some".to_owned(), n => n.to_string() });
            self.act(index, actions);
        }
    }

    fn broken(&mut self, index: usize, what: Option<BoardError>) {
        let Some(button) = self.row.get_mut(index) else {
            return;
        };
        let id = button.id.as_str();
        match &what {
            Some(what) => {
                log::warn!(target: "hindsight", event = "error_button", button = id; "button {id}: {what}");
            }
            None => {
                log::info!(target: "hindsight", event = "system_button", button = id; "button {id} works again");
            }
        }
        button.broken = what;
        self.hands.trouble(index, button.trouble());
    }

    fn note(&mut self, back: Back) {
        let button = &mut self.row[back.taker.index];
        match back.answer {
            Some(PressOutcome::Taken { at_mono_ns }) => button.machine.taken(at_mono_ns),
            Some(PressOutcome::Refused { at_mono_ns }) => button.machine.refused(at_mono_ns),
            None => {}
        }
        button.taker = Some(back.taker);
    }

    fn act(&mut self, index: usize, actions: Vec<Action>) {
        let button = &mut self.row[index];
        let id = button.id.clone();
        for action in actions {
            match action {
                Action::Press {
                    at_mono_ns,
                    undecided,
                } => button.wishes.push_back(Wish::Press {
                    at_mono_ns,
                    undecided,
                }),
                Action::Decide {
                    at_mono_ns,
                    gesture,
                } => button.wishes.push_back(Wish::Decide {
                    at_mono_ns,
                    gesture,
                }),
                Action::Again {
                    at_mono_ns,
                    of_mono_ns,
                } => button.wishes.push_back(Wish::Again {
                    at_mono_ns,
                    of_mono_ns,
                }),
                Action::HeldAtStart { .. } => {
                    log::info!(target: "hindsight", event = "system_button", button = id.as_str();
                        "button {id} is held while the service starts: that is no press");
                }
                Action::Stuck { .. } => {
                    button.stuck = true;
                    log::warn!(target: "hindsight", event = "error_button", button = id.as_str();
                        "button {id} has been held for more than 30 s: it is stuck, or its cable has a short");
                    self.hands.trouble(index, button.trouble());
                }
                Action::Unstuck { .. } => {
                    button.stuck = false;
                    log::info!(target: "hindsight", event = "system_button", button = id.as_str();
                        "button {id} was let go: it works again");
                    self.hands.trouble(index, button.trouble());
                }
                Action::Stop { .. } => {
                    log::info!(target: "hindsight", event = "system_switch_off", button = id.as_str();
                        "button {id} was held to stop the box");
                    self.hands.stop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
