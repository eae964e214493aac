//! Uploads as the queue asks for them: into real folders, to a real S3 server that checks
//! signatures, to a backend that gives out addresses, through proxies that make trouble.
#![allow(clippy::unwrap_used)]

mod folder;
mod killed;
mod net;
mod probe;
mod queued;
mod rig;
mod s3_faults;
mod s3_whole;
mod signed_url;
#[cfg(target_arch = "x86_64")]
mod struck;

#[allow(dead_code, reason = "other tests make other trouble")]
#[path = "../support/proxy.rs"]
mod proxy;
#[cfg(target_arch = "x86_64")]
#[path = "../support/roomy.rs"]
mod roomy;
#[allow(dead_code, reason = "benches use it, too")]
#[path = "../support/s3.rs"]
mod s3;
#[allow(dead_code, reason = "others film, press and look")]
#[path = "../support/service.rs"]
mod service;
#[cfg(target_arch = "x86_64")]
#[allow(dead_code, reason = "others let calls fail")]
#[path = "../support/strike.rs"]
mod strike;
#[path = "../support/waiting.rs"]
mod waiting;
