//! End to end: real RTSP servers, the real program, real FFmpeg reading the
//! frame numbers back.
#![allow(clippy::unwrap_used)]

mod exact;
mod together;
mod trouble;

#[path = "../support/gst.rs"]
mod gst;
#[path = "../support/media.rs"]
mod media;
#[path = "../support/oracle.rs"]
mod oracle;
#[path = "../support/pictures.rs"]
mod pictures;
#[path = "../support/service.rs"]
mod service;
