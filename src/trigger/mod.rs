//! Turns keys and edges into presses.
//!
//! ENTER or `s` presses, `q` stops. Each press is stamped with
//! `CLOCK_MONOTONIC` at the key, before anything else is done with it.
//! `keys.rs` decides (pure), `keyboard.rs` listens. What the edges of a button mean is
//! decided in `gesture.rs`, when the venue is open in `hours.rs` (both pure).
//!
//! Not here: pins (`board`), what becomes of a press (`highlight`), HTTP (`web`).

pub mod gesture;
pub mod hours;
mod keyboard;
mod keys;

pub use keyboard::{Keyboard, KeyboardRequest, KeyboardSettings, give_terminal_back};
pub use keys::{Key, Keys};
