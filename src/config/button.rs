//! `[board]`, `[[button]]` and `[[led]]`, checked.
//!
//! Not here: whether a pin is free or reserved on this machine (`board`).
//! Called by: `check`.

use std::str::FromStr;

use super::board::{
    ActiveLevel, Backend, BoardSettings, Button, ButtonRole, Input, Led, LedRole, PressWindow, Pull,
};
use super::check::{Checker, LONGEST_WINDOW_MS};
use super::checked::{Camera, Highlight};
use super::hours::open_hours;
use super::ids::Ids;
use super::near::{did_you_mean, nearest};
use super::problem::SourceLocation;
use super::units::show_ms;
use super::written::{Table, Value};
use crate::base::CameraId;
use crate::base::hours::OpenHours;

/// Lines of the largest GPIO chips; a Raspberry Pi's header has 0 to 27.
const LAST_PIN: u64 = 1023;
const OPEN_EXAMPLE: &str = "\"07:00-23:30\" or \"mon-fri 07:00-23:30, sat-sun 08:00-02:00\"";

/// What is connected where: pins, and keys of USB devices.
#[derive(Default)]
struct Taken {
    inputs: Vec<(Connected, &'static str, SourceLocation)>,
}

#[derive(PartialEq)]
enum Connected {
    Pin(u32),
    Key(Option<String>, String),
}

impl Checker<'_> {
    pub fn open(&mut self) -> Option<OpenHours> {
        let cell = self.written.get("venue", "open")?;
        let read = match &cell.value {
            Value::Text(text) => open_hours(text),
            _ => Err("is not text".to_owned()),
        };
        match read {
            Ok(spans) => Some(OpenHours { spans }),
            Err(why) => {
                let why = format!("{why}; write it like {OPEN_EXAMPLE}");
                self.found.reject(cell, why);
                None
            }
        }
    }

    pub fn board(&mut self) -> BoardSettings {
        let table = self.written.table("board");
        let backends = [
            ("auto", Backend::Auto),
            ("rppal", Backend::Rppal),
            ("cdev", Backend::Cdev),
            ("sim", Backend::Sim),
            ("none", Backend::None),
        ];
        let plain = |text: &str| {
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
        };
        BoardSettings {
            backend: self.choice(table, "backend", &backends, Backend::Auto),
            model: self.text(
                table,
                "model",
                "is no board; write one of hw/boards, such as \"pi4\"",
                plain,
            ),
            chip: self.text(
                table,
                "chip",
                "is no GPIO chip; write it like \"/dev/gpiochip0\" or its label",
                plain,
            ),
        }
    }

    /// Buttons and lights; those that were refused are missing.
    pub fn buttons_and_leds(
        &mut self,
        highlight: &Highlight,
        cameras: &[Camera],
    ) -> (Vec<Button>, Vec<Led>) {
        let written = self.written;
        let (mut ids, mut taken) = (Ids::of("button"), Taken::default());
        let mut buttons = Vec::new();
        for table in written.entries("button") {
            let id = ids.take(table, self.found);
            let name = id.as_ref().map_or("", CameraId::as_str);
            buttons.extend(self.button(table, name, highlight, cameras, &mut taken));
        }
        let mut leds = Vec::new();
        for table in written.entries("led") {
            leds.extend(self.led(table, &mut taken));
        }
        (buttons, leds)
    }

    fn button(
        &mut self,
        table: &Table,
        id: &str,
        highlight: &Highlight,
        cameras: &[Camera],
        taken: &mut Taken,
    ) -> Option<Button> {
        let entry = Some(table);
        let roles = [
            ("press", ButtonRole::Press),
            ("shutdown", ButtonRole::Shutdown),
        ];
        let role = self.choice(entry, "role", &roles, ButtonRole::Press);
        let input = self.input(table);
        if let Some(input) = &input {
            self.connect(connected(input), table, "button", taken);
        }
        let usual = PressWindow {
            pre_ms: highlight.pre_ms,
            post_ms: highlight.post_ms,
        };
        let single = self.window(table, "", usual).unwrap_or(usual);
        let long = self.window(table, "long_", single);
        let double = self.window(table, "double_", single);
        let button = Button {
            id: id.to_owned(),
            role,
            cameras: self.cameras_of(table, cameras),
            single,
            long,
            double,
            cooldown_ms: self.cooldown_ms(table, [Some(single), long, double]),
            shutdown_hold_ms: self.shutdown_hold_ms(table, role),
            input: input?,
        };
        if role == ButtonRole::Shutdown {
            self.makes_no_presses(table);
        }
        (!id.is_empty()).then_some(button)
    }

    /// A press within the cooldown makes no clip, since its moment is in the one that
    /// is being made: so it should not be longer than the shortest of them goes on.
    fn cooldown_ms(&mut self, table: &Table, windows: [Option<PressWindow>; 3]) -> u64 {
        let posts = windows.into_iter().flatten().map(|window| window.post_ms);
        let shortest = posts.min().unwrap_or(0);
        let usual = shortest.min(3000);
        let cooldown = self.duration_ms(Some(table), "cooldown", 0..=600_000, 3000, usual);
        if let (Some(cell), true) = (table.get("cooldown"), cooldown > shortest) {
            let text = format!(
                "{} = {} is longer than the shortest post of this button ({} ms): a second press \
                 after that is answered as taken, and is in no clip",
                cell.name,
                cell.shown(),
                shortest
            );
            self.found.warn(&cell.place, text);
        }
        cooldown
    }

    /// Nobody stops the box in passing: a button that does nothing else wants to be
    /// held as well, though not for as long as one that players hit.
    fn shutdown_hold_ms(&mut self, table: &Table, role: ButtonRole) -> Option<u64> {
        let stops = role == ButtonRole::Shutdown || table.get("shutdown_hold").is_some();
        stops.then(|| self.duration_ms(Some(table), "shutdown_hold", 2000..=30_000, 8000, 3000))
    }

    /// A button that stops the box needs nothing that belongs to a press.
    fn makes_no_presses(&mut self, table: &Table) {
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
        for key in OF_A_PRESS {
            self.misplaced(
                table,
                key,
                "a button that makes presses, and role = \"shutdown\" makes none",
            );
        }
    }

    /// What `<prefix>pre` and `<prefix>post` say; the one not named is that of `usual`.
    fn window(&mut self, table: &Table, prefix: &str, usual: PressWindow) -> Option<PressWindow> {
        let keys = ["pre", "post"].map(|key| format!("{prefix}{key}"));
        let cells = [table.get(&keys[0]), table.get(&keys[1])];
        let cell = cells[0].or(cells[1])?;
        let range = 0..=LONGEST_WINDOW_MS;
        let (pre, post) = (usual.pre_ms, usual.post_ms);
        let window = PressWindow {
            pre_ms: self.duration_ms(Some(table), &keys[0], range.clone(), 40_000, pre),
            post_ms: self.duration_ms(Some(table), &keys[1], range, 10_000, post),
        };
        let bad = cells.iter().any(|cell| self.found.was_rejected(*cell));
        if !bad && window.pre_ms + window.post_ms < 1000 {
            let (other, ms) = match cells[0] {
                Some(_) => (&keys[1], window.post_ms),
                None => (&keys[0], window.pre_ms),
            };
            let why = format!(
                "with {other} = \"{}\" makes clips of no length; together at least \"1s\"",
                show_ms(ms)
            );
            self.found.reject(cell, why);
        }
        Some(window)
    }

    /// Those it names; all where it names none.
    fn cameras_of(&mut self, table: &Table, cameras: &[Camera]) -> Vec<CameraId> {
        let all = || cameras.iter().map(|camera| camera.id.clone()).collect();
        let Some((cell, named)) = self.list(Some(table), "cameras", "[\"court1\"]") else {
            return all();
        };
        // Not the checked ones: one that was refused for another reason is there all the same.
        let written = self.written.ids("camera");
        let mut chosen: Vec<CameraId> = Vec::new();
        for name in &named {
            let why = match CameraId::new(name) {
                Ok(id) if chosen.contains(&id) => format!("names {name:?} twice"),
                Ok(id) if written.contains(name) => {
                    chosen.push(id);
                    continue;
                }
                _ => {
                    let hint = did_you_mean(name, written.iter().map(String::as_str));
                    let there = written.join(", ");
                    format!("names {name:?}, but no camera has that id{hint} (there are: {there})")
                }
            };
            self.found.reject(cell, why);
        }
        if named.is_empty() {
            let why = "is empty; name cameras, or leave it out for all of them";
            self.found.reject(cell, why);
        }
        chosen
    }

    fn input(&mut self, table: &Table) -> Option<Input> {
        let kinds = [("gpio", false), ("usb", true)];
        let usb = self.choice(Some(table), "input", &kinds, false);
        if self.found.was_rejected(table.get("input")) {
            return None;
        }
        if usb {
            for key in ["pin", "active", "pull", "debounce"] {
                self.misplaced(table, key, "a button with input = \"gpio\"");
            }
            return self.usb(table);
        }
        let mut other = false;
        let belongs = "a button with input = \"usb\"";
        for key in ["device", "key"] {
            other |= match (table.get(key), table.get("input"), table.get("pin")) {
                (Some(cell), None, None) => {
                    let text = format!("{} belongs to {belongs}; write that too", cell.name);
                    self.found.problem(&cell.place, text);
                    true
                }
                _ => self.misplaced(table, key, belongs),
            };
        }
        self.gpio(table, other)
    }

    fn gpio(&mut self, table: &Table, other: bool) -> Option<Input> {
        let entry = Some(table);
        let levels = [("low", ActiveLevel::Low), ("high", ActiveLevel::High)];
        let pulls = [("up", Pull::Up), ("down", Pull::Down), ("off", Pull::Off)];
        // A button to ground needs a pull-up; one of the two keys tells the other.
        let usual = match table.text("pull").map(str::to_ascii_lowercase).as_deref() {
            Some("down") => ActiveLevel::High,
            _ => ActiveLevel::Low,
        };
        let active = self.choice(entry, "active", &levels, usual);
        let usual = match active {
            ActiveLevel::Low => Pull::Up,
            ActiveLevel::High => Pull::Down,
        };
        let pull = self.choice(entry, "pull", &pulls, usual);
        if let (Some(cell), true) = (table.get("pull"), pull != usual && pull != Pull::Off) {
            let text = format!(
                "{} = {} pulls the pin to the level at which the button counts as held; unless \
                 something outside pulls it the other way, write pull = \"{}\"",
                cell.name,
                cell.shown(),
                if usual == Pull::Up { "up" } else { "down" }
            );
            self.found.warn(&cell.place, text);
        }
        let debounce_ms = self.duration_ms(entry, "debounce", 0..=1000, 20, 20);
        let pin = match other && table.get("pin").is_none() {
            true => None,
            false => self.pin(table, "[[button]]"),
        };
        Some(Input::Gpio {
            pin: pin?,
            active,
            pull,
            debounce_ms,
        })
    }

    fn pin(&mut self, table: &Table, header: &str) -> Option<u32> {
        if table.get("pin").is_none() {
            let text = format!("{header} has no pin; write its BCM number, such as pin = 17");
            self.found.problem(&table.place, text);
        }
        let pin = self.whole(Some(table), "pin", 0..=LAST_PIN, "(BCM)", 17)?;
        u32::try_from(pin).ok()
    }

    fn usb(&mut self, table: &Table) -> Option<Input> {
        let device = self.text(
            Some(table),
            "device",
            "is no device name; write a part of its name in /proc/bus/input/devices",
            |text| (1..=80).contains(&text.chars().count()) && !text.contains(char::is_control),
        );
        let Some(cell) = table.get("key") else {
            let text = "[[button]] has no key; write it like key = \"KEY_B\"";
            self.found.problem(&table.place, text);
            return None;
        };
        let text = match &cell.value {
            Value::Text(text) => text.trim().to_ascii_uppercase(),
            _ => String::new(),
        };
        if evdev::KeyCode::from_str(&text).is_err() {
            let right = match near_key(&text) {
                Some(near) => format!("did you mean {near}?"),
                None => {
                    "write it as the kernel does, like \"KEY_B\" or \"KEY_PAGEDOWN\"".to_owned()
                }
            };
            self.found.reject(cell, format!("is no key; {right}"));
            return None;
        }
        Some(Input::Usb { device, key: text })
    }

    fn led(&mut self, table: &Table, taken: &mut Taken) -> Option<Led> {
        let roles = [
            ("ready", LedRole::Ready),
            ("busy", LedRole::Busy),
            ("fault", LedRole::Fault),
            ("status", LedRole::Status),
            ("sound", LedRole::Sound),
        ];
        let levels = [("low", ActiveLevel::Low), ("high", ActiveLevel::High)];
        let role = self.choice(Some(table), "role", &roles, LedRole::Status);
        let active = self.choice(Some(table), "active", &levels, ActiveLevel::High);
        let pin = self.pin(table, "[[led]]")?;
        self.connect(Connected::Pin(pin), table, "LED", taken);
        Some(Led { pin, active, role })
    }

    /// Reports what is connected already, with both places.
    fn connect(&mut self, what: Connected, table: &Table, who: &'static str, taken: &mut Taken) {
        let key = match what {
            Connected::Pin(_) => "pin",
            Connected::Key(..) => "key",
        };
        let Some(cell) = table.get(key) else { return };
        let mut others = taken.inputs.iter();
        if let Some((_, other, place)) = others.find(|(other, ..)| same_input(other, &what)) {
            let why = format!("is taken by the {other} at {place}; each needs a {key} of its own");
            self.found.reject(cell, why);
        }
        taken.inputs.push((what, who, cell.place.clone()));
    }
}

fn connected(input: &Input) -> Connected {
    match input {
        Input::Gpio { pin, .. } => Connected::Pin(*pin),
        Input::Usb { device, key } => Connected::Key(device.clone(), key.clone()),
    }
}

/// The same pin; or the same key of the same device, or of any.
fn same_input(one: &Connected, other: &Connected) -> bool {
    match (one, other) {
        (Connected::Key(a, key_a), Connected::Key(b, key_b)) => {
            let lower = |device: &Option<String>| device.as_ref().map(|name| name.to_lowercase());
            let same = a.is_none() || b.is_none() || lower(a) == lower(b);
            key_a == key_b && same
        }
        _ => one == other,
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
