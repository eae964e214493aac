//! A window on a camera's footage becomes a plan.
//!
//! Reads an index of access units, decides, writes nothing. It looks only
//! at what had arrived before the press, so the answer is the same before and
//! after a restart.
//!
//! Not here: what is wished for and what a plan says (`window`).

use std::collections::BTreeMap;

use super::footage::Index;
use super::mapping::{Envelope, Mapping};
use super::sentence::{NoFootage, Tenths};
use super::track_index::{IndexEntry, TrackIndex};
use super::types::Certainty;
use super::window::{AUDIO_LEAD_90K, Plan, Window, ms_to_90k};
use crate::media::TICKS_90K;
use crate::media::reorder::Reorder;

/// A camera that sent nothing for this long before the press is stale.
const STALE_NS: u64 = 3_000_000_000;
/// A frame stands for the window's start if it is no older than this.
const STANDS_90K: i64 = 3 * TICKS_90K;
/// Arrivals that a mapping is made of.
const MAPPED_NS: u64 = 30_000_000_000;

/// Plans the cut of `window` from what `index` holds.
pub fn plan(index: &impl Index, window: &Window) -> Result<Plan, NoFootage> {
    let held = &*index.by_track()?;
    if held.video.is_empty() {
        return Err(NoFootage::Empty {});
    }
    Planner { held }.plan(window)
}

struct Planner<'a> {
    held: &'a TrackIndex,
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
    fn place(&self, au: &IndexEntry) -> Option<i64> {
        let reference = self.mappings.first()?;
        if au.epoch == reference.epoch {
            return Some(au.pts_90k);
        }
        let own = self.mappings.iter().find(|m| m.epoch == au.epoch)?;
        Some(au.pts_90k.saturating_add(own.shift_to(reference)))
    }

    fn knew(&self, au: &IndexEntry) -> bool {
        au.arrival_mono_ns <= self.known_until_mono_ns
    }
}

impl Planner<'_> {
    fn plan(&self, window: &Window) -> Result<Plan, NoFootage> {
        let clock = self.clock(window);
        let reference = *clock.mappings.first().ok_or(NoFootage::Empty {})?;
        let press_90k = reference.media_90k(window.instant_mono_ns());
        let start_90k = press_90k.saturating_sub(ms_to_90k(window.pre_ms));
        // An empty window is the frame at the press.
        let end_90k = press_90k
            .saturating_add(ms_to_90k(window.post_ms))
            .max(start_90k.saturating_add(1));
        self.holds_some_of(&clock, start_90k, end_90k)?;
        let (key_pos, short_90k) = self.key_for(&clock, start_90k);
        let first_pos = self.first_sound(&clock, start_90k).min(key_pos);
        Ok(Plan {
            window: *window,
            first_pos,
            key_pos,
            press_90k,
            start_90k,
            end_90k,
            mappings: clock.mappings.clone(),
            certainty: clock.certainty,
            audio: self
                .held
                .audio
                .iter()
                .any(|au| au.pos >= first_pos && clock.knew(au)),
            reorder_depth: self.reorder_depth(&clock),
            short_90k,
            stale_ms: clock.stale_ms,
        })
    }

    fn clock(&self, window: &Window) -> ClockAtPress {
        let press = window.press_mono_ns;
        let before = self
            .held
            .video
            .partition_point(|au| au.arrival_mono_ns <= press);
        match self.held.video[..before].last() {
            Some(newest) => self.clock_before(press, before, newest),
            None => self.clock_after(),
        }
    }

    /// The usual case: the ring holds pictures that had arrived at the press.
    fn clock_before(&self, press: u64, before: usize, newest: &IndexEntry) -> ClockAtPress {
        let silent_ns = press.saturating_sub(newest.arrival_mono_ns);
        let stale = silent_ns >= STALE_NS;
        let mut mappings = Vec::new();
        let mut certainty = Certainty::Extrapolated;
        let mut rest = &self.held.video[..before];
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
        let first = &self.held.video[0];
        let mut envelope = Envelope::default();
        self.held
            .video
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
        for au in self.held.video.iter().rev() {
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
            Err(NoFootage::TooOld {
                older_ms: Tenths::of_90k(start_90k.saturating_sub(newest)),
            })
        } else if oldest >= end_90k {
            Err(NoFootage::TooNew {
                newer_ms: Tenths::of_90k(oldest.saturating_sub(end_90k)),
            })
        } else {
            Err(NoFootage::Hole {})
        }
    }

    /// Mappings of the epochs that the press did not know, behind its own.
    fn later_epochs(&self, clock: &ClockAtPress) -> ClockAtPress {
        let mut envelopes: BTreeMap<u32, Envelope> = BTreeMap::new();
        for au in self.held.video.iter() {
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
            self.held
                .video
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
            None => (self.held.video[0].pos, 0),
        }
    }

    /// Sound may come long before the picture that it belongs to.
    fn first_sound(&self, clock: &ClockAtPress, start_90k: i64) -> u64 {
        self.held
            .audio
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
        for au in self.held.video.iter().filter(|au| clock.knew(au)) {
            if epoch.replace(au.epoch) != Some(au.epoch) {
                reorder.begin_epoch();
            }
            reorder.add(au.pts_90k);
        }
        reorder.depth()
    }
}
