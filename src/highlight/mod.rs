//! A press becomes a clip: journal, window, export, commit, sidecar, verify.
//!
//! Not here: RTSP and rings (`ingest`, `ring`), MP4 boxes (`mp4`).
//! Called by: app.

pub mod cut;
pub mod mapping;
pub mod sidecar;
pub mod verify;
pub mod window;
