//! The pictures of a clip: placed on one timeline, of one set of parameters,
//! decodable from the first on; and what is known about the holes in them.
//!
//! Not here: where the clip starts and ends (`finish`), holes as a person reads them (`gaps`).

use std::collections::BTreeMap;

use super::mapping::Envelope;
use super::taken::{Event, InForce, Leading, Told};
use super::types::GapReason;
use super::window::is_sound_key;
use crate::media::reorder::Reorder;
use crate::media::{AuMeta, Track, TrackParams};

/// Whether a clip may hold two sets of parameters of the same codec, as two
/// sample entries. FFmpeg, Chromium and GStreamer play that where the new sets
/// stand in band as well; see `tests/players`.
const SECOND_SAMPLE_ENTRY: bool = true;

/// One picture, on the clip's reference timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedPicture {
    pub au: AuMeta,
    /// Of its own bytes; parameter sets of so many bytes stand in front of them.
    pub offset: u64,
    pub prefix: u32,
    pub t: i64,
    /// Something that it may need is missing.
    pub damaged: bool,
}

/// A sign that something is missing before the picture shown at `t`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub t: i64,
    pub reason: GapReason,
    pub lost_packets: u64,
    pub lost_access_units: u64,
    pub dropped_bytes: u64,
}

/// All that was taken, sorted out.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In decoding order.
    pub pictures: Vec<PlacedPicture>,
    pub evidence: Vec<Evidence>,
    /// In ring order, with their offsets.
    pub audio: Vec<(AuMeta, u64)>,
    /// Ticks from an epoch's timeline to the reference.
    pub shifts: BTreeMap<u32, i64>,
    /// Arrivals of the AUs that proved a track complete.
    pub video_proof_mono_ns: Option<u64>,
    pub audio_proof_mono_ns: Option<u64>,
    pub reorder_depth: usize,
    pub reorder_step_90k: i64,
    /// The ring was faster than the reader before the first picture.
    pub overtaken_first: bool,
    /// Pictures in front of / behind the kept ones had other parameters; the
    /// time of the first one behind.
    pub changed_before: bool,
    pub changed_after_90k: Option<i64>,
}

/// What the walk over the events knows at each.
struct Walk {
    epoch: Option<u32>,
    in_force: InForce,
    /// AUs overtaken since the last picture.
    overtaken: u64,
    /// Something is missing since the last key frame.
    dirty: bool,
    /// The same for the key frame before: RASL pictures need both.
    dirty_before_key: bool,
    reorder: Reorder,
}

pub(super) fn gather(told: &Told) -> Gathered {
    let mut all = Gathered {
        shifts: shifts(told),
        ..Gathered::default()
    };
    let mut walk = Walk {
        epoch: None,
        in_force: InForce::default(),
        overtaken: 0,
        dirty: false,
        dirty_before_key: false,
        reorder: Reorder::known(told.plan.reorder_depth),
    };
    for event in &told.events {
        match event {
            Event::Lost { entries } => {
                walk.overtaken += entries;
                walk.dirty = true;
            }
            Event::Taken { au, offset } | Event::Heard { au, offset }
                if au.track == Track::Audio =>
            {
                all.audio.push((*au, *offset));
            }
            Event::Taken { au, offset } => {
                let sets = walk.in_force.sets_before(au, &told.params);
                walk.in_force.follow(au);
                let prefix = u32::try_from(sets.len()).unwrap_or(0);
                all.take_picture(&mut walk, au, *offset, prefix);
            }
            Event::Heard { .. } => {}
            Event::Noted { au } => all.note(&mut walk, au),
        }
    }
    all.reorder_depth = walk.reorder.depth();
    all.reorder_step_90k = walk.reorder.step_90k();
    all
}

/// Every epoch's place: by the plan, and for those that began after the press
/// by the lower envelope over their taken pictures.
fn shifts(told: &Told) -> BTreeMap<u32, i64> {
    let Some(reference) = told.plan.reference() else {
        return BTreeMap::new();
    };
    let mut later: BTreeMap<u32, Envelope> = BTreeMap::new();
    for event in &told.events {
        let au = match event {
            Event::Taken { au, .. } | Event::Noted { au } => au,
            Event::Heard { .. } | Event::Lost { .. } => continue,
        };
        if au.track == Track::Video && !au.flags.gap {
            later.entry(au.epoch).or_default().add(au);
        }
    }
    let later = later.values().filter_map(Envelope::mapping);
    later
        .chain(told.plan.mappings.iter().copied())
        .map(|mapping| (mapping.epoch, mapping.shift_to(reference)))
        .collect()
}

impl Gathered {
    fn place(&self, au: &AuMeta) -> Option<i64> {
        Some(au.pts_90k.saturating_add(*self.shifts.get(&au.epoch)?))
    }

    fn take_picture(&mut self, walk: &mut Walk, au: &AuMeta, offset: u64, prefix: u32) {
        let Some(t) = self.place(au) else { return };
        if self.pictures.is_empty() {
            self.overtaken_first = walk.overtaken > 0;
            walk.overtaken = 0;
            walk.epoch = Some(au.epoch);
        }
        let seam = self.observe(walk, au, t);
        if seam {
            walk.reorder.begin_epoch();
        }
        walk.reorder.add(au.pts_90k);
        let broken = seam || (au.lost_packets > 0 && !self.pictures.is_empty());
        if is_sound_key(au) {
            walk.dirty_before_key = walk.dirty || broken;
            walk.dirty = false;
        } else {
            walk.dirty |= broken || au.flags.tainted;
        }
        self.pictures.push(PlacedPicture {
            au: *au,
            offset,
            prefix,
            t,
            damaged: walk.dirty || (au.flags.rasl && walk.dirty_before_key),
        });
    }

    /// Collects what the AU says about a hole before it; true at a seam.
    fn observe(&mut self, walk: &mut Walk, au: &AuMeta, t: i64) -> bool {
        let seam = walk.epoch.replace(au.epoch) != Some(au.epoch);
        let overtaken = std::mem::take(&mut walk.overtaken);
        // What was lost before the first picture is nothing of the clip's.
        let lost = if self.pictures.is_empty() {
            0
        } else {
            au.lost_packets
        };
        let reason = match (overtaken, seam, lost) {
            (1.., _, _) => GapReason::Overtaken,
            (0, true, _) => GapReason::Reconnected,
            (0, false, 1..) => GapReason::Lost,
            (0, false, 0) => return seam,
        };
        self.evidence.push(Evidence {
            t,
            reason,
            lost_packets: u64::from(lost),
            lost_access_units: overtaken,
            dropped_bytes: 0,
        });
        seam
    }

    fn note(&mut self, walk: &mut Walk, au: &AuMeta) {
        if au.flags.gap {
            walk.dirty |= au.track == Track::Video;
            if let (Track::Video, Some(t)) = (au.track, self.place(au)) {
                self.evidence.push(Evidence {
                    t,
                    reason: GapReason::TooLarge,
                    lost_packets: u64::from(au.lost_packets),
                    lost_access_units: 1,
                    dropped_bytes: u64::from(au.dropped_bytes),
                });
            }
            return;
        }
        match au.track {
            Track::Audio => self.audio_proof_mono_ns = Some(au.arrival_mono_ns),
            Track::Video => {
                self.video_proof_mono_ns = Some(au.arrival_mono_ns);
                if let (Some(t), false) = (self.place(au), self.pictures.is_empty()) {
                    self.observe(walk, au, t);
                }
            }
        }
    }

    /// Keeps what one clip can hold: the pictures with the parameters of the
    /// press, without overlaps of epochs, from a whole key frame on.
    pub(super) fn keep_decodable(&mut self, params: &BTreeMap<u32, TrackParams>, press_90k: i64) {
        self.keep_side_of(params, press_90k);
        self.trim_seams();
        let first = self
            .pictures
            .iter()
            .position(|p| is_sound_key(&p.au))
            .unwrap_or(self.pictures.len());
        self.pictures.drain(..first);
        let Some(key) = self.pictures.first().map(|p| p.au) else {
            return;
        };
        let mut leading = Leading::of(&key);
        let mut at_key = true;
        self.pictures
            .retain(|p| std::mem::take(&mut at_key) || !leading.lacks_reference(&p.au));
    }

    /// The press's side of a change of parameters.
    fn keep_side_of(&mut self, params: &BTreeMap<u32, TrackParams>, press_90k: i64) {
        let at_press = self
            .pictures
            .iter()
            .filter(|p| p.t <= press_90k)
            .max_by_key(|p| p.t)
            .or(self.pictures.first());
        let Some(chosen) = at_press.and_then(|p| params.get(&p.au.generation)) else {
            self.pictures.clear();
            return;
        };
        let fits = |p: &PlacedPicture| {
            params.get(&p.au.generation).is_some_and(|own| {
                own == chosen
                    || (SECOND_SAMPLE_ENTRY
                        && (own.codec, own.timescale) == (chosen.codec, chosen.timescale))
            })
        };
        let first = self.pictures.iter().position(&fits).unwrap_or(0);
        let last = self.pictures.iter().rposition(&fits).unwrap_or(0);
        self.changed_before = first > 0;
        self.changed_after_90k = self.pictures[last..].iter().skip(1).map(|p| p.t).min();
        let mut changed = false;
        for picture in &self.pictures[first..=last] {
            if fits(picture) && changed {
                self.evidence.push(Evidence {
                    t: picture.t,
                    reason: GapReason::ParametersChanged,
                    lost_packets: 0,
                    lost_access_units: 0,
                    dropped_bytes: 0,
                });
            }
            changed = !fits(picture);
        }
        self.pictures.retain(fits);
    }

    /// Where the pieces of two epochs overlap, the later one is shown: cameras
    /// begin a connection with the pictures since their last key frame, so it
    /// has the same moment, and it cannot be cut at its front. Pictures of the
    /// earlier piece are left out from the first one, in decoding order, that
    /// would be shown behind the seam.
    fn trim_seams(&mut self) {
        let mut kept: Vec<PlacedPicture> = Vec::with_capacity(self.pictures.len());
        let mut seam = i64::MAX;
        let mut rest = self.pictures.as_slice();
        while let Some(last) = rest.last() {
            let from = rest
                .iter()
                .rposition(|p| p.au.epoch != last.au.epoch)
                .map_or(0, |other| other + 1);
            let piece = &rest[from..];
            let until = piece
                .iter()
                .position(|p| p.t >= seam)
                .unwrap_or(piece.len());
            kept.extend(piece[..until].iter().rev());
            seam = piece.iter().map(|p| p.t).min().unwrap_or(seam).min(seam);
            rest = &rest[..from];
        }
        kept.reverse();
        self.pictures = kept;
    }
}
