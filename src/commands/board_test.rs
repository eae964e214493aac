//! `hindsight board test`: walks an installer from light to light and from button to button.
//!
//! The buttons are opened without the kernel's debouncing, so that their bounces can
//! be told; what was one press is decided here, by the same rule and the same time.
//!
//! Not here: the header as a picture (`board`).

mod press;

use std::io::BufRead;
use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, never, select};

use super::exit::{NOT_DONE, WRONG};
use crate::base::{Clock, RealClock, StopLevel};
use crate::board::lights::role_name;
use crate::board::pins::PinMap;
use crate::board::sim::{self, SimHandle};
use crate::board::{self, BoardError, BoardEvent, BoardPart, Edge, Levels, patterns};
use crate::config::Config;
use crate::config::{Backend, Button, Input, Led, LedRole};
use crate::service::signals::Stopper;
use crate::service::{panel, say};
use press::HeardPress;

/// After so long without an edge the installer gets a hint.
const HINT: Duration = Duration::from_secs(20);
/// A press is over when the button was let go for so long; longer than any bounce.
const QUIET: Duration = Duration::from_millis(150);
/// How often the light that is asked about goes on and off.
const BLINK: Duration = Duration::from_millis(400);

pub(super) fn test(config: &Config) -> ExitCode {
    if config.leds.is_empty() && config.buttons.is_empty() {
        eprintln!(
            "the configuration names neither [[button]] nor [[led]]: there is nothing to test"
        );
        return ExitCode::from(NOT_DONE);
    }
    let stopper = match Stopper::listen() {
        Ok(stopper) => stopper,
        Err(error) => {
            eprintln!("cannot listen for signals: {error}");
            return ExitCode::from(NOT_DONE);
        }
    };
    let (tell, heard) = crossbeam_channel::unbounded();
    let mut hand = None;
    let opened = match config.board.backend {
        Backend::Sim => {
            let sim = sim::open(config.buttons.len(), config.leds.len(), tell);
            hand = Some(sim.handle);
            (sim.edges, sim.levels, Vec::new())
        }
        _ => {
            let board = board::open(&undebounced(config), tell);
            (board.edges, board.levels, board.faults)
        }
    };
    let (edges, levels, faults) = opened;
    if let Some(why) = cannot_start(&faults, &config.buttons) {
        eprintln!("{why}");
        return ExitCode::from(NOT_DONE);
    }
    let (send, answers) = crossbeam_channel::unbounded();
    listen(&stopper, send, hand.clone());
    let mut walk = Walk {
        buttons: &config.buttons,
        leds: &config.leds,
        levels,
        heard,
        answers,
        faults,
        map: map_of(config),
        found: Vec::new(),
        say: |line: &str| say::say(line),
    };
    let held = |button| edges.held(button);
    if hand.is_some() {
        walk.tell("The board is simulated: the keys 1 to 9 and ENTER press its buttons.");
    }
    let ended = walk.all(&held);
    drop(edges);
    ExitCode::from(match ended {
        Ended::ByInstaller => 130,
        Ended::Done { all_well: true } => 0,
        Ended::Done { all_well: false } => WRONG,
    })
}

/// The pins with the kernel's debouncing off.
fn undebounced(config: &Config) -> board::Settings {
    let mut settings = panel::settings(config);
    for button in &mut settings.buttons {
        if let Input::Gpio { debounce_ms, .. } = &mut button.input {
            *debounce_ms = 0;
        }
    }
    settings
}

fn map_of(config: &Config) -> &'static PinMap {
    let named = config.board.model.as_deref().and_then(PinMap::by_id);
    named
        .or_else(PinMap::of_this_machine)
        .unwrap_or_else(PinMap::generic)
}

/// Why there is nothing to walk through: no pins at all, or all in other hands.
fn cannot_start(faults: &[board::PinFault], buttons: &[Button]) -> Option<String> {
    let all = faults.iter().find(|fault| fault.of == BoardPart::Pins);
    let usb = buttons.iter().any(|b| pin_of(b).is_none());
    if let (Some(fault), false) = (all, usb) {
        return Some(fault.error.to_string());
    }
    let ours =
        |fault: &&board::PinFault| matches!(fault.error, BoardError::PinTakenByHindsight { .. });
    let taken = faults.iter().filter(ours).count();
    (taken > 0).then(|| {
        let lines: Vec<String> = faults.iter().map(|f| f.error.to_string()).collect();
        format!(
            "{}\nthe service holds the pins: stop it first (systemctl stop hindsight), and start it again afterwards",
            lines.join("\n")
        )
    })
}

fn pin_of(button: &Button) -> Option<u32> {
    match button.input {
        Input::Gpio { pin, .. } => Some(pin),
        Input::Usb { .. } => None,
    }
}

/// What the installer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Skip,
    Quit,
}

impl Answer {
    /// A line as it was typed. Anything else is no answer.
    fn of(line: &str) -> Option<Answer> {
        match line.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => Some(Answer::Yes),
            "n" | "no" => Some(Answer::No),
            "s" | "skip" => Some(Answer::Skip),
            "q" | "quit" => Some(Answer::Quit),
            _ => None,
        }
    }
}

/// Lines from stdin, and Ctrl-C, as answers. A digit presses a simulated button.
fn listen(stopper: &Stopper, send: Sender<Answer>, hand: Option<SimHandle>) {
    let stopped = send.clone();
    stopper.stop.tell(move || {
        let _ = stopped.send(Answer::Quit);
    });
    if stopper.stop.level() > StopLevel::Running {
        let _ = send.send(Answer::Quit);
    }
    let read = move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            let key = line.trim().parse::<usize>().ok().filter(|key| *key > 0);
            if let (Some(hand), Some(key)) = (&hand, key) {
                tap(hand, key - 1);
            } else if let Some(answer) = Answer::of(&line) {
                let _ = send.send(answer);
            }
        }
        // Nobody can answer any more.
        let _ = send.send(Answer::Quit);
    };
    // Without the thread Ctrl-C is still heard.
    let _ = std::thread::Builder::new()
        .name("answers".to_owned())
        .spawn(read);
}

/// Presses a simulated button for a moment.
fn tap(hand: &SimHandle, button: usize) {
    hand.edge(button, true, RealClock.mono_ns());
    std::thread::sleep(Duration::from_millis(120));
    hand.edge(button, false, RealClock.mono_ns());
}

/// How the walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Done { all_well: bool },
    ByInstaller,
}

struct Walk<'a, S: FnMut(&str)> {
    buttons: &'a [Button],
    leds: &'a [Led],
    levels: Box<dyn Levels>,
    heard: Receiver<BoardEvent>,
    answers: Receiver<Answer>,
    faults: Vec<board::PinFault>,
    map: &'static PinMap,
    /// What was found, a line for each part, and whether it is well.
    found: Vec<(String, bool, String)>,
    say: S,
}

impl<S: FnMut(&str)> Walk<'_, S> {
    fn tell(&mut self, line: impl AsRef<str>) {
        (self.say)(line.as_ref());
    }

    /// All lights, then all buttons. `held`: whether a button is held now.
    fn all(&mut self, held: &dyn Fn(usize) -> Option<bool>) -> Ended {
        let walked = self.lights().and_then(|()| self.buttons(held));
        for (n, led) in self.leds.iter().enumerate() {
            let _ = self.levels.set(n, patterns::dead_level(led.role));
        }
        self.summary();
        match walked {
            Err(()) => Ended::ByInstaller,
            Ok(()) => Ended::Done {
                all_well: self.found.iter().all(|(_, well, _)| *well),
            },
        }
    }

    fn summary(&mut self) {
        if self.found.is_empty() {
            return;
        }
        self.tell("");
        let rows = self.found.iter().map(|(name, well, what)| {
            let mark = if *well { "ok" } else { "NOT OK" };
            vec![mark.to_owned(), name.clone(), what.clone()]
        });
        let rows: Vec<_> = rows.collect();
        self.tell(say::table(&rows).trim_end());
    }

    fn note(&mut self, name: &str, well: bool, what: impl Into<String>) {
        self.found.push((name.to_owned(), well, what.into()));
    }

    /// "pin 17 (11 on the header)".
    fn place(&self, pin: u32) -> String {
        match self.map.header_pin(pin) {
            Some(header) => format!("pin {pin} ({header} on the header)"),
            None => format!("pin {pin}"),
        }
    }

    /// Why a part did not open; one on a pin suffers from what all pins suffer from.
    fn fault(&self, of: BoardPart, on_pin: bool) -> Option<String> {
        let concerns =
            |fault: &&board::PinFault| fault.of == of || on_pin && fault.of == BoardPart::Pins;
        let found = self.faults.iter().find(concerns);
        found.map(|fault| fault.error.to_string())
    }

    fn lights(&mut self) -> Result<(), ()> {
        let leds = self.leds;
        for (n, led) in leds.iter().enumerate() {
            let thing = if led.role == LedRole::Sound {
                "buzzer"
            } else {
                "light"
            };
            let name = format!("{} {thing}, {}", role_name(led.role), self.place(led.pin));
            if let Some(why) = self.fault(BoardPart::Led(n), true) {
                self.tell(format!("{name}: {why}"));
                self.note(&name, false, why);
                continue;
            }
            let doing = match led.role {
                LedRole::Sound => "beeps now. Do you hear it?",
                _ => "blinks now, all others are dark. Do you see it?",
            };
            self.tell(format!(
                "\n{} of {}: the {name}, {doing} ENTER: yes, n: no, q: quit",
                n + 1,
                leds.len()
            ));
            match self.blink(n, led)? {
                Ok(Answer::Yes) => self.note(&name, true, "seen"),
                Ok(Answer::Skip) => self.note(&name, false, "skipped"),
                Ok(_) => {
                    let hint = dark_hint(led);
                    self.tell(format!("  {hint}"));
                    self.note(&name, false, "not seen");
                }
                Err(error) => {
                    self.tell(format!("  {error}"));
                    self.note(&name, false, error.to_string());
                }
            }
        }
        Ok(())
    }

    /// Blinks one light until there is an answer; `Err(())`: the installer has enough.
    fn blink(&mut self, led: usize, facts: &Led) -> Result<Result<Answer, BoardError>, ()> {
        self.dark();
        let mut lit = false;
        let answer = loop {
            lit = !lit;
            if let Err(error) = self.levels.set(led, lit) {
                return Ok(Err(error));
            }
            // A buzzer that sounds half of the time is a torment.
            let pause = match (facts.role, lit) {
                (LedRole::Sound, true) => BLINK / 8,
                (LedRole::Sound, false) => BLINK * 3,
                _ => BLINK,
            };
            match self.answers.recv_timeout(pause) {
                Ok(Answer::Quit) => return Err(()),
                Ok(answer) => break answer,
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return Err(()),
            }
        };
        let _ = self.levels.set(led, false);
        Ok(Ok(answer))
    }

    fn dark(&mut self) {
        for n in 0..self.leds.len() {
            let _ = self.levels.set(n, false);
        }
    }

    /// All lights but the buzzer answer a button that is held.
    fn light_up(&mut self, lit: bool) {
        for (n, led) in self.leds.iter().enumerate() {
            if led.role != LedRole::Sound {
                let _ = self.levels.set(n, lit);
            }
        }
    }

    fn buttons(&mut self, held: &dyn Fn(usize) -> Option<bool>) -> Result<(), ()> {
        let buttons = self.buttons;
        for (n, button) in buttons.iter().enumerate() {
            let name = self.button_name(button);
            if let Some(why) = self.fault(BoardPart::Button(n), pin_of(button).is_some()) {
                self.tell(format!("\n{name}: {why}"));
                self.note(&name, false, why);
                continue;
            }
            // Whatever was touched before is no answer to this.
            self.heard.try_iter().for_each(drop);
            self.tell(format!(
                "\n{} of {}: press the {name}, as the players will, and let it go. s: skip, q: quit",
                n + 1,
                buttons.len()
            ));
            if held(n) == Some(true) {
                self.tell(format!(
                    "  nobody touched it, and yet it reads as held: {HELD_HINT}"
                ));
            }
            match self.press(n, button)? {
                Some(press) => {
                    let seen = press.in_words();
                    self.tell(format!("  {seen}"));
                    self.note(&name, true, seen);
                }
                None => self.note(&name, false, "skipped"),
            }
        }
        Ok(())
    }

    fn button_name(&self, button: &Button) -> String {
        match &button.input {
            Input::Gpio { pin, .. } => format!("button {}, {}", button.id, self.place(*pin)),
            Input::Usb { key, .. } => format!("button {}, key {key}", button.id),
        }
    }

    /// Waits for a press of `button`; `None`: skipped.
    fn press(&mut self, button: usize, facts: &Button) -> Result<Option<HeardPress>, ()> {
        let debounce_ns = match facts.input {
            Input::Gpio { debounce_ms, .. } => debounce_ms * 1_000_000,
            Input::Usb { .. } => 0,
        };
        let mut edges: Vec<Edge> = Vec::new();
        let mut wrong: Option<usize> = None;
        let mut hint = after(HINT);
        loop {
            let held = edges.last().is_some_and(|edge| edge.held);
            let over = match edges.is_empty() || held {
                true => never(),
                false => after(QUIET.max(Duration::from_nanos(2 * debounce_ns))),
            };
            select! {
                recv(self.heard) -> heard => match heard {
                    Ok(BoardEvent::Edge(edge)) if edge.button == button => {
                        edges.push(edge);
                        self.light_up(edge.held);
                    }
                    Ok(BoardEvent::Edge(edge)) => self.wrong_button(edge, &mut wrong),
                    Ok(BoardEvent::Lost { .. }) => {
                        self.tell("  the kernel lost edges: this button bounces very much");
                    }
                    Ok(BoardEvent::Trouble { what: Some(what), .. }) => self.tell(format!("  {what}")),
                    Ok(BoardEvent::Trouble { what: None, .. }) => {}
                    Err(_) => return Err(()),
                },
                recv(self.answers) -> answer => match answer {
                    Ok(Answer::Skip | Answer::No) => return Ok(None),
                    Ok(Answer::Yes) => {}
                    Ok(Answer::Quit) | Err(_) => return Err(()),
                },
                recv(over) -> _ => match HeardPress::of(&edges, debounce_ns) {
                    Some(press) => return Ok(Some(press)),
                    None => {
                        self.tell(format!("  only a spike of {} edges, shorter than its debounce: is the cable long, or next to a mains cable?", edges.len()));
                        edges.clear();
                    }
                },
                recv(hint) -> _ => {
                    let what = if held { "it is still held: is it stuck, or its active level the other way round?" } else { NOTHING_HINT };
                    self.tell(format!("  {what}"));
                    hint = never();
                }
            }
        }
    }

    fn wrong_button(&mut self, edge: Edge, told: &mut Option<usize>) {
        if !edge.held || told.replace(edge.button) == Some(edge.button) {
            return;
        }
        let Some(other) = self.buttons.get(edge.button) else {
            return;
        };
        let name = self.button_name(other);
        self.tell(format!(
            "  that was the {name}: the wrong button, or two cables are swapped, or two pins in the configuration"
        ));
    }
}

const HELD_HINT: &str = "is its active level the other way round (active), does it need another pull, \
                         is its cable short-circuited? It is waited for all the same";
const NOTHING_HINT: &str = "nothing came yet: is the cable in the right pin and in ground, is the pin in the \
                            configuration the BCM number (not the header's), is the button a normally-open one?";

fn dark_hint(led: &Led) -> &'static str {
    match led.role {
        LedRole::Sound => {
            "is it an active buzzer (with a tone of its own), and the right way round? does its transistor get 5 V?"
        }
        _ => {
            "is it the right way round (the long leg towards the pin), has it a resistor, is the pin the BCM number, and active as it is wired?"
        }
    }
}

#[cfg(test)]
mod tests;
