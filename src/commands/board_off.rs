//! `hindsight board off`: every light into the state that says "nothing is saved here".
//!
//! systemd runs it whenever the service has ended, however it ended: a killed
//! program leaves its pins as they were, and a "ready" light that lies is worse
//! than none.

use std::process::ExitCode;

use super::exit::WRONG;
use crate::board::lights::role_name;
use crate::board::{self, BoardError, BoardPart, LedOutputs, patterns};
use crate::config::Config;
use crate::config::{Backend, Led};
use crate::service::panel;

pub(super) fn off(config: &Config) -> ExitCode {
    if config.leds.is_empty() {
        println!("the configuration names no light ([[led]]): nothing to do");
        return ExitCode::SUCCESS;
    }
    if matches!(config.board.backend, Backend::Sim | Backend::None) {
        println!(
            "[board] backend is \"sim\" or \"none\": there is no light of wood and iron to put out"
        );
        return ExitCode::SUCCESS;
    }
    let outputs = board::open_levels(&panel::settings(config));
    let (told, all_well) = put_out(outputs, &config.leds);
    for line in told {
        println!("{line}");
    }
    ExitCode::from(if all_well { 0 } else { WRONG })
}

/// Sets every light that there is; what is to be said, and whether all went well.
fn put_out(mut outputs: LedOutputs, leds: &[Led]) -> (Vec<String>, bool) {
    let mut told = Vec::new();
    let mut all_well = true;
    for fault in &outputs.faults {
        match (&fault.of, &fault.error) {
            (_, why @ BoardError::NoGpio {}) => return (vec![why.to_string()], true),
            (BoardPart::Pins, error) => return (vec![error.to_string()], false),
            _ => {}
        }
    }
    for (n, led) in leds.iter().enumerate() {
        let lit = patterns::dead_level(led.role);
        let name = format!("{} light, pin {}", role_name(led.role), led.pin);
        match outputs.levels.set(n, lit) {
            Ok(()) => told.push(format!("{name}: {}", if lit { "on" } else { "off" })),
            Err(error) => {
                all_well = false;
                told.push(format!("{name}: not set: {error}"));
            }
        }
    }
    (told, all_well)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::board::{PinFault, sim};
    use crate::config::{ActiveLevel, LedRole};

    fn leds() -> Vec<Led> {
        let led = |(pin, role)| Led {
            pin,
            active: ActiveLevel::High,
            role,
        };
        (17..).zip(patterns::ROLES).map(led).collect()
    }

    fn outputs(sim: sim::Sim, faults: Vec<PinFault>) -> LedOutputs {
        LedOutputs {
            backend: "sim",
            levels: sim.levels,
            faults,
        }
    }

    fn five_lights() -> sim::Sim {
        sim::open(0, 5, crossbeam_channel::unbounded().0)
    }

    #[test]
    fn every_light_is_put_into_its_dead_state_and_each_is_told() {
        let sim = five_lights();
        let handle = sim.handle.clone();
        let (told, all_well) = put_out(outputs(sim, Vec::new()), &leds());
        assert!(all_well);
        let dead = patterns::ROLES.map(|role| Some(patterns::dead_level(role)));
        assert_eq!(handle.row(), dead);
        assert_eq!(told[0], "ready light, pin 17: off");
        assert_eq!(told[2], "fault light, pin 19: on");
        assert_eq!(told.len(), 5);
    }

    #[test]
    fn a_light_that_somebody_holds_does_not_keep_the_others_from_their_state() {
        let sim = five_lights();
        let handle = sim.handle.clone();
        handle.break_led(0, Some("w1-gpio has it"));
        let (told, all_well) = put_out(outputs(sim, Vec::new()), &leds());
        assert!(!all_well);
        assert_eq!(told[0], "ready light, pin 17: not set: w1-gpio has it");
        assert_eq!(handle.lit(LedRole::Fault as usize), Some(true));
    }

    #[test]
    fn a_machine_without_pins_is_no_failure_but_pins_that_may_not_be_used_are() {
        let without = |error| {
            let of = BoardPart::Pins;
            put_out(
                outputs(five_lights(), vec![PinFault { of, error }]),
                &leds(),
            )
        };
        let none = without(BoardError::NoGpio {});
        assert_eq!(none, (vec![BoardError::NoGpio {}.to_string()], true));
        let barred = without(BoardError::Simulated {
            why: "not allowed".to_owned(),
        });
        assert_eq!(barred, (vec!["not allowed".to_owned()], false));
    }
}
