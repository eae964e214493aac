//! What the verdict says: one code a reason, what is wrong and what to do about it.
//!
//! Not here: when it is said (the room's face), what other rooms say within it (their own sentences).

use std::fmt;

use crate::base::Sentence;
use crate::base::quantity::Megabytes;
use crate::base::sentence::{Arg, ToArg};

crate::sentences! {
    /// Text: what is wrong, which strangers may read: it names nothing of the venue. Remedy: what to do about it.
    pub enum HealthSentence {
        CameraSilent { silent_s: u64 } = "camera_silent": "a camera sent nothing for {silent_s} s"
            => "see that it has power and network; it is called again by itself",
        CameraConnecting {} = "camera_connecting": "a camera is being called"
            => "wait some seconds",
        CameraMissing { why: ReasonDetail } = "camera_missing": "a camera cannot be reached"
            => "{why}; it is called again by itself",
        CameraPasswordWrong {} = "camera_password_wrong": "a camera refuses the password"
            => "correct username and password of this camera in the config, and restart",
        CameraNotTriedAgain { why: ReasonDetail } = "camera_not_tried_again": "a camera was given up"
            => "{why}; then restart hindsight ([reconnect] max_attempts is spent)",
        /// What to change at the camera or in the config so that clips come out whole.
        CameraClipsIncomplete { cure: ReasonDetail } = "camera_clips_incomplete": "a camera's clips may be incomplete"
            => "{cure}",
        NoCameraConfigured {} = "camera_none_configured": "no camera is configured"
            => "write the cameras into the configuration, and restart",
        DiskSilent { silent_s: u64 } = "disk_silent": "the disk has not answered for {silent_s} s"
            => "see whether it is connected; restart the box",
        DiskUnwritable { why: ReasonDetail } = "disk_unwritable": "clips cannot be written"
            => "{why}",
        DiskFull { free_bytes: Megabytes } = "disk_full": "the disk is full"
            => "{free_bytes} are free; delete or move old highlights",
        /// Presses still give clips.
        DiskNearlyFull { free_bytes: Megabytes, presses: u64 } = "disk_nearly_full": "the disk is nearly full"
            => "{free_bytes} are free, room for {presses} presses; delete or move old highlights",
        /// Full of what no deletion could free.
        DiskFilling { used_percent: u64, days_left: DaysLeft } = "disk_filling": "the disk is {used_percent} % full"
            => "{days_left} at the present rate; delete or move old highlights, or fit a larger disk",
        /// The same, and it does not get worse.
        DiskUsed { used_percent: u64 } = "disk_used": "the disk is {used_percent} % full"
            => "nothing was added lately; delete or move old highlights, or fit a larger disk",
        /// `why`: what the disk said to the export that failed last.
        ClipsLate { clips: usize, why: ReasonDetail } = "clips_late": "{clips} clips are late"
            => "{why}; they are tried again while the rings hold them",
        /// Nothing was heard of why.
        ClipsLateBySlowDisk { clips: usize } = "clips_late_by_slow_disk": "{clips} clips are late"
            => "the disk is slow or full; they are tried again while the rings hold them",
        /// `cure`: what is missing on this machine to finish clips.
        ClipsCannotBeMarked { cure: ReasonDetail } = "clips_cannot_be_marked": "clips cannot be marked"
            => "{cure}",
        ClipsWaitToBeFinished { why: ReasonDetail, since_ms: Since } = "clips_wait_to_be_finished": "clips wait to be finished"
            => "{why}; waits since {since_ms}, tried again by itself, nothing is lost",
        ClipsWaitToBeUploaded { why: ReasonDetail, since_ms: Since } = "clips_wait_to_be_uploaded": "clips wait to be uploaded"
            => "{why}; waits since {since_ms}, tried again by itself, nothing is lost",
        ClipsGivenUp { clips: Clips } = "clips_given_up": "{clips} given up"
            => "\"hindsight queue\" says why; mend it, then \"hindsight queue retry --failed\"",
        BoardWithoutPins { why: ReasonDetail } = "board_without_pins": "no button and no light works"
            => "{why}",
        ButtonBroken { why: ReasonDetail } = "button_broken": "a button does not work"
            => "{why}",
        LightBroken { why: ReasonDetail } = "light_broken": "a light cannot be set"
            => "{why}",
        /// Something about the box itself, as whoever found it says it.
        BoxNotice { notice: ReasonDetail, cure: ReasonDetail } = "box_notice": "{notice}"
            => "{cure}",
        ClockNotSet {} = "clock_not_set": "the clock was never set since power-on"
            => "connect the box to the internet once, or set its clock; until then highlights go to the folder \"undated\"",
    }
}

/// ReasonDetail something is as it is, as another room says it: with its code where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReasonDetail {
    Said(Sentence),
    /// Of the operating system or a far server.
    Text(String),
}

impl From<Sentence> for ReasonDetail {
    fn from(said: Sentence) -> ReasonDetail {
        ReasonDetail::Said(said)
    }
}

impl From<&str> for ReasonDetail {
    fn from(text: &str) -> ReasonDetail {
        ReasonDetail::Text(text.to_owned())
    }
}

impl From<String> for ReasonDetail {
    fn from(text: String) -> ReasonDetail {
        ReasonDetail::Text(text)
    }
}

impl fmt::Display for ReasonDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReasonDetail::Said(said) => said.fmt(f),
            ReasonDetail::Text(text) => f.write_str(text),
        }
    }
}

impl ToArg for ReasonDetail {
    fn to_arg(&self) -> Arg {
        match self {
            ReasonDetail::Said(said) => said.to_arg(),
            ReasonDetail::Text(text) => text.to_arg(),
        }
    }
}

crate::quantities! {
    /// Milliseconds: "5 min", "3 h", "2 days".
    pub struct Since(f, ms: u64) {
        match ms / 60_000 {
            minutes @ 0..120 => write!(f, "{minutes} min"),
            minutes @ 120..2880 => write!(f, "{} h", minutes / 60),
            minutes => write!(f, "{} days", minutes / 1440),
        }
    }

    /// "one day is left".
    pub struct DaysLeft(f, days: u64) {
        match days {
            0 => f.write_str("less than a day is left"),
            1 => f.write_str("one day is left"),
            days => write!(f, "{days} days are left"),
        }
    }

    /// "1 clip was", "3 clips were".
    pub struct Clips(f, clips: u64) {
        match clips {
            1 => f.write_str("1 clip was"),
            clips => write!(f, "{clips} clips were"),
        }
    }
}
