//! Pins through the GPIO character device: any board with a kernel of this decade.
//!
//! One request per line: a bad pin does not take the others, and the kernel
//! counts each line's edges, so that a lost one shows.
//!
//! Not here: which chip (`chip`), which backend (`open`).

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use gpiocdev::Request;
use gpiocdev::line::{Bias, EdgeDetection, EdgeEvent, EdgeKind, EventClock, Value};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::chip::{CONSUMER, Chip, button_name, kernel_word, led_name, taken};
use super::error::{BoardError, BoardPartName};
use super::listen::{EndSignal, Listener, Sequence, Woken};
use super::types::{BoardEvent, BoardPart, Edge, Edges, Levels, PinFault};
use crate::config::{ActiveLevel, Button, Input, Led, Pull};

/// A predecessor that was killed a moment ago may hold its lines a little longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Edges the kernel keeps per line until we read them: ten seconds of a child's drumming.
const KERNEL_EVENTS: u32 = 256;

/// Edges taken from the kernel in one call.
const AT_ONCE: usize = 16;

/// One button's line.
struct Line {
    button: usize,
    name: BoardPartName,
    debounce_ns: u64,
    request: Request,
}

/// Buttons on the character device, and the thread that hears them.
pub struct CdevEdges {
    lines: Arc<Vec<Line>>,
    _listener: Option<Listener>,
}

/// Opens the GPIO buttons among `buttons`, each told by its index.
pub fn open_edges(
    chip: &Chip,
    buttons: &[(usize, &Button)],
    heard: Sender<BoardEvent>,
) -> (CdevEdges, Vec<PinFault>) {
    let mut lines = Vec::new();
    let mut faults = Vec::new();
    let until = Instant::now() + PATIENCE;
    for &(at, button) in buttons {
        match open_button(chip, at, button, until) {
            Ok(line) => lines.extend(line),
            Err(error) => faults.push(PinFault {
                of: BoardPart::Button(at),
                error,
            }),
        }
    }
    let lines = Arc::new(lines);
    let listener = (!lines.is_empty()).then(|| {
        let lines = lines.clone();
        let node = watch_node(chip);
        Listener::start("board", move |end| {
            listen(&lines, node.as_ref(), end, &heard);
        })
    });
    let listener = listener.and_then(|started| {
        started
            .map_err(|error| {
                faults.push(PinFault {
                    of: BoardPart::Pins,
                    error,
                });
            })
            .ok()
    });
    let edges = CdevEdges {
        lines,
        _listener: listener,
    };
    (edges, faults)
}

fn open_button(
    chip: &Chip,
    at: usize,
    button: &Button,
    until: Instant,
) -> Result<Option<Line>, BoardError> {
    let Input::Gpio {
        pin,
        active,
        pull,
        debounce_ms,
    } = &button.input
    else {
        return Ok(None);
    };
    let mut builder = Request::builder();
    builder
        .on_chip(chip.path())
        .with_consumer(CONSUMER)
        .with_kernel_event_buffer_size(KERNEL_EVENTS)
        .with_line(*pin)
        .as_input()
        .with_edge_detection(EdgeDetection::BothEdges)
        .with_event_clock(EventClock::Monotonic)
        .with_bias(match pull {
            Pull::Up => Bias::PullUp,
            Pull::Down => Bias::PullDown,
            Pull::Off => Bias::Disabled,
        });
    if *active == ActiveLevel::Low {
        builder.as_active_low();
    }
    if *debounce_ms > 0 {
        builder.with_debounce_period(Duration::from_millis(*debounce_ms));
    }
    let name = button_name(button);
    let request = ask(chip, &name, *pin, &mut builder, until)?;
    Ok(Some(Line {
        button: at,
        name,
        debounce_ns: debounce_ms.saturating_mul(1_000_000),
        request,
    }))
}

/// Requests a line; waits while it is still held by a Hindsight that just died.
fn ask(
    chip: &Chip,
    part: &BoardPartName,
    pin: u32,
    builder: &mut gpiocdev::request::Builder,
    until: Instant,
) -> Result<Request, BoardError> {
    while chip.held_by(pin, CONSUMER) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    chip.check(part, pin)?;
    builder.request().map_err(|error| match chip.who_has(pin) {
        Some(who) => taken(part.clone(), who),
        None => BoardError::PinRefused {
            part: part.clone(),
            chip: chip.shown(),
            error: kernel_word(&error),
        },
    })
}

/// Wakes the thread when the chip's node goes. Linux 6.1 leaves whoever
/// sleeps on a line asleep when its chip is removed, and answers only the next
/// who asks. Without it the buttons work the same.
fn watch_node(chip: &Chip) -> Option<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
    // A node that is unlinked while somebody has it open has fewer links at first, no more.
    let flags = AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_DELETE_SELF;
    inotify.add_watch(chip.path(), flags).ok()?;
    Some(inotify)
}

/// The thread: from the kernel's events to ours, until told to end.
fn listen(lines: &[Line], node: Option<&Inotify>, end: &EndSignal, heard: &Sender<BoardEvent>) {
    let mut live: Vec<(&Line, Sequence)> = lines
        .iter()
        .map(|line| (line, Sequence::default()))
        .collect();
    loop {
        let mut fds: Vec<_> = live.iter().map(|(line, _)| line.request.as_fd()).collect();
        fds.extend(node.map(AsFd::as_fd));
        let Woken::Ready(ready) = end.wait(&fds, None) else {
            return;
        };
        // From the back, so that what is removed moves no index still to come.
        for ready in ready.into_iter().rev() {
            let Some((line, sequence)) = live.get_mut(ready.at) else {
                // The chip's node: what became of the lines the next round sees.
                let _ = node.map(Inotify::read_events);
                continue;
            };
            let read = match ready.gone {
                true => Err(BoardError::ChipGone {
                    part: line.name.clone(),
                }),
                false => read(line, sequence, heard),
            };
            if let Err(what) = read {
                let _ = heard.send(BoardEvent::Trouble {
                    button: line.button,
                    what: Some(what),
                });
                live.remove(ready.at);
            }
        }
    }
}

/// The events that one line has. Nobody listening any more is no error: we are about to be dropped.
fn read(
    line: &Line,
    sequence: &mut Sequence,
    heard: &Sender<BoardEvent>,
) -> Result<(), BoardError> {
    let unread = |error: &gpiocdev::Error| BoardError::EdgesUnread {
        part: line.name.clone(),
        error: kernel_word(error),
    };
    // Not `read_edge_event`: it takes eight events from the kernel and gives the first (gpiocdev 0.8.0).
    let each = line.request.edge_event_u64_size();
    let mut words = vec![0; each * AT_ONCE];
    let read = line.request.read_edge_events_into_slice(&mut words);
    let read = read.map_err(|error| unread(&error))?;
    for event in words[..read].chunks_exact(each) {
        let event = line.request.edge_event_from_slice(event);
        tell(
            line,
            sequence,
            &event.map_err(|error| unread(&error))?,
            heard,
        );
    }
    Ok(())
}

fn tell(line: &Line, sequence: &mut Sequence, event: &EdgeEvent, heard: &Sender<BoardEvent>) {
    let button = line.button;
    let lost = sequence.lost_before(event.line_seqno);
    if lost > 0 {
        let _ = heard.send(BoardEvent::Lost {
            button,
            edges: lost,
        });
    }
    let _ = heard.send(BoardEvent::Edge(Edge {
        button,
        held: event.kind == EdgeKind::Rising,
        at_mono_ns: touched_at(event.timestamp_ns, line.debounce_ns),
    }));
}

/// When the contact was made. The kernel reports a debounced edge once the line
/// has been quiet for the whole period, and stamps it then.
pub fn touched_at(reported_mono_ns: u64, debounce_ns: u64) -> u64 {
    reported_mono_ns.saturating_sub(debounce_ns)
}

impl Edges for CdevEdges {
    fn held(&self, button: usize) -> Option<bool> {
        let line = self.lines.iter().find(|line| line.button == button)?;
        let value = line.request.lone_value().ok()?;
        Some(value == Value::Active)
    }
}

/// LEDs on the character device; one that did not open answers with why.
pub struct CdevLevels {
    leds: Vec<Result<Light, BoardError>>,
}

struct Light {
    name: BoardPartName,
    request: Request,
}

/// Opens the LEDs, unlit; one that may not be opened stays what it is.
pub fn open_levels(chip: &Chip, leds: Vec<Result<Led, BoardError>>) -> (CdevLevels, Vec<PinFault>) {
    let until = Instant::now() + PATIENCE;
    let open = |led: Result<Led, BoardError>| led.and_then(|led| open_led(chip, &led, until));
    let leds: Vec<_> = leds.into_iter().map(open).collect();
    let faults = leds.iter().enumerate().filter_map(|(at, led)| {
        let error = led.as_ref().err()?.clone();
        Some(PinFault {
            of: BoardPart::Led(at),
            error,
        })
    });
    let faults = faults.collect();
    (CdevLevels { leds }, faults)
}

fn open_led(chip: &Chip, led: &Led, until: Instant) -> Result<Light, BoardError> {
    let mut builder = Request::builder();
    builder
        .on_chip(chip.path())
        .with_consumer(CONSUMER)
        .with_line(led.pin);
    if led.active == ActiveLevel::Low {
        builder.as_active_low();
    }
    builder.as_output(Value::Inactive);
    let name = led_name(led);
    let request = ask(chip, &name, led.pin, &mut builder, until)?;
    Ok(Light { name, request })
}

impl Levels for CdevLevels {
    fn set(&mut self, led: usize, lit: bool) -> Result<(), BoardError> {
        let Some(light) = self.leds.get(led) else {
            return Ok(());
        };
        let light = light.as_ref().map_err(Clone::clone)?;
        let value = match lit {
            true => Value::Active,
            false => Value::Inactive,
        };
        light
            .request
            .set_lone_value(value)
            .map_err(|error| BoardError::LevelNotSet {
                part: light.name.clone(),
                error: kernel_word(&error),
            })
    }

    fn lit(&self, led: usize) -> Option<bool> {
        let light = self.leds.get(led)?.as_ref().ok()?;
        let value = light.request.lone_value().ok()?;
        Some(value == Value::Active)
    }
}
