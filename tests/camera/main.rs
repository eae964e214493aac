//! The built-in camera itself: real clients (FFmpeg, GStreamer, retina) and a
//! raw one look at what it sends and how it misbehaves.
#![allow(clippy::unwrap_used)]

mod clients;
#[allow(dead_code)]
#[path = "../support/coded.rs"]
mod coded;
mod conversation;
mod faults;
#[allow(dead_code)] // shared with other tests; this one needs a part of it
#[path = "../support/media.rs"]
mod media;
mod raw;
mod reader;
mod stream;
