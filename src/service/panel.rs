//! The board in the house: opened once, looked at by `/status` and health.
//!
//! Not here: what an edge means (`trigger`, `buttons`), what the lights are told (`lights`).

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crossbeam_channel::Receiver;

use super::lights::Feed;
use crate::base::{Clock, Coded, Sentence, lock};
use crate::board::lights::{self, LightFault, Lights, LightsThread};
use crate::board::sim::{self, SimHandle};
use crate::board::{self, BoardError, BoardEvent, BoardPart, Edges, OpenBoard, Settings};
use crate::config::Config;
use crate::config::{Backend, Button, Input};
use crate::health::{self, HealthSentence};
use crate::web::answers::board::{BoardView, ButtonView, LedView};

/// What everybody may look at. Buttons are named by their index in the config.
pub(crate) struct Panel {
    pub lights: Lights,
    pub feed: Feed,
    backend: &'static str,
    chip: Option<String>,
    /// Id, and pin; a USB key has none.
    buttons: Vec<(String, Option<u32>)>,
    /// None after the end.
    edges: Mutex<Option<Box<dyn Edges>>>,
    /// Why the board has no pins.
    without: Option<Sentence>,
    /// For each button: why it cannot be opened, and what it suffers from now.
    troubles: Mutex<Vec<Option<Sentence>>>,
    clock: Arc<dyn Clock>,
}

/// The panel, and what its owner needs besides.
pub(crate) struct Opened {
    pub panel: Arc<Panel>,
    /// Edges and what else the buttons say.
    pub heard: Receiver<BoardEvent>,
    /// The hand on a simulated board.
    pub sim: Option<SimHandle>,
    /// None without LEDs.
    /// Its end brings the lights into their dead state.
    _lights: Option<LightsThread>,
}

/// Opens what of the board can be opened, and lets its lights say "booting".
pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> io::Result<Opened> {
    let (tell, heard) = crossbeam_channel::unbounded();
    let mut sim = None;
    let board = match config.board.backend {
        Backend::Sim => {
            let opened = sim::open(config.buttons.len(), config.leds.len(), tell);
            sim = Some(opened.handle);
            simulated(opened.edges, opened.levels)
        }
        _ => board::open(&settings(config), tell),
    };
    tell_log(&board, config);
    let (lights, thread) = match config.leds.is_empty() {
        true => (Lights::none(), None),
        false => {
            let (lights, thread) = lights::start(board.levels, config.leds.clone(), clock.clone())?;
            (lights, Some(thread))
        }
    };
    let panel = Panel {
        feed: Feed::new(lights.clone(), clock.mono_ns()),
        lights,
        backend: board.backend,
        chip: board.chip,
        buttons: config.buttons.iter().map(named).collect(),
        edges: Mutex::new(Some(board.edges)),
        without: without_pins(&board.faults).map(Coded::sentence),
        troubles: Mutex::new(unopened(&board.faults, config.buttons.len())),
        clock: clock.clone(),
    };
    Ok(Opened {
        panel: Arc::new(panel),
        heard,
        sim,
        _lights: thread,
    })
}

/// What the board room is asked for.
pub(crate) fn settings(config: &Config) -> Settings {
    Settings {
        board: config.board.clone(),
        buttons: config.buttons.clone(),
        leds: config.leds.clone(),
    }
}

fn named(button: &Button) -> (String, Option<u32>) {
    let pin = match &button.input {
        Input::Gpio { pin, .. } => Some(*pin),
        Input::Usb { .. } => None,
    };
    (button.id.clone(), pin)
}

fn simulated(edges: Box<dyn Edges>, levels: Box<dyn board::Levels>) -> OpenBoard {
    OpenBoard {
        backend: "sim",
        chip: None,
        edges,
        levels,
        faults: Vec::new(),
        notes: Vec::new(),
    }
}

fn without_pins(faults: &[board::PinFault]) -> Option<&BoardError> {
    let all = faults.iter().find(|fault| fault.of == BoardPart::Pins);
    all.map(|fault| &fault.error)
}

fn unopened(faults: &[board::PinFault], buttons: usize) -> Vec<Option<Sentence>> {
    let of = |button| {
        let found = faults.iter().find(|f| f.of == BoardPart::Button(button));
        found.map(|fault| fault.error.sentence())
    };
    (0..buttons).map(of).collect()
}

/// Once, at the start.
fn tell_log(board: &OpenBoard, config: &Config) {
    for fault in &board.faults {
        let error = &fault.error;
        match (fault.of, error) {
            (_, why @ BoardError::NoGpio {}) => {
                log::warn!(target: "hindsight::board", event = "system_board_missing"; "{why}");
            }
            (BoardPart::Pins, _) => {
                log::warn!(target: "hindsight::board", event = "error_board"; "no button and no light works: {error}");
            }
            (BoardPart::Button(n), _) => {
                let id = config.buttons.get(n).map_or("?", |b| b.id.as_str());
                log::warn!(target: "hindsight::board", event = "error_button", button = id; "button {id} does not work: {error}");
            }
            (BoardPart::Led(n), _) => {
                let role = config
                    .leds
                    .get(n)
                    .map_or("?", |l| lights::role_name(l.role));
                log::warn!(target: "hindsight::board", event = "error_led", role; "the {role} light does not work: {error}");
            }
        }
    }
    for note in &board.notes {
        log::info!(target: "hindsight::board", event = "system_board_note"; "{note}");
    }
}

impl Panel {
    /// Whether a button is held now; `None`: cannot be told.
    pub fn held(&self, button: usize) -> Option<bool> {
        self.edges().as_ref()?.held(button)
    }

    /// A button is stuck or does not answer, in words for the staff; `None`: it is well again.
    pub fn set_trouble(&self, button: usize, what: Option<Sentence>) {
        let mut troubles = lock(&self.troubles);
        if let Some(trouble) = troubles.get_mut(button) {
            *trouble = what;
        }
        let any = troubles.iter().any(Option::is_some);
        self.lights.set_fault(LightFault::Button, any);
    }

    /// Ends the threads that listen to the buttons.
    pub fn close(&self) {
        let edges = self.edges().take();
        drop(edges);
    }

    /// What is wrong with buttons and lights.
    pub fn troubles(&self) -> Vec<health::BoardTrouble> {
        let mut found = Vec::new();
        if let Some(why) = &self.without {
            found.push(health::BoardTrouble {
                what: HealthSentence::BoardWithoutPins {
                    why: why.clone().into(),
                },
                place: "board".to_owned(),
            });
        }
        let buttons = self.buttons.iter().zip(lock(&self.troubles).clone());
        found.extend(buttons.filter_map(|((id, _), trouble)| {
            Some(health::BoardTrouble {
                what: HealthSentence::ButtonBroken {
                    why: trouble?.into(),
                },
                place: format!("button {id}"),
            })
        }));
        let lights = self.lights.views(self.clock.mono_ns());
        found.extend(lights.into_iter().filter_map(|view| {
            Some(health::BoardTrouble {
                what: HealthSentence::LightBroken {
                    why: view.trouble?.sentence().into(),
                },
                place: format!(
                    "{} light, pin {}",
                    lights::role_name(view.led.role),
                    view.led.pin
                ),
            })
        }));
        found
    }

    /// For `/status`.
    pub fn status(&self) -> BoardView {
        let edges = self.edges();
        let held = |button| edges.as_ref().and_then(|edges| edges.held(button));
        let troubles = lock(&self.troubles).clone();
        let buttons = self.buttons.iter().zip(troubles).enumerate();
        let buttons = buttons.map(|(n, ((id, pin), trouble))| ButtonView {
            id: id.clone(),
            pin: *pin,
            held: held(n),
            trouble: trouble.into(),
        });
        let lights = self.lights.views(self.clock.mono_ns());
        let leds = lights.into_iter().map(|view| LedView {
            pin: view.led.pin,
            role: lights::role_name(view.led.role),
            meaning: view.meaning.row().name,
            lit: view.lit,
            trouble: view.trouble.map(|error| error.sentence()).into(),
        });
        BoardView {
            backend: self.backend,
            chip: self.chip.clone(),
            trouble: self.without.clone().into(),
            buttons: buttons.collect(),
            leds: leds.collect(),
        }
    }

    fn edges(&self) -> MutexGuard<'_, Option<Box<dyn Edges>>> {
        lock(&self.edges)
    }
}
