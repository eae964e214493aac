//! Buttons, lights and opening hours, as the program trusts them.
//!
//! Not here: what a gesture is (`trigger`), how a pin is opened (`board`).
//! Called by: the room's face, `checked`.

use crate::base::CameraId;

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
pub enum ActiveLevel {
    High,
    Low,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    Up,
    Down,
    Off,
}

/// What a press saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PressWindow {
    pub pre_ms: u64,
    pub post_ms: u64,
}

/// One light, or a buzzer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Led {
    /// The BCM number on a Raspberry Pi, the line's offset elsewhere.
    pub pin: u32,
    /// The level while it is lit.
    pub active: ActiveLevel,
    pub role: LedRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedRole {
    Ready,
    Busy,
    Fault,
    /// One light that tells all by its pattern.
    Status,
    /// A buzzer.
    Sound,
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
