//! Edges of one button and the time that passes become what they mean: a press, one
//! of its gestures, a button that is stuck, the wish to stop the box.
//!
//! Pure: who calls brings edges with the kernel's times, and the clock. All is decided
//! by those times, not by when anybody woke; so that an edge which is still on its way
//! counts, time is believed to have passed only [`GestureRules::late_ns`] later.
//!
//! * A press is made at its first edge. Where a gesture may give it another window, it
//!   is undecided until the gesture is known.
//! * An edge within the cooldown of a press that was not refused is answered, and makes
//!   no other press.
//! * A button that is not touched has no deadline.
//!
//! Not here: whether the venue is open (`hours`), what a press saves, who is told (`service`).

use crate::config::{Button, ButtonRole, Input};

/// Held for so long, a press is a long one.
pub const LONG_NS: u64 = 1_000_000_000;
/// A second edge within so long makes a press a double one.
pub const DOUBLE_NS: u64 = 400_000_000;
/// Held for longer, a button is stuck.
pub const STUCK_NS: u64 = 30_000_000_000;
/// An edge that is on its way to us for longer, after its debouncing, is judged as if
/// it had come later.
pub const LATE_NS: u64 = 50_000_000;

/// What a button's edges can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GestureRules {
    /// It makes presses; otherwise it only stops the box.
    pub presses: bool,
    /// A long press has a window of its own.
    pub long: bool,
    /// A double press has a window of its own.
    pub double: bool,
    pub cooldown_ns: u64,
    /// Held for so long it stops the box.
    pub stops_after_ns: Option<u64>,
    /// How long an edge may be on its way to us: the kernel tells of it only when its
    /// debouncing is over.
    pub late_ns: u64,
}

impl GestureRules {
    pub fn of(button: &Button) -> GestureRules {
        let ns = |ms: u64| ms.saturating_mul(1_000_000);
        let presses = button.role == ButtonRole::Press;
        GestureRules {
            presses,
            long: presses && button.long.is_some(),
            double: presses && button.double.is_some(),
            cooldown_ns: ns(button.cooldown_ms),
            stops_after_ns: button.shutdown_hold_ms.map(ns),
            late_ns: match button.input {
                Input::Gpio { debounce_ms, .. } => LATE_NS.saturating_add(ns(debounce_ms)),
                Input::Usb { .. } => LATE_NS,
            },
        }
    }
}

/// Which of its windows a press gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    Plain,
    Long,
    Double,
}

/// What an edge, or time that passed, asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A press. `undecided`: its gesture follows; until then it is a plain one.
    Press { at_mono_ns: u64, undecided: bool },
    /// The gesture of the undecided press of that instant. Comes once for each.
    Decide { at_mono_ns: u64, gesture: Gesture },
    /// An edge within the cooldown of the press of `of_mono_ns`.
    Again { at_mono_ns: u64, of_mono_ns: u64 },
    /// Held since then at least, when the program started. No press.
    HeldAtStart { at_mono_ns: u64 },
    /// Held for too long.
    Stuck { since_mono_ns: u64 },
    /// A stuck button was let go.
    Unstuck { at_mono_ns: u64 },
    /// Held for as long as it takes to stop the box.
    Stop { since_mono_ns: u64 },
}

/// Held now.
#[derive(Clone, Copy, Debug)]
struct Hold {
    since_mono_ns: u64,
    stuck: bool,
    /// The box may still be stopped by it.
    may_stop: bool,
}

/// A press whose gesture is not known yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    at_mono_ns: u64,
    /// Let go since.
    released: bool,
}

/// What is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Plain,
    Long,
    Stop,
    Stuck,
}

/// One button.
#[derive(Clone, Debug)]
pub struct Machine {
    rules: GestureRules,
    hold: Option<Hold>,
    open: Option<Open>,
    /// The last press that was not refused.
    pressed_mono_ns: Option<u64>,
}

impl Machine {
    pub fn new(rules: GestureRules) -> Machine {
        Machine {
            rules,
            hold: None,
            open: None,
            pressed_mono_ns: None,
        }
    }

    /// It was found held when the program started: that is no press, and stops nothing.
    pub fn held_at_start(&mut self, now_mono_ns: u64) -> Vec<Action> {
        self.hold = Some(Hold {
            since_mono_ns: now_mono_ns,
            stuck: false,
            may_stop: false,
        });
        vec![Action::HeldAtStart {
            at_mono_ns: now_mono_ns,
        }]
    }

    /// An edge: held, or not, from `at_mono_ns` on.
    pub fn edge(&mut self, held: bool, at_mono_ns: u64) -> Vec<Action> {
        let mut actions = self.run_until(at_mono_ns);
        if self.hold.is_some() {
            // Pressed while it is held: the edge between them was lost.
            self.release(at_mono_ns, &mut actions);
            actions.extend(self.run_until(at_mono_ns));
        }
        if held {
            self.press(at_mono_ns, &mut actions);
        }
        actions.extend(self.run_until(at_mono_ns));
        actions
    }

    /// The kernel dropped so many edges. They alternated; where a press was among them,
    /// one is made now, for its time is not known, and it must not be lost.
    pub fn lost(&mut self, edges: u64, now_mono_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut left = edges;
        if self.hold.is_some() && left > 0 {
            actions.extend(self.edge(false, now_mono_ns));
            left -= 1;
        }
        if left > 0 {
            actions.extend(self.edge(true, now_mono_ns));
            if left.is_multiple_of(2) {
                actions.extend(self.edge(false, now_mono_ns));
            }
        }
        actions
    }

    /// Edges were dropped, nobody knows how many, and this is its level now: where a
    /// press edge is missing, it is made up for.
    pub fn found(&mut self, held: bool, now_mono_ns: u64) -> Vec<Action> {
        match held == self.hold.is_some() {
            true => Vec::new(),
            false => self.edge(held, now_mono_ns),
        }
    }

    /// Time has passed. Call it at [`Machine::next_deadline`], or whenever.
    pub fn passed(&mut self, now_mono_ns: u64) -> Vec<Action> {
        self.run_until(now_mono_ns.saturating_sub(self.rules.late_ns))
    }

    /// When [`Machine::passed`] has something to say if no edge comes; `None`: never.
    pub fn next_deadline(&self) -> Option<u64> {
        self.due()
            .map(|(at, _)| at.saturating_add(self.rules.late_ns))
    }

    /// The press of that instant was refused: the next edge is a press again.
    pub fn refused(&mut self, at_mono_ns: u64) {
        self.pressed_mono_ns = self.pressed_mono_ns.filter(|at| *at != at_mono_ns);
    }

    /// The press of that instant was taken, though the machine may have held it for one
    /// within a cooldown.
    pub fn taken(&mut self, at_mono_ns: u64) {
        self.pressed_mono_ns = self.pressed_mono_ns.max(Some(at_mono_ns));
    }

    fn press(&mut self, at_mono_ns: u64, actions: &mut Vec<Action>) {
        self.hold = Some(Hold {
            since_mono_ns: at_mono_ns,
            stuck: false,
            may_stop: self.rules.stops_after_ns.is_some(),
        });
        if !self.rules.presses {
            return;
        }
        if let Some(open) = self.open.take() {
            // Within its time: what was not has been decided by now.
            actions.push(decided(open, Gesture::Double));
            return;
        }
        let within = |of: &u64| at_mono_ns.saturating_sub(*of) < self.rules.cooldown_ns;
        if let Some(of_mono_ns) = self.pressed_mono_ns.filter(within) {
            actions.push(Action::Again {
                at_mono_ns,
                of_mono_ns,
            });
            return;
        }
        let undecided = self.rules.long || self.rules.double;
        self.open = undecided.then_some(Open {
            at_mono_ns,
            released: false,
        });
        self.pressed_mono_ns = Some(at_mono_ns);
        actions.push(Action::Press {
            at_mono_ns,
            undecided,
        });
    }

    fn release(&mut self, at_mono_ns: u64, actions: &mut Vec<Action>) {
        if let Some(hold) = self.hold.take()
            && hold.stuck
        {
            actions.push(Action::Unstuck { at_mono_ns });
        }
        if let Some(open) = &mut self.open {
            open.released = true;
            if !self.rules.double {
                actions.push(decided(*open, Gesture::Plain));
                self.open = None;
            }
        }
    }

    /// Does all that is due until then, in its order.
    fn run_until(&mut self, mono_ns: u64) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some((at, due)) = self.due().filter(|(at, _)| *at <= mono_ns) {
            actions.extend(self.happen(due, at));
        }
        actions
    }

    fn happen(&mut self, due: Due, at_mono_ns: u64) -> Option<Action> {
        match due {
            Due::Plain => self.open.take().map(|open| decided(open, Gesture::Plain)),
            Due::Long => self.open.take().map(|open| decided(open, Gesture::Long)),
            Due::Stop => {
                let hold = self.hold.as_mut()?;
                hold.may_stop = false;
                let since_mono_ns = hold.since_mono_ns;
                Some(Action::Stop { since_mono_ns })
            }
            Due::Stuck => {
                let hold = self.hold.as_mut()?;
                hold.stuck = true;
                debug_assert!(at_mono_ns >= hold.since_mono_ns);
                let since_mono_ns = hold.since_mono_ns;
                Some(Action::Stuck { since_mono_ns })
            }
        }
    }

    /// What happens next if no edge comes, and when.
    fn due(&self) -> Option<(u64, Due)> {
        [self.gesture_due(), self.stop_due(), self.stuck_due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn gesture_due(&self) -> Option<(u64, Due)> {
        let open = self.open?;
        let may_be_long = self.rules.long && !open.released;
        Some(match may_be_long {
            true => (open.at_mono_ns.saturating_add(LONG_NS), Due::Long),
            // An edge at the very end is still within.
            false => (open.at_mono_ns.saturating_add(DOUBLE_NS + 1), Due::Plain),
        })
    }

    fn stop_due(&self) -> Option<(u64, Due)> {
        let hold = self.hold.filter(|hold| hold.may_stop)?;
        let after_ns = self.rules.stops_after_ns?;
        Some((hold.since_mono_ns.saturating_add(after_ns), Due::Stop))
    }

    fn stuck_due(&self) -> Option<(u64, Due)> {
        let hold = self.hold.filter(|hold| !hold.stuck)?;
        let at = hold.since_mono_ns.saturating_add(STUCK_NS + 1);
        Some((at, Due::Stuck))
    }
}

fn decided(open: Open, gesture: Gesture) -> Action {
    Action::Decide {
        at_mono_ns: open.at_mono_ns,
        gesture,
    }
}

#[cfg(test)]
mod tests;
