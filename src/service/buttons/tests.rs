//! Buttons by events: what is heard, and what the hands were told to do.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::base::{
    BootId, CameraId, Press, PressAck, PressError, PressId, PressRequest, RealClock,
};
use crate::board::BoardError;
use crate::config::{ActiveLevel, ButtonRole, Input, PressWindow, Pull};
use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex};

const S: u64 = 1_000_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// What the hands were told, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Did {
    /// Button, instant, pre, and how many other windows it may get.
    Press(String, u64, u64, usize),
    Decide(u64),
    Again,
    Failed,
    Trouble(usize, bool),
    Stop,
}

enum Next {
    Refused,
    Panic,
}

#[derive(Default)]
struct State {
    did: Vec<Did>,
    /// Presses of these buttons wait.
    waits: HashSet<String>,
    /// What the next presses get; afterwards all are taken.
    next: VecDeque<Next>,
    held: HashSet<usize>,
}

impl State {
    fn wait_for(&mut self, button: &str) {
        self.waits.insert(button.to_owned());
    }
}

#[derive(Default)]
struct Fake {
    state: Mutex<State>,
    changed: Condvar,
}

impl Fake {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn did(&self, did: Did) {
        self.set(|state| state.did.push(did));
    }

    /// Waits until all of these were done, in this order.
    fn wait(&self, wanted: &[Did]) {
        assert_eq!(self.when(|did| did.len() >= wanted.len()), wanted);
    }

    /// What was done when that holds, or when it has not come to hold.
    fn when(&self, holds: impl Fn(&[Did]) -> bool) -> Vec<Did> {
        let state = self.state.lock().unwrap();
        let not_yet = |state: &mut State| !holds(&state.did);
        let (state, _) = self
            .changed
            .wait_timeout_while(state, PATIENCE, not_yet)
            .unwrap();
        state.did.clone()
    }
}

impl Hands for Fake {
    fn press(
        &self,
        request: &PressRequest,
        others: &[PressWindow],
    ) -> Result<PressAck, PressError> {
        let button = request.button.clone().unwrap();
        let (at, pre_ms) = (request.instant_mono_ns, request.pre_ms);
        self.did(Did::Press(button.clone(), at, pre_ms, others.len()));
        let state = self.state.lock().unwrap();
        let waits = |state: &mut State| state.waits.contains(&button);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, PATIENCE, waits)
            .unwrap();
        let next = state.next.pop_front();
        drop(state);
        match next {
            Some(Next::Panic) => panic!("on purpose"),
            Some(Next::Refused) => return Err(PressError::Stopping),
            None => {}
        }
        let boot_id = BootId([1; 16]);
        Ok(PressAck {
            press: Press {
                id: PressId::new(boot_id, at),
                boot_id,
                instant_mono_ns: at,
                pre_ms,
                post_ms: request.post_ms,
                source: request.source,
                button: request.button.clone(),
                cameras: request.cameras.clone(),
                folder: "undated".to_owned(),
                wall_unix_ns: 0,
                wall_synchronised: false,
            },
            refused: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn decide(&self, _: &PressId, window: PressWindow) {
        self.did(Did::Decide(window.pre_ms));
    }

    fn again(&self) {
        self.did(Did::Again);
    }

    fn failed(&self) {
        self.did(Did::Failed);
    }

    fn trouble(&self, button: usize, what: Option<Sentence>) {
        self.did(Did::Trouble(button, what.is_some()));
    }

    fn held(&self, button: usize) -> Option<bool> {
        Some(self.state.lock().unwrap().held.contains(&button))
    }

    fn stop(&self) {
        self.did(Did::Stop);
    }
}

fn button(id: &str) -> Button {
    let window = |pre_ms| PressWindow { pre_ms, post_ms: 1 };
    Button {
        id: id.to_owned(),
        input: Input::Gpio {
            pin: 17,
            active: ActiveLevel::Low,
            pull: Pull::Up,
            debounce_ms: 20,
        },
        role: ButtonRole::Press,
        cameras: vec![CameraId::new("court1").unwrap()],
        single: window(10),
        long: None,
        double: None,
        cooldown_ms: 3_000,
        shutdown_hold_ms: None,
    }
}

fn with_gestures(id: &str) -> Button {
    let single = button(id);
    let longer = |factor| {
        Some(PressWindow {
            pre_ms: factor * single.single.pre_ms,
            ..single.single
        })
    };
    Button {
        long: longer(2),
        double: longer(3),
        ..single
    }
}

/// The threads, the hands, and the channel that a board would speak into.
fn started(buttons: &[Button]) -> (Buttons, Arc<Fake>, Sender<BoardEvent>) {
    let fake = Arc::new(Fake::default());
    let (running, say) = started_with(buttons, &fake);
    (running, fake, say)
}

fn started_with(buttons: &[Button], fake: &Arc<Fake>) -> (Buttons, Sender<BoardEvent>) {
    let (say, heard) = crossbeam_channel::unbounded();
    let running = start(buttons, heard, fake.clone(), Arc::new(RealClock)).unwrap();
    (running, say)
}

fn edge(say: &Sender<BoardEvent>, button: usize, held: bool, at_mono_ns: u64) {
    let edge = Edge {
        button,
        held,
        at_mono_ns,
    };
    say.send(BoardEvent::Edge(edge)).unwrap();
}

fn pressed(id: &str, at_mono_ns: u64, others: usize) -> Did {
    Did::Press(id.to_owned(), at_mono_ns, 10, others)
}

#[test]
fn a_press_that_waits_for_a_disk_delays_no_other_button() {
    let now = RealClock.mono_ns();
    let (_running, fake, say) = started(&[button("north"), button("south")]);
    fake.set(|state| state.wait_for("north"));
    edge(&say, 0, true, now + S);
    fake.wait(&[pressed("north", now + S, 0)]);
    edge(&say, 1, true, now + S + 1);
    fake.wait(&[
        pressed("north", now + S, 0),
        pressed("south", now + S + 1, 0),
    ]);
}

#[test]
fn a_press_within_the_cooldown_is_answered_when_the_first_is_taken() {
    let now = RealClock.mono_ns();
    let (_running, fake, say) = started(&[button("north")]);
    fake.set(|state| state.wait_for("north"));
    for at in [now + S, now + 2 * S, now + 3 * S] {
        edge(&say, 0, true, at);
        edge(&say, 0, false, at + 1);
    }
    fake.wait(&[pressed("north", now + S, 0)]);
    fake.set(|state| state.waits.clear());
    fake.wait(&[pressed("north", now + S, 0), Did::Again, Did::Again]);
}

#[test]
fn where_the_first_is_refused_the_next_within_its_cooldown_is_a_press_of_its_own() {
    let (_running, fake, say) = started(&[button("north")]);
    fake.set(|state| {
        state.wait_for("north");
        state.next.extend([Next::Refused, Next::Refused]);
    });
    let now = RealClock.mono_ns();
    let at = |ms: u64| now + ms * 1_000_000;
    // The others are heard before the first has its answer.
    for ms in [0, 500, 1_000, 1_500] {
        edge(&say, 0, true, at(ms));
        edge(&say, 0, false, at(ms) + 1);
    }
    fake.wait(&[pressed("north", at(0), 0)]);
    fake.set(|state| state.waits.clear());
    let mut wanted = [0, 500, 1_000]
        .map(|ms| pressed("north", at(ms), 0))
        .to_vec();
    wanted.push(Did::Again);
    fake.wait(&wanted);
    // The cooldown is that of the press that was taken at last.
    edge(&say, 0, true, at(3_900));
    wanted.push(Did::Again);
    fake.wait(&wanted);
}

#[test]
fn a_gesture_is_decided_with_its_window_after_its_press() {
    let (_running, fake, say) = started(&[with_gestures("north")]);
    let now = RealClock.mono_ns();
    edge(&say, 0, true, now);
    edge(&say, 0, false, now + S / 10);
    edge(&say, 0, true, now + S / 5);
    fake.wait(&[pressed("north", now, 2), Did::Decide(30)]);
}

#[test]
fn a_gesture_that_no_edge_ends_is_decided_by_the_clock() {
    let (_running, fake, say) = started(&[with_gestures("north"), button("south")]);
    let now = RealClock.mono_ns();
    edge(&say, 0, true, now);
    fake.wait(&[pressed("north", now, 2), Did::Decide(20)]);
    assert!(RealClock.mono_ns() >= now + S);
    edge(&say, 0, false, now + 2 * S);
    let later = now + 60 * S;
    edge(&say, 0, true, later);
    edge(&say, 0, false, later + 1);
    edge(&say, 1, true, later);
}

#[test]
fn an_error_in_the_program_is_a_refusal_and_the_button_works_on() {
    let now = RealClock.mono_ns();
    let (_running, fake, say) = started(&[button("north")]);
    fake.set(|state| state.next.push_back(Next::Panic));
    edge(&say, 0, true, now + S);
    fake.wait(&[pressed("north", now + S, 0), Did::Failed]);
    edge(&say, 0, false, now + S + 1);
    edge(&say, 0, true, now + 5 * S);
    fake.wait(&[
        pressed("north", now + S, 0),
        Did::Failed,
        pressed("north", now + 5 * S, 0),
    ]);
}

#[test]
fn a_button_held_at_the_start_presses_nothing_and_is_in_trouble_until_it_is_let_go() {
    let fake = Arc::new(Fake::default());
    fake.set(|state| assert!(state.held.insert(0)));
    let (running, say) = started_with(&[button("north")], &fake);
    // By the edge's time it has been held for a minute.
    let later = RealClock.mono_ns() + 60 * S;
    edge(&say, 0, false, later);
    fake.wait(&[Did::Trouble(0, true), Did::Trouble(0, false)]);
    edge(&say, 0, true, later + S);
    fake.wait(&[
        Did::Trouble(0, true),
        Did::Trouble(0, false),
        pressed("north", later + S, 0),
    ]);
    drop(running);
}

#[test]
fn what_a_backend_says_of_a_button_is_told_and_a_dropped_press_is_made() {
    let (_running, fake, say) = started(&[button("north")]);
    let trouble = |what: Option<&str>| BoardEvent::Trouble {
        button: 0,
        what: what.map(|why| BoardError::Simulated {
            why: why.to_owned(),
        }),
    };
    say.send(trouble(Some("the device is gone"))).unwrap();
    say.send(trouble(None)).unwrap();
    fake.wait(&[Did::Trouble(0, true), Did::Trouble(0, false)]);
    let before = RealClock.mono_ns();
    let lost = BoardEvent::Lost {
        button: 0,
        edges: 2,
    };
    say.send(lost).unwrap();
    let did = fake.when(|did| did.len() >= 3);
    let Some(Did::Press(_, at, _, _)) = did.last() else {
        panic!("{did:?}");
    };
    assert!((before..=RealClock.mono_ns()).contains(at));
    // Nobody knows how many, and it is held now: that edge is missing.
    fake.set(|state| assert!(state.held.insert(0)));
    let lost = BoardEvent::Lost {
        button: 0,
        edges: 0,
    };
    say.send(lost).unwrap();
    let did = fake.when(|did| did.len() >= 4);
    assert_eq!(did[3], Did::Again);
}

#[test]
fn the_end_waits_for_presses_that_were_heard_and_a_board_that_closes_ends_it() {
    let now = RealClock.mono_ns();
    let (running, fake, say) = started(&[button("north"), button("south")]);
    edge(&say, 0, true, now + S);
    edge(&say, 1, true, now + S);
    drop(say);
    drop(running);
    let did = &fake.state.lock().unwrap().did;
    assert!(did.len() <= 2, "{did:?}");
    assert_eq!(Arc::strong_count(&fake), 1, "all threads have ended");
}

#[test]
fn a_hold_stops_the_box_and_its_press_stands() {
    let now = RealClock.mono_ns();
    let buttons = [Button {
        shutdown_hold_ms: Some(8_000),
        ..button("north")
    }];
    let (_running, fake, say) = started(&buttons);
    edge(&say, 0, true, now + S);
    // By the edge's time it was held for nine seconds.
    edge(&say, 0, false, now + 10 * S);
    let did = fake.when(|did| did.len() >= 2);
    assert!(did.contains(&pressed("north", now + S, 0)), "{did:?}");
    assert!(did.contains(&Did::Stop), "{did:?}");
}

#[test]
fn a_button_that_only_stops_the_box_does_nothing_when_it_is_touched_in_passing() {
    let now = RealClock.mono_ns();
    let buttons = [Button {
        role: ButtonRole::Shutdown,
        shutdown_hold_ms: Some(3_000),
        ..button("off")
    }];
    let (running, fake, say) = started(&buttons);
    edge(&say, 0, true, now + S);
    edge(&say, 0, false, now + 3 * S);
    edge(&say, 0, true, now + 10 * S);
    edge(&say, 0, false, now + 14 * S);
    fake.wait(&[Did::Stop]);
    drop(running);
    assert_eq!(fake.when(|_| true), [Did::Stop]);
}
