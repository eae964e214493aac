//! Pixels: the mark where it should be, at its opacity, in its colours; all else as it was.

use std::path::Path;
use std::process::Command;

use hindsight::config::{Corner, Finish, Text};
use hindsight::finish::words::{escaped, filled};

use crate::media::Recipe;
use crate::rig::{self, Storage, logo, plain, png};
use crate::source::{self, TICKS_PER_FRAME};

const WIDTH: usize = 320;
const HEIGHT: usize = 180;

/// Of one picture: planes of 4:2:0, as coded.
struct Picture {
    planes: [Vec<u8>; 3],
    width: usize,
}

impl Picture {
    /// Of a plane (0: luma), within a rectangle of luma pixels.
    fn pixels(&self, plane: usize, (x, y, width, height): (usize, usize, usize, usize)) -> Vec<u8> {
        let half = |n: usize| if plane == 0 { n } else { n / 2 };
        let rows = half(y)..half(y + height);
        let row = |row: usize| {
            let from = row * half(self.width) + half(x);
            self.planes[plane][from..from + half(width)].to_vec()
        };
        rows.flat_map(row).collect()
    }

    fn mean(&self, plane: usize, place: (usize, usize, usize, usize)) -> f64 {
        let pixels = self.pixels(plane, place);
        pixels.iter().map(|p| f64::from(*p)).sum::<f64>() / pixels.len() as f64
    }
}

/// The pictures of a video.
fn pictures(file: &Path, (width, height): (usize, usize)) -> Vec<Picture> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args([
            "-map",
            "0:v:0",
            "-fps_mode",
            "passthrough",
            "-pix_fmt",
            "yuv420p",
        ])
        .args(["-f", "rawvideo", "-"])
        .output()
        .unwrap();
    let luma = width * height;
    let (chroma, whole) = (luma / 4, luma * 3 / 2);
    let picture = |bytes: &[u8]| Picture {
        planes: [
            bytes[..luma].to_vec(),
            bytes[luma..luma + chroma].to_vec(),
            bytes[luma + chroma..].to_vec(),
        ],
        width,
    };
    assert_eq!(out.stdout.len() % whole, 0);
    out.stdout.chunks(whole).map(picture).collect()
}

fn storage() -> Storage {
    let tracks = source::make(source::recipe());
    Storage::with(&tracks, 60 * TICKS_PER_FRAME, 70 * TICKS_PER_FRAME)
}

/// Fine enough that what differs is the mark.
fn fine() -> Finish {
    Finish { crf: 1, ..plain() }
}

/// The pictures before and after.
fn both(storage: &Storage, finish: Finish) -> (Vec<Picture>, Vec<Picture>) {
    let finished = storage.finished(finish);
    let (path, _) = finished.marked.unwrap();
    let (before, after) = (
        pictures(&storage.clip, (WIDTH, HEIGHT)),
        pictures(&path, (WIDTH, HEIGHT)),
    );
    assert_eq!((before.len(), after.len()), (10, 10));
    (before, after)
}

/// Outside of the rectangles nothing differs by more than the codec's noise.
fn assert_untouched(before: &[Picture], after: &[Picture], marks: &[(usize, usize, usize, usize)]) {
    // The codec's noise bleeds a little.
    const BLEED: usize = 4;
    let inside = |x: usize, y: usize| {
        marks.iter().any(|(left, top, width, height)| {
            (left.saturating_sub(BLEED)..left + width + BLEED).contains(&x)
                && (top.saturating_sub(BLEED)..top + height + BLEED).contains(&y)
        })
    };
    for (n, (before, after)) in before.iter().zip(after).enumerate() {
        let mut off = 0.0;
        let mut counted = 0.0;
        for (at, (a, b)) in before.planes[0].iter().zip(&after.planes[0]).enumerate() {
            if inside(at % WIDTH, at / WIDTH) {
                continue;
            }
            let differs = a.abs_diff(*b);
            assert!(
                differs < 24,
                "frame {n}, pixel ({}, {}): {a}, then {b}",
                at % WIDTH,
                at / WIDTH
            );
            off += f64::from(differs);
            counted += 1.0;
        }
        assert!(off / counted < 1.0, "frame {n} is off by {}", off / counted);
    }
}

/// Where a 480x160 PNG at a fifth of the width and the default margin must be.
const CORNERS: [(Corner, (usize, usize, usize, usize)); 5] = [
    (Corner::TopLeft, (4, 4, 64, 22)),
    (Corner::TopRight, (252, 4, 64, 22)),
    (Corner::BottomLeft, (4, 154, 64, 22)),
    (Corner::BottomRight, (252, 154, 64, 22)),
    (Corner::Center, (128, 78, 64, 22)),
];

fn inner((x, y, width, height): (usize, usize, usize, usize)) -> (usize, usize, usize, usize) {
    (x + 4, y + 4, width - 8, height - 8)
}

#[test]
fn a_logo_is_where_it_should_be_at_its_opacity_and_the_rest_is_untouched() {
    let storage = storage();
    let white = png(storage.dir.path(), "white.png", (480, 160), [255; 4]);
    for (corner, place) in CORNERS {
        for opacity in [0.6, 1.0] {
            let (before, after) = both(
                &storage,
                Finish {
                    logos: vec![logo(&white, corner, 0.2, opacity)],
                    ..fine()
                },
            );
            for (before, after) in before.iter().zip(&after) {
                let was = before.pixels(0, inner(place));
                let is = after.pixels(0, inner(place));
                for (was, is) in was.iter().zip(&is) {
                    let wanted = f64::from(*was) * (1.0 - opacity) + 235.0 * opacity;
                    assert!(
                        (f64::from(*is) - wanted).abs() < 10.0,
                        "{corner:?} at {opacity}: {was} became {is}, not {wanted}"
                    );
                }
            }
            assert_untouched(&before, &after, &[place]);
        }
    }
}

#[test]
fn a_logo_keeps_its_colour() {
    let storage = storage();
    // Red in BT.601, as a small picture is coded.
    let red = png(storage.dir.path(), "red.png", (480, 160), [255, 0, 0, 255]);
    let (_, after) = both(
        &storage,
        Finish {
            logos: vec![logo(&red, Corner::BottomRight, 0.2, 1.0)],
            ..fine()
        },
    );
    let place = inner(CORNERS[3].1);
    for picture in &after {
        let seen = [0, 1, 2].map(|plane| picture.mean(plane, place));
        for (seen, wanted) in seen.into_iter().zip([81.0, 90.0, 240.0]) {
            assert!((seen - wanted).abs() < 4.0, "{seen}, not {wanted}");
        }
    }
}

#[test]
fn what_is_transparent_in_the_logo_shows_the_picture() {
    let storage = storage();
    let clear = png(
        storage.dir.path(),
        "clear.png",
        (480, 160),
        [255, 255, 255, 0],
    );
    let (before, after) = both(
        &storage,
        Finish {
            logos: vec![logo(&clear, Corner::TopLeft, 0.5, 1.0)],
            ..fine()
        },
    );
    assert_untouched(&before, &after, &[]);
}

#[test]
fn several_logos_stand_below_each_other_and_in_the_middle() {
    let storage = storage();
    let dir = storage.dir.path();
    let white = png(dir, "100%d [a],b;c'.png", (100, 50), [255; 4]);
    let black = png(dir, "black.png", (100, 25), [0, 0, 0, 255]);
    for (corner, first, second) in [
        (Corner::TopRight, (284, 4, 32, 16), (252, 22, 64, 16)),
        (Corner::Center, (144, 72, 32, 16), (128, 90, 64, 16)),
        (Corner::BottomLeft, (4, 142, 32, 16), (4, 160, 64, 16)),
    ] {
        let (before, after) = both(
            &storage,
            Finish {
                logos: vec![
                    logo(&white, corner, 0.1, 1.0),
                    logo(&black, corner, 0.2, 1.0),
                ],
                ..fine()
            },
        );
        for picture in &after {
            let (light, dark) = (
                picture.mean(0, inner(first)),
                picture.mean(0, inner(second)),
            );
            assert!((light - 235.0).abs() < 3.0, "{corner:?}: {light}");
            assert!((dark - 16.0).abs() < 3.0, "{corner:?}: {dark}");
        }
        assert_untouched(&before, &after, &[first, second]);
    }
}

#[test]
fn the_vertical_version_is_the_middle_with_the_logo_inside() {
    let storage = storage();
    let white = png(storage.dir.path(), "white.png", (480, 160), [255; 4]);
    let finished = storage.finished(Finish {
        logos: vec![logo(&white, Corner::BottomRight, 0.4, 1.0)],
        vertical: true,
        ..fine()
    });
    let tall = pictures(&finished.vertical.unwrap(), (102, HEIGHT));
    let wide = pictures(&storage.clip, (WIDTH, HEIGHT));
    assert_eq!(tall.len(), wide.len());
    for (tall, wide) in tall.iter().zip(&wide) {
        // 40 by 14 at (58, 162).
        assert!((tall.mean(0, inner((58, 162, 40, 14))) - 235.0).abs() < 3.0);
        let (is, was) = (
            tall.pixels(0, (0, 0, 100, 150)),
            wide.pixels(0, (108, 0, 100, 150)),
        );
        let off: f64 = is
            .iter()
            .zip(&was)
            .map(|(a, b)| f64::from(a.abs_diff(*b)))
            .sum();
        assert!(off / 15_000.0 < 1.0, "off by {}", off / 15_000.0);
    }
}

#[test]
fn text_is_drawn_in_its_corner_only() {
    let storage = storage();
    for (corner, place) in [
        (Corner::TopLeft, (4, 4, 312, 10)),
        (Corner::BottomRight, (4, 166, 312, 10)),
    ] {
        let (before, after) = both(
            &storage,
            Finish {
                text: Some(Text {
                    template: "{venue} {court} {camera} {time} \\ %{pts} a:b=c".to_owned(),
                    corner,
                }),
                ..fine()
            },
        );
        assert_untouched(&before, &after, &[place]);
        let (was, is) = (before[9].pixels(0, place), after[9].pixels(0, place));
        let changed = was
            .iter()
            .zip(&is)
            .filter(|(a, b)| a.abs_diff(**b) > 30)
            .count();
        assert!(changed > 200, "{changed} pixels of letters at {corner:?}");
    }
}

#[test]
fn full_range_becomes_the_range_that_players_expect() {
    let dir = tempfile::tempdir().unwrap();
    let footage = dir.path().join("full.mp4");
    let grey = "color=c=0xc8c8c8:s=320x180:r=25:d=1";
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", grey])
        .args([
            "-vf",
            "scale=out_range=pc,format=yuvj420p",
            "-c:v",
            "libx264",
            "-bf",
            "0",
            "-crf",
            "5",
        ])
        .arg(&footage)
        .status();
    assert!(status.unwrap().success());
    let storage = Storage::with(&source::take_apart(&footage), 0, 20 * TICKS_PER_FRAME);
    let white = png(storage.dir.path(), "white.png", (480, 160), [255; 4]);
    let finished = storage.finished(Finish {
        logos: vec![logo(&white, Corner::TopLeft, 0.2, 1.0)],
        ..fine()
    });
    let (path, _) = finished.marked.unwrap();
    let facts = rig::probe(&path, "stream=pix_fmt,color_range");
    assert_eq!(facts["streams"][0]["pix_fmt"], "yuv420p");
    assert_ne!(facts["streams"][0]["color_range"], "pc");
    // 200 of 255 is 188 of 16 to 235.
    for picture in pictures(&path, (WIDTH, HEIGHT)) {
        let grey = picture.mean(0, (100, 100, 100, 60));
        assert!((grey - 188.0).abs() < 2.0, "{grey}");
        let white = picture.mean(0, inner(CORNERS[0].1));
        assert!((white - 235.0).abs() < 3.0, "{white}");
    }
}

#[test]
fn the_shape_of_pixels_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let footage = dir.path().join("narrow.mp4");
    let status = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=352x288:r=25:d=1",
        ])
        .args(["-vf", "setsar=16/11", "-c:v", "libx264", "-bf", "0"])
        .arg(&footage)
        .status();
    assert!(status.unwrap().success());
    let storage = Storage::with(&source::take_apart(&footage), 0, 20 * TICKS_PER_FRAME);
    let white = png(storage.dir.path(), "white.png", (100, 100), [255; 4]);
    let finished = storage.finished(Finish {
        logos: vec![logo(&white, Corner::TopLeft, 0.2, 1.0)],
        ..fine()
    });
    let (path, _) = finished.marked.unwrap();
    let facts = rig::probe(&path, "stream=sample_aspect_ratio");
    assert_eq!(facts["streams"][0]["sample_aspect_ratio"], "16:11");
    // A square logo is square to the eye: 70 wide pixels for 102 rows.
    for picture in pictures(&path, (352, 288)) {
        assert!((picture.mean(0, (10, 10, 62, 94)) - 235.0).abs() < 4.0);
        assert!((picture.mean(0, (6, 114, 70, 20)) - 235.0).abs() > 10.0);
    }
    let facts = rig::probe(
        &finished.thumbnail.unwrap(),
        "stream=width,height,sample_aspect_ratio",
    );
    let still = &facts["streams"][0];
    assert_eq!(
        (still["width"].as_u64(), still["height"].as_u64()),
        (Some(512), Some(288))
    );
}

#[test]
fn placeholders_are_filled_in_and_an_unset_clock_writes_no_time() {
    let mut sidecar = storage().sidecar;
    let text = |template: &str, sidecar: &_| filled(template, "TC Süd", sidecar);
    assert_eq!(
        text("{venue}, {court} · {date} {time}", &sidecar).unwrap(),
        "TC Süd, Court 1 · 2026-11-21 18:42"
    );
    assert_eq!(text("{nothing} {", &sidecar).unwrap(), "{nothing} {");
    assert_eq!(text(" a\n\tb ", &sidecar).unwrap(), "a b");
    // What stands in a name is no placeholder.
    sidecar.camera.name = "{time}".to_owned();
    assert_eq!(text("{camera}", &sidecar).unwrap(), "{time}");
    sidecar.clock.wall_synchronised = false;
    assert_eq!(text("{venue} {date} {time}", &sidecar).unwrap(), "TC Süd");
    assert_eq!(text("{date} {time}", &sidecar), None);
    sidecar.court = None;
    assert_eq!(text("{court}!", &sidecar).unwrap(), "!");
}

#[test]
fn ffmpeg_reads_an_escaped_value_as_it_was_meant() {
    let values = [
        "plain",
        "18:42",
        "Tom's",
        r"a\b\\c",
        "[in],[out];null",
        "50 %{pts} = {x}",
        r"\' : \\' ,",
        "Süd ✓ – “q”",
        "a'b'c:d",
    ];
    for value in values {
        let graph = format!(
            "metadata=mode=add:key=said:value={},metadata=mode=print:file=-",
            escaped(value)
        );
        let out = Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-f",
                "lavfi",
                "-i",
                "color=s=16x16:d=0.04",
                "-frames:v",
                "1",
            ])
            .args(["-vf", &graph, "-f", "null", "-"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let line = said.lines().find_map(|line| line.strip_prefix("said="));
        assert_eq!(
            line,
            Some(value),
            "{graph}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn a_clip_with_one_frame_is_marked_too() {
    let tracks = source::make(Recipe {
        b_frames: 0,
        ..source::recipe()
    });
    let storage = Storage::with(&tracks, 60 * TICKS_PER_FRAME, 61 * TICKS_PER_FRAME);
    let white = png(storage.dir.path(), "white.png", (480, 160), [255; 4]);
    let finished = storage.finished(Finish {
        logos: vec![logo(&white, Corner::TopLeft, 0.2, 1.0)],
        ..plain()
    });
    let (path, _) = finished.marked.unwrap();
    assert_eq!(pictures(&path, (WIDTH, HEIGHT)).len(), 1);
}
