//! The ring's own protocol file, compiled alone.

#[path = "../../../src/ring/protocol.rs"]
pub mod protocol;
