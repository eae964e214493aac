//! The walk on a simulated board, with an installer who follows a script.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::board::sim::SimHandle;
use crate::config::{ActiveLevel, ButtonRole, PressWindow, Pull};

const MS: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn edge(held: bool, at_ms: u64) -> Edge {
    Edge {
        button: 0,
        held,
        at_mono_ns: at_ms * MS,
    }
}

#[test]
fn a_press_is_as_long_as_its_contact_and_its_bounces_are_counted() {
    let of = |edges: &[(bool, u64)]| {
        let edges: Vec<Edge> = edges.iter().map(|(held, at)| edge(*held, *at)).collect();
        HeardPress::of(&edges, 20 * MS).map(|press| (press.length_ns / MS, press.bounces))
    };
    assert_eq!(of(&[(true, 100), (false, 350)]), Some((250, 0)));
    let bouncing = [
        (true, 100),
        (false, 102),
        (true, 105),
        (false, 350),
        (true, 351),
        (false, 354),
    ];
    assert_eq!(of(&bouncing), Some((250, 4)));
    let spike = [(true, 100), (false, 105)];
    assert_eq!(of(&spike), None);
    let spike_before = [(true, 100), (false, 105), (true, 300), (false, 400)];
    assert_eq!(of(&spike_before), Some((100, 2)));
    assert_eq!(of(&[(true, 100)]), None, "not let go");
    assert_eq!(of(&[]), None);
}

#[test]
fn a_line_is_an_answer_or_nothing() {
    for (line, answer) in [
        ("", Some(Answer::Yes)),
        (" Y ", Some(Answer::Yes)),
        ("no", Some(Answer::No)),
        ("s", Some(Answer::Skip)),
        ("Q", Some(Answer::Quit)),
        ("what?", None),
    ] {
        assert_eq!(Answer::of(line), answer, "{line:?}");
    }
}

fn button(id: &str, pin: u32) -> Button {
    let window = PressWindow {
        pre_ms: 40_000,
        post_ms: 10_000,
    };
    Button {
        id: id.to_owned(),
        input: Input::Gpio {
            pin,
            active: ActiveLevel::Low,
            pull: Pull::Up,
            debounce_ms: 20,
        },
        role: ButtonRole::Press,
        cameras: Vec::new(),
        single: window,
        long: None,
        double: None,
        cooldown_ms: 3000,
        shutdown_hold_ms: None,
    }
}

fn led(pin: u32, role: LedRole) -> Led {
    let active = ActiveLevel::High;
    Led { pin, active, role }
}

/// What the installer does on hearing a line.
type Reaction = Box<dyn FnMut(&SimHandle, &Sender<Answer>, &str) + Send>;

/// Walks through two lights and two buttons; what was said, and how it ended.
fn walk(faults: Vec<board::PinFault>, mut react: Reaction) -> (Vec<String>, Ended, SimHandle) {
    let buttons = [button("court1", 23), button("court2", 24)];
    let leds = [led(17, LedRole::Ready), led(27, LedRole::Fault)];
    let (tell, heard) = crossbeam_channel::unbounded();
    let sim = sim::open(2, 2, tell);
    let (send, answers) = crossbeam_channel::unbounded();
    let (saying, said) = crossbeam_channel::unbounded::<String>();
    let hand = sim.handle.clone();
    let installer = std::thread::spawn(move || {
        let mut all = Vec::new();
        while let Ok(line) = said.recv_timeout(PATIENCE) {
            react(&hand, &send, &line);
            all.push(line);
        }
        all
    });
    let mut walk = Walk {
        buttons: &buttons,
        leds: &leds,
        levels: sim.levels,
        heard,
        answers,
        faults,
        map: PinMap::generic(),
        found: Vec::new(),
        say: |line: &str| saying.send(line.to_owned()).unwrap(),
    };
    let ended = walk.all(&|button| sim.edges.held(button));
    drop(walk);
    drop(saying);
    (installer.join().unwrap(), ended, sim.handle)
}

/// Pushes a button for a while, `bounces` times each way.
fn push(hand: &SimHandle, button: usize, length_ms: u64, bounces: u64) {
    let start = RealClock.mono_ns();
    for (held, from_ms) in [(true, 0), (false, length_ms)] {
        for bounce in 0..bounces {
            hand.edge(button, held, start + (from_ms + 2 * bounce) * MS);
            hand.edge(button, !held, start + (from_ms + 2 * bounce + 1) * MS);
        }
        hand.edge(button, held, start + (from_ms + 2 * bounces) * MS);
    }
}

#[test]
fn an_installer_who_sees_all_and_presses_as_asked_is_told_that_all_is_well() {
    let react: Reaction = Box::new(|hand, send, line| {
        if line.contains("Do you see it?") {
            let asked = usize::from(line.contains("fault light"));
            let from = 0;
            assert!(hand.wait(asked, true, from, PATIENCE).is_some(), "{line}");
            assert_ne!(hand.lit(1 - asked), Some(true), "{line}");
            send.send(Answer::Yes).unwrap();
        } else if line.contains("press the button court1") {
            push(hand, 0, 230, 2);
        } else if line.contains("press the button court2") {
            push(hand, 1, 1400, 0);
        }
    });
    let (said, ended, hand) = walk(Vec::new(), react);
    assert_eq!(ended, Ended::Done { all_well: true });
    let said = said.join("\n");
    assert!(
        said.contains("1 of 2: the ready light, pin 17 (11 on the header), blinks now"),
        "{said}"
    );
    assert!(
        said.contains("seen, held for 230 ms, 8 bounces within its debounce of 20 ms"),
        "{said}"
    );
    assert!(said.contains("seen, held for 1.4 s, no bounces"), "{said}");
    assert!(
        said.contains("ok  fault light, pin 27 (13 on the header)  "),
        "{said}"
    );
    assert_eq!(hand.row(), [Some(false), Some(true)], "the dead states");
}

#[test]
fn a_dark_light_and_the_wrong_button_are_told_with_what_to_look_at() {
    let react: Reaction = Box::new(|hand, send, line| {
        if line.contains("ready light") && line.contains("Do you see it?") {
            send.send(Answer::No).unwrap();
        } else if line.contains("Do you see it?") {
            send.send(Answer::Yes).unwrap();
        } else if line.contains("press the button court1") {
            push(hand, 1, 100, 0);
        } else if line.contains("that was the button court2") {
            send.send(Answer::Skip).unwrap();
        } else if line.contains("press the button court2") {
            push(hand, 1, 100, 0);
        }
    });
    let (said, ended, _) = walk(Vec::new(), react);
    assert_eq!(ended, Ended::Done { all_well: false });
    let said = said.join("\n");
    assert!(said.contains("the long leg towards the pin"), "{said}");
    assert!(said.contains("two cables are swapped"), "{said}");
    assert!(
        said.contains("NOT OK  button court1, pin 23 (16 on the header)"),
        "{said}"
    );
    assert!(
        said.contains("ok      button court2, pin 24 (18 on the header)"),
        "{said}"
    );
}

#[test]
fn a_button_that_reads_as_held_before_anybody_touched_it_is_told() {
    let mut first = true;
    let react: Reaction = Box::new(move |hand, send, line| {
        if line.contains("Do you see it?") {
            if std::mem::take(&mut first) {
                hand.edge(0, true, RealClock.mono_ns());
            }
            send.send(Answer::Yes).unwrap();
        } else if line.contains("nobody touched it") || line.contains("press the button court2") {
            send.send(Answer::Quit).unwrap();
        }
    });
    let (said, ended, _) = walk(Vec::new(), react);
    assert_eq!(ended, Ended::ByInstaller);
    assert!(
        said.join("\n")
            .contains("is its active level the other way round"),
        "{said:?}"
    );
}

#[test]
fn a_pin_in_other_hands_is_told_and_the_walk_goes_on() {
    let taken = board::PinFault {
        of: BoardPart::Button(0),
        error: BoardError::Simulated {
            why: "button court1: w1-gpio has pin 23".to_owned(),
        },
    };
    let react: Reaction = Box::new(|hand, send, line| {
        if line.contains("Do you see it?") {
            send.send(Answer::Yes).unwrap();
        } else if line.contains("press the button court2") {
            push(hand, 1, 100, 0);
        }
    });
    let (said, ended, _) = walk(vec![taken], react);
    assert_eq!(ended, Ended::Done { all_well: false });
    let said = said.join("\n");
    assert!(
        said.contains("w1-gpio has pin 23") && !said.contains("press the button court1"),
        "{said}"
    );
}

#[test]
fn whoever_quits_is_let_go_at_once_and_the_lights_say_dead() {
    let react: Reaction = Box::new(|_, send, _| send.send(Answer::Quit).unwrap());
    let (_, ended, hand) = walk(Vec::new(), react);
    assert_eq!(ended, Ended::ByInstaller);
    assert_eq!(hand.row(), [Some(false), Some(true)]);
}

#[test]
fn a_running_service_is_named_as_the_one_who_holds_the_pins() {
    let fault = |error| board::PinFault {
        of: BoardPart::Led(0),
        error,
    };
    let ready_light = || board::BoardPartName::Led {
        role: "ready",
        pin: 17,
    };
    let ours = fault(BoardError::PinTakenByHindsight {
        part: ready_light(),
        who: "`hindsight`".to_owned(),
    });
    let text = cannot_start(&[ours], &[]).unwrap();
    assert!(text.contains("systemctl stop hindsight"), "{text}");
    let other = fault(BoardError::PinTaken {
        part: ready_light(),
        who: "`w1-gpio`".to_owned(),
    });
    assert_eq!(cannot_start(&[other], &[]), None);
}
