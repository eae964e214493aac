//! What finishing says to people: why a clip waits, failed, or will never be finished.
//!
//! Not here: how a run of FFmpeg ended (`run`).

use super::clip::seconds;
use crate::base::Sentence;
use crate::base::quantity::Megabytes;

crate::sentences! {
    /// About the files and this machine.
    pub enum FinishingSentence {
        NoClip {} = "finish_no_clip": "the sidecar names no clip",
        ClipUnreadable { path: String, error: String } = "finish_clip_unreadable": "{path}: {error}",
        LogoGone { path: String, error: String } = "finish_logo_gone": "the logo {path}: {error}",
        LogoNoPng { path: String, error: String } = "finish_logo_no_png": "the logo {path}: no PNG: {error}",
        FfmpegMissing { error: Sentence } = "finish_ffmpeg_missing":
            "{error}: apt install ffmpeg, or set finish.ffmpeg",
        NoRoom { path: String, free_bytes: Megabytes, kept_bytes: Megabytes } = "finish_no_room":
            "{path} has {free_bytes} free, {kept_bytes} are kept for clips",
        DiskFull { why: Sentence } = "finish_disk_full": "the disk is full: {why}",
        DiskRefused { error: String } = "finish_disk_refused": "the disk is full: {error}",
        FileFailed { path: String, error: String } = "finish_file_failed": "{path}: {error}",
        Unreadable { error: String } = "finish_made_unreadable": "{error}",
        NoThumbnail { why: Sentence } = "finish_no_thumbnail": "no thumbnail: {why}",
        FramesOff { off_90k: Seconds } = "finish_frames_off":
            "the camera's clock stumbled: frames of the marked video are shown up to {off_90k} s off their times in the clip",
        FramesMissing { frames: u64 } = "finish_frames_missing":
            "{frames} frames could not be decoded and are not in the marked video",
    }
}

crate::sentences! {
    /// What this machine's FFmpeg lacks.
    pub enum ToolSentence {
        NoCoder { coder: &'static str, why: String } = "finish_no_encoder": "this FFmpeg cannot encode with {coder}{why}",
        NoText { why: String } = "finish_no_text": "this FFmpeg cannot draw text{why}",
        NoFont {} = "finish_no_font": "no font was found for the text: apt install fonts-dejavu-core",
    }
}

crate::sentences! {
    /// What is wrong with what it made.
    pub enum OutcomeError {
        Nothing { what: &'static str } = "finish_made_nothing": "FFmpeg said that it was done, but made no {what}",
        Garbage { what: &'static str, why: String } = "finish_made_garbage": "FFmpeg made a {what} that is none: {why}",
        Different { what: &'static str, why: Sentence } = "finish_made_different":
            "FFmpeg's {what} is not what was asked for: {why}",
    }
}

impl OutcomeError {
    /// Frames are there, at times that are not those of the clip or not in order.
    pub fn is_of_times(&self) -> bool {
        match self {
            OutcomeError::Different { why, .. } => {
                ["finish_frame_time_differs", "finish_frames_at_once"].contains(&why.code.as_str())
            }
            OutcomeError::Garbage { .. } | OutcomeError::Nothing { .. } => false,
        }
    }
}

crate::sentences! {
    /// How it differs from what was asked for.
    pub enum Difference {
        Codec { codec: String } = "finish_codec_differs": "its codec is {codec}",
        IndexBehind {} = "finish_index_behind": "its index stands behind its data",
        Size { width: u32, height: u32, wanted_width: u32, wanted_height: u32 } = "finish_size_differs":
            "it is {width}x{height}, not {wanted_width}x{wanted_height}",
        Duration { plays_90k: Seconds, clip_90k: Seconds } = "finish_duration_differs":
            "it plays {plays_90k} s, the clip {clip_90k} s",
        FrameTime { frame: usize, at_90k: FrameSeconds } = "finish_frame_time_differs":
            "its frame {frame} is shown at {at_90k} s, when the clip shows none",
        FramesAtOnce { tick: u64 } = "finish_frames_at_once": "two of its frames are shown at once, at tick {tick}",
        FramesMissing { missing: u64, frames: usize, doubtful: u64 } = "finish_too_many_frames_missing":
            "{missing} of the clip's {frames} frames are not in it, at most {doubtful} may be missing",
    }
}

crate::quantities! {
    /// Of 1/90000 s, to the millisecond.
    pub struct Seconds(f, ticks_90k: u64) {
        write!(f, "{:.3}", seconds(ticks_90k))
    }

    /// Of 1/90000 s, to the tick.
    pub struct FrameSeconds(f, ticks_90k: u64) {
        write!(f, "{:.5}", seconds(ticks_90k))
    }
}
