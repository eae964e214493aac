//! Which backend, and its opening: as much of the board as there is.
//!
//! Not here: what a backend does (`cdev`, `rppal`, `usb`, `sim`).

use ::rppal::gpio::Gpio;
use crossbeam_channel::Sender;

use super::chip::{Chip, button_name, led_name};
use super::error::{BoardError, BoardNote, BoardPartName};
use super::pins::PinMap;
use super::types::{
    BoardEvent, BoardPart, Edges, LedOutputs, Levels, OpenBoard, PinFault, Settings,
};
use super::{cdev, sim, usb};
use crate::base::Coded;
use crate::config::{Backend, Button, Input, Led};

/// Opens buttons and LEDs. Always gives a board: what does not open is among
/// its faults, the rest works. Edges go into `heard`.
///
/// The simulated board opened here is one without a hand on it; whoever wants
/// its handle opens it by [`sim::open`].
pub fn open(settings: &Settings, heard: Sender<BoardEvent>) -> OpenBoard {
    let (keys, faults) = usb::open_edges(&settings.buttons, heard.clone());
    let mut board = OpenBoard {
        backend: "none",
        chip: None,
        edges: Box::new(Nothing),
        levels: Box::new(Nothing),
        faults,
        notes: Vec::new(),
    };
    if settings.board.backend == Backend::Sim {
        let sim = sim::open(settings.buttons.len(), settings.leds.len(), heard);
        (board.backend, board.edges, board.levels) = ("sim", sim.edges, sim.levels);
    } else if wants_pins(settings) {
        match Pins::find(settings) {
            Ok((pins, note)) => {
                board.notes.extend(note);
                pins.open(&mut board, settings, heard);
            }
            Err(error) => board.faults.push(PinFault {
                of: BoardPart::Pins,
                error,
            }),
        }
    }
    if let Some(keys) = keys {
        board.edges = Box::new(Both {
            pins: board.edges,
            keys,
        });
    }
    board
}

/// Opens the LEDs alone.
pub fn open_levels(settings: &Settings) -> LedOutputs {
    let mut outputs = LedOutputs {
        backend: "none",
        levels: Box::new(Nothing),
        faults: Vec::new(),
    };
    if settings.leds.is_empty() || !wants_pins(settings) {
        return outputs;
    }
    match Pins::find(settings) {
        Ok((pins, _)) => {
            outputs.backend = pins.backend();
            (outputs.levels, outputs.faults) = pins.levels(settings);
        }
        Err(error) => outputs.faults.push(PinFault {
            of: BoardPart::Pins,
            error,
        }),
    }
    outputs
}

/// Whether any pin of a real board is asked for.
fn wants_pins(settings: &Settings) -> bool {
    let real = !matches!(settings.board.backend, Backend::None | Backend::Sim);
    let gpio = |button: &Button| matches!(button.input, Input::Gpio { .. });
    real && (!settings.leds.is_empty() || settings.buttons.iter().any(gpio))
}

/// The chip with the pins, and the way to them.
struct Pins {
    chip: Chip,
    registers: Option<Gpio>,
    map: Option<&'static PinMap>,
}

impl Pins {
    /// The chip and the backend. The second value is what should be said about the choice.
    fn find(settings: &Settings) -> Result<(Pins, Option<BoardNote>), BoardError> {
        let (chip, note) = Chip::find(settings)?;
        let (registers, other) = choose(settings.board.backend, &chip)?;
        let map = map_of(settings, &chip);
        let pins = Pins {
            chip,
            registers,
            map,
        };
        Ok((pins, note.or(other)))
    }

    fn backend(&self) -> &'static str {
        match self.registers {
            Some(_) => "rppal",
            None => "cdev",
        }
    }

    fn open(&self, board: &mut OpenBoard, settings: &Settings, heard: Sender<BoardEvent>) {
        board.backend = self.backend();
        board.chip = Some(self.chip.shown());
        let (buttons, reserved) = self.free_buttons(settings);
        board.faults.extend(reserved);
        let faults = match &self.registers {
            Some(gpio) => {
                let (edges, faults) = super::rppal::open_edges(gpio, &self.chip, &buttons, heard);
                board.edges = Box::new(edges);
                faults
            }
            None => {
                let (edges, faults) = cdev::open_edges(&self.chip, &buttons, heard);
                board.edges = Box::new(edges);
                faults
            }
        };
        board.faults.extend(faults);
        let (levels, faults) = self.levels(settings);
        board.levels = levels;
        board.faults.extend(faults);
    }

    /// The GPIO buttons on pins that may be used, and the faults of the others.
    fn free_buttons<'a>(
        &self,
        settings: &'a Settings,
    ) -> (Vec<(usize, &'a Button)>, Vec<PinFault>) {
        let mut free = Vec::new();
        let mut faults = Vec::new();
        for (at, button) in settings.buttons.iter().enumerate() {
            let Input::Gpio { pin, .. } = button.input else {
                continue;
            };
            match self.reserved(button_name(button), pin) {
                None => free.push((at, button)),
                Some(error) => faults.push(PinFault {
                    of: BoardPart::Button(at),
                    error,
                }),
            }
        }
        (free, faults)
    }

    fn reserved(&self, part: BoardPartName, pin: u32) -> Option<BoardError> {
        let map = self.map?;
        let why = map.reserved(pin)?;
        Some(BoardError::PinReserved {
            part,
            board: map.name.clone(),
            why: why.to_owned(),
        })
    }

    fn levels(&self, settings: &Settings) -> (Box<dyn Levels>, Vec<PinFault>) {
        let open = |led: &Led| match self.reserved(led_name(led), led.pin) {
            Some(error) => Err(error),
            None => Ok(*led),
        };
        let leds: Vec<_> = settings.leds.iter().map(open).collect();
        match &self.registers {
            Some(gpio) => {
                let (levels, faults) = super::rppal::open_levels(gpio, &self.chip, leds);
                (Box::new(levels), faults)
            }
            None => {
                let (levels, faults) = cdev::open_levels(&self.chip, leds);
                (Box::new(levels), faults)
            }
        }
    }
}

/// The registers, where they are wanted and can be had; and what to say if not.
fn choose(backend: Backend, chip: &Chip) -> Result<(Option<Gpio>, Option<BoardNote>), BoardError> {
    match backend {
        Backend::Rppal => super::rppal::start(chip).map(|gpio| (Some(gpio), None)),
        Backend::Auto if super::rppal::offered(chip) => Ok(match super::rppal::start(chip) {
            Ok(gpio) => (Some(gpio), None),
            Err(error) => {
                let why = error.sentence();
                (None, Some(BoardNote::WithoutRppal { why }))
            }
        }),
        _ => Ok((None, None)),
    }
}

/// What is known of the chip's pins: the map the settings name, else the
/// machine's own if this is its header's chip.
fn map_of(settings: &Settings, chip: &Chip) -> Option<&'static PinMap> {
    match &settings.board.model {
        Some(id) => PinMap::by_id(id),
        None => PinMap::of_this_machine().filter(|map| {
            map.chip
                .as_deref()
                .is_none_or(|label| label == chip.label())
        }),
    }
}

/// Pins and keys are one board.
struct Both {
    pins: Box<dyn Edges>,
    keys: usb::UsbEdges,
}

impl Edges for Both {
    fn held(&self, button: usize) -> Option<bool> {
        self.keys.held(button).or_else(|| self.pins.held(button))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn a_board_that_asks_for_no_pins_opens_without_a_word() {
        let (send, _heard) = crossbeam_channel::unbounded();
        for backend in [Backend::Auto, Backend::Cdev, Backend::Rppal, Backend::None] {
            let settings = Settings {
                board: config::BoardSettings {
                    backend,
                    ..config::BoardSettings::default()
                },
                buttons: Vec::new(),
                leds: Vec::new(),
            };
            let board = open(&settings, send.clone());
            assert_eq!((board.backend, board.faults), ("none", vec![]));
            assert_eq!(board.edges.held(0), None);
        }
    }
}
