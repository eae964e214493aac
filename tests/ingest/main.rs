//! Ingest against RTSP servers: gst-rtsp-server, and our own camera's faults.
#![allow(clippy::unwrap_used)]

mod caged;
mod faults;
mod peers;
mod relayed;
mod running;
mod unit_filter;
mod watch;

#[path = "../support/gst.rs"]
mod gst;
#[path = "../support/media.rs"]
mod media;
// The peer speaks its language.
#[allow(dead_code)]
#[path = "../support/oracle.rs"]
mod oracle;
