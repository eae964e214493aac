//! What finishing would take on this machine, before there is a clip: the same work for a moment, on
//! a pattern.
//!
//! Not here: learning from real clips (`pace`).

use super::clip::{Clip, Matrix};
use super::ffmpeg_finisher::{FfmpegFinisher, seconds_since};
use super::graph::GraphOutputs;
use super::pace::STEPS;
use super::place::Canvas;
use super::plan::{self, Coder, Quality};
use super::run::{Bounds, run};
use super::tools;
use crate::base::{Clock, RealClock, Stop};
use crate::queue::work::Failure;

/// A camera's picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub fps: f64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// `FFmpeg 5.1.8`
    pub program: String,
    /// `libx264, preset veryfast`
    pub coder: String,
    /// Seconds of work for each second that a clip plays, about. Above 1 clips that come one after
    /// the other wait. `None`: nothing is marked, so nothing is encoded.
    pub each_second_s: Option<f64>,
}

/// So much of a clip is tried.
const TRIED_90K: u64 = 2 * 90_000;
/// No machine that is of any use takes as long.
const TRIAL_MS: u64 = 60_000;
const TRIAL_FILE: u64 = 1 << 20;

impl FfmpegFinisher {
    /// Finishes a moment of a pattern of this picture's size, logos and text included; where no preset is
    /// named, with the one at which this machine keeps up. Keeps nothing of it.
    pub fn trial(&self, picture: Picture, stop: &Stop) -> Result<Trial, Failure> {
        let finish = &self.settings.finish;
        let tools = self.tools(stop)?;
        let limit_ms = self.settings.limits.base_ms;
        let program = tools::version(&finish.ffmpeg, limit_ms, stop)?;
        let named = |preset: &str| match tools.coder {
            Coder::X264 => format!("{}, preset {preset}", tools.coder.name()),
            Coder::V4l2m2m => tools.coder.name().to_owned(),
        };
        let first = self.preset();
        if !self.encodes() {
            return Ok(Trial {
                program,
                coder: named(&first),
                each_second_s: None,
            });
        }
        let mut preset = first.as_str();
        let mut each_s = self.tried(tools.coder, preset, picture, stop)?;
        let chosen_here = finish.preset.is_none() && tools.coder == Coder::X264;
        let at = STEPS.iter().position(|step| *step == preset).unwrap_or(0);
        for faster in STEPS[..at].iter().rev().filter(|_| chosen_here) {
            if each_s <= 1.0 {
                break;
            }
            preset = faster;
            each_s = self.tried(tools.coder, preset, picture, stop)?;
        }
        Ok(Trial {
            program,
            coder: named(preset),
            each_second_s: Some(each_s),
        })
    }

    /// Seconds of work for each second.
    fn tried(
        &self,
        coder: Coder,
        preset: &str,
        picture: Picture,
        stop: &Stop,
    ) -> Result<f64, Failure> {
        let finish = &self.settings.finish;
        let text = finish.text.as_ref().map(|text| text.template.clone());
        let drawing = self.drawing(text, stop)?;
        let quality = Quality {
            coder,
            crf: finish.crf,
            preset,
        };
        let wanted = GraphOutputs {
            marked: finish.marks(),
            vertical: finish.vertical,
            thumbnail_90k: TRIED_90K / 2,
        };
        let clip = pattern(picture);
        let argv = plan::trial(&clip, &drawing.marks(), quality, wanted);
        let bounds = Bounds {
            whole_ms: TRIAL_MS,
            stalled_ms: TRIAL_MS,
            plays_us: 0,
            room: None,
            largest_file: TRIAL_FILE,
        };
        let began_ns = RealClock.mono_ns();
        run(&finish.ffmpeg, &argv, &bounds, &|_| {}, stop)?;
        Ok(seconds_since(began_ns) / clip.duration_s())
    }
}

/// The facts of a clip that is nothing but a moment of a pattern.
fn pattern(picture: Picture) -> Clip {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rate = picture.fps.round().clamp(1.0, 120.0) as u64;
    Clip {
        canvas: Canvas {
            width: picture.width,
            height: picture.height,
            pixel_aspect: 1.0,
        },
        several_sizes: false,
        sound: None,
        full_range: false,
        matrix: Matrix::Bt709,
        frames_90k: (0..2 * rate).map(|n| n * 90_000 / rate).collect(),
        duration_90k: TRIED_90K,
        bytes: 0,
        doubtful: 0,
        unordered: false,
        paced_90k: None,
    }
}
