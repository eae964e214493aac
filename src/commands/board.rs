//! `hindsight board`: the header as a picture, what each pin does and how it is now.
//!
//! Not here: looking at the kernel (`board::peek`), the service's own word (`panel`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::client::ServiceClient;
use super::common::{Common, Show};
use super::exit::{NOT_DONE, WRONG};
use super::{board_off, board_test};
use crate::board::lights::role_name;
use crate::board::pins::{Fit, HeaderLine, Pin, PinIs, PinMap};
use crate::board::{BoardError, Peeked, Settings, peek};
use crate::config::Config;
use crate::config::{Backend, Input, LedRole};
use crate::service::say;

/// Buttons and lights: the pins as a picture, what hangs on which, how it is now
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight board\n  hindsight board test")]
pub struct Args {
    #[command(subcommand)]
    action: Option<BoardAction>,
}

#[derive(Debug, clap::Subcommand)]
enum BoardAction {
    /// Every light into the state that says "nothing is saved here"; systemd runs it when the service has ended
    #[command(after_help = "Example:\n  hindsight board off")]
    Off,
    /// Walks you from light to light and from button to button; stop the service first
    #[command(
        after_help = "Example:\n  systemctl stop hindsight; hindsight board test; systemctl start hindsight"
    )]
    Test,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.with_config(Show::Nothing, &[], |config| match self.action {
            None => board(config),
            Some(BoardAction::Off) => board_off::off(config),
            Some(BoardAction::Test) => board_test::test(config),
        })
    }
}

fn board(config: &Config) -> ExitCode {
    let (map, known) = match map_of(config) {
        Ok(found) => found,
        Err(unknown) => {
            eprintln!("{unknown}");
            return ExitCode::from(NOT_DONE);
        }
    };
    let settings = crate::service::panel::settings(config);
    let client = ServiceClient::new(config, Duration::from_secs(3));
    let service = client.get("/status").ok().filter(|a| a.status == 200);
    let service = service.map(|answer| answer.body["board"].clone());
    let looked = match config.board.backend {
        Backend::Sim => Err(NotLooked::Simulated),
        Backend::None => Err(NotLooked::SwitchedOff),
        _ => peek(&settings, map).map_err(NotLooked::from),
    };
    // Where the header is not known, nothing is known of what is reserved.
    let rules = (known || looked.is_err()).then_some(map);
    let parts = parts(&settings, rules, looked.as_ref().ok(), service.as_ref());
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let users = looked.as_ref().map(|look| look.users.clone());
    let picture = Picture {
        map,
        parts: &parts,
        users: users.unwrap_or_default(),
        colour,
    };
    println!("{}\n", heading(map, known, &looked, service.as_ref()));
    print!("{}", picture.drawn());
    let wrong = below(&settings, map, &parts);
    match wrong {
        true => ExitCode::from(WRONG),
        false => ExitCode::SUCCESS,
    }
}

/// `[board] model` names none.
#[derive(Debug, thiserror::Error)]
#[error("[board] model = \"{0}\": there is no such board; there are: {ids}", ids = known_boards())]
pub(super) struct UnknownBoard(String);

fn known_boards() -> String {
    let ids: Vec<&str> = PinMap::all().iter().map(|map| map.id.as_str()).collect();
    ids.join(", ")
}

/// Why the pins were not looked at.
#[derive(Debug, thiserror::Error)]
enum NotLooked {
    #[error("the pins are simulated ([board] backend = \"sim\")")]
    Simulated,
    #[error("pins are switched off ([board] backend = \"none\")")]
    SwitchedOff,
    #[error("{0}")]
    Board(#[from] BoardError),
}

/// The map to draw, and whether it is this machine's.
pub(super) fn map_of(config: &Config) -> Result<(&'static PinMap, bool), UnknownBoard> {
    let Some(id) = &config.board.model else {
        let own = PinMap::of_this_machine();
        return Ok((own.unwrap_or(PinMap::generic()), own.is_some()));
    };
    let map = PinMap::by_id(id).ok_or_else(|| UnknownBoard(id.clone()))?;
    Ok((map, true))
}

fn heading(
    map: &PinMap,
    known: bool,
    looked: &Result<Peeked, NotLooked>,
    service: Option<&Value>,
) -> String {
    let mut lines = Vec::new();
    lines.push(match (known, looked) {
        (true, Ok(look)) => format!("{}: {}", map.name, look.chip),
        (true, Err(why)) => format!("{}: {why}", map.name),
        (false, Ok(look)) => format!(
            "The header of this machine is not known: pins are the lines of {}.\nThe picture is a Raspberry Pi's.",
            look.chip
        ),
        (false, Err(why)) => format!("Here {why}.\nThe picture is the header of a Raspberry Pi."),
    });
    let note = looked.as_ref().ok().and_then(|look| look.note.as_ref());
    lines.extend(note.map(ToString::to_string));
    if matches!(looked, Ok(look) if look.keeps_levels == Some(false)) {
        lines.push(
            "This kernel forgets a light's level as soon as nobody holds its pin: `fault` will not stay lit after the service's end.\n\
             Append pinctrl_bcm2835.persist_gpio_outputs=1 to its command line (hw/README.md)."
                .to_owned(),
        );
    }
    lines.push(match service {
        Some(board) => format!(
            "The service is running ({}).",
            board["backend"].as_str().unwrap_or("without a board")
        ),
        None => "The service is not running.".to_owned(),
    });
    lines.push("SD card up, header along the right edge; pin 1 is square.".to_owned());
    lines.join("\n")
}

/// A button or a light of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WiredPart {
    /// "button court1", "ready light"
    pub name: String,
    /// `None`: a USB key.
    pin: Option<u32>,
    light: bool,
    /// "up", "held", "lit", "dark"; empty: cannot be told.
    pub now: &'static str,
    /// What must be changed.
    pub wrong: Option<String>,
}

impl WiredPart {
    /// "GPIO 5, pin 29"
    pub fn place(&self, map: &PinMap) -> String {
        let Some(bcm) = self.pin else {
            return "USB".to_owned();
        };
        match map.header_pin(bcm) {
            Some(header) => format!("GPIO {bcm}, pin {header}"),
            None => format!("GPIO {bcm}, not on the header"),
        }
    }
}

pub(super) fn parts(
    settings: &Settings,
    map: Option<&PinMap>,
    look: Option<&Peeked>,
    service: Option<&Value>,
) -> Vec<WiredPart> {
    let told = |list: &str, n: usize, key: &str| service?[list][n][key].as_bool();
    let trouble = |list: &str, n: usize| Some(service?[list][n]["trouble"].as_str()?.to_owned());
    let mut parts = Vec::new();
    for (n, button) in settings.buttons.iter().enumerate() {
        let pin = match button.input {
            Input::Gpio { pin, .. } => Some(pin),
            Input::Usb { .. } => None,
        };
        let seen = look.and_then(|look| look.held.get(n).copied().flatten());
        parts.push(WiredPart {
            name: match button.id.starts_with("button") {
                true => button.id.clone(),
                false => format!("button {}", button.id),
            },
            pin,
            light: false,
            now: match told("buttons", n, "held").or(seen) {
                Some(true) => "held",
                Some(false) => "up",
                None => "",
            },
            wrong: wrong(map, look, service, pin, false).or_else(|| trouble("buttons", n)),
        });
    }
    for (n, led) in settings.leds.iter().enumerate() {
        parts.push(WiredPart {
            name: match led.role {
                LedRole::Sound => "buzzer".to_owned(),
                role => format!("{} light", role_name(role)),
            },
            pin: Some(led.pin),
            light: true,
            now: match (told("leds", n, "lit"), led.role) {
                (Some(true), LedRole::Sound) => "on",
                (Some(false), LedRole::Sound) => "off",
                (Some(true), _) => "lit",
                (Some(false), _) => "dark",
                (None, _) => "",
            },
            wrong: wrong(map, look, service, Some(led.pin), true).or_else(|| trouble("leds", n)),
        });
    }
    parts
}

/// What is wrong with a pin of the configuration, without anybody's trying it.
fn wrong(
    map: Option<&PinMap>,
    look: Option<&Peeked>,
    service: Option<&Value>,
    pin: Option<u32>,
    light: bool,
) -> Option<String> {
    let pin = pin?;
    if let Some(why) = map.and_then(|map| map.reserved(pin)) {
        return Some(format!("GPIO {pin} is reserved: {why}; choose another pin"));
    }
    if light && let Some(Fit::Button(why)) = map.and_then(|map| map.line(pin)).map(|l| &l.fit) {
        return Some(format!("GPIO {pin} suits a button only: {why}"));
    }
    let user = look?.users.get(&pin)?;
    let ours = service.is_some() && user.contains("hindsight");
    (!ours).then(|| format!("GPIO {pin} is in use by {user}; stop that, or choose another pin"))
}

struct Picture<'a> {
    map: &'a PinMap,
    parts: &'a [WiredPart],
    users: BTreeMap<u32, String>,
    colour: bool,
}

/// Words and their colour.
type Painted = (String, &'static str);

const PLAIN: &str = "";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const BOLD: &str = "\x1b[1m";
const LIT: &str = "\x1b[1;33m";
const HELD: &str = "\x1b[1;36m";

impl Picture<'_> {
    fn drawn(&self) -> String {
        let cells: Vec<[Painted; 2]> = self.map.pins.iter().map(|pin| self.cells(pin)).collect();
        let wide = |odd: usize, cell: usize| {
            let column = cells.iter().skip(odd).step_by(2);
            column
                .map(|pin| pin[cell].0.chars().count())
                .max()
                .unwrap_or(0)
        };
        let (what, name, right) = (wide(0, 0), wide(0, 1), wide(1, 1));
        let mut text = String::new();
        for (pins, cells) in self.map.pins.chunks(2).zip(cells.chunks(2)) {
            let ([pin, beside], [left, other]) = (pins, cells) else {
                continue;
            };
            let line = format!(
                "{}  {}  {:>2} {} {} {:<2}  {}  {}",
                self.paint(&left[0], what, true),
                self.paint(&left[1], name, true),
                pin.header,
                self.pad(pin),
                self.pad(beside),
                beside.header,
                self.paint(&other[1], right, false),
                self.paint(&other[0], 0, false),
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// What a pin does, and what it is called.
    fn cells(&self, pin: &Pin) -> [Painted; 2] {
        let nothing = (String::new(), PLAIN);
        match &pin.is {
            PinIs::Ground => [nothing, ("ground".to_owned(), DIM)],
            PinIs::Volts3 => [nothing, ("3.3 V".to_owned(), RED)],
            PinIs::Volts5 => [nothing, ("5 V".to_owned(), RED)],
            PinIs::Line(line) => {
                let what = self.does(line);
                let colour = if what.1 == DIM { DIM } else { PLAIN };
                [what, (format!("GPIO {}", line.bcm), colour)]
            }
        }
    }

    fn does(&self, line: &HeaderLine) -> Painted {
        let part = self.parts.iter().find(|part| part.pin == Some(line.bcm));
        if let Some(part) = part {
            let now = match part.now {
                "" => String::new(),
                now => format!(": {now}"),
            };
            let colour = match (part.wrong.is_some(), part.now) {
                (true, _) => RED,
                (_, "lit" | "on") => LIT,
                (_, "held") => HELD,
                _ => BOLD,
            };
            let sign = if part.wrong.is_some() { " (!)" } else { "" };
            return (format!("{}{now}{sign}", part.name), colour);
        }
        if let Some(user) = self.users.get(&line.bcm) {
            return (format!("in use by {user}"), PLAIN);
        }
        match line.fit {
            Fit::Reserved(_) => ("reserved".to_owned(), DIM),
            Fit::Button(_) => ("free, for a button".to_owned(), DIM),
            Fit::Any => ("free".to_owned(), DIM),
        }
    }

    fn pad(&self, pin: &Pin) -> String {
        let sign = match &pin.is {
            _ if pin.header == 1 => "■",
            PinIs::Ground | PinIs::Volts3 | PinIs::Volts5 => "●",
            PinIs::Line(line) if matches!(line.fit, Fit::Reserved(_)) => "×",
            PinIs::Line(line) => match self.parts.iter().any(|part| part.pin == Some(line.bcm)) {
                true => "◉",
                false => "○",
            },
        };
        let colour = match &pin.is {
            PinIs::Volts3 | PinIs::Volts5 => RED,
            _ => PLAIN,
        };
        self.paint(&(sign.to_owned(), colour), 1, false)
    }

    fn paint(&self, (words, colour): &Painted, wide: usize, right: bool) -> String {
        let fill = " ".repeat(wide.saturating_sub(words.chars().count()));
        let words = match self.colour && !colour.is_empty() && !words.is_empty() {
            true => format!("{colour}{words}\x1b[0m"),
            false => words.clone(),
        };
        match right {
            true => format!("{fill}{words}"),
            false => format!("{words}{fill}"),
        }
    }
}

/// What the picture has no room for. True: something is wrong.
fn below(settings: &Settings, map: &PinMap, parts: &[WiredPart]) -> bool {
    let mut rows = Vec::new();
    for part in parts {
        rows.push(vec![
            part.name.clone(),
            part.place(map),
            part.now.to_owned(),
        ]);
    }
    if !rows.is_empty() {
        print!("\n{}", say::table(&rows));
    }
    let mut wrong = false;
    for part in parts {
        if let Some(what) = &part.wrong {
            println!("{}: {what}", part.name);
            wrong = true;
        }
    }
    if settings.buttons.is_empty() {
        println!("\n{}", first_button(map));
    }
    println!("\nHow to wire: hw/README.md. Try it out: hindsight board test");
    wrong
}

/// For who has not written one yet.
fn first_button(map: &PinMap) -> String {
    let Some(bcm) = map.recommended.buttons.first().copied() else {
        return "No button is configured.".to_owned();
    };
    let header = map.header_pin(bcm).unwrap_or(0);
    format!(
        "No button is configured. Connect one to pin {header} and any ground, and write:\n  [[button]]\n  pin = {bcm}"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::CameraId;
    use crate::config::{ActiveLevel, BoardSettings, Button, ButtonRole, Led, PressWindow, Pull};

    fn button(id: &str, pin: u32) -> Button {
        Button {
            id: id.to_owned(),
            input: Input::Gpio {
                pin,
                active: ActiveLevel::Low,
                pull: Pull::Up,
                debounce_ms: 20,
            },
            role: ButtonRole::Press,
            cameras: vec![CameraId::new("court1").unwrap()],
            single: PressWindow {
                pre_ms: 40_000,
                post_ms: 10_000,
            },
            long: None,
            double: None,
            cooldown_ms: 3000,
            shutdown_hold_ms: None,
        }
    }

    fn led(role: LedRole, pin: u32) -> Led {
        let active = ActiveLevel::High;
        Led { pin, active, role }
    }

    fn settings(buttons: Vec<Button>, leds: Vec<Led>) -> Settings {
        Settings {
            board: BoardSettings::default(),
            buttons,
            leds,
        }
    }

    fn look(users: &[(u32, &str)], held: Vec<Option<bool>>) -> Peeked {
        Peeked {
            chip: "gpiochip0 (pinctrl-bcm2711)".to_owned(),
            note: None,
            users: users
                .iter()
                .map(|(pin, who)| (*pin, (*who).to_owned()))
                .collect(),
            held,
            keeps_levels: Some(true),
        }
    }

    fn drawn(settings: &Settings, look: &Peeked, service: Option<&Value>, colour: bool) -> String {
        let map = PinMap::by_id("pi4").unwrap();
        let parts = parts(settings, Some(map), Some(look), service);
        let picture = Picture {
            map,
            parts: &parts,
            users: look.users.clone(),
            colour,
        };
        picture.drawn()
    }

    fn line_of(picture: &str, pins: &str) -> String {
        let found = picture.lines().find(|line| line.contains(pins));
        found
            .unwrap_or_else(|| panic!("{pins}:\n{picture}"))
            .trim()
            .to_owned()
    }

    #[test]
    fn twenty_rows_say_what_each_pin_does_and_how_it_is_now() {
        let settings = settings(vec![button("court1", 5)], vec![led(LedRole::Ready, 17)]);
        let look = look(&[(8, "`spi0 CS0`")], vec![Some(true)]);
        let text = drawn(&settings, &look, None, false);
        assert_eq!(text.lines().count(), 20, "{text}");
        assert!(!text.contains('\x1b'), "no colours on a pipe");
        assert_eq!(line_of(&text, " 1 ■ ● 2 "), "3.3 V   1 ■ ● 2   5 V");
        assert_eq!(
            line_of(&text, "9 ● × 10"),
            "ground   9 ● × 10  GPIO 15  reserved"
        );
        assert!(line_of(&text, "29 ◉ ● 30").starts_with("button court1: held   GPIO 5"));
        assert!(line_of(&text, "11 ◉ ○ 12").starts_with("ready light  GPIO 17"));
        assert!(line_of(&text, "23 ○ ○ 24").ends_with("GPIO 8   in use by `spi0 CS0`"));
    }

    #[test]
    fn the_service_knows_better_than_the_kernel() {
        let settings = settings(vec![button("court1", 5)], vec![led(LedRole::Ready, 17)]);
        let look = look(&[(5, "`hindsight`"), (17, "`hindsight`")], vec![None]);
        let service = serde_json::json!({
            "buttons": [{"held": false, "trouble": null}],
            "leds": [{"lit": true, "trouble": null}],
        });
        let text = drawn(&settings, &look, Some(&service), false);
        assert!(text.contains("button court1: up   GPIO 5"), "{text}");
        assert!(text.contains("ready light: lit  GPIO 17"), "{text}");
        let text = drawn(&settings, &look, Some(&service), true);
        assert!(text.contains("\x1b[1;33mready light: lit\x1b[0m"), "{text}");
    }

    #[test]
    fn a_pin_that_cannot_be_used_says_why_and_what_to_do() {
        let settings = settings(
            vec![button("a", 14), button("b", 6)],
            vec![led(LedRole::Fault, 2)],
        );
        let look = look(&[(6, "`w1`")], vec![None, None]);
        let map = PinMap::by_id("pi4").unwrap();
        let parts = parts(&settings, Some(map), Some(&look), None);
        let wrong: Vec<&str> = parts
            .iter()
            .filter_map(|part| part.wrong.as_deref())
            .collect();
        assert_eq!(
            wrong,
            [
                "GPIO 14 is reserved: the serial console sends on it; choose another pin",
                "GPIO 6 is in use by `w1`; stop that, or choose another pin",
                "GPIO 2 suits a button only: I2C data: 1.8 kΩ to 3.3 V on the board",
            ]
        );
        assert!(drawn(&settings, &look, None, false).contains("button b (!)"));
    }

    #[test]
    fn who_has_no_button_yet_is_told_how_to_write_one() {
        let text = first_button(PinMap::generic());
        assert!(text.contains("pin 29 and any ground"), "{text}");
        assert!(text.ends_with("pin = 5"), "{text}");
    }
}
