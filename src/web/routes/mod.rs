//! The answers, one file a noun. Each handler has a row in `table`.

pub(super) mod accounts;
pub(super) mod files;
pub(super) mod library;
mod limit;
pub(super) mod press;
pub(super) mod queue;
pub(super) mod session;
pub(super) mod shared;
pub(super) mod status;
pub(super) mod users;
