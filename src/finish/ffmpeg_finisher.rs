//! The one who finishes: a clip in, whole and checked files out.
//!
//! Not here: what FFmpeg is told (`plan`), how it is run (`run`), what of its work is believed (`outcome`),
//! what it would take (`trial`).

use std::cell::Cell;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use jiff::tz::TimeZone;

use super::clip::{Clip, seconds};
use super::files::{files, press_90k, read_clip, sized};
use super::graph::{self, Lettering, Marks};
use super::outcome::{self, Video};
use super::pace::Pace;
use super::place::{Canvas, SizedLogo};
use super::plan::{self, Coder, Outputs, Quality};
use super::run::{Bounds, RunError, no_room, run};
use super::sentence::{FinishingSentence, OutcomeError, Seconds};
use super::tools::{self, ToolError, Tools};
use super::words;
use crate::base::{Clock, Coded, RealClock, Sentence, Stop, lock};
use crate::config::{Corner, Encoder, Finish};
use crate::disk::{Disk, files::for_people, files::is_full};
use crate::media::Codec;
use crate::queue::sidecar::MarkedMeta;
use crate::queue::store::hash_file;
use crate::queue::work::{Failure, Finished, Finisher, Job};

/// What the maker must know.
#[derive(Clone, Debug)]
pub struct Settings {
    pub finish: Finish,
    /// The venue's name, for the text.
    pub venue: String,
    pub timezone: TimeZone,
    /// So much of the storage stays free for clips; a job that would take of it waits.
    pub reserve_bytes: u64,
    pub limits: Limits,
}

/// How long FFmpeg may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub base_ms: u64,
    /// For each second that the clip plays; more where the machine is known to be slower than that.
    pub each_second_ms: u64,
    /// Without any progress, and without the processor.
    pub stalled_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            base_ms: 60_000,
            each_second_ms: 20_000,
            stalled_ms: 120_000,
        }
    }
}

/// Runs FFmpeg. Any number of threads may call it at once.
pub struct FfmpegFinisher {
    pub(super) settings: Settings,
    disk: Disk,
    known: Mutex<Known>,
}

/// What was learned so far.
#[derive(Debug, Default)]
struct Known {
    tools: Option<Tools>,
    font: Option<String>,
    pace: Pace,
    problem: Option<Sentence>,
}

/// What is drawn into one picture, with the fonts and sizes that it takes.
pub(super) struct Drawing<'a> {
    logos: Vec<SizedLogo<'a>>,
    /// The words, their corner, their font.
    text: Option<(String, Corner, String)>,
}

impl Drawing<'_> {
    pub fn marks(&self) -> Marks<'_> {
        let text = self.text.as_ref();
        Marks {
            logos: self.logos.clone(),
            text: text.map(|(text, corner, font)| Lettering {
                text,
                corner: *corner,
                font,
            }),
        }
    }
}

/// No clip's files are larger than so many times the clip, and this.
const LARGER: u64 = 10;
const LARGER_BYTES: u64 = 64_000_000;

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Left {} => Failure::Cancelled,
            RunError::Missing { .. } => Failure::unavailable(FinishingSentence::FfmpegMissing {
                error: error.sentence(),
            }),
            RunError::Full { .. } | RunError::NoRoom { .. } => Failure::unavailable(error),
            other => Failure::failed(other),
        }
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Failure {
        match error {
            ToolError::Run(error) => error.into(),
            ToolError::Lacks(what) => Failure::unavailable(what),
        }
    }
}

impl FfmpegFinisher {
    pub fn new(mut settings: Settings) -> FfmpegFinisher {
        for logo in &mut settings.finish.logos {
            // FFmpeg takes what begins with a dash for an option, and what has a colon for a protocol.
            logo.file = std::path::absolute(&logo.file).unwrap_or(logo.file.clone());
        }
        FfmpegFinisher {
            settings,
            disk: Disk::default(),
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// What is missing on this machine, for health: one sentence with its cure. As the last clip
    /// found it.
    pub fn problem(&self) -> Option<Sentence> {
        self.known().problem.clone()
    }

    /// What encodes here, and how: for `check`. Runs FFmpeg for a moment.
    pub fn describe(&self, stop: &Stop) -> Result<String, Failure> {
        let tools = self.tools(stop)?;
        let preset = match tools.coder {
            Coder::X264 => format!(", preset {}", self.preset()),
            Coder::V4l2m2m => String::new(),
        };
        Ok(format!("{}{preset}", tools.coder.name()))
    }

    pub(super) fn encodes(&self) -> bool {
        self.settings.finish.marks() || self.settings.finish.vertical
    }

    /// Named by hand, or the one that keeps up.
    pub(super) fn preset(&self) -> String {
        let named = self.settings.finish.preset.clone();
        named.unwrap_or_else(|| self.known().pace.preset().to_owned())
    }

    pub(super) fn tools(&self, stop: &Stop) -> Result<Tools, ToolError> {
        if let Some(tools) = self.known().tools {
            return Ok(tools);
        }
        let Finish {
            ffmpeg, encoder, ..
        } = &self.settings.finish;
        let tools = tools::find(ffmpeg, *encoder, self.settings.limits.base_ms, stop)?;
        log::info!(target: "hindsight", event = "system_encoder";
            "FFmpeg encodes with {}", tools.coder.name());
        self.known().tools = Some(tools);
        Ok(tools)
    }

    pub(super) fn font(&self, stop: &Stop) -> Result<String, ToolError> {
        if let Some(font) = self.known().font.clone() {
            return Ok(font);
        }
        let program = &self.settings.finish.ffmpeg;
        let font = tools::font(program, self.settings.limits.base_ms, stop)?;
        self.known().font = Some(font.clone());
        Ok(font)
    }

    fn bounds(&self, job: &Job<'_>, clip: &Clip) -> Bounds {
        let limits = self.settings.limits;
        // Four times what was slow before is not hung yet.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let known_ms = (self.known().pace.slowest() * 4000.0) as u64;
        let each_ms = limits.each_second_ms.max(known_ms);
        Bounds {
            whole_ms: limits.base_ms + each_ms.saturating_mul(clip.duration_90k.div_ceil(90_000)),
            stalled_ms: limits.stalled_ms,
            plays_us: clip.duration_90k * 100 / 9,
            room: Some((job.tmp.to_path_buf(), self.settings.reserve_bytes)),
            largest_file: clip.bytes * LARGER + LARGER_BYTES,
        }
    }

    /// The unmarked clip goes on as it is, with its thumbnail if one can be had.
    fn only_a_thumbnail(
        &self,
        job: &Job<'_>,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Finished, Failure> {
        let (file, clip) = read_clip(&self.disk, job)?;
        let mut files = files(job, false, false);
        let argv = plan::thumbnail(&file.path, &clip, &files.outputs.thumbnail, press_90k(job));
        let bounds = Bounds {
            whole_ms: self.settings.limits.base_ms,
            ..self.bounds(job, &clip)
        };
        let program = &self.settings.finish.ffmpeg;
        let ran = run(program, &argv, &bounds, &|_| {}, stop).map_err(Failure::from);
        let made = ran
            .and_then(|_| outcome::thumbnail(&files.outputs.thumbnail).map_err(Failure::failed))
            .and_then(|()| self.synced(&files.outputs.thumbnail));
        let mut finished = Finished::default();
        match made {
            Ok(()) => {
                files.keep = true;
                finished.thumbnail = Some(files.outputs.thumbnail.clone());
            }
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            // The clip is what people wait for.
            Err(other) => finished.notes.push(format!("no thumbnail: {other}")),
        }
        progress(1000);
        Ok(finished)
    }

    fn encode(
        &self,
        job: &Job<'_>,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Finished, Failure> {
        let finish = &self.settings.finish;
        let (file, mut clip) = read_clip(&self.disk, job)?;
        let bounds = self.bounds(job, &clip);
        if let Some(why) = no_room(&bounds) {
            return Err(Failure::unavailable(FinishingSentence::DiskFull {
                why: why.sentence(),
            }));
        }
        let tools = self.tools(stop)?;
        let text = finish
            .text
            .as_ref()
            .and_then(|text| words::filled(&text.template, &self.settings.venue, job.sidecar));
        let drawing = self.drawing(text, stop)?;
        let preset = self.preset();
        let quality = Quality {
            coder: tools.coder,
            crf: finish.crf,
            preset: &preset,
        };
        let mut files = files(job, finish.marks(), finish.vertical);
        let began_ns = RealClock.mono_ns();
        let finished = loop {
            let argv = plan::finishing(
                &file.path,
                &clip,
                &drawing.marks(),
                quality,
                &files.outputs,
                press_90k(job),
            );
            let complained = run(&finish.ffmpeg, &argv, &bounds, progress, stop)
                .map_err(|e| self.not_by(tools.coder, e))?;
            if complained {
                // What it cannot decode it will not decode the next time either; a clip with most of
                // its frames is worth more than none.
                clip.doubtful = clip.doubtful.max(clip.frames_90k.len() as u64 / 2);
            }
            let times_wrong = Cell::new(false);
            let checked = self.checked(job, &clip, &files.outputs, &times_wrong);
            match checked.map_err(|e| self.perhaps_full(job, e)) {
                // FFmpeg makes no sense of the clip's times, as of B-frames stamped as they were sent.
                Err(Failure::Failed { .. }) if times_wrong.get() && clip.paced_90k.is_none() => {
                    clip.pace();
                }
                other => break other?,
            }
        };
        let work_s = seconds_since(began_ns);
        files.keep = true;
        self.note_pace(job, &clip, quality, work_s);
        progress(1000);
        Ok(finished)
    }

    /// The logos, and this text, if there is one.
    pub(super) fn drawing(
        &self,
        text: Option<String>,
        stop: &Stop,
    ) -> Result<Drawing<'_>, Failure> {
        let finish = &self.settings.finish;
        let lettering = text.zip(finish.text.as_ref()).map(|(words, text)| {
            let font = self.font(stop)?;
            Ok::<_, Failure>((words, text.corner, font))
        });
        Ok(Drawing {
            logos: sized(&finish.logos)?,
            text: lettering.transpose()?,
        })
    }

    /// An encoder of the hardware that fails is not asked again, where another may be taken.
    fn not_by(&self, coder: Coder, error: RunError) -> Failure {
        let auto = self.settings.finish.encoder == Encoder::Auto;
        if auto && coder == Coder::V4l2m2m && !matches!(error, RunError::Left {}) {
            log::warn!(target: "hindsight", event = "error_encoder";
                "{} fails ({error}); libx264 from now on", coder.name());
            self.known().tools = Some(Tools { coder: Coder::X264 });
        }
        error.into()
    }

    /// FFmpeg calls itself successful when the disk got full at the very end: then what it made is
    /// wrong, and it costs no attempt.
    fn perhaps_full(&self, job: &Job<'_>, failure: Failure) -> Failure {
        const A_LITTLE: u64 = 1_000_000;
        let floor = A_LITTLE.max(self.settings.reserve_bytes);
        let full = matches!(self.disk.space(job.tmp), Ok(space) if space.free < floor);
        match failure.why() {
            Some(why) if full => {
                Failure::unavailable(FinishingSentence::DiskFull { why: why.clone() })
            }
            _ => failure,
        }
    }

    fn note_pace(&self, job: &Job<'_>, clip: &Clip, quality: Quality<'_>, work_s: f64) {
        let plays_s = clip.duration_s();
        log::info!(target: "hindsight", event = "clip_finished",
            press_id = job.sidecar.press_id.to_string(), camera_id = job.sidecar.camera.id.to_string();
            "{plays_s:.1} s of video finished in {work_s:.1} s ({}, {})", quality.coder.name(), quality.preset);
        if quality.coder == Coder::X264 && self.settings.finish.preset.is_none() {
            let mut known = self.known();
            known.pace.note(work_s, plays_s);
            let next = known.pace.preset();
            if next != quality.preset {
                log::info!(target: "hindsight", event = "system_encoder";
                    "preset {next} from now on: {} took {work_s:.1} s for {plays_s:.1} s of video", quality.preset);
            }
        }
    }

    /// Read back, on the disk, with their facts.
    /// `times_wrong` is set where that is all that is wrong.
    fn checked(
        &self,
        job: &Job<'_>,
        clip: &Clip,
        outputs: &Outputs,
        times_wrong: &Cell<bool>,
    ) -> Result<Finished, Failure> {
        let failed = |error: OutcomeError| {
            times_wrong.set(error.is_of_times());
            Failure::failed(error)
        };
        let whole = graph::canvas(clip);
        let mut finished = Finished::default();
        let (mut missing, mut off_90k) = (0, 0);
        if let Some(path) = &outputs.marked {
            let video = outcome::video(path, "marked video", clip, whole).map_err(failed)?;
            (missing, off_90k) = (video.missing, video.off_90k);
            let meta = self.meta(job, path, whole, &video)?;
            finished.marked = Some((path.clone(), meta));
        }
        if let Some(path) = &outputs.vertical {
            let cut = whole.vertical();
            let tall = Canvas {
                width: cut.width,
                height: cut.height,
                ..whole
            };
            let video = outcome::video(path, "vertical video", clip, tall).map_err(failed)?;
            missing = video.missing;
            off_90k = off_90k.max(video.off_90k);
            self.synced(path)?;
            finished.vertical = Some(path.clone());
        }
        outcome::thumbnail(&outputs.thumbnail).map_err(Failure::failed)?;
        self.synced(&outputs.thumbnail)?;
        finished.thumbnail = Some(outputs.thumbnail.clone());
        if off_90k > 0 {
            let off_90k = Seconds(off_90k);
            let note = FinishingSentence::FramesOff { off_90k };
            finished.notes.push(note.to_string());
        }
        if missing > 0 {
            finished.notes.push(format!(
                "{missing} frames could not be decoded and are not in the marked video"
            ));
        }
        Ok(finished)
    }

    fn meta(
        &self,
        job: &Job<'_>,
        path: &Path,
        canvas: Canvas,
        video: &Video,
    ) -> Result<MarkedMeta, Failure> {
        self.synced(path)?;
        let file = self.disk.open_read(path).map_err(|e| unreadable(&e))?;
        let pixels = |size: u32| u16::try_from(size).unwrap_or(u16::MAX);
        Ok(MarkedMeta {
            codec: Codec::H264,
            width: pixels(canvas.width),
            height: pixels(canvas.height),
            // Times are passed through, so it is the clip's.
            fps: job.sidecar.meta.as_ref().map_or(0.0, |meta| meta.fps),
            duration_sec: (seconds(video.duration_90k) * 1e6).round() / 1e6,
            audio_codec: video.sound.then_some(Codec::Aac),
            size_bytes: video.bytes,
            sha256: hash_file(&file).map_err(|e| unreadable(&e))?,
        })
    }

    fn synced(&self, path: &Path) -> Result<(), Failure> {
        let synced = self.disk.open_rw(path).and_then(|file| file.sync());
        synced.map_err(|e| match is_full(&e) {
            true => Failure::unavailable(FinishingSentence::DiskRefused {
                error: e.to_string(),
            }),
            false => Failure::failed(FinishingSentence::FileFailed {
                path: path.display().to_string(),
                error: for_people(&e),
            }),
        })
    }

    fn note_problem<T>(&self, result: &Result<T, Failure>) {
        self.known().problem = match result {
            Err(Failure::Unavailable { why, .. }) => Some(why.clone()),
            Err(Failure::Cancelled) => return,
            _ => None,
        };
    }
}

impl Finisher for FfmpegFinisher {
    fn finish(
        &self,
        job: &Job<'_>,
        progress: &dyn Fn(u16),
        stop: &Stop,
    ) -> Result<Finished, Failure> {
        let done = match self.encodes() {
            true => self.encode(job, &rising(progress), stop),
            false => self.only_a_thumbnail(job, progress, stop),
        };
        self.note_problem(&done);
        done
    }
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::failed(FinishingSentence::Unreadable {
        error: for_people(error),
    })
}

/// Hears no permille that is not beyond all before: another run begins anew.
fn rising(progress: &dyn Fn(u16)) -> impl Fn(u16) {
    let furthest = Cell::new(0);
    move |permille| {
        if permille > furthest.get() {
            furthest.set(permille);
            progress(permille);
        }
    }
}

pub(super) fn seconds_since(began_ns: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let ns = RealClock.mono_ns().saturating_sub(began_ns) as f64;
    ns / 1e9
}
