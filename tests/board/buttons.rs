//! Buttons on the character device: edges, their times, bounces, pulls, and pins
//! that cannot be had.

use std::time::Duration;

use hindsight::board::{BoardError, BoardEvent, BoardPart, PinFault, open};
use hindsight::config::{ActiveLevel, Pull};

use crate::chip::SimChip;
use crate::guest::in_guest;
use crate::rig::{MS, button, now, opened, settings, until, wired};

#[test]
fn a_press_and_its_release_are_edges_with_the_kernels_own_time() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        let open = opened(&settings(vec![button(17, 0)], vec![]));
        assert_eq!(open.board.backend, "cdev");
        assert_eq!(open.board.chip.as_deref(), Some("gpiochip0 (header)"));
        assert_eq!(open.board.edges.held(0), Some(false));
        for held in [true, false, true, false] {
            let before = now();
            chip.pull(17, !held);
            let edge = open.edge();
            assert_eq!((edge.button, edge.held), (0, held));
            assert!(
                before <= edge.at_mono_ns && edge.at_mono_ns <= now(),
                "{before} {edge:?}"
            );
            assert_eq!(open.board.edges.held(0), Some(held));
        }
    });
}

#[test]
fn a_debounced_press_has_the_time_of_the_touch_not_of_the_end_of_waiting() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        let open = opened(&settings(vec![button(17, 200)], vec![]));
        for held in [true, false] {
            let before = now();
            chip.pull(17, !held);
            let edge = open.edge();
            let heard_at = now();
            assert_eq!(edge.held, held);
            let late = edge
                .at_mono_ns
                .checked_sub(before)
                .expect("stamped before the touch");
            println!(
                "told: touch to stamp {} µs, to waking {} ms",
                late / 1000,
                (heard_at - before) / MS
            );
            // The kernel waited for its 200 ms; the stamp is on the near side of them.
            assert!(
                heard_at - edge.at_mono_ns >= 200 * MS,
                "{late} of {}",
                heard_at - before
            );
        }
    });
}

#[test]
fn an_input_may_be_active_high_or_low_and_is_pulled_as_the_settings_say() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        // Each button's wire rests where its pull is; the pull alone must bring it there.
        chip.pull(5, false);
        chip.pull(6, true);
        let buttons = vec![
            wired(5, ActiveLevel::Low, Pull::Up, 0),
            wired(6, ActiveLevel::High, Pull::Down, 0),
        ];
        let open = opened(&settings(buttons, vec![]));
        assert!(chip.high(5), "pulled up");
        assert!(!chip.high(6), "pulled down");
        assert_eq!([0, 1].map(|b| open.board.edges.held(b)), [Some(false); 2]);
        for held in [true, false] {
            chip.pull(5, !held);
            let edge = open.edge();
            assert_eq!((edge.button, edge.held), (0, held));
            chip.pull(6, held);
            let edge = open.edge();
            assert_eq!((edge.button, edge.held), (1, held));
        }
    });
}

#[test]
fn bounces_of_5_ms_are_one_edge() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        let open = opened(&settings(vec![button(17, 20)], vec![]));
        let mut held = false;
        let mut proven = 0;
        // On a busy machine a bounce may last too long to be one: such a try proves nothing.
        for _ in 0..200 {
            held = !held;
            let began = now();
            let longest = bounce(&chip, 17, !held);
            let edge = open.edge();
            if longest < 12 * MS {
                proven += 1;
                assert_eq!((edge.button, edge.held), (0, held));
                assert!(
                    edge.at_mono_ns >= began + 25 * MS,
                    "counted from the last bounce"
                );
                open.nothing_for(Duration::from_millis(60));
            } else {
                // Let it come to rest, and begin again.
                std::thread::sleep(Duration::from_millis(100));
                while open.heard.try_recv().is_ok() {}
                held = open.board.edges.held(0).unwrap();
            }
            if proven == 10 {
                return;
            }
        }
        panic!("of 200 tries only {proven} were bounces of about 5 ms");
    });
}

/// A contact that closes with bounces of 5 ms, for 30 ms. How long the longest was, in ns.
fn bounce(chip: &SimChip, pin: u32, high: bool) -> u64 {
    let mut longest = 0;
    let mut last = now();
    for n in 0..7 {
        chip.pull(pin, (n % 2 == 0) == high);
        longest = longest.max(now() - last);
        last = now();
        if n < 6 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    longest
}

#[test]
fn two_buttons_at_once_are_two_presses() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        chip.pull(27, true);
        let open = opened(&settings(vec![button(17, 20), button(27, 20)], vec![]));
        for held in [true, false, true, false] {
            chip.pull(17, !held);
            chip.pull(27, !held);
            let mut edges = [open.edge(), open.edge()];
            edges.sort_by_key(|edge| edge.button);
            assert_eq!(
                edges.map(|edge| (edge.button, edge.held)),
                [(0, held), (1, held)]
            );
        }
        open.nothing_for(Duration::from_millis(100));
    });
}

#[test]
fn a_button_held_at_the_start_is_seen_and_is_no_edge() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        // Stronger than any pull: the wire is closed. The simulator cannot hold it against
        // the pull of the request, so the button's own pull is off.
        chip.pull(17, false);
        let open = opened(&settings(
            vec![wired(17, ActiveLevel::Low, Pull::Off, 20)],
            vec![],
        ));
        assert_eq!(open.board.edges.held(0), Some(true));
        open.nothing_for(Duration::from_millis(100));
        chip.pull(17, true);
        assert!(!open.edge().held);
        assert_eq!(open.board.edges.held(0), Some(false));
    });
}

#[test]
fn edges_that_the_kernel_dropped_are_counted() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        // Nobody takes what is heard: the kernel's own list fills up, and drops the oldest.
        let (send, heard) = crossbeam_channel::bounded(0);
        let board = open(&settings(vec![button(17, 0)], vec![]), send);
        assert_eq!(board.faults, []);
        // The simulator tells of a pin at the next tick of the guest's clock (10 ms).
        let made: u64 = 321;
        for n in 0..made {
            chip.pull(17, n % 2 == 1);
            std::thread::sleep(Duration::from_millis(15));
        }
        let (mut edges, mut lost, mut last) = (0, 0, None);
        while edges + lost < made {
            let next = heard.recv_timeout(Duration::from_secs(20));
            match next.unwrap_or_else(|_| panic!("{edges} heard, {lost} lost of {made}")) {
                BoardEvent::Edge(edge) => {
                    edges += 1;
                    last = Some(edge.held);
                }
                BoardEvent::Lost { button, edges } => {
                    assert_eq!(button, 0);
                    lost += edges;
                }
                other => panic!("{other:?}"),
            }
        }
        println!("told: of {made} edges {lost} were dropped, {edges} heard");
        assert_eq!(edges + lost, made);
        assert!(lost > 0);
        assert_eq!(last, Some(true), "the newest are kept");
    });
}

fn said(faults: &[PinFault]) -> Vec<(BoardPart, String)> {
    let one = |fault: &PinFault| (fault.of, fault.error.to_string());
    faults.iter().map(one).collect()
}

#[test]
fn a_pin_that_somebody_has_is_an_error_with_his_name_and_the_other_buttons_work() {
    in_guest(|| {
        let chip = SimChip::with_hogs("header", 28, &[(8, "spi0 CS0")]);
        chip.pull(17, true);
        let (send, heard) = crossbeam_channel::unbounded();
        let buttons = vec![button(8, 20), button(17, 0), button(30, 20)];
        let board = open(&settings(buttons, vec![]), send.clone());
        let fault = |at, text: &str| (BoardPart::Button(at), text.to_owned());
        let expected = [
            fault(
                0,
                "button `b8` on GPIO 8: the pin is in use by `spi0 CS0`; choose another pin, or stop what uses it",
            ),
            fault(
                2,
                "button `b30` on GPIO 30: gpiochip0 (header) has the pins 0 to 27, no 30",
            ),
        ];
        assert_eq!(said(&board.faults), expected);
        chip.pull(17, false);
        let edge = heard.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(
            matches!(edge, BoardEvent::Edge(edge) if edge.button == 1 && edge.held),
            "{edge:?}"
        );

        let again = open(&settings(vec![button(17, 0)], vec![]), send);
        let expected = fault(
            0,
            "button `b17` on GPIO 17: the pin is in use by `hindsight`; that is another Hindsight: is the service running?",
        );
        assert_eq!(said(&again.faults), [expected]);
    });
}

#[test]
fn a_reserved_pin_is_refused_with_its_reason() {
    in_guest(|| {
        let _chip = SimChip::new("pinctrl-bcm2711", 58);
        let mut settings = settings(vec![button(0, 20)], vec![]);
        settings.board.model = Some("pi4".to_owned());
        let (send, _heard) = crossbeam_channel::unbounded();
        let board = open(&settings, send);
        assert_eq!(board.faults.len(), 1, "{:?}", board.faults);
        assert_eq!(board.faults[0].of, BoardPart::Button(0));
        let text = board.faults[0].error.to_string();
        let begins = "button `b0` on GPIO 0: this pin is reserved on a Raspberry Pi 4";
        assert!(text.starts_with(begins), "{text}");
        assert!(text.contains("ID_SD"), "{text}");
    });
}

#[test]
fn without_any_chip_the_board_says_so_once_and_opens() {
    in_guest(|| {
        let (send, _heard) = crossbeam_channel::unbounded();
        let board = open(
            &settings(vec![button(17, 20), button(27, 20)], vec![]),
            send,
        );
        let expected = PinFault {
            of: BoardPart::Pins,
            error: BoardError::NoGpio {},
        };
        assert_eq!((board.backend, board.faults), ("none", vec![expected]));
    });
}

#[test]
fn a_chip_that_goes_is_trouble_of_its_buttons() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        let open = opened(&settings(vec![button(17, 0)], vec![]));
        chip.pull(17, false);
        assert!(open.edge().held);
        until("the listening thread sleeps", || asleep("board"));
        chip.vanish();
        match open.next() {
            BoardEvent::Trouble { button, what } => {
                assert_eq!(button, 0);
                assert_eq!(
                    what.map(|error| error.to_string()).as_deref(),
                    Some("button `b17` on GPIO 17: the GPIO chip is gone")
                );
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn nobody_wakes_up_at_rest() {
    in_guest(|| {
        let chip = SimChip::new("header", 54);
        chip.pull(17, true);
        let open = opened(&settings(vec![button(17, 20), button(27, 20)], vec![]));
        chip.pull(17, false);
        assert!(open.edge().held);
        // The thread goes back to sleep after the edge; then its switches stand still.
        let mut before = switches("board");
        for _ in 0..100 {
            std::thread::sleep(Duration::from_secs(1));
            let after = switches("board");
            if after == before {
                return;
            }
            before = after;
        }
        panic!("the thread of the buttons wakes up every second");
    });
}

/// Whether the thread of this name waits for something.
fn asleep(name: &str) -> bool {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.flatten().any(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.contains(&format!("({name}) S "))
    })
}

/// How often the thread of this name has gone to sleep so far.
fn switches(name: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let mut found = tasks.flatten().filter_map(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = status
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt"))?;
        (comm.trim() == name).then(|| line.split_whitespace().nth(1)?.parse().ok())?
    });
    found
        .next()
        .unwrap_or_else(|| panic!("there is no thread {name}"))
}
