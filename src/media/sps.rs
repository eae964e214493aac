//! What a sequence parameter set says of the picture. H.264 by `h264-reader`;
//! H.265 here, as far as the facts reach.
//!
//! Total: any bytes give facts or an error.
//! Not here: the records that carry parameter sets (`params`).

use h264_reader::nal::sps::{PicOrderCntType, SeqParameterSet};
use h264_reader::rbsp::{BitReader, decode_nal};

use super::bits::Bits;
use super::error::ParamsError;
use super::nal::without_emulation_prevention;

/// A picture, as its parameter set describes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodedPicture {
    /// Pixels after cropping.
    pub width: u16,
    pub height: u16,
    /// Sample aspect ratio; (1, 1) where not said.
    pub pixel_aspect: (u16, u16),
    /// Frames per second, where said (the camera need not keep to it).
    pub fps: Option<f64>,
    /// By how many frames decoding runs ahead of showing at most, where said.
    pub reorder: Option<u32>,
    /// Luma of 0 to 255 instead of 16 to 235.
    pub full_range: bool,
    /// How colours are coded (`matrix_coefficients`), where said: 1 is BT.709.
    pub matrix: Option<u8>,
}

/// Reads an H.264 SPS: one NAL unit with its header.
pub fn h264(nal: &[u8]) -> Result<CodedPicture, ParamsError> {
    let bad = |why: String| ParamsError::Sps { why };
    // The reader does not expect an empty unit.
    if nal.len() < 4 {
        return Err(bad("it ends too early".into()));
    }
    let rbsp = decode_nal(nal).map_err(|e| bad(e.to_string()))?;
    let sps =
        SeqParameterSet::from_bits(BitReader::new(&*rbsp)).map_err(|e| bad(format!("{e:?}")))?;
    let (width, height) = sps.pixel_dimensions().map_err(|e| bad(format!("{e:?}")))?;
    let vui = sps.vui_parameters.as_ref();
    let aspect = vui.and_then(|vui| vui.aspect_ratio_info.as_ref()?.get());
    let timing = vui.and_then(|vui| vui.timing_info.as_ref());
    let order = vui.and_then(|vui| vui.bitstream_restrictions.as_ref());
    let signal = vui.and_then(|vui| vui.video_signal_type.as_ref());
    let colours = signal.and_then(|signal| signal.colour_description.as_ref());
    Ok(CodedPicture {
        width: in_pixels(width)?,
        height: in_pixels(height)?,
        pixel_aspect: aspect.unwrap_or((1, 1)),
        // A tick is a field.
        fps: timing.and_then(|t| rate(t.time_scale, t.num_units_in_tick, 2.0)),
        reorder: match order {
            _ if shows_as_it_decodes(&sps) => Some(0),
            Some(order) => Some(order.max_num_reorder_frames),
            None => in_order_by_profile(&sps).then_some(0),
        },
        full_range: signal.is_some_and(|signal| signal.video_full_range_flag),
        matrix: colours.map(|colours| colours.matrix_coefficients),
    })
}

/// Its pictures are counted in the order of decoding.
fn shows_as_it_decodes(sps: &SeqParameterSet) -> bool {
    matches!(sps.pic_order_cnt, PicOrderCntType::TypeTwo)
}

/// Profiles without B-frames, or without any frame that refers to another; where the SPS does
/// not say it itself (E.2.1 of H.264, `max_num_reorder_frames`).
fn in_order_by_profile(sps: &SeqParameterSet) -> bool {
    const BASELINE: u8 = 66;
    let flags = sps.constraint_flags;
    match u8::from(sps.profile_idc) {
        BASELINE => true,
        44 | 86 | 100 | 110 | 122 | 244 => flags.flag3(),
        _ => false,
    }
}

fn in_pixels(size: u32) -> Result<u16, ParamsError> {
    match u16::try_from(size) {
        Ok(pixels) if pixels > 0 => Ok(pixels),
        _ => Err(ParamsError::Sps {
            why: format!("a picture {size} pixels wide or high"),
        }),
    }
}

fn rate(ticks_per_second: u32, ticks: u32, per_frame: f64) -> Option<f64> {
    let rate = f64::from(ticks_per_second) / f64::from(ticks) / per_frame;
    (ticks > 0 && (0.1..=1000.0).contains(&rate)).then_some(rate)
}

/// Reads an H.265 SPS: one NAL unit with its header.
pub fn h265(nal: &[u8]) -> Result<CodedPicture, ParamsError> {
    let rbsp: Vec<u8> = without_emulation_prevention(nal).skip(2).collect();
    let mut bits = Bits::new(&rbsp);
    let (width, height, reorder) = h265_size(&mut bits).ok_or_else(|| ParamsError::Sps {
        why: "it ends too early".into(),
    })?;
    // What a camera left out or garbled behind the size does not stop us.
    let vui = h265_vui(&mut bits).unwrap_or_default();
    Ok(CodedPicture {
        width: in_pixels(width)?,
        height: in_pixels(height)?,
        pixel_aspect: vui.pixel_aspect.unwrap_or((1, 1)),
        fps: vui.fps,
        reorder: Some(reorder),
        full_range: vui.full_range,
        matrix: vui.matrix,
    })
}

/// Up to and with the sub-layer ordering. Leaves `bits` behind it.
fn h265_size(bits: &mut Bits) -> Option<(u32, u32, u32)> {
    bits.skip(4)?;
    let max_sub_layers = bits.bits(3)?;
    bits.skip(1)?;
    h265_profile_tier_level(bits, max_sub_layers)?;
    bits.ue()?;
    let chroma = bits.ue()?;
    if chroma == 3 {
        bits.skip(1)?;
    }
    let (width, height) = (bits.ue()?, bits.ue()?);
    let (step_x, step_y) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let mut crop = [0; 4];
    if bits.bit()? {
        for side in &mut crop {
            *side = bits.ue()?;
        }
    }
    let [left, right, top, bottom] = crop;
    let cut = |size: u32, a: u32, b: u32, step: u32| {
        size.checked_sub(a.checked_add(b)?.checked_mul(step)?)
    };
    let size = (
        cut(width, left, right, step_x)?,
        cut(height, top, bottom, step_y)?,
    );
    bits.ue()?;
    bits.ue()?;
    bits.ue().filter(|log2_poc| *log2_poc <= 12)?;
    let all_layers = bits.bit()?;
    let mut reorder = 0;
    for _ in if all_layers { 0 } else { max_sub_layers }..=max_sub_layers {
        bits.ue()?;
        reorder = bits.ue()?;
        bits.ue()?;
    }
    Some((size.0, size.1, reorder))
}

pub(crate) fn h265_profile_tier_level(bits: &mut Bits, max_sub_layers: u32) -> Option<()> {
    const PROFILE: usize = 88;
    const LEVEL: usize = 8;
    bits.skip(PROFILE + LEVEL)?;
    let mut present = Vec::new();
    for _ in 0..max_sub_layers {
        present.push((bits.bit()?, bits.bit()?));
    }
    if max_sub_layers > 0 {
        bits.skip(2 * (8 - usize::try_from(max_sub_layers).ok()?))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { PROFILE } else { 0 } + if level { LEVEL } else { 0 })?;
    }
    Some(())
}

#[derive(Default)]
struct Vui {
    pixel_aspect: Option<(u16, u16)>,
    fps: Option<f64>,
    full_range: bool,
    matrix: Option<u8>,
}

/// From behind the sub-layer ordering to the timing.
fn h265_vui(bits: &mut Bits) -> Option<Vui> {
    for _ in 0..6 {
        bits.ue()?;
    }
    if bits.bit()? && bits.bit()? {
        h265_skip_scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.bit()? {
        bits.skip(8)?;
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    h265_skip_reference_sets(bits)?;
    // Long-term reference pictures would need the width of their counter: rare, and nothing lost but the ratio.
    if bits.bit()? {
        return None;
    }
    bits.skip(2)?;
    if !bits.bit()? {
        return Some(Vui::default());
    }
    let mut vui = Vui::default();
    if bits.bit()? {
        vui.pixel_aspect = h265_aspect(bits)?;
    }
    if let Some((full_range, matrix)) = h265_signal(bits) {
        (vui.full_range, vui.matrix) = (full_range, matrix);
        vui.fps = h265_timing(bits).flatten();
    }
    Some(vui)
}

/// Overscan and signal type: range and matrix.
fn h265_signal(bits: &mut Bits) -> Option<(bool, Option<u8>)> {
    if bits.bit()? {
        bits.skip(1)?;
    }
    if !bits.bit()? {
        return Some((false, None));
    }
    bits.skip(3)?;
    let full_range = bits.bit()?;
    if !bits.bit()? {
        return Some((full_range, None));
    }
    bits.skip(16)?;
    Some((full_range, u8::try_from(bits.bits(8)?).ok()))
}

fn h265_aspect(bits: &mut Bits) -> Option<Option<(u16, u16)>> {
    const EXTENDED: u32 = 255;
    const KNOWN: [(u16, u16); 16] = [
        (1, 1),
        (12, 11),
        (10, 11),
        (16, 11),
        (40, 33),
        (24, 11),
        (20, 11),
        (32, 11),
        (80, 33),
        (18, 11),
        (15, 11),
        (64, 33),
        (160, 99),
        (4, 3),
        (3, 2),
        (2, 1),
    ];
    Some(match bits.bits(8)? {
        EXTENDED => {
            let ratio = (bits.bits(16)?, bits.bits(16)?);
            match (u16::try_from(ratio.0).ok()?, u16::try_from(ratio.1).ok()?) {
                (0, _) | (_, 0) => None,
                ratio => Some(ratio),
            }
        }
        known => usize::try_from(known)
            .ok()
            .and_then(|known| KNOWN.get(known.checked_sub(1)?).copied()),
    })
}

fn h265_timing(bits: &mut Bits) -> Option<Option<f64>> {
    // Chroma location.
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    bits.skip(3)?;
    // Default display window.
    if bits.bit()? {
        for _ in 0..4 {
            bits.ue()?;
        }
    }
    if !bits.bit()? {
        return Some(None);
    }
    let ticks = bits.bits(32)?;
    let ticks_per_second = bits.bits(32)?;
    Some(rate(ticks_per_second, ticks, 1.0))
}

fn h265_skip_scaling_lists(bits: &mut Bits) -> Option<()> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.bit()? {
                bits.ue()?;
                continue;
            }
            if size > 1 {
                bits.skip_se()?;
            }
            for _ in 0..(1 << (4 + 2 * size)).min(64) {
                bits.skip_se()?;
            }
        }
    }
    Some(())
}

fn h265_skip_reference_sets(bits: &mut Bits) -> Option<()> {
    const MOST: u32 = 64;
    const MOST_PICTURES: u32 = 16;
    let sets = bits.ue().filter(|sets| *sets <= MOST)?;
    let mut pictures = 0;
    for set in 0..sets {
        if set > 0 && bits.bit()? {
            bits.skip(1)?;
            bits.ue()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let used = bits.bit()?;
                kept += u32::from(used || bits.bit()?);
            }
            pictures = kept;
        } else {
            let before = bits.ue().filter(|count| *count <= MOST_PICTURES)?;
            let after = bits.ue().filter(|count| *count <= MOST_PICTURES)?;
            pictures = before + after;
            for _ in 0..pictures {
                bits.ue()?;
                bits.skip(1)?;
            }
        }
    }
    Some(())
}
