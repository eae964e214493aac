//! The GPIO character device: which chip has the header, and who has a pin.
//!
//! Not here: edges and levels (`cdev`, `rppal`).

use std::os::fd::{AsFd, BorrowedFd};

use gpiocdev::line::InfoChangeKind;

use super::error::{BoardError, BoardNote, BoardPartName};
use super::types::Settings;
use crate::config::{Button, Input, Led, LedRole};

/// How lines that we hold are marked in the kernel.
pub const CONSUMER: &str = "hindsight";

/// Chips with the header of a Raspberry Pi.
pub const HEADER_LABELS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

/// One chip, open for asking.
pub struct Chip {
    chip: gpiocdev::Chip,
    label: String,
    lines: u32,
}

/// A chip as it is told apart: `gpiochip0` and its label.
struct Known {
    name: String,
    label: String,
}

impl Chip {
    /// The chip the settings name, else the one with the board's header, else
    /// the first. The second value is what should be said about the choice.
    pub fn find(settings: &Settings) -> Result<(Chip, Option<BoardNote>), BoardError> {
        let chips = open_all()?;
        let known: Vec<Known> = chips.iter().map(Chip::known).collect();
        let (at, note) = choose(&known, settings.board.chip.as_deref())?;
        match chips.into_iter().nth(at) {
            Some(chip) => Ok((chip, note)),
            None => Err(BoardError::NoGpio {}),
        }
    }

    fn known(&self) -> Known {
        Known {
            name: self.chip.name(),
            label: self.label.clone(),
        }
    }

    pub fn path(&self) -> &std::path::Path {
        self.chip.path()
    }

    /// `gpiochip0 (pinctrl-bcm2711)`
    pub fn shown(&self) -> String {
        shown(&self.known())
    }

    pub fn label(&self) -> &str {
        &self.label
    }

    pub fn is_header(&self) -> bool {
        HEADER_LABELS.contains(&self.label.as_str())
    }

    /// The same chip, opened once more: what one of them watches the other does not hear.
    pub fn again(&self) -> Result<Chip, BoardError> {
        open_one(self.path()).map_err(|error| self.silent(&error))
    }

    /// Has the kernel tell when the pin changes hands.
    pub fn watch(&self, pin: u32) -> Result<(), BoardError> {
        let watched = self.chip.watch_line_info(pin);
        watched.map(drop).map_err(|error| self.silent(&error))
    }

    /// The next of what [`Chip::watch`] asked for: a pin that was let go, if it is that.
    pub fn released(&self) -> Result<Option<u32>, BoardError> {
        let event = self.chip.read_line_info_change_event();
        let event = event.map_err(|error| self.silent(&error))?;
        Ok((event.kind == InfoChangeKind::Released).then_some(event.info.offset))
    }

    fn silent(&self, error: &gpiocdev::Error) -> BoardError {
        BoardError::ChipSilent {
            chip: self.shown(),
            error: kernel_word(error),
        }
    }

    /// Who has the pin, by the kernel's word; `None`: nobody, or it does not say.
    pub fn who_has(&self, pin: u32) -> Option<String> {
        let info = self.chip.line_info(pin).ok()?;
        info.used.then(|| match info.consumer.as_str() {
            "" => "the kernel".to_owned(),
            name => format!("`{name}`"),
        })
    }

    /// Whether the pin is held under the name `consumer`.
    pub fn held_by(&self, pin: u32, consumer: &str) -> bool {
        self.chip
            .line_info(pin)
            .is_ok_and(|info| info.used && info.consumer == consumer)
    }

    /// Whether the chip has such a pin, and nobody has it.
    pub fn check(&self, part: &BoardPartName, pin: u32) -> Result<(), BoardError> {
        if pin >= self.lines {
            return Err(BoardError::NoSuchPin {
                part: part.clone(),
                chip: self.shown(),
                last_pin: self.lines.saturating_sub(1),
                pin,
            });
        }
        match self.who_has(pin) {
            Some(who) => Err(taken(part.clone(), who)),
            None => Ok(()),
        }
    }
}

impl AsFd for Chip {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.chip.as_fd()
    }
}

/// The error of a pin that somebody has.
pub fn taken(part: BoardPartName, who: String) -> BoardError {
    match who == format!("`{CONSUMER}`") {
        true => BoardError::PinTakenByHindsight { part, who },
        false => BoardError::PinTaken { part, who },
    }
}

/// What a button is called in messages.
pub fn button_name(button: &Button) -> BoardPartName {
    let id = button.id.clone();
    match &button.input {
        Input::Gpio { pin, .. } => BoardPartName::Button {
            button: id,
            pin: *pin,
        },
        Input::Usb { key, .. } => BoardPartName::Key {
            button: id,
            key: key.clone(),
        },
    }
}

/// What an LED is called in messages.
pub fn led_name(led: &Led) -> BoardPartName {
    let role = match led.role {
        LedRole::Ready => "ready",
        LedRole::Busy => "busy",
        LedRole::Fault => "fault",
        LedRole::Status => "status",
        LedRole::Sound => return BoardPartName::Buzzer { pin: led.pin },
    };
    BoardPartName::Led { role, pin: led.pin }
}

/// What the kernel says, without the library's words around it.
pub fn kernel_word(error: &gpiocdev::Error) -> String {
    use std::error::Error;
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn open_all() -> Result<Vec<Chip>, BoardError> {
    let paths = gpiocdev::chip::chips().unwrap_or_default();
    let mut chips = Vec::new();
    let mut refused = None;
    for path in &paths {
        match open_one(path) {
            Ok(chip) => chips.push(chip),
            Err(error) => refused = Some((path.display().to_string(), kernel_word(&error))),
        }
    }
    match (chips.is_empty(), refused) {
        (false, _) => Ok(chips),
        (true, Some((path, error))) => Err(BoardError::ChipClosed { path, error }),
        (true, None) => Err(BoardError::NoGpio {}),
    }
}

fn open_one(path: &std::path::Path) -> Result<Chip, gpiocdev::Error> {
    let chip = gpiocdev::Chip::from_path(path)?;
    let info = chip.info()?;
    Ok(Chip {
        chip,
        label: info.label,
        lines: info.num_lines,
    })
}

fn shown(chip: &Known) -> String {
    format!("{} ({})", chip.name, chip.label)
}

/// Which of the chips, and what to say about it.
fn choose(chips: &[Known], want: Option<&str>) -> Result<(usize, Option<BoardNote>), BoardError> {
    let all = || chips.iter().map(shown).collect::<Vec<_>>().join(", ");
    if let Some(want) = want {
        let name = want.strip_prefix("/dev/").unwrap_or(want);
        return match chips.iter().position(|c| c.name == name || c.label == want) {
            Some(at) => Ok((at, None)),
            None => Err(BoardError::NoSuchChip {
                chip: want.to_owned(),
                chips: all(),
            }),
        };
    }
    let header = |chip: &Known| HEADER_LABELS.contains(&chip.label.as_str());
    match chips.iter().position(header) {
        Some(at) => Ok((at, None)),
        None if chips.is_empty() => Err(BoardError::NoGpio {}),
        None if chips.len() == 1 => Ok((0, None)),
        None => Ok((
            0,
            Some(BoardNote::ChipGuessed {
                chip: shown(&chips[0]),
                chips: all(),
            }),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chips(labels: &[&str]) -> Vec<Known> {
        let known = |(n, label): (usize, &&str)| Known {
            name: format!("gpiochip{n}"),
            label: (*label).to_owned(),
        };
        labels.iter().enumerate().map(known).collect()
    }

    #[test]
    fn the_chip_with_the_header_is_found_wherever_the_kernel_counts_it() {
        let found = choose(&chips(&["raspberrypi-exp-gpio", "pinctrl-rp1"]), None).unwrap();
        assert_eq!(found, (1, None));
    }

    #[test]
    fn a_chip_is_named_by_its_device_or_by_its_label() {
        let chips = chips(&["a", "b"]);
        for want in ["/dev/gpiochip1", "gpiochip1", "b"] {
            assert_eq!(choose(&chips, Some(want)).unwrap(), (1, None));
        }
        let error = choose(&chips, Some("/dev/gpiochip7")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no GPIO chip `/dev/gpiochip7` here; there are gpiochip0 (a), gpiochip1 (b)"
        );
    }

    #[test]
    fn a_guess_among_several_chips_is_said() {
        assert_eq!(choose(&chips(&["a"]), None).unwrap(), (0, None));
        let (at, note) = choose(&chips(&["a", "b"]), None).unwrap();
        assert_eq!(at, 0);
        assert!(matches!(note, Some(BoardNote::ChipGuessed { .. })));
        let none = choose(&[], None).unwrap_err();
        assert!(matches!(none, BoardError::NoGpio {}));
    }
}
