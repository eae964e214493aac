//! Turns keys into presses.
//!
//! ENTER or `s` presses, `q` stops. Each press is stamped with
//! `CLOCK_MONOTONIC` at the key, before anything else is done with it.
//!
//! Not here: what becomes of a press (`highlight`), HTTP (`web`).
//! Called by: app.

use std::sync::Arc;

use crate::base::{CameraId, Clock, PressRequest, Source, Stop};

/// What a key of the keyboard asks for: the same cameras and window each time.
#[derive(Clone, Debug)]
pub struct KeyboardSettings {
    pub cameras: Vec<CameraId>,
    pub pre_ms: u64,
    pub post_ms: u64,
    pub source: Source,
}

/// What somebody at the keyboard wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Press(PressRequest),
    /// `q` or Ctrl-C as a key: the same as the signal to stop.
    Stop,
}

/// The thread that listens to stdin. Dropping it gives the terminal back as it was.
#[derive(Debug)]
pub struct Keyboard {}

impl Keyboard {
    /// Listens to stdin on a thread of its own until `stop` is raised to `Now`,
    /// stdin ends, or this is dropped. `act` is called on that thread. Quiet where stdin
    /// is closed or `/dev/null`.
    pub fn start(
        settings: KeyboardSettings,
        clock: Arc<dyn Clock>,
        stop: Stop,
        act: impl FnMut(Wish) + Send + 'static,
    ) -> std::io::Result<Keyboard> {
        let _ = (settings, clock, stop, act);
        todo!()
    }
}
