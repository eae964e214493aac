//! Who asks, and what they may do.
//!
//! `identify` makes a [`Principal`](principal::Principal) of a request; `principal` says what it may; `tries` counts wrong passwords.
//! Not here: users and sessions themselves (`access`).

pub(super) mod headers;
pub(super) mod identify;
pub(super) mod own_names;
pub(super) mod principal;
pub mod role;
pub mod sentence;
mod tries;
