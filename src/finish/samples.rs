//! For the tests of this room.

use super::clip::{Clip, Matrix};
use super::place::Canvas;

pub fn clip(frames_90k: Vec<u64>, duration_90k: u64) -> Clip {
    Clip {
        canvas: Canvas {
            width: 1920,
            height: 1080,
            pixel_aspect: 1.0,
        },
        several_sizes: false,
        sound: None,
        full_range: false,
        matrix: Matrix::Bt709,
        frames_90k,
        duration_90k,
        bytes: 25_000_000,
        doubtful: 0,
        unordered: false,
        paced_90k: None,
    }
}
