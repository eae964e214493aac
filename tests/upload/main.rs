//! Uploads as the queue asks for them: into real folders, to a real S3 server that checks
//! signatures, to a backend that gives out addresses, through proxies that make trouble.
#![allow(clippy::unwrap_used)]

mod folder;
mod net;
mod reach;
mod rig;
mod s3_faults;
mod s3_whole;
mod signed_url;

#[allow(dead_code, reason = "other tests make other trouble")]
#[path = "../support/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "benches use it, too")]
#[path = "../support/s3.rs"]
mod s3;
