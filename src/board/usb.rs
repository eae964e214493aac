//! Keyboards, pedals and presenters as buttons (evdev), plugged in at any time.
//!
//! A device is opened when it appears in `/dev/input`, or when its permissions
//! change, which is when udev has got to it. Nothing is polled.
//!
//! Not here: what a key of the terminal does (`trigger`).

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crossbeam_channel::Sender;
use evdev::{EventType, InputEvent, KeyCode, SynchronizationCode, raw_stream::RawDevice};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::error::BoardError;
use super::listen::{EndSignal, Listener, Woken};
use super::sys;
use super::types::{BoardEvent, BoardPart, Edge, Edges, PinFault};
use crate::base::{Clock, Coded, RealClock};
use crate::config::{Button, Input};

const DEVICES: &str = "/dev/input";

/// A device that cannot be opened yet is tried so often …
const TRIES: u8 = 10;
/// … with so much time in between; after that only when its permissions change.
const BETWEEN_MS: u16 = 200;

/// A button that is a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    button: usize,
    id: String,
    device: Option<String>,
    key: KeyCode,
}

/// USB buttons, and the thread that hears them.
pub struct UsbEdges {
    held: Arc<Vec<AtomicBool>>,
    mine: Vec<usize>,
    _listener: Listener,
}

/// Opens the USB buttons among `buttons`, each told by its index.
pub fn open_edges(
    buttons: &[Button],
    heard: Sender<BoardEvent>,
) -> (Option<UsbEdges>, Vec<PinFault>) {
    let mut faults = Vec::new();
    let mut wanted = Vec::new();
    for (at, button) in buttons.iter().enumerate() {
        match want(at, button) {
            Ok(want) => wanted.extend(want),
            Err(error) => faults.push(PinFault {
                of: BoardPart::Button(at),
                error,
            }),
        }
    }
    if wanted.is_empty() {
        return (None, faults);
    }
    let mine = wanted.iter().map(|want| want.button).collect();
    let held: Arc<Vec<AtomicBool>> =
        Arc::new(buttons.iter().map(|_| AtomicBool::new(false)).collect());
    let started = {
        let held = held.clone();
        watch().and_then(|(inotify, watched)| {
            Listener::start("keys", move |end| {
                Keys::new(wanted, held, heard).listen(&inotify, watched, end);
            })
        })
    };
    match started {
        Ok(listener) => {
            let edges = UsbEdges {
                held,
                mine,
                _listener: listener,
            };
            (Some(edges), faults)
        }
        Err(error) => {
            let of = |at: usize| PinFault {
                of: BoardPart::Button(at),
                error: error.clone(),
            };
            faults.extend(mine.into_iter().map(of));
            (None, faults)
        }
    }
}

fn want(at: usize, button: &Button) -> Result<Option<Wanted>, BoardError> {
    let Input::Usb { device, key } = &button.input else {
        return Ok(None);
    };
    let code = KeyCode::from_str(key).map_err(|_| BoardError::UnknownKey {
        button: button.id.clone(),
        key: key.clone(),
    })?;
    Ok(Some(Wanted {
        button: at,
        id: button.id.clone(),
        device: device.clone(),
        key: code,
    }))
}

/// Where new devices show: their folder, or the one it will appear in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watched {
    Devices,
    Above,
}

fn watch() -> Result<(Inotify, Watched), BoardError> {
    let cannot = |error: nix::Error| BoardError::InputsUnwatched {
        error: error.to_string(),
    };
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(cannot)?;
    let watched = look_at(&inotify).map_err(cannot)?;
    Ok((inotify, watched))
}

fn look_at(inotify: &Inotify) -> Result<Watched, nix::Error> {
    let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_MOVED_TO;
    match inotify.add_watch(DEVICES, flags) {
        Ok(_) => Ok(Watched::Devices),
        Err(nix::Error::ENOENT) => {
            inotify.add_watch("/dev", AddWatchFlags::IN_CREATE)?;
            // It may have come in between.
            match inotify.add_watch(DEVICES, flags) {
                Ok(_) => Ok(Watched::Devices),
                Err(_) => Ok(Watched::Above),
            }
        }
        Err(other) => Err(other),
    }
}

/// An open device and the buttons on it.
struct Device {
    path: PathBuf,
    raw: RawDevice,
    keys: Vec<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    button: usize,
    code: KeyCode,
    held: bool,
}

/// All of it, in the thread.
struct Keys {
    wanted: Vec<Wanted>,
    devices: Vec<Device>,
    /// Devices that could not be opened, how often, and why.
    refused: BTreeMap<PathBuf, (u8, String)>,
    /// What was said last about each of `wanted`.
    said: Vec<Option<BoardError>>,
    held: Arc<Vec<AtomicBool>>,
    heard: Sender<BoardEvent>,
}

impl Keys {
    fn new(wanted: Vec<Wanted>, held: Arc<Vec<AtomicBool>>, heard: Sender<BoardEvent>) -> Keys {
        Keys {
            said: vec![None; wanted.len()],
            wanted,
            devices: Vec::new(),
            refused: BTreeMap::new(),
            held,
            heard,
        }
    }

    fn listen(mut self, inotify: &Inotify, mut watched: Watched, end: &EndSignal) {
        self.look_around();
        loop {
            let waiting = self.refused.values().any(|(tries, _)| *tries < TRIES);
            let fds: Vec<BorrowedFd> = std::iter::once(inotify.as_fd())
                .chain(self.devices.iter().map(|device| device.raw.as_fd()))
                .collect();
            let ready = match end.wait(&fds, waiting.then_some(BETWEEN_MS)) {
                Woken::End => return,
                Woken::Late => {
                    self.try_again();
                    continue;
                }
                Woken::Ready(ready) => ready,
            };
            // Devices from the back, so that what is removed moves no index still to come.
            for ready in ready.iter().rev().filter(|ready| ready.at > 0) {
                self.read(ready.at - 1, ready.gone);
            }
            if ready.first().is_some_and(|ready| ready.at == 0) {
                watched = self.news(inotify, watched);
            }
            self.say();
        }
    }

    /// All devices that are there already.
    fn look_around(&mut self) {
        let found = std::fs::read_dir(DEVICES).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            self.meet(&path);
        }
        self.say();
    }

    /// What inotify has: names of devices that are new or may now be opened.
    fn news(&mut self, inotify: &Inotify, watched: Watched) -> Watched {
        let events = inotify.read_events().unwrap_or_default();
        if watched == Watched::Above {
            return match look_at(inotify) {
                Ok(Watched::Devices) => {
                    self.look_around();
                    Watched::Devices
                }
                _ => Watched::Above,
            };
        }
        for name in events.into_iter().filter_map(|event| event.name) {
            let path = Path::new(DEVICES).join(name);
            self.refused.remove(&path);
            self.meet(&path);
        }
        watched
    }

    fn try_again(&mut self) {
        let waiting = self.refused.iter().filter(|(_, (tries, _))| *tries < TRIES);
        let paths: Vec<PathBuf> = waiting.map(|(path, _)| path.clone()).collect();
        for path in paths {
            self.meet(&path);
        }
        self.say();
    }

    /// Opens a device, if it is one and has a key of ours.
    fn meet(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("event") || self.devices.iter().any(|device| device.path == path) {
            return;
        }
        let opened = RawDevice::open(path).and_then(|raw| {
            sys::stamp_monotonic(raw.as_fd())?;
            Ok(raw)
        });
        match opened {
            Ok(raw) => {
                self.refused.remove(path);
                self.greet(path, raw);
            }
            Err(why) if path.exists() => {
                let tries = self.refused.get(path).map_or(0, |(tries, _)| *tries);
                let tries = tries.saturating_add(1);
                self.refused
                    .insert(path.to_path_buf(), (tries, why.to_string()));
            }
            Err(_) => {
                self.refused.remove(path);
            }
        }
    }

    fn greet(&mut self, path: &Path, raw: RawDevice) {
        let name = raw.name().unwrap_or_default();
        let down = raw.get_key_state().unwrap_or_default();
        let has = |key| raw.supported_keys().is_some_and(|keys| keys.contains(key));
        let ours = self
            .wanted
            .iter()
            .filter(|want| matches(want, name) && has(want.key));
        let keys: Vec<Key> = ours
            .map(|want| Key {
                button: want.button,
                code: want.key,
                // Held when it is plugged in: no press, but its release is one's end.
                held: down.contains(want.key),
            })
            .collect();
        if keys.is_empty() {
            return;
        }
        for key in keys.iter().filter(|key| key.held) {
            self.held[key.button].store(true, SeqCst);
        }
        self.devices.push(Device {
            path: path.to_path_buf(),
            raw,
            keys,
        });
    }

    /// What a device has; a device that is gone lets go of its keys.
    fn read(&mut self, at: usize, gone: bool) {
        let device = &mut self.devices[at];
        let events: Option<Vec<InputEvent>> = match gone {
            true => None,
            false => device.raw.fetch_events().ok().map(Iterator::collect),
        };
        let Some(events) = events else {
            let device = self.devices.remove(at);
            let now = RealClock.mono_ns();
            for key in device.keys.iter().filter(|key| key.held) {
                self.tell(key.button, false, now);
            }
            return;
        };
        let mut told = Vec::new();
        for event in &events {
            told.extend(hear(&mut device.keys, event));
            if dropped(event) {
                let down = device.raw.get_key_state().unwrap_or_default();
                told.extend(catch_up(&mut device.keys, event, |key| down.contains(key)));
                // What was read with it is older than the state just asked for.
                break;
            }
        }
        for heard in told {
            if let BoardEvent::Edge(edge) = heard {
                self.held[edge.button].store(edge.held, SeqCst);
            }
            // Nobody listens any more: we are about to be dropped.
            let _ = self.heard.send(heard);
        }
    }

    fn tell(&self, button: usize, held: bool, at_mono_ns: u64) {
        self.held[button].store(held, SeqCst);
        let _ = self.heard.send(BoardEvent::Edge(Edge {
            button,
            held,
            at_mono_ns,
        }));
    }

    /// Says what changed: a device that is not there, one that came.
    fn say(&mut self) {
        for (at, want) in self.wanted.iter().enumerate() {
            let there = |device: &Device| device.keys.iter().any(|key| key.button == want.button);
            let what = match self.devices.iter().any(there) {
                true => None,
                false => Some(missing(want, &self.refused)),
            };
            if what != self.said[at] {
                self.said[at].clone_from(&what);
                let _ = self.heard.send(BoardEvent::Trouble {
                    button: want.button,
                    what,
                });
            }
        }
    }
}

/// Whether a device of this name is one the button may be on.
fn matches(want: &Wanted, name: &str) -> bool {
    want.device
        .as_ref()
        .is_none_or(|part| name.to_lowercase().contains(&part.to_lowercase()))
}

fn missing(want: &Wanted, refused: &BTreeMap<PathBuf, (u8, String)>) -> BoardError {
    let (button, key) = (want.id.clone(), format!("{:?}", want.key));
    let missing = match want.device.clone() {
        Some(device) => BoardError::NamedKeyMissing {
            button,
            device,
            key,
        },
        None => BoardError::KeyMissing { button, key },
    };
    match refused.iter().find(|(_, (tries, _))| *tries >= TRIES) {
        Some((path, (_, error))) => BoardError::KeyBarred {
            missing: missing.sentence(),
            path: path.display().to_string(),
            error: error.clone(),
        },
        None => missing,
    }
}

/// An event's time, stamped by the kernel with `CLOCK_MONOTONIC`.
fn mono_ns(event: &InputEvent) -> u64 {
    let since = event.timestamp().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// What an event means to the buttons on its device.
fn hear(keys: &mut [Key], event: &InputEvent) -> Vec<BoardEvent> {
    let down = match event.value() {
        0 => false,
        1 => true,
        // Auto-repeat.
        _ => return Vec::new(),
    };
    if event.event_type() != EventType::KEY {
        return Vec::new();
    }
    let code = KeyCode::new(event.code());
    let ours = keys
        .iter_mut()
        .filter(|key| key.code == code && key.held != down);
    ours.map(|key| {
        key.held = down;
        BoardEvent::Edge(Edge {
            button: key.button,
            held: down,
            at_mono_ns: mono_ns(event),
        })
    })
    .collect()
}

/// Whether the kernel says that it dropped events.
fn dropped(event: &InputEvent) -> bool {
    event.event_type() == EventType::SYNCHRONIZATION
        && event.code() == SynchronizationCode::SYN_DROPPED.0
}

/// After dropped events: the keys as they are now, and the loss.
fn catch_up(
    keys: &mut [Key],
    event: &InputEvent,
    down: impl Fn(KeyCode) -> bool,
) -> Vec<BoardEvent> {
    let mut told = Vec::new();
    for key in keys.iter_mut() {
        let button = key.button;
        let held = down(key.code);
        if held != key.held {
            key.held = held;
            told.push(BoardEvent::Edge(Edge {
                button,
                held,
                at_mono_ns: mono_ns(event),
            }));
        }
        told.push(BoardEvent::Lost { button, edges: 0 });
    }
    told
}

impl Edges for UsbEdges {
    fn held(&self, button: usize) -> Option<bool> {
        self.mine
            .contains(&button)
            .then(|| self.held[button].load(SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: i32, code: KeyCode) -> InputEvent {
        InputEvent::new(EventType::KEY.0, code.0, value)
    }

    fn keys() -> Vec<Key> {
        let key = |button, code| Key {
            button,
            code,
            held: false,
        };
        vec![key(0, KeyCode::KEY_B), key(2, KeyCode::KEY_PAGEDOWN)]
    }

    fn held(told: &[BoardEvent]) -> Vec<(usize, bool)> {
        let edge = |heard: &BoardEvent| match heard {
            BoardEvent::Edge(edge) => Some((edge.button, edge.held)),
            _ => None,
        };
        told.iter().filter_map(edge).collect()
    }

    #[test]
    fn a_keys_press_and_release_are_edges_and_its_repeats_are_none() {
        let mut keys = keys();
        let mut told = Vec::new();
        for value in [1, 2, 2, 1, 0, 0] {
            told.extend(hear(&mut keys, &key(value, KeyCode::KEY_B)));
        }
        told.extend(hear(&mut keys, &key(1, KeyCode::KEY_A)));
        assert_eq!(held(&told), [(0, true), (0, false)]);
    }

    #[test]
    fn after_dropped_events_the_keys_are_as_the_device_has_them() {
        let mut keys = keys();
        keys[0].held = true;
        let code = SynchronizationCode::SYN_DROPPED.0;
        let event = InputEvent::new(EventType::SYNCHRONIZATION.0, code, 0);
        assert!(dropped(&event));
        let told = catch_up(&mut keys, &event, |key| key == KeyCode::KEY_PAGEDOWN);
        assert_eq!(held(&told), [(0, false), (2, true)]);
        let lost = told
            .iter()
            .filter(|heard| matches!(heard, BoardEvent::Lost { .. }));
        assert_eq!(lost.count(), 2);
    }

    #[test]
    fn a_device_is_meant_by_a_part_of_its_name_in_any_case() {
        let mut want = Wanted {
            button: 0,
            id: "pedal".to_owned(),
            device: Some("footswitch".to_owned()),
            key: KeyCode::KEY_B,
        };
        assert!(matches(&want, "PCsensor FootSwitch Keyboard"));
        assert!(!matches(&want, "Logitech Presenter"));
        assert_eq!(
            missing(&want, &BTreeMap::new()).to_string(),
            "button `pedal`: no input device with `footswitch` in its name and a key KEY_B is plugged in"
        );
        want.device = None;
        assert!(matches(&want, "Logitech Presenter"));
    }
}
