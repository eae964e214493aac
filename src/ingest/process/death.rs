//! Why a process that read cameras is no more, in words for people.
//!
//! Not here: what follows from it (`policy`).

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

use crate::cage;

use super::super::sentence::CaptureSentence;
use super::message::CameraIndex;

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Death {
    /// By itself.
    Exited {
        code: i32,
    },
    Killed {
        signal: i32,
    },
    /// It counted more memory than it may have; where it knows, for which camera.
    Memory {
        camera: Option<CameraIndex>,
    },
    /// Not it alone, but all of them; it had most.
    AllMemory,
    Hung {
        silent_s: u64,
    },
    /// What it said made no sense.
    Nonsense {
        what: String,
    },
    NotStarted {
        error: String,
    },
    NoRing {
        camera: CameraIndex,
        error: String,
    },
}

impl Death {
    pub fn of(status: ExitStatus) -> Death {
        match (status.code(), status.signal()) {
            (Some(code), _) if code >= cage::MEMORY_EXIT => {
                let number = CameraIndex::try_from(code - cage::MEMORY_EXIT).ok();
                // The highest: nobody.
                let camera = number.filter(|number| *number < 127);
                Death::Memory { camera }
            }
            (Some(code), _) => Death::Exited { code },
            (None, signal) => Death::Killed {
                signal: signal.unwrap_or(0),
            },
        }
    }

    /// For which of its cameras, where that is known.
    pub fn culprit(&self) -> Option<CameraIndex> {
        match self {
            Death::Memory { camera } => *camera,
            Death::NoRing { camera, .. } => Some(*camera),
            _ => None,
        }
    }

    /// For people: of the camera that it died of, or might have died of.
    pub fn reason(&self, own_bytes: u64, all_bytes: u64) -> CaptureSentence {
        let mb = |bytes: u64| bytes / 1_000_000;
        match self.clone() {
            Death::Exited { code } => CaptureSentence::ReaderEnded { code: code.into() },
            Death::Killed { signal } => CaptureSentence::ReaderKilled {
                signal: Signal::try_from(signal)
                    .map_or_else(|_| format!("signal {signal}"), |known| known.to_string()),
            },
            Death::Memory { .. } => CaptureSentence::ReaderMemory {
                limit_mb: mb(own_bytes),
            },
            Death::AllMemory => CaptureSentence::ReadersMemory {
                limit_mb: mb(all_bytes),
            },
            Death::Hung { silent_s } => CaptureSentence::ReaderHung { silent_s },
            Death::Nonsense { what } => CaptureSentence::ReaderNonsense { what },
            Death::NotStarted { error } => CaptureSentence::ReaderNotStarted { error },
            Death::NoRing { error, .. } => CaptureSentence::ReaderWithoutRing { error },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(raw: i32) -> Death {
        Death::of(ExitStatus::from_raw(raw))
    }

    #[test]
    fn an_end_is_told_as_what_it_was() {
        let of = |death: Death| death.reason(64_000_000, 256_000_000).to_string();
        assert_eq!(
            of(ended(9)),
            "the process that reads it was killed by SIGKILL"
        );
        assert_eq!(
            of(ended(3 << 8)),
            "the process that reads it ended with code 3"
        );
        assert!(of(ended(130 << 8)).starts_with("what it sends needed more than 64 MB"));
        assert_eq!(ended(130 << 8).culprit(), Some(2));
        assert_eq!(ended(255 << 8).culprit(), None);
        assert!(of(Death::AllMemory).contains("more than 256 MB"));
    }
}
