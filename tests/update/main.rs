//! Updates on plain files as slots: taken, refused, cut at any moment, fetched, confirmed; the
//! program as somebody at a shell sees it; and once on real block devices.
//!
//! Keys are made by the tests.
#![allow(clippy::unwrap_used)]

mod confirmed;
mod cut;
mod devices;
mod fetched;
mod recipe;
mod refused;
mod rig;
mod server;
mod taken;

#[allow(dead_code)]
#[path = "../support/service.rs"]
mod service;

#[cfg(target_arch = "x86_64")]
#[allow(dead_code, reason = "no test here lets only what needs room fail")]
#[path = "../support/strike.rs"]
mod strike;
