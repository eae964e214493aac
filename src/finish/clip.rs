//! What must be known of a clip before it is finished. Pure.
//!
//! Not here: reading the file (`mp4`), what is made of it (`plan`).

use super::even;
use super::place::Canvas;
use crate::media::{Codec, Track, params};
use crate::mp4::{Inspected, InspectedTrack};

/// How colours are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    Bt601,
    Bt709,
}

impl Matrix {
    pub fn name(self) -> &'static str {
        match self {
            Matrix::Bt601 => "bt601",
            Matrix::Bt709 => "bt709",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    /// Of the largest picture in it.
    pub canvas: Canvas,
    /// Not all of its pictures are of that size.
    pub several_sizes: bool,
    /// What its sound is coded in.
    pub sound: Option<Codec>,
    /// Luma of 0 to 255.
    pub full_range: bool,
    pub matrix: Matrix,
    /// When each shown frame is shown, from the clip's beginning, rising, in 1/90000 s.
    pub frames_90k: Vec<u64>,
    pub duration_90k: u64,
    pub bytes: u64,
    /// So many frames may be missing from what is made of it: they came damaged.
    pub doubtful: u64,
    /// Their times do not rise in the order of decoding: FFmpeg may see them a little differently.
    pub unordered: bool,
    /// The frames' own times are not believed: they are shown evenly, so far apart.
    pub paced_90k: Option<u64>,
}

impl Clip {
    /// `bytes`: of the file.
    pub fn of(inspected: &Inspected, bytes: u64, doubtful: u64) -> Option<Clip> {
        let video = inspected.tracks.first()?;
        let largest = video
            .entries
            .iter()
            .max_by_key(|entry| u32::from(entry.width) * u32::from(entry.height))?;
        let same = |width, height| (width, height) == (largest.width, largest.height);
        let (across, up) = largest.pixel_aspect;
        // What a camera left out of its parameters does not stop us.
        let picture = params::picture(largest.codec, &largest.config).ok();
        let hd = largest.height >= 720;
        Some(Clip {
            canvas: Canvas {
                width: largest.width.into(),
                height: largest.height.into(),
                pixel_aspect: f64::from(across) / f64::from(up.max(1)),
            },
            several_sizes: !video.entries.iter().all(|e| same(e.width, e.height)),
            sound: inspected
                .tracks
                .iter()
                .filter(|track| track.track() == Track::Audio)
                .find_map(|track| track.entries.first())
                .map(|entry| entry.codec),
            full_range: picture.is_some_and(|picture| picture.full_range),
            matrix: match picture.and_then(|picture| picture.matrix) {
                Some(5 | 6) => Matrix::Bt601,
                Some(1) => Matrix::Bt709,
                _ if hd => Matrix::Bt709,
                _ => Matrix::Bt601,
            },
            frames_90k: shown_90k(video),
            duration_90k: inspected.duration_90k,
            bytes,
            doubtful,
            unordered: !even::rises(video),
            paced_90k: None,
        })
    }

    pub fn duration_s(&self) -> f64 {
        seconds(self.duration_90k)
    }

    /// When the frame that is on screen at this time began.
    pub fn on_screen_90k(&self, at_90k: u64) -> u64 {
        let behind = self.frames_90k.partition_point(|frame| *frame <= at_90k);
        let frame = self.frames_90k.get(behind.saturating_sub(1));
        frame.copied().unwrap_or(0)
    }

    /// From now on its frames are shown evenly.
    pub fn pace(&mut self) {
        let frames = u64::try_from(self.frames_90k.len()).unwrap_or(u64::MAX);
        self.paced_90k = Some((self.duration_90k / frames.max(1)).max(1));
    }

    /// How long most frames stand: the median.
    pub fn usual_90k(&self) -> u64 {
        let steps = self.frames_90k.windows(2).map(|pair| pair[1] - pair[0]);
        let mut steps: Vec<u64> = steps.collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or(0)
    }

    /// How long the frame stands that stands longest.
    pub fn longest_90k(&self) -> u64 {
        let ends = self.frames_90k.iter().skip(1).copied();
        let ends = ends.chain([self.duration_90k]);
        let stands = self.frames_90k.iter().zip(ends);
        stands
            .map(|(from, to)| to.saturating_sub(*from))
            .max()
            .unwrap_or(0)
    }
}

/// When the frames of a track are shown, rising, in 1/90000 s from the file's beginning.
pub fn shown_90k(track: &InspectedTrack) -> Vec<u64> {
    let scale = u64::from(track.timescale()).max(1);
    let mut frames: Vec<u64> = track
        .shown()
        .map(|sample| track.lead_90k + (sample.cts - track.shown_from) * 90_000 / scale)
        .collect();
    frames.sort_unstable();
    frames
}

pub fn seconds(ticks_90k: u64) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let ticks = ticks_90k as f64;
    ticks / 90_000.0
}

#[cfg(test)]
mod tests {
    use super::super::samples::clip;

    #[test]
    fn the_frame_on_screen_is_the_last_that_has_begun() {
        let clip = clip(vec![0, 3_600, 7_200, 50_000], 60_000);
        let asked = [0, 3_599, 3_600, 7_300, 49_999, 50_000, 1_000_000];
        let shown = asked.map(|at| clip.on_screen_90k(at));
        assert_eq!(shown, [0, 0, 3_600, 7_200, 7_200, 50_000, 50_000]);
        assert_eq!(clip.longest_90k(), 42_800);
    }
}
