//! What is marked shows what the clip shows: every frame at its time, the sound where it was.

use std::path::{Path, PathBuf};
use std::process::Command;

use hindsight::base::Stop;
use hindsight::config::{Corner, Finish};
use hindsight::demo::picture::read_number;
use hindsight::media::Codec as Coded_;
use hindsight::mp4;
use hindsight::queue::sidecar::{Damaged, MarkedMeta};

use crate::media::{Codec, Recipe};
use crate::rig::{self, Storage, logo, maker, plain, png};
use crate::source::{self, Au, Coded, TICKS_PER_FRAME};
use crate::{browser, frames};

const FIRST: i64 = 68;
const LAST: i64 = 105;
const START: i64 = FIRST * TICKS_PER_FRAME;
const END: i64 = (LAST + 1) * TICKS_PER_FRAME - 900;

fn recipe() -> Recipe {
    Recipe {
        beep: true,
        ..source::recipe()
    }
}

/// A mark where no number is.
fn marked(storage: &Storage) -> Finish {
    let file = png(storage.dir.path(), "logo.png", (480, 160), [255, 0, 0, 255]);
    Finish {
        logos: vec![logo(&file, Corner::BottomRight, 0.2, 0.6)],
        ..plain()
    }
}

/// Both play the same numbers at the same times.
fn assert_same_frames(clip: &Path, made: &Path) -> Vec<(f64, u32)> {
    let (of_clip, of_made) = (
        frames::read_frame_numbers(clip),
        frames::read_frame_numbers(made),
    );
    let numbers = |seen: &[(f64, u32)]| seen.iter().map(|(_, n)| *n).collect::<Vec<_>>();
    assert_eq!(numbers(&of_clip), numbers(&of_made));
    for ((at_clip, n), (at_made, _)) in of_clip.iter().zip(&of_made) {
        assert!(
            (at_clip - at_made).abs() < 0.000_02,
            "frame {n} at {at_made} s, in the clip at {at_clip} s"
        );
    }
    of_made
}

/// Wide and vertical, whose facts are right.
fn made(storage: &Storage, finish: Finish) -> (PathBuf, MarkedMeta) {
    let finished = storage.finished(finish);
    let (path, meta) = finished.marked.unwrap();
    assert_eq!(meta.size_bytes, std::fs::metadata(&path).unwrap().len());
    let sum = Command::new("sha256sum").arg(&path).output().unwrap();
    assert!(sum.stdout.starts_with(meta.sha256.as_bytes()));
    assert_eq!(meta.codec, Coded_::H264);
    (path, meta)
}

#[test]
fn every_frame_of_h264_with_b_frames_is_there_at_its_time() {
    let storage = Storage::with(&source::make(recipe()), START, END);
    let (path, meta) = made(&storage, marked(&storage));
    let seen = assert_same_frames(&storage.clip, &path);
    assert_eq!((seen[0].1, seen[seen.len() - 1].1), (68, 105));
    assert_eq!((meta.width, meta.height), (320, 180));
    assert_eq!(meta.audio_codec, Some(Coded_::Aac));
    assert!((meta.duration_sec - 1.51).abs() < 0.03, "{meta:?}");
    let names = [".marked.mp4", ".thumbnail.jpg"];
    let stem = format!("{}-north", rig::PRESS);
    assert_eq!(storage.left(), names.map(|end| format!("{stem}{end}")));
}

#[test]
fn every_frame_of_h265_is_there_at_its_time() {
    let recipe = Recipe {
        codec: Codec::H265,
        ..recipe()
    };
    let storage = Storage::with(&source::make(recipe), START, END);
    let (path, _) = made(&storage, marked(&storage));
    assert_same_frames(&storage.clip, &path);
}

/// Frames at uneven times, one of which stands for two seconds.
fn uneven(tracks: &mut [Coded]) {
    for au in &mut tracks[0].aus {
        let number = au.pts / TICKS_PER_FRAME;
        au.pts += [0, 713, 1291][usize::try_from(number % 3).unwrap()];
        if number >= 80 {
            au.pts += 2 * 90_000;
        }
    }
}

#[test]
fn uneven_times_and_holes_are_passed_through() {
    let mut tracks = source::make(Recipe {
        beep: false,
        ..recipe()
    });
    uneven(&mut tracks);
    // A clip begins with a frame.
    let storage = Storage::with(&tracks, START + 1291, END + 2 * 90_000);
    let (path, meta) = made(&storage, marked(&storage));
    let seen = assert_same_frames(&storage.clip, &path);
    let hole = seen.windows(2).any(|pair| pair[1].0 - pair[0].0 > 2.0);
    assert!(hole, "{seen:?}");
    assert!(meta.duration_sec > 3.4);
}

#[test]
fn a_clip_whose_last_frame_stands_long_is_as_good_as_any() {
    let mut tracks = source::make(Recipe {
        beep: false,
        ..recipe()
    });
    tracks[0].aus.retain(|au| au.pts < 95 * TICKS_PER_FRAME);
    let storage = Storage::with(&tracks, START, END);
    let (path, _) = made(&storage, marked(&storage));
    assert_same_frames(&storage.clip, &path);
}

/// Where sound begins after silence, in samples from the file's beginning.
fn beeps(file: &Path) -> Vec<usize> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:a", "-f", "s16le", "-ac", "1", "-"])
        .output()
        .unwrap();
    let loud: Vec<bool> = out
        .stdout
        .chunks_exact(2)
        .map(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs() > 3_000)
        .collect();
    let mut quiet_for = usize::MAX;
    let mut begins = Vec::new();
    for (at, loud) in loud.into_iter().enumerate() {
        if loud && quiet_for > 9_600 {
            begins.push(at);
        }
        quiet_for = if loud { 0 } else { quiet_for.saturating_add(1) };
    }
    begins
}

#[test]
fn the_sound_stays_where_it_was_to_the_sample() {
    let storage = Storage::with(&source::make(recipe()), START, START + 4 * 90_000);
    let (path, _) = made(&storage, marked(&storage));
    let heard = beeps(&storage.clip);
    assert!(heard.len() >= 3, "{heard:?}");
    assert_eq!(heard, beeps(&path));
}

#[test]
fn a_phone_and_a_chat_app_can_play_it() {
    for (width, height, level) in [(320, 180, 30), (1280, 720, 31), (1920, 1080, 40)] {
        let recipe = Recipe {
            width,
            height,
            seconds: 2,
            gop_seconds: 1,
            ..recipe()
        };
        let storage = Storage::with(
            &source::make(recipe),
            10 * TICKS_PER_FRAME,
            40 * TICKS_PER_FRAME,
        );
        let finish = Finish {
            vertical: true,
            ..marked(&storage)
        };
        let finished = storage.finished(finish);
        let entries = "stream=codec_name,profile,level,pix_fmt,color_range,has_b_frames,refs,field_order,codec_tag_string";
        for file in [&finished.marked.unwrap().0, &finished.vertical.unwrap()] {
            let facts = rig::probe(file, entries);
            let (video, sound) = (&facts["streams"][0], &facts["streams"][1]);
            assert_eq!(video["codec_name"], "h264");
            assert_eq!(video["codec_tag_string"], "avc1");
            assert_eq!(video["profile"], "High");
            assert_eq!(video["pix_fmt"], "yuv420p");
            assert!(video["level"].as_u64().unwrap() <= level, "{video}");
            assert_eq!(sound["codec_name"], "aac");
            let bytes = std::fs::read(file).unwrap();
            let at = |kind: &[u8]| bytes.windows(4).position(|word| word == kind).unwrap();
            assert!(at(b"moov") < at(b"mdat"));
        }
    }
}

#[test]
fn chromium_plays_it_from_the_first_frame_to_the_last() {
    let storage = Storage::with(&source::make(recipe()), START, END);
    let (path, _) = made(&storage, marked(&storage));
    let Some(played) = browser::play(&path) else {
        return;
    };
    assert_eq!(played.error, None);
    assert_eq!((played.numbers()[0], played.last), (FIRST, LAST));
}

/// The number in a JPEG.
fn number_in(thumbnail: &Path) -> Option<u16> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(thumbnail)
        .args(["-vf", "scale=320:180,format=gray", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    read_number(&out.stdout, 320, 180)
}

#[test]
fn the_thumbnail_shows_the_frame_at_the_press_with_the_mark_in_it() {
    let tracks = source::make(recipe());
    let mut storage = Storage::with(&tracks, START, END);
    for (pre_seconds, number) in [(1.0, 93), (0.0, 68), (1.019, 93), (1.041, 94), (7.0, 105)] {
        storage.sidecar.pre_seconds = pre_seconds;
        let finished = storage.finished(marked(&storage));
        let thumbnail = finished.thumbnail.unwrap();
        assert_eq!(number_in(&thumbnail), Some(number), "{pre_seconds} s");
        assert!(redness(&thumbnail) > 60, "no mark at {pre_seconds} s");
        let finished = storage.finished(plain());
        let thumbnail = finished.thumbnail.unwrap();
        assert_eq!(number_in(&thumbnail), Some(number), "{pre_seconds} s");
        assert!(redness(&thumbnail) < 10, "a mark at {pre_seconds} s");
    }
}

/// How much redder than green the bottom right corner is.
fn redness(picture: &Path) -> i32 {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(picture)
        .args([
            "-vf",
            "scale=320:180,crop=40:10:266:160,scale=1:1:flags=area,format=rgb24",
        ])
        .args(["-f", "rawvideo", "-"])
        .output()
        .unwrap();
    i32::from(out.stdout[0]) - i32::from(out.stdout[1])
}

#[test]
fn without_a_mark_the_clip_itself_goes_on() {
    let storage = Storage::with(&source::make(recipe()), START, END);
    let before = std::fs::read(&storage.clip).unwrap();
    let finished = storage.finished(plain());
    assert_eq!((finished.marked, finished.vertical), (None, None));
    assert!(finished.notes.is_empty(), "{:?}", finished.notes);
    assert_eq!(std::fs::read(&storage.clip).unwrap(), before);
}

#[test]
fn a_vertical_version_alone_leaves_the_wide_one_as_it_is() {
    let storage = Storage::with(&source::make(recipe()), START, END);
    let finished = storage.finished(Finish {
        vertical: true,
        ..plain()
    });
    assert_eq!(finished.marked, None);
    let facts = rig::probe(&finished.vertical.unwrap(), "stream=width,height,nb_frames");
    let video = &facts["streams"][0];
    assert_eq!(
        (video["width"].as_u64(), video["height"].as_u64()),
        (Some(102), Some(180))
    );
    assert_eq!(video["nb_frames"], "38");
    assert_eq!(number_in(&finished.thumbnail.unwrap()), Some(93));
}

/// A camera whose picture changes its size at frame 100, a key frame.
fn changing(dir: &Path) -> PathBuf {
    let piece = |first, width, height| {
        let recipe = Recipe {
            seconds: 4,
            first,
            width,
            height,
            ..source::recipe()
        };
        source::make(recipe).remove(0)
    };
    let (mut both, after) = (piece(0, 320, 180), piece(100, 640, 360));
    let sets = mp4::parameter_sets(&after.params).unwrap();
    both.aus.extend(after.aus.iter().map(|au| Au {
        pts: au.pts + 100 * TICKS_PER_FRAME,
        key: au.key,
        bytes: match au.key {
            true => [&sets[..], &au.bytes].concat(),
            false => au.bytes.clone(),
        },
    }));
    let (data, mut index) = source::cut(&[both], START, 131 * TICKS_PER_FRAME - 900);
    let track = &mut index.tracks[0];
    track.entries.push(after.params);
    for sample in &mut track.samples {
        sample.entry = u32::from(sample.pts >= 100 * TICKS_PER_FRAME);
    }
    source::write(dir.to_path_buf(), 20_000, &data, &index)
}

#[test]
fn a_picture_that_changes_its_size_is_marked_to_its_end_in_the_larger_size() {
    let storage = Storage::of(|path| {
        changing(&path);
    });
    let (path, meta) = made(&storage, marked(&storage));
    assert_eq!((meta.width, meta.height), (640, 360));
    assert_same_frames(&storage.clip, &path);
    for at in ["0.2", "2.2"] {
        let picture = storage.dir.path().join(format!("{at}.png"));
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-ss", at, "-i"])
            .arg(&path)
            .args(["-frames:v", "1"])
            .arg(&picture)
            .status();
        assert!(status.unwrap().success());
        assert!(redness(&picture) > 60, "no mark at {at} s");
    }
}

/// The clip after something happened to its frames, in the order of decoding.
fn after(storage: &Storage, happened: impl Fn(&mut Vec<Au>)) {
    let mut tracks = source::make(Recipe {
        b_frames: 0,
        ..source::recipe()
    });
    happened(&mut tracks[0].aus);
    let (data, index) = source::cut(&tracks, START, END);
    source::write(storage.clip.clone(), 20_000, &data, &index);
}

/// A camera whose clock stumbles, in a clip that was cut before such clocks were mended.
#[test]
fn a_clip_whose_clock_stumbles_is_marked_with_every_frame_in_order() {
    type Stumble = (&'static str, fn(i64) -> i64);
    let table: [Stumble; 6] = [
        ("61 ms back", |n| {
            n * 3_600 - if n == 90 { 5_490 } else { 0 }
        }),
        ("61 ms back for a second", |n| {
            n * 3_600 - if (75..100).contains(&n) { 5_490 } else { 0 }
        }),
        ("swapped", |n| match n {
            90 => 91 * 3_600,
            91 => 90 * 3_600,
            n => n * 3_600,
        }),
        ("equal", |n| if n == 90 { 89 * 3_600 } else { n * 3_600 }),
        ("again and again", |n| {
            n * 3_600 - if n % 5 == 2 { 5_490 } else { 0 }
        }),
        ("half a second back", |n| {
            n * 3_600 - if n == 90 { 45_000 } else { 0 }
        }),
    ];
    for (name, says) in table {
        let storage = Storage::with(&source::make(recipe()), START, END);
        after(&storage, |aus| {
            for au in aus {
                au.pts = says(number(au));
            }
        });
        let finished = storage.finished(marked(&storage));
        let stem = format!("{}-north", rig::PRESS);
        let names = [".marked.mp4", ".thumbnail.jpg"];
        assert_eq!(
            storage.left(),
            names.map(|end| format!("{stem}{end}")),
            "{name}"
        );
        let shown = frames::read_frames(&finished.marked.unwrap().0);
        let numbers: Vec<_> = shown.iter().filter_map(|frame| frame.number).collect();
        assert_eq!(numbers, (68..106).collect::<Vec<u32>>(), "{name}");
        // Each within two frames of when the camera says that it was, most of them nearer.
        for (frame, number) in shown.iter().zip(FIRST..) {
            let said = f64::from(i32::try_from(says(number) - START).unwrap()) / 90_000.0;
            let off = (frame.pts_seconds - said).abs();
            assert!(
                off < 0.08 || name.contains("half"),
                "{name}: frame {number} {off} s off"
            );
        }
    }
}

/// The camera has B-frames and its times rise as it sends: nobody knows from the times which is shown when.
#[test]
fn a_clip_with_b_frames_in_the_order_of_sending_is_marked_with_every_frame() {
    let mut tracks = source::make(Recipe {
        b_frames: 2,
        ..source::recipe()
    });
    for (au, n) in tracks[0].aus.iter_mut().zip(0..) {
        au.pts = n * TICKS_PER_FRAME;
    }
    let storage = Storage::with(&tracks, START, END);
    let finished = storage.finished(marked(&storage));
    let shown = frames::read_frames(&finished.marked.unwrap().0);
    println!("{:?} {shown:?}", finished.notes);
    assert_eq!(shown.len(), 38);
    let numbers: Vec<_> = shown.iter().filter_map(|frame| frame.number).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

fn number(au: &Au) -> i64 {
    au.pts / TICKS_PER_FRAME
}

#[test]
fn smeared_frames_are_all_there() {
    let storage = Storage::with(&source::make(recipe()), START, END);
    after(&storage, |aus| {
        for au in aus.iter_mut().filter(|au| number(au) == 90) {
            let half = au.bytes.len() / 2;
            au.bytes[half..].fill(0x55);
        }
    });
    let finished = storage.finished(marked(&storage));
    assert_eq!(finished.notes, Vec::<String>::new());
    let shown = frames::read_frames(&finished.marked.unwrap().0);
    assert_eq!(shown.len(), 38);
}

#[test]
fn frames_that_ffmpeg_drops_after_lost_ones_may_be_missing_where_the_sidecar_knows() {
    let mut storage = Storage::with(&source::make(recipe()), START, END);
    after(&storage, |aus| {
        aus.retain(|au| !(80..83).contains(&number(au)))
    });
    let finish = marked(&storage);
    let unknown = storage.finish(&maker(finish.clone()), &Stop::default());
    let why = unknown.unwrap_err().to_string();
    assert!(
        why.contains("of the clip's 35 frames are not in it"),
        "{why}"
    );
    storage.sidecar.damaged = vec![Damaged {
        start_sec: 0.6,
        end_sec: 1.28,
        frames: 17,
    }];
    let finished = storage.finished(finish);
    let shown = frames::read_frames(&finished.marked.unwrap().0);
    let missing = 35 - shown.len();
    assert!(finished.notes[0].starts_with(&format!("{missing} frames could not be decoded")));
    assert_eq!(shown[shown.len() - 1].number, Some(105));
    assert!((shown[shown.len() - 1].pts_seconds - 1.48).abs() < 0.000_02);
}

#[test]
fn frames_that_cannot_be_decoded_are_told_and_the_rest_stays_in_place() {
    let storage = Storage::with(&source::make(recipe()), START, END);
    after(&storage, |aus| {
        for au in aus.iter_mut().filter(|au| (94..97).contains(&number(au))) {
            // No slice begins like this; the lengths still hold.
            au.bytes[5..].fill(0);
        }
    });
    let finished = storage.finished(marked(&storage));
    let shown = frames::read_frames(&finished.marked.unwrap().0);
    let missing = 38 - shown.len();
    assert!(missing > 0, "they were decoded");
    let told = format!("{missing} frames could not be decoded and are not in the marked video");
    assert_eq!(finished.notes, [told]);
    assert_eq!(shown[0].number, Some(68));
    assert_eq!(shown[shown.len() - 1].number, Some(105));
}
