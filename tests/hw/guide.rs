//! The tables of the wiring guide, made of the pin map and of the lights' table.

use std::fmt::Write;

use hindsight::board::patterns::{ROLES, TABLE};
use hindsight::board::pins::{Fit, PinIs, PinMap};

use crate::{is_up_to_date, read};

#[test]
fn the_tables_of_the_guide_are_what_the_program_knows() {
    let text = read("README.md");
    let text = filled(&text, "wires", &wires(PinMap::generic()));
    let text = filled(&text, "pins", &pins(PinMap::generic()));
    let text = filled(&text, "boards", &boards());
    let text = filled(&text, "lights", &lights());
    is_up_to_date("README.md", &text);
}

#[test]
fn the_guide_shows_the_lines_for_config_txt_as_they_are() {
    let text = read("README.md");
    for line in read("overlay/config.txt")
        .lines()
        .filter(|line| line.starts_with("gpio="))
    {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn the_example_is_wired_like_the_drawing() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/hindsight.example.toml");
    let example = std::fs::read_to_string(root).unwrap();
    let pins = &PinMap::generic().recommended;
    let under = |table: &str| {
        let block = example.split(table).nth(1).unwrap();
        let pin = block.split("pin = ").nth(1).unwrap();
        let digits: String = pin.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap()
    };
    assert_eq!(under("# [[button]]"), pins.buttons[0]);
    assert_eq!(under("# [[led]]"), pins.ready);
}

/// `text` with `table` between its marks.
fn filled(text: &str, name: &str, table: &str) -> String {
    let open = format!("<!-- {name}: made by tests/hw -->\n");
    let close = format!("<!-- end of {name} -->");
    let (before, rest) = text
        .split_once(&open)
        .unwrap_or_else(|| panic!("no {open}"));
    let (_, after) = rest
        .split_once(&close)
        .unwrap_or_else(|| panic!("no {close}"));
    format!("{before}{open}{table}{close}{after}")
}

fn wires(map: &PinMap) -> String {
    let mut text = String::from(
        "| what | header pin | in `hindsight.toml` | its other wire goes to |\n|---|---|---|---|\n",
    );
    let pins = &map.recommended;
    let buttons = (1..)
        .zip(&pins.buttons)
        .map(|(n, bcm)| (format!("button {n}"), *bcm));
    let lights = [
        ("ready", pins.ready),
        ("busy", pins.busy),
        ("fault", pins.fault),
    ];
    let lights = lights.map(|(role, bcm)| (format!("`{role}` light"), bcm));
    let sound = [(
        "buzzer (`sound`), through its transistor".to_owned(),
        pins.sound,
    )];
    for (what, bcm) in buttons.chain(lights).chain(sound) {
        let header = map.header_pin(bcm).unwrap();
        let odd =
            |pin: &&hindsight::board::pins::Pin| pin.header % 2 == 1 && pin.is == PinIs::Ground;
        let grounds = map.pins.iter().filter(odd).map(|pin| pin.header);
        let ground = grounds
            .min_by_key(|ground| ground.abs_diff(header))
            .unwrap();
        writeln!(
            text,
            "| {what} | {header} | `pin = {bcm}` | ground, pin {ground} |"
        )
        .unwrap();
    }
    text
}

fn pins(map: &PinMap) -> String {
    let mut text =
        String::from("| header pin | `pin =` | other names | may carry |\n|---|---|---|---|\n");
    for pin in &map.pins {
        let (bcm, names, fit) = match &pin.is {
            PinIs::Volts3 => (
                String::new(),
                "3.3 V".to_owned(),
                "pull-ups only".to_owned(),
            ),
            PinIs::Volts5 => (String::new(), "5 V".to_owned(), "a buzzer".to_owned()),
            PinIs::Ground => (
                String::new(),
                "ground".to_owned(),
                "every return wire".to_owned(),
            ),
            PinIs::Line(line) => {
                let fit = match &line.fit {
                    Fit::Any => "a button or a light".to_owned(),
                    Fit::Button(why) => format!("a button; {why}"),
                    Fit::Reserved(why) => format!("nothing: {why}"),
                };
                (line.bcm.to_string(), line.names.join(", "), fit)
            }
        };
        writeln!(text, "| {} | {bcm} | {names} | {fit} |", pin.header).unwrap();
    }
    text
}

fn boards() -> String {
    let mut text =
        String::from("| board | `[board] model` | the header's chip in Linux |\n|---|---|---|\n");
    for map in PinMap::all() {
        let chip = map
            .chip
            .as_deref()
            .map_or("".to_owned(), |chip| format!("`{chip}`"));
        writeln!(text, "| {} | `\"{}\"` | {chip} |", map.name, map.id).unwrap();
    }
    text
}

fn lights() -> String {
    let mut text = String::from(
        "| | it says | `ready` | `busy` | `fault` | `status` | buzzer |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &TABLE {
        let cells = ROLES.map(|role| row.of(role).map_or("–", |pattern| pattern.words));
        writeln!(
            text,
            "| **{}** | {} | {} |",
            row.name,
            row.says,
            cells.join(" | ")
        )
        .unwrap();
    }
    text
}
