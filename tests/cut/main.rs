//! Window, mapping and cut against a camera on paper and an oracle that counts frames.
#![allow(clippy::unwrap_used)]

mod across;
mod camera;
mod exact;
mod holes;
mod limits;
mod pcm;
mod sidecar;
mod sound;
mod verify;
