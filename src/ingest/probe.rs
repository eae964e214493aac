//! A short look at a camera, for `check`.
//!
//! Not here: the ring; nothing is stored.

use std::sync::Arc;
use std::time::Duration;

use retina::client::SessionGroup;
use serde::Serialize;

use crate::base::{Clock, RealClock};
use crate::config::{Camera, RingSettings};
use crate::media::{AuMeta, Codec, Track, TrackParams};
use crate::ring::Pushed;

use super::camera::describe;
use super::depacketize::PacketFaults;
use super::dial;
use super::gop::RingCapacity;
use super::normalizer::{Normalizer, Sink};
use super::relay::RelayMemory;
use super::sentence::CaptureSentence;
use super::session::{self, Playing};
use super::settings::{Limits, POLITE};

/// What a camera sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Probe {
    /// "H.264" or "H.265".
    pub codec: String,
    pub width: u16,
    pub height: u16,
    /// 0 where fewer than two key frames were seen.
    pub fps: f64,
    /// Of all tracks taken; 0 if it was looked at for less than two seconds.
    pub bitrate_bps: u64,
    /// Distances between key frames; `None` where fewer than two were seen.
    pub shortest_gop_ms: Option<u64>,
    /// At least so long, where fewer than two were seen.
    pub longest_gop_ms: Option<u64>,
    pub key_frames: u64,
    /// "AAC 48000 Hz, 2 channels".
    pub audio: Option<String>,
    /// All tracks reported their clock; audio is aligned by it.
    pub sender_reports: bool,
    pub b_frames: bool,
    pub lost_packets: u64,
    /// How long was looked at.
    pub watched_ms: u64,
    /// Sentences for people: a track left out, a stream that ended early.
    pub warnings: Vec<String>,
}

impl Probe {
    /// What to change at the camera or in the config so that clips come out
    /// whole: key frames too far apart for the ring, or too many bits.
    pub fn ring_warnings(&self, ring: &RingSettings, window_ms: u64) -> Vec<String> {
        RingCapacity::of(ring, window_ms)
            .warnings(self.bitrate_bps, self.longest_gop_ms.unwrap_or(0))
            .into_iter()
            .map(|warning| warning.to_string())
            .collect()
    }
}

/// Why nothing can be said of a camera; the text is for people.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    #[error("{0}")]
    Camera(CaptureSentence),
    #[error("the camera answers, but sends no pictures")]
    NoPictures,
    #[error(
        "the camera sends recovery points (intra refresh) and no key frames: clips need key frames; set its I-frame interval (GOP) to 1 or 2 s"
    )]
    OnlyRecoveryPoints,
    #[error(
        "the camera sends pictures but no key frame in all that time: set its I-frame interval (GOP) to 1 or 2 s"
    )]
    NoKeyFrame,
    #[error("an error inside hindsight while looking at it")]
    Panicked,
}

/// At least so long, for a bitrate that means something.
const SHORTEST_NS: u64 = 3_000_000_000;
/// Sender reports are waited for; most cameras send one each 5 s.
const REPORTS_NS: u64 = 6_000_000_000;

/// Connects, watches until two whole GOPs and sender reports were seen (for
/// these no longer than 6 s) or `limit` is over, and leaves. Blocks; makes its own
/// runtime.
pub fn probe(camera: &Camera, limit: Duration) -> Result<Probe, ProbeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ProbeError::Runtime)?;
    let group = Arc::new(SessionGroup::default());
    let result = runtime.block_on(async {
        let result = look(camera, &group, limit).await;
        let polite = group.await_teardown();
        let _ = tokio::time::timeout(POLITE, polite).await;
        result
    });
    runtime.shutdown_background();
    result
}

async fn look(
    camera: &Camera,
    group: &Arc<SessionGroup>,
    limit: Duration,
) -> Result<Probe, ProbeError> {
    let limits = Limits::default();
    let mut start_times = session::StartTimes::default();
    let mut memory = RelayMemory::default();
    let within = limits.connect;
    let mut playing = dial::connect(camera, group, within, &mut start_times, &mut memory)
        .await
        .map_err(ProbeError::Camera)?;
    let mut normalizer = playing.normalizer();
    let mut seen = Seen::default();
    let clock = RealClock;
    let start = clock.mono_ns();
    let until = tokio::time::Instant::now() + limit;
    let mut newest_video = start;
    let ended = loop {
        let next = playing.next(&mut normalizer, &mut seen, &clock, camera);
        match tokio::time::timeout_at(until, next).await {
            Err(_) => break None,
            Ok(Err(reason)) => break Some(reason),
            Ok(Ok(item)) => {
                seen.lost_packets += u64::from(item.lost_packets);
                if item.track == Some(Track::Video) {
                    newest_video = item.arrival_mono_ns;
                }
                if seen.enough(&mut normalizer, clock.mono_ns().saturating_sub(start)) {
                    break None;
                }
            }
        }
    };
    let now = clock.mono_ns();
    if !normalizer.begun() {
        let nothing = || nothing(&normalizer, newest_video > start);
        return Err(ended.map_or_else(nothing, ProbeError::Camera));
    }
    let mut probe = seen.report(&playing, &mut normalizer, now.saturating_sub(start));
    let needs = memory.said(playing.mended());
    probe.warnings.extend(needs.map(|needs| needs.to_string()));
    probe.bitrate_bps = normalizer.watch.bitrate_bps(now);
    probe.warnings.extend(odd(&playing, &normalizer));
    probe.warnings.extend(ended.map(|ended| ended.to_string()));
    Ok(probe)
}

/// What was wrong with what it sent, and mended or left out.
fn odd(playing: &Playing, normalizer: &Normalizer) -> impl Iterator<Item = String> {
    let packets = CaptureSentence::of_packets(&playing.faults(), &PacketFaults::default());
    let clock = normalizer
        .clock_stepped_back()
        .then_some(CaptureSentence::ClockStepsBack {});
    packets.into_iter().chain(clock).map(|odd| odd.to_string())
}

fn nothing(normalizer: &Normalizer, pictures: bool) -> ProbeError {
    match (pictures, normalizer.has_video_params()) {
        (false, _) => ProbeError::NoPictures,
        (true, false) => ProbeError::Camera(CaptureSentence::NoParameters {}),
        (true, true) if normalizer.only_recovery_points() => ProbeError::OnlyRecoveryPoints,
        _ => ProbeError::NoKeyFrame,
    }
}

/// Counts instead of storing.
#[derive(Debug, Default)]
struct Seen {
    epochs: u32,
    generations: u32,
    frames: u64,
    /// Of the first and the newest key frame: presentation time and number in decoding order.
    keys: Option<[(i64, u64); 2]>,
    newest_pts: i64,
    b_frames: bool,
    lost_packets: u64,
}

impl Sink for Seen {
    fn begin_epoch(&mut self) -> u32 {
        self.epochs += 1;
        (self.frames, self.keys) = (0, None);
        self.epochs
    }

    fn set_params(&mut self, _: &TrackParams) -> u32 {
        self.generations += 1;
        self.generations
    }

    fn push(&mut self, meta: &AuMeta, _: &[u8]) -> Pushed {
        if meta.track == Track::Video {
            if meta.flags.key {
                let this = (meta.pts_90k, self.frames);
                self.keys = Some([self.keys.map_or(this, |[first, _]| first), this]);
            }
            self.b_frames |= self.frames > 0 && meta.pts_90k < self.newest_pts;
            self.newest_pts = if self.frames == 0 {
                meta.pts_90k
            } else {
                self.newest_pts.max(meta.pts_90k)
            };
            self.frames += 1;
        }
        Pushed::Stored { pos: 0 }
    }
}

impl Seen {
    fn enough(&self, normalizer: &mut Normalizer, watched_ns: u64) -> bool {
        let sound = normalizer.has_audio();
        normalizer.watch.key_frames() >= 3
            && watched_ns >= SHORTEST_NS
            && (normalizer.timeline().reported(sound) || watched_ns >= REPORTS_NS)
    }

    /// Between the first and the newest key frame: elsewhere reordering blurs it.
    fn fps(&self) -> f64 {
        let Some([first, newest]) = self.keys else {
            return 0.0;
        };
        let frames = u32::try_from(newest.1 - first.1).unwrap_or(u32::MAX);
        match u32::try_from(newest.0 - first.0) {
            Ok(ticks) if ticks > 0 => f64::from(frames) * 90_000.0 / f64::from(ticks),
            _ => 0.0,
        }
    }

    fn report(&self, playing: &Playing, normalizer: &mut Normalizer, watched_ns: u64) -> Probe {
        let (video, audio) = playing.known();
        let key_frames = normalizer.watch.key_frames();
        let left_out = playing.left_out.iter();
        let mut warnings: Vec<String> = left_out.map(ToString::to_string).collect();
        if let Some(pcm) = audio.as_ref().filter(|audio| audio.codec.is_pcm()) {
            let encoding = pcm.codec.name().to_owned();
            warnings.push(CaptureSentence::SoundIsPcm { encoding }.to_string());
        }
        if key_frames < 2 {
            warnings.push(format!(
                "no second key frame came within {} s",
                normalizer.watch.longest_gop_ms() / 1_000
            ));
        }
        Probe {
            codec: match video.as_ref().map(|video| video.codec) {
                Some(Codec::H265) => "H.265".to_owned(),
                _ => "H.264".to_owned(),
            },
            width: video.as_ref().map_or(0, |video| video.width),
            height: video.as_ref().map_or(0, |video| video.height),
            fps: (self.fps() * 100.0).round() / 100.0,
            shortest_gop_ms: normalizer.watch.shortest_gop_ms(),
            longest_gop_ms: Some(normalizer.watch.longest_gop_ms()),
            key_frames,
            audio: audio.as_ref().map(describe),
            sender_reports: normalizer.timeline().reported(audio.is_some()),
            b_frames: self.b_frames,
            lost_packets: self.lost_packets,
            watched_ms: watched_ns / 1_000_000,
            warnings,
            ..Probe::default()
        }
    }
}
