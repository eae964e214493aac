//! Which locks hold, in words.
//!
//! Not here: locking (`calls`, `files`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of the kernel's locks hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CageReport {
    /// Files.
    pub landlock: LockState,
    /// System calls.
    pub seccomp: LockState,
}

/// Whether a lock holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockState {
    #[default]
    Holds,
    /// Why not.
    Missing(String),
}

impl CageReport {
    /// Everything in it that is text.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        let states = [&self.landlock, &self.seccomp].into_iter();
        states.filter_map(|state| match state {
            LockState::Holds => None,
            LockState::Missing(why) => Some(why.as_str()),
        })
    }

    /// Both hold.
    pub fn whole(&self) -> bool {
        self.words().next().is_none()
    }
}

impl fmt::Display for CageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "files: {} (Landlock); system calls: {} (seccomp)",
            self.landlock, self.seccomp
        )
    }
}

impl fmt::Display for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockState::Holds => f.write_str("locked"),
            LockState::Missing(why) => write!(f, "not locked, {why}"),
        }
    }
}
