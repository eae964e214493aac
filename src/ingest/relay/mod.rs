//! The relay: for a camera whose RTSP retina refuses. It stands between the two, reads what the camera
//! says leniently and within bounds, and hands retina what it takes.
//!
//! Used only for cameras that need it (`decide`). What it tolerates is a table (`quirk`).
//!
//! * `text`: bytes → messages and interleaved frames; `mend`, `sdp_text`: what messages mean, made plain
//! * `frames`: which packets are passed on; `digest`, `sign_in`: the password; `keepalive`: what keeps the session up
//! * `talk`: all of these put together, both ways; pure like them
//! * `run`: the sockets
//!
//! Not here: what becomes of the stream (`session`); RTP over UDP, which would need a relay for each port.

mod decide;
mod digest;
mod frames;
mod keepalive;
mod mend;
pub(super) mod quirk;
mod run;
mod sdp_text;
mod sign_in;
mod talk;
mod text;

pub use decide::{CallWay, RelayMemory, over_udp};
pub use run::Relay;
