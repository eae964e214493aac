//! What the tests on the chip share: settings in one line, and waiting for what is heard.

use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use hindsight::base::{CameraId, Clock, RealClock};
use hindsight::board::{BoardEvent, Edge, OpenBoard, Settings, open};
use hindsight::config::{
    ActiveLevel, Backend, BoardSettings, Button, ButtonRole, Input, Led, LedRole, PressWindow, Pull,
};

pub const MS: u64 = 1_000_000;
/// How long what must come may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn now() -> u64 {
    RealClock.mono_ns()
}

/// A button against ground, as most are wired: low while it is held.
pub fn button(pin: u32, debounce_ms: u64) -> Button {
    wired(pin, ActiveLevel::Low, Pull::Up, debounce_ms)
}

pub fn wired(pin: u32, active: ActiveLevel, pull: Pull, debounce_ms: u64) -> Button {
    with_input(
        &format!("b{pin}"),
        Input::Gpio {
            pin,
            active,
            pull,
            debounce_ms,
        },
    )
}

pub fn with_input(id: &str, input: Input) -> Button {
    Button {
        id: id.to_owned(),
        input,
        role: ButtonRole::Press,
        cameras: vec![CameraId::new("court").unwrap()],
        single: PressWindow {
            pre_ms: 2_000,
            post_ms: 0,
        },
        long: None,
        double: None,
        cooldown_ms: 0,
        shutdown_hold_ms: None,
    }
}

pub fn led(pin: u32, active: ActiveLevel, role: LedRole) -> Led {
    Led { pin, active, role }
}

pub fn settings(buttons: Vec<Button>, leds: Vec<Led>) -> Settings {
    let board = BoardSettings {
        backend: Backend::Cdev,
        model: None,
        chip: None,
    };
    Settings {
        board,
        buttons,
        leds,
    }
}

/// An open board and what comes out of it.
pub struct Open {
    pub board: OpenBoard,
    pub heard: Receiver<BoardEvent>,
}

/// Opens a board of which everything opens.
pub fn opened(settings: &Settings) -> Open {
    let (send, heard) = unbounded();
    let board = open(settings, send);
    assert_eq!(board.faults, []);
    Open { board, heard }
}

impl Open {
    pub fn next(&self) -> BoardEvent {
        let next = self.heard.recv_timeout(PATIENCE);
        next.expect("nothing was heard for a minute")
    }

    pub fn edge(&self) -> Edge {
        match self.next() {
            BoardEvent::Edge(edge) => edge,
            other => panic!("an edge was expected, not {other:?}"),
        }
    }

    /// That nothing is heard in a time in which everything else is.
    pub fn nothing_for(&self, time: Duration) {
        if let Ok(heard) = self.heard.recv_timeout(time) {
            panic!("nothing was expected, not {heard:?}");
        }
    }
}

/// Waits for what must come; panics if it does not.
pub fn until(what: &str, done: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < limit, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
