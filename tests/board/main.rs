//! Buttons and lights on a real kernel: a guest with simulated GPIO chips and
//! made-up keyboards, booted once for each test. `tests/board/run` builds the
//! kernel, once, and runs these.

#![allow(clippy::unwrap_used)]

mod buttons;
mod chip;
mod guest;
mod keys;
mod leds;
mod pi;
mod rig;
#[allow(dead_code)]
#[path = "../support/service.rs"]
mod service;
mod whole;
