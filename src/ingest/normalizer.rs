//! Frames of one connection → entries of the ring: what decoding may start at,
//! what a loss has smeared, which epoch and parameters apply.
//!
//! Not here: sockets and retina (`session`), the ring (any [`Sink`] will do).

use crate::media::{AuFlags, AuMeta, Codec, Track, TrackParams, nal, pcm, reorder};
use crate::ring::{Pushed, RingWriter};

use super::depacketize::ReceivedFrame;
use super::gop::StreamWatch;
use super::timeline::{MediaPlace, Timeline};

/// Takes what is stored. The ring, or a counter in `check` and tests.
pub trait Sink {
    fn begin_epoch(&mut self) -> u32;
    fn set_params(&mut self, params: &TrackParams) -> u32;
    fn push(&mut self, meta: &AuMeta, data: &[u8]) -> Pushed;
}

impl Sink for RingWriter {
    fn begin_epoch(&mut self) -> u32 {
        RingWriter::begin_epoch(self)
    }
    fn set_params(&mut self, params: &TrackParams) -> u32 {
        RingWriter::set_params(self, params)
    }
    fn push(&mut self, meta: &AuMeta, data: &[u8]) -> Pushed {
        RingWriter::push(self, meta, data)
    }
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOutcome {
    Stored,
    /// Larger than the ring takes: a gap stands in its place.
    TooLarge {
        limit: u64,
    },
    /// Nothing could be decoded from it yet: before the first key frame,
    /// without parameters, or no picture in it.
    Skipped,
    /// Probably whole, and stored when the next picture shows that it is.
    Awaited,
}

/// How far a loss has smeared what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Smear {
    None,
    /// Only the pictures that refer across the last open key frame.
    Leading,
    All,
}

impl Smear {
    fn reaches(self, rasl: bool) -> bool {
        match self {
            Smear::None => false,
            Smear::Leading => rasl,
            Smear::All => true,
        }
    }

    fn after_key(self, open_gop: bool) -> Smear {
        match self {
            Smear::All if open_gop => Smear::Leading,
            _ => Smear::None,
        }
    }
}

/// One connection's frames on their way into the ring.
#[derive(Debug)]
pub struct Normalizer {
    timeline: Timeline,
    pub watch: StreamWatch,
    codec: Codec,
    video: Option<Known>,
    audio: Option<Known>,
    epoch: u32,
    epoch_due: bool,
    /// A key frame was stored; before it nothing can be decoded.
    begun: bool,
    smear: Smear,
    /// Lost before frames that were skipped.
    lost_video: u32,
    lost_audio: u32,
    /// AUs with a recovery point where a key frame was due.
    recovery_points: u64,
    clock_stepped_back: bool,
}

/// A track's parameters, and their generation in the ring once it has them.
#[derive(Debug)]
struct Known {
    params: TrackParams,
    generation: Option<u32>,
}

impl Normalizer {
    /// `codec` of the video; `audio_rate`: ticks per second of the audio's timestamps.
    pub fn new(codec: Codec, audio_rate: Option<u32>) -> Normalizer {
        Normalizer {
            timeline: Timeline::new(audio_rate),
            watch: StreamWatch::default(),
            codec,
            video: None,
            audio: None,
            epoch: 0,
            epoch_due: true,
            begun: false,
            smear: Smear::None,
            lost_video: 0,
            lost_audio: 0,
            recovery_points: 0,
            clock_stepped_back: false,
        }
    }

    /// The audio's clock is set so often that it is left out.
    pub fn audio_unusable(&self) -> bool {
        self.timeline.audio_unusable()
    }

    pub fn timeline(&mut self) -> &mut Timeline {
        &mut self.timeline
    }

    /// The parameters that the next frames of their track need.
    pub fn set_params(&mut self, params: TrackParams) {
        let slot = match params.track() {
            Track::Video => {
                self.timeline.set_reorder(reorder::depth_allowed(&params));
                &mut self.video
            }
            Track::Audio => &mut self.audio,
        };
        if slot.as_ref().is_none_or(|known| known.params != params) {
            *slot = Some(Known {
                params,
                generation: None,
            });
        }
    }

    /// Number of the epoch of the newest stored AU.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub fn has_audio(&self) -> bool {
        self.audio.is_some()
    }

    pub fn has_video_params(&self) -> bool {
        self.video.is_some()
    }

    /// A key frame was stored.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Times of pictures went back where they cannot, and were mended.
    pub fn clock_stepped_back(&self) -> bool {
        self.clock_stepped_back
    }

    /// Pictures came that only a recovery point starts, and no key frame.
    pub fn only_recovery_points(&self) -> bool {
        self.recovery_points > 0 && !self.begun
    }

    pub fn video(&mut self, sink: &mut impl Sink, frame: &ReceivedFrame<'_>) -> FrameOutcome {
        let place = self.timeline.video(frame.pts, frame.arrival_mono_ns);
        self.note(&place);
        self.clock_stepped_back |= place.mended;
        self.lost_video = self.lost_video.saturating_add(frame.lost_packets);
        if frame.lost_packets > 0 {
            self.smear = Smear::All;
        }
        let kind = nal::classify(self.codec, frame.data);
        // After a loss the front of the picture itself may be missing.
        let whole = frame.lost_packets == 0 || starts_a_picture(self.codec, frame.data);
        let key = kind.key && kind.has_slice && whole;
        if !kind.has_slice || !(self.begun || key) {
            self.recovery_points += u64::from(kind.recovery_point);
            return FrameOutcome::Skipped;
        }
        let Some(generation) = self.generation(sink, Track::Video) else {
            return FrameOutcome::Skipped;
        };
        if key {
            self.smear = self.smear.after_key(kind.open_gop);
        }
        let flags = AuFlags {
            key,
            open_gop: key && kind.open_gop,
            rasl: kind.rasl,
            tainted: self.smear.reaches(kind.rasl),
            gap: false,
        };
        self.watch.video(place.pts_90k, key);
        let lost = std::mem::take(&mut self.lost_video);
        let what = (Track::Video, flags, generation, lost);
        let taken = self.push(sink, what, &place, frame);
        match taken {
            // What refers to the picture left out cannot be right.
            FrameOutcome::TooLarge { .. } => self.smear = Smear::All,
            _ => self.begun = true,
        }
        taken
    }

    pub fn audio(&mut self, sink: &mut impl Sink, frame: &ReceivedFrame<'_>) -> FrameOutcome {
        self.lost_audio = self.lost_audio.saturating_add(frame.lost_packets);
        let begun_mono_ns = frame
            .arrival_mono_ns
            .saturating_sub(self.pcm_ns(frame.data.len()));
        let Some(place) = self.timeline.audio(frame.pts, begun_mono_ns) else {
            return FrameOutcome::Skipped;
        };
        self.note(&place);
        if !self.begun || frame.data.is_empty() {
            return FrameOutcome::Skipped;
        }
        let Some(generation) = self.generation(sink, Track::Audio) else {
            return FrameOutcome::Skipped;
        };
        let flags = AuFlags {
            key: true,
            ..AuFlags::default()
        };
        let lost = std::mem::take(&mut self.lost_audio);
        let what = (Track::Audio, flags, generation, lost);
        self.push(sink, what, &place, frame)
    }

    /// How long a packet of PCM lasts. It is sent when it is full, up to an eighth of a second after the instant
    /// that it is stamped with; where arrivals alone align the sound, that would be heard.
    fn pcm_ns(&self, bytes: usize) -> u64 {
        let params = self.audio.as_ref().map(|known| &known.params);
        params.map_or(0, |params| {
            let ticks = u64::try_from(pcm::ticks(params, bytes)).unwrap_or(0);
            ticks.saturating_mul(1_000_000_000) / u64::from(params.timescale.max(1))
        })
    }

    fn note(&mut self, place: &MediaPlace) {
        if place.new_epoch {
            self.epoch_due = true;
            self.watch.new_epoch();
        }
    }

    /// The generation of a track's parameters, told to the ring when first needed.
    fn generation(&mut self, sink: &mut impl Sink, track: Track) -> Option<u32> {
        let known = match track {
            Track::Video => self.video.as_mut()?,
            Track::Audio => self.audio.as_mut()?,
        };
        // An epoch begins with the first AU that is stored in it, and its
        // number comes before anything else is written.
        if self.epoch_due {
            self.epoch_due = false;
            self.epoch = sink.begin_epoch();
        }
        Some(
            *known
                .generation
                .get_or_insert_with(|| sink.set_params(&known.params)),
        )
    }

    fn push(
        &mut self,
        sink: &mut impl Sink,
        (track, flags, generation, lost_packets): (Track, AuFlags, u32, u32),
        place: &MediaPlace,
        frame: &ReceivedFrame<'_>,
    ) -> FrameOutcome {
        let meta = AuMeta {
            track,
            flags,
            generation,
            epoch: self.epoch,
            pts: frame.pts,
            pts_90k: place.pts_90k,
            alignment: place.alignment,
            arrival_mono_ns: frame.arrival_mono_ns,
            lost_packets,
            dropped_bytes: 0,
            len: u32::try_from(frame.data.len()).unwrap_or(u32::MAX),
        };
        self.watch.bytes(frame.data.len(), frame.arrival_mono_ns);
        match sink.push(&meta, frame.data) {
            Pushed::Stored { .. } => FrameOutcome::Stored,
            Pushed::TooLarge { limit, .. } => FrameOutcome::TooLarge { limit },
        }
    }
}

/// Whether the first slice of the AU is the first of its picture.
fn starts_a_picture(codec: Codec, au: &[u8]) -> bool {
    let first_slice = nal::Nals::new(au).find(|nal| match codec {
        Codec::H264 => (1..=5).contains(&(nal[0] & 0x1f)),
        _ => nal[0] >> 1 & 0x3f < 32,
    });
    let flag_at = match codec {
        // first_mb_in_slice is 0, written as one 1 bit.
        Codec::H264 => 1,
        // first_slice_segment_in_pic_flag.
        Codec::H265 => 2,
        _ => return true,
    };
    first_slice
        .and_then(|nal| nal.get(flag_at))
        .is_some_and(|byte| byte & 0x80 != 0)
}

#[cfg(test)]
mod tests;
