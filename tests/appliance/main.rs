//! A box of our own image: its disk, its one file to configure, what it tells systemd.

#![allow(clippy::unwrap_used)]

mod config;
mod disk;
mod notify;

#[allow(dead_code)]
#[path = "../support/service.rs"]
mod service;
