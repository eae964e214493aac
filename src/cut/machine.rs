//! The cut as a state machine: access units in ring order in, a clip's index
//! and the facts for its sidecar out.
//!
//! What it takes is decided while the window still runs; what is shown, and
//! when, is decided in `finish` from the taken access units alone. So the facts
//! an exporter noted beside its temporary file, played back through
//! [`Cut::replay`], give the same clip.
//!
//! Not here: bytes and files (`highlight`), boxes (`mp4`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finish::{code_ahead, finish};
use super::lossless::CodedAhead;
use super::mapping::{Envelope, Mapping};
use super::sentence::NoFootage;
use super::sound;
use super::taken::{Event, InForce, Leading, Told};
use super::types::{Ended, FinishedCut};
use super::window::{AUDIO_LEAD_90K, Plan, is_plausible, is_sound_key, ms_to_ns};
use crate::media::reorder::Reorder;
use crate::media::{Alignment, AuMeta, Codec, Track, TrackParams, pcm};

/// What becomes of an offered access unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Its bytes belong at the offset it was offered with.
    Take,
    /// Its bytes are PCM: they belong to [`Cut::hear`], and into no file before the end.
    Hear,
    /// It has no bytes for the clip, but says something about it (a gap, the
    /// proof of its end): note the fact.
    Note,
    Leave,
}

/// One thing that a cut was told; everything a salvage needs, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    Params {
        generation: u32,
        params: TrackParams,
    },
    /// An AU that was answered with `Take`.
    Taken { pos: u64, au: AuMeta, offset: u64 },
    /// An AU that was answered with `Hear`, with its bytes.
    Heard {
        pos: u64,
        au: AuMeta,
        #[serde(with = "super::base64_bytes")]
        bytes: Vec<u8>,
    },
    /// An AU that was answered with `Note`.
    Noted { pos: u64, au: AuMeta },
    /// What `lost` was told.
    Lost { from_pos: u64, to_pos: u64 },
}

/// A track is given up so long after another one was complete.
const AFTER_ANOTHER_NS: u64 = ms_to_ns(300);
/// No track is waited for longer than this behind the mapped end.
const AFTER_THE_END_NS: u64 = ms_to_ns(3000);

/// PCM of so much more than the window is heard.
const MORE_PCM_S: u64 = 5;

/// The cut of one plan.
#[derive(Clone, Debug)]
pub struct Cut {
    told: Told,
    ahead: CodedAhead,
    /// Clocks of the epochs that begin after the press, as far as seen.
    later: BTreeMap<u32, Envelope>,
    video: VideoState,
    audio: AudioState,
    /// An AU came later than any wait: what is missing will not come.
    expired: bool,
}

#[derive(Clone, Debug)]
struct VideoState {
    /// Decoding has begun.
    started: bool,
    leading: Leading,
    in_force: InForce,
    epoch: Option<u32>,
    reorder: Reorder,
    /// AUs shown at or behind the end.
    beyond: usize,
    /// Arrival of the AU that proved that no more pictures can come.
    complete_mono_ns: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct AudioState {
    expected: bool,
    complete_mono_ns: Option<u64>,
    /// Best known place of an epoch's sound on its picture's timeline.
    offsets: BTreeMap<u32, (Alignment, i64)>,
}

impl Cut {
    pub fn new(plan: &Plan) -> Cut {
        Cut {
            told: Told {
                plan: plan.clone(),
                params: BTreeMap::new(),
                events: Vec::new(),
                pcm: Vec::new(),
            },
            ahead: CodedAhead::default(),
            later: BTreeMap::new(),
            video: VideoState {
                started: false,
                leading: Leading::default(),
                in_force: InForce::default(),
                epoch: None,
                reorder: Reorder::known(plan.reorder_depth),
                beyond: 0,
                complete_mono_ns: None,
            },
            audio: AudioState {
                expected: plan.audio,
                ..AudioState::default()
            },
            expired: false,
        }
    }

    /// True if parameters of this generation must be told before its AUs are offered.
    pub fn needs_params(&self, generation: u32) -> bool {
        !self.told.params.contains_key(&generation)
    }

    /// Tells the parameters of a generation. AUs whose generation was never told are left.
    pub fn params(&mut self, generation: u32, params: &TrackParams) {
        self.told.params.insert(generation, params.clone());
    }

    /// What must be written directly in front of the AU's bytes if it is taken:
    /// mostly nothing; parameter sets where they change.
    pub fn prefix(&self, au: &AuMeta) -> Vec<u8> {
        if au.track != Track::Video || au.flags.gap {
            return Vec::new();
        }
        self.video.in_force.sets_before(au, &self.told.params)
    }

    /// Offers the AU at `pos`; AUs come in ring order, from `plan.first_pos`.
    /// `offset` is where its own bytes would lie in the clip's data, behind its
    /// [`Cut::prefix`].
    pub fn offer(&mut self, pos: u64, au: &AuMeta, offset: u64) -> Offer {
        if pos < self.told.plan.first_pos || self.done() || !is_plausible(au) {
            return Offer::Leave;
        }
        if au.arrival_mono_ns > self.deadline_mono_ns() {
            self.expired = true;
            return Offer::Leave;
        }
        let offer = match (au.flags.gap, au.track) {
            (true, _) => self.offer_gap(au),
            _ if self.needs_params(au.generation) => Offer::Leave,
            (false, Track::Video) => self.offer_video(pos, au),
            (false, Track::Audio) => self.offer_audio(au),
        };
        match offer {
            Offer::Take => self.told.events.push(Event::Taken { au: *au, offset }),
            Offer::Note => self.told.events.push(Event::Noted { au: *au }),
            // The event is `hear`'s.
            Offer::Hear | Offer::Leave => {}
        }
        offer
    }

    /// Hands over the bytes of an AU that was answered with [`Offer::Hear`].
    pub fn hear(&mut self, au: &AuMeta, bytes: &[u8]) {
        let pcm = &mut self.told.pcm;
        let offset = u64::try_from(pcm.len()).unwrap_or(u64::MAX);
        pcm.extend_from_slice(bytes);
        self.told.events.push(Event::Heard { au: *au, offset });
    }

    /// The ring's writer was faster: `[from_pos, to_pos)` will never be offered.
    pub fn lost(&mut self, from_pos: u64, to_pos: u64) {
        if to_pos > from_pos && !self.done() {
            let entries = to_pos - from_pos;
            self.told.events.push(Event::Lost { entries });
        }
    }

    /// Plays back what an exporter noted; then `finish` gives what it would
    /// have given, or more AUs may be offered. No decision is taken anew.
    pub fn replay(&mut self, fact: &Fact) {
        match fact {
            Fact::Params { generation, params } => self.params(*generation, params),
            Fact::Taken { au, offset, .. } => {
                self.told.events.push(Event::Taken {
                    au: *au,
                    offset: *offset,
                });
                match au.track {
                    Track::Video => {
                        self.video.leading.lacks_reference(au);
                        self.learn_video(au);
                        self.took_video(au);
                    }
                    Track::Audio => {
                        self.place_audio(au);
                    }
                }
            }
            Fact::Heard { au, bytes, .. } => {
                self.hear(au, bytes);
                self.place_audio(au);
            }
            Fact::Noted { au, .. } => {
                self.told.events.push(Event::Noted { au: *au });
                match au.track {
                    _ if au.flags.gap => {}
                    Track::Video => self.video.complete_mono_ns = Some(au.arrival_mono_ns),
                    Track::Audio => self.audio.complete_mono_ns = Some(au.arrival_mono_ns),
                }
            }
            Fact::Lost { from_pos, to_pos } => self.lost(*from_pos, *to_pos),
        }
    }

    /// Every track was proved complete by an AU, or an AU arrived later than
    /// the limits allow: read no further. Holds whether the AUs are read live or long after.
    pub fn done(&self) -> bool {
        let audio = !self.audio.expected || self.audio.complete_mono_ns.is_some();
        self.expired || (self.video.complete_mono_ns.is_some() && audio)
    }

    /// The latest instant to wait for, `CLOCK_MONOTONIC` in nanoseconds: 300 ms
    /// after the first track was complete, else 3 s after the mapped end.
    ///
    /// Two things must not be mistaken for a track that stays away: sound that runs ahead of the
    /// picture (nobody is given up before the window itself has ended), and a picture that
    /// a camera collects before it sends it (few frames a second, B-frames).
    pub fn deadline_mono_ns(&self) -> u64 {
        let end = self.told.plan.window.end_mono_ns();
        let last = end.saturating_add(AFTER_THE_END_NS);
        let first_complete = [self.video.complete_mono_ns, self.audio.complete_mono_ns]
            .into_iter()
            .flatten()
            .min();
        let step_90k = self.video.reorder.step_90k().unsigned_abs();
        let wait_ns = AFTER_ANOTHER_NS.saturating_add(step_90k.saturating_mul(100_000) / 9);
        first_complete.map_or(last, |at| at.max(end).saturating_add(wait_ns).min(last))
    }

    /// `done`, or past the deadline. To be asked with an instant taken *before* the
    /// reader looked at the ring's head and found nothing more to offer.
    pub fn complete(&self, drained_mono_ns: u64) -> bool {
        self.done() || drained_mono_ns > self.deadline_mono_ns()
    }

    /// Expected instant of the window's end, `CLOCK_MONOTONIC` in nanoseconds: poll tightly near it.
    pub fn wake_hint_mono_ns(&self) -> u64 {
        self.told.plan.window.end_mono_ns()
    }

    /// Codes what has been heard so far, for the clip as it looks now: what [`Cut::finish`] gives is the same with it
    /// and without, but sooner. To be called now and then while the window runs.
    pub fn code_ahead(&mut self) {
        if !self.told.pcm.is_empty() {
            code_ahead(&self.told, &mut self.ahead);
        }
    }

    /// Decides the clip. `ended`: what made the exporter stop reading
    /// (`Complete` becomes `Camera` or `ParametersChanged` where that is so).
    pub fn finish(self, ended: Ended) -> Result<FinishedCut, NoFootage> {
        finish(&self.told, ended, self.ahead)
    }

    /// The epoch's clock: the plan's, or as far as seen.
    fn mapping(&self, epoch: u32) -> Option<Mapping> {
        let planned = self.told.plan.mappings.iter().find(|m| m.epoch == epoch);
        planned
            .copied()
            .or_else(|| self.later.get(&epoch)?.mapping())
    }

    /// Ticks from an epoch's timeline to the clip's reference.
    fn shift(&self, epoch: u32) -> Option<i64> {
        Some(self.mapping(epoch)?.shift_to(self.told.plan.reference()?))
    }

    /// A hole that the ring knows of: too large an AU.
    fn offer_gap(&mut self, au: &AuMeta) -> Offer {
        let late = self
            .shift(au.epoch)
            .is_none_or(|shift| au.pts_90k.saturating_add(shift) >= self.told.plan.end_90k);
        if late || !self.video.started {
            return Offer::Leave;
        }
        Offer::Note
    }

    fn offer_video(&mut self, pos: u64, au: &AuMeta) -> Offer {
        // A key frame of an epoch that the plan did not know is none before the start.
        let late_enough = pos >= self.told.plan.key_pos || self.began_later(au.epoch);
        let begun = self.video.started || (late_enough && is_sound_key(au));
        if self.video.complete_mono_ns.is_some() || !begun || self.video.leading.lacks_reference(au)
        {
            return Offer::Leave;
        }
        let (seam, t) = self.learn_video(au);
        let behind = t >= self.told.plan.end_90k;
        if behind && (seam || !self.video.started || self.proves_end(au)) {
            self.video.complete_mono_ns = Some(au.arrival_mono_ns);
            return Offer::Note;
        }
        // The key frame that brought these parameters was lost: no decoder knows them.
        if !au.flags.key && !self.video.in_force.fits(au, &self.told.params) {
            return Offer::Leave;
        }
        self.took_video(au);
        Offer::Take
    }

    fn took_video(&mut self, au: &AuMeta) {
        if !self.video.started {
            self.video.leading = Leading::of(au);
        }
        self.video.started = true;
        self.video.in_force.follow(au);
    }

    /// Learns what a decodable picture says; whether it begins another epoch than the one
    /// before it, and its place on the clip's reference timeline.
    fn learn_video(&mut self, au: &AuMeta) -> (bool, i64) {
        let seam = self.follow_epoch(au);
        let t = self
            .shift(au.epoch)
            .map_or(i64::MAX, |shift| au.pts_90k.saturating_add(shift));
        if t >= self.told.plan.end_90k {
            self.video.beyond += 1;
        }
        (seam, t)
    }

    fn began_later(&self, epoch: u32) -> bool {
        self.told.plan.mappings.iter().all(|m| m.epoch != epoch)
    }

    /// Learns the clock and the order of pictures; true if this AU begins
    /// another epoch than the one before it.
    fn follow_epoch(&mut self, au: &AuMeta) -> bool {
        if self.began_later(au.epoch) {
            self.later.entry(au.epoch).or_default().add(au);
        }
        let before = self.video.epoch.replace(au.epoch);
        let seam = before.is_some_and(|epoch| epoch != au.epoch);
        if seam {
            self.video.reorder.begin_epoch();
        }
        self.video.reorder.add(au.pts_90k);
        seam
    }

    /// Whether an AU at or behind the end proves that every picture before the
    /// end was seen: its decode time is at or behind the end, too.
    fn proves_end(&self, au: &AuMeta) -> bool {
        let codec = self.told.params.get(&au.generation).map(|p| p.codec);
        // Nothing decoded behind an IDR of H.264 is shown before it. (In H.265 RADL pictures are.)
        let closed = au.flags.key && codec == Some(Codec::H264);
        closed || self.video.beyond > self.video.reorder.depth()
    }

    fn offer_audio(&mut self, au: &AuMeta) -> Offer {
        if self.audio.complete_mono_ns.is_some() {
            return Offer::Leave;
        }
        let Some(t) = self.place_audio(au) else {
            return Offer::Leave;
        };
        if t >= self.told.plan.end_90k {
            self.audio.complete_mono_ns = Some(au.arrival_mono_ns);
            return Offer::Note;
        }
        if t < self.told.plan.start_90k.saturating_sub(AUDIO_LEAD_90K) {
            return Offer::Leave;
        }
        match self.told.params.get(&au.generation) {
            Some(params) if params.codec.is_pcm() => self.offer_pcm(au, params),
            _ => Offer::Take,
        }
    }

    /// No camera fills our memory: its times let no more in than they say, twice over.
    fn offer_pcm(&self, au: &AuMeta, params: &TrackParams) -> Offer {
        let window = &self.told.plan.window;
        let window_ms = window.pre_ms.saturating_add(window.post_ms);
        let most_s = window_ms.div_ceil(1_000).saturating_add(MORE_PCM_S);
        let most = most_s.saturating_mul(2 * u64::from(params.timescale));
        let held = self
            .told
            .pcm
            .len()
            .saturating_add(usize::try_from(au.len).unwrap_or(0));
        match u64::try_from(pcm::ticks(params, held)) {
            Ok(ticks) if ticks <= most => Offer::Hear,
            _ => Offer::Leave,
        }
    }

    /// On the clip's reference timeline, as far as known now.
    fn place_audio(&mut self, au: &AuMeta) -> Option<i64> {
        self.audio.expected = true;
        let rate = self.told.params.get(&au.generation)?.timescale;
        let offset = au.pts_90k.saturating_sub(sound::to_90k(au.pts, rate));
        let best = self
            .audio
            .offsets
            .entry(au.epoch)
            .or_insert((au.alignment, offset));
        if au.alignment >= best.0 {
            *best = (au.alignment, offset);
        }
        let t = sound::to_90k(au.pts, rate).saturating_add(best.1);
        match self.shift(au.epoch) {
            Some(shift) => Some(t.saturating_add(shift)),
            // Sound of an epoch whose picture has not come yet.
            None => Some(self.told.plan.reference()?.media_90k(au.arrival_mono_ns)),
        }
    }
}
