//! A simulated board, for `demo` and tests: edges are pushed, levels are logged.
//!
//! Not here: keys (`trigger`), how the lights are drawn (`commands`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::error::BoardError;
use super::types::{BoardEvent, Edge, Edges, Levels};
use crate::base::{Clock, RealClock, lock};

/// A change of a light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Index into the LEDs the board was opened with.
    pub led: usize,
    pub lit: bool,
    pub at_mono_ns: u64,
}

/// Changes kept; a blinking light must not fill the memory.
const KEPT: usize = 10_000;

/// How long a tap is: no gesture is so short.
const TAP_NS: u64 = 1_000_000;

/// The two halves of a simulated board, and the hand on it.
pub struct Sim {
    pub edges: Box<dyn Edges>,
    pub levels: Box<dyn Levels>,
    pub handle: SimHandle,
}

/// Pushes buttons and looks at lights. Clones are the same board.
#[derive(Clone)]
pub struct SimHandle(Arc<Shared>);

struct Shared {
    heard: Sender<BoardEvent>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    held: Vec<bool>,
    lit: Vec<Option<bool>>,
    /// The oldest first.
    log: std::collections::VecDeque<Change>,
    /// Why a light cannot be set, for tests.
    broken: Vec<Option<String>>,
    /// Changes ever, and calls of `wake`.
    count: u64,
}

/// A board of so many buttons and LEDs that nobody ever sees.
pub fn open(buttons: usize, leds: usize, heard: Sender<BoardEvent>) -> Sim {
    let state = Mutex::new(State {
        held: vec![false; buttons],
        lit: vec![None; leds],
        log: std::collections::VecDeque::new(),
        broken: vec![None; leds],
        count: 0,
    });
    let handle = SimHandle(Arc::new(Shared {
        heard,
        state,
        changed: Condvar::new(),
    }));
    Sim {
        edges: Box::new(SimEdges(handle.clone())),
        levels: Box::new(SimLevels(handle.clone())),
        handle,
    }
}

impl SimHandle {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    /// The button goes down or up at `at_mono_ns`. One that does not exist is ignored.
    pub fn edge(&self, button: usize, held: bool, at_mono_ns: u64) {
        match self.state().held.get_mut(button) {
            Some(now) => *now = held,
            None => return,
        }
        // Nobody listens any more: the house is stopping.
        let _ = self.0.heard.send(BoardEvent::Edge(Edge {
            button,
            held,
            at_mono_ns,
        }));
    }

    /// The button is touched: down at `at_mono_ns`, and up again at once.
    pub fn tap(&self, button: usize, at_mono_ns: u64) {
        self.edge(button, true, at_mono_ns);
        self.edge(button, false, at_mono_ns.saturating_add(TAP_NS));
    }

    /// Says what a backend can say besides edges.
    pub fn say(&self, heard: BoardEvent) {
        let _ = self.0.heard.send(heard);
    }

    pub fn buttons(&self) -> usize {
        self.state().held.len()
    }

    /// Whether a light is lit; `None`: never set, or no such light.
    pub fn lit(&self, led: usize) -> Option<bool> {
        self.state().lit.get(led).copied().flatten()
    }

    /// All lights, in the config's order.
    pub fn row(&self) -> Vec<Option<bool>> {
        self.state().lit.clone()
    }

    /// The changes so far, oldest first; at most the last 10,000.
    pub fn log(&self) -> Vec<Change> {
        self.state().log.iter().copied().collect()
    }

    /// From now on (until `None`) a light cannot be set.
    pub fn break_led(&self, led: usize, why: Option<&str>) {
        if let Some(broken) = self.state().broken.get_mut(led) {
            *broken = why.map(str::to_owned);
        }
    }

    /// The first change of `led` to `lit` at or after `from_mono_ns`, as soon as it has
    /// happened; `None` if it has not within `limit`.
    pub fn wait(
        &self,
        led: usize,
        lit: bool,
        from_mono_ns: u64,
        limit: Duration,
    ) -> Option<Change> {
        let find = |state: &State| {
            let mut log = state.log.iter();
            log.find(|c| c.led == led && c.lit == lit && c.at_mono_ns >= from_mono_ns)
                .copied()
        };
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), limit, |state| find(state).is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        find(&state)
    }
}

impl SimHandle {
    /// Sleeps until there were more than `seen` changes, or for `limit`; how many there were.
    pub fn wait_beyond(&self, seen: u64, limit: Duration) -> u64 {
        let waited = self
            .0
            .changed
            .wait_timeout_while(self.state(), limit, |state| state.count <= seen);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.count
    }

    /// Ends a [`wait_beyond`](SimHandle::wait_beyond).
    pub fn wake(&self) {
        self.state().count += 1;
        self.0.changed.notify_all();
    }
}

struct SimEdges(SimHandle);

impl Edges for SimEdges {
    fn held(&self, button: usize) -> Option<bool> {
        self.0.state().held.get(button).copied()
    }
}

struct SimLevels(SimHandle);

impl Levels for SimLevels {
    fn set(&mut self, led: usize, lit: bool) -> Result<(), BoardError> {
        let mut state = self.0.state();
        if let Some(Some(why)) = state.broken.get(led) {
            return Err(BoardError::Simulated { why: why.clone() });
        }
        let Some(level) = state.lit.get_mut(led) else {
            return Err(BoardError::NoSuchLed { led });
        };
        let changed = level.replace(lit) != Some(lit);
        if changed {
            if state.log.len() == KEPT {
                state.log.pop_front();
            }
            let at_mono_ns = RealClock.mono_ns();
            state.count += 1;
            state.log.push_back(Change {
                led,
                lit,
                at_mono_ns,
            });
            self.0.0.changed.notify_all();
        }
        Ok(())
    }

    fn lit(&self, led: usize) -> Option<bool> {
        self.0.lit(led)
    }
}
