//! What was taken becomes a clip: where it starts and ends as played, its
//! sample lists, and the report.
//!
//! Not here: which AUs are taken (`machine`).

use super::gaps::{self, Span, seconds};
use super::lossless::CodedAhead;
use super::mapping::Mapping;
use super::pictures::{Gathered, PlacedPicture, gather};
use super::sentence::{BegunTenths, CutNote, NoFootage, Tenths};
use super::sound::{self, PictureTime, Sound};
use super::taken::Told;
use super::types::{Certainty, CutReport, Ended, FinishedCut, Gap, GapReason};
use super::window::Plan;
use crate::base::quantity::ToFloat;
use crate::base::{Coded, Sentence};
use crate::media::{TICKS_90K, Track, TrackParams};
use crate::mp4::{ClipIndex, ClipTrack, Sample};

/// A clip starts with the timestamp of the frame on screen at its start, but
/// not further back than this: before a hole the frame stands instead.
const SNAP_90K: i64 = TICKS_90K;

/// Where the clip starts and ends, and who is shown.
struct Shape {
    span: Span,
    /// Pictures shown, in the order of presentation; the first stands at the start.
    shown: Vec<PlacedPicture>,
    /// The picture reached the window's end (or a change that ends it).
    ended: Ended,
}

/// Codes what of the sound is there already, for the clip as it looks now.
pub(super) fn code_ahead(told: &Told, ahead: &mut CodedAhead) {
    let plan = &told.plan;
    let mut all = gather(told);
    all.keep_decodable(&told.params, plan.press_90k);
    let Ok(shape) = shape(plan, &mut all, Ended::Complete) else {
        return;
    };
    let time = PictureTime {
        shifts: &all.shifts,
        start_90k: shape.span.start_90k,
        end_90k: plan.end_90k,
        press_90k: plan.press_90k,
    };
    sound::code_ahead(&all.audio, told, &time, ahead);
}

pub(super) fn finish(
    told: &Told,
    ended: Ended,
    ahead: CodedAhead,
) -> Result<FinishedCut, NoFootage> {
    let plan = &told.plan;
    let reference = *plan.reference().ok_or(NoFootage::Empty {})?;
    let mut all = gather(told);
    all.keep_decodable(&told.params, plan.press_90k);
    let shape = shape(plan, &mut all, ended)?;
    let picture = video_track(&all.pictures, &shape, told);
    let sound = sound::sound(
        &all.audio,
        told,
        &PictureTime {
            shifts: &all.shifts,
            start_90k: shape.span.start_90k,
            end_90k: shape.span.end_90k,
            press_90k: plan.press_90k,
        },
        ahead,
    );
    let report = report(told, &reference, &all, &shape, sound.as_ref());
    let mut tracks = vec![picture];
    let mut frames = Vec::new();
    if let Some(sound) = sound {
        tracks.push(sound.track);
        frames = sound.frames;
    }
    let data_len = tracks
        .iter()
        .flat_map(|track| &track.samples)
        .map(|sample| sample.offset.saturating_add(u64::from(sample.size)))
        .max()
        .unwrap_or(0);
    Ok(FinishedCut {
        clip: ClipIndex {
            tracks,
            created_unix_s: 0,
        },
        data_len,
        sound: frames,
        report,
    })
}

fn shape(plan: &Plan, all: &mut Gathered, ended: Ended) -> Result<Shape, NoFootage> {
    let first = all.pictures.first().ok_or(NoFootage::NoKeyFrame {})?;
    let earliest = plan.start_90k.max(first.t);
    if earliest >= plan.end_90k {
        return Err(NoFootage::TooNew {
            newer_ms: Tenths::of_90k(earliest - plan.end_90k),
        });
    }
    let mut by_time = all.pictures.clone();
    by_time.sort_by_key(|p| p.t);
    let typical_90k = typical_distance(&by_time);
    let behind = by_time.partition_point(|p| p.t <= earliest);
    let mut shown = by_time.split_off(behind.saturating_sub(1));
    let standing = shown[0].t;
    let start_90k = if earliest - standing <= SNAP_90K {
        standing
    } else {
        earliest
    };
    let (end_90k, ended) = end(plan, all, &mut shown, typical_90k, ended);
    shown.retain(|p| p.t < end_90k);
    // What no shown picture needs: everything decoded behind the last of them.
    let last = all.pictures.iter().rposition(|p| p.t < end_90k);
    all.pictures.truncate(last.map_or(0, |last| last + 1));
    Ok(Shape {
        span: Span {
            start_90k,
            end_90k,
            typical_90k,
            reorder_depth: all.reorder_depth,
            reorder_step_90k: all.reorder_step_90k,
        },
        shown,
        ended,
    })
}

/// Median distance of pictures in the order of presentation.
fn typical_distance(by_time: &[PlacedPicture]) -> i64 {
    let mut distances: Vec<i64> = by_time
        .windows(2)
        .map(|pair| pair[1].t - pair[0].t)
        .filter(|distance| *distance > 0)
        .collect();
    distances.sort_unstable();
    // A single picture: as long as one of 30 a second.
    distances
        .get(distances.len() / 2)
        .copied()
        .unwrap_or(TICKS_90K / 30)
}

/// The end as played, and why it is there. `shown` is in the order of
/// presentation and reaches at least to the end.
fn end(
    plan: &Plan,
    all: &Gathered,
    shown: &mut Vec<PlacedPicture>,
    typical_90k: i64,
    ended: Ended,
) -> (i64, Ended) {
    if let Some(change) = all.changed_after_90k.filter(|t| *t < plan.end_90k) {
        // At least one picture is shown.
        return (change.max(shown[0].t + 1), Ended::ParametersChanged);
    }
    if all.video_proof_mono_ns.is_some() {
        return (plan.end_90k, Ended::Complete);
    }
    // Reading stopped in the middle of decoding order: pictures shown before
    // the last ones may be missing. The clip ends before that hole.
    let unsettled = shown.len().saturating_sub(all.reorder_depth + 1).max(1);
    let hole = (unsettled..shown.len())
        .find(|i| shown[*i].t - shown[i - 1].t > typical_90k.saturating_mul(3) / 2);
    if let (Some(hole), 1..) = (hole, all.reorder_depth) {
        shown.truncate(hole);
    }
    let last = shown.last().map_or(plan.start_90k, |p| p.t);
    if last.saturating_add(typical_90k.saturating_mul(3) / 2) >= plan.end_90k {
        return (plan.end_90k, Ended::Complete);
    }
    let why = match ended {
        Ended::Complete => Ended::Camera,
        other => other,
    };
    // A frame that only stands at the start is shown from there.
    let from = if plan.start_90k - last > SNAP_90K {
        plan.start_90k
    } else {
        last
    };
    (from.saturating_add(typical_90k).min(plan.end_90k), why)
}

fn video_track(pictures: &[PlacedPicture], shape: &Shape, told: &Told) -> ClipTrack {
    let span = &shape.span;
    let mut entries: Vec<TrackParams> = Vec::new();
    let mut entry_of = |generation: u32| {
        let params = told.params.get(&generation)?;
        let known = entries.iter().position(|e| e == params);
        let index = known.unwrap_or_else(|| {
            entries.push(params.clone());
            entries.len() - 1
        });
        u32::try_from(index).ok()
    };
    let standing = shape.shown.first().map_or(span.start_90k, |p| p.t);
    let samples = pictures
        .iter()
        .map(|p| Sample {
            offset: p.offset.saturating_sub(u64::from(p.prefix)),
            size: p.au.len.saturating_add(p.prefix),
            // The frame that stands at the start is shown from there.
            pts: if p.t == standing {
                0
            } else {
                p.t - span.start_90k
            },
            sync: p.au.flags.key,
            entry: entry_of(p.au.generation).unwrap_or(0),
        })
        .collect();
    ClipTrack {
        entries,
        samples,
        start: 0,
        end: span.end_90k - span.start_90k,
    }
}

fn report(
    told: &Told,
    reference: &Mapping,
    all: &Gathered,
    shape: &Shape,
    sound: Option<&Sound>,
) -> CutReport {
    let (plan, span) = (&told.plan, &shape.span);
    let mut gaps = gaps::video_gaps(&shape.shown, &all.evidence, span);
    gaps.extend(outside(plan, all, shape));
    gaps.extend(sound.iter().flat_map(|s| s.gaps.iter().cloned()));
    gaps.sort_by(|a, b| a.start_sec.total_cmp(&b.start_sec));
    let mut epochs: Vec<u32> = shape.shown.iter().map(|p| p.au.epoch).collect();
    epochs.dedup();
    let sizes = sizes(told, shape);
    let first = shape.shown.first();
    let first = first.and_then(|p| told.params.get(&p.au.generation));
    CutReport {
        codec: first.map_or(crate::media::Codec::H264, |p| p.codec),
        width: first.map_or(0, |p| p.width),
        height: first.map_or(0, |p| p.height),
        audio_codec: sound.map(|s| s.codec),
        fps: (TICKS_90K.to_float() / span.typical_90k.max(1).to_float() * 1000.0).round() / 1000.0,
        duration_sec: seconds(span.end_90k - span.start_90k),
        pre_seconds: seconds((plan.press_90k - span.start_90k).max(0)),
        post_seconds: seconds((span.end_90k - plan.press_90k).max(0)),
        ended: shape.ended,
        gaps,
        damaged: gaps::damaged(&shape.shown, span),
        certainty: plan.certainty,
        press_90k: plan.press_90k,
        anchor_90k: reference.anchor_90k,
        anchor_mono_ns: reference.anchor_mono_ns,
        alignment: sound.map(|s| s.alignment),
        epochs,
        notes: notes(plan, shape, &sizes),
        end_of_window_mono_ns: all
            .video_proof_mono_ns
            .map(|at| at.max(all.audio_proof_mono_ns.unwrap_or(0))),
        first_frame_mono_ns: reference.mono_ns(span.start_90k),
        frames_shown: shape.shown.len().try_into().unwrap_or(u64::MAX),
    }
}

/// Sizes of the shown pictures, in their order.
fn sizes(told: &Told, shape: &Shape) -> Vec<(u16, u16)> {
    let mut generations: Vec<u32> = shape.shown.iter().map(|p| p.au.generation).collect();
    generations.dedup();
    let params = generations.iter().filter_map(|g| told.params.get(g));
    let mut sizes: Vec<(u16, u16)> = params.map(|p| (p.width, p.height)).collect();
    sizes.dedup();
    sizes
}

/// What of the window lies outside the clip.
fn outside(plan: &Plan, all: &Gathered, shape: &Shape) -> Vec<Gap> {
    let span = &shape.span;
    let missing = |from: i64, to: i64, reason| Gap {
        track: Track::Video,
        start_sec: seconds(from - span.start_90k),
        end_sec: seconds(to - span.start_90k),
        reason,
        lost_packets: 0,
        lost_access_units: 0,
        dropped_bytes: 0,
    };
    let mut gaps = Vec::new();
    if span.start_90k > plan.start_90k && shape.shown[0].t >= plan.start_90k {
        let reason = match (all.changed_before, all.overtaken_first) {
            (true, _) => GapReason::ParametersChanged,
            (false, true) => GapReason::Overtaken,
            (false, false) => GapReason::NotHeld,
        };
        gaps.push(missing(plan.start_90k, span.start_90k, reason));
    }
    let reason = match shape.ended {
        Ended::Camera => Some(GapReason::Silent),
        Ended::ParametersChanged => Some(GapReason::ParametersChanged),
        _ => None,
    };
    if let (Some(reason), true) = (reason, span.end_90k < plan.end_90k) {
        gaps.push(missing(span.end_90k, plan.end_90k, reason));
    }
    gaps
}

/// What a person should know.
fn notes(plan: &Plan, shape: &Shape, sizes: &[(u16, u16)]) -> Vec<Sentence> {
    let mut notes = Vec::new();
    if sizes.len() > 1 {
        let sizes: Vec<String> = sizes.iter().map(|(w, h)| format!("{w}x{h}")).collect();
        let sizes = sizes.join(", ");
        notes.push(CutNote::SizeChanged { sizes });
    }
    let missing = shape.span.start_90k - plan.start_90k;
    if missing > 0 && shape.shown[0].t >= plan.start_90k {
        let late_ms = Tenths::of_90k(missing);
        notes.push(CutNote::BeginsLate { late_ms });
    }
    if let Some(ms) = plan.stale_ms {
        let silent_ms = BegunTenths(ms);
        notes.push(CutNote::Silent { silent_ms });
    }
    match plan.certainty {
        Certainty::Certain => {}
        Certainty::Uncertain => notes.push(CutNote::ClockUncertain {}),
        Certainty::Extrapolated => notes.push(CutNote::ClockExtrapolated {}),
    }
    let mended = shape.shown.iter().filter(|p| p.au.is_retimed()).count();
    if mended > 0 {
        notes.push(CutNote::TimesMended { pictures: mended });
    }
    let early_ms = Tenths::of_90k(plan.end_90k - shape.span.end_90k);
    notes.extend(match shape.ended {
        Ended::Complete => None,
        Ended::Camera => Some(CutNote::EndsWithCamera { early_ms }),
        Ended::ParametersChanged => Some(CutNote::EndsWithParameters { early_ms }),
        Ended::Stopped => Some(CutNote::EndsWithStop { early_ms }),
        Ended::Restart => Some(CutNote::EndsWithRestart { early_ms }),
        Ended::Power => Some(CutNote::EndsWithPower { early_ms }),
    });
    notes.iter().map(Coded::sentence).collect()
}
