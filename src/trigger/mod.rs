//! Turns keys and edges into presses.
//!
//! ENTER or `s` presses, `q` stops. Each press is stamped with
//! `CLOCK_MONOTONIC` at the key, before anything else is done with it.
//! `keys.rs` decides (pure), `keyboard.rs` listens. What the edges of a button mean is
//! decided in `gesture.rs`, when the venue is open in `hours.rs` (both pure).
//!
//! Not here: pins (`board`), what becomes of a press (`highlight`), HTTP (`web`).
//! Called by: app.

pub mod gesture;
pub mod hours;
mod keyboard;
mod keys;

pub use keyboard::{Keyboard, give_terminal_back};
pub use keys::{Key, Keys};

use crate::base::{CameraId, PressRequest, Source};

/// What a key of the keyboard asks for: the same cameras and window each time.
#[derive(Clone, Debug)]
pub struct KeyboardSettings {
    pub cameras: Vec<CameraId>,
    pub pre_ms: u64,
    pub post_ms: u64,
    pub source: Source,
}

impl KeyboardSettings {
    fn press_at(&self, instant_mono_ns: u64) -> PressRequest {
        PressRequest {
            cameras: self.cameras.clone(),
            instant_mono_ns,
            pre_ms: self.pre_ms,
            post_ms: self.post_ms,
            source: self.source,
            button: None,
        }
    }
}

/// What somebody at the keyboard wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Press(PressRequest),
    /// `q`: the same as the signal to stop.
    Stop,
    /// A digit: a button of a simulated board, by its index.
    Button {
        button: usize,
        mono_ns: u64,
    },
}
