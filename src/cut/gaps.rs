//! Holes and damage among shown pictures, as a person reads them.
//!
//! Not here: what is shown (`finish`).

use super::pictures::{Evidence, PlacedPicture};
use super::types::{Damaged, Gap, GapReason};
use crate::base::quantity::ToFloat;
use crate::media::{TICKS_90K, Track};

/// Without any sign of a loss a camera's pause is a gap from here on.
const PAUSE_90K: i64 = TICKS_90K / 2;

/// Seconds of 90 kHz ticks, to the microsecond: people read them.
pub(super) fn seconds(ticks_90k: i64) -> f64 {
    // Exact up to 2^53 ticks: 3000 years.
    (ticks_90k.to_float() / TICKS_90K.to_float() * 1e6).round() / 1e6
}

/// The clip's time, on the reference timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start_90k: i64,
    pub end_90k: i64,
    /// Usual distance of two pictures.
    pub typical_90k: i64,
    pub reorder_depth: usize,
    /// See `Reorder::step_90k`.
    pub reorder_step_90k: i64,
}

struct Hole {
    from: i64,
    to: i64,
    signs: Vec<Evidence>,
}

impl Hole {
    fn distance(&self, sign: &Evidence) -> u64 {
        if (self.from..=self.to).contains(&sign.t) {
            0
        } else {
            self.to.abs_diff(sign.t).min(self.from.abs_diff(sign.t))
        }
    }
}

/// Holes between the shown pictures (in the order of presentation), and signs
/// of losses that left no hole.
pub(super) fn video_gaps(shown: &[PlacedPicture], evidence: &[Evidence], span: &Span) -> Vec<Gap> {
    let mut holes = holes(shown, span);
    let mut alone = Vec::new();
    // A sign stands on the AU behind the loss in decoding order; on screen the
    // hole may be as far away as pictures are reordered.
    let depth = i64::try_from(span.reorder_depth).unwrap_or(16);
    let near = span.typical_90k.saturating_mul(depth + 2);
    let near = near.saturating_add(span.reorder_step_90k).unsigned_abs();
    for sign in evidence {
        let nearest = holes
            .iter_mut()
            .min_by_key(|hole| hole.distance(sign))
            .filter(|hole| hole.distance(sign) <= near);
        match nearest {
            Some(hole) => hole.signs.push(*sign),
            None if sign.t > span.start_90k && sign.t < span.end_90k => alone.push(Hole {
                from: sign.t,
                to: sign.t,
                signs: vec![*sign],
            }),
            None => {}
        }
    }
    // One sign may stand for several holes: AUs lost together in decoding order.
    holes.retain(|hole| {
        let near_loss = || evidence.iter().any(|sign| hole.distance(sign) <= near);
        hole.to - hole.from > PAUSE_90K || near_loss()
    });
    holes.extend(alone);
    holes.sort_by_key(|hole| (hole.from, hole.to));
    holes.iter().map(|hole| gap(hole, span)).collect()
}

fn holes(shown: &[PlacedPicture], span: &Span) -> Vec<Hole> {
    let ends = shown
        .iter()
        .skip(1)
        .map(|p| p.t)
        .chain(std::iter::once(span.end_90k));
    shown
        .iter()
        .zip(ends)
        .filter(|(picture, to)| to - picture.t > span.typical_90k.saturating_mul(3) / 2)
        .map(|(picture, to)| Hole {
            from: (picture.t + span.typical_90k).max(span.start_90k),
            to,
            signs: Vec::new(),
        })
        .filter(|hole| hole.to > hole.from)
        .collect()
}

fn gap(hole: &Hole, span: &Span) -> Gap {
    // The strongest of several reasons names the gap.
    let strength = |reason: &GapReason| match reason {
        GapReason::ParametersChanged => 5,
        GapReason::Overtaken => 4,
        GapReason::TooLarge => 3,
        GapReason::Reconnected => 2,
        GapReason::Lost => 1,
        GapReason::Silent | GapReason::NotHeld => 0,
    };
    let sum = |of: fn(&Evidence) -> u64| hole.signs.iter().map(of).sum();
    Gap {
        track: Track::Video,
        start_sec: seconds(hole.from - span.start_90k),
        end_sec: seconds(hole.to - span.start_90k),
        reason: hole
            .signs
            .iter()
            .map(|sign| sign.reason)
            .max_by_key(strength)
            .unwrap_or(if hole.to - hole.from > PAUSE_90K {
                GapReason::Silent
            } else {
                GapReason::Lost
            }),
        lost_packets: sum(|sign| sign.lost_packets),
        lost_access_units: sum(|sign| sign.lost_access_units),
        dropped_bytes: sum(|sign| sign.dropped_bytes),
    }
}

/// Runs of shown pictures that are perhaps smeared.
pub(super) fn damaged(shown: &[PlacedPicture], span: &Span) -> Vec<Damaged> {
    let mut runs: Vec<Damaged> = Vec::new();
    let mut running = false;
    for (i, picture) in shown.iter().enumerate() {
        let until = shown.get(i + 1).map_or(span.end_90k, |next| next.t);
        if picture.damaged {
            if !running {
                runs.push(Damaged {
                    start_sec: seconds(picture.t.max(span.start_90k) - span.start_90k),
                    end_sec: 0.0,
                    frames: 0,
                });
            }
            if let Some(run) = runs.last_mut() {
                run.end_sec = seconds(until - span.start_90k);
                run.frames += 1;
            }
        }
        running = picture.damaged;
    }
    runs
}
