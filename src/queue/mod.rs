//! Durable jobs: what is still to be done with a clip, kept in its sidecar.
//!
//! Not here: FFmpeg (`finish`), the network (`upload`).
//! Called by: highlight, finish, upload, app.

pub mod sidecar;
pub mod work;
