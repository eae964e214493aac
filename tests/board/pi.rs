//! `rppal` on a chip that is labelled as a Raspberry Pi's, with registers that are
//! a file: edges come from the kernel, levels are looked at in the registers.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use hindsight::board::{BoardEvent, BoardPart, Settings, open};
use hindsight::config::{ActiveLevel, Backend, LedRole};
use nix::mount::{MsFlags, mount};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::chip::SimChip;
use crate::guest::in_guest;
use crate::rig::{Open, button, led, now, opened, settings};

/// Words of the registers, by the chip's documentation.
const SET: u64 = 7;
const CLEAR: u64 = 10;
const LEVEL: u64 = 13;

/// The guest as a Raspberry Pi 4.
struct Pi {
    registers: fs::File,
    chip: SimChip,
}

impl Pi {
    fn new(hogs: &[(u32, &str)]) -> Pi {
        let cpuinfo = concat!(env!("CARGO_TARGET_TMPDIR"), "/cpuinfo");
        fs::write(cpuinfo, "Revision\t: c03112\n").unwrap();
        let none: Option<&str> = None;
        let bind = MsFlags::MS_BIND;
        mount(Some(cpuinfo), "/proc/cpuinfo", none, bind, none).unwrap();
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let registers = options.open("/dev/gpiomem").unwrap();
        registers.set_len(4096).unwrap();
        let chip = SimChip::with_hogs("pinctrl-bcm2711", 58, hogs);
        chip.pull(17, true);
        Pi { registers, chip }
    }

    fn word(&self, at: u64) -> u32 {
        let mut word = [0; 4];
        self.registers.read_exact_at(&mut word, at * 4).unwrap();
        u32::from_ne_bytes(word)
    }

    fn set_word(&self, at: u64, word: u32) {
        let word = word.to_ne_bytes();
        self.registers.write_all_at(&word, at * 4).unwrap();
    }
}

fn on_pi(mut settings: Settings) -> Settings {
    settings.board.backend = Backend::Auto;
    settings
}

#[test]
fn on_a_raspberry_pi_the_edges_are_rppals_and_the_levels_go_to_its_registers() {
    in_guest(|| {
        let pi = Pi::new(&[]);
        let leds = vec![
            led(22, ActiveLevel::High, LedRole::Ready),
            led(23, ActiveLevel::Low, LedRole::Fault),
        ];
        let mut open = opened(&on_pi(settings(vec![button(17, 20)], leds)));
        assert_eq!(open.board.backend, "rppal");
        assert_eq!(
            open.board.chip.as_deref(),
            Some("gpiochip0 (pinctrl-bcm2711)")
        );
        for held in [true, false, true, false] {
            let before = now();
            pi.chip.pull(17, !held);
            let edge = open.edge();
            assert_eq!((edge.button, edge.held), (0, held));
            assert!(before <= edge.at_mono_ns && edge.at_mono_ns <= now());
        }
        pi.set_word(LEVEL, 0);
        assert_eq!(open.board.edges.held(0), Some(true));
        pi.set_word(LEVEL, 1 << 17);
        assert_eq!(open.board.edges.held(0), Some(false));

        open.board.levels.set(0, true).unwrap();
        assert_eq!(pi.word(SET), 1 << 22);
        open.board.levels.set(0, false).unwrap();
        assert_eq!(pi.word(CLEAR), 1 << 22);
        open.board.levels.set(1, true).unwrap();
        assert_eq!(pi.word(CLEAR), 1 << 23);
    });
}

#[test]
fn a_line_that_rppal_cannot_have_is_an_error_although_it_says_nothing() {
    in_guest(|| {
        let pi = Pi::new(&[(27, "w1")]);
        let (send, heard) = crossbeam_channel::unbounded();
        let leds = vec![led(27, ActiveLevel::High, LedRole::Busy)];
        let settings = on_pi(settings(vec![button(27, 20), button(17, 0)], leds));
        let board = open(&settings, send);
        assert_eq!(board.backend, "rppal");
        let faults: Vec<_> = board
            .faults
            .iter()
            .map(|f| (f.of, f.error.to_string()))
            .collect();
        let text = |part: &str| {
            format!(
                "{part} on GPIO 27: the pin is in use by `w1`; choose another pin, or stop what uses it"
            )
        };
        let expected = [
            (BoardPart::Button(0), text("button `b27`")),
            (BoardPart::Led(0), text("LED `busy`")),
        ];
        assert_eq!(faults, expected);
        pi.chip.pull(17, false);
        let edge = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(matches!(edge, BoardEvent::Edge(edge) if edge.button == 1 && edge.held));
    });
}

#[test]
fn a_button_lives_on_after_a_signal_ended_rppals_thread() {
    in_guest(|| {
        let pi = Pi::new(&[]);
        let open = opened(&on_pi(settings(vec![button(17, 0)], vec![])));
        assert_eq!(
            looked_at(&open),
            BoardEvent::Lost {
                button: 0,
                edges: 0
            }
        );
        let what = None;
        assert_eq!(open.next(), BoardEvent::Trouble { button: 0, what });
        // The end of the look may tear the new thread out of its wait as well.
        while let Ok(heard) = open.heard.recv_timeout(Duration::from_millis(500)) {
            let well = !matches!(&heard, BoardEvent::Trouble { what: Some(_), .. });
            assert!(well, "{heard:?}");
        }
        for held in [true, false] {
            pi.chip.pull(17, !held);
            assert_eq!(open.edge().held, held);
        }
    });
}

/// Somebody looks at us with a debugger, until something is heard: the thread must be
/// in its wait to be torn out of it.
fn looked_at(open: &Open) -> BoardEvent {
    for _ in 0..30 {
        let mut look = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-p", "1"])
            .spawn()
            .unwrap();
        let heard = open.heard.recv_timeout(Duration::from_secs(3));
        // So that it lets go of us as it should.
        kill(
            Pid::from_raw(i32::try_from(look.id()).unwrap()),
            Signal::SIGINT,
        )
        .unwrap();
        look.wait().unwrap();
        if let Ok(heard) = heard {
            return heard;
        }
    }
    panic!("no thread was torn out of its wait");
}

#[test]
fn without_its_registers_a_raspberry_pi_has_the_character_device() {
    in_guest(|| {
        let chip = SimChip::new("pinctrl-bcm2711", 58);
        chip.pull(17, true);
        let open = opened(&on_pi(settings(vec![button(17, 0)], vec![])));
        assert_eq!(open.board.backend, "cdev");
        chip.pull(17, false);
        assert!(open.edge().held);
    });
}

#[test]
fn rppal_forced_where_it_cannot_be_says_what_it_wants() {
    in_guest(|| {
        let _chip = SimChip::new("header", 54);
        let mut settings = settings(vec![button(17, 0)], vec![]);
        settings.board.backend = Backend::Rppal;
        let (send, _heard) = crossbeam_channel::unbounded();
        let board = open(&settings, send);
        assert_eq!(board.backend, "none");
        let faults: Vec<_> = board
            .faults
            .iter()
            .map(|f| (f.of, f.error.to_string()))
            .collect();
        let text = "`rppal` wants a Raspberry Pi's own kernel, with /dev/gpiomem and a chip of its header; here is gpiochip0 (header); use backend \"cdev\"";
        assert_eq!(faults, [(BoardPart::Pins, text.to_owned())]);
    });
}
