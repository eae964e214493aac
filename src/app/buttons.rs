//! Between board and door: what the buttons' edges mean becomes presses, decisions and
//! the wish to stop the box.
//!
//! One thread hears all buttons and never waits for a disk; at rest it sleeps without
//! a deadline. Each button has a thread that takes its presses through the door, so a
//! press that waits for a disk delays no other button's, and presses of several buttons
//! share a sync of the journal.
//!
//! Not here: what edges mean (`trigger`), opening hours and lights (`port`), pins (`board`).
//! Called by: house.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use super::panel::Panel;
use super::port::Doorway;
use super::signals::Stopper;
use crate::base::{Clock, PressAck, PressError, PressId, PressRequest, Source};
use crate::board::{Edge, Heard};
use crate::config::board::{Button, Window};
use crate::trigger::gesture::{Action, Gesture, Machine, Rules};

/// What is done with what the buttons mean. The house; in tests something simpler.
pub(super) trait Hands: Send + Sync {
    /// `others`: windows that a gesture may give it instead.
    fn press(&self, request: &PressRequest, others: &[Window]) -> Result<PressAck, PressError>;
    fn decide(&self, press: &PressId, window: Window);
    /// A press within the cooldown: its moment is in a clip that is being made.
    fn again(&self);
    /// A press was lost in an error of the program.
    fn failed(&self);
    fn trouble(&self, button: usize, what: Option<String>);
    fn held(&self, button: usize) -> Option<bool>;
    fn stop(&self);
}

pub(super) struct InHouse {
    pub door: Arc<Doorway>,
    pub panel: Arc<Panel>,
    pub stopper: Stopper,
}

impl Hands for InHouse {
    fn press(&self, request: &PressRequest, others: &[Window]) -> Result<PressAck, PressError> {
        self.door.take(request, others)
    }

    fn decide(&self, press: &PressId, window: Window) {
        self.door.decide(press, window);
    }

    fn again(&self) {
        self.panel.lights.taken();
    }

    fn failed(&self) {
        self.panel.lights.refused();
    }

    fn trouble(&self, button: usize, what: Option<String>) {
        self.panel.set_trouble(button, what);
    }

    fn held(&self, button: usize) -> Option<bool> {
        self.panel.held(button)
    }

    fn stop(&self) {
        self.stopper.switch_off();
    }
}

/// The threads. Dropping it ends them, after the presses that they have heard of.
pub(super) struct Buttons {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when no press is on its way any more.
    gone: Receiver<()>,
}

/// How long the end waits for presses that wait for a disk.
const LEAVING: Duration = Duration::from_secs(2);

impl Drop for Buttons {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
        let _ = self.gone.recv_timeout(LEAVING);
    }
}

/// Starts to act on what is heard of `buttons`.
pub(super) fn start(
    buttons: &[Button],
    heard: Receiver<Heard>,
    hands: Arc<dyn Hands>,
    clock: Arc<dyn Clock>,
) -> io::Result<Buttons> {
    let (answer, answers) = crossbeam_channel::unbounded();
    let (alive, gone) = crossbeam_channel::bounded(0);
    let mut row = Vec::new();
    for (index, button) in buttons.iter().enumerate() {
        let taker = Taker {
            index,
            button: button.clone(),
            hands: hands.clone(),
            answer: answer.clone(),
            last: None,
            post_ms: 0,
            _alive: alive.clone(),
        };
        row.push(OneButton::start(button, taker)?);
    }
    let mut listener = Listener {
        row,
        hands,
        clock,
        heard,
        answers,
    };
    let (over, is_over) = crossbeam_channel::bounded::<()>(0);
    let thread = std::thread::Builder::new()
        .name("buttons".to_owned())
        .spawn(move || listener.listen(&is_over))?;
    Ok(Buttons {
        over: Some(over),
        thread: Some(thread),
        gone,
    })
}

/// What a button's own thread is asked for, in its order.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Press { at_mono_ns: u64, undecided: bool },
    Again { at_mono_ns: u64, of_mono_ns: u64 },
    Decide { at_mono_ns: u64, gesture: Gesture },
}

/// What became of a press, for the cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Taken { button: usize, at_mono_ns: u64 },
    Refused { button: usize, at_mono_ns: u64 },
}

/// A button as the listener has it.
struct OneButton {
    id: String,
    machine: Machine,
    /// Why it does not work, as its backend says.
    broken: Option<String>,
    stuck: bool,
    wishes: Sender<Wish>,
}

impl OneButton {
    fn start(button: &Button, mut taker: Taker) -> io::Result<OneButton> {
        let (wish, wishes) = crossbeam_channel::unbounded();
        std::thread::Builder::new()
            .name(format!("press {}", button.id))
            .spawn(move || wishes.into_iter().for_each(|wish| taker.act(wish)))?;
        Ok(OneButton {
            id: button.id.clone(),
            machine: Machine::new(Rules::of(button)),
            broken: None,
            stuck: false,
            wishes: wish,
        })
    }

    fn wish(&self, wish: Wish) {
        if self.wishes.send(wish).is_err() {
            log::error!(target: "hindsight", event = "clip_refused", button = self.id.as_str();
                "a press of button {} is lost: its thread has ended", self.id);
        }
    }

    /// For the staff.
    fn trouble(&self) -> Option<String> {
        let stuck = self.stuck.then(|| {
            "it has been held for more than 30 s: free it, or look for a short in its cable"
                .to_owned()
        });
        self.broken.clone().or(stuck)
    }
}

/// Hears all buttons.
struct Listener {
    row: Vec<OneButton>,
    hands: Arc<dyn Hands>,
    clock: Arc<dyn Clock>,
    heard: Receiver<Heard>,
    answers: Receiver<Answer>,
}

impl Listener {
    fn listen(&mut self, over: &Receiver<()>) {
        for button in 0..self.row.len() {
            if self.hands.held(button) == Some(true) {
                let now = self.clock.mono_ns();
                let actions = self.row[button].machine.held_at_start(now);
                self.act(button, actions);
            }
        }
        let (heard, answers) = (self.heard.clone(), self.answers.clone());
        loop {
            let timer = self.timer();
            select! {
                recv(heard) -> said => match said {
                    Ok(said) => {
                        // A refusal that is known makes the next edge a press.
                        answers.try_iter().for_each(|answer| self.note(answer));
                        self.hear(&said);
                    }
                    // The board is closed.
                    Err(_) => return,
                },
                recv(answers) -> answer => {
                    if let Ok(answer) = answer {
                        self.note(answer);
                    }
                },
                recv(timer) -> _ => {
                    // What was heard before the time was up counts first.
                    heard.try_iter().for_each(|said| self.hear(&said));
                    self.pass();
                },
                recv(over) -> _ => {
                    // The door refuses them by now, and says so.
                    heard.try_iter().for_each(|said| self.hear(&said));
                    return;
                },
            }
        }
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

    fn hear(&mut self, said: &Heard) {
        match said {
            Heard::Edge(edge) => self.edge(*edge),
            Heard::Lost { button, edges } => self.lost(*button, *edges),
            Heard::Trouble { button, what } => self.broken(*button, what.clone()),
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

    fn broken(&mut self, index: usize, what: Option<String>) {
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

    fn note(&mut self, answer: Answer) {
        match answer {
            Answer::Taken { button, at_mono_ns } => self.row[button].machine.taken(at_mono_ns),
            Answer::Refused { button, at_mono_ns } => self.row[button].machine.refused(at_mono_ns),
        }
    }

    fn act(&mut self, index: usize, actions: Vec<Action>) {
        let button = &mut self.row[index];
        let id = button.id.clone();
        for action in actions {
            match action {
                Action::Press {
                    at_mono_ns,
                    undecided,
                } => button.wish(Wish::Press {
                    at_mono_ns,
                    undecided,
                }),
                Action::Decide {
                    at_mono_ns,
                    gesture,
                } => button.wish(Wish::Decide {
                    at_mono_ns,
                    gesture,
                }),
                Action::Again {
                    at_mono_ns,
                    of_mono_ns,
                } => button.wish(Wish::Again {
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

/// Takes the presses of one button through the door, one after the other.
struct Taker {
    index: usize,
    button: Button,
    hands: Arc<dyn Hands>,
    answer: Sender<Answer>,
    /// Instant of the last press, and its id where it was taken.
    last: Option<(u64, Option<PressId>)>,
    /// What it saves behind its instant.
    post_ms: u64,
    /// Gone with the thread.
    _alive: Sender<()>,
}

impl Taker {
    fn act(&mut self, wish: Wish) {
        match wish {
            Wish::Press {
                at_mono_ns,
                undecided,
            } => self.press(at_mono_ns, undecided),
            Wish::Again {
                at_mono_ns,
                of_mono_ns,
            } => self.again(at_mono_ns, of_mono_ns),
            Wish::Decide {
                at_mono_ns,
                gesture,
            } => self.decide(at_mono_ns, gesture),
        }
    }

    fn press(&mut self, at_mono_ns: u64, undecided: bool) {
        let button = &self.button;
        let request = PressRequest {
            cameras: button.cameras.clone(),
            instant_mono_ns: at_mono_ns,
            pre_ms: button.single.pre_ms,
            post_ms: button.single.post_ms,
            source: Source::Button,
            button: Some(button.id.clone()),
        };
        let others: Vec<Window> = match undecided {
            true => [button.long, button.double].into_iter().flatten().collect(),
            false => Vec::new(),
        };
        // A button that works no more after an error would be pressed in vain.
        let taken = catch_unwind(AssertUnwindSafe(|| self.hands.press(&request, &others)));
        let id = match taken {
            // The door has told.
            Ok(answer) => answer.ok().map(|ack| ack.press.id),
            Err(_) => {
                let id = self.button.id.as_str();
                log::error!(target: "hindsight", event = "clip_refused", button = id;
                    "button {id}: the press was lost in an error in the program");
                self.hands.failed();
                None
            }
        };
        let button = self.index;
        // Nobody listens at the end of the house.
        let _ = self.answer.send(match id {
            Some(_) => Answer::Taken { button, at_mono_ns },
            None => Answer::Refused { button, at_mono_ns },
        });
        self.last = Some((at_mono_ns, id));
        self.post_ms = self.button.single.post_ms;
    }

    /// A press within the cooldown of another: in its clip, if it gets one.
    fn again(&mut self, at_mono_ns: u64, of_mono_ns: u64) {
        if matches!(self.last, Some((_, None))) {
            // That was not known when it was heard.
            return self.press(at_mono_ns, false);
        }
        self.hands.again();
        let id = self.button.id.as_str();
        let after_ms = at_mono_ns.saturating_sub(of_mono_ns) / 1_000_000;
        log::info!(target: "hindsight", event = "clip_again", button = id, after_ms;
            "button {id} was pressed again {after_ms} ms after its last press: {}",
            if after_ms < self.post_ms { "its clip has this moment, too" }
            else { "no other clip is made within its cooldown" });
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

#[cfg(test)]
mod tests;
