//! What the cut says to people: why there is nothing to show, and what is odd about a clip.
//!
//! Not here: who is told (`highlight`).

use std::fmt;

use crate::base::quantity::ToFloat;
use crate::base::sentence::{Arg, ToArg};
use crate::media::TICKS_90K;

crate::sentences! {
    /// Why a camera has nothing to show.
    pub enum NoFootage {
        Empty {} = "clip_no_picture_yet": "no picture of this camera has arrived yet",
        TooOld { older_ms: Tenths } = "clip_pictures_too_old":
            "the newest picture held is {older_ms} older than the window asked for: is the camera connected?",
        TooNew { newer_ms: Tenths } = "clip_pictures_too_new":
            "the oldest picture held is {newer_ms} newer than the window asked for",
        Hole {} = "clip_no_picture_in_window": "the camera sent nothing while the window lasted",
        NoKeyFrame {} = "clip_no_key_frame":
            "no key frame of the window was received, so nothing of it can be decoded",
        Unreadable { error: String } = "clip_ring_unreadable": "the ring cannot be read: {error}",
    }
}

crate::sentences! {
    /// What a person should know of a clip.
    pub enum CutNote {
        SizeChanged { sizes: String } = "clip_size_changed":
            "the camera changed its picture's size within the clip: {sizes}",
        BeginsLate { late_ms: Tenths } = "clip_begins_late":
            "the clip begins {late_ms} later than asked for: the ring held no earlier picture to begin with",
        Silent { silent_ms: BegunTenths } = "clip_camera_silent_at_press":
            "the camera had sent nothing for {silent_ms} at the press",
        ClockUncertain {} = "clip_clock_uncertain":
            "the camera had sent less than 2 s before the press: its clock is known less exactly",
        ClockExtrapolated {} = "clip_clock_extrapolated":
            "the camera sent nothing around the press: its clock was carried over the hole",
        TimesMended { pictures: usize } = "clip_times_mended":
            "the camera's clock stepped back: pictures shown at times that were made even: {pictures}",
        EndsWithCamera { early_ms: Tenths } = "clip_ends_with_camera":
            "the clip ends {early_ms} early: the camera sent no more pictures",
        EndsWithParameters { early_ms: Tenths } = "clip_ends_with_parameters":
            "the clip ends {early_ms} early: the camera changed its picture's parameters",
        EndsWithStop { early_ms: Tenths } = "clip_ends_with_stop":
            "the clip ends {early_ms} early: the service was told to stop",
        EndsWithRestart { early_ms: Tenths } = "clip_ends_with_restart":
            "the clip ends {early_ms} early: the service was restarted, and the ring held no more",
        EndsWithPower { early_ms: Tenths } = "clip_ends_with_power":
            "the clip ends {early_ms} early: the power went; this is what had reached the disk",
    }
}

/// A length of media time, shown in seconds to the nearest tenth. As an argument: milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenths {
    ticks_90k: i64,
}

impl Tenths {
    pub fn of_90k(ticks_90k: i64) -> Tenths {
        Tenths { ticks_90k }
    }
}

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Exact up to 2^53 ticks: 3000 years.
        write!(
            f,
            "{:.1} s",
            self.ticks_90k.to_float() / TICKS_90K.to_float()
        )
    }
}

impl ToArg for Tenths {
    fn to_arg(&self) -> Arg {
        Arg::Number(self.ticks_90k / (TICKS_90K / 1000))
    }
}

crate::quantities! {
    /// Milliseconds, shown in seconds and the tenths that are over. As an argument: milliseconds.
    pub struct BegunTenths(f, ms: u64) {
        write!(f, "{}.{} s", ms / 1000, ms % 1000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Coded;

    #[test]
    fn lengths_are_shown_in_seconds_and_told_in_milliseconds() {
        let note = CutNote::EndsWithCamera {
            early_ms: Tenths::of_90k(450_000 + 2_700),
        };
        let text = "the clip ends 5.0 s early: the camera sent no more pictures";
        assert_eq!(note.to_string(), text);
        assert_eq!(note.args()["early_ms"], Arg::Number(5_030));
        let silent = BegunTenths(3_290);
        assert_eq!(silent.to_string(), "3.2 s");
        assert_eq!(silent.to_arg(), Arg::Number(3_290));
    }
}
