//! `[board]`: which hardware the pins are on.
//!
//! Not here: how a pin is opened, whether it is free or reserved on this machine (`board`).

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "board",
    &[
        key("backend", Kind::Choice, "\"auto\"", "`\"rppal\"`, `\"cdev\"`, `\"sim\"` (simulated), `\"none\"` (no pins at all)"),
        key("model", Kind::Text, "", "a board of `hw/boards`; without it, what the machine says it is"),
        key("chip", Kind::Text, "", "a device or its label, like `\"/dev/gpiochip0\"`; without it, the one with the pins"),
    ],
);

/// Which hardware the pins are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardSettings {
    pub backend: Backend,
    /// A pin map of `hw/boards` by its id; `None`: by the machine's own word.
    pub model: Option<String>,
    /// `/dev/gpiochipN` or a chip's label; `None`: the one with the board's header.
    pub chip: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `rppal` on a Raspberry Pi with `/dev/gpiomem`, else the character device.
    Auto,
    Rppal,
    Cdev,
    /// Simulated: no hardware is touched.
    Sim,
    /// No pins at all.
    None,
}

impl Default for BoardSettings {
    fn default() -> BoardSettings {
        BoardSettings {
            backend: Backend::Auto,
            model: None,
            chip: None,
        }
    }
}

crate::sentences! {
    /// What is wrong with the board; follows `key = value`.
    pub enum BoardSentence {
        NoBoard {} = "config_no_board": "is no board; write one of hw/boards, such as \"pi4\"",
        NoChip {} = "config_no_gpio_chip":
            "is no GPIO chip; write it like \"/dev/gpiochip0\" or its label",
    }
}

pub fn check(check: &mut Checker<'_>) -> BoardSettings {
    let table = check.written.table("board");
    let backends = [
        ("auto", Backend::Auto),
        ("rppal", Backend::Rppal),
        ("cdev", Backend::Cdev),
        ("sim", Backend::Sim),
        ("none", Backend::None),
    ];
    let plain =
        |text: &str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    BoardSettings {
        backend: check.choice(table, "backend", &backends, Backend::Auto),
        model: check.text(table, "model", BoardSentence::NoBoard {}, plain),
        chip: check.text(table, "chip", BoardSentence::NoChip {}, plain),
    }
}
