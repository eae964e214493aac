//! Reads what several commands take as an argument.

use std::time::Duration;

use crate::base::CameraId;
use crate::config::units::{self, BadUnit};

/// Why it cannot be taken; `clap` says of which argument.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArgumentError {
    #[error("an id is {}", CameraId::RULE)]
    CameraId,
    #[error("no unit; if seconds are meant: {0}s")]
    NoUnit(String),
    #[error("write it like 40s, 300ms or 1m30s")]
    Duration,
}

pub(super) fn camera(text: &str) -> Result<CameraId, ArgumentError> {
    CameraId::new(text).map_err(|_| ArgumentError::CameraId)
}

pub(super) fn duration(text: &str) -> Result<Duration, ArgumentError> {
    match units::duration_ms(text) {
        Ok(ms) => Ok(Duration::from_millis(ms)),
        Err(BadUnit::NoUnit) => Err(ArgumentError::NoUnit(text.to_owned())),
        Err(BadUnit::Shape) => Err(ArgumentError::Duration),
    }
}
