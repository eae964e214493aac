//! A window on a camera's ring becomes a plan: where reading starts and which
//! media times the clip begins and ends at.
//!
//! Pure: reads an index of access units, decides, writes nothing. It looks only
//! at what had arrived before the press, so the answer is the same before and
//! after a restart.
//!
//! Not here: the bytes (`cut` says which, `export` moves them).
//! Called by: take, to accept or refuse; what the exporter needs of it is journaled.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::mapping::{Certainty, Envelope, Mapping};
use crate::media::reorder::Reorder;
use crate::media::{AuMeta, TICKS_90K, Track};
use crate::ring::{ReadError, RingReader};

/// The index of a ring: entries in the order of their arrival.
pub trait Index: Sized {
    /// Oldest position held; equal to `head` when empty.
    fn oldest(&self) -> u64;
    /// Position after the newest.
    fn head(&self) -> u64;
    fn meta(&self, pos: u64) -> Result<AuMeta, ReadError>;
    /// Every entry held from `from` on, in their order.
    fn each(&self, from: u64, mut each: impl FnMut(u64, Result<AuMeta, ReadError>)) {
        (from.max(self.oldest())..self.head()).for_each(|pos| each(pos, self.meta(pos)));
    }
    /// What [`plan`] does.
    fn plan(&self, window: &Window) -> Result<Plan, NoFootage> {
        planned(&Held::scan(self)?, window)
    }
}

impl Index for RingReader {
    fn oldest(&self) -> u64 {
        RingReader::oldest(self)
    }
    fn head(&self) -> u64 {
        RingReader::head(self)
    }
    fn meta(&self, pos: u64) -> Result<AuMeta, ReadError> {
        RingReader::meta(self, pos)
    }
    fn each(&self, from: u64, each: impl FnMut(u64, Result<AuMeta, ReadError>)) {
        RingReader::each_meta(self, from.max(self.oldest()), each);
    }
}

/// What is wished for, of one camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `CLOCK_MONOTONIC` at the press, in nanoseconds.
    pub press_mono_ns: u64,
    /// How much later than reality the camera's picture arrives. The instant
    /// looked up is press + latency.
    pub latency_ms: u64,
    pub pre_ms: u64,
    pub post_ms: u64,
}

/// What to read, and what of it is shown. Journal it: after a restart the ring
/// may hold less than at the press.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub window: Window,
    /// Where a reader of the ring starts.
    pub first_pos: u64,
    /// Where decoding starts: the first whole key frame at or behind it.
    pub key_pos: u64,
    /// The press on the timeline of the press's epoch (`mappings[0]`), 90 kHz.
    pub press_90k: i64,
    /// What is to be shown, `[start, end)`, on the same timeline. The clip
    /// starts with the frame on screen at `start_90k`.
    pub start_90k: i64,
    pub end_90k: i64,
    /// The press's epoch first, then the earlier ones that the ring holds.
    /// Epochs that begin after the press get theirs while they are read.
    pub mappings: Vec<Mapping>,
    pub certainty: Certainty,
    /// The ring also held audio near the window.
    pub audio: bool,
    /// How many video access units may stand before one that is shown earlier.
    pub reorder_depth: usize,
    /// How much of `pre` the ring does not hold, 90 kHz ticks.
    pub short_90k: i64,
    /// Milliseconds without an access unit before the press, if 3000 or more.
    pub stale_ms: Option<u64>,
}

impl Window {
    /// The instant that is looked up: when the picture captured at the press arrives.
    pub fn instant_mono_ns(&self) -> u64 {
        self.press_mono_ns.saturating_add(ms_to_ns(self.latency_ms))
    }

    /// When the window ends, by the monotonic clock.
    pub fn end_mono_ns(&self) -> u64 {
        self.instant_mono_ns()
            .saturating_add(ms_to_ns(self.post_ms))
    }
}

impl Plan {
    /// Of a press that was noted, before its camera was asked.
    pub fn unmade(window: Window) -> Plan {
        Plan {
            window,
            first_pos: 0,
            key_pos: 0,
            press_90k: 0,
            start_90k: 0,
            end_90k: 1,
            mappings: Vec::new(),
            certainty: Certainty::Extrapolated,
            audio: false,
            reorder_depth: 0,
            short_90k: 0,
            stale_ms: None,
        }
    }

    /// Whether a ring was asked for it.
    pub fn is_made(&self) -> bool {
        !self.mappings.is_empty()
    }

    /// The press's epoch against the monotonic clock; what the timeline of the clip refers to.
    pub fn reference(&self) -> Option<&Mapping> {
        self.mappings.first()
    }
}

/// Why a camera has nothing to show. For people.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoFootage {
    #[error("no picture of this camera has arrived yet")]
    Empty,
    #[error(
        "the newest picture held is {0:.1} s older than the window asked for: is the camera connected?"
    )]
    TooOld(f64),
    #[error("the oldest picture held is {0:.1} s newer than the window asked for")]
    TooNew(f64),
    #[error("the camera sent nothing while the window lasted")]
    Hole,
    #[error("no key frame of the window was received, so nothing of it can be decoded")]
    NoKeyFrame,
    #[error("the ring cannot be read: {0}")]
    Unreadable(String),
}

/// A camera that sent nothing for this long before the press is stale.
pub const STALE_NS: u64 = 3_000_000_000;
/// A frame stands for the window's start if it is no older than this.
const STANDS_90K: i64 = 3 * TICKS_90K;
/// Arrivals that a mapping is made of.
const MAPPED_NS: u64 = 30_000_000_000;
/// Sound is read from so much before the window's start: what the snap to a
/// frame and a better alignment may move, and two frames of sound.
pub(super) const AUDIO_LEAD_90K: i64 = 3 * TICKS_90K / 2;

/// Plans the cut of `window` from what `index` holds.
pub fn plan(index: &impl Index, window: &Window) -> Result<Plan, NoFootage> {
    index.plan(window)
}

pub(super) fn planned(held: &Held, window: &Window) -> Result<Plan, NoFootage> {
    if held.video.is_empty() {
        return Err(NoFootage::Empty);
    }
    let clock = held.clock(window);
    let reference = *clock.mappings.first().ok_or(NoFootage::Empty)?;
    let press_90k = reference.media_90k(window.instant_mono_ns());
    let start_90k = press_90k.saturating_sub(ms_to_90k(window.pre_ms));
    // An empty window is the frame at the press.
    let end_90k = press_90k
        .saturating_add(ms_to_90k(window.post_ms))
        .max(start_90k.saturating_add(1));
    held.holds_some_of(&clock, start_90k, end_90k)?;
    let (key_pos, short_90k) = held.key_for(&clock, start_90k);
    let first_pos = held.first_sound(&clock, start_90k).min(key_pos);
    Ok(Plan {
        window: *window,
        first_pos,
        key_pos,
        press_90k,
        start_90k,
        end_90k,
        mappings: clock.mappings.clone(),
        certainty: clock.certainty,
        audio: held
            .audio
            .iter()
            .any(|au| au.pos >= first_pos && clock.knew(au)),
        reorder_depth: held.reorder_depth(&clock),
        short_90k,
        stale_ms: clock.stale_ms,
    })
}

pub(super) const fn ms_to_ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

fn ms_to_90k(ms: u64) -> i64 {
    i64::try_from(ms.saturating_mul(90)).map_or(FARTHEST_90K, |ticks| ticks.min(FARTHEST_90K))
}

/// Times beyond this are no times but damage; below it sums do not overflow.
const FARTHEST_90K: i64 = 1 << 57;

/// Whether an entry's times can be what a camera sent.
pub(super) fn is_plausible(au: &AuMeta) -> bool {
    [au.pts, au.pts_90k]
        .iter()
        .all(|t| t.unsigned_abs() <= FARTHEST_90K.unsigned_abs())
}

fn seconds(ticks_90k: i64) -> f64 {
    // Only shown to people.
    ticks_90k as f64 / TICKS_90K as f64
}

/// A whole key frame: decoding can start here.
pub(super) fn is_sound_key(au: &AuMeta) -> bool {
    au.track == Track::Video && au.flags.key && !au.flags.tainted && !au.flags.gap
}

/// What is asked of an entry: a ring holds thousands, and somebody stands before a light
/// while all are looked at.
#[derive(Clone, Copy)]
struct Seen {
    pos: u64,
    pts_90k: i64,
    arrival_mono_ns: u64,
    epoch: u32,
    /// Decoding can start here.
    key: bool,
}

impl Seen {
    fn of(pos: u64, au: &AuMeta) -> Seen {
        Seen {
            pos,
            pts_90k: au.pts_90k,
            arrival_mono_ns: au.arrival_mono_ns,
            epoch: au.epoch,
            key: is_sound_key(au),
        }
    }

    fn as_mapping(&self) -> Mapping {
        Mapping {
            epoch: self.epoch,
            anchor_90k: self.pts_90k,
            anchor_mono_ns: self.arrival_mono_ns,
        }
    }
}

/// What a ring holds of one track, in order.
#[derive(Default)]
struct OfTrack {
    all: Vec<Seen>,
    /// How many of them were forgotten since.
    forgotten: usize,
}

impl OfTrack {
    fn forget_before(&mut self, pos: u64) {
        self.forgotten += self.partition_point(|au| au.pos < pos);
        // Now and then, so that it costs nothing.
        if self.forgotten > self.all.len() / 2 {
            self.all.drain(..self.forgotten);
            self.forgotten = 0;
        }
    }
}

impl Deref for OfTrack {
    type Target = [Seen];
    fn deref(&self) -> &[Seen] {
        &self.all[self.forgotten..]
    }
}

/// What a ring holds, by track, as far as plans are made of it.
#[derive(Default)]
pub(super) struct Held {
    video: OfTrack,
    audio: OfTrack,
}

/// The epochs against the monotonic clock, as known at the press.
struct ClockAtPress {
    /// The press's epoch first, then the earlier ones.
    mappings: Vec<Mapping>,
    certainty: Certainty,
    stale_ms: Option<u64>,
    /// What arrived later had not happened yet when the button was pressed;
    /// it must not change the plan.
    known_until_mono_ns: u64,
}

impl ClockAtPress {
    /// The AU on the timeline of the press's epoch; `None` if its epoch began later.
    fn place(&self, au: &Seen) -> Option<i64> {
        let reference = self.mappings.first()?;
        if au.epoch == reference.epoch {
            return Some(au.pts_90k);
        }
        let own = self.mappings.iter().find(|m| m.epoch == au.epoch)?;
        Some(au.pts_90k.saturating_add(own.shift_to(reference)))
    }

    fn knew(&self, au: &Seen) -> bool {
        au.arrival_mono_ns <= self.known_until_mono_ns
    }
}

impl Held {
    fn scan(index: &impl Index) -> Result<Held, NoFootage> {
        let mut held = Held::default();
        let mut unreadable = None;
        index.each(index.oldest(), |pos, entry| match entry {
            Ok(au) => held.see(pos, &au),
            // Overwritten while we looked: what is left goes on.
            Err(ReadError::NotYet | ReadError::Overtaken { .. }) => {}
            Err(other) => {
                unreadable.get_or_insert(other);
            }
        });
        match unreadable {
            Some(why) => Err(NoFootage::Unreadable(why.to_string())),
            None => Ok(held),
        }
    }

    /// The next entry.
    pub fn see(&mut self, pos: u64, au: &AuMeta) {
        if au.flags.gap || !is_plausible(au) {
            return;
        }
        let track = match au.track {
            Track::Video => &mut self.video,
            Track::Audio => &mut self.audio,
        };
        track.all.push(Seen::of(pos, au));
    }

    pub fn forget_before(&mut self, pos: u64) {
        self.video.forget_before(pos);
        self.audio.forget_before(pos);
    }

    fn clock(&self, window: &Window) -> ClockAtPress {
        let press = window.press_mono_ns;
        let before = self.video.partition_point(|au| au.arrival_mono_ns <= press);
        match self.video[..before].last() {
            Some(newest) => self.clock_before(press, before, newest),
            None => self.clock_after(),
        }
    }

    /// The usual case: the ring holds pictures that had arrived at the press.
    fn clock_before(&self, press: u64, before: usize, newest: &Seen) -> ClockAtPress {
        let silent_ns = press.saturating_sub(newest.arrival_mono_ns);
        let stale = silent_ns >= STALE_NS;
        let mut mappings = Vec::new();
        let mut certainty = Certainty::Extrapolated;
        let mut rest = &self.video[..before];
        while let Some(last) = rest.last() {
            let from = rest
                .iter()
                .rposition(|au| au.epoch != last.epoch)
                .map_or(0, |other| other + 1);
            // A silent camera's clock is the one that it had when it fell silent.
            let until = if mappings.is_empty() && !stale {
                press
            } else {
                last.arrival_mono_ns
            };
            let mut envelope = Envelope::default();
            rest[from..]
                .iter()
                .filter(|au| au.arrival_mono_ns.saturating_add(MAPPED_NS) >= until)
                .for_each(|au| envelope.add_arrival(au.as_mapping()));
            if mappings.is_empty() && !stale {
                certainty = envelope.certainty();
            }
            mappings.extend(envelope.mapping());
            rest = &rest[..from];
        }
        ClockAtPress {
            mappings,
            certainty,
            stale_ms: stale.then_some(silent_ns / 1_000_000),
            known_until_mono_ns: press,
        }
    }

    /// All that the ring holds came after the press (the ring began anew):
    /// its first epoch's clock is carried back.
    fn clock_after(&self) -> ClockAtPress {
        let first = &self.video[0];
        let mut envelope = Envelope::default();
        self.video
            .iter()
            .take_while(|au| au.epoch == first.epoch)
            .filter(|au| au.arrival_mono_ns <= first.arrival_mono_ns.saturating_add(MAPPED_NS))
            .for_each(|au| envelope.add_arrival(au.as_mapping()));
        ClockAtPress {
            mappings: envelope.mapping().into_iter().collect(),
            certainty: Certainty::Extrapolated,
            stale_ms: None,
            known_until_mono_ns: u64::MAX,
        }
    }

    /// The window has pictures if one begins in it, or stands at its start.
    /// Epochs that begin after the press count, by their own mappings.
    fn holds_some_of(
        &self,
        clock: &ClockAtPress,
        start_90k: i64,
        end_90k: i64,
    ) -> Result<(), NoFootage> {
        let later = self.later_epochs(clock);
        let (mut newest, mut oldest) = (i64::MIN, i64::MAX);
        // From the newest: that is where windows are.
        for au in self.video.iter().rev() {
            let Some(t) = clock.place(au).or_else(|| later.place(au)) else {
                continue;
            };
            if t > start_90k.saturating_sub(STANDS_90K) && t < end_90k {
                return Ok(());
            }
            newest = newest.max(t);
            oldest = oldest.min(t);
        }
        if newest <= start_90k {
            Err(NoFootage::TooOld(seconds(start_90k.saturating_sub(newest))))
        } else if oldest >= end_90k {
            Err(NoFootage::TooNew(seconds(oldest.saturating_sub(end_90k))))
        } else {
            Err(NoFootage::Hole)
        }
    }

    /// Mappings of the epochs that the press did not know, behind its own.
    fn later_epochs(&self, clock: &ClockAtPress) -> ClockAtPress {
        let mut envelopes: BTreeMap<u32, Envelope> = BTreeMap::new();
        for au in self.video.iter() {
            if clock.mappings.iter().all(|m| m.epoch != au.epoch) {
                let envelope = envelopes.entry(au.epoch).or_default();
                envelope.add_arrival(au.as_mapping());
            }
        }
        let mut mappings: Vec<Mapping> = clock.mappings.first().copied().into_iter().collect();
        mappings.extend(envelopes.values().filter_map(Envelope::mapping));
        ClockAtPress {
            mappings,
            certainty: clock.certainty,
            stale_ms: clock.stale_ms,
            known_until_mono_ns: u64::MAX,
        }
    }

    /// The key frame to decode from, and how much of `pre` that leaves out.
    ///
    /// The newest whole key frame shown at or before the start is also at or
    /// before the first frame in decoding order: whatever is shown between two
    /// key frames but decoded behind the second (RASL and RADL pictures) is shown before the
    /// second, so with the second shown after the start, decoding starts at the first.
    fn key_for(&self, clock: &ClockAtPress, start_90k: i64) -> (u64, i64) {
        let keys = || {
            self.video
                .iter()
                .filter(|au| au.key && clock.knew(au))
                .filter_map(|au| Some((au.pos, clock.place(au)?)))
        };
        if let Some((pos, _)) = keys().rfind(|(_, t)| *t <= start_90k) {
            return (pos, 0);
        }
        match keys().next() {
            Some((pos, t)) => (pos, t.saturating_sub(start_90k)),
            // None yet: the cut starts at the first that comes.
            None => (self.video[0].pos, 0),
        }
    }

    /// Sound may come long before the picture that it belongs to.
    fn first_sound(&self, clock: &ClockAtPress, start_90k: i64) -> u64 {
        self.audio
            .iter()
            .filter(|au| clock.knew(au))
            .filter(|au| {
                clock
                    .place(au)
                    .is_some_and(|t| t >= start_90k.saturating_sub(AUDIO_LEAD_90K))
            })
            .map(|au| au.pos)
            .next()
            .unwrap_or(u64::MAX)
    }

    fn reorder_depth(&self, clock: &ClockAtPress) -> usize {
        let mut reorder = Reorder::default();
        let mut epoch = None;
        for au in self.video.iter().filter(|au| clock.knew(au)) {
            if epoch.replace(au.epoch) != Some(au.epoch) {
                reorder.begin_epoch();
            }
            reorder.add(au.pts_90k);
        }
        reorder.depth()
    }
}
