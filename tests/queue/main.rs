//! The queue: real sidecars, real clips and a disk that fails on demand; those who
//! finish and upload do what a test says.
#![allow(clippy::unwrap_used)]

#[path = "../support/coded.rs"]
#[allow(dead_code)]
mod coded;
#[path = "../support/feeder.rs"]
#[allow(dead_code)]
mod feeder;
#[path = "../highlight/rig.rs"]
#[allow(dead_code)]
mod highlights;

#[cfg(target_arch = "x86_64")]
mod killed;
mod machine;
mod manual;
mod restart;
mod retention;
mod rig;
#[allow(dead_code, reason = "others strike nothing")]
#[path = "../support/roomy.rs"]
mod roomy;
mod schema;
#[cfg(target_arch = "x86_64")]
#[allow(dead_code)]
#[path = "../support/strike.rs"]
mod strike;
#[cfg(target_arch = "x86_64")]
mod struck;
mod together;
mod turns;
