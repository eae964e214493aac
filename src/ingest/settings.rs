//! What ingest is given, and how long it waits for what.
//!
//! Not here: when to connect again (`reconnect`).

use std::time::Duration;

use crate::base::BootId;
use crate::config::{Camera, Reconnect, RingSettings};

/// All that ingest needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cameras: Vec<Camera>,
    pub ring: RingSettings,
    pub reconnect: Reconnect,
    /// pre + post of the longest usual window: what a ring must hold and a bit.
    pub window_ms: u64,
    pub boot_id: BootId,
}

/// How long cameras are given to hear our good-bye.
pub const POLITE: Duration = Duration::from_millis(300);

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the call to the answer to PLAY.
    pub connect: Duration,
    /// Without a picture, at least; longer where the stream is known to be quiet (`stall`).
    pub stall: Duration,
    /// Between two looks at the above.
    pub tick: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(5),
            tick: Duration::from_secs(1),
        }
    }
}
