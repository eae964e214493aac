//! The built-in camera: a real RTSP server in the process that serves footage
//! from memory in real time, and misbehaves when a [`Script`] tells it to.
//!
//! Not here: the guided tour (`commands::demo`), anything that reads a camera (`ingest`).
//! Stands on ground only.
//!
//! * [`footage`]: what is served: coded frames of the bundled pattern, of an MP4, or made up
//! * [`Script`]: what it does; [`DemoCamera`]: the server, its log
//! * [`fault`]: all that can go wrong, by name
//! * [`picture`]: the frame number drawn in the pattern, and how to read it back
//!
//! Inside, from bytes to behaviour: `packet` (payloads), `mp4_reader` (an MP4 into reels), `sdp`, `rtsp` and `auth`
//! (pure), `stream` (what is due when, pure), `play` (a session's RTP), `session` (a connection's conversation).

mod auth;
mod camera;
pub mod fault;
pub mod footage;
mod mp4_reader;
mod packet;
pub mod picture;
mod play;
mod reel;
mod rtsp;
mod script;
mod sdp;
mod send;
mod session;
mod shared;
mod stream;

pub use camera::DemoCamera;
pub use fault::{Bend, CameraFault, RtspStage, When};
pub use footage::{DemoFootageError, Footage};
pub use script::{Join, LoggedRequest, Login, NonceLife, Scheme, Script, Sent, StartAt};

/// Our own logo, a PNG with transparency: what the demo puts on its clips.
pub static LOGO: &[u8] = include_bytes!("../../assets/logo.png");
