//! Quantities in sentences: written for people, numbers for programs.

use super::sentence::{Arg, ToArg};

/// Whole megabytes for people, bytes for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Megabytes(pub u64);

impl std::fmt::Display for Megabytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} MB", self.0 / 1_000_000)
    }
}

impl ToArg for Megabytes {
    fn to_arg(&self) -> Arg {
        self.0.to_arg()
    }
}

/// `HH:MM` for people, minutes past midnight for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(pub u16);

impl std::fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl ToArg for TimeOfDay {
    fn to_arg(&self) -> Arg {
        self.0.to_arg()
    }
}
