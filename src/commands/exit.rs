//! The exit codes that several commands share.

/// Something is wrong with what was looked at.
pub const WRONG: u8 = 1;
/// It could not be done at all: no service, a wrong configuration.
pub const NOT_DONE: u8 = 2;
