//! Keyboards, pedals and presenters: made by `uinput`, heard through `/dev/input`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use evdev::uinput::VirtualDevice;
use evdev::{AttributeSet, EventType, InputEvent, KeyCode};
use hindsight::board::{BoardEvent, BoardPart, open};
use hindsight::config::{Button, Input};

use nix::unistd::{Uid, setfsuid};

use crate::guest::in_guest;
use crate::rig::{Open, button, now, opened, settings, until, with_input};

fn key(id: &str, device: Option<&str>, key: &str) -> Button {
    let device = device.map(str::to_owned);
    let key = key.to_owned();
    with_input(id, Input::Usb { device, key })
}

fn plug(name: &str, keys: &[KeyCode]) -> VirtualDevice {
    let keys: AttributeSet<KeyCode> = keys.iter().copied().collect();
    let builder = VirtualDevice::builder().unwrap().name(name);
    builder.with_keys(&keys).unwrap().build().unwrap()
}

fn send(device: &mut VirtualDevice, key: KeyCode, value: i32) {
    let event = InputEvent::new(EventType::KEY.0, key.0, value);
    device.emit(&[event]).unwrap();
}

impl Open {
    fn trouble(&self) -> (usize, Option<String>) {
        match self.next() {
            BoardEvent::Trouble { button, what } => (button, what.map(|error| error.to_string())),
            other => panic!("trouble was expected, not {other:?}"),
        }
    }
}

#[test]
fn a_pedal_that_is_plugged_in_later_is_a_button_and_no_longer_when_it_goes() {
    in_guest(|| {
        let open = opened(&settings(
            vec![key("pedal", Some("FOOTswitch"), "KEY_B")],
            vec![],
        ));
        let missing = "button `pedal`: no input device with `FOOTswitch` in its name and a key KEY_B is plugged in";
        assert_eq!(open.trouble(), (0, Some(missing.to_owned())));

        // Another device has the key, and is not meant.
        let mut keyboard = plug("Keyboard", &[KeyCode::KEY_A, KeyCode::KEY_B]);
        let mut pedal = plug("PCsensor FootSwitch", &[KeyCode::KEY_B]);
        assert_eq!(open.trouble(), (0, None));
        send(&mut keyboard, KeyCode::KEY_B, 1);
        for held in [true, false] {
            let before = now();
            send(&mut pedal, KeyCode::KEY_B, i32::from(held));
            let edge = open.edge();
            assert_eq!((edge.button, edge.held), (0, held));
            // The kernel's stamps of input events end at microseconds.
            assert!(before / 1000 <= edge.at_mono_ns / 1000 && edge.at_mono_ns <= now());
        }

        // Held while the plug is pulled: it is let go.
        send(&mut pedal, KeyCode::KEY_B, 1);
        assert!(open.edge().held);
        assert_eq!(open.board.edges.held(0), Some(true));
        drop(pedal);
        assert!(!open.edge().held);
        assert_eq!(open.trouble(), (0, Some(missing.to_owned())));
        assert_eq!(open.board.edges.held(0), Some(false));

        let mut pedal = plug("PCsensor FootSwitch", &[KeyCode::KEY_B]);
        assert_eq!(open.trouble(), (0, None));
        send(&mut pedal, KeyCode::KEY_B, 1);
        assert!(open.edge().held);
    });
}

#[test]
fn keys_that_repeat_themselves_and_keys_of_others_are_no_edges() {
    in_guest(|| {
        let mut keyboard = plug(
            "Keyboard",
            &[KeyCode::KEY_A, KeyCode::KEY_B, KeyCode::KEY_C],
        );
        let buttons = vec![key("goal", None, "KEY_B"), key("point", None, "KEY_C")];
        let open = opened(&settings(buttons, vec![]));
        wait_for_open(&open);
        for (code, value) in [
            (KeyCode::KEY_A, 1),
            (KeyCode::KEY_B, 1),
            (KeyCode::KEY_B, 2),
            (KeyCode::KEY_B, 2),
            (KeyCode::KEY_B, 0),
            (KeyCode::KEY_C, 1),
        ] {
            send(&mut keyboard, code, value);
        }
        let edges = [open.edge(), open.edge(), open.edge()];
        let told = edges.map(|edge| (edge.button, edge.held));
        assert_eq!(told, [(0, true), (0, false), (1, true)]);
        open.nothing_for(Duration::from_millis(50));
    });
}

/// A device that is there at the start is opened by the thread, without a word.
fn wait_for_open(open: &Open) {
    let is_device = |to: PathBuf| to.to_string_lossy().starts_with("/dev/input/event");
    let mine = |fd: fs::DirEntry| fs::read_link(fd.path()).is_ok_and(is_device);
    until("the keyboard is open", || {
        fs::read_dir("/proc/self/fd").unwrap().flatten().any(mine)
    });
    open.nothing_for(Duration::from_millis(50));
}

#[test]
fn pins_and_keys_are_one_board_and_a_key_works_where_there_is_no_gpio() {
    in_guest(|| {
        let mut keyboard = plug("Keyboard", &[KeyCode::KEY_B]);
        let (tell, heard) = crossbeam_channel::unbounded();
        let buttons = vec![button(17, 20), key("goal", None, "KEY_B")];
        let board = open(&settings(buttons, vec![]), tell);
        let faults: Vec<BoardPart> = board.faults.iter().map(|fault| fault.of).collect();
        assert_eq!(faults, [BoardPart::Pins]);
        let open = Open { board, heard };
        wait_for_open(&open);
        send(&mut keyboard, KeyCode::KEY_B, 1);
        let edge = open.edge();
        assert_eq!((edge.button, edge.held), (1, true));
        assert_eq!(open.board.edges.held(1), Some(true));
        assert_eq!(open.board.edges.held(0), None);
    });
}

#[test]
fn a_key_that_the_kernel_does_not_know_is_an_error() {
    in_guest(|| {
        let (tell, _heard) = crossbeam_channel::unbounded();
        let board = open(&settings(vec![key("goal", None, "KEY_GOAL")], vec![]), tell);
        let faults: Vec<_> = board
            .faults
            .iter()
            .map(|f| (f.of, f.error.to_string()))
            .collect();
        let text = "button `goal`: the kernel knows no key `KEY_GOAL`; keys are named like KEY_B, KEY_PAGEDOWN, BTN_0";
        assert_eq!(faults, [(BoardPart::Button(0), text.to_owned())]);
    });
}

#[test]
fn a_device_that_may_not_be_opened_yet_is_told_with_what_to_do_and_opened_when_it_may() {
    in_guest(|| {
        let mut pedal = plug("Pedal", &[KeyCode::KEY_B]);
        // A service that is not root; its threads are what the one that opens is.
        let opening = std::thread::spawn(|| {
            setfsuid(Uid::from_raw(1000));
            opened(&settings(vec![key("pedal", None, "KEY_B")], vec![]))
        });
        let open = opening.join().unwrap();
        let missing = "button `pedal`: no input device with a key KEY_B is plugged in";
        assert_eq!(open.trouble(), (0, Some(missing.to_owned())));
        let (_, what) = open.trouble();
        let what = what.unwrap();
        assert!(
            what.contains("cannot be opened: Permission denied"),
            "{what}"
        );
        assert!(what.contains("belongs into the group `input`"), "{what}");
        for entry in fs::read_dir("/dev/input").unwrap().flatten() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o666)).unwrap();
        }
        assert_eq!(open.trouble(), (0, None));
        send(&mut pedal, KeyCode::KEY_B, 1);
        assert!(open.edge().held);
    });
}
