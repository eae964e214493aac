//! Pins through a Raspberry Pi's registers (`rppal`): where `/dev/gpiomem` is.
//!
//! Two of its silences are made up for. It says that an interrupt is set though
//! the kernel refused the line: so the line is looked at afterwards. And its
//! thread ends without a word when a signal interrupts it: so the kernel is asked
//! to tell when a line of ours is let go, and it is taken again.
//!
//! Not here: whether it is the right backend (`open`).

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::rppal::gpio::{Event, Gpio, InputPin, Level as PinLevel, OutputPin, Trigger};
use crossbeam_channel::Sender;

use super::cdev::{self, CdevEdges, touched_at};
use super::chip::{Chip, button_name, led_name, taken};
use super::error::{BoardError, BoardPartName};
use super::listen::{EndSignal, Listener, Sequence, Woken};
use super::types::{BoardEvent, BoardPart, Edge, Edges, Levels, PinFault};
use crate::base::lock;
use crate::config::{ActiveLevel, Button, Input, Led, Pull};

/// How `rppal` marks its lines in the kernel.
const CONSUMER: &str = "RPPAL";

/// For how long a line may take to become ours, or a dead predecessor's to become free.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many looks in a row that fail, and the kernel is asked no more who has a line.
const UNREAD: u32 = 10;

/// Whether this is a kernel that gives a Raspberry Pi's registers to programs.
pub fn offered(chip: &Chip) -> bool {
    let there = |path: &str| Path::new(path).exists();
    chip.is_header() && (there("/dev/gpiomem") || there("/dev/gpiomem0"))
}

/// The registers, or why they cannot be had.
pub fn start(chip: &Chip) -> Result<Gpio, BoardError> {
    if !offered(chip) {
        return Err(BoardError::RppalNotHere { chip: chip.shown() });
    }
    Gpio::new().map_err(|error| BoardError::RppalUnusable {
        error: error.to_string(),
    })
}

/// What is known of one button's line.
#[derive(Clone, Copy)]
struct Wanted {
    button: usize,
    pin: u32,
    active: ActiveLevel,
    pull: Pull,
    debounce_ms: u64,
}

struct Line {
    wanted: Wanted,
    name: BoardPartName,
    input: InputPin,
}

/// Buttons by `rppal`'s interrupts; those it could not have, by the character device.
pub struct RppalEdges {
    _watch: Option<Listener>,
    lines: Arc<Mutex<Vec<Line>>>,
    others: CdevEdges,
}

/// Opens the GPIO buttons among `buttons`, each told by its index.
pub fn open_edges(
    gpio: &Gpio,
    chip: &Chip,
    buttons: &[(usize, &Button)],
    heard: Sender<BoardEvent>,
) -> (RppalEdges, Vec<PinFault>) {
    let mut lines = Vec::new();
    let mut refused = Vec::new();
    for &(at, button) in buttons {
        match open_button(gpio, chip, at, button, &heard) {
            Some(line) => lines.push(line),
            // The character device has the kernel's own word for why.
            None => refused.push((at, button)),
        }
    }
    let (others, mut faults) = cdev::open_edges(chip, &refused, heard.clone());
    let lines = Arc::new(Mutex::new(lines));
    let watch = match watch(chip, &lines, heard) {
        Ok(watch) => watch,
        Err(error) => {
            let of = BoardPart::Pins;
            faults.push(PinFault { of, error });
            None
        }
    };
    let edges = RppalEdges {
        _watch: watch,
        lines,
        others,
    };
    (edges, faults)
}

fn open_button(
    gpio: &Gpio,
    chip: &Chip,
    at: usize,
    button: &Button,
    heard: &Sender<BoardEvent>,
) -> Option<Line> {
    let Input::Gpio {
        pin,
        active,
        pull,
        debounce_ms,
    } = button.input
    else {
        return None;
    };
    let wanted = Wanted {
        button: at,
        pin,
        active,
        pull,
        debounce_ms,
    };
    wait_until_free(chip, pin);
    chip.check(&button_name(button), pin).ok()?;
    let name = button_name(button);
    let free = gpio.get(u8::try_from(pin).ok()?).ok()?;
    let mut input = match wanted.pull {
        Pull::Up => free.into_input_pullup(),
        Pull::Down => free.into_input_pulldown(),
        Pull::Off => free.into_input(),
    };
    // A pull that goes when the service stops would be presses at its next start.
    input.set_reset_on_drop(false);
    arm(&mut input, wanted, heard, chip).then_some(Line {
        wanted,
        name,
        input,
    })
}

fn wait_until_free(chip: &Chip, pin: u32) {
    let until = Instant::now() + PATIENCE;
    let ours = |name| chip.held_by(pin, name);
    while (ours(CONSUMER) || ours(super::chip::CONSUMER)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sets the interrupt, and sees whether the kernel really gave the line.
fn arm(input: &mut InputPin, wanted: Wanted, heard: &Sender<BoardEvent>, chip: &Chip) -> bool {
    let debounce = Duration::from_millis(wanted.debounce_ms);
    let debounce = (!debounce.is_zero()).then_some(debounce);
    let mut sequence = Sequence::default();
    let heard = heard.clone();
    let tell = move |event: Event| {
        for told in translate(wanted, &mut sequence, &event) {
            // Nobody listens any more: we are about to be dropped.
            let _ = heard.send(told);
        }
    };
    // A thread that ended by itself answers its clearing with why; it is cleared all the same.
    let _ = input.clear_async_interrupt();
    if input
        .set_async_interrupt(Trigger::Both, debounce, tell)
        .is_err()
    {
        return false;
    }
    let until = Instant::now() + PATIENCE;
    loop {
        if chip.held_by(wanted.pin, CONSUMER) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// From `rppal`'s event to ours.
fn translate(wanted: Wanted, sequence: &mut Sequence, event: &Event) -> Vec<BoardEvent> {
    let button = wanted.button;
    let lost = sequence.lost_before(event.seqno);
    let reported = u64::try_from(event.timestamp.as_nanos()).unwrap_or(u64::MAX);
    let edge = BoardEvent::Edge(Edge {
        button,
        held: (event.trigger == Trigger::RisingEdge) == (wanted.active == ActiveLevel::High),
        at_mono_ns: touched_at(reported, wanted.debounce_ms.saturating_mul(1_000_000)),
    });
    let lost = (lost > 0).then_some(BoardEvent::Lost {
        button,
        edges: lost,
    });
    lost.into_iter().chain([edge]).collect()
}

/// Has the kernel tell when a line is let go, and takes it again.
fn watch(
    chip: &Chip,
    lines: &Arc<Mutex<Vec<Line>>>,
    heard: Sender<BoardEvent>,
) -> Result<Option<Listener>, BoardError> {
    let pins: Vec<u32> = lock(lines).iter().map(|line| line.wanted.pin).collect();
    if pins.is_empty() {
        return Ok(None);
    }
    let chip = chip.again()?;
    for pin in pins {
        chip.watch(pin)?;
    }
    let lines = lines.clone();
    let listener = Listener::start("board", move |end| take_again(&chip, &lines, end, &heard))?;
    Ok(Some(listener))
}

fn take_again(chip: &Chip, lines: &Mutex<Vec<Line>>, end: &EndSignal, heard: &Sender<BoardEvent>) {
    let mut unread = 0;
    while unread < UNREAD {
        match end.wait(&[chip.as_fd()], None) {
            Woken::Ready(ready) if ready.is_empty() => continue,
            Woken::Ready(ready) if ready.iter().any(|chip| chip.gone) => return,
            Woken::Ready(_) => {}
            Woken::End | Woken::Late => return,
        }
        // One that fails may have been interrupted; many have nothing more to say.
        let Ok(released) = chip.released() else {
            unread += 1;
            continue;
        };
        unread = 0;
        let mut lines = lock(lines);
        let line = released.and_then(|pin| lines.iter_mut().find(|line| line.wanted.pin == pin));
        let Some(line) = line else { continue };
        // Its end may be an event of a line that was taken again since.
        if chip.held_by(line.wanted.pin, CONSUMER) {
            continue;
        }
        let armed = arm(&mut line.input, line.wanted, heard, chip);
        let what = (!armed).then(|| match chip.who_has(line.wanted.pin) {
            Some(who) => taken(line.name.clone(), who),
            None => BoardError::InterruptEnded {
                part: line.name.clone(),
            },
        });
        // Edges between the two interrupts were heard by nobody.
        let button = line.wanted.button;
        let _ = heard.send(BoardEvent::Lost { button, edges: 0 });
        let _ = heard.send(BoardEvent::Trouble { button, what });
    }
}

impl Edges for RppalEdges {
    fn held(&self, button: usize) -> Option<bool> {
        let lines = lock(&self.lines);
        match lines.iter().find(|line| line.wanted.button == button) {
            Some(line) => {
                let high = line.input.read() == PinLevel::High;
                Some(high == (line.wanted.active == ActiveLevel::High))
            }
            None => self.others.held(button),
        }
    }
}

/// LEDs in the registers; one that did not open answers with why.
pub struct RppalLevels {
    leds: Vec<Result<(OutputPin, Led), BoardError>>,
}

/// Opens the LEDs, unlit; one that may not be opened stays what it is.
pub fn open_levels(
    gpio: &Gpio,
    chip: &Chip,
    leds: Vec<Result<Led, BoardError>>,
) -> (RppalLevels, Vec<PinFault>) {
    let open = |led: Result<Led, BoardError>| led.and_then(|led| open_led(gpio, chip, &led));
    let leds: Vec<_> = leds.into_iter().map(open).collect();
    let faults = leds.iter().enumerate().filter_map(|(at, led)| {
        let error = led.as_ref().err()?.clone();
        let of = BoardPart::Led(at);
        Some(PinFault { of, error })
    });
    let faults = faults.collect();
    (RppalLevels { leds }, faults)
}

fn open_led(gpio: &Gpio, chip: &Chip, led: &Led) -> Result<(OutputPin, Led), BoardError> {
    let name = led_name(led);
    wait_until_free(chip, led.pin);
    chip.check(&name, led.pin)?;
    let no_pin = |error: String| BoardError::PinUnusable {
        part: name.clone(),
        error,
    };
    let number = u8::try_from(led.pin).map_err(|why| no_pin(why.to_string()))?;
    let free = gpio.get(number).map_err(|why| no_pin(why.to_string()))?;
    let mut output = match led.active {
        ActiveLevel::High => free.into_output_low(),
        ActiveLevel::Low => free.into_output_high(),
    };
    output.set_reset_on_drop(false);
    Ok((output, *led))
}

impl Levels for RppalLevels {
    fn set(&mut self, led: usize, lit: bool) -> Result<(), BoardError> {
        match self.leds.get_mut(led) {
            Some(Ok((output, led))) => {
                let high = lit == (led.active == ActiveLevel::High);
                output.write(PinLevel::from(high));
                Ok(())
            }
            Some(Err(error)) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn lit(&self, led: usize) -> Option<bool> {
        let (output, led) = self.leds.get(led)?.as_ref().ok()?;
        Some(output.is_set_high() == (led.active == ActiveLevel::High))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seqno: u32, at_ms: u64, trigger: Trigger) -> Event {
        Event {
            timestamp: Duration::from_millis(at_ms),
            seqno,
            trigger,
        }
    }

    #[test]
    fn a_falling_edge_holds_a_button_that_pulls_its_pin_down() {
        let wanted = Wanted {
            button: 3,
            pin: 17,
            active: ActiveLevel::Low,
            pull: Pull::Up,
            debounce_ms: 20,
        };
        let mut sequence = Sequence::default();
        let down = translate(wanted, &mut sequence, &event(1, 520, Trigger::FallingEdge));
        let edge = |held, at_ms: u64| {
            BoardEvent::Edge(Edge {
                button: 3,
                held,
                at_mono_ns: at_ms * 1_000_000,
            })
        };
        assert_eq!(down, [edge(true, 500)]);
        let up = translate(wanted, &mut sequence, &event(4, 720, Trigger::RisingEdge));
        let lost = BoardEvent::Lost {
            button: 3,
            edges: 2,
        };
        assert_eq!(up, [lost, edge(false, 700)]);
    }
}
