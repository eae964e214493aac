//! Access units in, fragments out; keeps the timeline.

use super::lossless::FlacBlocks;
use super::pace::{Paced, Pacer, Pacing};
use super::samples::{Queued, SampleQueue};
use super::types::{Fragment, FragmentError, StreamTracks};
use crate::media::{AuMeta, TICKS_90K, Track, TrackParams, flac};
use crate::mp4::{self, FragmentSample};

/// Audio alone does not wait longer for video.
const AUDIO_ALONE_90K: u64 = 90_000;
/// Audio that strays farther than this from its place is put back.
const STRAY_90K: i64 = 9_000;
/// What the very last frame lasts, where there is none before it: ticks of the track.
const USUAL_VIDEO: u32 = 3_600;
const USUAL_AUDIO: u32 = 1_024;

/// Where an epoch's times lie on the stream's.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    epoch: u32,
    /// This instant of the epoch is 0 in the stream.
    origin_90k: i64,
}

/// Parameter sets of the generation now playing, as they stand before a key frame.
#[derive(Debug, Default)]
struct Sets {
    generation: Option<u32>,
    bytes: Vec<u8>,
}

/// A frame of video whose decode time is not sure yet.
#[derive(Debug)]
struct Picture {
    pos: u64,
    data: Vec<u8>,
    key: bool,
}

#[derive(Debug)]
pub struct Packager {
    tracks: StreamTracks,
    pacing: Pacing,
    /// A fragment is due when its video lasts so long.
    target_90k: u64,
    sets: Sets,
    pacer: Pacer<Picture>,
    anchor: Option<Anchor>,
    /// Stream time and arrival of the newest video frame.
    newest: Option<(i64, u64)>,
    /// Audio's own ticks → the stream's, at the start and after straying.
    audio_shift: Option<i64>,
    audio_generation: Option<u32>,
    /// Where the sound is PCM.
    lossless: Option<FlacBlocks>,
    /// Nothing is taken before the next key frame.
    wants_key: bool,
    /// Began at an open GOP: its RASL pictures cannot be decoded.
    drops_rasl: bool,
    video: SampleQueue,
    audio: SampleQueue,
    sequence: u32,
}

impl Packager {
    /// Fragments last about `target_90k`, less where a key frame comes before.
    pub fn new(tracks: StreamTracks, pacing: Pacing, target_90k: u64) -> Packager {
        let pcm = tracks.audio.as_ref().filter(|audio| audio.codec.is_pcm());
        Packager {
            lossless: pcm.map(FlacBlocks::new),
            tracks,
            pacing,
            target_90k,
            sets: Sets::default(),
            pacer: Pacer::new(pacing),
            anchor: None,
            newest: None,
            audio_shift: None,
            audio_generation: None,
            wants_key: true,
            drops_rasl: false,
            video: SampleQueue::default(),
            audio: SampleQueue::default(),
            sequence: 0,
        }
    }

    /// What comes before all fragments.
    ///
    /// # Errors
    /// Parameters that no index can be made of.
    pub fn init_segment(&self) -> Result<Vec<u8>, FragmentError> {
        let StreamTracks { video, audio } = &self.tracks;
        let mut all = vec![video.clone()];
        if let Some(audio) = audio {
            all.push(match self.lossless {
                Some(_) => flac::params(audio, 0)?,
                None => audio.clone(),
            });
        }
        Ok(mp4::init_segment(&all)?)
    }

    /// Whether the parameters of this AU's generation are to be told before it is pushed.
    pub fn needs(&self, meta: &AuMeta) -> bool {
        let known = match meta.track {
            Track::Video if !meta.flags.key => return false,
            Track::Video => self.sets.generation,
            Track::Audio => self.audio_generation,
        };
        !meta.flags.gap && known != Some(meta.generation)
    }

    /// From now on AUs name this generation.
    ///
    /// # Errors
    /// Another codec, or other parameters of audio.
    pub fn learn(&mut self, generation: u32, params: &TrackParams) -> Result<(), FragmentError> {
        if !self.goes_on_with(params) {
            return Err(FragmentError::CodingChanged { now: params.codec });
        }
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

    fn goes_on_with(&self, params: &TrackParams) -> bool {
        match params.track() {
            Track::Audio => self
                .tracks
                .audio
                .as_ref()
                .is_none_or(|audio| audio == params),
            Track::Video => self.tracks.video.codec == params.codec,
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

    /// The next AU. Gives a fragment when one is due.
    ///
    /// # Errors
    /// More in a fragment than MP4 can say.
    pub fn push(
        &mut self,
        pos: u64,
        meta: &AuMeta,
        data: &[u8],
    ) -> Result<Option<Fragment>, FragmentError> {
        if meta.flags.gap {
            return Ok(None);
        }
        match meta.track {
            Track::Video => self.take_video(pos, meta, data),
            Track::Audio => self.take_audio(pos, meta, data)?,
        }
        let video = self.video.lasts();
        let audio = mp4::rescale(self.audio.lasts(), self.audio_rate(), 90_000);
        let due = video >= self.target_90k
            || self.video.key_waits() && video > 0
            || audio.is_some_and(|audio| audio >= AUDIO_ALONE_90K);
        if due { self.fragment() } else { Ok(None) }
    }

    /// All that is left, at the end.
    ///
    /// # Errors
    /// As [`Packager::push`].
    pub fn finish(&mut self) -> Result<Option<Fragment>, FragmentError> {
        self.hole();
        let rest = self.lossless.as_mut().map(FlacBlocks::rest).transpose()?;
        if let Some(rest) = rest.flatten() {
            self.queue_audio(rest.pos, rest.at, rest.bytes);
        }
        self.video.close(USUAL_VIDEO);
        let block = self.lossless.as_ref().map(FlacBlocks::block);
        self.audio.close(block.unwrap_or(USUAL_AUDIO));
        self.fragment()
    }

    fn fragment(&mut self) -> Result<Option<Fragment>, FragmentError> {
        let lanes = [(Track::Video, &self.video), (Track::Audio, &self.audio)];
        let first_position = lanes
            .iter()
            .filter_map(|(_, lane)| Some(lane.first()?.pos))
            .min();
        let runs: Vec<_> = lanes
            .iter()
            .filter_map(|(track, lane)| lane.run(*track))
            .collect();
        let (Some(first), Some(first_position)) = (runs.first(), first_position) else {
            return Ok(None);
        };
        let rate = match first.track {
            Track::Video => 90_000,
            Track::Audio => self.audio_rate(),
        };
        let in_90k = |ticks| mp4::rescale(ticks, rate, 90_000).unwrap_or(u64::MAX);
        let (start_90k, duration_90k) = (in_90k(first.start), in_90k(first.duration));
        let starts_with_key = self.video.first().is_some_and(|first| first.sample.sync);
        self.sequence += 1;
        let samples = [self.video.take(0), self.audio.take(1)];
        Ok(Some(Fragment {
            bytes: mp4::fragment(self.sequence, &samples)?,
            runs,
            starts_with_key,
            start_90k,
            duration_90k,
            first_position,
        }))
    }

    fn audio_rate(&self) -> u32 {
        self.tracks
            .audio
            .as_ref()
            .map_or(1, |audio| audio.timescale)
    }

    fn take_video(&mut self, pos: u64, meta: &AuMeta, data: &[u8]) {
        if self.anchor.is_some_and(|anchor| anchor.epoch != meta.epoch) {
            self.hole();
            self.anchor = None;
        }
        let key = meta.flags.key;
        if self.wants_key {
            if !key {
                return;
            }
            self.wants_key = false;
            self.drops_rasl = meta.flags.open_gop;
        } else if key {
            self.drops_rasl = false;
        }
        if self.drops_rasl && meta.flags.rasl {
            return;
        }
        let at_90k = meta.pts_90k - self.anchor(meta).origin_90k;
        self.newest = Some((at_90k, meta.arrival_mono_ns));
        let sets: &[u8] = if key { &self.sets.bytes } else { &[] };
        let data = [sets, data].concat();
        if let Some(frame) = self.pacer.push(at_90k, Picture { pos, data, key }) {
            self.take_paced(frame);
        }
    }

    /// The epoch's place, laid down by its first key frame: at the stream's
    /// beginning, or as long after the newest frame as it arrived after it.
    fn anchor(&mut self, key: &AuMeta) -> Anchor {
        if let Some(anchor) = self.anchor {
            return anchor;
        }
        let at_90k = match self.newest {
            None => self.pacing.lead_90k,
            Some((newest_90k, arrival)) => {
                let later_ns = key.arrival_mono_ns.saturating_sub(arrival);
                let later = u128::from(later_ns) * 9 / 100_000;
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

    fn take_paced(&mut self, frame: Paced<Picture>) {
        let dts = frame.dts.max(0);
        let Picture { pos, data, key } = frame.item;
        let sample = FragmentSample {
            data,
            dts: dts.unsigned_abs(),
            shown_after: i32::try_from(frame.pts - dts).unwrap_or(i32::MAX),
            duration: 0,
            sync: key,
        };
        self.video.push(Queued { pos, sample });
    }

    fn take_audio(&mut self, pos: u64, meta: &AuMeta, data: &[u8]) -> Result<(), FragmentError> {
        let Some(anchor) = self.anchor.filter(|anchor| anchor.epoch == meta.epoch) else {
            return Ok(());
        };
        let Some(audio) = &self.tracks.audio else {
            return Ok(());
        };
        let rate = i64::from(audio.timescale);
        let in_ticks = |at_90k: i64| at_90k.saturating_mul(rate) / TICKS_90K;
        let should = in_ticks(meta.pts_90k - anchor.origin_90k);
        let shift = match self.audio_shift {
            Some(shift) if (meta.pts + shift - should).abs() <= in_ticks(STRAY_90K) => shift,
            _ => should - meta.pts,
        };
        let moved = self.audio_shift.replace(shift) != Some(shift);
        let at = meta.pts + shift;
        match &mut self.lossless {
            Some(lossless) => {
                let broken = moved || meta.lost_packets > 0;
                for block in lossless.push(pos, at, broken, data)? {
                    self.queue_audio(block.pos, block.at, block.bytes);
                }
            }
            None => self.queue_audio(pos, at, data.to_vec()),
        }
        Ok(())
    }

    fn queue_audio(&mut self, pos: u64, at: i64, data: Vec<u8>) {
        if let Ok(dts) = u64::try_from(at) {
            let sample = FragmentSample {
                data,
                dts,
                shown_after: 0,
                duration: 0,
                sync: true,
            };
            self.audio.push(Queued { pos, sample });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::{Alignment, AuFlags, Codec};
    use mp4_atom::{Decode, Moof};

    fn tracks() -> StreamTracks {
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
        StreamTracks {
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

    fn begin(pacing: Pacing) -> Packager {
        let mut packager = Packager::new(tracks(), pacing, 45_000);
        let init = packager.init_segment().unwrap();
        assert!(init.windows(4).any(|kind| kind == b"avc3"));
        packager.learn(1, &tracks().video).unwrap();
        packager
    }

    /// Bytes of the fragments that `aus` give, with the rest at the end.
    fn package(packager: &mut Packager, aus: &[AuMeta]) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        for (pos, meta) in (100..).zip(aus) {
            fragments.extend(packager.push(pos, meta, b"data").unwrap());
        }
        fragments
    }

    fn bytes(fragments: &[Fragment]) -> Vec<u8> {
        fragments.iter().flat_map(|f| f.bytes.clone()).collect()
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
        let mut packager = begin(Pacing {
            depth: 0,
            lead_90k: 7200,
        });
        let aus = [
            (Track::Audio, 899_000),
            (Track::Video, 900_000),
            (Track::Audio, 903_600),
            (Track::Video, 903_600),
            (Track::Audio, 905_520),
            (Track::Video, 907_200),
        ]
        .map(|(track, at)| au(track, at, at <= 900_000 || track == Track::Audio));
        let mut out = package(&mut packager, &aus);
        out.extend(packager.finish().unwrap());
        // Shown at 7200: decoded at 0. Audio of before the start is left out.
        let audio = (2, 10_800 * 48 / 90, vec![1024, 1024]);
        assert_eq!(runs(&bytes(&out)), [(1, 0, vec![3600, 3600, 3600]), audio]);
    }

    #[test]
    fn another_epoch_goes_on_as_long_after_as_it_arrived() {
        let mut packager = begin(Pacing::default());
        let mut next = au(Track::Video, 50_000_000, false);
        next.epoch = 2;
        next.arrival_mono_ns = 1_040_000_000;
        let mut key = next;
        key.flags.key = true;
        let old = [(0, true), (3600, false)].map(|(at, key)| au(Track::Video, at, key));
        let mut out = package(&mut packager, &[old[0], old[1], next, key]);
        out.extend(packager.finish().unwrap());
        let durations: Vec<u32> = runs(&bytes(&out))
            .into_iter()
            .flat_map(|run| run.2)
            .collect();
        assert_eq!(durations[..2], [3600, 90_000]);
    }

    #[test]
    fn pictures_that_lack_their_past_are_dropped_and_holes_wait_for_a_key_frame() {
        let mut packager = begin(Pacing::default());
        let mut cra = au(Track::Video, 0, true);
        cra.flags.open_gop = true;
        let mut rasl = au(Track::Video, 3600, false);
        rasl.flags.rasl = true;
        let mut gap = au(Track::Video, 7200, false);
        gap.flags.gap = true;
        let last = au(Track::Video, 10_800, false);
        let mut out = package(&mut packager, &[rasl, cra, rasl, gap, last]);
        packager.hole();
        let after = [(14_400, false), (18_000, true), (21_600, false)];
        let after = after.map(|(at, key)| au(Track::Video, at, key));
        out.extend(package(&mut packager, &after));
        out.extend(packager.finish().unwrap());
        let durations: Vec<u32> = runs(&bytes(&out))
            .into_iter()
            .flat_map(|run| run.2)
            .collect();
        assert_eq!(durations, [10_800, 7200, 3600, 3600]);
    }

    #[test]
    fn a_fragment_says_what_is_in_it_and_ends_before_a_key_frame() {
        let mut packager = begin(Pacing::default());
        packager.learn(1, tracks().audio.as_ref().unwrap()).unwrap();
        let mut aus = Vec::new();
        for n in 0..25 {
            aus.push(au(Track::Video, n * 3600, n % 20 == 0));
            aus.push(au(Track::Audio, n * 3600, true));
        }
        let mut out = package(&mut packager, &aus);
        out.extend(packager.finish().unwrap());
        let said: Vec<_> = out
            .iter()
            .map(|f| (f.starts_with_key, f.start_90k, f.duration_90k))
            .collect();
        // Half a second, up to the key frame, the rest.
        let wanted = [
            (true, 0, 46_800),
            (false, 46_800, 25_200),
            (true, 72_000, 18_000),
        ];
        assert_eq!(said, wanted);
        let positions: Vec<u64> = out.iter().map(|f| f.first_position).collect();
        assert_eq!(positions[0], 100);
        assert!(positions.is_sorted());
        let video = &out[0].runs[0];
        assert_eq!(
            (video.samples, video.start, video.duration),
            (13, 0, 46_800)
        );
        assert_eq!(out[0].runs[1].track, Track::Audio);
        let sets = mp4::parameter_sets(&tracks().video).unwrap().len();
        assert_eq!(video.bytes, 13 * 4 + sets);
    }

    #[test]
    fn parameters_are_asked_for_once_and_another_coding_ends_the_stream() {
        let mut packager = begin(Pacing::default());
        let mut key = au(Track::Video, 0, true);
        assert!(!packager.needs(&key));
        key.generation = 2;
        assert!(packager.needs(&key));
        key.flags.key = false;
        assert!(!packager.needs(&key));
        let mut other = tracks().video;
        other.codec = Codec::H265;
        let changed = packager.learn(2, &other);
        assert!(matches!(changed, Err(FragmentError::CodingChanged { .. })));
        let audio = tracks().audio.unwrap();
        assert!(packager.needs(&au(Track::Audio, 0, true)));
        packager.learn(1, &audio).unwrap();
        assert!(!packager.needs(&au(Track::Audio, 0, true)));
        let stereo = TrackParams {
            channels: 1,
            ..audio
        };
        assert!(packager.learn(2, &stereo).is_err());
        packager.another_ring();
        assert!(packager.needs(&au(Track::Audio, 0, true)));
    }
}
