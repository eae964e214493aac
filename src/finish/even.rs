//! A clip whose camera's clock stumbled, with times that rise: FFmpeg, given times that step back
//! where nothing is reordered, takes others of its own. Pure.
//!
//! Not here: the file that it is written to (`files`).

use crate::media::in_order::InOrder;
use crate::media::reorder;
use crate::mp4::{self, ClipIndex, ClipTrack, Inspected, InspectedTrack, Sample};

/// Whether a clip's frames are shown in the order of decoding though their times do not rise in
/// it. `plain`: whether they are known to be none that a decoder would reorder.
pub fn stumbles(inspected: &Inspected, plain: impl FnOnce() -> bool) -> bool {
    let Some(video) = inspected.tracks.first() else {
        return false;
    };
    let in_order = || video.entries.iter().all(|e| reorder::depth_allowed(e) == 0);
    !rises(video) && (in_order() || plain())
}

/// Whether the times of the shown frames rise in the order of decoding.
pub fn rises(video: &InspectedTrack) -> bool {
    let mut last = None;
    video.shown().all(|sample| {
        last.replace(sample.cts)
            .is_none_or(|last| last < sample.cts)
    })
}

/// The same samples, those of the picture at times that rise in the order of decoding.
pub fn evened(inspected: &Inspected) -> ClipIndex {
    let tracks = inspected.tracks.iter().enumerate();
    ClipIndex {
        tracks: tracks
            .map(|(i, track)| copied(track, inspected.data.start, i == 0))
            .collect(),
        created_unix_s: inspected.created_unix_s,
    }
}

fn copied(track: &InspectedTrack, data_from: u64, even: bool) -> ClipTrack {
    let ticks = |of_90k: u64| signed(mp4::rescale(of_90k, 90_000, track.timescale()).unwrap_or(0));
    let shown_from = signed(track.shown_from);
    let mut pts: Vec<i64> = track.samples.iter().map(|s| signed(s.cts)).collect();
    if even {
        make_even(&mut pts, shown_from);
    }
    let samples = track.samples.iter().zip(pts).map(|(sample, pts)| Sample {
        offset: sample.offset.saturating_sub(data_from),
        size: sample.size,
        pts,
        sync: sample.sync,
        entry: sample.entry,
    });
    ClipTrack {
        entries: track.entries.clone(),
        samples: samples.collect(),
        start: shown_from.saturating_sub(ticks(track.lead_90k)),
        end: shown_from.saturating_add(ticks(track.shown_90k)),
    }
}

/// In front of the first that is shown each has a tick, as ever; from it on they rise.
fn make_even(pts: &mut [i64], shown_from: i64) {
    let skipped = pts.iter().position(|at| *at >= shown_from).unwrap_or(0);
    let (skipped, shown) = pts.split_at_mut(skipped);
    for (at, before) in skipped.iter_mut().rev().zip(1..) {
        *at = shown_from - before;
    }
    let mut line = InOrder::default();
    for at in shown {
        *at = line.place(*at, None).pts_90k;
    }
}

fn signed(ticks: u64) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_rises_and_what_is_skipped_stands_in_front_of_it() {
        let mut pts = [7, 8, 9, 10, 3_610, 1_720, 7_210, 10_810];
        make_even(&mut pts, 10);
        assert_eq!(
            pts,
            [7, 8, 9, 10, 3_610, 6_310, 7_210 + 1_800, 10_810 + 900]
        );
        let mut skipped = [9, 5, 10, 3_610];
        make_even(&mut skipped, 10);
        assert_eq!(skipped, [8, 9, 10, 3_610]);
    }
}
