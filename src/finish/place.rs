//! Where logos and text stand in a picture, to the pixel. Pure.
//!
//! All places and sizes are even: colour has half the picture's resolution, and a logo at an odd
//! place would bleed.
//! Not here: how FFmpeg is told (`graph`).

use crate::config::{Corner, Logo};

/// A picture's size in its own pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canvas {
    pub width: u32,
    pub height: u32,
    /// A pixel's width over its height.
    pub pixel_aspect: f64,
}

/// A rectangle in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// A logo with the size of its file in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizedLogo<'a> {
    pub logo: &'a Logo,
    pub width: u32,
    pub height: u32,
}

/// A line of text: where it begins or ends, and how high its letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextBox {
    pub corner: Corner,
    pub margin: u32,
    pub y: u32,
    pub font_px: u32,
}

/// Of the text, in pixels of a picture 1080 high: as a logo's by default.
const TEXT_MARGIN: u32 = 24;
/// Letters are so much of the picture's height …
const TEXT_HEIGHT: f64 = 1.0 / 27.0;
/// … and a letter of a bold face is about so wide, at most, against its height.
const LETTER_WIDTH: f64 = 0.7;

pub fn even(size: f64) -> u32 {
    let half = (size / 2.0).round().clamp(1.0, 32_000.0);
    // At most 32,000: fits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let half = half as u32;
    half * 2
}

fn even_floor(size: u32) -> u32 {
    size / 2 * 2
}

impl Canvas {
    /// 9:16 in the middle, as high as the picture (or as wide, where it is narrower than that).
    pub fn vertical(self) -> Spot {
        let wanted = f64::from(self.height) * 9.0 / 16.0 / self.pixel_aspect;
        let (width, height) = if wanted <= f64::from(self.width) {
            (even(wanted), even_floor(self.height))
        } else {
            let high = f64::from(self.width) * self.pixel_aspect * 16.0 / 9.0;
            (even_floor(self.width), even(high))
        };
        let (width, height) = (width.min(self.width), height.min(self.height));
        Spot {
            x: even_floor((self.width - width) / 2),
            y: even_floor((self.height - height) / 2),
            width,
            height,
        }
    }

    fn margin(self, margin_px: u32) -> u32 {
        match margin_px {
            0 => 0,
            px => even(f64::from(px) * f64::from(self.height) / 1080.0)
                .min(even_floor(self.width.min(self.height) / 4)),
        }
    }

    /// As wide as it is to be, no larger than what the margins leave.
    fn size(self, sized: SizedLogo<'_>) -> (u32, u32) {
        let margin = self.margin(sized.logo.margin_px);
        let (most_wide, most_high) = (self.width - 2 * margin, self.height - 2 * margin);
        let shape = f64::from(sized.height) / f64::from(sized.width.max(1)) * self.pixel_aspect;
        let wide = (f64::from(self.width) * sized.logo.rel_width).min(f64::from(most_wide));
        let wide = wide.min(f64::from(most_high) / shape.max(1e-6));
        (
            even(wide).min(even_floor(most_wide).max(2)),
            even(wide * shape).min(even_floor(most_high).max(2)),
        )
    }

    fn font_px(self, letters: usize) -> u32 {
        let letters = f64::from(u32::try_from(letters.max(1)).unwrap_or(u32::MAX));
        let room = f64::from(self.width - 2 * self.margin(TEXT_MARGIN));
        let fits = room / (letters * LETTER_WIDTH);
        even((f64::from(self.height) * TEXT_HEIGHT).min(fits)).max(6)
    }
}

/// Something in a corner's stack: its size and its margin.
struct Piece {
    width: u32,
    height: u32,
    margin: u32,
}

/// Where each logo stands, and the text, if there is one of so many letters. What shares a corner
/// stands below each other in the order given, the text last.
pub fn place(
    canvas: Canvas,
    logos: &[SizedLogo<'_>],
    text: Option<(Corner, usize)>,
) -> (Vec<Spot>, Option<TextBox>) {
    let mut pieces: Vec<(Corner, Piece)> = Vec::new();
    for sized in logos {
        let (width, height) = canvas.size(*sized);
        let margin = canvas.margin(sized.logo.margin_px);
        let piece = Piece {
            width,
            height,
            margin,
        };
        pieces.push((sized.logo.corner, piece));
    }
    let font_px = text.map(|(_, letters)| canvas.font_px(letters));
    if let (Some((corner, _)), Some(font_px)) = (text, font_px) {
        let piece = Piece {
            width: 0,
            height: even(f64::from(font_px) * 1.25),
            margin: canvas.margin(TEXT_MARGIN),
        };
        pieces.push((corner, piece));
    }
    let mut spots: Vec<Spot> = (0..pieces.len())
        .map(|n| spot(canvas, &pieces, n))
        .collect();
    let line = text.zip(font_px).and_then(|((corner, _), font_px)| {
        Some(TextBox {
            corner,
            margin: canvas.margin(TEXT_MARGIN),
            y: spots.pop()?.y,
            font_px,
        })
    });
    (spots, line)
}

fn spot(canvas: Canvas, pieces: &[(Corner, Piece)], n: usize) -> Spot {
    let (corner, piece) = &pieces[n];
    let before: Vec<&Piece> = of_corner(&pieces[..n], *corner);
    let stack = of_corner(pieces, *corner);
    // Half a margin between two.
    let high = |pieces: &[&Piece]| -> u32 {
        let steps = pieces.iter().map(|p| p.height + even_floor(p.margin / 2));
        steps.sum()
    };
    let total = high(&stack) - stack.last().map_or(0, |last| even_floor(last.margin / 2));
    let above = high(&before);
    let room = |size: u32, whole: u32| whole.saturating_sub(size);
    let left = match corner {
        Corner::TopLeft | Corner::BottomLeft => piece.margin,
        Corner::TopRight | Corner::BottomRight => room(piece.width + piece.margin, canvas.width),
        Corner::Center => room(piece.width, canvas.width) / 2,
    };
    let top = match corner {
        Corner::TopLeft | Corner::TopRight => stack.first().map_or(0, |first| first.margin),
        Corner::BottomLeft | Corner::BottomRight => {
            let margin = stack.last().map_or(0, |last| last.margin);
            room(total + margin, canvas.height)
        }
        Corner::Center => room(total, canvas.height) / 2,
    };
    Spot {
        x: even_floor(left.min(room(piece.width, canvas.width))),
        y: even_floor((top + above).min(room(piece.height, canvas.height))),
        width: piece.width,
        height: piece.height,
    }
}

fn of_corner(pieces: &[(Corner, Piece)], corner: Corner) -> Vec<&Piece> {
    let of = pieces.iter().filter(|(at, _)| *at == corner);
    of.map(|(_, piece)| piece).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const HD: Canvas = Canvas {
        width: 1920,
        height: 1080,
        pixel_aspect: 1.0,
    };

    fn logo(corner: Corner, rel_width: f64, margin_px: u32) -> Logo {
        Logo {
            file: "/logo.png".into(),
            corner,
            rel_width,
            margin_px,
            opacity: 0.6,
        }
    }

    fn placed(canvas: Canvas, logos: &[(Logo, u32, u32)]) -> Vec<Spot> {
        let sized: Vec<SizedLogo<'_>> = logos
            .iter()
            .map(|(logo, width, height)| SizedLogo {
                logo,
                width: *width,
                height: *height,
            })
            .collect();
        place(canvas, &sized, None).0
    }

    #[test]
    fn a_logo_stands_in_its_corner_at_its_margin() {
        let spots = [
            (Corner::TopLeft, (24, 24)),
            (Corner::TopRight, (1512, 24)),
            (Corner::BottomLeft, (24, 928)),
            (Corner::BottomRight, (1512, 928)),
            (Corner::Center, (768, 476)),
        ];
        for (corner, (x, y)) in spots {
            let spot = placed(HD, &[(logo(corner, 0.2, 24), 480, 160)])[0];
            assert_eq!((spot.width, spot.height), (384, 128), "{corner:?}");
            assert_eq!((spot.x, spot.y), (x, y), "{corner:?}");
        }
    }

    #[test]
    fn margins_shrink_with_the_picture() {
        let half = Canvas {
            width: 960,
            height: 540,
            ..HD
        };
        let spot = placed(half, &[(logo(Corner::TopLeft, 0.2, 24), 480, 160)])[0];
        assert_eq!((spot.x, spot.y, spot.width, spot.height), (12, 12, 192, 64));
    }

    #[test]
    fn several_in_one_corner_stand_below_each_other() {
        let two = [
            (logo(Corner::BottomLeft, 0.1, 24), 100, 50),
            (logo(Corner::TopRight, 0.1, 24), 100, 50),
            (logo(Corner::BottomLeft, 0.2, 24), 100, 25),
        ];
        let spots = placed(HD, &two);
        assert_eq!(spots[0].y + spots[0].height + 12, spots[2].y);
        assert_eq!(spots[2].y + spots[2].height + 24, 1080);
        assert_eq!(spots[1].y, 24);
        let center = two.map(|(logo, w, h)| {
            let corner = Corner::Center;
            (Logo { corner, ..logo }, w, h)
        });
        let spots = placed(HD, &center);
        let bottom = spots[2].y + spots[2].height;
        assert!((i64::from(1080 - bottom) - i64::from(spots[0].y)).abs() <= 2);
        assert!(
            spots
                .iter()
                .all(|s| (s.x * 2 + s.width).abs_diff(1920) <= 2)
        );
    }

    #[test]
    fn text_stands_below_the_logo_of_its_corner_and_fits_its_width() {
        let one = logo(Corner::BottomRight, 0.2, 24);
        let sized = SizedLogo {
            logo: &one,
            width: 480,
            height: 160,
        };
        let (spots, line) = place(HD, &[sized], Some((Corner::BottomRight, 20)));
        let line = line.unwrap();
        assert_eq!(line.font_px, 40);
        assert_eq!(spots[0].y + spots[0].height + 12, line.y);
        assert_eq!(line.y + 50 + 24, 1080);
        let narrow = Canvas { width: 608, ..HD };
        let (_, line) = place(narrow, &[], Some((Corner::TopLeft, 40)));
        assert_eq!(line.unwrap().font_px, 20);
    }

    #[test]
    fn nine_by_sixteen_is_cut_from_the_middle() {
        let spot = HD.vertical();
        assert_eq!(
            (spot.x, spot.y, spot.width, spot.height),
            (656, 0, 608, 1080)
        );
        let tall = Canvas {
            width: 480,
            height: 1080,
            pixel_aspect: 1.0,
        };
        let spot = tall.vertical();
        assert_eq!(
            (spot.x, spot.y, spot.width, spot.height),
            (0, 112, 480, 854)
        );
        let anamorphic = Canvas {
            width: 960,
            height: 1080,
            pixel_aspect: 2.0,
        };
        assert_eq!(anamorphic.vertical().width, 304);
    }

    fn any_corner() -> impl Strategy<Value = Corner> {
        prop_oneof![
            Just(Corner::TopLeft),
            Just(Corner::TopRight),
            Just(Corner::BottomLeft),
            Just(Corner::BottomRight),
            Just(Corner::Center),
        ]
    }

    proptest! {
        #[test]
        fn whatever_its_shape_a_logo_is_inside_and_even(
            (width, height) in (16u32..4096, 16u32..4096),
            aspect in 0.3f64..3.0,
            logos in prop::collection::vec(
                (any_corner(), 0.001f64..=1.0, 0u32..2000, 1u32..9000, 1u32..9000), 1..5),
            letters in prop::option::of(0usize..500),
        ) {
            let canvas = Canvas { width: width / 2 * 2, height: height / 2 * 2, pixel_aspect: aspect };
            let logos: Vec<(Logo, u32, u32)> = logos.into_iter()
                .map(|(corner, rel, margin, w, h)| (logo(corner, rel, margin), w, h)).collect();
            let sized: Vec<SizedLogo<'_>> = logos.iter()
                .map(|(logo, width, height)| SizedLogo { logo, width: *width, height: *height }).collect();
            let (spots, _) = place(canvas, &sized, letters.map(|n| (Corner::Center, n)));
            for spot in spots.into_iter().chain([canvas.vertical()]) {
                prop_assert!(spot.width >= 2 && spot.height >= 2);
                prop_assert!(spot.x + spot.width <= canvas.width, "{spot:?} in {canvas:?}");
                prop_assert!(spot.y + spot.height <= canvas.height, "{spot:?} in {canvas:?}");
                prop_assert!([spot.x, spot.y, spot.width, spot.height].iter().all(|n| n % 2 == 0));
            }
        }
    }
}
