//! What a board is, whatever its backend: edges in, levels out, what did not open.
//!
//! Not here: any backend, how one is chosen (`open`).

use super::error::{BoardError, BoardNote};
use crate::config::{Button, Led};

/// One edge of one button, after the kernel's debouncing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index into the buttons the board was opened with.
    pub button: usize,
    /// Whether the button is held from now on.
    pub held: bool,
    /// `CLOCK_MONOTONIC` of the kernel's event, not of our waking, in nanoseconds.
    pub at_mono_ns: u64,
}

/// What comes out of the inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoardEvent {
    Edge(Edge),
    /// The kernel dropped edges of this button: presses may have been among them.
    Lost {
        button: usize,
        /// 0: nobody knows how many. Edges that tell its level come before this, then.
        edges: u64,
    },
    /// An input does not work (any more); `None`: works again.
    Trouble {
        button: usize,
        what: Option<BoardError>,
    },
}

/// Edges in. A backend tells what it hears into a channel from threads of its own,
/// which sleep while nothing happens; dropping it ends them.
pub trait Edges: Send {
    /// Whether the button is held now; `None`: cannot be told.
    fn held(&self, button: usize) -> Option<bool>;
}

/// Levels out.
pub trait Levels: Send {
    /// Lights an LED, or puts it out, whatever its active level.
    fn set(&mut self, led: usize, lit: bool) -> Result<(), BoardError>;

    /// As the pin has it; `None`: cannot be told.
    fn lit(&self, led: usize) -> Option<bool>;
}

/// What a board is opened with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub board: crate::config::BoardSettings,
    pub buttons: Vec<Button>,
    pub leds: Vec<Led>,
}

/// What a fault concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardPart {
    /// All pins: there is no GPIO here, or it may not be used.
    Pins,
    /// Index into the buttons the board was opened with.
    Button(usize),
    /// Index into the LEDs the board was opened with.
    Led(usize),
}

/// Something that could not be opened. The rest works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinFault {
    pub of: BoardPart,
    pub error: BoardError,
}

/// An open board. Dropping it releases the pins; LEDs keep their last level
/// where the kernel lets them.
pub struct OpenBoard {
    /// `rppal`, `cdev`, `sim`, `none`.
    pub backend: &'static str,
    /// The chip with the pins, for people: `gpiochip0 (pinctrl-bcm2711)`.
    pub chip: Option<String>,
    pub edges: Box<dyn Edges>,
    pub levels: Box<dyn Levels>,
    /// What did not open. One bad pin does not take the others.
    pub faults: Vec<PinFault>,
    /// What an installer should know, though it works.
    pub notes: Vec<BoardNote>,
}

/// The LEDs alone, without a single input: for `hindsight board off`.
pub struct LedOutputs {
    pub backend: &'static str,
    pub levels: Box<dyn Levels>,
    pub faults: Vec<PinFault>,
}
