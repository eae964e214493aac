//! `[[button]]`: a pin or a key of a USB device, and the presses it makes.
//!
//! Not here: what a gesture is (`trigger`); whether a pin is free on this machine (`board`).

use std::str::FromStr;

use super::camera::Camera;
use super::checker::{Checker, Quoted};
use super::highlight::{Highlight, LONGEST_WINDOW_MS, PressWindow, has_length};
use super::ids::Ids;
use super::keys::{Repeats, TableSpec, ValueKind as Kind, key};
use super::near::{DidYouMean, nearest};
use super::pins::{ActiveLevel, Connected, Connections, LEVELS, pin};
use super::written::Table;
use crate::base::CameraId;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::many(
    "button",
    Repeats {
        example_id: "wall",
        example_key: "pin",
        default_id: "button",
    },
    &[
        key("id", Kind::Text, "", "names it in logs; without it, `button1`, `button2` …"),
        key("input", Kind::Choice, "\"gpio\"", "a pin; `\"usb\"`: a key of a keyboard, pedal or presenter"),
        key("pin", Kind::Whole, "", "its BCM number on a Raspberry Pi (not the header's)"),
        key("active", Kind::Choice, "\"low\"", "the button connects the pin to ground; `\"high\"`"),
        key("pull", Kind::Choice, "\"up\"", "`\"up\"`, `\"down\"` or `\"off\"`; by `active`"),
        key("debounce", Kind::Duration, "\"20ms\"", "shorter changes are contact bounce"),
        key("device", Kind::Text, "", "part of the device's name, see /proc/bus/input/devices; without it, any"),
        key("key", Kind::Text, "", "as the kernel calls it, like `\"KEY_PAGEDOWN\"`"),
        key("role", Kind::Choice, "\"press\"", "`\"shutdown\"`: held for 3 s it stops the box; makes no clips"),
        key("cameras", Kind::List, "", "their ids; without it, all"),
        key("pre", Kind::Duration, "", "without it, as in `[highlight]`"),
        key("post", Kind::Duration, "", "without it, as in `[highlight]`"),
        key("long_pre", Kind::Duration, "", "held for 1 s it saves another stretch; without it, the same"),
        key("long_post", Kind::Duration, "", "likewise"),
        key("double_pre", Kind::Duration, "", "pressed twice within 400 ms; without it, the same"),
        key("double_post", Kind::Duration, "", "likewise"),
        key("cooldown", Kind::Duration, "\"3s\"", "a second press within it is in the clip already; at most the post"),
        key("shutdown_hold", Kind::Duration, "", "held so long it stops the box, too; without it, never"),
    ],
);
/// Keys that a button which stops the box does not need.
const OF_A_PRESS: [&str; 8] = [
    "cameras",
    "pre",
    "post",
    "long_pre",
    "long_post",
    "double_pre",
    "double_post",
    "cooldown",
];

/// One button: a pin, or a key of a USB device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// As a camera's id is written; default `button1`, `button2` …
    pub id: String,
    pub input: Input,
    pub role: ButtonRole,
    /// Never empty.
    pub cameras: Vec<CameraId>,
    pub single: PressWindow,
    /// Held for at least 1 s.
    pub long: Option<PressWindow>,
    /// A second edge within 400 ms.
    pub double: Option<PressWindow>,
    pub cooldown_ms: u64,
    /// Held for so long it stops the box; `None`: never. Set where the role is to stop it.
    pub shutdown_hold_ms: Option<u64>,
}

impl Button {
    /// All its windows, each with what its keys begin with.
    pub fn windows(&self) -> impl Iterator<Item = (&'static str, PressWindow)> + use<> {
        let all = [
            ("", Some(self.single)),
            ("long_", self.long),
            ("double_", self.double),
        ];
        let each = all.into_iter();
        each.filter_map(|(prefix, window)| Some((prefix, window?)))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Gpio {
        /// The BCM number on a Raspberry Pi, the line's offset elsewhere.
        pin: u32,
        /// The level while it is held.
        active: ActiveLevel,
        pull: Pull,
        /// The kernel's.
        debounce_ms: u64,
    },
    /// A key of a keyboard, pedal or presenter (evdev).
    Usb {
        /// Part of the device's name as the kernel tells it, in any case; `None`: any device.
        device: Option<String>,
        /// `KEY_B`, `KEY_PAGEDOWN`, `BTN_0`, as the kernel names it.
        key: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonRole {
    Press,
    /// Stops the box when it is held, makes no presses.
    Shutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    Up,
    Down,
    Off,
}

crate::sentences! {
    /// What is wrong with a value of a button; follows `key = value`.
    pub enum ButtonSentence {
        LongCooldown { post_ms: u64 } = "config_cooldown_too_long":
            "is longer than the shortest post of this button ({post_ms} ms): a second press \
             after that is answered as taken, and is in no clip",
        PullsToHeld { right: &'static str } = "config_pull_to_held":
            "pulls the pin to the level at which the button counts as held; unless \
             something outside pulls it the other way, write pull = \"{right}\"",
        CameraTwice { camera: Quoted } = "config_camera_named_twice": "names {camera} twice",
        UnknownCamera { camera: Quoted, near: DidYouMean, cameras: String } = "config_unknown_camera":
            "names {camera}, but no camera has that id{near} (there are: {cameras})",
        NoCameras {} = "config_no_cameras_named":
            "is empty; name cameras, or leave it out for all of them",
        NoDevice {} = "config_no_device_name":
            "is no device name; write a part of its name in /proc/bus/input/devices",
        NoKey {} = "config_no_usb_key":
            "is no key; write it as the kernel does, like \"KEY_B\" or \"KEY_PAGEDOWN\"",
        KeyLike { near: String } = "config_no_usb_key_like": "is no key; did you mean {near}?",
    }
}

crate::sentences! {
    /// What is wrong with the keys of a button; whole sentences.
    pub enum ButtonKeySentence {
        OfUsb { key: String } = "config_key_of_usb_button":
            "{key} belongs to a button with input = \"usb\"; write that too",
        NoKey {} = "config_no_usb_key_written":
            "[[button]] has no key; write it like key = \"KEY_B\"",
    }
}

/// Those that were refused are missing.
pub fn check(
    check: &mut Checker<'_>,
    highlight: &Highlight,
    cameras: &[Camera],
    connections: &mut Connections,
) -> Vec<Button> {
    let mut ids = Ids::of(&TABLE);
    let mut buttons = Vec::new();
    for table in check.written.entries("button") {
        let id = ids.take(table, check.found);
        let input = input(check, table);
        if let Some(input) = &input {
            connections.add(connected(input), table, "button", check);
        }
        let presses = Presses::of(check, table, highlight.window(), cameras);
        if let Some((id, input)) = id.zip(input) {
            buttons.push(presses.by(id, input));
        }
    }
    buttons
}

/// A button but for what it is and where.
struct Presses {
    role: ButtonRole,
    cameras: Vec<CameraId>,
    single: PressWindow,
    long: Option<PressWindow>,
    double: Option<PressWindow>,
    cooldown_ms: u64,
    shutdown_hold_ms: Option<u64>,
}

impl Presses {
    fn of(
        check: &mut Checker<'_>,
        table: &Table,
        usual: PressWindow,
        cameras: &[Camera],
    ) -> Presses {
        let roles = [
            ("press", ButtonRole::Press),
            ("shutdown", ButtonRole::Shutdown),
        ];
        let role = check.choice(table, "role", &roles, ButtonRole::Press);
        let single = window(check, table, "", usual).unwrap_or(usual);
        let long = window(check, table, "long_", single);
        let double = window(check, table, "double_", single);
        let presses = Presses {
            role,
            cameras: cameras_of(check, table, cameras),
            single,
            long,
            double,
            cooldown_ms: cooldown_ms(check, table, [Some(single), long, double]),
            shutdown_hold_ms: shutdown_hold_ms(check, table, role),
        };
        if role == ButtonRole::Shutdown {
            makes_no_presses(check, table);
        }
        presses
    }

    fn by(self, id: CameraId, input: Input) -> Button {
        Button {
            id: id.as_str().to_owned(),
            input,
            role: self.role,
            cameras: self.cameras,
            single: self.single,
            long: self.long,
            double: self.double,
            cooldown_ms: self.cooldown_ms,
            shutdown_hold_ms: self.shutdown_hold_ms,
        }
    }
}

/// A press within the cooldown makes no clip, since its moment is in the one that
/// is being made: so it should not be longer than the shortest of them goes on.
fn cooldown_ms(check: &mut Checker<'_>, table: &Table, windows: [Option<PressWindow>; 3]) -> u64 {
    let posts = windows.into_iter().flatten().map(|window| window.post_ms);
    let post_ms = posts.min().unwrap_or(0);
    let usual = post_ms.min(3000);
    let cooldown = check.duration_ms(table, "cooldown", 0..=600_000, 3000, usual);
    if let (Some(cell), true) = (table.get("cooldown"), cooldown > post_ms) {
        let why = ButtonSentence::LongCooldown { post_ms };
        check.found.warn_of(cell, why);
    }
    cooldown
}

/// Nobody stops the box in passing: a button that does nothing else wants to be
/// held as well, though not for as long as one that players hit.
fn shutdown_hold_ms(check: &mut Checker<'_>, table: &Table, role: ButtonRole) -> Option<u64> {
    let stops = role == ButtonRole::Shutdown || table.get("shutdown_hold").is_some();
    stops.then(|| check.duration_ms(table, "shutdown_hold", 2000..=30_000, 8000, 3000))
}

/// A button that stops the box needs nothing that belongs to a press.
fn makes_no_presses(check: &mut Checker<'_>, table: &Table) {
    let belongs = "a button that makes presses, and role = \"shutdown\" makes none";
    for key in OF_A_PRESS {
        check.misplaced(table, key, belongs);
    }
}

/// What `<prefix>pre` and `<prefix>post` say; the one not named is that of `usual`.
fn window(
    check: &mut Checker<'_>,
    table: &Table,
    prefix: &str,
    usual: PressWindow,
) -> Option<PressWindow> {
    let keys = ["pre", "post"].map(|key| format!("{prefix}{key}"));
    let cells = [table.get(&keys[0]), table.get(&keys[1])];
    let cell = cells[0].or(cells[1])?;
    let range = 0..=LONGEST_WINDOW_MS;
    let window = PressWindow {
        pre_ms: check.duration_ms(table, &keys[0], range.clone(), 40_000, usual.pre_ms),
        post_ms: check.duration_ms(table, &keys[1], range, 10_000, usual.post_ms),
    };
    let other = match cells[0] {
        Some(_) => (keys[1].as_str(), window.post_ms),
        None => (keys[0].as_str(), window.pre_ms),
    };
    has_length(check, cell, cells, window, other);
    Some(window)
}

/// Those it names; all where it names none.
fn cameras_of(check: &mut Checker<'_>, table: &Table, cameras: &[Camera]) -> Vec<CameraId> {
    let Some((cell, named)) = check.list(table, "cameras", "[\"court1\"]") else {
        return cameras.iter().map(|camera| camera.id.clone()).collect();
    };
    // Not the checked ones: one that was refused for another reason is there all the same.
    let written = check.written.ids("camera");
    let mut chosen: Vec<CameraId> = Vec::new();
    for name in &named {
        let camera = Quoted(name.clone());
        let why = match CameraId::new(name) {
            Ok(id) if chosen.contains(&id) => ButtonSentence::CameraTwice { camera },
            Ok(id) if written.contains(name) => {
                chosen.push(id);
                continue;
            }
            _ => ButtonSentence::UnknownCamera {
                camera,
                near: DidYouMean::of(name, written.iter().map(String::as_str)),
                cameras: written.join(", "),
            },
        };
        check.found.reject(cell, why);
    }
    if named.is_empty() {
        check.found.reject(cell, ButtonSentence::NoCameras {});
    }
    chosen
}

fn input(check: &mut Checker<'_>, table: &Table) -> Option<Input> {
    let kinds = [("gpio", false), ("usb", true)];
    let usb = check.choice(table, "input", &kinds, false);
    if check.found.was_rejected(table.get("input")) {
        return None;
    }
    if usb {
        for key in ["pin", "active", "pull", "debounce"] {
            check.misplaced(table, key, "a button with input = \"gpio\"");
        }
        return self::usb(check, table);
    }
    let mut other = false;
    for key in ["device", "key"] {
        other |= match (table.get(key), table.get("input"), table.get("pin")) {
            (Some(cell), None, None) => {
                let key = cell.name.clone();
                let what = ButtonKeySentence::OfUsb { key };
                check.found.problem(&cell.place, what);
                true
            }
            _ => check.misplaced(table, key, "a button with input = \"usb\""),
        };
    }
    gpio(check, table, other)
}

fn gpio(check: &mut Checker<'_>, table: &Table, other: bool) -> Option<Input> {
    let pulls = [("up", Pull::Up), ("down", Pull::Down), ("off", Pull::Off)];
    // A button to ground needs a pull-up; one of the two keys tells the other.
    let usual = match table.text("pull").map(str::to_ascii_lowercase).as_deref() {
        Some("down") => ActiveLevel::High,
        _ => ActiveLevel::Low,
    };
    let active = check.choice(table, "active", &LEVELS, usual);
    let (usual, right) = match active {
        ActiveLevel::Low => (Pull::Up, "up"),
        ActiveLevel::High => (Pull::Down, "down"),
    };
    let pull = check.choice(table, "pull", &pulls, usual);
    if let (Some(cell), true) = (table.get("pull"), pull != usual && pull != Pull::Off) {
        let why = ButtonSentence::PullsToHeld { right };
        check.found.warn_of(cell, why);
    }
    let debounce_ms = check.duration_ms(table, "debounce", 0..=1000, 20, 20);
    let pin = match other && table.get("pin").is_none() {
        true => None,
        false => pin(check, table),
    };
    Some(Input::Gpio {
        pin: pin?,
        active,
        pull,
        debounce_ms,
    })
}

fn usb(check: &mut Checker<'_>, table: &Table) -> Option<Input> {
    let plain =
        |text: &str| (1..=80).contains(&text.chars().count()) && !text.contains(char::is_control);
    let device = check.text(table, "device", ButtonSentence::NoDevice {}, plain);
    let Some(cell) = table.get("key") else {
        let what = ButtonKeySentence::NoKey {};
        check.found.problem(&table.place, what);
        return None;
    };
    let key = cell.text().unwrap_or("").trim().to_ascii_uppercase();
    if evdev::KeyCode::from_str(&key).is_err() {
        let why = match near_key(&key) {
            Some(near) => ButtonSentence::KeyLike { near },
            None => ButtonSentence::NoKey {},
        };
        check.found.reject(cell, why);
        return None;
    }
    Some(Input::Usb { device, key })
}

fn connected(input: &Input) -> Connected {
    match input {
        Input::Gpio { pin, .. } => Connected::Pin(*pin),
        Input::Usb { device, key } => Connected::Key(device.clone(), key.clone()),
    }
}

/// The kernel's name that somebody probably wanted to write.
fn near_key(text: &str) -> Option<String> {
    let word = text.trim_start_matches("KEY_");
    let codes = (1..0x2ff).map(|code| format!("{:?}", evdev::KeyCode::new(code)));
    let known: Vec<String> = codes.filter(|name| !name.contains(' ')).collect();
    let short = known.iter().map(|name| name.trim_start_matches("KEY_"));
    let near = nearest(word, short).filter(|_| !word.is_empty())?;
    known
        .iter()
        .find(|name| name.trim_start_matches("KEY_") == near)
        .cloned()
}
