//! Gives each access unit its place in media time: epochs, and audio on the
//! video's timeline. Pure: timestamps, reports and arrivals in, places out.
//!
//! Not here: sockets, and the mapping of a press (`highlight`), which uses the
//! same lower envelope but over what the ring holds.

use crate::media::in_order::{InOrder, PlacedTime};
use crate::media::reorder::MAX_DEPTH;
use crate::media::{Alignment, TICKS_90K, Track};

/// A timestamp may leap ahead of the clock by this much before its epoch ends.
const STEP_AHEAD_NS: i64 = 1_000_000_000;
/// Reordering by B-frames spans less than this, whatever the frame rate.
const STEP_BACK_NS: i64 = 5_000_000_000;
/// Audio is not reordered, and pictures are not where the codec's parameters say so. Some cameras jitter the timestamps:
/// a clock that steps back by more than this was set.
const FAULT_BACK_NS: i64 = 250_000_000;
/// Seconds that the lower envelope looks back.
const ENVELOPE_S: usize = 30;
/// RTP-Info further off the arrivals than this is a camera's fantasy.
const RTP_INFO_OFF_NS: i64 = 1_000_000_000;
/// So are sender reports further off than this.
const REPORT_OFF_NS: i64 = 2_000_000_000;
/// A track of sound whose clock is set more often than this is not worth having:
/// each time ends an epoch of the picture as well.
const AUDIO_STEPS: usize = 3;
const AUDIO_STEPS_WITHIN_NS: u64 = 60_000_000_000;
/// A camera's NTP clock that departs from its RTP clock by more was set.
const NTP_STEP_NS: i64 = 50_000_000;

/// Where an access unit belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaPlace {
    /// On the video's timeline.
    pub pts_90k: i64,
    pub alignment: Alignment,
    /// The camera's clock was set, or this is the first AU: an epoch begins here.
    pub new_epoch: bool,
    /// The camera's clock stepped back where it cannot: `pts_90k` is not what it said.
    pub mended: bool,
}

/// The timeline of one connection.
#[derive(Clone, Debug)]
pub struct Timeline {
    video: Line,
    /// Where the codec's parameters let no picture overtake another.
    in_order: Option<InOrder>,
    audio: Line,
    begun: bool,
    /// Arrivals of the newest AUs of audio before which its clock was set.
    audio_steps: [Option<u64>; AUDIO_STEPS],
    audio_unusable: bool,
}

impl Timeline {
    /// `audio_rate`: ticks per second of the audio's timestamps, if there is audio.
    pub fn new(audio_rate: Option<u32>) -> Timeline {
        let audio_rate = audio_rate.filter(|&rate| rate > 0);
        Timeline {
            video: Line::new(TICKS_90K, MAX_DEPTH, STEP_BACK_NS),
            audio: Line::new(audio_rate.map_or(TICKS_90K, i64::from), 0, FAULT_BACK_NS),
            in_order: None,
            begun: false,
            audio_steps: [None; AUDIO_STEPS],
            audio_unusable: false,
        }
    }

    /// How many frames the codec's parameters let overtake one another.
    pub fn set_reorder(&mut self, frames: usize) {
        self.video.reorder = frames.min(MAX_DEPTH);
        self.in_order = match (frames, self.in_order.take()) {
            (0, known) => Some(known.unwrap_or_default()),
            _ => None,
        };
    }

    /// The instants at which both tracks start, by the answer to PLAY.
    pub fn rtp_info(&mut self, video_pts: i64, audio_pts: i64) {
        self.video.info = Some(video_pts);
        self.audio.info = Some(audio_pts);
    }

    /// A track's clock as the camera reports it: `ntp` in 32.32 fixed point
    /// seconds at the track's `pts`.
    pub fn report(&mut self, track: Track, pts: i64, ntp: u64) {
        let (line, other) = match track {
            Track::Video => (&mut self.video, &mut self.audio),
            Track::Audio => (&mut self.audio, &mut self.video),
        };
        let stepped = line.report.is_some_and(|old| {
            let by_rtp = line.ns(pts.saturating_sub(old.pts));
            ntp_ns(ntp, old.ntp).saturating_sub(by_rtp).saturating_abs() > NTP_STEP_NS
        });
        // The camera's wall clock was set: the other track's report is of the
        // time before, until it reports as well. What both said stays true.
        if stepped {
            other.report = None;
        }
        line.report = Some(Report { pts, ntp });
        if let (Some(video), Some(audio)) = (self.video.report, self.audio.report) {
            let ahead_ns = ntp_ns(audio.ntp, video.ntp);
            self.audio.link = Some(Link {
                pts: audio.pts,
                video_pts: video.pts.saturating_add(ticks(ahead_ns, TICKS_90K)),
            });
        }
    }

    /// The video has reported its clock, and the audio if there is any.
    pub fn reported(&self, audio: bool) -> bool {
        match audio {
            true => self.audio.link.is_some(),
            false => self.video.report.is_some(),
        }
    }

    /// The audio's clock was set so often that it is left out of this connection.
    pub fn audio_unusable(&self) -> bool {
        self.audio_unusable
    }

    /// Places a video AU.
    pub fn video(&mut self, pts: i64, arrival_mono_ns: u64) -> MediaPlace {
        let (placed, set_back) = self.mend(pts, arrival_mono_ns);
        let stepped = self
            .video
            .advance(placed.pts_90k, arrival_mono_ns, set_back);
        if stepped && let Some(in_order) = &mut self.in_order {
            in_order.begin_epoch();
            in_order.place(placed.pts_90k, None);
        }
        if stepped {
            self.audio.link = None;
            self.audio.info = None;
        }
        let new_epoch = stepped || !self.begun;
        self.begun = true;
        MediaPlace {
            pts_90k: placed.pts_90k,
            alignment: Alignment::Arrival,
            new_epoch,
            mended: placed.mended,
        }
    }

    /// A time that may not step back, and whether the clock was set back instead.
    fn mend(&mut self, pts: i64, arrival_mono_ns: u64) -> (PlacedTime, bool) {
        let believed = PlacedTime {
            pts_90k: pts,
            mended: false,
        };
        let Some(in_order) = &mut self.in_order else {
            return (believed, false);
        };
        if self.video.ns(in_order.back_90k(pts)) > FAULT_BACK_NS {
            return (believed, true);
        }
        let latest_90k = self.video.latest_pts(arrival_mono_ns);
        (in_order.place(pts, latest_90k), false)
    }

    /// Places an audio AU; `None` before the first video AU, and where the
    /// audio has become unusable.
    pub fn audio(&mut self, pts: i64, arrival_mono_ns: u64) -> Option<MediaPlace> {
        let new_epoch = self.audio.advance(pts, arrival_mono_ns, false) && self.begun;
        if new_epoch {
            self.audio_steps.rotate_left(1);
            let oldest = self.audio_steps[AUDIO_STEPS - 1].replace(arrival_mono_ns);
            self.audio_unusable |=
                oldest.is_some_and(|at| arrival_mono_ns.saturating_sub(at) < AUDIO_STEPS_WITHIN_NS);
        }
        if self.audio_unusable {
            return None;
        }
        let by_arrival_ns = self
            .audio
            .ns(pts)
            .saturating_add(self.audio.envelope.floor()?)
            .saturating_sub(self.video.envelope.floor()?);
        let (pts_90k, alignment) = self.align(pts, by_arrival_ns);
        Some(MediaPlace {
            pts_90k,
            alignment,
            new_epoch,
            mended: false,
        })
    }

    /// The best that is known and believable.
    fn align(&self, pts: i64, by_arrival_ns: i64) -> (i64, Alignment) {
        let line = &self.audio;
        let on_video = |from: i64, at: i64| {
            at.saturating_add(ticks(line.ns(pts.saturating_sub(from)), TICKS_90K))
        };
        let believable = |pts_90k: i64, limit_ns: i64| {
            self.video
                .ns(pts_90k)
                .saturating_sub(by_arrival_ns)
                .saturating_abs()
                <= limit_ns
        };
        if let Some(link) = line.link {
            let pts_90k = on_video(link.pts, link.video_pts);
            if believable(pts_90k, REPORT_OFF_NS) {
                return (pts_90k, Alignment::SenderReport);
            }
        }
        if let (Some(audio), Some(video)) = (line.info, self.video.info) {
            let pts_90k = on_video(audio, video);
            if believable(pts_90k, RTP_INFO_OFF_NS) {
                return (pts_90k, Alignment::RtpInfo);
            }
        }
        (ticks(by_arrival_ns, TICKS_90K), Alignment::Arrival)
    }
}

/// What one sender report said.
#[derive(Clone, Copy, Debug)]
struct Report {
    pts: i64,
    /// 32.32 fixed point seconds.
    ntp: u64,
}

/// One instant on both tracks.
#[derive(Clone, Copy, Debug)]
struct Link {
    pts: i64,
    video_pts: i64,
}

/// One track's clock.
#[derive(Clone, Debug)]
struct Line {
    rate: i64,
    envelope: Envelope,
    latest: Latest,
    reorder: usize,
    step_back_ns: i64,
    report: Option<Report>,
    info: Option<i64>,
    /// Audio only: by the newest reports of both tracks.
    link: Option<Link>,
}

impl Line {
    fn new(rate: i64, reorder: usize, step_back_ns: i64) -> Line {
        Line {
            rate,
            envelope: Envelope::default(),
            latest: Latest::default(),
            reorder,
            step_back_ns,
            report: None,
            info: None,
            link: None,
        }
    }

    fn ns(&self, pts: i64) -> i64 {
        clamp(i128::from(pts) * 1_000_000_000 / i128::from(self.rate))
    }

    /// The latest presentation of what arrives now that is not less delayed than all before.
    fn latest_pts(&self, arrival_mono_ns: u64) -> Option<i64> {
        let arrival_ns = i64::try_from(arrival_mono_ns).unwrap_or(i64::MAX);
        let floor_ns = self.envelope.floor()?;
        Some(ticks(arrival_ns.saturating_sub(floor_ns), self.rate))
    }

    /// Takes the next AU in decoding order; true if the clock was set before it, as where it is
    /// known to be `set_back`.
    fn advance(&mut self, pts: i64, arrival_mono_ns: u64, set_back: bool) -> bool {
        let arrival_ns = i64::try_from(arrival_mono_ns).unwrap_or(i64::MAX);
        let lag_ns = arrival_ns.saturating_sub(self.ns(pts));
        let ahead = self
            .envelope
            .floor()
            .is_some_and(|floor| lag_ns < floor.saturating_sub(STEP_AHEAD_NS));
        let back = set_back
            || self.latest.max().is_some_and(|max| {
                self.ns(max.saturating_sub(pts)) > self.step_back_ns
                // For audio the time alone decides: its jitter is no reordering.
                || (self.reorder > 0 && self.latest.newer_than(pts) > self.reorder)
            });
        if ahead || back {
            self.envelope = Envelope::default();
            self.latest = Latest::default();
            self.report = None;
            self.info = None;
            self.link = None;
        }
        self.envelope.add(arrival_mono_ns, lag_ns);
        self.latest.add(pts);
        ahead || back
    }
}

/// The least (arrival − presentation) of the last 30 s, in steps of one second.
#[derive(Clone, Debug, Default)]
struct Envelope {
    /// Second of an arrival and the least lag in it; a slot is the second modulo the size.
    seconds: [Option<(u64, i64)>; ENVELOPE_S],
    newest_s: u64,
}

impl Envelope {
    fn add(&mut self, arrival_mono_ns: u64, lag_ns: i64) {
        let second = arrival_mono_ns / 1_000_000_000;
        self.newest_s = self.newest_s.max(second);
        let slot = usize::try_from(second).unwrap_or(0) % ENVELOPE_S;
        self.seconds[slot] = Some(match self.seconds[slot] {
            Some((at, least)) if at == second => (second, least.min(lag_ns)),
            _ => (second, lag_ns),
        });
    }

    fn floor(&self) -> Option<i64> {
        let oldest = self
            .newest_s
            .saturating_sub(u64::try_from(ENVELOPE_S).unwrap_or(0) - 1);
        self.seconds
            .iter()
            .flatten()
            .filter(|(second, _)| *second >= oldest)
            .map(|(_, lag)| *lag)
            .min()
    }
}

/// The largest presentation times seen, to tell reordering from a clock set back.
#[derive(Clone, Debug, Default)]
struct Latest {
    /// Ascending; as many as could ever overtake one, and one more.
    largest: [i64; MAX_DEPTH + 1],
    len: usize,
}

impl Latest {
    fn max(&self) -> Option<i64> {
        self.len.checked_sub(1).map(|last| self.largest[last])
    }

    fn newer_than(&self, pts: i64) -> usize {
        self.largest[..self.len]
            .iter()
            .filter(|seen| **seen > pts)
            .count()
    }

    fn add(&mut self, pts: i64) {
        let full = self.len == self.largest.len();
        if full && pts <= self.largest[0] {
            return;
        }
        let at = self.len - self.newer_than(pts);
        if full {
            self.largest.copy_within(1..at, 0);
            self.largest[at - 1] = pts;
        } else {
            self.largest.copy_within(at..self.len, at + 1);
            self.largest[at] = pts;
            self.len += 1;
        }
    }
}

/// From one NTP instant to another, in nanoseconds.
fn ntp_ns(to: u64, from: u64) -> i64 {
    clamp((i128::from(to) - i128::from(from)) * 1_000_000_000 / (1 << 32))
}

/// Nanoseconds in ticks of `rate`, to the nearest.
fn ticks(ns: i64, rate: i64) -> i64 {
    let scaled = i128::from(ns) * i128::from(rate);
    clamp((scaled + 500_000_000).div_euclid(1_000_000_000))
}

fn clamp(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests;
