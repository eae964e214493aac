//! The frame number drawn in the pattern: black and white blocks.
//!
//! 16 bits, most significant first, in two rows of eight square blocks, white
//! is 1. A block's side is a twentieth of the picture's width; the first one's top-left corner
//! is at (side, side). To the right of each row stands a 17th block that checks the
//! reader: white in row 0, black in row 1. All on a gray margin.

/// The number in a picture of `width` × `height` bytes of luma (full or video
/// range), or `None` if it shows none: check blocks wrong or blocks blurred.
pub fn read_number(luma: &[u8], width: usize, height: usize) -> Option<u16> {
    let side = width / 20;
    if side < 2 || height < 4 * side || luma.len() < width * height {
        return None;
    }
    let mut number = 0;
    for row in 0..2 {
        for column in 0..9 {
            let bit = read_block(luma, width, (column + 1) * side, (row + 1) * side, side)?;
            match column {
                8 if bit != (row == 0) => return None,
                8 => {}
                _ => number = number << 1 | u16::from(bit),
            }
        }
    }
    Some(number)
}

/// Mean brightness of a block's inner half: white, black, or neither.
fn read_block(luma: &[u8], width: usize, x: usize, y: usize, side: usize) -> Option<bool> {
    let inner = side / 4..(side - side / 4).max(side / 4 + 1);
    let mut sum = 0_usize;
    for dy in inner.clone() {
        let from = (y + dy) * width + x;
        sum += luma[from + inner.start..from + inner.end]
            .iter()
            .map(|&v| usize::from(v))
            .sum::<usize>();
    }
    match sum / (inner.len() * inner.len()) {
        0..=80 => Some(false),
        176.. => Some(true),
        _ => None,
    }
}

/// Draws `number` into a picture of `width` × `height` bytes of luma; black
/// and white are those of video range.
pub fn draw_number(luma: &mut [u8], width: usize, number: u16) {
    let side = width / 20;
    for row in 0..2_usize {
        for column in 0..9_usize {
            let white = match column {
                8 => row == 0,
                _ => number >> (15 - (row * 8 + column)) & 1 == 1,
            };
            for y in (row + 1) * side..(row + 2) * side {
                let from = y * width + (column + 1) * side;
                luma[from..from + side].fill(if white { 235 } else { 16 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_reads_back_and_a_blank_picture_has_none() {
        let (width, height) = (160, 90);
        let mut luma = vec![128; width * height];
        assert_eq!(read_number(&luma, width, height), None);
        for number in 0..=u16::MAX {
            draw_number(&mut luma, width, number);
            assert_eq!(read_number(&luma, width, height), Some(number));
        }
        luma.fill(235);
        assert_eq!(read_number(&luma, width, height), None);
    }
}
