//! LEDs on the character device: levels read back at the pin, and pins that
//! cannot be had.

use hindsight::board::{BoardError, BoardPart, BoardPartName, PinFault, open, open_levels};
use hindsight::config::{ActiveLevel, LedRole};

use crate::chip::SimChip;
use crate::guest::in_guest;
use crate::rig::{led, opened, settings};

#[test]
fn leds_of_both_active_levels_are_lit_and_put_out_at_the_pin() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        // Lit by what was before: opening puts them out.
        chip.pull(22, true);
        chip.pull(23, false);
        let leds = vec![
            led(22, ActiveLevel::High, LedRole::Ready),
            led(23, ActiveLevel::Low, LedRole::Fault),
        ];
        let mut open = opened(&settings(vec![], leds));
        assert_eq!([chip.high(22), chip.high(23)], [false, true]);
        for (ready, fault) in [(true, false), (true, true), (false, true), (false, false)] {
            open.board.levels.set(0, ready).unwrap();
            open.board.levels.set(1, fault).unwrap();
            assert_eq!([chip.high(22), chip.high(23)], [ready, !fault]);
            let lit = [0, 1].map(|led| open.board.levels.lit(led));
            assert_eq!(lit, [Some(ready), Some(fault)]);
        }
    });
}

#[test]
fn an_led_that_somebody_has_is_an_error_with_his_name_and_the_others_work() {
    in_guest(|| {
        let chip = SimChip::with_hogs("header", 54, &[(22, "led0")]);
        let leds = vec![
            led(22, ActiveLevel::High, LedRole::Ready),
            led(23, ActiveLevel::High, LedRole::Fault),
        ];
        let (send, _heard) = crossbeam_channel::unbounded();
        let mut board = open(&settings(vec![], leds), send);
        let error = BoardError::PinTaken {
            part: BoardPartName::Led {
                role: "ready",
                pin: 22,
            },
            who: "`led0`".to_owned(),
        };
        assert_eq!(
            error.to_string(),
            "LED `ready` on GPIO 22: the pin is in use by `led0`; choose another pin, or stop what uses it"
        );
        let of = BoardPart::Led(0);
        let fault = PinFault {
            of,
            error: error.clone(),
        };
        assert_eq!(board.faults, [fault]);
        assert_eq!(board.levels.set(0, true), Err(error));
        assert_eq!(board.levels.lit(0), None);
        board.levels.set(1, true).unwrap();
        assert!(chip.high(23));
    });
}

#[test]
fn leds_alone_are_opened_without_their_buttons_and_keep_their_level_afterwards() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        let leds = vec![led(22, ActiveLevel::High, LedRole::Ready)];
        let button = crate::rig::button(17, 20);
        // The button's pin is somebody else's: that is no matter of the lights.
        let other = opened(&settings(vec![button.clone()], vec![]));
        let mut outputs = open_levels(&settings(vec![button], leds));
        assert_eq!((outputs.backend, &outputs.faults), ("cdev", &vec![]));
        outputs.levels.set(0, true).unwrap();
        drop(outputs);
        assert!(chip.high(22));
        drop(other);
    });
}

#[test]
fn a_line_that_its_dying_holder_lets_go_in_a_moment_is_waited_for() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        let settings = settings(vec![], vec![led(22, ActiveLevel::High, LedRole::Ready)]);
        let held = opened(&settings);
        let (send, begun) = std::sync::mpsc::channel();
        let dying = std::thread::spawn(move || {
            begun.recv().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(100));
            drop(held);
        });
        send.send(()).unwrap();
        let mut outputs = open_levels(&settings);
        assert_eq!(outputs.faults, []);
        outputs.levels.set(0, true).unwrap();
        assert!(chip.high(22));
        dying.join().unwrap();
    });
}
