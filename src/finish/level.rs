//! The H.264 level that a picture of a size and rate needs: what a phone looks at first. Pure.
//!
//! Not here: which profile (always High; `plan`).

/// Level, macroblocks a second, macroblocks a picture (Rec. ITU-T H.264, table A-1). Below 3 none is
/// worth naming: everything that plays 3 plays less.
const LEVELS: &[(&str, u64, u64)] = &[
    ("3.0", 40_500, 1_620),
    ("3.1", 108_000, 3_600),
    ("3.2", 216_000, 5_120),
    ("4.0", 245_760, 8_192),
    ("4.2", 522_240, 8_704),
    ("5.0", 589_824, 22_080),
    ("5.1", 983_040, 36_864),
    ("5.2", 2_073_600, 36_864),
    ("6.2", 16_711_680, 139_264),
];

/// The lowest level that holds a picture of so many pixels, so many times a second.
pub fn level(width: u32, height: u32, per_second: u64) -> &'static str {
    let (wide, high) = (width.div_ceil(16), height.div_ceil(16));
    let picture = u64::from(wide) * u64::from(high);
    let holds = |&&(_, rate, size): &&(&str, u64, u64)| {
        // No side is longer than the root of eight times the size.
        let longest = u64::from(wide.max(high));
        picture <= size && longest * longest <= size * 8 && picture * per_second <= rate
    };
    LEVELS.iter().find(holds).map_or("6.2", |(level, ..)| level)
}

/// The most frames that begin within one second; `frames_90k` rises.
pub fn busiest_second(frames_90k: &[u64]) -> u64 {
    let mut from = 0;
    let mut most = 0;
    for (to, at) in frames_90k.iter().enumerate() {
        while at - frames_90k[from] >= 90_000 {
            from += 1;
        }
        most = most.max(to + 1 - from);
    }
    most as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_cameras_get_the_level_that_every_phone_plays() {
        assert_eq!(level(1920, 1080, 25), "4.0");
        assert_eq!(level(1920, 1080, 30), "4.0");
        assert_eq!(level(1920, 1080, 60), "4.2");
        assert_eq!(level(1280, 720, 30), "3.1");
        assert_eq!(level(608, 1080, 30), "3.1");
        assert_eq!(level(640, 360, 25), "3.0");
        assert_eq!(level(2560, 1440, 30), "5.0");
        assert_eq!(level(3840, 2160, 30), "5.1");
        assert_eq!(level(60_000, 60_000, 30), "6.2");
    }

    #[test]
    fn the_busiest_second_counts() {
        assert_eq!(busiest_second(&[]), 0);
        let steady: Vec<u64> = (0..100).map(|n| n * 3_600).collect();
        assert_eq!(busiest_second(&steady), 25);
        let burst = [0, 500_000, 500_100, 500_200, 589_999, 590_000, 900_000];
        assert_eq!(busiest_second(&burst), 4);
    }
}
