//! A look at the pins that takes none: who has them, and which button is held.
//!
//! Only pins of our buttons are read, and only while nobody has them: a light's
//! level would be lost on kernels that reset a line when it is released, and any
//! other pin may be doing something.
//!
//! Not here: opening a board for good (`open`).

use std::collections::BTreeMap;
use std::path::Path;

use gpiocdev::Request;
use gpiocdev::line::{Bias, Value};

use super::chip::{CONSUMER, Chip};
use super::error::{BoardError, BoardNote};
use super::pins::PinMap;
use super::types::Settings;
use crate::config::{ActiveLevel, Input, Pull};

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeked {
    /// `gpiochip0 (pinctrl-bcm2711)`
    pub chip: String,
    /// What should be said about the choice of the chip.
    pub note: Option<BoardNote>,
    /// Who has a pin, by the kernel's word.
    pub users: BTreeMap<u32, String>,
    /// For each button of the settings, whether it is held; `None`: cannot be told.
    pub held: Vec<Option<bool>>,
    /// Whether a line keeps its level when it is released, as the dead state of the
    /// lights needs; `None`: this kernel does not say.
    pub keeps_levels: Option<bool>,
}

/// Looks at the pins of `map` and at those of the settings.
pub fn peek(settings: &Settings, map: &PinMap) -> Result<Peeked, BoardError> {
    let (chip, note) = Chip::find(settings)?;
    let ours = settings
        .buttons
        .iter()
        .filter_map(|button| pin_of(&button.input));
    let lights = settings.leds.iter().map(|led| led.pin);
    let all = map.lines().map(|line| line.bcm).chain(ours).chain(lights);
    let users: BTreeMap<u32, String> = all
        .filter_map(|pin| Some((pin, chip.who_has(pin)?)))
        .collect();
    let held = settings.buttons.iter().map(|button| {
        let pin = pin_of(&button.input)?;
        let ours = !users.contains_key(&pin) && map.reserved(pin).is_none();
        ours.then(|| read(&chip, &button.input)).flatten()
    });
    let held = held.collect();
    Ok(Peeked {
        chip: chip.shown(),
        note,
        users,
        held,
        keeps_levels: keeps_levels(Path::new("/sys/module"), chip.label()),
    })
}

/// By a parameter that the drivers of Raspberry Pis have, in kernels that can do it.
fn keeps_levels(modules: &Path, label: &str) -> Option<bool> {
    let driver = match label {
        // One driver for both.
        "pinctrl-bcm2835" | "pinctrl-bcm2711" => "pinctrl_bcm2835",
        "pinctrl-rp1" => "pinctrl_rp1",
        _ => return None,
    };
    let parameter = modules.join(driver).join("parameters/persist_gpio_outputs");
    let said = std::fs::read_to_string(parameter).ok()?;
    Some(said.trim() == "Y")
}

fn pin_of(input: &Input) -> Option<u32> {
    match input {
        Input::Gpio { pin, .. } => Some(*pin),
        Input::Usb { .. } => None,
    }
}

/// Takes a button's pin for a moment, as the service would.
fn read(chip: &Chip, input: &Input) -> Option<bool> {
    let Input::Gpio {
        pin, active, pull, ..
    } = input
    else {
        return None;
    };
    let mut builder = Request::builder();
    builder
        .on_chip(chip.path())
        .with_consumer(CONSUMER)
        .with_line(*pin)
        .as_input()
        .with_bias(match pull {
            Pull::Up => Bias::PullUp,
            Pull::Down => Bias::PullDown,
            Pull::Off => Bias::Disabled,
        });
    if *active == ActiveLevel::Low {
        builder.as_active_low();
    }
    let request = builder.request().ok()?;
    let value = request.value(*pin).ok()?;
    Some(value == Value::Active)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_kernel_that_forgets_levels_is_known_by_its_drivers_parameter() {
        let modules = tempfile::tempdir().unwrap();
        let of = |label| keeps_levels(modules.path(), label);
        assert_eq!(of("pinctrl-bcm2711"), None);
        let folder = modules.path().join("pinctrl_bcm2835/parameters");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("persist_gpio_outputs"), "N\n").unwrap();
        assert_eq!(of("pinctrl-bcm2711"), Some(false));
        std::fs::write(folder.join("persist_gpio_outputs"), "Y\n").unwrap();
        assert_eq!(of("pinctrl-bcm2835"), Some(true));
        assert_eq!(of("gpio-sim.0"), None);
    }
}
