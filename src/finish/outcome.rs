//! What is believed of FFmpeg's work: nothing that was not read back.
//!
//! A marked video has every frame of its clip, in order, within half a frame of its time, from a key frame on, its index first, and
//! NAL units whose lengths add up. Our strict reader and the independent one agree about it.
//! Not here: running FFmpeg (`run`).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::clip::{Clip, shown_90k};
use super::place::Canvas;
use super::sentence::{Difference, FrameSeconds, OutcomeError, Seconds};
use crate::base::Coded;
use crate::media::{Codec, Track};
use crate::mp4::{self, Inspected, Mp4Error};

/// What is noted of a video that is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    pub bytes: u64,
    pub duration_90k: u64,
    pub sound: bool,
    /// Frames that the decoder left out.
    pub missing: u64,
    /// By how much a frame's time differs from the clip's, where that is more than half a frame.
    pub off_90k: u64,
}

/// Reads a video back; it must show what the clip shows in a picture of this size.
pub fn video(
    path: &Path,
    what: &'static str,
    clip: &Clip,
    canvas: Canvas,
) -> Result<Video, OutcomeError> {
    let garbage = |why: String| OutcomeError::Garbage { what, why };
    let different = |why: Difference| OutcomeError::Different {
        what,
        why: why.sentence(),
    };
    let (file, bytes) = opened(path, what)?;
    let mut file = BufReader::new(file);
    let inspected = mp4::inspect_encoded(&mut file, bytes).map_err(|e| match e {
        Mp4Error::ShownAtOnce { tick } => different(Difference::FramesAtOnce { tick }),
        e => garbage(e.to_string()),
    })?;
    if let Some(why) =
        mp4::second_opinion(&mut file, bytes, &inspected).map_err(|e| garbage(e.to_string()))?
    {
        return Err(garbage(why));
    }
    if let Some(why) = not_as_asked(&inspected, canvas) {
        return Err(different(why));
    }
    let made = shown_90k(&inspected.tracks[0]);
    let (missing, off_90k) = match missing(clip, &made) {
        Ok(missing) => (missing, 0),
        Err(why) => (0, in_order(clip, &made).ok_or_else(|| different(why))?),
    };
    let off = inspected.duration_90k.abs_diff(clip.duration_90k);
    if off > clip.longest_90k().max(9_000) {
        return Err(different(Difference::Duration {
            plays_90k: Seconds(inspected.duration_90k),
            clip_90k: Seconds(clip.duration_90k),
        }));
    }
    Ok(Video {
        bytes,
        duration_90k: inspected.duration_90k,
        sound: inspected.tracks.iter().any(|t| t.track() == Track::Audio),
        missing,
        off_90k,
    })
}

fn opened(path: &Path, what: &'static str) -> Result<(File, u64), OutcomeError> {
    let file = File::open(path).map_err(|_| OutcomeError::Nothing { what })?;
    match file.metadata().map(|facts| facts.len()) {
        Ok(bytes @ 1..) => Ok((file, bytes)),
        _ => Err(OutcomeError::Nothing { what }),
    }
}

fn not_as_asked(inspected: &Inspected, canvas: Canvas) -> Option<Difference> {
    let entry = inspected.tracks.first()?.entries.first()?;
    if entry.codec != Codec::H264 {
        return Some(Difference::Codec {
            codec: format!("{:?}", entry.codec),
        });
    }
    if !inspected.index_first {
        return Some(Difference::IndexBehind {});
    }
    let size = (u32::from(entry.width), u32::from(entry.height));
    (size != (canvas.width, canvas.height)).then_some(Difference::Size {
        width: size.0,
        height: size.1,
        wanted_width: canvas.width,
        wanted_height: canvas.height,
    })
}

/// How many of the clip's frames are not there; no more than are doubtful may be. All that are there
/// stand in order, within half a frame of their times: a camera whose clock stumbled has frames
/// closer together than FFmpeg's way to tell their times.
fn missing(clip: &Clip, made: &[u64]) -> Result<u64, Difference> {
    let mut wanted = clip.frames_90k.iter();
    let near = (clip.usual_90k() / 2).max(1);
    for (n, at) in made.iter().enumerate() {
        if !wanted.any(|frame| frame.abs_diff(*at) <= near) {
            return Err(Difference::FrameTime {
                frame: n,
                at_90k: FrameSeconds(*at),
            });
        }
    }
    let missing = (clip.frames_90k.len() - made.len()) as u64;
    match missing > clip.doubtful {
        true => Err(Difference::FramesMissing {
            missing,
            frames: clip.frames_90k.len(),
            doubtful: clip.doubtful,
        }),
        false => Ok(missing),
    }
}

/// By how much at most the frames' times differ, where all are there, of a clip whose times FFmpeg
/// may see differently: no reason to give a highlight up.
fn in_order(clip: &Clip, made: &[u64]) -> Option<u64> {
    const MOST_90K: u64 = 90_000;
    let doubted = clip.unordered || clip.paced_90k.is_some();
    let all = doubted && made.len() == clip.frames_90k.len();
    let off = made.iter().zip(&clip.frames_90k);
    let off = off.map(|(made, wanted)| made.abs_diff(*wanted)).max()?;
    (all && off <= MOST_90K).then_some(off)
}

/// Whether a JPEG was made, whole.
pub fn thumbnail(path: &Path) -> Result<(), OutcomeError> {
    let what = "thumbnail";
    let garbage = |why: &str| OutcomeError::Garbage {
        what,
        why: why.to_owned(),
    };
    let (mut file, bytes) = opened(path, what)?;
    let mut ends = [0; 4];
    let read = file
        .read_exact(&mut ends[..2])
        .and_then(|()| file.seek(SeekFrom::Start(bytes.saturating_sub(2))))
        .and_then(|_| file.read_exact(&mut ends[2..]));
    match (read, ends) {
        (Ok(()), [0xff, 0xd8, 0xff, 0xd9]) => Ok(()),
        _ => Err(garbage("it does not begin and end as a JPEG does")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::clip;
    use super::*;

    #[test]
    fn every_frame_must_be_there_at_its_time_but_doubtful_ones() {
        let mut clip = clip(vec![0, 3_600, 7_200, 10_800], 14_400);
        assert_eq!(missing(&clip, &[0, 3_601, 7_199, 10_800]), Ok(0));
        assert!(
            missing(&clip, &[0, 3_600, 7_200])
                .unwrap_err()
                .to_string()
                .contains("1 of")
        );
        // Half a frame off, and more.
        assert_eq!(missing(&clip, &[0, 3_600, 9_000, 10_800]), Ok(0));
        assert!(missing(&clip, &[0, 3_600, 9_001, 10_801]).is_err());
        assert_eq!(in_order(&clip, &[0, 3_600, 9_001, 10_801]), None);
        clip.unordered = true;
        assert_eq!(in_order(&clip, &[0, 3_600, 9_001, 10_801]), Some(1_801));
        assert_eq!(in_order(&clip, &[0, 3_600, 9_001]), None);
        assert_eq!(in_order(&clip, &[0, 3_600, 9_001, 110_000]), None);
        assert!(missing(&clip, &[0, 3_600, 7_200, 10_800, 14_400]).is_err());
        assert!(missing(&clip, &[0, 0, 3_600, 7_200]).is_err());
        clip.doubtful = 1;
        assert_eq!(missing(&clip, &[0, 7_200, 10_800]), Ok(1));
        assert!(missing(&clip, &[0, 7_200]).is_err());
    }
}
