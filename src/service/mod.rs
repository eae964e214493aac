//! Composition root: builds, starts, watches and stops everything, in order. With
//! `commands`, the only place that knows all rooms.
//!
//! * `house` builds the service, `port` is its door for `web`, `signals` ends it
//! * `buttons`, `panel`, `lights`: the board's hands and lamps; `work`: what is done with clips
//! * `watchdog`, `report`, [`logging`]: what becomes known of it outside
//! * [`embedded`]: the service inside a test
//!
//! Not here: what a command prints and returns (`commands`), reading the configuration (`config`).

pub(crate) mod buttons;
pub mod embedded;
pub(crate) mod house;
pub(crate) mod lights;
pub mod logging;
pub(crate) mod panel;
pub(crate) mod port;
pub(crate) mod report;
pub(crate) mod say;
pub(crate) mod signals;
pub(crate) mod watchdog;
pub(crate) mod words;
pub(crate) mod work;
