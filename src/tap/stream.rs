//! Access units in, fragmented MP4 out; keeps the timeline. Pure.
//!
//! Not here: the ring and the pipe (`super`).

use super::TapError;
use super::pace::{Paced, Pacer, Reorder};
use crate::media::{AuMeta, Codec, TICKS_90K, Track, TrackParams};
use crate::mp4::{self, FragmentRun, FragmentSample};

/// Fragments last about this long …
const FRAGMENT_90K: u64 = 45_000;
/// … and audio alone does not wait longer for video.
const AUDIO_ALONE_90K: u64 = 90_000;
/// Audio that strays farther than this from its place is put back.
const STRAY_90K: i64 = 9_000;

/// The parameters that a stream starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracks {
    pub video: TrackParams,
    pub audio: Option<TrackParams>,
}

/// Where an epoch's times lie on the stream's.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    epoch: u32,
    /// This instant of the epoch is 0 in the stream.
    origin_90k: i64,
}

/// A sample whose duration is not known before the next.
#[derive(Debug, Default)]
struct Lane {
    open: Option<FragmentSample>,
    ready: Vec<FragmentSample>,
}

impl Lane {
    fn push(&mut self, mut next: FragmentSample) {
        if let Some(mut open) = self.open.take() {
            next.dts = next.dts.max(open.dts + 1);
            open.duration = u32::try_from(next.dts - open.dts).unwrap_or(u32::MAX);
            self.ready.push(open);
        }
        self.open = Some(next);
    }

    /// Ticks that `ready` lasts.
    fn lasts(&self) -> u64 {
        self.ready.iter().map(|s| u64::from(s.duration)).sum()
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    tracks: Tracks,
    sets: Sets,
    reorder: Reorder,
    pacer: Pacer<(Vec<u8>, bool)>,
    anchor: Option<Anchor>,
    /// Stream time and arrival of the newest video frame.
    newest: Option<(i64, u64)>,
    /// Audio's own ticks → the stream's, at the start and after straying.
    audio_shift: Option<i64>,
    audio_generation: Option<u32>,
    /// Nothing is taken before the next key frame.
    wants_key: bool,
    /// Began at an open GOP: its RASL pictures cannot be decoded.
    drops_rasl: bool,
    video: Lane,
    audio: Lane,
    sequence: u32,
}

/// Parameter sets of the generation now playing, as they stand before a key frame.
#[derive(Debug, Default)]
struct Sets {
    generation: Option<u32>,
    bytes: Vec<u8>,
}

impl Stream {
    /// With the init segment that comes first.
    pub fn begin(tracks: Tracks, reorder: Reorder) -> Result<(Stream, Vec<u8>), TapError> {
        let all: Vec<TrackParams> = [Some(tracks.video.clone()), tracks.audio.clone()]
            .into_iter()
            .flatten()
            .collect();
        let init = mp4::init_segment(&all)?;
        let stream = Stream {
            tracks,
            sets: Sets::default(),
            reorder,
            pacer: Pacer::new(reorder),
            anchor: None,
            newest: None,
            audio_shift: None,
            audio_generation: None,
            wants_key: true,
            drops_rasl: false,
            video: Lane::default(),
            audio: Lane::default(),
            sequence: 0,
        };
        Ok((stream, init))
    }

    /// Whether an AU of this codec and these parameters can go on in this stream.
    pub fn goes_on_with(&self, params: &TrackParams) -> bool {
        match params.codec {
            Codec::Aac => self
                .tracks
                .audio
                .as_ref()
                .is_none_or(|audio| audio == params),
            codec => self.tracks.video.codec == codec,
        }
    }

    /// Frames are missing, or others follow: the next one taken is a key frame.
    pub fn hole(&mut self) {
        for frame in self.pacer.drain() {
            self.take_paced(frame);
        }
        self.wants_key = true;
    }

    /// Another ring: its epochs and generations are not those of the last.
    pub fn another_ring(&mut self) {
        self.hole();
        self.anchor = None;
        self.sets = Sets::default();
        self.audio_generation = None;
    }

    /// Whether a generation's parameters are those that play now.
    pub fn knows(&self, track: Track, generation: u32) -> bool {
        match track {
            Track::Video => self.sets.generation == Some(generation),
            Track::Audio => self.audio_generation == Some(generation),
        }
    }

    /// From now on AUs name this generation.
    pub fn learn(&mut self, generation: u32, params: &TrackParams) -> Result<(), TapError> {
        match params.track() {
            Track::Audio => self.audio_generation = Some(generation),
            Track::Video => {
                self.sets = Sets {
                    generation: Some(generation),
                    bytes: mp4::parameter_sets(params)?,
                };
            }
        }
        Ok(())
    }

    /// The next AU. Gives a fragment when one is due, else nothing.
    pub fn take(&mut self, meta: &AuMeta, data: &[u8]) -> Result<Vec<u8>, TapError> {
        if meta.flags.gap {
            return Ok(Vec::new());
        }
        match meta.track {
            Track::Video => self.take_video(meta, data),
            Track::Audio => {
                self.take_audio(meta, data);
                Ok(())
            }
        }?;
        let video = self.video.lasts();
        let key_waits = self.video.open.as_ref().is_some_and(|open| open.sync);
        let audio = mp4::rescale(self.audio.lasts(), self.audio_rate(), 90_000);
        let due = video >= FRAGMENT_90K
            || key_waits && video > 0
            || audio.is_some_and(|audio| audio >= AUDIO_ALONE_90K);
        if due { self.fragment() } else { Ok(Vec::new()) }
    }

    /// All that is left, at the end.
    pub fn finish(&mut self) -> Result<Vec<u8>, TapError> {
        self.hole();
        for (lane, usual) in [(&mut self.video, 3600), (&mut self.audio, 1024)] {
            if let Some(mut open) = lane.open.take() {
                open.duration = lane.ready.last().map_or(usual, |last| last.duration);
                lane.ready.push(open);
            }
        }
        self.fragment()
    }

    fn fragment(&mut self) -> Result<Vec<u8>, TapError> {
        let runs = [(0, &mut self.video), (1, &mut self.audio)].map(|(track, lane)| FragmentRun {
            track,
            samples: std::mem::take(&mut lane.ready),
        });
        self.sequence += 1;
        Ok(mp4::fragment(self.sequence, &runs)?)
    }

    fn audio_rate(&self) -> u32 {
        self.tracks
            .audio
            .as_ref()
            .map_or(1, |audio| audio.timescale)
    }

    fn take_video(&mut self, meta: &AuMeta, data: &[u8]) -> Result<(), TapError> {
        if self.anchor.is_some_and(|anchor| anchor.epoch != meta.epoch) {
            self.hole();
            self.anchor = None;
        }
        if self.wants_key {
            if !meta.flags.key {
                return Ok(());
            }
            self.wants_key = false;
            self.drops_rasl = meta.flags.open_gop;
        } else if meta.flags.key {
            self.drops_rasl = false;
        }
        if self.drops_rasl && meta.flags.rasl {
            return Ok(());
        }
        let at_90k = meta.pts_90k - self.anchor(meta).origin_90k;
        self.newest = Some((at_90k, meta.arrival_mono_ns));
        let bytes = match meta.flags.key {
            true => [&self.sets.bytes, data].concat(),
            false => data.to_vec(),
        };
        if let Some(frame) = self.pacer.push(at_90k, (bytes, meta.flags.key)) {
            self.take_paced(frame);
        }
        Ok(())
    }

    /// The epoch's place, laid down by its first key frame: at the stream's
    /// beginning, or as long after the newest frame as it arrived after it.
    fn anchor(&mut self, key: &AuMeta) -> Anchor {
        if let Some(anchor) = self.anchor {
            return anchor;
        }
        let at_90k = match self.newest {
            None => self.reorder.ticks,
            Some((newest_90k, arrival)) => {
                let later_ns = key.arrival_mono_ns.saturating_sub(arrival);
                let later = u128::from(later_ns) * TICKS_90K.unsigned_abs() as u128 / 1_000_000_000;
                newest_90k + i64::try_from(later).unwrap_or(i64::MAX / 4).max(1)
            }
        };
        self.audio_shift = None;
        let anchor = Anchor {
            epoch: key.epoch,
            origin_90k: key.pts_90k - at_90k,
        };
        self.anchor = Some(anchor);
        anchor
    }

    fn take_paced(&mut self, frame: Paced<(Vec<u8>, bool)>) {
        let dts = frame.dts.max(0);
        let (data, sync) = frame.item;
        self.video.push(FragmentSample {
            data,
            dts: dts.unsigned_abs(),
            shown_after: i32::try_from(frame.pts - dts).unwrap_or(i32::MAX),
            duration: 0,
            sync,
        });
    }

    fn take_audio(&mut self, meta: &AuMeta, data: &[u8]) {
        let Some(anchor) = self.anchor.filter(|anchor| anchor.epoch == meta.epoch) else {
            return;
        };
        let Some(audio) = &self.tracks.audio else {
            return;
        };
        let rate = i64::from(audio.timescale);
        let in_ticks = |at_90k: i64| at_90k.saturating_mul(rate) / TICKS_90K;
        let should = in_ticks(meta.pts_90k - anchor.origin_90k);
        let shift = match self.audio_shift {
            Some(shift) if (meta.pts + shift - should).abs() <= in_ticks(STRAY_90K) => shift,
            _ => should - meta.pts,
        };
        self.audio_shift = Some(shift);
        if let Ok(dts) = u64::try_from(meta.pts + shift) {
            self.audio.push(FragmentSample {
                data: data.to_vec(),
                dts,
                shown_after: 0,
                duration: 0,
                sync: true,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::{Alignment, AuFlags};
    use mp4_atom::{Decode, Moof};

    fn tracks() -> Tracks {
        let config = "0164000dffe100186764000dacd94141fa1000000300100000030320f1429960\
           01000668ebe3cb22c0fdf8f800";
        let config = (0..config.len() / 2)
            .map(|i| u8::from_str_radix(&config[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let video = TrackParams {
            codec: Codec::H264,
            timescale: 90_000,
            config,
            width: 320,
            height: 240,
            pixel_aspect: (1, 1),
            channels: 0,
        };
        let audio = TrackParams {
            codec: Codec::Aac,
            timescale: 48_000,
            config: vec![0x11, 0x90],
            width: 0,
            height: 0,
            channels: 2,
            ..video.clone()
        };
        Tracks {
            video,
            audio: Some(audio),
        }
    }

    fn au(track: Track, pts_90k: i64, key: bool) -> AuMeta {
        AuMeta {
            track,
            flags: AuFlags {
                key,
                ..AuFlags::default()
            },
            generation: 1,
            epoch: 1,
            // Audio counts from elsewhere.
            pts: match track {
                Track::Video => pts_90k,
                Track::Audio => pts_90k * 48 / 90 + 777_777,
            },
            pts_90k,
            alignment: Alignment::SenderReport,
            arrival_mono_ns: u64::try_from(pts_90k).unwrap() * 100_000 / 9,
            lost_packets: 0,
            dropped_bytes: 0,
            len: 0,
        }
    }

    fn begin(reorder: Reorder) -> Stream {
        let (mut stream, init) = Stream::begin(tracks(), reorder).unwrap();
        assert!(init.windows(4).any(|kind| kind == b"avc3"));
        stream.learn(1, &tracks().video).unwrap();
        stream
    }

    /// Decode time and durations of each run of each fragment: (track id, dts, durations).
    fn runs(mut fragments: &[u8]) -> Vec<(u32, u64, Vec<u32>)> {
        let mut runs = Vec::new();
        while !fragments.is_empty() {
            let moof = Moof::decode(&mut fragments).unwrap();
            for traf in &moof.traf {
                let durations = traf.trun[0].samples.iter();
                runs.push((
                    traf.tfhd.track_id,
                    traf.tfdt.as_ref().unwrap().base_media_decode_time,
                    durations.map(|sample| sample.duration.unwrap()).collect(),
                ));
            }
            let mdat = u32::from_be_bytes(fragments[..4].try_into().unwrap());
            fragments = &fragments[usize::try_from(mdat).unwrap()..];
        }
        runs
    }

    #[test]
    fn audio_stands_beside_the_video_of_the_same_instant() {
        let reorder = Reorder {
            frames: 0,
            ticks: 7200,
        };
        let mut stream = begin(reorder);
        let mut out = Vec::new();
        for (track, at) in [
            (Track::Audio, 899_000),
            (Track::Video, 900_000),
            (Track::Audio, 903_600),
            (Track::Video, 903_600),
            (Track::Audio, 905_520),
            (Track::Video, 907_200),
        ] {
            let meta = au(track, at, at <= 900_000 || track == Track::Audio);
            out.extend(stream.take(&meta, b"data").unwrap());
        }
        out.extend(stream.finish().unwrap());
        // Shown at 7200: decoded at 0. Audio of before the start is left out.
        let audio = (2, 10_800 * 48 / 90, vec![1024, 1024]);
        assert_eq!(runs(&out), [(1, 0, vec![3600, 3600, 3600]), audio]);
    }

    #[test]
    fn another_epoch_goes_on_as_long_after_as_it_arrived() {
        let mut stream = begin(Reorder::default());
        let mut out = stream.take(&au(Track::Video, 0, true), b"a").unwrap();
        out.extend(stream.take(&au(Track::Video, 3600, false), b"b").unwrap());
        let mut next = au(Track::Video, 50_000_000, false);
        next.epoch = 2;
        next.arrival_mono_ns = 1_040_000_000;
        out.extend(stream.take(&next, b"no key frame").unwrap());
        next.flags.key = true;
        out.extend(stream.take(&next, b"c").unwrap());
        out.extend(stream.finish().unwrap());
        let durations: Vec<u32> = runs(&out).into_iter().flat_map(|run| run.2).collect();
        assert_eq!(durations[..2], [3600, 90_000]);
    }

    #[test]
    fn pictures_that_lack_their_past_are_dropped_and_holes_wait_for_a_key_frame() {
        let mut stream = begin(Reorder::default());
        let mut cra = au(Track::Video, 0, true);
        cra.flags.open_gop = true;
        let mut rasl = au(Track::Video, 3600, false);
        rasl.flags.rasl = true;
        let mut gap = au(Track::Video, 7200, false);
        gap.flags.gap = true;
        let mut out = Vec::new();
        for meta in [rasl, cra, rasl, gap, au(Track::Video, 10_800, false)] {
            out.extend(stream.take(&meta, b"data").unwrap());
        }
        stream.hole();
        for (at, key) in [(14_400, false), (18_000, true), (21_600, false)] {
            out.extend(stream.take(&au(Track::Video, at, key), b"data").unwrap());
        }
        out.extend(stream.finish().unwrap());
        let durations: Vec<u32> = runs(&out).into_iter().flat_map(|run| run.2).collect();
        assert_eq!(durations, [10_800, 7200, 3600, 3600]);
    }
}
