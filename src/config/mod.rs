//! What people write, and what the program trusts.
//!
//! `written.rs` is the TOML file, the environment and the predecessors'
//! `--env-file` as people write them; `checked.rs` is what the rest of the
//! program sees. Errors name file, line, key, the value and what would be right.
//!
//! Not here: reaching a camera (`ingest`), opening a port (`web`).
//! Called by: main, app; everybody takes parts of the checked types.

pub mod checked;

pub use checked::{
    Camera, Config, Credentials, Highlight, Http, Reconnect, RingSettings, Secret, Storage,
    Transport, Trigger, Venue,
};
