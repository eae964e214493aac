//! The press as a value: *which cameras, at which instant, how long before and
//! after, from whom*. A press is a timestamp, not a command.
//!
//! Not here: what becomes of it (`highlight`), where it comes from (`trigger`, `web`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{BootId, CameraId, PressId};
use super::sentence::{Arg, Coded, Sentence};

/// Who pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Source {
    Http,
    Keyboard,
    Demo,
    /// A button on the wall, or a USB one.
    Button,
}

/// A wish for a highlight, not yet durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PressRequest {
    /// The cameras meant, without duplicates; every id is configured.
    pub cameras: Vec<CameraId>,
    /// `CLOCK_MONOTONIC` at the press, in nanoseconds.
    pub instant_mono_ns: u64,
    pub pre_ms: u64,
    pub post_ms: u64,
    pub source: Source,
    /// Id of the button that was pressed.
    pub button: Option<String>,
}

/// A press as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Press {
    pub id: PressId,
    pub boot_id: BootId,
    /// `CLOCK_MONOTONIC` of `boot_id` at the press, in nanoseconds.
    pub instant_mono_ns: u64,
    pub pre_ms: u64,
    pub post_ms: u64,
    pub source: Source,
    /// Id of the button that was pressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// The cameras that took it, each of which must come to an end of law 3.
    pub cameras: Vec<CameraId>,
    /// Folder of its highlights below `highlights/`: the venue-local date as
    /// believed at the press (`YYYY-MM-DD`), or `undated`.
    pub folder: String,
    /// Wall clock at the press, nanoseconds since 1970.
    pub wall_unix_ns: i64,
    pub wall_synchronised: bool,
}

crate::sentences! {
    /// Why nobody was asked, or nobody took the press.
    pub enum PressSentence {
        Stopping {} = "press_stopping": "the service is stopping and takes no more presses",
        NoCamera {} = "press_no_camera": "no camera took the press",
    }
}

/// A camera that did not take a press, and why, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refusal {
    pub camera_id: CameraId,
    /// In English.
    pub reason: String,
    /// Of `reason`; stable.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z][a-z0-9_]*$")))]
    pub code: String,
    pub args: BTreeMap<String, Arg>,
}

impl Refusal {
    pub fn new(camera_id: CameraId, why: Sentence) -> Refusal {
        Refusal {
            camera_id,
            reason: why.text,
            code: why.code,
            args: why.args,
        }
    }
}

/// The answer to a press that at least one camera took; it is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PressAck {
    pub press: Press,
    pub refused: Vec<Refusal>,
    /// What a person should know although the press was taken (a stale camera,
    /// a ring that holds less than `pre`), one sentence per camera concerned.
    pub notes: Vec<Refusal>,
}

/// Why no camera took a press. Nothing was kept of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PressError {
    /// The service is stopping.
    #[error("{}", PressSentence::Stopping {})]
    Stopping,
    /// Outside of the opening hours; says when it opens.
    #[error("{0}")]
    Closed(Sentence),
    /// The disk has no room for the clips.
    #[error("{0}")]
    DiskFull(Sentence),
    /// The storage is missing, read-only or failing.
    #[error("{0}")]
    Storage(Sentence),
    /// Every camera refused.
    #[error("{}", PressSentence::NoCamera {})]
    NoCamera(Vec<Refusal>),
}

impl PressError {
    pub fn sentence(&self) -> Sentence {
        match self {
            PressError::Stopping => PressSentence::Stopping {}.sentence(),
            PressError::NoCamera(_) => PressSentence::NoCamera {}.sentence(),
            PressError::Closed(said) | PressError::DiskFull(said) | PressError::Storage(said) => {
                said.clone()
            }
        }
    }
}
