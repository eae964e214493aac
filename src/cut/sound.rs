//! The sound of a clip: one alignment, one set of parameters, its own gaps.
//!
//! Not here: the picture (`finish`), what becomes of PCM (`lossless`).

use std::collections::BTreeMap;

use super::lossless::{CodedAhead, lossless};
use super::placed_sound::PlacedSound;
use super::taken::Told;
use super::types::{Gap, GapReason};
use crate::media::{Alignment, AuMeta, Codec, TICKS_90K, Track, TrackParams, pcm, pcm_tolerance};
use crate::mp4::{ClipTrack, Sample};

/// Ticks of a track in 90 kHz ticks, rounded down.
pub(super) fn to_90k(ticks: i64, rate: u32) -> i64 {
    scale(ticks, TICKS_90K, i64::from(rate.max(1)))
}

/// 90 kHz ticks in ticks of a track, rounded down.
pub(super) fn from_90k(ticks_90k: i64, rate: u32) -> i64 {
    scale(ticks_90k, i64::from(rate.max(1)), TICKS_90K)
}

fn scale(ticks: i64, to: i64, from: i64) -> i64 {
    let scaled = (i128::from(ticks) * i128::from(to)).div_euclid(i128::from(from));
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

/// What the picture decided.
pub(super) struct PictureTime<'a> {
    /// From an epoch's timeline to the reference.
    pub shifts: &'a BTreeMap<u32, i64>,
    /// `[start, end)` as played, on the reference timeline.
    pub start_90k: i64,
    pub end_90k: i64,
    pub press_90k: i64,
}

pub(super) struct Sound {
    pub track: ClipTrack,
    pub alignment: Alignment,
    pub codec: Codec,
    pub gaps: Vec<Gap>,
    /// Its bytes, where they are made here: to be written behind the data that was taken.
    pub frames: Vec<u8>,
}

/// The clip's sound out of the taken AUs `(au, offset)`, in ring order. `None`: there is none to hear.
pub(super) fn sound(
    taken: &[(AuMeta, u64)],
    told: &Told,
    frame: &PictureTime<'_>,
    ahead: CodedAhead,
) -> Option<Sound> {
    let laid = lay(taken, told, frame)?;
    let (placed, rate) = (&laid.placed, laid.params.timescale);
    if placed.iter().all(|p| p.ticks.saturating_add(p.lasts) <= 0) {
        return None;
    }
    let used = |epoch: &u32| placed.iter().any(|p| p.au.epoch == *epoch);
    let alignment = laid
        .alignments
        .iter()
        .filter(|(epoch, _)| used(epoch))
        .map(|(_, (alignment, _))| *alignment)
        .min()?;
    let gaps = gaps(placed, laid.least, rate, frame);
    let (track, frames) = track(&laid, told, ahead)?;
    Some(Sound {
        alignment,
        codec: track.entries.first()?.codec,
        gaps,
        track,
        frames,
    })
}

/// Codes what of the sound is there already, if it is PCM.
pub(super) fn code_ahead(
    taken: &[(AuMeta, u64)],
    told: &Told,
    frame: &PictureTime<'_>,
    ahead: &mut CodedAhead,
) {
    if let Some(laid) = lay(taken, told, frame).filter(|laid| laid.params.codec.is_pcm()) {
        ahead.go_on(&laid.placed, laid.params, &told.pcm, laid.end);
    }
}

/// Sound with its place.
struct Laid<'a> {
    params: &'a TrackParams,
    placed: Vec<PlacedSound>,
    alignments: BTreeMap<u32, (Alignment, i64)>,
    /// Ticks of a hole from where on it is worth a word.
    least: i64,
    /// Of the clip, in ticks.
    end: i64,
}

fn lay<'a>(taken: &[(AuMeta, u64)], told: &'a Told, frame: &PictureTime<'_>) -> Option<Laid<'a>> {
    let params = &told.params;
    let near_press = |(au, _): &&(AuMeta, u64)| {
        let shift = frame.shifts.get(&au.epoch).copied().unwrap_or(0);
        au.pts_90k.saturating_add(shift).abs_diff(frame.press_90k)
    };
    let chosen = taken
        .iter()
        .filter(|(au, _)| frame.shifts.contains_key(&au.epoch))
        .min_by_key(near_press)
        .and_then(|(au, _)| params.get(&au.generation))?;
    let same = |au: &AuMeta| params.get(&au.generation) == Some(chosen);
    let kept: Vec<(AuMeta, u64)> = taken.iter().filter(|(au, _)| same(au)).copied().collect();
    let alignments = align(&kept, chosen.timescale);
    let placed = place(&kept, &alignments, frame, chosen.timescale);
    let end = from_90k(frame.end_90k - frame.start_90k, chosen.timescale);
    let (placed, least) = match chosen.codec.is_pcm() {
        true => (within(placed, chosen, end), pcm_tolerance(chosen.timescale)),
        false => {
            let length = typical_length(&placed);
            (trim(placed, length, end), length / 2)
        }
    };
    Some(Laid {
        params: chosen,
        placed,
        alignments,
        least,
        end,
    })
}

/// The track, and its bytes where they are made here.
fn track(laid: &Laid<'_>, told: &Told, ahead: CodedAhead) -> Option<(ClipTrack, Vec<u8>)> {
    let (placed, end) = (&laid.placed, laid.end);
    if laid.params.codec.is_pcm() {
        // What FLAC does not know, no ring should hold.
        let from = (&*told.pcm, ahead);
        let made = lossless(placed, laid.params, from, told.data_end(), end);
        let made = made.ok().flatten()?;
        return Some((made.track, made.bytes));
    }
    let track = ClipTrack {
        entries: vec![laid.params.clone()],
        samples: placed.iter().map(sample).collect(),
        start: 0,
        end,
    };
    Some((track, Vec::new()))
}

/// Packets of PCM of which something lies in `[0, end)`.
fn within(mut placed: Vec<PlacedSound>, params: &TrackParams, end: i64) -> Vec<PlacedSound> {
    for packet in &mut placed {
        let bytes = usize::try_from(packet.au.len).unwrap_or(0);
        packet.lasts = i64::try_from(pcm::ticks(params, bytes)).unwrap_or(0);
    }
    placed.retain(|p| p.ticks < end && p.ticks.saturating_add(p.lasts) > 0);
    placed
}

fn sample(placed: &PlacedSound) -> Sample {
    Sample {
        offset: placed.offset,
        size: placed.au.len,
        pts: placed.ticks,
        sync: true,
        entry: 0,
    }
}

/// Per epoch the best alignment that was known while the clip was taken, and
/// where it puts the track's zero: the median over the AUs that have it.
fn align(kept: &[(AuMeta, u64)], rate: u32) -> BTreeMap<u32, (Alignment, i64)> {
    let mut by_epoch: BTreeMap<u32, (Alignment, Vec<i64>)> = BTreeMap::new();
    for (au, _) in kept {
        let offset = au.pts_90k.saturating_sub(to_90k(au.pts, rate));
        let best = by_epoch
            .entry(au.epoch)
            .or_insert((au.alignment, Vec::new()));
        if au.alignment > best.0 {
            *best = (au.alignment, Vec::new());
        }
        if au.alignment == best.0 {
            best.1.push(offset);
        }
    }
    by_epoch
        .into_iter()
        .map(|(epoch, (alignment, mut offsets))| {
            offsets.sort_unstable();
            (epoch, (alignment, offsets[offsets.len() / 2]))
        })
        .collect()
}

/// In the order of the ring, each later than the one before it: where epochs
/// overlap, the later one is heard.
fn place(
    kept: &[(AuMeta, u64)],
    alignments: &BTreeMap<u32, (Alignment, i64)>,
    frame: &PictureTime<'_>,
    rate: u32,
) -> Vec<PlacedSound> {
    let mut placed: Vec<PlacedSound> = Vec::with_capacity(kept.len());
    let mut epoch_start = 0;
    for (au, offset) in kept {
        let (Some(shift), Some((_, zero))) =
            (frame.shifts.get(&au.epoch), alignments.get(&au.epoch))
        else {
            continue;
        };
        let move_90k = zero.saturating_add(*shift).saturating_sub(frame.start_90k);
        let ticks = au.pts.saturating_add(from_90k(move_90k, rate));
        if placed.last().is_some_and(|last| last.au.epoch != au.epoch) {
            let keep = placed.partition_point(|p| p.ticks < ticks);
            placed.truncate(keep);
            epoch_start = placed.len();
        }
        // Within an epoch a step back is a camera's mistake.
        if placed[epoch_start..]
            .last()
            .is_none_or(|last| last.ticks < ticks)
        {
            placed.push(PlacedSound {
                au: *au,
                offset: *offset,
                ticks,
                lasts: 0,
            });
        }
    }
    placed
}

/// Median distance of frames, in ticks; an AAC frame's 1024 where only one is there.
fn typical_length(placed: &[PlacedSound]) -> i64 {
    let mut lengths: Vec<i64> = placed
        .windows(2)
        .map(|pair| pair[1].ticks.saturating_sub(pair[0].ticks))
        .collect();
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied().unwrap_or(1024)
}

/// From one frame before the one that contains the start, to the end.
fn trim(mut placed: Vec<PlacedSound>, length: i64, end_ticks: i64) -> Vec<PlacedSound> {
    placed.iter_mut().for_each(|p| p.lasts = length);
    placed.retain(|p| p.ticks < end_ticks);
    let behind = placed.partition_point(|p| p.ticks <= 0);
    let containing = behind.saturating_sub(1);
    let mut first = containing.saturating_sub(1);
    // A frame before a hole is no lead-in, and one that has ended contains nothing.
    while placed
        .get(first)
        .is_some_and(|p| p.ticks.saturating_add(length.saturating_mul(3)) <= 0)
    {
        first += 1;
    }
    placed.split_off(first.min(placed.len()))
}

/// `least`: ticks of a hole from where on it is worth a word.
fn gaps(shown: &[PlacedSound], least: i64, rate: u32, frame: &PictureTime<'_>) -> Vec<Gap> {
    let seconds = |ticks: i64| super::gaps::seconds(to_90k(ticks, rate));
    let end = from_90k(frame.end_90k - frame.start_90k, rate);
    let hole = |from: i64, to: i64, reason, lost_packets: u32| Gap {
        track: Track::Audio,
        start_sec: seconds(from.min(to)),
        end_sec: seconds(to),
        reason,
        lost_packets: u64::from(lost_packets),
        lost_access_units: 0,
        dropped_bytes: 0,
    };
    let mut gaps = Vec::new();
    let wide = |from: i64, to: i64| to.saturating_sub(from) > least;
    match shown.first() {
        Some(first) if wide(0, first.ticks) => {
            gaps.push(hole(0, first.ticks, GapReason::NotHeld, 0));
        }
        _ => {}
    }
    for pair in shown.windows(2) {
        let (from, to) = (pair[0].ticks.saturating_add(pair[0].lasts), pair[1].ticks);
        let lost = pair[1].au.lost_packets;
        let seam = pair[0].au.epoch != pair[1].au.epoch;
        if to > 0 && (lost > 0 || wide(from, to)) {
            let reason = match (seam, lost) {
                (true, _) => GapReason::Reconnected,
                (false, 0) => GapReason::Silent,
                (false, _) => GapReason::Lost,
            };
            gaps.push(hole(from, to, reason, lost));
        }
    }
    match shown.last() {
        Some(last) if wide(last.ticks.saturating_add(last.lasts), end) => {
            let from = last.ticks.saturating_add(last.lasts);
            gaps.push(hole(from, end, GapReason::Silent, 0));
        }
        _ => {}
    }
    gaps
}
