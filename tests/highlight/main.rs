//! The press that cannot get lost, with a real ring, real files and a disk that fails on demand.
#![allow(clippy::unwrap_used)]

#[path = "../support/coded.rs"]
mod coded;
#[path = "../support/feeder.rs"]
mod feeder;

mod left;
mod mounted;
mod noted;
mod patient;
mod refused;
mod rig;
mod struck;
mod undecided;
mod whole;
