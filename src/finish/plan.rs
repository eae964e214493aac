//! What FFmpeg is told: an argv for each clip, never a shell. Pure.
//!
//! One process makes everything in one decode. Inputs are absolute paths (no option, no protocol, no
//! pattern) with their formats named, and nothing but files may be opened. Frame times are passed
//! through. Sound in AAC is copied, and from FLAC made into AAC: everything that people share plays that.
//! Not here: running it (`run`), what of its work is believed (`outcome`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::clip::{Clip, seconds};
use super::graph::{self, GraphOutputs, Marks};
use super::level::{busiest_second, level};
use super::place::Canvas;
use crate::media::Codec;

/// Who encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coder {
    X264,
    /// The Raspberry Pi's own: it knows no constant quality, so it gets a bitrate.
    V4l2m2m,
}

impl Coder {
    /// As FFmpeg calls it.
    pub fn name(self) -> &'static str {
        match self {
            Coder::X264 => "libx264",
            Coder::V4l2m2m => "h264_v4l2m2m",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality<'a> {
    pub coder: Coder,
    pub crf: u8,
    pub preset: &'a str,
}

/// What is to be made, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    pub marked: Option<PathBuf>,
    pub vertical: Option<PathBuf>,
    pub thumbnail: PathBuf,
}

/// Everything in one run. `path`: the clip, absolute, as all others.
pub fn finishing(
    path: &Path,
    clip: &Clip,
    marks: &Marks<'_>,
    quality: Quality<'_>,
    outputs: &Outputs,
    press_90k: u64,
) -> Vec<OsString> {
    let wanted = GraphOutputs {
        marked: outputs.marked.is_some(),
        vertical: outputs.vertical.is_some(),
        thumbnail_90k: clip.on_screen_90k(press_90k),
    };
    let mut argv = Argv::begin();
    argv.clip(path);
    for sized in &marks.logos {
        argv.logo(&sized.logo.file);
    }
    argv.words("-filter_complex");
    argv.push(graph::graph(clip, marks, wanted));
    let whole = graph::canvas(clip);
    if let Some(marked) = &outputs.marked {
        argv.video("[marked]", clip, whole, quality, marked);
    }
    if let Some(vertical) = &outputs.vertical {
        let cut = whole.vertical();
        let tall = Canvas {
            width: cut.width,
            height: cut.height,
            ..whole
        };
        argv.video("[vertical]", clip, tall, quality, vertical);
    }
    argv.words("-map [thumbnail]");
    argv.jpeg(&outputs.thumbnail);
    argv.0
}

/// Nothing but the thumbnail: decoding begins at the key frame before it.
pub fn thumbnail(path: &Path, clip: &Clip, to: &Path, press_90k: u64) -> Vec<OsString> {
    let frame_90k = clip.on_screen_90k(press_90k);
    let mut argv = Argv::begin();
    // A little early: what is decoded is picked by its time below.
    let from_s = (seconds(frame_90k) - 0.001).max(0.0);
    argv.words("-copyts -ss");
    argv.push(format!("{from_s:.6}"));
    argv.clip(path);
    argv.words("-map 0:v:0 -vf");
    argv.push(graph::still_alone(clip, frame_90k));
    argv.jpeg(to);
    argv.0
}

/// The same work on a pattern as restless as a camera's picture, `clip` its facts, and nothing is kept of it.
pub fn trial(
    clip: &Clip,
    marks: &Marks<'_>,
    quality: Quality<'_>,
    wanted: GraphOutputs,
) -> Vec<OsString> {
    let whole = graph::canvas(clip);
    let (width, height) = (whole.width, whole.height);
    let rate = busiest_second(&clip.frames_90k).max(1);
    let mut argv = Argv::begin();
    argv.words("-f lavfi -i");
    argv.push(format!(
        "testsrc2=s={width}x{height}:r={rate}:d={:.3},noise=alls=8:allf=t",
        clip.duration_s()
    ));
    for sized in &marks.logos {
        argv.logo(&sized.logo.file);
    }
    argv.words("-filter_complex");
    argv.push(graph::graph(clip, marks, wanted));
    let cut = whole.vertical();
    let tall = Canvas {
        width: cut.width,
        height: cut.height,
        ..whole
    };
    let videos = [
        (wanted.marked, "[marked]", whole),
        (wanted.vertical, "[vertical]", tall),
    ];
    for (_, label, canvas) in videos.into_iter().filter(|(wanted, ..)| *wanted) {
        argv.words("-map");
        argv.push(label);
        argv.coded(clip, canvas, quality);
        argv.words("-f null -");
    }
    argv.words("-map [thumbnail] -frames:v 1 -c:v mjpeg -f null -");
    argv.0
}

/// What a program says of itself.
pub fn version() -> Vec<OsString> {
    vec!["-version".into()]
}

/// Whether an encoder works here: two frames of nothing.
pub fn probe(coder: Coder) -> Vec<OsString> {
    let mut argv = Argv::begin();
    argv.words("-f lavfi -i color=black:s=640x360:r=25 -frames:v 2 -pix_fmt yuv420p -c:v");
    argv.push(coder.name());
    argv.words("-f null -");
    argv.0
}

/// Whether text can be drawn with a font.
pub fn probe_text(font: &str) -> Vec<OsString> {
    let mut argv = Argv::begin();
    argv.words("-f lavfi -i color=black:s=64x64:r=25 -frames:v 1 -vf");
    let font = super::words::escaped(font);
    argv.push(format!(
        "drawtext=fontfile={font}:text=x:expansion=none:fontsize=20"
    ));
    argv.words("-f null -");
    argv.0
}

struct Argv(Vec<OsString>);

impl Argv {
    fn begin() -> Argv {
        let mut argv = Argv(Vec::new());
        argv.words("-y -nostdin -hide_banner -loglevel error -nostats");
        argv.words("-progress pipe:1 -stats_period 0.5");
        argv
    }

    /// Arguments without blanks in them.
    fn words(&mut self, words: &str) {
        self.0.extend(words.split(' ').map(OsString::from));
    }

    fn push(&mut self, argument: impl Into<OsString>) {
        self.0.push(argument.into());
    }

    fn clip(&mut self, path: &Path) {
        // A picture that changes its size is scaled, and the logos stay. A smeared frame is a frame.
        self.words(
            "-protocol_whitelist file,pipe -reinit_filter 0 -flags +output_corrupt -f mov -i",
        );
        self.push(path);
    }

    fn logo(&mut self, path: &Path) {
        self.words("-protocol_whitelist file,pipe -f png_pipe -c:v png -i");
        self.push(path);
    }

    fn video(&mut self, label: &str, clip: &Clip, canvas: Canvas, quality: Quality<'_>, to: &Path) {
        self.words("-map");
        self.push(label);
        self.words("-map 0:a:0?");
        match clip.sound {
            // Telephones' 8 kHz is refused by some that take videos.
            Some(Codec::Flac) => self.words("-c:a aac -b:a 96k -ar 48000"),
            _ => self.words("-c:a copy"),
        }
        self.coded(clip, canvas, quality);
        self.words("-video_track_timescale 90000 -movie_timescale 90000 -map_metadata -1");
        self.words("-fflags +bitexact -movflags +faststart -f mp4");
        self.push(to);
    }

    fn coded(&mut self, clip: &Clip, canvas: Canvas, quality: Quality<'_>) {
        let rate = busiest_second(&clip.frames_90k).max(1);
        self.words("-c:v");
        self.push(quality.coder.name());
        match quality.coder {
            Coder::X264 => {
                self.words("-preset");
                self.push(quality.preset);
                self.words("-crf");
                // 0 would be lossless, which High does not know.
                self.push(quality.crf.max(1).to_string());
                self.words("-level:v");
                self.push(level(canvas.width, canvas.height, rate));
                self.words("-g");
                self.push((2 * rate).to_string());
            }
            Coder::V4l2m2m => {
                self.words("-num_capture_buffers 32 -b:v");
                self.push(bitrate_bps(canvas, rate, quality.crf).to_string());
            }
        }
        self.words("-profile:v high -pix_fmt yuv420p");
        self.words("-fps_mode passthrough -enc_time_base:v 1:90000");
    }

    fn jpeg(&mut self, to: &Path) {
        self.words("-frames:v 1 -fps_mode passthrough -c:v mjpeg -q:v 4 -f mjpeg");
        self.push(to);
    }
}

/// What x264 would need at this quality, roughly: a tenth of a bit for each pixel at 23, twice as much for 6 less.
fn bitrate_bps(canvas: Canvas, rate: u64, crf: u8) -> u64 {
    let pixels = u64::from(canvas.width) * u64::from(canvas.height) * rate;
    let tenths = 2f64.powf((23.0 - f64::from(crf)) / 6.0);
    #[allow(clippy::cast_precision_loss)]
    let bits = pixels as f64 / 10.0 * tenths;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let bits = bits.clamp(200_000.0, 25_000_000.0) as u64;
    bits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::graph::Lettering;
    use super::super::place::SizedLogo;
    use super::super::samples::clip;
    use super::*;
    use crate::config::{Corner, Logo};

    const QUALITY: Quality<'static> = Quality {
        coder: Coder::X264,
        crf: 23,
        preset: "veryfast",
    };

    fn logo() -> Logo {
        Logo {
            file: "/etc/hindsight/-i concat:a|b.png".into(),
            corner: Corner::TopRight,
            rel_width: 0.2,
            margin_px: 24,
            opacity: 0.6,
        }
    }

    fn shown(argv: &[OsString]) -> Vec<&str> {
        argv.iter().map(|a| a.to_str().unwrap()).collect()
    }

    fn plan(outputs: &Outputs) -> Vec<OsString> {
        let clip = clip((0..250).map(|n| n * 3_600).collect(), 900_000);
        let logo = logo();
        let marks = Marks {
            logos: vec![SizedLogo {
                logo: &logo,
                width: 480,
                height: 160,
            }],
            text: Some(Lettering {
                text: "Tom's: 50 %, [1]; \\",
                corner: Corner::BottomLeft,
                font: "/usr/share/fonts/a b.ttf",
            }),
        };
        finishing(
            Path::new("/h/clip.mp4"),
            &clip,
            &marks,
            QUALITY,
            outputs,
            361_000,
        )
    }

    #[test]
    fn one_process_makes_all_files_of_one_decode() {
        let all = plan(&Outputs {
            marked: Some("/tmp/m.mp4".into()),
            vertical: Some("/tmp/v.mp4".into()),
            thumbnail: "/tmp/t.jpg".into(),
        });
        let all = shown(&all);
        let clips = all.iter().filter(|a| **a == "/h/clip.mp4").count();
        assert_eq!(clips, 1);
        for output in ["/tmp/m.mp4", "/tmp/v.mp4", "/tmp/t.jpg"] {
            assert!(all.contains(&output));
        }
        let graph = all[all.iter().position(|a| *a == "-filter_complex").unwrap() + 1];
        assert!(graph.contains("overlay=1512:24:"), "{graph}");
        assert!(graph.contains("crop=608:1080:656:0,"), "{graph}");
        // Frame 100 begins at 4 s and is on screen at the press.
        assert!(graph.contains("select=gte(t\\,3.999994)"), "{graph}");
        let levels: Vec<&str> = all
            .windows(2)
            .filter(|pair| pair[0] == "-level:v")
            .map(|pair| pair[1])
            .collect();
        assert_eq!(levels, ["4.0", "3.1"]);
    }

    #[test]
    fn every_input_has_its_format_named_and_may_open_files_only() {
        let all = plan(&Outputs {
            marked: Some("/tmp/m.mp4".into()),
            ..Outputs::default()
        });
        let all = shown(&all);
        let inputs: Vec<usize> = (0..all.len()).filter(|n| all[*n] == "-i").collect();
        assert_eq!(inputs.len(), 2);
        let mut from = 0;
        for at in inputs {
            let options = &all[from..at];
            assert!(
                options
                    .windows(2)
                    .any(|p| p == ["-protocol_whitelist", "file,pipe"])
            );
            assert!(options.contains(&"-f"));
            assert!(all[at + 1].starts_with('/'));
            from = at;
        }
        assert!(all.contains(&"-nostdin"));
    }

    #[test]
    fn sound_is_copied_and_what_a_clip_carries_as_flac_becomes_aac() {
        let mut clip = clip(vec![0], 3_600);
        let outputs = Outputs {
            marked: Some("/tmp/m.mp4".into()),
            ..Outputs::default()
        };
        let mut said = |sound| {
            clip.sound = sound;
            let marks = Marks::default();
            let argv = finishing(Path::new("/c.mp4"), &clip, &marks, QUALITY, &outputs, 0);
            let at = argv.iter().position(|a| a == "-c:a").unwrap();
            argv[at + 1].clone()
        };
        assert_eq!(said(Some(Codec::Flac)), "aac");
        assert_eq!(said(Some(Codec::Aac)), "copy");
        assert_eq!(said(None), "copy");
    }

    #[test]
    fn the_pi_gets_a_bitrate_that_rises_with_the_quality() {
        let hd = clip(Vec::new(), 0).canvas;
        assert_eq!(bitrate_bps(hd, 25, 23), 5_184_000);
        assert!(bitrate_bps(hd, 25, 17) > 10_000_000);
        assert_eq!(bitrate_bps(hd, 25, 51), 204_107);
    }
}
