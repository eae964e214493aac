//! Whether the marker bit of a camera says the truth: that a picture ends with its packet. Pure.
//!
//! Some cameras set it on every slice, some never. Until it has been right for a while a picture is held until the next
//! begins, a frame's time later; afterwards it is handed on with its marker.
//!
//! Not here: where a picture begins (`h264`, `h265`).

/// So many pictures in a row, and among them so many key frames: those have more slices than others.
const PICTURES: u32 = 8;
const KEY_FRAMES: u32 = 2;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MarkerTrust {
    pictures: u32,
    key_frames: u32,
    /// It lied after it had been believed: never again.
    lost: bool,
}

impl MarkerTrust {
    pub fn believed(&self) -> bool {
        !self.lost && self.pictures >= PICTURES && self.key_frames >= KEY_FRAMES
    }

    /// A marked picture was followed by another.
    pub fn was_right(&mut self, key: bool) {
        self.pictures = self.pictures.saturating_add(1);
        self.key_frames = self.key_frames.saturating_add(u32::from(key));
    }

    /// A marked picture went on.
    pub fn was_wrong(&mut self) {
        self.lost |= self.believed();
        (self.pictures, self.key_frames) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_is_believed_once_pictures_and_key_frames_bore_it_out_and_not_again_after_a_lie() {
        let mut trust = MarkerTrust::default();
        for n in 0..PICTURES {
            assert!(!trust.believed(), "{n}");
            trust.was_right(n == 0);
        }
        assert!(!trust.believed(), "one key frame is too few");
        trust.was_right(true);
        assert!(trust.believed());
        trust.was_wrong();
        for _ in 0..100 {
            trust.was_right(true);
        }
        assert!(!trust.believed());
    }

    #[test]
    fn a_lie_before_it_is_believed_only_begins_the_count_anew() {
        let mut trust = MarkerTrust::default();
        for _ in 0..PICTURES - 1 {
            trust.was_right(true);
        }
        trust.was_wrong();
        trust.was_right(true);
        assert!(!trust.believed());
        for _ in 0..PICTURES {
            trust.was_right(true);
        }
        assert!(trust.believed());
    }
}
