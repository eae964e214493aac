//! Composition root: builds, starts, watches and stops everything, in order. With
//! `commands`, the only place that knows all rooms.
//!
//! * `composition` builds the service, starts and stops it; `signals` ends it
//! * `press_gate` takes presses from any trigger, `monitor` looks at everything, `status_view` is
//!   what `web` sees (`views`: in the API's words); `delivery`: what is done with clips
//! * `buttons`, `panel`, `lights`: the board's buttons and lights
//! * `watchdog`, `report`, [`logging`]: what becomes known of it outside
//! * [`catalogue`]: all codes of the program
//! * [`embedded`]: the service inside a test
//!
//! Not here: what a command prints and returns (`commands`), reading the configuration (`config`).

pub(crate) mod buttons;
pub mod catalogue;
pub(crate) mod composition;
pub(crate) mod delivery;
pub mod embedded;
pub mod error;
pub(crate) mod lights;
pub mod logging;
pub(crate) mod monitor;
pub(crate) mod panel;
pub mod panics;
pub(crate) mod press_gate;
pub(crate) mod report;
pub(crate) mod say;
pub(crate) mod signals;
pub(crate) mod sound_before;
pub(crate) mod status_view;
mod views;
pub(crate) mod watchdog;
pub(crate) mod words;
