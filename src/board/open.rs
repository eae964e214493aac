//! Which backend, and its opening: as much of the board as there is.
//!
//! Not here: what a backend does (`cdev`, `rppal`, `usb`), the simulated board
//! (`sim`; whoever wants it needs its handle, and opens it there).
//! Called by: app.

use crossbeam_channel::Sender;

use super::chip::Chip;
use super::{Board, BoardError, Edges, Fault, Heard, Levels, Outputs, Part, Settings, cdev};
use crate::config::board::{Backend, Button, Input};

/// Opens buttons and LEDs. Always gives a board: what does not open is among
/// its faults, the rest works. Edges go into `heard`.
pub fn open(settings: &Settings, heard: Sender<Heard>) -> Board {
    let mut board = Board {
        backend: "none",
        chip: None,
        edges: Box::new(Nothing),
        levels: Box::new(Nothing),
        faults: Vec::new(),
        notes: Vec::new(),
    };
    if wants_pins(settings) {
        match Chip::find(settings) {
            Ok((chip, note)) => {
                board.notes.extend(note);
                board.chip = Some(chip.shown());
                open_pins(&mut board, settings, &chip, heard);
            }
            Err(error) => board.faults.push(Fault {
                of: Part::Pins,
                error,
            }),
        }
    }
    board
}

/// Opens the LEDs alone.
pub fn open_levels(settings: &Settings) -> Outputs {
    let mut outputs = Outputs {
        backend: "none",
        levels: Box::new(Nothing),
        faults: Vec::new(),
    };
    if settings.leds.is_empty() || !wants_pins(settings) {
        return outputs;
    }
    match Chip::find(settings) {
        Ok((chip, _)) => {
            let (levels, faults) = cdev::open_levels(&chip, &settings.leds);
            outputs.backend = "cdev";
            outputs.levels = Box::new(levels);
            outputs.faults = faults;
        }
        Err(error) => outputs.faults.push(Fault {
            of: Part::Pins,
            error,
        }),
    }
    outputs
}

/// Whether any pin of a real board is asked for.
fn wants_pins(settings: &Settings) -> bool {
    let real = !matches!(settings.board.backend, Backend::None | Backend::Sim);
    real && (!settings.leds.is_empty() || !gpio_buttons(settings).is_empty())
}

fn gpio_buttons(settings: &Settings) -> Vec<(usize, &Button)> {
    let gpio = |button: &Button| matches!(button.input, Input::Gpio { .. });
    let buttons = settings.buttons.iter().enumerate();
    buttons.filter(|(_, button)| gpio(button)).collect()
}

fn open_pins(board: &mut Board, settings: &Settings, chip: &Chip, heard: Sender<Heard>) {
    board.backend = "cdev";
    let (edges, faults) = cdev::open_edges(chip, &gpio_buttons(settings), heard);
    board.edges = Box::new(edges);
    board.faults.extend(faults);
    let (levels, faults) = cdev::open_levels(chip, &settings.leds);
    board.levels = Box::new(levels);
    board.faults.extend(faults);
}

/// A board without pins.
struct Nothing;

impl Edges for Nothing {
    fn held(&self, _button: usize) -> Option<bool> {
        None
    }
}

impl Levels for Nothing {
    fn set(&mut self, _led: usize, _lit: bool) -> Result<(), BoardError> {
        Ok(())
    }

    fn lit(&self, _led: usize) -> Option<bool> {
        None
    }
}
