//! A ring as numbers, and as a picture for people.
//!
//! Not here: what is healthy (`health`), how a ring is read (`reader`).

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::media::{AuMeta, TICKS_90K, Track};

use super::reader::RingReader;

/// Which of its two areas a ring fills first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    Entries,
    Bytes,
}

/// What a ring holds, from a walk over its index.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RingStats {
    /// From the arrival of the oldest AU to that of the newest.
    pub seconds_held: f64,
    /// What it would hold when full, at the rate of what it holds; 0 while unknown.
    pub seconds_max: f64,
    pub entries_held: u64,
    pub entries_max: u64,
    pub bytes_held: u64,
    pub bytes_max: u64,
    pub video_frames: u64,
    pub audio_frames: u64,
    pub key_frames: u64,
    /// AUs before which packets were lost, and AUs too large for the ring.
    pub gaps: u64,
    pub tainted: u64,
    pub bitrate_bps: u64,
    /// Of video; 0 while unknown.
    pub fps: f64,
    /// From key frame to key frame; the running GOP counts as soon as it is the
    /// longest. `None` without a key frame.
    pub longest_gop_ms: Option<u64>,
    /// `None` with fewer than two key frames of one epoch.
    pub shortest_gop_ms: Option<u64>,
    /// `None` while it is empty.
    pub last_arrival_mono_ns: Option<u64>,
    /// Different epochs among the AUs held.
    pub epochs: u64,
    pub limit: Limit,
    /// What to draw where: arrival and mark, oldest first.
    #[serde(skip)]
    marks: Vec<(u64, Mark)>,
}

/// Where several fall on one character, the greatest is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Silence,
    Frame,
    Key,
    Epoch,
    Gap,
}

impl Mark {
    fn drawn(self) -> char {
        match self {
            Mark::Silence => ' ',
            Mark::Frame => '-',
            Mark::Key => 'K',
            Mark::Epoch => '|',
            Mark::Gap => '!',
        }
    }
}

impl RingReader {
    /// Walks over the index (some 100 AUs a second held). AUs that are
    /// overwritten meanwhile, or damaged, are left out.
    pub fn stats(&self) -> RingStats {
        let metas = (self.oldest()..self.head()).filter_map(|pos| self.meta(pos).ok());
        let mut walk = Walk::default();
        metas.for_each(|meta| walk.take(&meta));
        walk.sum_up(self.entries(), self.data_bytes())
    }
}

#[derive(Default)]
struct Walk {
    count: u64,
    bytes: u64,
    /// Arrivals of the oldest and the newest AU.
    arrivals: Option<(u64, u64)>,
    video: u64,
    video_arrivals: Option<(u64, u64)>,
    keys: u64,
    gaps: u64,
    tainted: u64,
    epochs: u64,
    epoch: Option<u32>,
    /// Time of the newest key frame, in its epoch.
    key_90k: Option<i64>,
    newest_90k: i64,
    longest_90k: Option<i64>,
    shortest_90k: Option<i64>,
    marks: Vec<(u64, Mark)>,
}

fn extend(span: &mut Option<(u64, u64)>, arrival: u64) {
    let (first, last) = span.unwrap_or((arrival, arrival));
    *span = Some((first.min(arrival), last.max(arrival)));
}

fn nanoseconds(span: Option<(u64, u64)>) -> u64 {
    span.map_or(0, |(first, last)| last - first)
}

fn seconds(span: Option<(u64, u64)>) -> f64 {
    Duration::from_nanos(nanoseconds(span)).as_secs_f64()
}

/// To the nearest number there is: exact for all that a ring counts.
fn real(n: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & 0xffff_ffff).unwrap_or(0));
    half(n >> 32) * 4_294_967_296.0 + half(n)
}

/// Bits a second.
fn bitrate_bps(bytes: u64, span: Option<(u64, u64)>) -> u64 {
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    let rate = bits.checked_div(u128::from(nanoseconds(span)));
    u64::try_from(rate.unwrap_or(0)).unwrap_or(u64::MAX)
}

impl Walk {
    fn take(&mut self, meta: &AuMeta) {
        let arrival = meta.arrival_mono_ns;
        let mut mark = Mark::Frame;
        self.count += 1;
        self.bytes += u64::from(meta.len).next_multiple_of(8);
        extend(&mut self.arrivals, arrival);
        if self.epoch != Some(meta.epoch) {
            if self.epoch.is_some() {
                mark = Mark::Epoch;
            }
            self.end_gop();
            self.key_90k = None;
            self.epoch = Some(meta.epoch);
            self.epochs += 1;
        }
        if meta.track == Track::Video {
            self.video += 1;
            extend(&mut self.video_arrivals, arrival);
            self.newest_90k = meta.pts_90k;
            if meta.flags.key {
                mark = mark.max(Mark::Key);
                self.take_key(meta.pts_90k);
            }
        }
        self.tainted += u64::from(meta.flags.tainted);
        if meta.flags.gap || meta.lost_packets > 0 {
            self.gaps += 1;
            mark = Mark::Gap;
        }
        self.marks.push((arrival, mark));
    }

    fn take_key(&mut self, pts_90k: i64) {
        self.keys += 1;
        if let Some(before) = self.key_90k.replace(pts_90k) {
            let gop = pts_90k.saturating_sub(before).max(0);
            self.longest_90k = self.longest_90k.max(Some(gop));
            self.shortest_90k = Some(self.shortest_90k.map_or(gop, |s| s.min(gop)));
        }
    }

    /// The running GOP counts with what it has so far.
    fn end_gop(&mut self) {
        if let Some(key) = self.key_90k {
            let so_far = self.newest_90k.saturating_sub(key).max(0);
            self.longest_90k = self.longest_90k.max(Some(so_far));
        }
    }

    fn sum_up(mut self, entries_max: u64, bytes_max: u64) -> RingStats {
        self.end_gop();
        let ms = |ticks: i64| u64::try_from(ticks / (TICKS_90K / 1000)).unwrap_or(0);
        let held = seconds(self.arrivals);
        let entries_full = real(self.count) / real(entries_max);
        let bytes_full = real(self.bytes) / real(bytes_max);
        let full = entries_full.max(bytes_full);
        let video_seconds = seconds(self.video_arrivals);
        RingStats {
            seconds_held: held,
            seconds_max: if full > 0.0 { held / full } else { 0.0 },
            entries_held: self.count,
            entries_max,
            bytes_held: self.bytes,
            bytes_max,
            video_frames: self.video,
            audio_frames: self.count - self.video,
            key_frames: self.keys,
            gaps: self.gaps,
            tainted: self.tainted,
            bitrate_bps: bitrate_bps(self.bytes, self.arrivals),
            fps: if video_seconds > 0.0 {
                real(self.video - 1) / video_seconds
            } else {
                0.0
            },
            longest_gop_ms: self.longest_90k.map(ms),
            shortest_gop_ms: self.shortest_90k.map(ms),
            last_arrival_mono_ns: self.arrivals.map(|(_, last)| last),
            epochs: self.epochs,
            limit: if entries_full > bytes_full {
                Limit::Entries
            } else {
                Limit::Bytes
            },
            marks: self.marks,
        }
    }
}

/// The ring in a few lines of at most `width` characters (not below 60).
///
/// ```text
/// time    [K------K------K--!----K------K------K----] 38.2 s of about 90 s, oldest left
/// bytes   [##################..] 17.3 of 45.1 MB, run out first
/// entries [######..............] 2871 of 9900
/// video   25.0 fps, 955 frames, 20 key frames, one every 2.00 s
/// audio   1790 frames
/// stream  3.62 Mbit/s, 1 gap (!), 1 epoch (|), 12 damaged frames
/// ```
pub fn picture(stats: &RingStats, width: usize) -> String {
    if stats.entries_held == 0 {
        return "empty: nothing has come from the camera yet\n".to_owned();
    }
    let width = width.max(60);
    let mut out = String::new();
    let first = |limit| {
        if stats.limit == limit {
            ", run out first"
        } else {
            ""
        }
    };
    let lines = [
        format!(
            "time    [{}] {:.1} s of about {:.0} s",
            timeline(&stats.marks, width - 34),
            stats.seconds_held,
            stats.seconds_max
        ),
        format!(
            "bytes   [{}] {:.1} of {:.1} MB{}",
            bar(stats.bytes_held, stats.bytes_max),
            real(stats.bytes_held) / 1e6,
            real(stats.bytes_max) / 1e6,
            first(Limit::Bytes)
        ),
        format!(
            "entries [{}] {} of {}{}",
            bar(stats.entries_held, stats.entries_max),
            stats.entries_held,
            stats.entries_max,
            first(Limit::Entries)
        ),
        video_line(stats),
        format!("audio   {}", many(stats.audio_frames, "frame")),
        format!(
            "stream  {:.2} Mbit/s, {} (!), {} (|), {}",
            real(stats.bitrate_bps) / 1e6,
            many(stats.gaps, "gap"),
            many(stats.epochs, "epoch"),
            many(stats.tainted, "damaged frame"),
        ),
    ];
    for line in lines {
        let _ = writeln!(out, "{line}");
    }
    out
}

fn video_line(stats: &RingStats) -> String {
    let in_seconds = |ms: u64| format!("{:.2} s", real(ms) / 1e3);
    let keys = match (stats.shortest_gop_ms, stats.longest_gop_ms) {
        (Some(short), Some(long)) if long > short + short / 10 => {
            format!(", one every {} to {}", in_seconds(short), in_seconds(long))
        }
        (Some(_), Some(long)) => format!(", one every {}", in_seconds(long)),
        (None, Some(long)) => format!(", the last {} before the end", in_seconds(long)),
        _ => String::new(),
    };
    format!(
        "video   {:.1} fps, {}, {} (K){keys}",
        stats.fps,
        many(stats.video_frames, "frame"),
        many(stats.key_frames, "key frame"),
    )
}

fn many(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn bar(held: u64, max: u64) -> String {
    const CELLS: u64 = 20;
    let full = (held.saturating_mul(CELLS).div_ceil(max.max(1))).min(CELLS);
    (0..CELLS)
        .map(|cell| if cell < full { '#' } else { '.' })
        .collect()
}

fn timeline(marks: &[(u64, Mark)], cells: usize) -> String {
    let arrivals = || marks.iter().map(|(arrival, _)| *arrival);
    let (first, last) = (arrivals().min().unwrap_or(0), arrivals().max().unwrap_or(0));
    let mut drawn = vec![Mark::Silence; cells];
    for (arrival, mark) in marks {
        let share = u128::from(arrival - first) * u128::try_from(cells).unwrap_or(0);
        let cell = usize::try_from(share / u128::from((last - first).max(1))).unwrap_or(cells);
        let cell = &mut drawn[cell.min(cells - 1)];
        *cell = (*cell).max(*mark);
    }
    drawn.into_iter().map(Mark::drawn).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::media::{Alignment, AuFlags};

    fn au(track: Track, at_ms: u64, key: bool) -> AuMeta {
        AuMeta {
            track,
            flags: AuFlags {
                key,
                ..AuFlags::default()
            },
            generation: 1,
            epoch: 1,
            pts: 0,
            pts_90k: i64::try_from(at_ms * 90).unwrap(),
            alignment: Alignment::Arrival,
            arrival_mono_ns: at_ms * 1_000_000,
            lost_packets: 0,
            dropped_bytes: 0,
            len: 1000,
        }
    }

    fn ten_seconds() -> Walk {
        let mut walk = Walk::default();
        for n in 0..=250 {
            walk.take(&au(Track::Video, n * 40, n % 50 == 0));
        }
        walk
    }

    #[test]
    fn a_steady_stream_is_summed_up() {
        let stats = ten_seconds().sum_up(1000, 500_000);
        assert_eq!(stats.seconds_held, 10.0);
        assert_eq!(stats.fps, 25.0);
        assert_eq!((stats.key_frames, stats.gaps, stats.epochs), (6, 0, 1));
        assert_eq!(stats.shortest_gop_ms, Some(2000));
        assert_eq!(stats.longest_gop_ms, Some(2000));
        assert_eq!(stats.bitrate_bps, 251 * 8000 / 10);
        assert_eq!(stats.limit, Limit::Bytes);
        assert_eq!(stats.last_arrival_mono_ns, Some(10_000_000_000));
        assert!((stats.seconds_max - 19.9).abs() < 0.1);
        assert_eq!(ten_seconds().sum_up(252, 500_000).limit, Limit::Entries);
    }

    #[test]
    fn a_gop_that_runs_already_longer_than_any_before_counts() {
        let mut walk = ten_seconds();
        walk.take(&au(Track::Video, 25_000, false));
        let stats = walk.sum_up(1000, 500_000);
        assert_eq!(stats.longest_gop_ms, Some(15_000));
        assert_eq!(stats.shortest_gop_ms, Some(2000));
    }

    #[test]
    fn gops_do_not_reach_over_an_epoch_seam() {
        let mut walk = ten_seconds();
        let mut next = au(Track::Video, 11_000, true);
        (next.epoch, next.pts_90k) = (2, 90 * 3_600_000);
        walk.take(&next);
        let stats = walk.sum_up(1000, 500_000);
        assert_eq!(stats.longest_gop_ms, Some(2000));
        assert_eq!(stats.epochs, 2);
    }

    #[test]
    fn the_picture_shows_key_frames_losses_seams_and_silence() {
        let mut walk = ten_seconds();
        let mut lost = au(Track::Video, 13_000, false);
        lost.lost_packets = 3;
        lost.flags.tainted = true;
        walk.take(&lost);
        let mut next = au(Track::Audio, 16_000, true);
        next.epoch = 2;
        walk.take(&next);
        next.arrival_mono_ns = 20_000_000_000;
        walk.take(&next);
        let text = picture(&walk.sum_up(1000, 500_000), 72);
        let expected = "\
time    [K--K---K---K---K---K    !     |      -] 20.0 s of about 39 s
bytes   [###########.........] 0.3 of 0.5 MB, run out first
entries [######..............] 254 of 1000
video   19.3 fps, 252 frames, 6 key frames (K), one every 2.00 s to 3.00 s
audio   2 frames
stream  0.10 Mbit/s, 1 gap (!), 2 epochs (|), 1 damaged frame
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_empty_ring_has_a_picture_too() {
        let stats = Walk::default().sum_up(10, 4096);
        assert_eq!(picture(&stats, 80).lines().count(), 1);
    }
}
