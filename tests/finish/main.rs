//! Clips are marked by the real FFmpeg, and by programs that only look like it.
#![allow(clippy::unwrap_used)]

mod busy;
mod encoder;
mod exact;
mod looks;
mod rig;
mod trouble;

#[path = "../players/browser.rs"]
#[allow(dead_code, reason = "the players are asked for more")]
mod browser;
#[path = "../support/coded.rs"]
#[allow(dead_code, reason = "the benches read more of it")]
mod coded;
#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/media.rs"]
#[allow(dead_code, reason = "other tests make more with it")]
mod media;
#[path = "../players/source.rs"]
#[allow(dead_code, reason = "other tests cut more with it")]
mod source;
#[path = "../ingest/watch.rs"]
#[allow(dead_code, reason = "ingest itself is watched more closely")]
mod watch;
