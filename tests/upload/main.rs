//! Uploads, against real servers.
#![allow(clippy::unwrap_used)]

mod signed_url;
